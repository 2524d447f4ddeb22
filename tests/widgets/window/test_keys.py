"""The dialog of keys lists all commands, takes other keys, and names who has them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from rfstudio.widgets.window.keys_dialog import KeysDialog
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import present


def _dialog(window: MainWindow, qtbot: QtBot) -> KeysDialog:
    qtbot.keyClick(window.canvas.view, Qt.Key.Key_F1)
    return present(window.findChild(KeysDialog))


def test_that_a_command_gets_a_key_that_works_and_is_shown_everywhere(
    open_window: Callable[..., MainWindow], qtbot: QtBot
) -> None:
    window = open_window()
    dialog = _dialog(window, qtbot)
    assert "" not in dialog.texts()["File"]
    dialog.choose("About RF Studio")  # one without a key
    qtbot.keyClick(dialog.tree, Qt.Key.Key_Return)
    QTest.keyClick(dialog.capture, Qt.Key.Key_F8, Qt.KeyboardModifier.ControlModifier)
    assert dialog.texts()["Help"]["Ctrl+F8"] == "About RF Studio"
    dialog.choose("Duplicate")
    QTest.keyClick(dialog.capture, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    dialog.close()
    before = window.studio.document.architecture.layers
    window.stack.tree.setFocus()
    qtbot.keyClick(window.stack.tree, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert len(window.studio.document.architecture.layers) == len(before) + 1
    window.palette_.pop_up()
    qtbot.keyClicks(window.palette_.search, "duplicate")
    assert "Ctrl+J" in present(window.palette_.list.item(1)).text()  # below its undo
    window.palette_.hide()
    again = open_window()
    assert again.stack.actions_.duplicate.shortcut().toString() == "Ctrl+J"
    assert again.actions_.about.shortcut().toString() == "Ctrl+F8"


def test_that_a_key_with_an_owner_names_it_and_is_taken_only_with_a_click(
    window: MainWindow, qtbot: QtBot
) -> None:
    dialog = _dialog(window, qtbot)
    dialog.choose("Advise")
    QTest.keyClick(dialog.capture, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert dialog.message.text() == "Ctrl+K is the key of “Go to anything” (Help)."
    assert window.actions_.anything.shortcut().toString() == "Ctrl+K"
    qtbot.mouseClick(dialog.take, Qt.MouseButton.LeftButton)
    assert window.actions_.advise.shortcut().toString() == "Ctrl+K"
    assert window.actions_.anything.shortcut().isEmpty()
    assert window.actions_.advise.toolTip().endswith("(Ctrl+K)")
    qtbot.mouseClick(dialog.all_usual, Qt.MouseButton.LeftButton)
    assert window.actions_.anything.shortcut().toString() == "Ctrl+K"
    assert window.actions_.advise.shortcut().toString() == "Ctrl+Shift+A"
    dialog.close()


def test_that_keys_of_panels_stay_and_letters_are_for_panels(
    window: MainWindow, qtbot: QtBot
) -> None:
    dialog = _dialog(window, qtbot)
    dialog.choose("Show everything: the image and the field")
    assert not dialog.capture.isEnabled()
    assert "stay as they are" in dialog.message.text()
    dialog.choose("Save")
    QTest.keyClick(dialog.capture, Qt.Key.Key_X)
    assert "with Ctrl or Alt" in dialog.message.text()
    assert not dialog.take.isVisible()
    dialog.choose("Show or hide: Theoretical")
    QTest.keyClick(dialog.capture, Qt.Key.Key_T)
    dialog.close()
    switch = window.canvas.switches.actions_by_key["theoretical"]
    is_on = switch.isChecked()
    window.canvas.view.setFocus()
    qtbot.keyClick(window.canvas.view, Qt.Key.Key_T)
    assert switch.isChecked() != is_on


def test_that_the_list_is_filtered_by_names_and_keys(window: MainWindow, qtbot: QtBot) -> None:
    dialog = _dialog(window, qtbot)
    qtbot.keyClicks(dialog.filter_line, "pin view")
    shown = [
        group.child(i).text(1)
        for group in (dialog.tree.topLevelItem(i) for i in range(dialog.tree.topLevelItemCount()))
        if group is not None and not group.isHidden()
        for i in range(group.childCount())
        if not group.child(i).isHidden()
    ]
    assert "Pin this unit" in shown
    assert "Save" not in shown
    dialog.close()


def test_that_menus_of_menus_come_after_what_is_nearer(window: MainWindow, qtbot: QtBot) -> None:
    dialog = _dialog(window, qtbot)
    places = list(dialog.texts())
    assert places[:3] == ["File", "Edit", "Measure"]
    nested = [" › " in x for x in places if x.split(" › ")[0] in {"File", "Edit", "View", "Help"}]
    assert any(nested)
    assert nested == sorted(nested)
    dialog.close()
