"""What becomes of errors that nobody expected: of any thread, in the log file and in one dialog."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal, Slot

from rfstudio.app.files.log_file import LOGGER
from rfstudio.app.studio import Studio
from rfstudio.core.errors import RFStudioError, shown
from rfstudio.widgets.window.crash_dialog import CrashDialog, report_text

if TYPE_CHECKING:  # it has no such name while the program runs
    from sys import UnraisableHookArgs

    from rfstudio.widgets.window.main_window import MainWindow

_EDITS = 5
"""Last edits that a report names."""

_LONGEST = 60
"""Most letters of a name in a report."""


def circumstances(studio: Studio) -> str:
    """Return what was open and what was done last, in a line: it helps to repeat an error."""
    try:
        stack, chosen = studio.document.undo_stack, studio.selection.value
        words = [f"network {shown(studio.document.architecture.name, _LONGEST)}"]
        words.append(f"unit {chosen.unit} of {shown(chosen.layer, _LONGEST)}")
        last = range(max(stack.index() - _EDITS, 0), stack.index())
        edits = "; ".join(shown(stack.text(i), _LONGEST) for i in last)
        return ", ".join([*words, f"last edits: {edits or 'none'}"])
    except Exception as error:  # noqa: BLE001 - this speaks of a program that has just failed
        return f"what was open is not known ({type(error).__name__})"


class CrashReports(QObject):
    """Takes unexpected errors of a window, after which the program goes on.

    Parameters
    ----------
    window
        Shows them; expected errors are a line in its status bar.
    """

    _found = Signal(object)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._found.connect(self._show, Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        """Take the errors of slots, of threads, and those that Python itself cannot pass on."""
        sys.excepthook = self.take
        threading.excepthook = self._take_of_thread
        sys.unraisablehook = self._take_unraisable

    def take(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """Write an error to the log, and show it."""
        sys.__excepthook__(kind, error, trace)
        found = self._report(kind, error, trace)
        if found is not None:
            self._show(found)

    def _report(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> str | RFStudioError | None:
        """Return what is to be shown; None of what ends the program."""
        if isinstance(error, RFStudioError):
            return error
        if not isinstance(error, Exception):
            return None
        text = report_text(kind, error, trace, circumstances(self._window.studio))
        LOGGER.error("unexpected error: %s", text)
        return text

    def _take_of_thread(self, args: threading.ExceptHookArgs) -> None:
        threading.__excepthook__(args)
        if args.exc_value is None:
            return
        with suppress(RuntimeError):  # the window may have been closed meanwhile
            found = self._report(args.exc_type, args.exc_value, args.exc_traceback)
            if found is not None:
                self._found.emit(found)

    @staticmethod
    def _take_unraisable(args: UnraisableHookArgs) -> None:
        """Write an error to the log that came as something was deleted: nothing waits for it."""
        sys.__unraisablehook__(args)
        error = args.exc_value
        if isinstance(error, Exception):
            LOGGER.error(
                "unexpected error: %s", report_text(type(error), error, args.exc_traceback)
            )

    @Slot(object)
    def _show(self, found: str | RFStudioError) -> None:
        if isinstance(found, RFStudioError):
            self._window.status.tell(str(found))
            return
        # One that is closed may still be there, until the dialog that waits below it ends.
        dialogs = self._window.findChildren(CrashDialog)
        open_one = next((x for x in dialogs if x.isVisible()), None)
        if open_one is not None:
            open_one.add(found)
        else:
            CrashDialog(found, self._window).open()
