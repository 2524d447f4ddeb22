"""The numbers of both fields: read in a table, copied, and saved, never those of another unit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.erf_numbers import HEADERS
from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.files.erf_export import ErfExport
from rfstudio.widgets.erf_panel.numbers_panel import NumbersPanel
from tests.measurements import FakeMeasurements
from tests.narrowing import present


class Bench:
    def __init__(self, state: Any, shown: Any) -> None:
        made = state("alexnet")
        self.document, self.session = made.document, made.session
        self.selection = made.selection
        self.selection.select_layer("conv3")
        self.measured = FakeMeasurements(made.session)
        self.view = ErfView(made.session, made.selection, self.measured)
        export = ErfExport(self.view)
        self.panel = shown(NumbersPanel(self.view, export))

    def cell(self, name: str, column: str) -> str:
        numbers = self.panel.numbers
        row = next(i for i, x in enumerate(numbers.rows) if x.name == name)
        return str(numbers.index(row, HEADERS.index(column)).data())

    def measure(self) -> None:
        chosen = self.selection.value
        self.measured.finish(chosen.layer, chosen.unit, 2 * present(self.view.shown.expected).map)


@pytest.fixture
def bench(state: Any, shown: Any) -> Bench:
    return Bench(state, shown)


def test_that_both_fields_stand_side_by_side(bench: Bench) -> None:
    assert bench.cell("luo_size", "measured") == ""
    assert float(bench.cell("luo_size", "expected")) > 5
    bench.measure()
    bench.panel.refresh()
    # Twice the map is the same field: every number but those that depend on the scale.
    for name in ("luo_size", "fwhm", "gaussian.r_squared", "area_ratio.0.99"):
        assert bench.cell(name, "measured") == bench.cell(name, "expected") != ""
    assert bench.cell("area_ratio.0.5", "measured (RepLKNet's way)") != ""
    assert bench.panel.title.text().startswith("Effective field: measured (energy, 8 samples)")


def test_that_numbers_of_the_unit_before_are_gray_until_they_are_renewed(
    bench: Bench, qtbot: QtBot
) -> None:
    before = bench.cell("centroid.y", "expected")
    bench.selection.select_unit((0, 0))
    assert not bench.panel.table.isEnabled()
    qtbot.waitUntil(bench.panel.table.isEnabled)
    assert bench.cell("centroid.y", "expected") != before


def test_that_all_numbers_or_the_chosen_rows_are_copied(bench: Bench) -> None:
    bench.panel.copies["Markdown"].click()
    text = QGuiApplication.clipboard().text()
    assert text.splitlines()[0].startswith("| number ")
    assert "| fwhm " in text
    bench.panel.table.selectRow(1)
    bench.panel.table.actions()[0].trigger()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t") == list(HEADERS)
    assert lines[1].startswith("luo_size_of_maximum\tpx\t\t")
    assert len(lines) == 2


def test_that_a_unit_without_a_field_has_a_sentence(bench: Bench, qtbot: QtBot) -> None:
    too_large = replace(bench.document.architecture, input_size=(3000, 3000))
    bench.document.edit("Grow", too_large)
    qtbot.waitUntil(bench.panel.empty.isVisible)
    assert not bench.panel.save.isVisible()
    bench.document.undo_stack.undo()
    qtbot.waitUntil(bench.panel.table.isVisible)


def test_that_numbers_over_another_map_are_in_its_samples(bench: Bench, qtbot: QtBot) -> None:
    assert bench.cell("luo_size", "unit") == "px"
    bench.session.set_reference("conv1")
    bench.panel.refresh()
    assert bench.cell("luo_size", "unit") == "samples"
