"""The command palette beside the menus that it lists."""

from __future__ import annotations

import gc

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from rfstudio.widgets.window.keys_dialog import KeysDialog
from rfstudio.widgets.window.main_window import MainWindow

_CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


def test_that_menus_survive_being_listed(window: MainWindow, qtbot: QtBot) -> None:
    """Fresh settings, Ctrl+Shift+P, Escape, File › Open recent: that was a crash."""
    palette = window.palette_
    for _ in range(2):
        qtbot.keyClick(window, Qt.Key.Key_P, _CTRL_SHIFT)
        assert palette.isVisible()
        assert palette.list.count() > 50
        qtbot.keyClick(palette.search, Qt.Key.Key_Escape)
        assert not palette.isVisible()
        window.actions_.keys.trigger()
        for dialog in window.findChildren(KeysDialog):
            dialog.close()
        gc.collect()
        file_menu = QMenu.menuInAction(window.menuBar().actions()[0])
        file_menu.popup(window.mapToGlobal(QPoint(0, 20)))
        recent = next(
            QMenu.menuInAction(x) for x in file_menu.actions() if x.text() == "Open recent"
        )
        recent.popup(window.mapToGlobal(QPoint(60, 40)))
        assert [x.text() for x in recent.actions()] == ["No files yet"]
        recent.close()
        file_menu.close()
