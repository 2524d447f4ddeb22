"""A lesson in the window, from the menu to the check."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.api.lessons import LESSONS
from rfstudio.widgets.canvas.switches import SWITCHES
from rfstudio.widgets.help.help_window import HelpWindow
from rfstudio.widgets.parts.theme import Scheme, apply_scheme
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import instance


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


def test_that_the_words_of_a_lesson_lead_to_the_glossary(window: MainWindow, qtbot: QtBot) -> None:
    window.actions_.lessons[3].trigger()
    text = window.lesson.text
    assert '<a href="Aligned">centre offset</a>' in text.text()
    text.setFocus()
    qtbot.keyClick(text, Qt.Key.Key_Tab)
    qtbot.keyClick(text, Qt.Key.Key_Return)
    shown = instance(HelpWindow, window.findChild(HelpWindow))
    assert shown.page.textCursor().block().text().startswith("Aligned:")
    shown.close()


def test_that_keys_of_switches_in_lessons_are_theirs() -> None:
    keys = {x.label: x.shortcut for x in SWITCHES}
    texts = " ".join(f"{x.look} {x.change} {x.why}" for x in LESSONS)
    named = re.findall(r"switch (\w+), (\w)", texts)
    assert named
    assert [x for x in named if keys.get(x[0]) != x[1]] == []


def test_that_what_a_lesson_says_works_with_keys(window: MainWindow, qtbot: QtBot) -> None:
    lesson, stack = window.lesson, window.stack
    window.actions_.lessons[4].trigger()  # Click near a corner, or press Ctrl+Home
    qtbot.keyClick(window.canvas.view, Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
    assert lesson.is_done
    window.actions_.lessons[5].trigger()  # Duplicate layers (Ctrl+D)
    stack.tree.setFocus()
    for _ in range(7):
        assert not lesson.is_done
        qtbot.keyClick(stack.tree, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: lesson.is_done)
    window.actions_.lessons[9].trigger()  # press Insert, and add “squeeze”
    stack.tree.setFocus()
    qtbot.keyClick(stack.tree, Qt.Key.Key_Insert)
    qtbot.keyClicks(stack.picker.search, "squeeze")
    qtbot.keyClick(stack.picker.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: lesson.is_done)


@pytest.mark.parametrize("number", range(len(LESSONS)))
def test_that_a_network_without_layers_is_no_step_of_a_lesson(
    window: MainWindow, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    window.begin_lesson(number)
    empty = replace(window.studio.document.architecture, layers=())
    window.studio.document.edit("Delete all", empty)
    assert not window.lesson.is_done
    assert not caplog.records


@pytest.mark.parametrize("schemes", [("light", "dark"), ("dark", "light")])
def test_that_links_are_seen_in_another_scheme(
    window: MainWindow, qapp: QApplication, schemes: tuple[Scheme, Scheme]
) -> None:
    text = window.lesson.text
    try:
        apply_scheme(qapp, schemes[0])
        window.begin_lesson(1)  # which names dilation
        apply_scheme(qapp, schemes[1])
        picture, link = text.grab().toImage(), qapp.palette().link().color()
        places = [(x, y) for x in range(300) for y in range(picture.height())]
        assert any(picture.pixelColor(*place) == link for place in places)
    finally:
        apply_scheme(qapp, "light")
