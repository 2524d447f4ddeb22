"""The log file of the window: what went wrong, for a report to the authors."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

from rfstudio.formats.files import make_folder

_LARGEST = 1 << 20
"""Bytes after which a new file is begun; one older file stays."""

LOGGER = logging.getLogger("rfstudio")


def log_file() -> Path:
    """Return the log file, in the user's folder for them."""
    return platformdirs.user_log_path("rfstudio", appauthor=False) / "rfstudio.log"


def make_log_folder() -> None:
    """Make the folder of log files.

    Raises
    ------
    RFStudioError
        If it cannot be made.
    """
    make_folder(log_file().parent)


def start_log(versions: str) -> logging.Handler | None:
    """Write warnings and errors of the program into the log file from now on.

    Parameters
    ----------
    versions
        The first line of a session.

    Returns
    -------
    logging.Handler or None
        None where no file can be written; the program goes on without one.
    """
    path = log_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=_LARGEST, backupCount=1, encoding="utf-8")
    except OSError:
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.info("started: %s", versions)
    return handler


def end_log(handler: logging.Handler | None) -> None:
    """Close the log file."""
    if handler is not None:
        LOGGER.removeHandler(handler)
        handler.close()
