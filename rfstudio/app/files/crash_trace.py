"""Where the program was as a fault of a library ended it, which no handler of errors gets to know.

Each session has a file of its own beside the log, into which Python writes the calls of all threads
once the process gets a signal such as that of a wrong address.  A session that ends as it should
removes its file.  The next start moves what others have left over into the log.
"""

from __future__ import annotations

import faulthandler
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from rfstudio.app.files.log_file import LOGGER, log_file
from rfstudio.app.files.recovery import SessionLock

_LONGEST = 1 << 16
"""Bytes of a trace that are read: a hundred calls of some threads."""


class CrashTrace:
    """The file of this session."""

    def __init__(self) -> None:
        session = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
        self._path = _folder() / f"crash-{session}.txt"
        self._lock = SessionLock(_lock_of(self._path))
        self._file: BinaryIO | None = None

    def begin(self) -> None:
        """Let the file be written if the process crashes; if it cannot be made, there is none."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.take()
            # Nothing is written through it but by the signal.
            self._file = self._path.open("wb", buffering=0)
            faulthandler.enable(self._file)
        except (OSError, ValueError):
            LOGGER.warning("no file for the trace of a crash", exc_info=True)
            self.end()

    def end(self) -> None:
        """Remove the file: the session ends as it should."""
        if self._file is not None:
            faulthandler.disable()
            self._file.close()
            self._file = None
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._lock.give_back()


def log_crashes() -> int:
    """Move what crashed sessions left over into the log; return how many did."""
    count = 0
    with suppress(OSError):
        for path in sorted(_folder().glob("crash-*.txt")):
            if SessionLock(_lock_of(path)).is_held_by_another:
                continue
            trace = _taken(path)
            if trace:
                count += 1
                LOGGER.error("the program was ended by a fault:\n%s", trace)
    return count


def _taken(path: Path) -> str:
    """Return what a file holds, and remove it; empty where the process was ended from outside."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST).decode(errors="replace")
    except OSError:
        return ""  # another window has taken it
    for each in (path, _lock_of(path)):
        with suppress(OSError):
            each.unlink(missing_ok=True)
    return text.strip()


def _folder() -> Path:
    return log_file().parent


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")
