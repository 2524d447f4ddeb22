"""The canvas with a user's mouse and keys; positions are those of the analysis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from tests.narrowing import present

LEFT = Qt.MouseButton.LeftButton
MIDDLE = Qt.MouseButton.MiddleButton

# Field 11, jump 4, unit u sees [4u − 5, 4u + 5] of 64 pixels, 16 units: r = 1 + 2·1 + 2·2 + 1·4.
CHAIN = """\
  - conv: {name: a, kernel_size: 3, stride: 2, padding: 1, out_channels: 4}
  - conv: {name: b, kernel_size: 3, stride: 2, padding: 1, out_channels: 4}
  - conv: {name: c, kernel_size: 2, padding: 0, out_channels: 4}
"""


def wheel(bench, at: QPoint, notches: int) -> None:
    event = QWheelEvent(
        QPointF(at),
        QPointF(bench.viewport.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(bench.viewport, event)


def red_extent(bench) -> tuple[float, float, float, float]:
    """Top, bottom, left and right of what is drawn red, on the screen."""
    picture = bench.pixels()
    is_red = (abs(picture - (214, 39, 40)) < 6).all(axis=2)
    rows, columns = np.flatnonzero(is_red.sum(axis=1) > 20), np.flatnonzero(is_red.sum(axis=0) > 20)
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def green_extent(bench) -> tuple[float, float, float, float]:
    picture = bench.pixels()
    is_green = (abs(picture - (0, 160, 0)) < 6).all(axis=2)
    rows, columns = np.flatnonzero(is_green.any(axis=1)), np.flatnonzero(is_green.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


# --- positions -----------------------------------------------------------------------------------


def test_that_the_red_frame_lies_where_the_analysis_says_to_the_pixel_of_the_screen(bench) -> None:
    made = bench(CHAIN)
    made.switch("dim", "erf", "visible", on=False)
    made.selection.select_layer("c", (7, 3))
    view = made.session.analysis.unit("c", (7, 3))
    (top, bottom), (left, right) = view.theoretical_region
    # The image is drawn in green: its borders on the screen give the scale without the canvas.
    made.switch("theoretical", on=False)
    image_top, image_bottom, image_left, image_right = green_extent(made)
    made.switch("theoretical")
    scale = (image_bottom - image_top) / 64
    assert (image_right - image_left) / 64 == pytest.approx(scale, abs=0.05)
    found = red_extent(made)
    # Pixel i covers i − ½ to i + ½; the line is 3 points wide.
    wanted = (
        image_top + top * scale - 1.5,
        image_top + (bottom + 1) * scale + 1.5,
        image_left + left * scale - 1.5,
        image_left + (right + 1) * scale + 1.5,
    )
    assert found == pytest.approx(wanted, abs=1.6)


def test_that_the_frames_are_those_of_the_analysis_also_where_they_leave_the_image(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("b", (0, 15))
    view = made.session.analysis.unit("b", (0, 15))
    assert view.theoretical_region == ((-3, 3), (57, 63))
    assert view.visible_region == ((0, 3), (57, 63))
    frame, visible = made.scene.theoretical, made.scene.visible
    assert (frame.top(), frame.bottom()) == (-3.5, 3.5)
    assert (frame.left(), frame.right()) == (56.5, 63.5)
    assert (visible.top(), visible.bottom()) == (-0.5, 3.5)


def test_that_all_of_the_region_is_in_view_after_fit(bench, qtbot: QtBot) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (0, 0))
    qtbot.keyClick(made.canvas.view, Qt.Key.Key_0)
    shown = made.canvas.view.box.viewRect()
    assert shown.contains(made.scene.theoretical)
    assert shown.contains(made.scene.area)


# --- choosing a unit -----------------------------------------------------------------------------


def test_that_a_click_chooses_the_unit_with_the_nearest_centre(bench, qtbot: QtBot) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c")
    # Of layer c, unit u has its centre at 4u + 2 (kernel 2 behind jump 4).
    assert made.session.analysis["c"].center == (2.0, 2.0)
    qtbot.mouseClick(made.viewport, LEFT, pos=made.at(27, 40.5))
    assert made.selection.unit == (6, 10)


@pytest.mark.parametrize(
    ("point", "unit"), [((-4, -4), (0, 0)), ((-2, 66), (0, 14)), ((67, 30), (14, 7))]
)
def test_that_a_click_outside_the_image_chooses_the_nearest_border_unit(
    bench, qtbot: QtBot, point: tuple[int, int], unit: tuple[int, int]
) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (5, 5))
    made.canvas.zoom(0.8)
    qtbot.mouseClick(made.viewport, LEFT, pos=made.at(*point))
    assert made.selection.unit == unit


def test_that_dragging_moves_the_unit_live_and_not_the_view(bench, qtbot: QtBot) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c")
    seen: list[tuple[int, ...]] = []
    made.selection.selection_changed.connect(lambda x: seen.append(x.unit))
    before = made.canvas.view.box.viewRect()
    points = [made.at(10, x) for x in (10, 14, 18, 22)]
    qtbot.mousePress(made.viewport, LEFT, pos=points[0])
    for point in points[1:]:
        qtbot.mouseMove(made.viewport, point)
    qtbot.mouseRelease(made.viewport, LEFT, pos=points[-1])
    assert seen == [(2, 2), (2, 3), (2, 4), (2, 5)]
    assert made.canvas.view.box.viewRect() == before


@pytest.mark.parametrize(
    ("key", "modifier", "unit"),
    [
        (Qt.Key.Key_Left, Qt.KeyboardModifier.NoModifier, (7, 6)),
        (Qt.Key.Key_Right, Qt.KeyboardModifier.NoModifier, (7, 8)),
        (Qt.Key.Key_Up, Qt.KeyboardModifier.NoModifier, (6, 7)),
        (Qt.Key.Key_Down, Qt.KeyboardModifier.NoModifier, (8, 7)),
        (Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier, (7, 14)),  # stops at the border
        (Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier, (0, 7)),
        (Qt.Key.Key_Home, Qt.KeyboardModifier.NoModifier, (7, 0)),
        (Qt.Key.Key_End, Qt.KeyboardModifier.NoModifier, (7, 14)),
        (Qt.Key.Key_PageUp, Qt.KeyboardModifier.NoModifier, (0, 7)),
        (Qt.Key.Key_PageDown, Qt.KeyboardModifier.NoModifier, (14, 7)),
        (Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier, (0, 0)),
        (Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier, (14, 14)),
    ],
)
def test_that_keys_move_the_unit(bench, qtbot: QtBot, key, modifier, unit) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (7, 7))
    qtbot.keyClick(made.canvas.view, key, modifier)
    assert made.selection.unit == unit


def test_that_a_double_click_is_two_clicks_and_nothing_else(bench, qtbot: QtBot) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c")
    before = made.canvas.view.box.viewRect()
    qtbot.mouseDClick(made.viewport, LEFT, pos=made.at(22, 22))
    assert made.selection.unit == (5, 5)
    assert made.canvas.view.box.viewRect() == before


def test_that_units_of_a_global_layer_are_spread_so_that_each_can_be_clicked(
    bench, qtbot: QtBot
) -> None:
    made = bench(
        "  - conv: {name: a, kernel_size: 1, stride: 8, out_channels: 4}\n"
        "  - squeeze_excite: {name: mix, reduction: 2}\n"
    )
    assert made.session.analysis["mix"].is_global == (True, True)
    made.selection.select_layer("mix", (0, 0))
    qtbot.mouseClick(made.viewport, LEFT, pos=made.at(62, 20))
    assert made.selection.unit == (7, 2)  # 8×8 units over 64×64 pixels


# --- zoom and pan --------------------------------------------------------------------------------


@pytest.mark.parametrize("notches", [1, 4, -2])
def test_that_the_wheel_keeps_the_point_under_the_pointer(bench, notches: int) -> None:
    made = bench(CHAIN)
    at = made.at(12, 50)
    before = made.position(at)
    wheel(made, at, notches)
    assert made.position(at) == pytest.approx(before, abs=0.02)
    wheel(made, at, notches)
    assert made.position(at) == pytest.approx(before, abs=0.04)


def test_that_the_wheel_zooms_by_a_fifth_a_notch_and_ends_somewhere(bench) -> None:
    made = bench(CHAIN)
    width = made.canvas.view.box.viewRect().width()
    wheel(made, made.at(32, 32), 1)
    assert made.canvas.view.box.viewRect().width() == pytest.approx(width / 1.2, rel=1e-3)
    wheel(made, made.at(32, 32), 100)
    assert made.canvas.view.box.viewRect().width() >= 2.9
    wheel(made, made.at(32, 32), -200)
    assert made.canvas.view.box.viewRect().width() <= 45 * 75


@pytest.mark.parametrize("how", ["middle", "space"])
def test_that_the_image_is_dragged_with_the_middle_button_or_with_space(
    bench, qtbot: QtBot, how: str
) -> None:
    made = bench(CHAIN)
    unit = made.selection.unit
    start, end = made.at(20, 20), made.at(30, 35)
    held = made.position(start)
    button = MIDDLE if how == "middle" else LEFT
    if how == "space":
        qtbot.keyPress(made.canvas.view, Qt.Key.Key_Space)
    qtbot.mousePress(made.viewport, button, pos=start)
    qtbot.mouseMove(made.viewport, end)
    qtbot.mouseRelease(made.viewport, button, pos=end)
    if how == "space":
        qtbot.keyRelease(made.canvas.view, Qt.Key.Key_Space)
    assert made.position(end) == pytest.approx(held, abs=0.1)
    assert made.selection.unit == unit


def test_that_zero_brings_everything_back(bench, qtbot: QtBot) -> None:
    made = bench(CHAIN)
    before = made.canvas.view.box.viewRect()
    wheel(made, made.at(5, 5), 6)
    assert not made.canvas.view.is_fitted
    qtbot.keyClick(made.canvas.view, Qt.Key.Key_0)
    after = made.canvas.view.box.viewRect()
    assert (after.left(), after.width()) == pytest.approx((before.left(), before.width()))


def test_that_a_zoom_stays_when_the_unit_or_the_layer_changes(bench) -> None:
    made = bench(CHAIN)
    wheel(made, made.at(5, 5), 6)
    before = made.canvas.view.box.viewRect()
    made.selection.select_layer("a", (3, 3))
    made.selection.select_unit((20, 20))
    assert made.canvas.view.box.viewRect() == before


def test_that_pixels_keep_their_form_in_a_wide_window(bench) -> None:
    made = bench(CHAIN, window=(900, 420))
    height, width = made.canvas.view.pixels_per_pixel()
    assert height == pytest.approx(width, rel=1e-3)


# --- what follows an edit ------------------------------------------------------------------------


def test_that_an_edit_redraws_at_once_and_undo_restores(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("a", (10, 10))
    before = made.scene.theoretical
    layers = list(made.document.architecture.layers)
    layers[0] = Layer(ops.Conv(kernel_size=7, stride=2, padding=3, out_channels=4), "a")
    edited = Architecture(name="test", input_size=(64, 64), layers=tuple(layers))
    made.document.edit("wider", edited)
    assert (made.scene.theoretical.width(), before.width()) == (7, 3)
    made.document.undo_stack.undo()
    assert made.scene.theoretical == before


def test_that_another_input_size_takes_the_image_along(bench) -> None:
    made = bench(CHAIN)
    edited = Architecture(
        name="test", input_size=(32, 48), layers=made.document.architecture.layers
    )
    made.document.edit("size", edited)
    assert (made.scene.area.height(), made.scene.area.width()) == (32, 48)
    assert (made.scene.photo.height(), made.scene.photo.width()) == (32, 48)
    assert made.canvas.view.box.viewRect().contains(made.scene.area)


def test_that_only_the_overlay_changes_when_the_unit_moves(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (3, 3))
    made.switch("centres")
    photo, centres = made.scene.photo, made.scene.centres
    items = made.canvas.view.scene().items()
    made.selection.select_unit((9, 9))
    assert made.scene.photo is photo
    assert all(a is b for a, b in zip(made.scene.centres, centres, strict=True))
    assert made.canvas.view.scene().items() == items


FIVE = "\n".join(
    f"  - conv: {{name: c{i}, kernel_size: 3, padding: 1, out_channels: 2}}" for i in range(1, 6)
)


def test_that_f_fits_the_field_and_zero_shows_everything(bench, qtbot: QtBot) -> None:
    made = bench(FIVE, size="[64, 64]")
    made.selection.select_layer("c5", (10, 40))
    view = made.canvas.view
    qtbot.keyClick(view, Qt.Key.Key_F)
    shown = view.box.viewRect()
    field = made.scene.theoretical  # 11×11
    assert shown.contains(field)
    assert min(shown.width(), shown.height()) < 2 * field.width()
    made.selection.select_layer("c1", (10, 40))  # another layer is fitted too
    assert view.box.viewRect().contains(made.scene.theoretical)
    assert min(view.box.viewRect().width(), view.box.viewRect().height()) < 8
    qtbot.keyClick(view, Qt.Key.Key_0)
    assert view.box.viewRect().contains(made.scene.area)


def test_that_a_huge_field_is_shown_whole_with_the_image_as_a_stamp(bench) -> None:
    made = bench("  - conv: {name: c, kernel_size: 1001, padding: 500, out_channels: 1}")
    made.selection.select_layer("c")
    shown = made.canvas.view.box.viewRect()
    assert made.scene.theoretical.width() == 1001
    assert shown.contains(made.scene.theoretical)
    assert shown.contains(made.scene.area)


def test_that_a_tiny_field_is_magnified_in_the_corner_away_from_it(bench, qtbot: QtBot) -> None:
    made = bench(FIVE, size="[512, 512]")
    made.selection.select_layer("c1", (100, 80))
    view, item = made.canvas.view, made.canvas.view.item
    place, part = present(item.inset(item.deviceTransform(view.viewportTransform())))
    assert part.contains(made.scene.theoretical)
    centre = QPointF(view.viewport().rect().center())
    assert place.left() > centre.x()
    assert place.top() > centre.y()
    red = (np.abs(made.pixels() - (214, 39, 40)).sum(axis=2) < 60).nonzero()
    inside = (red[1] > place.left()) & (red[0] > place.top())
    assert inside.sum() > 100  # its frame, large enough to be seen
    qtbot.keyClick(view, Qt.Key.Key_F)
    assert item.inset(item.deviceTransform(view.viewportTransform())) is None


def test_that_the_magnified_part_leaves_the_button_of_the_modes_free(bench) -> None:
    made = bench(FIVE, size="[512, 512]")
    made.selection.select_layer("c1", (400, 420))
    view, item = made.canvas.view, made.canvas.view.item
    place, _ = present(item.inset(item.deviceTransform(view.viewportTransform())))
    assert place.left() < view.viewport().rect().center().x()
    assert place.top() > made.canvas.mode_button.geometry().bottom()


def test_that_nothing_is_magnified_while_a_message_says_what_is_wrong(bench) -> None:
    made = bench(FIVE, size="[512, 512]")
    made.document.replace(Architecture(input_size=(512, 512)))
    assert "no layers yet" in made.canvas.empty.text()
    assert made.scene.field is None


def test_that_an_edit_that_breaks_the_network_leaves_the_last_picture_greyed(bench) -> None:
    made = bench(FIVE)
    made.selection.select_layer("c5", (10, 40))
    good, before = made.scene, made.pixels()
    too_large = Layer(ops.Conv(kernel_size=200), "c2")
    layers = made.document.architecture.layers
    broken = replace(made.document.architecture, layers=(layers[0], too_large, *layers[2:]))
    made.document.edit("Break", broken)
    assert made.scene.is_stale
    assert made.scene.theoretical == good.theoretical
    assert "broke the network" in made.canvas.caption.text()
    assert "c2" in made.canvas.empty.text()
    assert made.pixels().std() < before.std() / 2  # greyed
    made.document.undo_stack.undo()
    assert not made.scene.is_stale
    assert made.scene.theoretical == good.theoretical
    assert made.pixels().std() > 0.9 * before.std()
