"""The map of the layer in a corner of the canvas, in which units are chosen by mouse and keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from rfstudio.core.editing.edits import set_parameter
from tests.widgets.canvas.test_modes import CHAIN, LEFT, SHIFT, choose

VOLUME = "  - conv: {name: a, kernel_size: 3, stride: 2, padding: 1, out_channels: 4}\n"


def over(bench, *unit: int) -> QPoint:
    """The point of the map over a unit."""
    return bench.canvas.inset.point_of(unit).toPoint()


def test_that_a_click_and_a_drag_in_the_map_choose_the_unit_there(qtbot: QtBot, bench) -> None:
    made = bench(CHAIN)  # 16×16 units
    inset = made.canvas.inset
    assert inset.isVisible()
    assert inset.accessibleName() == "Map of the layer"
    assert "arrow keys" in inset.toolTip()
    qtbot.mouseClick(inset, LEFT, pos=over(made, 3, 12))
    assert made.selection.unit == (3, 12)
    assert inset.accessibleDescription() == "c, 16×16: unit 3, 12 is chosen"
    # By hand: unit u sees [4u − 7, 4u + 7], so 5 … 19 × 41 … 55.
    region = made.scene.theoretical
    assert (region.top(), region.left(), region.bottom()) == (4.5, 40.5, 19.5)
    qtbot.mousePress(inset, LEFT, pos=over(made, 4, 4))
    qtbot.mouseMove(inset, over(made, 9, 5))
    assert made.hovered[-1] == "unit (9, 5) of c"
    assert made.selection.unit == (9, 5)
    qtbot.mouseMove(inset, QPoint(-500, 4000))  # beyond the map: the nearest unit
    assert made.selection.unit == (15, 0)
    qtbot.mouseRelease(inset, LEFT, pos=QPoint(-500, 4000))
    qtbot.mouseMove(inset, over(made, 2, 2))  # only hovers
    assert made.selection.unit == (15, 0)


def test_that_keys_move_the_unit_in_the_map_and_others_are_the_canvas_s(
    qtbot: QtBot, bench
) -> None:
    made = bench(CHAIN)
    inset = made.canvas.inset
    qtbot.mouseClick(inset, LEFT, pos=over(made, 4, 4))
    assert inset.hasFocus()
    qtbot.keyClick(inset, Qt.Key.Key_Right)
    qtbot.keyClick(inset, Qt.Key.Key_Up)
    qtbot.keyClick(inset, Qt.Key.Key_Down, SHIFT)
    assert made.selection.unit == (13, 5)
    qtbot.keyClick(inset, Qt.Key.Key_Home)
    assert made.selection.unit == (13, 0)
    qtbot.keyClick(inset, Qt.Key.Key_F)
    assert made.canvas.view.is_on_field
    before = made.canvas.view.box.viewRect().left()
    qtbot.mousePress(inset, Qt.MouseButton.MiddleButton, pos=QPoint(60, 60))
    qtbot.mouseMove(inset, QPoint(20, 60))
    qtbot.mouseRelease(inset, Qt.MouseButton.MiddleButton, pos=QPoint(20, 60))
    assert made.canvas.view.box.viewRect().left() > before
    assert made.selection.unit == (13, 0)
    before = made.canvas.view.pixels_per_pixel()
    at = inset.mapTo(made.canvas, QPoint(60, 60)).toPointF()
    QTest.wheelEvent(made.canvas.windowHandle(), at, QPoint(0, 120))
    assert made.canvas.view.pixels_per_pixel() > before


@pytest.mark.slow
def test_that_the_map_is_hidden_by_a_key_and_that_is_remembered(qtbot: QtBot, bench) -> None:
    made = bench(CHAIN)
    inset = made.canvas.inset
    inset.setFocus()
    qtbot.keyClick(inset, Qt.Key.Key_M)
    assert not inset.isVisible()
    assert made.canvas.view.hasFocus()
    again = made.another_canvas()
    qtbot.addWidget(again)
    assert not again.show_map.isChecked()
    qtbot.keyClick(made.canvas.view, Qt.Key.Key_M)
    assert inset.isVisible()
    made.canvas.resize(200, 260)  # no room for it beside the picture
    assert not inset.isVisible()
    made.canvas.resize(700, 760)
    assert inset.isVisible()


@pytest.mark.slow
def test_that_the_map_of_a_signal_is_a_strip_and_of_a_volume_a_slice(qtbot: QtBot, bench) -> None:
    made = bench(VOLUME, size="[64]")
    qtbot.mouseClick(made.canvas.inset, LEFT, pos=over(made, 7))
    assert made.selection.unit == (7,)
    qtbot.keyClick(made.canvas.inset, Qt.Key.Key_Right)
    assert made.selection.unit == (8,)
    made = bench(VOLUME, size="[16, 32, 32]")
    assert made.selection.unit == (4, 8, 8)
    qtbot.mouseClick(made.canvas.inset, LEFT, pos=over(made, 4, 2, 13))
    assert made.selection.unit == (4, 2, 13)
    qtbot.keyClick(made.canvas.inset, Qt.Key.Key_PageDown)
    assert made.selection.unit == (5, 2, 13)


def test_that_a_map_of_one_unit_and_that_of_a_broken_network_are_not_shown(bench) -> None:
    made = bench("  - conv: {name: a, kernel_size: 64, out_channels: 4}\n")
    assert not made.canvas.inset.isVisible()
    made = bench(CHAIN)
    made.document.edit("wide", set_parameter(made.document.architecture, (1,), "kernel_size", 65))
    assert not made.canvas.inset.isVisible()
    made.document.undo_stack.undo()
    assert made.canvas.inset.isVisible()


def test_that_a_key_shows_no_map_beside_the_greyed_picture_of_before(qtbot: QtBot, bench) -> None:
    made = bench(CHAIN)
    # Each layer has a field, and its map has units: only channels do not fit.
    made.document.edit("Break", set_parameter(made.document.architecture, (1,), "groups", 3))
    assert made.scene.is_stale
    for is_on in (False, True):
        qtbot.keyClick(made.canvas.view, Qt.Key.Key_M)
        assert made.canvas.show_map.isChecked() is is_on
        assert not made.canvas.inset.isVisible()
        made.canvas.resize(690, 700 + 30 * is_on)
        assert not made.canvas.inset.isVisible()
    made.document.undo_stack.undo()
    assert made.canvas.inset.isVisible()


@pytest.mark.slow
def test_that_a_drag_in_the_map_spans_a_block_of_units(qtbot: QtBot, bench) -> None:
    made = bench(CHAIN)
    choose(qtbot, made, "3")
    inset = made.canvas.inset
    qtbot.mousePress(inset, LEFT, pos=over(made, 4, 4))
    qtbot.mouseMove(inset, over(made, 6, 8))
    qtbot.mouseRelease(inset, LEFT, pos=over(made, 6, 8))
    assert made.canvas.modes["block"].ends == ((4, 4), (6, 8))
    assert inset.inset.mask[4:7, 4:9].all()
    assert inset.inset.mask.sum() == 15
    qtbot.keyClick(inset, Qt.Key.Key_Down)
    assert made.selection.unit == (5, 4)


@pytest.mark.parametrize("key", ["1", "2"])
def test_that_the_chosen_unit_is_drawn_in_the_map_in_its_place(qtbot: QtBot, bench, key) -> None:
    made = bench(CHAIN)
    choose(qtbot, made, key)
    inset = made.canvas.inset
    qtbot.mouseClick(inset, LEFT, pos=over(made, 2, 13))
    assert made.selection.unit == (2, 13)
    picture = inset.grab().toImage()
    text = inset.palette().text().color()
    assert picture.pixelColor(over(made, 2, 13)) == text
    assert picture.pixelColor(over(made, 10, 3)) != text


def test_that_what_is_fitted_is_beside_the_map_and_as_large(qtbot: QtBot, bench) -> None:
    made = bench(CHAIN)
    view, inset = made.canvas.view, made.canvas.inset

    def right_end() -> float:
        image = made.scene.area
        return view.viewport_point(QPointF(image.right(), image.top())).x()

    for width, is_free in ((460, True), (340, False)):
        made.canvas.resize(width, 400)
        assert inset.isVisible()
        beside, scale = right_end(), view.pixels_per_pixel()
        assert (beside < inset.x()) == is_free
        qtbot.keyClick(view, Qt.Key.Key_M)
        assert beside < right_end()
        assert view.pixels_per_pixel() == pytest.approx(scale)
        qtbot.keyClick(view, Qt.Key.Key_M)
        assert right_end() == pytest.approx(beside)
    qtbot.keyClick(view, Qt.Key.Key_Plus)  # what the user has zoomed stays
    at = right_end()
    qtbot.keyClick(view, Qt.Key.Key_M)
    assert right_end() == pytest.approx(at)


def test_that_a_long_name_in_the_title_of_the_map_is_cut_once(bench) -> None:
    name = "a_very_long_name_of_a_layer_conv2"
    made = bench(CHAIN.replace("name: c", f"name: {name}"))
    made.selection.select_layer(name)
    inset, titles = made.canvas.inset, []
    for size in (4, 8, 12, 16, 20):
        font = inset.font()
        font.setPointSize(size)
        inset.setFont(font)
        titles.append(inset._title())
    assert [x.count("…") for x in titles] == [1] * len(titles)  # of a name of 33 letters
    assert sorted(titles, key=len, reverse=True) == titles
    assert all(x.endswith(", 16×16") for x in titles)
