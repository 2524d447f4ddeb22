"""Writes files that take long to make, such as figures, beside the window."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, Signal, Slot

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.files import is_there


def is_taken(path: Path) -> bool:
    """Whether writing a file replaces one."""
    return is_there(path)


class Writing(QObject):
    """Runs one writer after the other on a thread of its own.

    Signals
    -------
    written
        The path of a file that is there now.
    failed
        The path of one that is not, and the error.
    """

    written = Signal(object)
    failed = Signal(object, object)

    _ended = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: threading.Thread | None = None
        self._untold: list[Path] = []  # files that are not there, of which nobody knows yet
        self._ended.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def start(self, path: Path, write: Callable[[Path], object]) -> None:
        """Write a file; `write` is called on another thread and touches nothing of Qt."""
        self._thread = threading.Thread(
            target=self._write, args=(path, write, self._thread), name="rfstudio-writing"
        )
        self._thread.start()

    def wait(self) -> bool:
        """Wait until everything is written; return whether nothing failed that is not told yet."""
        if self._thread is not None:
            self._thread.join()
        return not self._untold

    def tell(self) -> None:
        """Tell what has ended now; the event loop may not come to it any more."""
        QCoreApplication.sendPostedEvents(self, QEvent.Type.MetaCall.value)

    def _write(
        self, path: Path, write: Callable[[Path], object], earlier: threading.Thread | None
    ) -> None:
        if earlier is not None:
            earlier.join()  # matplotlib draws one figure at a time
        error: RFStudioError | None = None
        try:
            write(path)
        except RFStudioError as found:
            error = found
        except Exception as found:
            logging.getLogger(__name__).exception("'%s' was not written", path)
            error = RFStudioError(f"it could not be made ({type(found).__name__}: {found})")
        if error is not None:
            self._untold.append(path)
        # The window may have been closed meanwhile.
        with suppress(RuntimeError):
            self._ended.emit(path, error)

    @Slot(object, object)
    def _take(self, path: Path, error: RFStudioError | None) -> None:
        if error is None:
            self.written.emit(path)
        else:
            self._untold.remove(path)
            self.failed.emit(path, error)
