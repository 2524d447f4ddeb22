"""A small list of all operations and containers that is searched by typing."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.editing.new_items import matching_kinds
from rfstudio.widgets.parts.list_keys import ListKeys


class OpPicker(QFrame):
    """Offers what can be added; Enter takes the first that matches, Escape none.

    Signals
    -------
    op_chosen
        The keyword of the operation or container.
    """

    op_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("Add a layer: conv, pool, residual …")
        self.search.setAccessibleName("Search operations")
        self.search.setClearButtonEnabled(True)
        self.list = QListWidget(self)
        self.list.setAccessibleName("Operations")
        self.list.setUniformItemSizes(True)
        self.empty = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.empty.setContentsMargins(10, 10, 10, 10)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.empty, 1)
        self.resize(320, 360)
        self.search.textChanged.connect(self._show)
        self.search.returnPressed.connect(self._take)
        self.list.itemActivated.connect(self._take)
        self.list.itemClicked.connect(self._take)
        ListKeys(self.search, self.list)
        self._show("")

    def pop_up(self, place: QPoint) -> None:
        """Show the list at a place of the screen, with nothing typed yet."""
        self.search.clear()
        self.move(place)
        self.show()
        self.search.setFocus()

    def _show(self, words: str) -> None:
        self.list.clear()
        for kind in matching_kinds(words):
            other = kind.other_name(words)
            also = f"  ({other})" if other else ""
            item = QListWidgetItem(f"{kind.keyword}   {kind.title}{also}")
            item.setData(Qt.ItemDataRole.UserRole, kind.keyword)
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        has_any = self.list.count() > 0
        self.list.setVisible(has_any)
        self.empty.setVisible(not has_any)
        self.empty.setText(
            f"Nothing is called “{words.strip()}” here.\n\nTry a part of the name: conv, pool, "
            "norm, attention. What is not in the list may be a custom layer."
        )

    def _take(self) -> None:
        item: QListWidgetItem | None = self.list.currentItem()
        if item is None:  # nothing matches
            return
        self.hide()
        self.op_chosen.emit(item.data(Qt.ItemDataRole.UserRole))
