"""What the canvas answers besides a unit: a pixel, a block of units, tiles; by mouse and keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.app import slices
from rfstudio.app.files.presets import read_preset
from rfstudio.app.slices import Slices
from rfstudio.core.editing.edits import set_parameter

LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier

# Field 11, jump 4, unit u sees [4u − 5, 4u + 5] of 64 pixels, 16 units: r = 1 + 2·1 + 2·2 + 1·4.
CHAIN = """\
  - conv: {name: a, kernel_size: 3, stride: 2, padding: 1, out_channels: 4}
  - conv: {name: b, kernel_size: 3, stride: 2, padding: 1, out_channels: 4}
  - conv: {name: c, kernel_size: 3, padding: 1, out_channels: 4}
"""


def move(bench, at: QPoint, buttons: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
    place = at.toPointF()
    event = QMouseEvent(
        QMouseEvent.Type.MouseMove,
        place,
        bench.viewport.mapToGlobal(place),
        Qt.MouseButton.NoButton,
        buttons,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(bench.viewport, event)


def choose(qtbot: QtBot, bench, key: str) -> None:
    bench.canvas.view.setFocus()
    qtbot.keyClick(bench.canvas.view, key)


def test_that_a_pixel_shows_the_units_that_read_it_under_the_pointer(qtbot, bench) -> None:
    made = bench(CHAIN)
    choose(qtbot, made, "2")
    assert made.canvas.mode_button.text() == "Pixel ▾"
    move(made, made.at(20, 33))
    # By hand: 4u − 7 ≤ 20 ≤ 4u + 7 for u = 4, 5 and 6; 33 for u = 7, 8, 9, 10.
    assert made.canvas.modes["pixel"].pixel == (20, 33)
    assert "read by <b>12 units</b> of <b>c</b>: 4…6 × 7…10 (3×4)" in made.canvas.caption.text()
    inset = made.canvas.inset
    assert inset.isVisible()
    assert inset.inset is not None
    assert inset.inset.mask.sum() == 12
    assert inset.inset.mask[4:7, 7:11].all()
    assert made.scene.theoretical is None
    assert made.selection.unit == (8, 8)


def test_that_a_click_holds_a_pixel_and_arrow_keys_move_it(qtbot, bench) -> None:
    made = bench(CHAIN)
    choose(qtbot, made, "2")
    qtbot.mouseClick(made.viewport, LEFT, pos=made.at(20, 33))
    move(made, made.at(50, 50))
    pixel = made.canvas.modes["pixel"]
    assert pixel.pixel == (20, 33)
    qtbot.keyClick(made.canvas.view, Qt.Key.Key_Right)
    qtbot.keyClick(made.canvas.view, Qt.Key.Key_Down, SHIFT)
    assert pixel.pixel == (30, 34)
    qtbot.mouseClick(made.viewport, LEFT, pos=made.at(30, 34))
    move(made, made.at(50, 50))
    assert pixel.pixel == (50, 50)


def test_that_a_drag_over_a_block_shows_what_its_units_need(qtbot, bench) -> None:
    made = bench(CHAIN)
    choose(qtbot, made, "3")
    qtbot.mousePress(made.viewport, LEFT, pos=made.at(16, 16))
    move(made, made.at(24, 33), LEFT)
    qtbot.mouseRelease(made.viewport, LEFT, pos=made.at(24, 33))
    # By hand: units 4…6 × 4…8 see 4·4 − 7 … 4·6 + 7 × 9 … 39.
    region = made.scene.theoretical
    assert (region.top(), region.bottom(), region.left(), region.right()) == (8.5, 31.5, 8.5, 39.5)
    assert "Units (4, 4) … (6, 8) of <b>c</b>, 3×5" in made.canvas.caption.text()
    assert "23×31" in made.canvas.caption.text()
    assert "7 + 4" in made.canvas.caption.text()
    assert made.selection.unit == (4, 4)
    qtbot.keyClick(made.canvas.view, Qt.Key.Key_Up, SHIFT)
    assert made.canvas.modes["block"].ends[1][0] < 6


def test_that_modes_call_a_sample_of_a_signal_by_its_word(qtbot, bench) -> None:
    made = bench("  - conv: {name: a, kernel_size: 3, padding: 1, out_channels: 4}\n", size="[64]")
    choose(qtbot, made, "2")
    assert made.canvas.mode_button.text() == "Sample ▾"
    assert made.canvas.mode_button.actions_by_key["pixel"].text() == "Sample: which units read it"
    assert made.canvas.mode_button.actions_by_key["tiles"].text() == "Tiles of the signal"
    # By hand: kernel 3 with padding 1, so unit u reads u − 1 … u + 1.
    caption = made.canvas.caption.text()
    assert "Sample (32) is read by <b>3 units</b> of <b>a</b>: 31…33" in caption
    assert "Click to hold the sample." in caption
    choose(qtbot, made, "3")
    assert "Unit (32) of <b>a</b>, alone, needs the" in made.canvas.caption.text()
    assert "before and after its own cell." in made.canvas.caption.text()


def test_that_a_block_survives_edits_and_undo(qtbot, bench) -> None:
    made = bench(CHAIN)
    choose(qtbot, made, "3")
    qtbot.mousePress(made.viewport, LEFT, pos=made.at(40, 40))
    move(made, made.at(60, 60), LEFT)
    qtbot.mouseRelease(made.viewport, LEFT, pos=made.at(60, 60))
    ends = made.canvas.modes["block"].ends
    assert ends == ((10, 10), (15, 15))
    made.document.edit("smaller", _with_stride(made.document.architecture, 8))
    first, last = made.canvas.modes["block"].ends
    assert all(0 <= a <= b < 4 for a, b in zip(first, last, strict=True))
    made.document.undo_stack.undo()
    first, last = made.canvas.modes["block"].ends
    assert all(0 <= a <= b < 16 for a, b in zip(first, last, strict=True))
    assert "need the" in made.canvas.caption.text()


def _with_stride(architecture, stride: int):
    location = next(x.location for x in _nodes(architecture) if x.name == "b")
    return set_parameter(architecture, location, "stride", stride)


def _nodes(architecture):
    from rfstudio.core.network.expansion import expand

    return expand(architecture).nodes


@pytest.mark.slow
def test_that_tiles_are_drawn_with_their_overlap_and_said_in_words(qtbot, bench) -> None:
    made = bench(read_preset("unet"), window=(720, 590))  # as in a window of 1440×900
    made.selection.select_layer("classifier")
    choose(qtbot, made, "4")
    qtbot.waitUntil(lambda: bool(made.scene.tiles))
    text = made.canvas.caption.text()
    # Known: 107 a side, period 16.
    assert "overlap of <b>107 + 107</b>" in text
    assert "from multiples of 16" in text
    assert "equal the whole map of <b>classifier</b>" in text
    caption = made.canvas.caption
    assert caption.heightForWidth(720) <= 2 * caption.fontMetrics().lineSpacing() + 10
    count = len(made.scene.tiles)
    assert count > 1
    qtbot.mouseClick(made.viewport, LEFT, pos=made.at(250, 250))
    assert f"Tile {count} reads" in made.canvas.caption.text()
    choose(qtbot, made, "1")
    assert not made.scene.tiles
    assert made.scene.theoretical is not None


def test_that_arrow_keys_go_through_the_tiles_and_change_their_size(qtbot, bench) -> None:
    made = bench(CHAIN)
    choose(qtbot, made, "4")
    qtbot.waitUntil(lambda: bool(made.scene.tiles))
    side = made.scene.tiles[0].width()
    qtbot.keyClick(made.canvas.view, Qt.Key.Key_Right)
    assert "Tile 2 reads" in made.canvas.caption.text()
    qtbot.keyClick(made.canvas.view, Qt.Key.Key_Down)
    # Both strides together are the period.
    qtbot.waitUntil(lambda: made.scene.tiles[0].width() == side - 4)


def test_that_one_key_makes_tiles_larger_that_could_not_be_smaller(qtbot, bench) -> None:
    made = bench(CHAIN)
    choose(qtbot, made, "4")
    qtbot.waitUntil(lambda: bool(made.scene.tiles))
    side, working = made.scene.tiles[0].width(), made.canvas.modes["tiles"].findChild(Slices)
    for _ in range(30):
        qtbot.keyClick(made.canvas.view, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: not working.is_busy)
    assert made.scene.tiles[0].width() == side
    qtbot.keyClick(made.canvas.view, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: made.scene.tiles[0].width() == side + 4)


def test_that_a_layer_without_positions_says_why_there_are_no_tiles(qtbot, bench) -> None:
    made = bench(f"{CHAIN}  - global_avg_pool: {{name: pool}}\n")
    choose(qtbot, made, "4")
    qtbot.waitUntil(lambda: "No tiles" in made.canvas.caption.text())
    assert "'pool' reads the whole map and has no positions" in made.canvas.caption.text()
    choose(qtbot, made, "2")
    move(made, made.at(3, 3))
    assert "read by <b>1 unit</b> of <b>pool</b>" in made.canvas.caption.text()


@pytest.mark.parametrize(
    "key",
    ["2", pytest.param("3", marks=pytest.mark.slow), pytest.param("4", marks=pytest.mark.slow)],
)
def test_that_modes_work_on_a_signal_and_on_a_block(qtbot, bench, key: str) -> None:
    row = "  - conv: {name: a, kernel_size: 5, padding: 2, stride: 2, out_channels: 2}\n"
    for size in ("[200]", "[24, 24, 24]"):
        made = bench(row, size=size)
        choose(qtbot, made, key)
        move(made, made.at(0 if size == "[200]" else 10, 12))
        qtbot.mouseClick(made.viewport, LEFT, pos=made.at(0 if size == "[200]" else 10, 12))
        qtbot.keyClick(made.canvas.view, Qt.Key.Key_Right, SHIFT)
        qtbot.waitUntil(lambda made=made: "Working out" not in made.canvas.caption.text())
        text = made.canvas.caption.text()
        assert {"2": "is read by", "3": "need the", "4": "tiles of"}[key] in text, text


@pytest.mark.parametrize("key", ["2", "4", "5"])
def test_that_a_signal_stays_a_signal_and_is_in_view_whole(qtbot, bench, key: str) -> None:
    row = "  - conv: {name: a, kernel_size: 5, padding: 2, stride: 2, out_channels: 2}\n"
    made = bench(row, size="[200]")
    choose(qtbot, made, "F")
    assert made.canvas.view.box.viewRect().width() < 100
    choose(qtbot, made, key)
    assert made.scene.signal is not None  # not the colours of a photo
    assert made.canvas.view.box.viewRect().width() > 200


def test_that_the_tiles_of_a_deep_layer_are_worked_out_between_events(
    qtbot, bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "SLICE", 0.0)  # every step of the work is a turn of the event loop
    made = bench(read_preset("vgg16"))
    made.selection.select_layer("conv5_3")
    choose(qtbot, made, "4")
    working = made.canvas.modes["tiles"].findChild(Slices)
    turns = []
    working.paused.connect(lambda: turns.append(made.canvas.caption.text()))
    qtbot.waitUntil(lambda: bool(made.scene.tiles))
    assert len(turns) > 20
    assert all("Working out the tiles" in x for x in turns)


def test_that_a_pixel_is_said_to_be_worked_out_where_that_takes_longer_than_a_frame(
    qtbot, bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_time = bench(CHAIN)
    choose(qtbot, in_time, "2")
    move(in_time, in_time.at(20, 33))
    expected = in_time.canvas.caption.text()
    assert "read by <b>12 units</b>" in expected
    made = bench(CHAIN)
    for name in ("SLICE", "AT_ONCE"):
        monkeypatch.setattr(slices, name, 0.0)  # every step of the work is a turn of its own
    choose(qtbot, made, "2")
    move(made, made.at(20, 33))
    assert "working out which units of <b>c</b> read it" in made.canvas.caption.text()
    assert not made.canvas.inset.isVisible()
    qtbot.waitUntil(lambda: made.canvas.caption.text() == expected)
    assert made.canvas.inset.inset.mask.sum() == 12
    move(made, made.at(21, 33))
    made.selection.select_layer(made.session.analysis.layers[0].name)  # another answer is wanted
    assert "working out" in made.canvas.caption.text()
    qtbot.waitUntil(lambda: "working out" not in made.canvas.caption.text())
