"""All ten lessons through the real menu, fields and buttons, and what was open before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from rfstudio.api.lessons import LESSONS
from rfstudio.app.files.presets import read_preset
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.widgets.inspector.editors import typed_in
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import instance
from tests.widgets.conftest import SMALL, Answers

_CONTROL = Qt.KeyboardModifier.ControlModifier


class Hands:
    """Does by mouse and keys what a lesson asks for."""

    def __init__(self, window: MainWindow, qtbot: QtBot) -> None:
        self.window, self.qtbot = window, qtbot

    def begin(self, number: int) -> None:
        """Choose a lesson from the menu by its letters, as a user without a mouse would."""
        self.window.actions_.lessons[number].trigger()
        assert self.window.lesson.number == number + 1

    def choose(self, layer: str) -> None:
        """Click on a row of the tree."""
        tree = self.window.stack.tree
        model = tree.model()
        for row in _rows(tree):
            if model.data(row.siblingAtColumn(0), Qt.ItemDataRole.EditRole) == layer:
                tree.scrollTo(row)
                place = tree.visualRect(row).center()
                self.qtbot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=place)
                return
        raise AssertionError(layer)

    def set(self, field: str, number: int) -> None:
        """Type a number into a field of the inspector, and Enter."""
        editor = instance(QWidget, self.window.inspector.form.editors[field])
        spins = [x for x in typed_in(editor) if isinstance(x, QSpinBox)]
        # A form that was just built is shown a moment later.
        self.qtbot.waitUntil(lambda: any(x.isVisible() for x in spins))
        self.type(next(x for x in spins if x.isVisible()), number)

    def type(self, spin: QAbstractSpinBox, number: int) -> None:
        """Type a number into a field, and Enter."""
        spin.setFocus()
        spin.selectAll()
        self.qtbot.keyClicks(spin, str(number))
        self.qtbot.keyClick(spin, Qt.Key.Key_Return)

    def undo(self) -> None:
        """Press Ctrl+Z in the tree."""
        tree = self.window.stack.tree
        tree.setFocus()
        self.qtbot.keyClick(tree, Qt.Key.Key_Z, _CONTROL)

    def click(self, button: QWidget) -> None:
        """Click a button."""
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def _rows(tree) -> Iterator:
    index = tree.model().index(0, 0)
    while index.isValid():
        yield index
        index = tree.indexBelow(index)


def _first(hands: Hands) -> None:
    hands.choose("c1")
    hands.set("stride", 2)


def _second(hands: Hands) -> None:
    hands.choose("c2")
    hands.set("dilation", 4)
    assert not hands.window.lesson.is_done
    hands.set("padding", 4)


def _third(hands: Hands) -> None:
    hands.choose("c1")
    hands.set("dilation", 1)
    assert not hands.window.lesson.is_done
    hands.set("padding", 1)


def _fourth(hands: Hands) -> None:
    hands.choose("b")
    editor = hands.window.inspector.form.editors["padding"]
    (mode,) = editor.findChildren(QComboBox)
    hands.qtbot.waitUntil(mode.isVisible)
    mode.setFocus()
    hands.qtbot.keyClick(mode, Qt.Key.Key_Home)  # all sides
    mode.activated.emit(mode.currentIndex())
    assert not hands.window.lesson.is_done
    hands.set("padding", 1)


def _fifth(hands: Hands) -> None:
    view = hands.window.canvas.view
    corner = view.rect().center() - QPoint(view.height() // 2 - 40, view.height() // 2 - 40)
    hands.qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=corner)


def _sixth(hands: Hands) -> None:
    tree = hands.window.stack.tree
    hands.choose("c5")
    for _ in range(7):
        assert not hands.window.lesson.is_done
        hands.qtbot.keyClick(tree, Qt.Key.Key_D, _CONTROL)


def _seventh(hands: Hands) -> None:
    hands.choose("c6")  # 32 pixels
    assert not hands.window.lesson.is_done
    hands.choose("c8")  # large enough, but not the first
    assert not hands.window.lesson.is_done
    hands.choose("c7")


def _eighth(hands: Hands) -> None:
    hands.choose("p2")
    hands.set("stride", 1)
    for layer in ("c3", "c4"):
        assert not hands.window.lesson.is_done
        hands.choose(layer)
        hands.set("dilation", 2)
        hands.set("padding", 2)


def _ninth(hands: Hands) -> None:
    hands.choose("big")
    hands.set("kernel_size", 3)
    hands.set("padding", 1)
    hands.choose("big")
    for _ in range(2):
        assert not hands.window.lesson.is_done
        tree = hands.window.stack.tree
        hands.qtbot.keyClick(tree, Qt.Key.Key_D, _CONTROL)


def _tenth(hands: Hands) -> None:
    hands.choose("c2")
    stack = hands.window.stack
    hands.qtbot.keyClick(stack.tree, Qt.Key.Key_Insert)
    hands.qtbot.keyClicks(stack.picker.search, "squeeze")
    hands.qtbot.keyClick(stack.picker.search, Qt.Key.Key_Return)


WAYS = (
    _first,
    _second,
    _third,
    _fourth,
    _fifth,
    _sixth,
    _seventh,
    _eighth,
    _ninth,
    _tenth,
)


@pytest.mark.parametrize("number", range(len(LESSONS)))
def test_that_a_lesson_is_done_by_what_it_asks_for(
    window: MainWindow, qtbot: QtBot, number: int
) -> None:
    hands = Hands(window, qtbot)
    hands.begin(number)
    assert not window.lesson.is_done
    assert window.studio.selection.layer.startswith(LESSONS[number].layer)
    WAYS[number](hands)
    qtbot.waitUntil(lambda: window.lesson.is_done, timeout=5000)
    assert "✓ Done." in window.lesson.text.text()


@pytest.mark.parametrize(
    ("number", "layer", "field", "wrong"),
    [
        (0, "c1", "kernel_size", 7),
        (1, "c2", "kernel_size", 9),
        (2, "c1", "kernel_size", 5),
        (3, "a", "padding", 0),
        (7, "c3", "kernel_size", 5),
        (8, "big", "kernel_size", 3),
    ],
)
def test_that_another_change_is_not_accepted_and_can_be_undone(
    window: MainWindow, qtbot: QtBot, number: int, layer: str, field: str, wrong: int
) -> None:
    hands = Hands(window, qtbot)
    hands.begin(number)
    before = window.studio.document.architecture
    hands.choose(layer)
    hands.set(field, wrong)
    assert window.studio.document.architecture != before
    assert not window.lesson.is_done
    hands.undo()
    assert window.studio.document.architecture == before
    WAYS[number](hands)
    qtbot.waitUntil(lambda: window.lesson.is_done, timeout=5000)


def test_that_one_goes_on_and_back_by_buttons_without_a_question(
    window: MainWindow, qtbot: QtBot, answers: Answers
) -> None:
    hands, panel = Hands(window, qtbot), window.lesson
    window.tabs.setCurrentWidget(panel)
    assert not panel.leave.isEnabled()
    hands.click(panel.next)  # Begin
    for number in range(len(LESSONS)):
        assert panel.number == number + 1
        assert panel.back.isEnabled() == (number > 0)
        WAYS[number](hands)
        qtbot.waitUntil(lambda: panel.is_done, timeout=5000)
        hands.click(panel.next)
    assert panel.number == len(LESSONS)
    assert not panel.next.isEnabled()
    hands.click(panel.back)
    assert panel.number == len(LESSONS) - 1
    assert not panel.is_done
    hands.choose("big")
    hands.set("kernel_size", 3)
    hands.click(panel.again)
    assert panel.number == len(LESSONS) - 1
    assert window.studio.document.architecture == LESSONS[8].architecture()
    assert answers.asked == []  # the networks of lessons are for one use


def test_that_leaving_gives_back_what_was_open_with_file_and_unit(
    window: MainWindow, qtbot: QtBot, answers: Answers, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(write_yaml(SMALL), encoding="utf-8")
    window.files.open_path(path)
    window.studio.selection.select_layer("stem", (3, 4))
    hands = Hands(window, qtbot)
    hands.begin(0)
    assert window.studio.document.path is None
    _first(hands)
    window.lesson.leave.setFocus()
    qtbot.keyClick(window.lesson.leave, Qt.Key.Key_Space)
    assert window.studio.document.architecture.layers == SMALL.layers
    assert window.studio.document.path == path
    assert not window.studio.document.is_modified
    chosen = window.studio.selection.value
    assert (chosen.layer, chosen.unit) == ("stem", (3, 4))
    assert window.lesson.number == 0
    assert not window.lesson.leave.isEnabled()
    assert answers.asked == []
    hands.begin(4)  # and again
    assert window.lesson.number == 5


def test_that_unsaved_work_is_asked_about_once_and_comes_back(
    window: MainWindow, qtbot: QtBot, answers: Answers
) -> None:
    hands = Hands(window, qtbot)
    hands.choose("stem")
    hands.set("kernel_size", 5)
    mine = window.studio.document.architecture
    answers.save = "cancel"
    window.actions_.lessons[0].trigger()
    assert window.studio.document.architecture is mine
    assert window.lesson.number == 0
    answers.save = "discard"
    hands.begin(0)
    asked = len(answers.asked)
    _first(hands)
    hands.click(window.lesson.next)
    hands.click(window.lesson.leave)
    assert len(answers.asked) == asked == 2
    assert window.studio.document.architecture == mine
    assert window.studio.document.is_modified


def test_that_a_lesson_saved_to_a_file_is_work_of_the_readers_own(
    window: MainWindow, qtbot: QtBot, answers: Answers, tmp_path: Path
) -> None:
    hands = Hands(window, qtbot)
    hands.begin(0)
    answers.path = tmp_path / "lesson.yaml"
    window.actions_.save.trigger()
    _first(hands)
    answers.save = "cancel"
    hands.click(window.lesson.leave)
    assert answers.asked == ["lesson.yaml"]
    assert window.lesson.number == 1


def test_that_another_network_ends_the_lesson_and_does_no_step_of_it(
    window: MainWindow, qtbot: QtBot, answers: Answers
) -> None:
    hands = Hands(window, qtbot)
    hands.begin(5)  # until there are twelve convolutions
    window.files.open_network(read_preset("vgg16"))
    assert window.lesson.number == 0
    assert not window.lesson.is_done
    assert "ten lessons" in window.lesson.text.text()


def test_that_the_buttons_of_a_lesson_fit_a_small_window(
    open_window: Callable, qtbot: QtBot
) -> None:
    window = open_window(size=(1024, 700))
    window.begin_lesson(0)
    panel = window.lesson
    qtbot.waitUntil(lambda: panel.height() > 0)
    for button in (panel.leave, panel.back, panel.again, panel.next):
        assert button.isVisible()
        assert panel.rect().contains(button.geometry())
        assert button.width() >= button.sizeHint().width()


def test_that_what_others_write_into_the_file_during_a_lesson_is_not_written_over_unasked(
    window: MainWindow, qtbot: QtBot, answers: Answers, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(write_yaml(SMALL), encoding="utf-8")
    window.files.open_path(path)
    Hands(window, qtbot).begin(0)
    theirs = "# theirs\n" + write_yaml(SMALL)
    path.write_text(theirs, encoding="utf-8")
    window.lesson.leave.click()
    window.studio.edits.delete([(0,)])
    window.actions_.save.trigger()
    assert answers.asked == ["overwrite mine.yaml"]
    assert path.read_text(encoding="utf-8") == theirs
