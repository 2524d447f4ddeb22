"""The command palette: finds every action of the window by a part of its name."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QMenu,
    QVBoxLayout,
)

from rfstudio.widgets.parts.list_keys import ListKeys


class CommandPalette(QFrame):
    """Lists all enabled actions of a window's menus; Enter runs the first."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window, Qt.WindowType.Popup)
        self._window = window
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Type a command")
        self.search.setAccessibleName("Search commands")
        self.list = QListWidget()
        self.list.setAccessibleName("Commands")
        self.list.setUniformItemSizes(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self.search)
        layout.addWidget(self.list)
        self._actions: list[tuple[str, QAction]] = []
        self.search.textChanged.connect(self._show)
        self.search.returnPressed.connect(self._do)
        self.list.itemActivated.connect(self._do)
        self.list.itemClicked.connect(self._do)
        ListKeys(self.search, self.list)

    def pop_up(self) -> None:
        """Show the list over the window."""
        self._actions = []
        for action in self._window.menuBar().actions():
            self._collect(action, "")
        self.search.clear()
        self._show("")
        self.resize(min(520, self._window.width() - 40), 380)
        place = QPoint((self._window.width() - self.width()) // 2, 60)
        self.move(self._window.mapToGlobal(place))
        self.show()
        self.search.setFocus()

    def _collect(self, action: QAction, above: str) -> None:
        text = action.text().replace("&", "").replace("…", "")
        # QAction.menu() would hand the menu to Python, which deletes it when this name goes.
        menu = cast("QMenu | None", QMenu.menuInAction(action))
        if menu is not None:
            menu.aboutToShow.emit()  # menus that are filled when they open
            for inner in menu.actions():
                self._collect(inner, f"{above}{text} › ")
        elif text and action.isEnabled():
            self._actions.append((f"{above}{text}", action))

    def _show(self, words: str) -> None:
        wanted = words.lower().split()
        self.list.clear()
        for number, (text, action) in enumerate(self._actions):
            if all(word in text.lower() for word in wanted):
                keys = action.shortcut().toString()
                item = QListWidgetItem(f"{text}   {keys}" if keys else text)
                item.setData(Qt.ItemDataRole.UserRole, number)
                self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _do(self) -> None:
        item: QListWidgetItem | None = self.list.currentItem()
        if item is None:
            return
        _, action = self._actions[item.data(Qt.ItemDataRole.UserRole)]
        self.hide()
        action.trigger()
