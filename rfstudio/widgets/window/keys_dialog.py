"""The dialog that lists all keys: those of the menus, and those of single panels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QMenu,
    QMenuBar,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

Keys = tuple[str, str]
"""A key, and what it does."""

CANVAS: tuple[Keys, ...] = (
    ("Arrow keys", "To the next unit; with Shift, ten units further"),
    ("Home, End", "First and last unit of the row; with Ctrl, of the map"),
    ("Page Up, Page Down", "First and last unit of the column; with three axes, the next slice"),
    ("+, −", "Zoom at the unit"),
    ("0", "Show everything: the image and the field"),
    ("F", "Fit the field, as large as possible"),
    ("Space and drag", "Pan, as with the middle button"),
)
GRAPH: tuple[Keys, ...] = (
    ("Arrow keys", "Along the edges, and to the layer above or below"),
    ("0", "The whole graph"),
    ("Double click", "Fold a container into one box, or unfold it"),
    ("− / +", "Fold or unfold a whole level"),
    ("L", "The path with the largest field"),
    ("1", "The chosen layer in full size"),
    ("S", "The share of the expected energy that takes each edge"),
)
CHARTS: tuple[Keys, ...] = (("0", "All curves"),)


def keys_of(actions: Iterable[QAction]) -> list[Keys]:
    """Return the keys of actions and of their menus."""
    found: list[Keys] = []
    for action in actions:
        # QAction.menu() would have Python delete the menu when this name goes.
        menu = cast("QMenu | None", QMenu.menuInAction(action))
        if menu is not None:
            found += keys_of(menu.actions())
        elif keys := action.shortcut().toString():
            found.append((keys, action.text().replace("&", "").replace("…", "")))
    return found


class KeysDialog(QDialog):
    """Shows all keys.

    Parameters
    ----------
    bar
        The menus.
    switches
        What is switched with one key on the canvas.
    parent
        The window.
    """

    def __init__(
        self, bar: QMenuBar, switches: Iterable[QAction], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keys")
        self._listed: dict[str, dict[str, str]] = {}
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(["Key", "What it does"])
        self.tree.setAccessibleName("Keys")
        self.tree.setRootIsDecorated(False)
        shown = [f"Show or hide: {x.text()}" for x in switches]
        letters = [x.shortcut().toString() for x in switches]
        for menu in bar.actions():
            self._add(menu.text().replace("&", ""), keys_of([menu]))
        self._add("Canvas", [*CANVAS, *zip(letters, shown, strict=True)])
        self._add("Graph", GRAPH)
        self._add("Growth and Profile", CHARTS)
        self.tree.expandAll()
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.tree)
        column.addWidget(buttons)
        self.resize(560, 520)

    def texts(self) -> dict[str, dict[str, str]]:
        """Return the list: by place, what each key does."""
        return self._listed

    def _add(self, title: str, keys: Iterable[Keys]) -> None:
        listed = dict(keys)
        if not listed:
            return
        self._listed[title] = listed
        rows = [QTreeWidgetItem([key, what]) for key, what in listed.items()]
        group = QTreeWidgetItem([title])
        font = group.font(0)
        font.setBold(True)
        group.setFont(0, font)
        group.addChildren(rows)
        self.tree.addTopLevelItem(group)
