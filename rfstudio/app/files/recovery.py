"""A copy of what is not saved, so that a crash costs seconds of work and not all of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import platformdirs
from PySide6.QtCore import QObject, QTimer

from rfstudio.app.state.document import Document, write_network
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.files import read_bounded
from rfstudio.formats.networks.bounded_yaml import MAX_BYTES
from rfstudio.formats.networks.yaml_reader import read_draft

_DELAY = 1500  # milliseconds after the last edit


def recovery_folder() -> Path:
    """Return the folder of the copies."""
    return platformdirs.user_state_path("rfstudio", appauthor=False) / "recovery"


class Recovery(QObject):
    """Keeps a copy of the document while it has changes that are not saved.

    Parameters
    ----------
    document
        What is saved.
    folder
        Where; the user's own folder if None.
    """

    def __init__(
        self, document: Document, folder: Path | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._folder = folder or recovery_folder()
        self._file = self._folder / f"{os.getpid()}.yaml"
        self._timer = QTimer(self, singleShot=True, interval=_DELAY)
        self._timer.timeout.connect(self.write)
        document.architecture_changed.connect(self._wait)
        document.modified_changed.connect(self._wait)

    def write(self) -> None:
        """Write the copy now, or remove it if there is nothing to keep."""
        if not self._document.is_modified:
            self.remove()
            return
        # A full disk must not disturb the work that the copy is there to protect.
        with suppress(RFStudioError, OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_network(self._file, self._document.architecture)

    def remove(self) -> None:
        """Remove the copy: everything is saved or given up."""
        self._timer.stop()
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def take_left_over(self) -> Architecture | None:
        """Return a network that a program left when it ended without a word, and forget it."""
        found: Architecture | None = None
        for path in self._left_over():
            if found is None:
                with suppress(RFStudioError):
                    found = read_draft(read_bounded(path, MAX_BYTES), path.name)
            with suppress(OSError):
                path.unlink()
        return found

    def _left_over(self) -> list[Path]:
        try:
            paths = [x for x in self._folder.glob("*.yaml") if x.stem.isdigit()]
            paths.sort(key=lambda x: x.stat().st_mtime, reverse=True)
        except OSError:
            return []
        return [x for x in paths if x != self._file and not _is_running(int(x.stem))]

    def _wait(self) -> None:
        self._timer.start()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
