"""A lesson in the window, from the menu to the check."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from rfstudio.widgets.window.main_window import MainWindow


def test_that_a_lesson_is_begun_from_the_menu_and_notices_the_change(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.actions_.lessons[0].trigger()
    panel = window.lesson
    assert window.tabs.currentWidget() is panel
    assert window.studio.selection.layer == "c3"
    assert "Done" not in panel.text.text()
    window.studio.selection.select_layer("c1")
    window.studio.edits.set_parameter((0,), "stride", 2)
    assert panel.is_done
    assert "equation 2" in panel.text.text()
    window.actions_.undo.trigger()
    panel.next.click()
    assert panel.text.text().startswith("<h3>2.")
    assert not panel.is_done
