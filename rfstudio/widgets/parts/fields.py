"""Input fields that leave undo to the window, and the wheel to the panel that scrolls."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QComboBox, QLineEdit, QSpinBox

_KEYS = (QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo)


class Line(QLineEdit):
    """A line of text.

    Qt's own field takes Ctrl+Z even when it has nothing to undo, so that an edit could not be
    undone while the focus is in the field where it was made.
    """

    def event(self, event: QEvent) -> bool:
        """Leave the keys to the window while the field holds no unfinished input."""
        if _is_undo(event) and not self.isModified():
            event.ignore()
            return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Discard unfinished input with Escape."""
        if not _took_back(event, self):
            super().keyPressEvent(event)


LARGEST = 2**31 - 1
"""The largest number that Qt's spin boxes hold, with either sign."""


class Spin(QSpinBox):
    """A whole number; the wheel turns it only while it has the focus.

    Of a number that it does not hold it shows the nearest that it does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.valueChanged.connect(lambda _: self.lineEdit().setModified(False))

    def setRange(self, least: int, most: int, /) -> None:  # noqa: N802 - Qt's name
        """Allow numbers from `least` to `most`."""
        super().setRange(_held(least), _held(most))

    def setValue(self, value: int, /) -> None:  # noqa: N802 - Qt's name
        """Show a number."""
        super().setValue(_held(value))

    def event(self, event: QEvent) -> bool:
        """Leave the keys to the window while the field holds no unfinished input."""
        if _is_undo(event) and not self.lineEdit().isModified():
            event.ignore()
            return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Discard unfinished input with Escape."""
        if not _took_back(event, self.lineEdit()):
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Let the panel scroll while the field does not have the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class Choice(QComboBox):
    """One of a few values; the wheel turns it only while it has the focus."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Let the panel scroll while the field does not have the focus."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


def take_over_typed() -> None:
    """Accept what is typed in the field with the focus, as if the focus had moved away."""
    field = QApplication.focusWidget()
    if isinstance(field, QLineEdit | QAbstractSpinBox):
        field.clearFocus()
        if field.isVisible():  # that of a name in the tree goes away
            field.setFocus()


def _took_back(event: QKeyEvent, line: QLineEdit) -> bool:
    """Whether it was Escape, which discards what was typed since the last value."""
    if event.key() != Qt.Key.Key_Escape or not line.isModified():
        return False
    while line.isUndoAvailable():
        line.undo()
    line.setModified(False)
    event.accept()
    return True


def _is_undo(event: QEvent) -> bool:
    return (
        event.type() == QEvent.Type.ShortcutOverride
        and isinstance(event, QKeyEvent)
        and any(event.matches(x) for x in _KEYS)
    )


def _held(number: int) -> int:
    return max(-LARGEST, min(number, LARGEST))
