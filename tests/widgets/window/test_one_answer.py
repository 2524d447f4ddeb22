"""Canvas, profile, inspector, numbers, files and figures show the same effective field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication

from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.app.files.figure_settings import FigureSettings
from rfstudio.app.wording.facts import erf_facts
from rfstudio.app.wording.units import in_units
from rfstudio.core.effective.expected import expected_erf
from rfstudio.figures import Panel
from rfstudio.widgets.window.main_window import MainWindow
from tests.measurements import FakeJob, FakeRunner, result_of
from tests.narrowing import present


class Bench:
    """A window whose measurements go on when the test says so."""

    def __init__(self, open_window: Callable[..., MainWindow], folder: Path) -> None:
        self.runner = FakeRunner()
        self.window = open_window(runner=self.runner)
        self.studio = self.window.studio
        self.studio.selection.select_layer("head", (16, 16))
        self._folder = folder

    def measure(self) -> FakeJob:
        present(self.studio.erf_session).measure()
        return self.runner.jobs[-1]

    def result(self, samples: int, seed: int = 0) -> Any:
        """What a worker sends of the chosen unit after some of 10 samples."""
        layer, unit, _ = self.studio.selection.value
        values = np.random.default_rng(seed).random(self.studio.analysis.analysis.input_size)
        return result_of(layer, unit, values, samples, wanted=10)

    def shown(self, monkeypatch: pytest.MonkeyPatch) -> tuple[str, np.ndarray]:
        """What every part shows, which must be the same: its name in a heading, and its map."""
        window, studio = self.window, self.studio
        field = present(studio.erf.shown.field)
        assert window.canvas.effective_field is field
        assert field.name in window.canvas.caption.text()
        label = window.inspector.effective._title.text().removeprefix("Effective field, ")
        assert label == field.label
        units = studio.analysis.analysis.units
        facts = {x.label: x.text for x in in_units(erf_facts(field.metrics), units)}
        assert window.inspector.effective.texts() == facts
        window.tabs.setCurrentWidget(window.profile)
        for plot in window.profile._plots:
            assert ("measured" in plot.values) == field.is_measured
        assert ("measured" in window.profile.legend.text()) == field.is_measured
        window.numbers.refresh()
        assert window.numbers.title.text().startswith(f"Effective field: {label}")
        record = studio.erf_export.record()
        assert record["metrics"]["luo_size"] == field.metrics.luo_size
        assert ("samples" in record) == field.is_measured
        drawn: list[Panel] = []

        def kept(panel: Panel) -> bytes:
            drawn.append(panel)
            return b""

        monkeypatch.setattr(
            "rfstudio.app.files.figure_contents.render_kind",
            lambda _kind, content, *_: kept(content.panel),
        )
        window.files.drawing(FigureSettings("fields"))(".png")
        assert drawn[0].scene.erf is field.map
        assert drawn[0].scene.erf_label == f"effective field, {label}"
        return label, field.map

    def expected(self) -> np.ndarray:
        analysis, chosen = self.studio.selection.shown
        graph = analysis.graph
        index = graph.index(chosen.layer)
        return expected_erf(graph, index, chosen.unit, reference=analysis.reference).map


@pytest.fixture
def bench(open_window: Callable[..., MainWindow], tmp_path: Path) -> Bench:
    return Bench(open_window, tmp_path)


def test_that_all_parts_show_the_running_average_while_samples_arrive(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.measure()
    assert bench.shown(monkeypatch)[0] == "expected (approximate)"
    for samples in (2, 7):
        so_far = bench.result(samples, samples)
        job.progressed.emit(samples / 10, so_far)
        label, values = bench.shown(monkeypatch)
        assert label == f"measured (energy, {samples} of 10 samples)"
        assert values is so_far.map
        assert present(bench.window.canvas.effective_field).name == f"measured, {10 * samples} %"
    complete = bench.result(10, 10)
    job.succeeded.emit(complete)
    label, values = bench.shown(monkeypatch)
    assert (label, values is complete.map) == ("measured (energy, 10 samples)", True)


def test_that_all_parts_show_what_is_there_when_a_measurement_is_stopped_or_fails(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.measure()
    job.progressed.emit(0.4, bench.result(4))
    session = present(bench.studio.erf_session)
    session.cancel()
    assert bench.shown(monkeypatch)[0] == "measured (energy, 4 of 10 samples)"
    session.measure_more()
    assert bench.shown(monkeypatch)[0] == "measured (energy, 4 of 10 samples)"
    bench.runner.jobs[-1].failed.emit(RuntimeError("no more"))
    assert bench.shown(monkeypatch)[0] == "measured (energy, 4 of 10 samples)"
    bench.measure().progressed.emit(0.1, bench.result(1))
    bench.runner.jobs[-1].failed.emit(RuntimeError("no more than one"))
    assert bench.shown(monkeypatch)[0] == "measured (energy, 1 of 10 samples)"
    bench.measure()
    bench.runner.jobs[-1].failed.emit(RuntimeError("none at all"))
    assert bench.shown(monkeypatch)[0] == "expected (approximate)"


def test_that_all_parts_say_that_measuring_has_failed_and_only_of_its_unit(bench: Bench) -> None:
    window, told = bench.window, "Not measured: RuntimeError: torch refuses."
    run, session = present(window.measure_panel).run, present(bench.studio.erf_session)
    words = {
        window.numbers: window.numbers.title.text,
        window.profile: window.profile.beyond.text,
        window.measure_panel: run.text.text,
    }

    def said() -> dict[str, bool]:
        found = {"canvas": "measuring failed" in window.canvas.caption.text()}
        found["inspector"] = told in window.inspector._note.text()
        for panel, text in words.items():
            window.tabs.setCurrentWidget(present(panel))
            if panel is window.numbers:
                window.numbers.refresh()
            found[type(panel).__name__] = "RuntimeError: torch refuses." in text()
        return found

    error = RuntimeError("torch refuses")
    error.add_note("Traceback: line 7 of conv.py")
    bench.measure()
    bench.runner.jobs[-1].failed.emit(error)
    assert all(said().values())
    assert "failed" not in window.canvas.switches._buttons["erf"].accessibleName()
    assert run.line.text() == "Not measured."
    run.copy.click()
    assert "line 7 of conv.py" in QGuiApplication.clipboard().text()
    layer, unit = bench.studio.selection.value[:2]
    bench.studio.selection.select_layer("stem")
    assert not any(said().values())
    assert (run.line.text(), run.copy.isVisible()) == (
        "This unit has not been measured yet.",
        False,
    )
    session.set_options(samples=7)
    bench.studio.selection.select_layer(layer, unit)
    assert all(said().values())
    assert run.copy.isVisible()
    session.set_options(samples=10)
    assert "torch refuses" in run.text.text()  # options do not take the reason away
    assert not run.notice.isVisible()  # nor does what it would cost go before it
    bench.measure()
    assert not any(said().values())


def test_that_samples_before_a_failure_are_shown_with_the_reason(bench: Bench) -> None:
    window = bench.window
    run = present(window.measure_panel).run
    window.tabs.setCurrentWidget(present(window.measure_panel))
    bench.measure().progressed.emit(0.4, bench.result(4))
    bench.runner.jobs[-1].failed.emit(RuntimeError("gone"))
    assert run.line.text() == "Stopped after 4 of 10 samples."
    assert run.text.text() == "RuntimeError: gone."
    assert "No more was measured: RuntimeError: gone." in window.inspector._note.text()
    assert window.status.currentMessage() == "No more was measured: RuntimeError: gone."
    layer, unit = bench.studio.selection.value[:2]
    bench.studio.selection.select_layer("stem")
    bench.studio.selection.select_layer(layer, unit)
    assert run.line.text() == "Stopped after 4 of 10 samples."
    assert run.text.text() == "RuntimeError: gone."
    assert run.more.isVisible()


def test_that_a_measured_field_comes_back_with_the_input_as_reference(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.measure().succeeded.emit(bench.result(10))
    bench.studio.analysis.set_reference("stem")
    label, values = bench.shown(monkeypatch)
    assert label == "expected (approximate)"
    assert np.array_equal(values, bench.expected())
    bench.studio.analysis.set_reference("input")
    assert bench.shown(monkeypatch)[0] == "measured (energy, 10 samples)"


def test_that_another_layer_under_another_reference_drops_the_measured_field(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.measure().succeeded.emit(bench.result(10))
    bench.studio.analysis.set_reference("stem")
    bench.studio.selection.select_layer("stage")
    assert bench.shown(monkeypatch)[0].startswith("expected")
    bench.studio.analysis.set_reference("input")
    label, values = bench.shown(monkeypatch)
    assert label.startswith("expected")
    assert np.array_equal(values, bench.expected())


def test_that_all_parts_show_the_expected_field_after_an_edit_and_after_its_undo(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.measure()
    job.progressed.emit(0.5, bench.result(5))
    before = bench.expected()
    bench.studio.edits.set_parameter((0,), "kernel_size", 5)
    assert bench.shown(monkeypatch)[0].startswith("expected")
    bench.studio.document.undo_stack.undo()
    label, values = bench.shown(monkeypatch)
    assert label.startswith("expected")
    assert np.array_equal(values, before)


def test_that_a_result_of_the_unit_before_is_shown_nowhere(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.measure()
    late = bench.result(10)
    job.progressed.emit(0.5, bench.result(5))
    bench.studio.selection.select_unit((3, 4))
    for signal, words in ((job.progressed, (0.9, late)), (job.succeeded, (late,))):
        signal.emit(*words)
        label, values = bench.shown(monkeypatch)
        assert label.startswith("expected")
        assert np.array_equal(values, bench.expected())
    bench.measure().succeeded.emit(bench.result(10))
    assert bench.shown(monkeypatch)[0] == "measured (energy, 10 samples)"
    bench.studio.selection.select_unit((16, 16))
    label, values = bench.shown(monkeypatch)
    assert label == "measured (energy, 10 samples)"
    assert values is late.map  # its own, which went on while the other unit was chosen


def test_that_a_field_that_takes_long_comes_to_all_parts_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EXPECTED, "seconds", 1.0)  # as if the last one had taken a second
    bench.studio.selection.select_unit((1, 2))
    assert bench.window.canvas.effective_field is None
    assert bench.window.inspector.effective.texts() == {}
    bench.studio.erf.slices.finish()
    assert bench.shown(monkeypatch)[0].startswith("expected")
