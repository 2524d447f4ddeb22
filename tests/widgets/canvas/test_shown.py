"""What the canvas shows: switches, effective fields, words, strips, slices and empty networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPicture
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from tests.narrowing import present

CHAIN = """\
  - conv: {name: a, kernel_size: 3, padding: 1, out_channels: 4}
  - conv: {name: b, kernel_size: 3, stride: 2, padding: 1, out_channels: 4}
  - conv: {name: c, kernel_size: 5, padding: 2, out_channels: 4}
"""

# Two dilated convolutions: 5×5 of 17×17 pixels are read.
HOLES = """\
  - conv: {name: a, kernel_size: 3, dilation: 4, padding: 4, out_channels: 4}
  - conv: {name: b, kernel_size: 3, dilation: 4, padding: 4, out_channels: 4}
"""

LINE = """\
  - conv: {name: a, kernel_size: 5, stride: 2, padding: 2, out_channels: 4}
  - conv: {name: b, kernel_size: 3, padding: 1, out_channels: 4}
"""


# --- switches ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("theoretical", "theoretical"),
        ("visible", "visible"),
        ("erf", "erf"),
        ("dim", "lit"),
        ("support", "support"),
    ],
)
def test_that_a_switch_shows_and_hides_its_part(bench, key: str, part: str) -> None:
    made = bench(HOLES)
    made.switch(key, on=False)
    assert getattr(made.scene, part) is None
    made.switch(key)
    assert getattr(made.scene, part) is not None


def test_that_switches_are_remembered(bench, qtbot: QtBot) -> None:
    made = bench(CHAIN)
    made.switch("nested")
    made.switch("erf", on=False)
    again = made.another_canvas()
    qtbot.addWidget(again)
    assert again.switches.is_on("nested")
    assert not again.switches.is_on("erf")
    assert again.switches.is_on("theoretical")


def test_that_the_look_of_the_shading_is_remembered(bench, qtbot: QtBot) -> None:
    made = bench(CHAIN)
    made.canvas.switches.opacity.setValue(40)
    again = made.another_canvas()
    qtbot.addWidget(again)
    assert again.switches.shading.opacity == 0.4


def test_that_every_switch_has_a_key_a_name_and_a_meaning(bench) -> None:
    made = bench(CHAIN)
    shortcuts = [x.shortcut().toString() for x in made.canvas.switches.actions_by_key.values()]
    assert all(shortcuts)
    assert len(set(shortcuts)) == len(shortcuts)
    for button in made.canvas.switches._buttons.values():
        assert button.accessibleName()
        assert len(button.toolTip()) > 30


def test_that_centres_are_those_of_the_units_and_hide_where_they_are_too_dense(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c")
    made.switch("centres")
    for centres in made.scene.centres:
        assert centres.between(-9, 99).tolist() == [2.0 * u for u in range(32)]
        assert centres.between(3, 7).tolist() == [4.0, 6.0]
    made.switch("theoretical", "visible", "erf", "dim", on=False)
    picture, at = made.pixels(), made.at(10, 20)
    assert picture[at.y(), at.x()].max() < 60  # a dark dot on the green photo
    assert picture[made.at(11, 21).y(), made.at(11, 21).x()].tolist() == [0, 160, 0]
    made.canvas.zoom(0.1)
    assert made.scene.centres is None
    made.canvas.zoom(10)
    assert made.scene.centres is not None


def test_that_the_fields_on_the_way_are_nested_with_the_largest_outside(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (16, 16))
    made.switch("nested")
    widths = [x.width() for x in made.scene.nested]
    assert widths == [13, 5, 3]  # a: 3, b: 5, c: 5 + 4·2
    for outer, inner in zip(made.scene.nested, made.scene.nested[1:], strict=False):
        assert outer.contains(inner)


def test_that_outside_of_the_visible_region_the_image_is_darker(bench) -> None:
    made = bench(CHAIN)
    made.switch("erf", on=False)
    made.selection.select_layer("c", (16, 16))
    picture = made.pixels()
    inside, outside = made.at(30, 30), made.at(3, 3)
    assert picture[inside.y(), inside.x()].tolist() == [0, 160, 0]
    assert picture[outside.y(), outside.x()].sum() < 100


def test_that_the_theme_changes_the_surroundings_and_not_the_data(bench, qapp) -> None:
    from PySide6.QtGui import QColor, QPalette

    made = bench(CHAIN)
    made.selection.select_layer("c", (16, 16))
    # A little beside the crossing lines of the marker.
    inside, around = made.at(30, 30), QPoint(45, 3)
    light = made.pixels()
    palette = QPalette(QColor("#202020"), QColor("#202020"))
    palette.setColor(QPalette.ColorRole.Base, QColor("#101010"))
    made.canvas.setPalette(palette)
    dark = made.pixels()
    assert light[inside.y(), inside.x()].tolist() == dark[inside.y(), inside.x()].tolist()
    assert dark[around.y(), around.x()].tolist() == [16, 16, 16]


# --- effective fields ----------------------------------------------------------------------------


def test_that_the_expected_field_is_shaded_inside_the_visible_region(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (16, 16))
    assert made.canvas.effective_field.name == "expected"
    assert present(made.scene.erf).rect == made.scene.visible
    assert (made.scene.erf.image.width(), made.scene.erf.image.height()) == (13, 13)
    field = made.canvas.effective_field.map
    assert field.shape == (64, 64)
    peak = np.unravel_index(field.argmax(), field.shape)
    assert max(abs(int(peak[0]) - 32), abs(int(peak[1]) - 32)) <= 2


def test_that_a_measured_field_replaces_the_expected_one_while_it_is_current(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (16, 16))
    measured = np.zeros((64, 64))
    measured[32, 32] = 2.0
    made.measurements.finish("c", (16, 16), measured)
    assert made.canvas.effective_field.map is measured
    assert "measured" in made.canvas.caption.text()
    made.measurements.drop()
    assert made.canvas.effective_field.name == "expected"


def test_that_a_measurement_of_another_unit_is_never_shown(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (16, 16))
    made.measurements.finish("c", (3, 3), np.ones((64, 64)))
    assert made.canvas.effective_field.name == "expected"
    made.measurements.finish("c", (16, 16), np.ones((64, 64)))
    made.selection.select_unit((16, 17))  # before anybody has said that the result is stale
    assert made.canvas.effective_field.name == "expected"


def test_that_the_running_average_is_drawn_as_it_arrives(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (16, 16))
    made.measurements.progress(0.4, "c", (16, 16), np.ones((64, 64)))
    assert made.canvas.effective_field.name == "measured, 40 %"
    made.measurements.drop()
    assert made.canvas.effective_field.name == "expected"


# --- holes ---------------------------------------------------------------------------------------


def test_that_the_support_is_drawn_where_there_are_holes_and_only_there(bench) -> None:
    made = bench(HOLES)
    made.selection.select_layer("b", (32, 32))
    assert int(made.scene.support.sum()) == 25
    assert np.flatnonzero(made.scene.support.any(axis=1)).tolist() == [24, 28, 32, 36, 40]
    picture = made.pixels()
    dot, hole = made.at(24, 28), made.at(26, 26)
    assert abs(picture[dot.y(), dot.x()] - (0, 166, 166)).max() < 8
    assert abs(picture[hole.y(), hole.x()] - (0, 166, 166)).max() > 40
    made.document.replace(Architecture(input_size=(64, 64), layers=(Layer(ops.Relu(), "r"),)))
    assert made.scene.support is None


# --- words ---------------------------------------------------------------------------------------


def test_that_the_sentence_above_says_what_the_marks_mean(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (0, 16))
    text = made.canvas.caption.text()
    for part in ("Unit (0, 16)", "<b>c</b>", "red frame", "13×13", "7×13", "Dashed", "Blue"):
        assert part in text, part


def test_that_the_sentence_above_says_why_nothing_is_shaded(
    bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rfstudio.app.effective.expected_fields.LIVE_LAYERS", 1)
    made = bench(CHAIN)
    made.selection.select_layer("c", (0, 16))
    assert "too large to show live; measure it" in made.canvas.caption.text()
    made.canvas.switches.actions_by_key["erf"].trigger()
    assert "too large" not in made.canvas.caption.text()


def test_that_a_signal_has_samples_and_an_image_pixels(bench) -> None:
    for size, word in (("[64]", "13&nbsp;samples"), ("[64, 64]", "13×13&nbsp;px")):
        made = bench(CHAIN, size=size)
        made.selection.select_layer("c")
        assert word in made.canvas.caption.text()


def test_that_hovering_tells_pixel_colour_strength_and_whether_it_is_read(
    bench, qtbot: QtBot
) -> None:
    made = bench(HOLES)
    made.selection.select_layer("b", (32, 32))
    qtbot.mouseMove(made.viewport, made.at(24, 28))
    assert made.hovered[-1].startswith("y 24, x 28")
    assert "RGB 0 160 0" in made.hovered[-1]
    assert "ERF" in made.hovered[-1]
    assert made.hovered[-1].endswith("  reaches the unit")
    qtbot.mouseMove(made.viewport, made.at(26, 28))
    assert made.hovered[-1].endswith("does not reach the unit")


def test_that_hovering_outside_the_image_tells_padding_from_nothing(bench, qtbot: QtBot) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (0, 0))
    made.canvas.fit()
    qtbot.mouseMove(made.viewport, made.at(-3, 2))
    assert made.hovered[-1] == "y -3, x 2  ·  outside the image, padding of the field"
    made.canvas.view.hovered_over.emit(QPointF(-60, 2))
    assert made.hovered[-1] == "y 2, x -60  ·  outside the image"


def test_that_what_hovering_tells_follows_the_unit(bench, qtbot: QtBot) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (0, 0))
    qtbot.mouseMove(made.viewport, made.at(60, 60))
    assert made.hovered[-1].endswith("does not reach the unit")
    made.selection.select_unit((30, 30))
    assert made.hovered[-1].endswith("  reaches the unit")


# --- one and three axes --------------------------------------------------------------------------


def test_that_a_network_of_one_axis_is_a_strip_on_which_units_are_chosen(
    bench, qtbot: QtBot
) -> None:
    made = bench(LINE, "[100]")
    assert made.scene.area.height() == 1
    assert made.scene.photo.height() == 1
    qtbot.mouseClick(made.viewport, Qt.MouseButton.LeftButton, pos=made.at(0, 41))
    assert made.selection.unit == (20,)
    assert (made.scene.theoretical.left(), made.scene.theoretical.right()) == (35.5, 44.5)
    qtbot.keyClick(made.canvas.view, Qt.Key.Key_Right)
    assert made.selection.unit == (21,)
    assert made.canvas.effective_field.map.shape == (100,)


def test_that_a_strip_zooms_along_its_axis_only(bench) -> None:
    made = bench(LINE, "[100]")
    before = made.canvas.view.box.viewRect()
    made.canvas.view.zoom(2, QPointF(50, 0))
    after = made.canvas.view.box.viewRect()
    assert after.width() == pytest.approx(before.width() / 2)
    assert after.height() == pytest.approx(before.height())


def test_that_a_network_of_three_axes_is_sliced_and_the_slice_follows_the_unit(
    bench, qtbot: QtBot
) -> None:
    made = bench(LINE, "[24, 32, 40]")
    made.selection.select_layer("b", (6, 8, 10))
    assert made.canvas.slices.isVisible()
    assert (made.scene.area.height(), made.scene.area.width()) == (32, 40)
    assert made.canvas.slices.slider.value() == 12
    qtbot.keyClick(made.canvas.view, Qt.Key.Key_PageDown)
    assert made.selection.unit == (7, 8, 10)
    assert made.canvas.slices.slider.value() == 14
    qtbot.mouseClick(made.viewport, Qt.MouseButton.LeftButton, pos=made.at(4, 30))
    assert made.selection.unit == (7, 2, 15)
    assert made.scene.erf is not None


def test_that_another_layer_shows_the_slice_of_its_unit_and_an_edit_stays_where_one_looks(
    bench,
) -> None:
    made = bench(LINE, "[24, 32, 40]")
    made.selection.select_layer("b", (6, 8, 10))
    made.selection.select_layer("a", (2, 8, 10))
    assert made.canvas.slices.slider.value() == 4  # a has a stride of 2
    made.canvas.slices.slider.setValue(20)
    made.document.edit("Rename", replace(made.document.architecture, name="other"))
    assert made.canvas.slices.slider.value() == 20


def test_that_a_slice_beside_the_region_shows_it_faintly_and_reads_nothing(bench) -> None:
    made = bench(LINE, "[24, 32, 40]")
    made.selection.select_layer("b", (6, 8, 10))
    made.canvas.slices.slider.setValue(1)
    assert made.scene.faint
    assert made.scene.erf is None
    assert made.selection.unit == (6, 8, 10)
    made.canvas.slices.slider.setValue(12)
    assert not made.scene.faint


def test_that_a_strip_shows_what_the_unit_sees_in_the_slices_that_are_not_in_view(bench) -> None:
    made = bench(LINE, "[24, 32, 40]")
    made.selection.select_layer("b", (6, 8, 10))
    bar, (first, last) = made.canvas.slices, present(made.canvas.sight).view.theoretical_region[0]
    assert bar.text == "Slice z 12 of 0…23"
    assert "y goes down" in bar.toolTip()
    assert bar.strip.seen.reach == (first, last)
    assert bar.slider.accessibleDescription() == f"the unit can see slices {first} to {last}"
    strength = present(bar.strip.seen.strength)
    assert np.flatnonzero(strength).tolist() == list(range(max(first, 0), last + 1))
    picture = bar.strip.grab().toImage()

    def colour(index: float) -> QColor:
        place = bar.strip.place_of(index, index)
        return picture.pixelColor(place.center().toPoint() - QPoint(4, 0))

    inside, outside = colour(first + 1), colour(last + 3)
    assert inside.lightness() > outside.lightness()  # dimmed, as on the picture
    strongest = colour(int(strength.argmax()))
    assert strongest.blue() > strongest.red() + 60
    made.switch("theoretical", "erf", on=False)
    assert (bar.strip.seen.reach, bar.strip.seen.strength) == (None, None)


def test_that_going_from_three_axes_to_two_and_back_leaves_nothing_behind(bench) -> None:
    made = bench(LINE, "[24, 32, 40]")
    layers = made.document.architecture.layers
    made.document.edit("2-D", Architecture(input_size=(20, 20), layers=layers))
    assert not made.canvas.slices.isVisible()
    assert made.scene.area.width() == 20
    made.document.edit("1-D", Architecture(input_size=(50,), layers=layers))
    assert made.scene.area.height() == 1
    made.document.undo_stack.undo()
    height, width = made.canvas.view.pixels_per_pixel()
    assert height == pytest.approx(width, rel=1e-3)


# --- empty and broken ----------------------------------------------------------------------------


def test_that_a_network_without_layers_says_what_to_do(bench) -> None:
    made = bench(Architecture(input_size=(32, 32)))
    assert made.canvas.empty.isVisible()
    assert "no layers" in made.canvas.empty.text()
    assert made.scene.photo is not None


def test_that_an_empty_map_says_why_and_clicks_are_harmless(bench, qtbot: QtBot) -> None:
    layer = Layer(ops.Conv(kernel_size=9, out_channels=2), "big")
    made = bench(Architecture(input_size=(8, 8), layers=(layer,)))
    assert "empty" in made.canvas.empty.text()
    assert "8×8" in made.canvas.empty.text()
    qtbot.mouseClick(made.viewport, Qt.MouseButton.LeftButton, pos=made.at(4, 4))
    for key in (Qt.Key.Key_Right, Qt.Key.Key_End, Qt.Key.Key_PageDown):
        qtbot.keyClick(made.canvas.view, key)
    assert made.scene.theoretical is None


def test_that_a_unit_that_sees_only_padding_says_so_and_draws_its_frame(bench) -> None:
    made = bench("  - conv: {name: a, kernel_size: 1, padding: 3, out_channels: 2}\n", "[8, 8]")
    made.selection.select_layer("a", (0, 0))
    assert "only padding" in made.canvas.empty.text()
    assert made.scene.theoretical is not None
    assert made.scene.visible is None
    made.selection.select_unit((7, 7))
    assert not made.canvas.empty.isVisible()


def test_that_without_an_image_there_is_a_plain_plane(bench) -> None:
    made = bench(CHAIN)
    made.pictures.clear()
    assert made.scene.photo is None
    assert made.scene.theoretical is not None
    made.viewport.grab()


def test_that_a_new_picture_is_shown_at_the_size_of_the_input(bench) -> None:
    made = bench(CHAIN)
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[:64] = 255  # the upper half is white
    made.show_picture(pixels)
    photo = made.scene.photo
    assert (photo.width(), photo.height()) == (64, 64)
    assert photo.pixelColor(10, 10).red() == 255
    assert photo.pixelColor(10, 50).red() == 0


def test_that_a_dropped_file_is_left_to_the_window(bench) -> None:
    made = bench(CHAIN)
    assert not made.canvas.acceptDrops()
    assert not made.canvas.view.acceptDrops()
    assert not made.viewport.acceptDrops()


def test_that_fields_over_another_map_say_so(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (16, 16))
    made.session.set_reference("b")
    assert "map of <b>b</b>" in made.canvas.caption.text()
    assert made.scene.area.width() == 32
    assert made.scene.theoretical.width() == 5
    assert made.canvas.effective_field.map.shape == (32, 32)


def test_that_a_contour_is_drawn_at_the_chosen_share_of_the_peak(bench) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (16, 16))
    assert made.scene.contour is None
    made.canvas.switches._look(contour=0.5)
    field = made.canvas.effective_field.map
    rows = np.flatnonzero((field > 0.5 * field.max()).any(axis=1))
    rect: QRectF = present(made.scene.contour).boundingRect()
    assert (rect.top(), rect.bottom()) == (rows[0] - 0.5, rows[-1] + 0.5)


def test_that_the_caption_does_not_shrink_and_move_the_image_in_a_drag(bench) -> None:
    made = bench(CHAIN, window=(430, 560))
    made.selection.select_layer("c", (0, 0))
    places = set()
    for unit in ((0, 0), (5, 5), (31, 31), (16, 16), (0, 31)):
        made.selection.select_unit(unit)
        made.canvas.arrange()
        places.add((made.viewport.height(), made.switches_height()))
    assert len(places) == 1


def test_that_a_field_that_takes_long_is_drawn_behind_the_frames(
    bench, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(CHAIN)
    made.selection.select_layer("c", (16, 16))
    monkeypatch.setattr(EXPECTED, "seconds", 1.0)  # as if the last one had taken a second
    made.selection.select_unit((3, 3))
    assert made.scene.theoretical.width() == 13
    assert made.scene.erf is None
    assert "Blue" not in made.canvas.caption.text()
    qtbot.waitUntil(lambda: made.scene.erf is not None)
    assert present(made.scene.erf).rect == made.scene.visible
    assert "Blue" in made.canvas.caption.text()


def test_that_one_axis_shows_a_signal_without_the_colours_of_the_photo(bench) -> None:
    made = bench(LINE, "[100]")
    made.switch("erf", "theoretical", "visible", "dim", on=False)
    shown = made.pixels()
    top = made.at(-0.4, 20).y()
    bottom = made.at(0.4, 20).y()
    strip = shown[top:bottom, made.at(0, 5).x() : made.at(0, 40).x()]
    assert np.ptp(strip, axis=2).max() == 0  # gray
    dark = (strip[..., 0] < 120).any(axis=1)
    assert 0 < dark.sum() < 0.1 * strip.shape[0]  # a flat photo is a level line


@pytest.mark.parametrize("kernel", [3, 2001, 60001])
def test_that_every_number_beside_the_picture_has_its_room(bench, kernel: int) -> None:
    made = bench(f"  - conv: {{kernel_size: {kernel}, padding: {kernel // 2}}}")
    axis = made.canvas.view.plot.getAxis("left")
    picture = QPicture()
    painter = QPainter(picture)
    _, _, texts = axis.generateDrawSpecs(painter)
    painter.end()
    low, high = sorted((made.position(QPoint(0, 0))[0], made.position(QPoint(0, 700))[0]))
    step, at = axis.tickValues(low, high, made.canvas.view.box.height())[0]
    wanted = set(axis.tickStrings([x for x in at if low < x < high], 1.0, step))
    assert len(wanted) > 1
    assert wanted <= {text for *_, text in texts}
    left = made.canvas.mode_button.x()
    assert left > axis.width()


def test_that_numbers_whose_room_brings_shorter_ones_do_not_go_on_for_ever(
    bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window of a monkey ended in a RecursionError: the room of each led to the other's."""
    made = bench("  - conv: {kernel_size: 3, padding: 1}")
    view = made.canvas.view
    axis = view.plot.getAxis("left")
    narrow = axis.fixedWidth
    monkeypatch.setattr(
        view, "_room_of_numbers", lambda: narrow if axis.fixedWidth > narrow else narrow + 20
    )
    view.fit()
    view.box.scaleBy((0.9, 0.9))
    assert axis.fixedWidth in (narrow, narrow + 20)
