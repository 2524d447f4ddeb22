"""The dialog of keys: all commands by menu, whose keys can be changed, and those of panels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QMenu,
    QMenuBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.state.shortcuts import Command, KeyTakenError, Shortcuts, plain_text
from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.text_room import give_room

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


_FIXED = "These keys belong to the panel and stay as they are."
_HINT = "Choose a command, then press its new key in the field below."
_COMMAND = Qt.ItemDataRole.UserRole
_INTO = " › "


def commands_in(menu: QAction, within: str = "") -> Iterator[tuple[str, QAction]]:
    """Go through what is in a menu and its own menus, each with the titles that lead to it."""
    # QAction.menu() would have Python delete the menu when this name goes.
    opened = cast("QMenu | None", QMenu.menuInAction(menu))
    if opened is None:
        if not menu.isSeparator() and menu.text():
            yield within, menu
        return
    place = f"{within}{_INTO if within else ''}{plain_text(menu)}"
    for action in opened.actions():
        yield from commands_in(action, place)


def add_commands(shortcuts: Shortcuts, bar: QMenuBar, switches: Iterable[QAction]) -> None:
    """Let the keys of everything in the menus, and of the switches of the canvas, be changed.

    What is in a menu of a menu, such as all presets, comes after all that is nearer.
    """
    found = [x for menu in bar.actions() for x in commands_in(menu)]
    for place, action in sorted(found, key=lambda x: x[0].count(_INTO)):
        shortcuts.add(place, action)
    for action in switches:
        shortcuts.add("Canvas", action, f"Show or hide: {action.text()}")


class KeysDialog(QDialog):
    """Shows all commands with their keys, and changes them.

    Parameters
    ----------
    shortcuts
        The commands.
    parent
        The window.
    """

    def __init__(self, shortcuts: Shortcuts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keys")
        self._shortcuts = shortcuts
        self._fixed: dict[str, Sequence[Keys]] = {
            "Canvas": CANVAS,
            "Graph": GRAPH,
            "Growth and Profile": CHARTS,
        }
        self.filter_line = QLineEdit(
            placeholderText="Filter by name or key", clearButtonEnabled=True
        )
        self.filter_line.setAccessibleName("Filter commands by name or key")
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels(["Key", "What it does"])
        self.tree.setAccessibleName("Keys")
        self.tree.setRootIsDecorated(False)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        FocusRing(self.tree)
        self.capture = QKeySequenceEdit()
        self.capture.setMaximumSequenceLength(1)
        self.capture.setAccessibleName("New key")
        self.capture.setToolTip("Press the new key while this field has the focus")
        self.none = QPushButton("No key")
        self.usual = QPushButton("Usual key")
        self.take = QPushButton("Take it from there")
        self.message = QLabel(_HINT, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.message.setForegroundRole(QPalette.ColorRole.WindowText)
        self.all_usual = QPushButton("All usual keys")
        self._lay_out()
        self._fill()
        self.tree.currentItemChanged.connect(self._follow)
        self.tree.itemActivated.connect(self._begin)
        self.capture.keySequenceChanged.connect(self._capture)
        self.filter_line.textChanged.connect(self._filter)
        self.take.clicked.connect(lambda: self._set(self.capture.keySequence(), take_over=True))
        self.none.clicked.connect(lambda: self._set(QKeySequence()))
        self.usual.clicked.connect(self._reset)
        self.all_usual.clicked.connect(self._reset_all)
        self._follow()

    def texts(self) -> dict[str, dict[str, str]]:
        """Return the list: by place, what each key does."""
        return {
            group.text(1): {row.text(0): row.text(1) for row in _rows(group) if row.text(0)}
            for group in self._groups()
        }

    def choose(self, name: str) -> None:
        """Choose a command by what it does."""
        found = (x for group in self._groups() for x in _rows(group) if x.text(1) == name)
        self.tree.setCurrentItem(next(found))

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        label = QLabel("New &key")
        label.setBuddy(self.capture)
        row.addWidget(label)
        row.addWidget(self.capture, 1)
        for button in (self.none, self.usual):
            row.addWidget(button)
        told = QHBoxLayout()
        told.addWidget(self.message, 1)
        told.addWidget(self.take)  # here, so that the field keeps its width
        for button in (self.take, self.none, self.usual):
            button.setAutoDefault(False)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.all_usual, QDialogButtonBox.ButtonRole.ResetRole)
        buttons.rejected.connect(self.reject)
        for push in buttons.findChildren(QPushButton):
            push.setAutoDefault(False)
        column = QVBoxLayout(self)
        column.addWidget(self.filter_line)
        column.addWidget(self.tree, 1)
        column.addLayout(told)
        column.addLayout(row)
        column.addWidget(buttons)
        give_room(self, 620, 600)

    def _fill(self) -> None:
        places: dict[str, QTreeWidgetItem] = {}
        for command in self._shortcuts:
            group = self._group(command.place, places)
            row = QTreeWidgetItem(group, [command.keys.toString(), command.name])
            row.setData(0, _COMMAND, command)
            _mark(row, command)
        for place, keys in self._fixed.items():
            group = self._group(place, places)
            for key, what in keys:
                QTreeWidgetItem(group, [key, what])
        self.tree.expandAll()
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)

    def _group(self, title: str, places: dict[str, QTreeWidgetItem]) -> QTreeWidgetItem:
        if title not in places:
            group = places[title] = QTreeWidgetItem(self.tree, ["", title])
            font = group.font(1)
            font.setBold(True)
            group.setFont(1, font)
            group.setFlags(Qt.ItemFlag.ItemIsEnabled)
        return places[title]

    def _groups(self) -> list[QTreeWidgetItem]:
        found = (self.tree.topLevelItem(i) for i in range(self.tree.topLevelItemCount()))
        return [x for x in found if x is not None]

    # --- changing -------------------------------------------------------------------------------

    def _command(self) -> Command | None:
        row = cast("QTreeWidgetItem | None", self.tree.currentItem())
        return None if row is None else row.data(0, _COMMAND)

    def _follow(self) -> None:
        """Offer to change the key of the chosen command."""
        row, command = cast("QTreeWidgetItem | None", self.tree.currentItem()), self._command()
        self.capture.blockSignals(True)
        self.capture.setKeySequence(QKeySequence() if command is None else command.keys)
        self.capture.blockSignals(False)
        self.capture.setEnabled(command is not None)
        self.none.setEnabled(command is not None and not command.keys.isEmpty())
        self.usual.setEnabled(command is not None and not command.is_usual)
        self.take.hide()
        is_fixed = command is None and row is not None and row.parent() is not None
        self.message.setText(_FIXED if is_fixed else _HINT)
        if command is not None and not command.is_usual:
            self.message.setText(f"Its usual key is {command.usual.toString() or 'none'}.")

    def _begin(self) -> None:
        if self.capture.isEnabled():
            self.capture.setFocus(Qt.FocusReason.OtherFocusReason)

    def _capture(self, keys: QKeySequence) -> None:
        if not keys.isEmpty():
            self._set(keys)

    def _set(self, keys: QKeySequence, *, take_over: bool = False) -> None:
        command = self._command()
        if command is None:
            return
        try:
            self._shortcuts.set(command, keys, take_over=take_over)
        except RFStudioError as error:
            self.message.setText(str(error))
            self.take.setVisible(isinstance(error, KeyTakenError))
            return
        self._show_keys()

    def _reset(self) -> None:
        command = self._command()
        if command is not None:
            self.capture.blockSignals(True)
            self.capture.setKeySequence(command.usual)  # which may have to be taken from another
            self.capture.blockSignals(False)
            self._set(command.usual)

    def _reset_all(self) -> None:
        self._shortcuts.reset_all()
        self._show_keys()
        self.message.setText("All commands have their usual keys.")

    def _show_keys(self) -> None:
        for group in self._groups():
            for row in _rows(group):
                command = row.data(0, _COMMAND)
                if command is not None:
                    row.setText(0, command.keys.toString())
                    _mark(row, command)
        self._follow()

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        for group in self._groups():
            for row in _rows(group):
                found = f"{row.text(0)} {row.text(1)} {group.text(1)}".lower()
                row.setHidden(not all(word in found for word in words))
            group.setHidden(all(row.isHidden() for row in _rows(group)))
        if all(group.isHidden() for group in self._groups()):
            self.message.setText(f"No command has “{text.strip()}” in its name, key or menu.")
        elif self.message.text().startswith("No command has"):
            self._follow()


def _rows(group: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    return [group.child(i) for i in range(group.childCount())]


def _mark(row: QTreeWidgetItem, command: Command) -> None:
    """Show keys that the user has chosen in bold, and say what is usual."""
    font = row.font(0)
    font.setBold(not command.is_usual)
    row.setFont(0, font)
    usual = command.usual.toString() or "none"
    row.setToolTip(0, "" if command.is_usual else f"Chosen by you; the usual key is {usual}")
