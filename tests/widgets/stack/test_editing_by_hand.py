"""The editor as a user has it: names, several layers, containers, the filter, what breaks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox
from pytestqt.qtbot import QtBot

from rfstudio.app.files.presets import read_preset
from rfstudio.core.network.architecture import Location
from rfstudio.widgets.stack.batch_dialog import BatchDialog
from rfstudio.widgets.window.history_dialog import HistoryDialog
from tests.narrowing import conv_at, present
from tests.widgets.conftest import SMALL
from tests.widgets.hands import CONTROL, LEFT, NO_KEYS, SHIFT, Hands, turn
from tests.widgets.stack.test_dragging import BEFORE, BLOCKS, in_words


@pytest.fixture
def hands(open_window: Callable) -> Hands:
    return Hands(open_window(BLOCKS))


def network(hands: Hands) -> str:
    return in_words(hands.window.studio.document.architecture.layers)


# What people call an operation, and what it is here.
NAMES = {
    "dilated": "conv",
    "atrous": "conv",
    "depthwise": "conv",
    "1x1": "conv",
    "separable": "conv",
    "Conv2d": "conv",
    "maxpool": "max_pool",
    "MaxPool3d": "max_pool",
    "batchnorm": "batch_norm",
    "BatchNorm2d": "batch_norm",
    "ln": "layer_norm",
    "deconv": "conv_transpose",
    "upconv": "conv_transpose",
    "ConvTranspose2d": "conv_transpose",
    "dense": "linear",
    "skip": "add",
    "resblock": "residual",
    "pixelshuffle": "pixel_shuffle",
}


def test_that_what_is_typed_by_another_name_is_added_with_enter(hands: Hands) -> None:
    document, picker = hands.window.studio.document, hands.window.stack.picker
    for words, keyword in list(NAMES.items()):
        hands.row((0,))
        hands.tree_key(Qt.Key.Key_Insert)
        assert picker.isVisible()
        QTest.keyClicks(picker.search, words)
        QTest.keyClick(picker.search, Qt.Key.Key_Return)
        assert document.undo_stack.undoText() == f"Add {keyword}", words
        hands.tree_key(Qt.Key.Key_Z, CONTROL)
    hands.tree_key(Qt.Key.Key_Insert)
    QTest.keyClicks(picker.search, "no such thing")
    assert picker.empty.isVisible()
    assert "no such thing" in picker.empty.text()
    QTest.keyClick(picker.search, Qt.Key.Key_Return)
    QTest.keyClick(picker.search, Qt.Key.Key_Escape)
    assert not picker.isVisible()
    assert network(hands) == BEFORE


INSIDE: tuple[Location, ...] = ((1, 0, 1), (2, 0, 0), (3, 0, 0), (3, 1, 0), (4, 0, 0), (4, 1, 0))
"""A layer in each kind of container, in a shortcut and in both branches."""


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_that_layers_are_wrapped_and_unwrapped_by_menu_in_every_container(
    hands: Hands, every: int
) -> None:
    titles = [x.text() for x in hands.window.stack.actions_.wraps]
    assert len(titles) == 4
    for place, title in list(product(INSIDE, titles))[::every]:
        hands.row(place)
        hands.menu("Edit", title)
        assert network(hands) != BEFORE
        hands.menu("Edit", "Unwrap")
        assert network(hands) == BEFORE, (place, title)


def test_that_several_layers_are_chosen_with_shift_and_control(hands: Hands) -> None:
    hands.row((1, 0, 0))
    hands.row((1, 0, 1), SHIFT)
    hands.menu("Edit", "Wrap in residual")
    assert "seq((s1 s2 / ))" in network(hands)
    hands.tree_key(Qt.Key.Key_Z, CONTROL)
    hands.row((1, 0, 0))
    hands.row((3, 0, 1), CONTROL)
    hands.menu("Edit", "Wrap in residual")
    assert network(hands) == BEFORE
    assert "not in different containers" in hands.status
    hands.row((1,))
    hands.row((1, 0, 1), CONTROL)  # a layer of the container beside it
    hands.tree_key(Qt.Key.Key_Delete)
    assert network(hands) == BEFORE.replace("seq(s1 s2) ", "")
    hands.tree_key(Qt.Key.Key_Z, CONTROL)
    assert network(hands) == BEFORE


def test_that_control_a_chooses_what_the_filter_has_found_and_nothing_around_it(
    hands: Hands,
) -> None:
    window = hands.window
    hands.key(Qt.Key.Key_2, CONTROL)
    QTest.keyClicks(window.stack.filter_line, "m1")
    hands.tree_key(Qt.Key.Key_A, CONTROL)
    assert window.stack.chosen() == [(3, 0, 0)]
    hands.tree_key(Qt.Key.Key_Delete)
    assert network(hands) == BEFORE.replace("m1 ", "")  # m2 beside it is hidden, and stays
    hands.tree_key(Qt.Key.Key_Z, CONTROL)
    hands.write(window.stack.filter_line, "")
    hands.tree_key(Qt.Key.Key_A, CONTROL)
    assert len(window.stack.chosen()) == 6 + 8


def test_that_a_container_that_is_found_itself_is_chosen_with_all_in_it(hands: Hands) -> None:
    hands.key(Qt.Key.Key_2, CONTROL)
    QTest.keyClicks(hands.window.stack.filter_line, "seq")
    hands.tree_key(Qt.Key.Key_A, CONTROL)
    assert hands.window.stack.chosen() == [(1,), (1, 0, 0), (1, 0, 1)]


def test_that_all_dilations_that_the_filter_shows_are_doubled(
    open_window: Callable, qtbot: QtBot
) -> None:
    hands = Hands(open_window(read_preset("deeplab_v3_resnet50")))
    document = hands.window.studio.document
    before = document.architecture
    hands.key(Qt.Key.Key_2, CONTROL)
    QTest.keyClicks(hands.window.stack.filter_line, "conv2")
    hands.tree_key(Qt.Key.Key_A, CONTROL)
    places = hands.window.stack.chosen()
    assert len(places) > 6
    hands.menu("Edit", "Change chosen layers")
    dialog = present(hands.window.stack.findChild(BatchDialog))
    button = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    hands.press(button)
    hands.come_back()
    for place in places:
        now, was = conv_at(document.architecture, place), conv_at(before, place)
        assert now.dilation == 2 * was.dilation
        assert (now.kernel_size, now.stride) == (was.kernel_size, was.stride)
    assert hands.window.actions_.undo.text() == f"Undo Double dilation of {len(places)} layers"
    hands.tree_key(Qt.Key.Key_Z, CONTROL)
    assert document.architecture == before


@pytest.fixture
def small(open_window: Callable) -> Hands:
    return Hands(open_window(SMALL))


def test_that_an_edit_that_breaks_the_network_greys_the_picture_and_marks_the_place(
    small: Hands,
) -> None:
    window, canvas = small.window, small.window.canvas
    small.layer("head")
    good = canvas.view.item.scene_shown
    small.row((0,))
    small.layer("head")
    small.row((1, 0, 0, 0, 0))
    small.number("groups", 2)  # 3 channels are not in 2 groups
    assert canvas.view.item.scene_shown.is_stale
    assert "The last edit broke the network" in small.caption
    assert canvas.empty.isVisible()
    assert "stage.0.a" in canvas.empty.text()
    assert window.stack.model.severity((1, 0, 0, 0, 0)) == "error"
    small.press(window.status.remarks)
    assert window.problems.isVisible()
    listed = [window.problems.list.item(i).text() for i in range(window.problems.list.count())]
    assert any(x.startswith("stage.0.a") for x in listed)
    small.key(Qt.Key.Key_Z, CONTROL)
    small.layer("head")
    shown = canvas.view.item.scene_shown
    assert not shown.is_stale
    assert shown.theoretical == good.theoretical


@pytest.mark.parametrize("key", [Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_4])
def test_that_no_mode_answers_for_a_network_that_is_broken(small: Hands, key: Qt.Key) -> None:
    canvas = small.window.canvas
    small.layer("head")
    small.canvas_key(key)
    small.row((1, 0, 0, 0, 0))
    small.number("groups", 2)
    for _ in range(2):
        assert canvas.view.item.scene_shown.is_stale
        assert "The last edit broke the network" in small.caption
        assert "stage.0.a" in canvas.empty.text()
        assert not canvas.inset.isVisible()
        # Nor once it is asked for another place.
        QTest.mouseMove(canvas.view.viewport(), canvas.view.viewport().rect().center())
        small.canvas_key(Qt.Key.Key_Right)
    small.canvas_key(Qt.Key.Key_Z, CONTROL)
    assert not canvas.view.item.scene_shown.is_stale
    assert "broke" not in small.caption
    assert not canvas.empty.isVisible()


def test_that_a_click_in_the_history_leads_back_while_a_layer_inside_is_chosen(
    small: Hands, qtbot: QtBot
) -> None:
    window = small.window
    before = window.studio.document.architecture
    small.row((1, 0, 0, 0, 0))
    small.number("kernel_size", 5)
    small.menu("Edit", "Wrap in repeat")
    small.tree_key(Qt.Key.Key_Delete)
    small.menu("Edit", "History")
    dialog = present(window.findChild(HistoryDialog))
    assert len(dialog.texts()) == 4
    for row, is_before in ((0, True), (3, False), (1, False), (0, True)):
        index = dialog.view.model().index(row, 0)
        qtbot.mouseClick(dialog.view.viewport(), LEFT, pos=dialog.view.visualRect(index).center())
        assert (window.studio.document.architecture == before) is is_before
        assert window.studio.selection.layer in window.studio.analysis.analysis
    small.close(dialog)


def test_that_a_layer_is_chosen_by_the_path_that_is_typed_in_the_filter(
    open_window: Callable,
) -> None:
    hands = Hands(open_window(read_preset("resnet152")))
    panel, selection = hands.window.stack, hands.window.studio.selection
    for words in ("layer3.rest.20.conv2", "20.conv2", "REST.20.CONV2"):
        hands.write(panel.filter_line, "")
        hands.row((0,))
        hands.key(Qt.Key.Key_2, CONTROL)
        hands.write(panel.filter_line, words)  # and Return
        assert selection.layer == "layer3.rest.20.conv2", words
        assert not panel._empty.isVisible()
    hands.write(panel.filter_line, "")
    at = panel.tree.visualRect(panel.tree.currentIndex())
    assert panel.tree.viewport().rect().contains(at.center())
    hands.write(panel.filter_line, "layer3.rest.99")
    assert "No layer matches" in panel._empty.text()


def click_below(hands: Hands) -> None:
    """Click where no row is, which chooses none."""
    view = hands.window.stack.tree.viewport()
    QTest.mouseClick(view, LEFT, NO_KEYS, QPoint(40, view.height() - 4))
    turn()


@pytest.mark.parametrize(
    "title", ["Delete", "Cut", "Copy", "Duplicate", "Move up", "Wrap in residual"]
)
def test_that_with_no_layer_chosen_nothing_is_done_and_the_clipboard_stays(
    hands: Hands, title: str
) -> None:
    clipboard = QGuiApplication.clipboard()
    for choose in (click_below, lambda x: x.row(None)):
        hands.row((0,))
        clipboard.setText("of somebody else")
        choose(hands)
        assert hands.window.stack.chosen() == []
        hands.menu("Edit", title)
        assert network(hands) == BEFORE
        assert clipboard.text() == "of somebody else"
        assert hands.status in ("no layer is chosen", "the network's input cannot be deleted")


def test_that_the_input_is_neither_unwrapped_nor_gets_a_branch(hands: Hands) -> None:
    for title in ("Unwrap", "Add branch"):
        hands.row(None)
        hands.menu("Edit", title)
        assert hands.status == "no layer is chosen"
        hands.row((0,))
