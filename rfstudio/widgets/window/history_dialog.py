"""The list of edits: a click on a step goes back or forward to it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QDialog, QLabel, QUndoView, QVBoxLayout, QWidget

from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.text_room import give_room


class HistoryDialog(QDialog):
    """Lists the edits since the network was opened, and stays open beside the window.

    Parameters
    ----------
    stack
        The edits.
    """

    def __init__(self, stack: QUndoStack, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("History of edits")
        self.view = QUndoView(stack)
        self.view.setEmptyLabel("As it was opened")
        self.view.setAccessibleName("History of edits")
        self.view.setAlternatingRowColors(True)
        FocusRing(self.view)
        hint = QLabel("A click on a step goes there; what is below it can be done again.")
        hint.setWordWrap(True)
        hint.setTextFormat(Qt.TextFormat.PlainText)
        column = QVBoxLayout(self)
        column.addWidget(self.view, 1)
        column.addWidget(hint)
        give_room(self, 320, 420)

    def texts(self) -> list[str]:
        """Return the steps, the oldest first."""
        model = self.view.model()
        return [str(model.index(i, 0).data()) for i in range(model.rowCount())]
