"""Go to anything: finds layers, operations, commands and presets by parts of their names."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QVBoxLayout,
)

from rfstudio.widgets.parts.list_keys import ListKeys
from rfstudio.widgets.window.destinations import Destination, commands_of, matching

_MOST = 300
"""Most lines of the list; nobody reads more, and each costs time at every key."""

_SIGNS = {
    "layer": "Layer",
    "panel": "Show",
    "command": "Do",
    "field": "Set",
    "switch": "View",
    "add": "Add",
    "preset": "Open",
    "term": "Ask",
}

_NUMBER = Qt.ItemDataRole.UserRole


class CommandPalette(QFrame):
    """Lists where one can go, and what can be done; Enter takes the first that matches.

    Parameters
    ----------
    window
        Its menus are the commands.
    others
        Returns everything else: layers, operations, presets, switches.
    """

    def __init__(self, window: QMainWindow, others: Callable[[], list[Destination]] = list) -> None:
        super().__init__(window, Qt.WindowType.Popup)
        self._window = window
        self._others = others
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.search = QLineEdit()
        self.list = QListWidget()
        self.list.setUniformItemSizes(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.empty = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self.empty.setContentsMargins(10, 10, 10, 10)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.empty.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.empty, 1)
        self._all: list[Destination] = []
        self._shown: list[Destination] = []
        self.search.textChanged.connect(self._show)
        self.search.returnPressed.connect(self._do)
        self.list.itemActivated.connect(self._do)
        self.list.itemClicked.connect(self._do)
        ListKeys(self.search, self.list)

    def pop_up(self) -> None:
        """Show the commands over the window."""
        self._open("Type a command", "commands", commands_of(self._window.menuBar()))

    def go_to_anything(self) -> None:
        """Show everything that there is over the window."""
        # Presets are among the rest, with their sentences.
        commands = [x for x in commands_of(self._window.menuBar()) if "› Preset ›" not in x.text]
        self._open(
            "Go to a layer, an operation, a command, a preset, a word",
            "anything",
            [*self._others(), *commands],
        )

    def _open(self, hint: str, what: str, destinations: list[Destination]) -> None:
        self._all = destinations
        self.search.setPlaceholderText(hint)
        self.search.setAccessibleName(f"Search {what}")
        self.list.setAccessibleName(what.capitalize())
        self.search.clear()
        self._show("")
        self.resize(min(640, self._window.width() - 40), 420)
        place = QPoint((self._window.width() - self.width()) // 2, 60)
        self.move(self._window.mapToGlobal(place))
        self.show()
        self.search.setFocus()

    def texts(self) -> list[str]:
        """Return the names in the list."""
        return [x.text for x in self._shown]

    def _show(self, words: str) -> None:
        self._shown = matching(self._all, words)[:_MOST]
        self.list.clear()
        for number, found in enumerate(self._shown):
            item = QListWidgetItem(f"{_SIGNS[found.kind]}   {found.text}   {found.detail}".rstrip())
            item.setData(_NUMBER, number)
            item.setToolTip(found.detail)
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self.list.setVisible(bool(self._shown))
        self.empty.setVisible(not self._shown)
        self.empty.setText(
            f"Nothing has “{words.strip()}” in its name.\n\nLayers are found by their full paths "
            "(layer3.rest.20.conv2), operations also by other names (atrous, deconv, dense), "
            "presets by what they are."
        )

    def _do(self) -> None:
        item: QListWidgetItem | None = self.list.currentItem()
        if item is None:
            return
        chosen = self._shown[item.data(_NUMBER)]
        self.hide()
        chosen.go()
