"""Hands that use a window as people do: every step is a press of a button, of a key or on a row."""

from __future__ import annotations

import re
from dataclasses import dataclass

from PySide6.QtCore import QEventLoop, QPoint, Qt, QTimer
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QHeaderView,
    QLineEdit,
    QMenu,
    QMenuBar,
    QSpinBox,
    QToolBar,
    QToolButton,
    QWidget,
)

from rfstudio.core.network.architecture import Location
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import present

LEFT = Qt.MouseButton.LeftButton
NO_KEYS = Qt.KeyboardModifier.NoModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def turn(times: int = 3) -> None:
    """Let Qt deliver what it has posted."""
    for _ in range(times):
        loop = QEventLoop()
        QTimer.singleShot(0, loop.quit)
        loop.exec()


def plain(text: str) -> str:
    """Return a rich text, or the title of an entry of a menu, as it is read."""
    text = re.sub(r"<[^>]+>", "", text).replace("&nbsp;", " ").replace("&", "")
    return text.partition("\t")[0].removesuffix("…").removesuffix(" ▾")


def entry_of(menu: QMenu | QMenuBar, title: str) -> QAction:
    """Return the entry of a menu with a title."""
    found = [x for x in menu.actions() if plain(x.text()) == plain(title)]
    assert found, f"no {title!r} in {[plain(x.text()) for x in menu.actions()]}"
    (entry,) = found
    return entry


def press_in(menu: QMenu, *titles: str) -> None:
    """Choose an entry of an open menu, or of a menu in it, by the keyboard."""
    for inner, title in enumerate(titles, 1):
        assert menu.isVisible(), f"there is no open menu with {title!r}"
        entry = entry_of(menu, title)
        assert entry.isEnabled(), f"{title!r} cannot be chosen"
        for _ in menu.actions():
            if menu.activeAction() is entry:
                break
            QTest.keyClick(menu, Qt.Key.Key_Down)
        assert menu.activeAction() is entry, f"{title!r} is not reached"
        is_last = inner == len(titles)
        QTest.keyClick(menu, Qt.Key.Key_Return if is_last else Qt.Key.Key_Right)
        if not is_last:
            menu = QMenu.menuInAction(entry)


@dataclass
class Hands:
    """Hands at the mouse and the keyboard of a window."""

    window: MainWindow

    # --- menus and buttons ----------------------------------------------------------------------

    def menu(self, *titles: str) -> None:
        """Open a menu of the menu bar, and click an entry in it."""
        bar = self.window.menuBar()
        entry = entry_of(bar, titles[0])
        QTest.mouseClick(bar, LEFT, NO_KEYS, bar.actionGeometry(entry).center())
        menu = QMenu.menuInAction(entry)
        assert menu.isVisible(), f"{titles[0]!r} did not open"
        press_in(menu, *titles[1:])
        assert not menu.isVisible(), f"{titles[-1]!r} was not chosen"
        self.come_back()

    def preset(self, name: str) -> None:
        """Open a preset by the menu."""
        families = self.window.actions_.presets.actions()
        family = next(
            plain(x.text())
            for x in families
            if name in [y.text() for y in QMenu.menuInAction(x).actions()]
        )
        self.menu("File", "Preset", family, name)

    def menu_of(self, button: QToolButton, *titles: str) -> None:
        """Press a button with a menu, and click an entry in it."""
        failed: list[AssertionError] = []

        def choose() -> None:  # the press waits for the menu
            try:
                press_in(button.menu(), *titles)
            except AssertionError as error:
                failed.append(error)
                button.menu().close()

        QTimer.singleShot(0, choose)
        self.press(button)
        if failed:
            raise failed[0]
        self.come_back()

    def press(self, button: QWidget) -> None:
        """Click a button that is seen."""
        assert button.isVisible(), "it is not seen"
        assert button.isEnabled(), "it cannot be pressed"
        at = button.rect().center()
        if not isinstance(button, QToolButton):
            at.setX(min(at.x(), 12))  # the box and the words of a check box are at its left
        QTest.mouseClick(button, LEFT, NO_KEYS, at)
        turn()

    def tool(self, action: QAction) -> None:
        """Press a button of the toolbar."""
        bar = present(self.window.findChild(QToolBar))
        self.press(present(bar.widgetForAction(action)))

    def tab(self, title: str) -> None:
        """Click the title of a panel at the bottom."""
        bar = self.window.tabs.tabBar()
        at = next(i for i in range(bar.count()) if bar.tabText(i) == title)
        QTest.mouseClick(bar, LEFT, NO_KEYS, bar.tabRect(at).center())
        turn()
        assert bar.currentIndex() == at

    def close(self, dialog: QDialog) -> None:
        """End a dialog with Escape."""
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        self.come_back()

    def come_back(self) -> None:
        """Give the keyboard to the window again, as other platforms do once a dialog is closed."""
        turn()
        if QApplication.activeModalWidget() is None:
            self.window.activateWindow()
            turn()

    # --- keys -----------------------------------------------------------------------------------

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Press a key where the keyboard is."""
        QTest.keyClick(self.focus, key, modifiers)
        turn()

    @property
    def focus(self) -> QWidget:
        """Where the keyboard is."""
        return QApplication.focusWidget() or self.window

    def canvas_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Press a key on the canvas, where a press of Ctrl+3 leads."""
        QTest.keyClick(self.window, Qt.Key.Key_3, CONTROL)
        QTest.keyClick(self.window.canvas.view, key, modifiers)
        turn()

    def go(self, words: str) -> None:
        """Go to the first of what "Go to anything" finds."""
        QTest.keyClick(self.window, Qt.Key.Key_K, CONTROL)
        QTest.keyClicks(self.window.palette_.search, words)
        QTest.keyClick(self.window.palette_.search, Qt.Key.Key_Return)
        self.come_back()

    def write(self, line: QLineEdit | QSpinBox, text: str) -> None:
        """Replace what is in a field, and take it over."""
        line.setFocus()
        line.selectAll()
        if not text:
            QTest.keyClick(line, Qt.Key.Key_Delete)
        QTest.keyClicks(line, text)
        QTest.keyClick(line, Qt.Key.Key_Return)
        turn()

    def number(self, name: str, value: int) -> None:
        """Write a parameter of the chosen layer in the inspector."""
        editor = self.window.inspector.form.editors[name]
        box = editor if isinstance(editor, QSpinBox) else present(editor.findChild(QSpinBox))
        assert box.isVisible(), f"{name} is not seen"
        self.write(box, str(value))

    # --- choosing -------------------------------------------------------------------------------

    def row(self, place: Location | None, modifiers: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Click the row of an item in the tree; None: that of the input."""
        tree = self.window.stack.tree
        index = self.window.stack.model.index_of(place)
        tree.scrollTo(index)
        rect = tree.visualRect(index)
        assert rect.isValid(), f"{place} is not seen"
        QTest.mouseClick(
            tree.viewport(), LEFT, modifiers, QPoint(rect.left() + 20, rect.center().y())
        )
        turn()

    def tree_key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NO_KEYS) -> None:
        """Press a key in the tree, where a press of Ctrl+1 leads."""
        QTest.keyClick(self.window, Qt.Key.Key_1, CONTROL)
        QTest.keyClick(self.window.stack.tree, key, modifiers)
        turn()

    def layer(self, path: str) -> None:
        """Click the row of a layer in the table."""
        table = self.window.table
        self.tab("Table")
        index = table.model().index(table.layers.row_of(path), 0)
        table.scrollTo(index)
        QTest.mouseClick(table.viewport(), LEFT, NO_KEYS, table.visualRect(index).center())
        turn()
        assert self.window.studio.selection.layer == path

    def unit(self, *unit: int) -> None:
        """Click the centre of a unit on the picture."""
        canvas = self.window.canvas
        layer = present(canvas.sight).layer
        point = canvas.view.viewport_point(layer.plane.point_of(layer.grid.centre(unit)))
        QTest.mouseClick(canvas.view.viewport(), LEFT, NO_KEYS, point.toPoint())
        turn()
        assert self.window.studio.selection.unit == unit

    def sort(self, header: QHeaderView, column: int) -> None:
        """Click the title of a column."""
        at = QPoint(header.sectionViewportPosition(column) + 20, header.height() // 2)
        QTest.mouseClick(header.viewport(), LEFT, NO_KEYS, at)
        turn()

    # --- reading --------------------------------------------------------------------------------

    @property
    def caption(self) -> str:
        """The sentence above the picture."""
        return plain(self.window.canvas.caption.text())

    @property
    def effective_title(self) -> str:
        """The heading of the effective field in the inspector."""
        return self.window.inspector.effective._title.text()

    @property
    def status(self) -> str:
        """What the status bar says."""
        return self.window.status.toolTip() or self.window.status.currentMessage()

    @property
    def legend(self) -> list[str]:
        """The names in the legend of the chart of growth."""
        return [label.text for _, label in self.window.growth._legend.items]
