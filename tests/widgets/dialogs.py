"""Answers to dialogs that wait for one, by presses of their buttons and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFileDialog,
    QLineEdit,
    QPushButton,
    QWidget,
)

from tests.widgets.hands import LEFT, plain

_LONG = 2_000
"""Milliseconds after which a dialog is closed that its answer has not closed."""


@contextmanager
def answering(*answers: Callable[[QWidget], None]) -> Iterator[None]:
    """Answer the dialogs that wait, one after the other; all of them must come."""
    waiting, answered = list(answers), []
    timer = QTimer(interval=5)

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        if dialog is None or dialog in answered or not dialog.isActiveWindow():
            return
        answered.append(dialog)
        try:
            if waiting:
                waiting.pop(0)(dialog)
        finally:
            # One that nobody can answer must not let the test wait for ever.
            QTimer.singleShot(_LONG, dialog, dialog.close)

    timer.timeout.connect(look)
    timer.start()
    yield
    timer.stop()
    assert not waiting, f"{len(waiting)} dialogs did not come"
    assert len(answered) == len(answers), f"too many dialogs: {answered}"


def press(text: str) -> Callable[[QWidget], None]:
    """Return what clicks the button of a dialog."""

    def answer(dialog: QWidget) -> None:
        buttons = [x for x in dialog.findChildren(QPushButton) if x.isVisible()]
        (button,) = [x for x in buttons if plain(x.text()) == text]
        QTest.mouseClick(button, LEFT)

    return answer


def type_path(path: Path) -> Callable[[QWidget], None]:
    """Return what types a path into a dialog of files, and presses Return."""

    def answer(dialog: QWidget) -> None:
        assert isinstance(dialog, QFileDialog)
        line = dialog.findChild(QLineEdit, "fileNameEdit")
        assert line is not None
        line.selectAll()
        QTest.keyClicks(line, str(path))
        QTest.keyClick(line, Qt.Key.Key_Return)

    return answer


def escape(dialog: QWidget) -> None:
    """Press Escape."""
    QTest.keyClick(dialog, Qt.Key.Key_Escape)


def dialog_of(window: QWidget, kind: type[QDialog]) -> QDialog:
    """Return the only dialog of a kind that is in sight."""
    (found,) = [x for x in window.findChildren(kind) if x.isVisible()]
    return found
