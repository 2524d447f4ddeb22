"""The keyboard alone: where it goes with Tab, what undoes what, and what is said of each place."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rfstudio.core.architecture import item_at
from rfstudio.widgets.main_window import MainWindow
from tests.widgets.test_main_window import choose, names, spin


@pytest.mark.parametrize("kind", range(4))
def test_that_undoing_a_wrap_leaves_the_wrapped_layer_chosen_in_every_view(
    window: MainWindow, qtbot: QtBot, kind: int
) -> None:
    choose(window, qtbot, (2,))
    window.stack.actions_.wraps[kind].trigger()
    window.actions_.undo.trigger()
    assert window.studio.selection.layer == "head"
    assert window.stack.tree.currentIndex().data() == "head"
    window.actions_.redo.trigger()
    assert window.stack.chosen() == [(2,)]


def test_that_an_edit_is_undone_where_the_keyboard_made_it(
    window: MainWindow, qtbot: QtBot
) -> None:
    control = Qt.KeyboardModifier.ControlModifier
    choose(window, qtbot, (0,))
    box = spin(window, "kernel_size")
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Up)
    assert item_at(window.studio.document.architecture, (0,)).op.kernel_size == 4
    qtbot.keyClick(box, Qt.Key.Key_Z, control)
    assert box.value() == 3
    assert box.hasFocus()
    qtbot.keyClick(box, Qt.Key.Key_Y, control)
    assert box.value() == 4
    qtbot.keyClicks(box, "5")  # typed, not taken over yet: the line undoes its own
    qtbot.keyClick(box, Qt.Key.Key_Z, control)
    assert item_at(window.studio.document.architecture, (0,)).op.kernel_size == 4

    line = window.inspector.form.editors["name"]
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, "first")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert names(window)[0] == "first"
    qtbot.keyClick(line, Qt.Key.Key_Z, control)
    assert names(window)[0] == "stem"
