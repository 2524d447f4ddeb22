"""Pins: a second outline, a second column, and the network of before an edit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QTableWidget
from pytestqt.qtbot import QtBot

from rfstudio.app import slices
from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.app.effective.pins import Pin, Wanted
from rfstudio.app.wording.beside import PinnedFields, sign_of
from rfstudio.core.network.architecture import Architecture
from rfstudio.widgets.table.model import COLUMNS
from rfstudio.widgets.window.main_window import MainWindow
from tests.measurements import FakeRunner, result_of
from tests.narrowing import present
from tests.widgets.conftest import conv


def test_that_a_pinned_unit_stays_on_the_canvas_and_beside_the_next_one(
    window: MainWindow, qtbot: QtBot
) -> None:
    studio, panel = window.studio, window.comparison
    window.tabs.setCurrentWidget(panel)
    assert panel.empty.isVisible()
    studio.selection.select_layer("stem", (16, 16))
    window.canvas.view.setFocus()
    qtbot.keyClick(window.canvas.view, Qt.Key.Key_P)
    assert [x.text for x in studio.pins] == ["A: stem (16, 16), small"]
    studio.selection.select_layer("head", (8, 8))
    (frame,) = window.canvas.view.item.scene_shown.pins
    # The stem is a convolution of 3×3: rows and columns 15 to 17.
    assert (frame.letter, frame.rect.left(), frame.rect.width()) == ("A", 14.5, 3)
    texts = panel.texts()
    # The head sees 3 + 4 · 2 + 2 = 13 pixels, after the stem and two blocks of two.
    assert texts["field size"] == ["13×13", "3×3   (−10)"]
    assert texts["jump"] == ["1", "1   (same)"]
    assert texts["unit"] == ["8, 8", "16, 16"]
    window.tabs.setCurrentWidget(window.profile)
    assert "pin A" in window.profile._plots[0].values

    window.actions_.unpin.trigger()
    assert window.canvas.view.item.scene_shown.pins == ()


def test_that_one_unit_is_pinned_once_and_its_measured_field_beside_it(
    open_window: Callable[..., MainWindow], qtbot: QtBot
) -> None:
    runner = FakeRunner()
    window = open_window(runner=runner)
    studio = window.studio
    window.canvas.view.setFocus()
    for _ in range(2):
        qtbot.keyClick(window.canvas.view, Qt.Key.Key_P)
    assert [x.letter for x in studio.pins] == ["A"]
    assert "Pin A is this unit already." in window.status.currentMessage()
    chosen = studio.selection.value
    window.actions_.measure.trigger()
    values = np.random.default_rng(1).random((32, 32))
    runner.jobs[-1].succeeded.emit(result_of(chosen.layer, chosen.unit, values, 32, wanted=32))
    for _ in range(2):
        qtbot.keyClick(window.canvas.view, Qt.Key.Key_P)
    assert [present(x.field).is_measured for x in studio.pins] == [False, True]
    studio.selection.select_unit((3, 3))
    qtbot.keyClick(window.canvas.view, Qt.Key.Key_P)
    assert [x.letter for x in studio.pins] == ["A", "B", "C"]


def test_that_a_pin_whose_field_takes_long_holds_nothing_up(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = window.studio
    monkeypatch.setattr(slices, "AT_ONCE", 0.0001)
    studio.selection.select_layer("head", (9, 9))
    assert studio.erf.shown.is_late
    window.actions_.pin.trigger()
    (pin,) = studio.pins
    assert pin.field is None
    studio.selection.select_layer("stem", (3, 3))  # the pin's field goes on
    with qtbot.waitSignal(studio.pins.changed, check_params_cb=lambda: any(studio.pins)):
        pass
    (pin,) = studio.pins
    wanted = EXPECTED.of(studio.analysis.analysis, "head", (9, 9))
    assert present(pin.field).metrics.luo_size == present(wanted).metrics.luo_size
    assert (pin.layer, pin.unit) == ("head", (9, 9))


def test_that_the_network_before_an_edit_is_pinned_with_one_key(
    window: MainWindow, qtbot: QtBot
) -> None:
    studio, panel = window.studio, window.comparison
    window.tabs.setCurrentWidget(panel)
    window.canvas.view.setFocus()
    shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(window.canvas.view, Qt.Key.Key_P, shift)
    assert window.status.currentMessage() == "Nothing was edited yet."
    studio.selection.select_layer("stem", (16, 16))
    studio.edits.set_parameter((0,), "kernel_size", 5)
    qtbot.keyClick(window.canvas.view, Qt.Key.Key_P, shift)
    assert panel.texts()["field size"] == ["5×5", "3×3   (−2)"]
    assert panel.texts()["network"][1].startswith("before: ")
    assert [x[:2] for x in window.growth.networks] == ["A:"]
    for column in range(4):
        studio.selection.select_unit((16, column))
        window.actions_.pin.trigger()
    assert [x.letter for x in studio.pins] == ["A", "B", "C", "D"]
    assert "four units are pinned" in window.status.currentMessage().lower()
    panel.clear.click()
    assert not window.growth.networks


def test_that_inspector_and_table_show_the_pinned_value_beside_the_present_one(
    window: MainWindow,
) -> None:
    studio, table = window.studio, window.table
    studio.selection.select_layer("stem", (16, 16))
    window.actions_.pin.trigger()
    assert "A" not in window.inspector.field.texts()["size"]  # the chosen unit itself
    studio.selection.select_layer("head", (8, 8))
    field = window.inspector.field.texts()
    # The head sees 3 + 4 · 2 + 2 = 13 pixels.
    assert field["size"] == "13×13 px\nA  3×3 px  ▼"
    assert field["jump"] == "1 px\nA  1 px  ="
    assert field["depth"] == "6\nA  1  ▼"
    label = next(x for x in window.inspector.field.findChildren(QLabel) if "\n" in x.text())
    assert label.height() >= 2 * label.fontMetrics().height()
    titles = [x.title for x in table.layers.columns]
    assert "Field A" not in titles  # it is the same network

    studio.edits.set_parameter((0,), "kernel_size", 5)
    assert table.layers.columns[-1].title == "Field A"
    row = table.layers.row_of("head")
    assert table.layers.texts_of(row)[-1] == "13×13 ▼"
    assert table.layers.texts_of(row)[4] == "15×15"
    header = table.horizontalHeader()
    assert header.visualIndex(len(titles)) == header.visualIndex(4) + 1
    table.sortByColumn(len(titles), Qt.SortOrder.DescendingOrder)
    window.grab()
    window.actions_.unpin.trigger()
    assert [x.title for x in table.layers.columns] == titles
    assert window.inspector.field.texts()["size"] == "15×15 px"


def test_that_a_network_of_other_layers_is_compared_at_the_same_depth(window: MainWindow) -> None:
    studio = window.studio
    studio.selection.select_layer("head", (8, 8))
    window.actions_.pin.trigger()
    other = Architecture(name="other", input_size=(32, 32), layers=(conv("x", 5), conv("y", 5)))
    studio.document.replace(other)
    columns = window.table.layers.columns
    assert "at the same depth" in columns[-1].meaning
    # Depth 1 and 2 of the pinned one: the stem, 3; and the first of its first block, 5.
    found = [window.table.layers.texts_of(row)[-1] for row in range(2)]
    assert found == ["3×3 ▼", "5×5 ▼"]


def test_that_a_pinned_network_is_looked_through_once(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With each change of any pin all of them were, which held the window up for 40 ms."""
    made: list[str] = []
    make = PinnedFields.__init__

    def count(self: PinnedFields, pin: Pin, names: Iterable[str]) -> None:
        made.append(pin.letter)
        make(self, pin, names)

    studio = window.studio
    studio.selection.select_layer("head", (8, 8))
    window.actions_.pin.trigger()
    for name in ("other", "third"):
        layers = (conv("x", 5), conv("y", 5))
        studio.document.replace(Architecture(name=name, input_size=(32, 32), layers=layers))
        studio.selection.select_layer("y", (4, 4))
        window.actions_.pin.trigger()
    studio.edits.set_parameter((0,), "kernel_size", 3)
    assert [x.title for x in window.table.layers.columns[len(COLUMNS) :]] == [
        "Field A",
        "Field B",
        "Field C",
    ]
    monkeypatch.setattr(PinnedFields, "__init__", count)
    studio.pins.remove("C")
    assert [x.title for x in window.table.layers.columns[len(COLUMNS) :]] == ["Field A", "Field B"]
    assert not made


def test_that_pins_of_a_session_get_their_fields_in_turns_of_their_own(
    window: MainWindow, qtbot: QtBot
) -> None:
    pins = window.studio.pins
    analysis = window.studio.analysis.analysis
    wanted = [Wanted(x, analysis.architecture, x, (8, 8), "") for x in ("stem", "head")]
    fields: list[int] = []
    pins.changed.connect(lambda: fields.append(sum(x.field is not None for x in pins)))
    lost: list[object] = []
    pins.restore(wanted, lost.extend)
    assert fields == [0, 1]
    qtbot.waitUntil(lambda: fields == [0, 1, 2])
    assert not lost


def test_that_signs_tell_larger_smaller_other_and_same() -> None:
    assert sign_of("91×91 px", "267×91 px") == "▲"
    assert sign_of("1,024", "512") == "▼"
    assert sign_of("3×9", "9×3") == "≠"
    assert sign_of("whole input", "196×196 px") == "≠"
    assert sign_of("−1.5 px", "−1.5 px") == "="
    assert sign_of("−1.5 px", "0 px") == "▲"
    assert sign_of("1 sample", "16 samples") == "▲"
    assert sign_of("1 sample", "16 px") == "≠"
    assert sign_of("12.0 voxels", "3.0 px") == "≠"


def _is_scrolled(table: QTableWidget, wanted: bool) -> bool:
    return (table.horizontalScrollBar().maximum() > 0) == wanted


def test_that_no_text_of_the_comparison_is_cut(window: MainWindow, qtbot: QtBot) -> None:
    studio, panel = window.studio, window.comparison
    window.tabs.setCurrentWidget(panel)
    window.tabs.unfold()
    for layer in ("stem", "stage.0.a", "stage.0.b", "head"):
        studio.selection.select_layer(layer)
        panel.add()
    table = panel.table
    for width in (320, 1200, 320):
        table.setFixedWidth(width)
        qtbot.waitUntil(partial(_is_scrolled, table, width < 400))
        columns = range(table.columnCount())
        assert all(table.sizeHintForColumn(x) <= table.columnWidth(x) for x in columns), width
