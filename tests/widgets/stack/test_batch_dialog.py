"""All dilations of a selection are doubled in one step, which is seen before it is done."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialogButtonBox
from pytestqt.qtbot import QtBot

from rfstudio.widgets.stack.batch_dialog import BatchDialog
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import conv_at, present

_OK = QDialogButtonBox.StandardButton.Ok


def _open(window: MainWindow, qtbot: QtBot, *rows: int) -> BatchDialog | None:
    tree = window.stack.tree
    tree.setFocus()
    window.stack._select_rows([(x,) for x in rows])
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(tree, Qt.Key.Key_E, modifiers)
    return window.stack.findChild(BatchDialog)


def test_that_the_dilations_of_a_selection_are_doubled_in_one_step(
    window: MainWindow, qtbot: QtBot
) -> None:
    studio = window.studio
    before = studio.document.architecture
    dialog = present(_open(window, qtbot, 0, 1))
    assert dialog.name.currentText() == "dilation"
    assert dialog.preview.text() == "3 layers:\n'stem': 1 → 2\n'stage.a': 1 → 2\n'stage.b': 1 → 2"
    qtbot.mouseClick(dialog.buttons.button(_OK), Qt.MouseButton.LeftButton)
    after = studio.document.architecture
    found = [conv_at(after, x) for x in ((0,), (1, 0, 0, 0, 0), (1, 0, 0, 0, 1), (2,))]
    assert [x.dilation for x in found] == [2, 2, 2, 1]
    assert [x.padding for x in found] == [2, 2, 2, 1]
    assert studio.analysis.analysis["head"].output_size == (32, 32)
    assert window.actions_.undo.text() == "Undo Double dilation of 3 layers"
    window.actions_.undo.trigger()
    assert studio.document.architecture == before


def test_that_what_does_not_fit_is_said_before_it_is_done(window: MainWindow, qtbot: QtBot) -> None:
    dialog = present(_open(window, qtbot, 0, 2))
    for typed, said in (("1/2", "no whole number"), ("two", "no number"), ("0", "dilation")):
        dialog.by.selectAll()
        qtbot.keyClicks(dialog.by, typed)
        assert said in dialog.preview.text()
        assert not dialog.buttons.button(_OK).isEnabled()
    dialog.close()


def test_that_a_selection_without_numbers_opens_no_dialog(window: MainWindow, qtbot: QtBot) -> None:
    window.stack.add("relu")
    at = present(window.studio.selection.item)[0]
    assert _open(window, qtbot, at) is None
    assert "none of the chosen layers" in window.status.currentMessage()
