"""The panel of measuring: what is chosen, what is said, and what is drawn, through its widgets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PySide6.QtCore import QObject, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.effective.measuring_options import OPTIONS
from rfstudio.app.effective.shown_fields import NOTHING_MEASURED
from rfstudio.app.jobs import JobRunner
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.core import ops
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.distance import RATE
from rfstudio.core.network.architecture import Architecture, Layer, Residual
from rfstudio.widgets.erf_panel.convergence_chart import apart
from rfstudio.widgets.erf_panel.editors import FileQuestions
from rfstudio.widgets.erf_panel.panel import ErfPanel
from tests.narrowing import instance, present


def conv(name: str) -> Layer:
    return Layer(ops.Conv(kernel_size=3, padding=1, out_channels=8, bias=False), name)


PLAIN = Architecture(
    name="plain", input_size=(15, 15), layers=(conv("a"), Layer(ops.Relu(), "r"), conv("b"))
)
NORMED = replace(PLAIN, layers=(conv("a"), Layer(ops.BatchNorm(), "n"), conv("b")))


class Session(QObject):
    """Measures nothing; a test says what happens."""

    erf_changed = Signal(object)
    progressed = Signal(float, object)
    failed = Signal(Exception)
    state_changed = Signal(str)
    options_changed = Signal(object)
    measurement_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.measurement = NOTHING_MEASURED
        self.options = ErfOptions()
        self.result: Any = None
        self.state = "idle"
        self.why_no_more = "nothing yet"
        self.calls: list[str] = []

    def set_options(self, **changes: Any) -> None:
        self.options = replace(self.options, **changes)
        self.options_changed.emit(self.options)

    def reset_options(self) -> None:
        self.options = ErfOptions()
        self.options_changed.emit(self.options)

    def measure(self) -> None:
        self.calls.append("measure")
        self.enter("idle")
        self.enter("measuring")

    def measure_more(self) -> None:
        self.calls.append("more")
        self.enter("measuring")

    def cancel(self) -> None:
        self.calls.append("cancel")
        self.why_no_more = ""
        self.enter("stopped")

    def enter(self, state: str) -> None:
        self.state = state
        self.state_changed.emit(state)


class Answers:
    """Answers what the panel asks."""

    file: Path | None = None
    photos: Path | None = None

    def weights(self, parent: QWidget) -> Path | None:
        return self.file

    def folder(self, parent: QWidget) -> Path | None:
        return self.photos


class Bench:
    """A panel with all that it shows."""

    def __init__(self, qtbot: QtBot, network: Architecture = PLAIN) -> None:
        self.session = Session()
        self.answers = Answers()
        self.document = Document(network)
        self.analysis = AnalysisSession(self.document)
        self.selection = Selection(self.analysis)
        edits = LayerEdits(self.document, self.analysis, self.selection)
        self.panel = ErfPanel(
            cast("ErfSession", self.session),
            session=self.analysis,
            selection=self.selection,
            edits=edits,
            questions=cast("FileQuestions", self.answers),
        )
        qtbot.addWidget(self.panel)
        self.panel.resize(1000, 200)
        with qtbot.waitExposed(self.panel):
            self.panel.show()

    def choose(self, name: str, title: str) -> None:
        """Choose by keyboard, as a user types the first letters."""
        box = self.panel.form.editor(name).input
        assert isinstance(box, QComboBox)
        index = box.findText(title, Qt.MatchFlag.MatchStartsWith)
        assert index >= 0, title
        box.setCurrentIndex(index)
        box.activated.emit(index)

    def so_far(self, samples: int, **changes: Any) -> Any:
        """Return a measurement that is off the expected field by 1/samples at one pixel."""
        graph = self.analysis.analysis.graph
        field = expected_erf(graph, graph.index("b"), (7, 7)).map
        field = field / field.sum()
        field[7, 7] += 1 / samples
        return self.so_far_of(samples, {"map": field, "layer": "b", "unit": (7, 7)}, **changes)

    @staticmethod
    def so_far_of(samples: int, seen: dict[str, Any], **changes: Any) -> Any:
        """Return a measurement of another unit: its map, layer and unit."""
        values = {
            **seen,
            "samples": samples,
            "wanted": 100,
            "seconds": samples / 10,
            "device": "cpu (1 of 2 cores)",
            "versions": {"rfstudio": "0.1", "torch": "2.13"},
            "options": {
                "estimator": "energy",
                "images_per_weights": 1,
                "seed": 5,
                **changes.pop("options", {}),
            },
            "notes": (),
        }
        return SimpleNamespace(**{**values, **changes})


@pytest.fixture
def bench(qtbot: QtBot) -> Bench:
    return Bench(qtbot)


# --- options ------------------------------------------------------------------------------------


def test_that_every_option_has_an_editor_a_name_and_a_sentence(bench: Bench) -> None:
    for option in OPTIONS:
        editor = bench.panel.form.editor(option.name).input
        assert editor.accessibleName() == option.title
        assert option.sentence in editor.accessibleDescription()
        around = present(present(editor.parentWidget()).parentWidget())
        assert around.toolTip() == editor.accessibleDescription()


def test_that_a_choice_reaches_the_session_and_is_explained(bench: Bench, qtbot: QtBot) -> None:
    bench.choose("estimator", "occlusion")
    assert bench.session.options.estimator == "occlusion"
    instance(QSpinBox, bench.panel.form.editor("samples").input).setValue(7)
    assert bench.session.options.samples == 7
    bench.panel.activateWindow()
    with qtbot.waitActive(bench.panel):
        bench.panel.form.editor("estimator").input.setFocus()
    assert "Estimator" in bench.panel.form.help.text()
    assert "filled" in bench.panel.form.help.text()


def test_that_every_enabled_option_is_reached_with_tab_in_their_order(
    bench: Bench, qtbot: QtBot
) -> None:
    with qtbot.waitActive(bench.panel):
        bench.panel.activateWindow()
    bench.panel.form.editor("recipe").input.setFocus()
    reached = []
    for _ in range(30):
        focused = QApplication.focusWidget()
        assert focused is not None
        reached.append(focused.accessibleName() or getattr(focused, "text", str)())
        qtbot.keyClick(focused, Qt.Key.Key_Tab)
    wanted = [x.title for x in OPTIONS if not bench.panel.form.reason(x.name)]
    assert [x for x in reached if x in wanted][: len(wanted)] == wanted
    assert "Measure" in reached


@pytest.mark.parametrize(
    ("estimator", "on", "off"),
    [
        ("energy", set(), {"patch", "stride", "fill", "amplitude"}),
        ("occlusion", {"patch", "stride", "fill"}, {"amplitude"}),
        ("perturbation", {"patch", "stride", "amplitude"}, {"fill"}),
    ],
)
def test_that_options_without_meaning_are_disabled_with_a_reason(
    bench: Bench, estimator: str, on: set[str], off: set[str]
) -> None:
    bench.session.set_options(estimator=estimator)
    form = bench.panel.form
    for name in on:
        assert form.editor(name).input.isEnabled()
        assert form.reason(name) == ""
    for name in off:
        assert not form.editor(name).input.isEnabled()
        assert form.reason(name).startswith("Only ")
        assert form.reason(name) in form.editor(name).input.accessibleDescription()


def test_that_options_of_drawing_are_off_where_nothing_is_drawn(bench: Bench) -> None:
    form = bench.panel.form
    bench.session.set_options(weights="uniform", inputs="image", estimator="abs")
    assert "Nothing is drawn" in form.reason("seed")
    assert "same for all samples" in form.reason("images_per_weights")
    bench.session.set_options(estimator="energy")  # its signs are drawn
    assert form.reason("seed") == ""


def test_that_batch_norm_is_asked_for_where_there_is_some(bench: Bench) -> None:
    assert bench.panel.form.reason("batch_norm") == "This network has no batch norm."
    bench.document.edit("Norm", NORMED)
    assert bench.panel.form.reason("batch_norm") == ""


def test_that_weights_and_photos_are_asked_for_and_shown_by_name(
    bench: Bench, tmp_path: Path
) -> None:
    box = instance(QComboBox, bench.panel.form.editor("weights").input)
    bench.choose("weights", "a file")
    assert bench.session.options.weights == "random"  # the user gave none
    assert box.currentText() == "random"
    bench.answers.file = tmp_path / "trained.safetensors"
    bench.choose("weights", "a file")
    assert bench.session.options.weights == str(bench.answers.file)
    assert box.currentText() == "trained.safetensors"
    bench.answers.photos = tmp_path
    bench.choose("inputs", "a folder")
    assert (bench.session.options.inputs, bench.session.options.folder) == ("folder", tmp_path)
    assert str(tmp_path) in bench.panel.form.editor("inputs").input.accessibleDescription()


def test_that_one_channel_or_all_are_chosen(bench: Bench) -> None:
    spin = instance(QSpinBox, bench.panel.form.editor("channel").input)
    assert spin.text() == "all"
    spin.setValue(3)
    assert bench.session.options.channel == 3
    spin.setValue(spin.minimum())
    assert bench.session.options.channel is None


def test_that_a_recipe_sets_the_options_and_a_change_makes_them_ones_own(bench: Bench) -> None:
    recipe = instance(QComboBox, bench.panel.form.editor("recipe").input)
    bench.choose("recipe", "luo2016")
    options = bench.session.options
    assert (options.estimator, options.samples, options.images_per_weights) == ("abs", 20, 1)
    assert "arXiv:1701.04128" in bench.panel.run.text.text()
    instance(QSpinBox, bench.panel.form.editor("samples").input).setValue(21)
    assert recipe.currentText() == "own choice"


def test_that_a_recipe_for_trained_networks_says_what_is_still_needed(
    bench: Bench, tmp_path: Path
) -> None:
    bench.choose("recipe", "slak")
    box = instance(QComboBox, bench.panel.form.editor("recipe").input)
    assert box.currentText() == "slak"
    assert "Still needed: a file of trained weights and photos." in box.accessibleDescription()
    assert "github.com/VITA-Group/SLaK" in bench.panel.run.text.text()
    bench.session.set_options(weights="w.pt", inputs="folder", folder=tmp_path)
    assert "Still needed" not in box.accessibleDescription()
    assert box.currentText() == "slak"


def test_that_the_wheel_over_an_editor_scrolls_and_changes_nothing(bench: Bench) -> None:
    spin = bench.panel.form.editor("samples").input
    spin.clearFocus()
    event = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(0, -20), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(spin, event)
    assert bench.session.options.samples == 32


def test_that_one_button_brings_all_defaults_back(bench: Bench) -> None:
    reset = bench.panel.form.reset
    assert not reset.isEnabled()
    bench.choose("recipe", "openerf")
    reset.click()
    assert bench.session.options.is_default
    recipe = instance(QComboBox, bench.panel.form.editor("recipe").input)
    assert recipe.currentText() == "own choice"
    assert not reset.isEnabled()


def test_that_files_that_are_gone_are_told_before_measuring(bench: Bench, tmp_path: Path) -> None:
    notice = bench.panel.run.notice
    assert not notice.isVisible()
    bench.session.set_options(weights=str(tmp_path / "gone.safetensors"))
    assert "gone.safetensors is not there" in notice.text()
    bench.session.set_options(weights="random", inputs="folder", folder=tmp_path / "none")
    assert "none is not there" in notice.text()
    bench.session.set_options(folder=tmp_path)
    assert not notice.isVisible()


def test_that_much_work_is_told_before_it_starts(bench: Bench) -> None:
    bench.session.set_options(estimator="occlusion", patch=1, stride=1, samples=100)
    # Two 3×3 convolutions: the unit reads 5×5 pixels, each a patch of its own.
    assert "25 patches × 100 samples = 2,500 evaluations" in bench.panel.run.notice.text()
    bench.session.set_options(samples=1)
    assert not bench.panel.run.notice.isVisible()


def test_that_the_input_size_of_a_recipe_is_one_click_and_one_step_back(bench: Bench) -> None:
    run = bench.panel.run
    bench.choose("recipe", "replknet")
    said = run.notice.text().replace("\xa0", " ")
    assert "measures at 1024 × 1024; the input of the network is 15 × 15" in said
    assert "GB of memory" not in run.notice.text()
    run.remedy.click()
    assert bench.analysis.analysis.input_size == (1024, 1024)
    bench.panel._telling.timeout.emit()
    assert not run.remedy.isVisible()
    bench.document.undo_stack.undo()
    assert bench.analysis.analysis.input_size == (15, 15)


def test_that_an_input_size_that_does_not_fit_is_refused_in_words(qtbot: QtBot) -> None:
    fixed = Residual((conv("a"), Layer(ops.Upsample(size=(15, 15)), "up")))
    network = Architecture(name="fixed", input_size=(15, 15), channels=8, layers=(fixed,))
    bench = Bench(qtbot, network)
    bench.choose("recipe", "replknet")
    bench.panel.run.remedy.click()
    assert bench.analysis.analysis.input_size == (15, 15)
    assert "does not work at 1024 × 1024" in bench.panel.run.text.text()


# --- running ------------------------------------------------------------------------------------


def test_that_buttons_and_progress_follow_a_measurement(bench: Bench, qtbot: QtBot) -> None:
    run = bench.panel.run
    assert not run.cancel.isEnabled()
    qtbot.keyClick(run.measure, Qt.Key.Key_Space)
    assert bench.session.calls == ["measure"]
    assert run.cancel.isEnabled()
    assert run.line.text().startswith("Starting")
    bench.session.progressed.emit(0.25, bench.so_far(25))
    assert run.progress.value() == 250
    # 25 samples in 2.5 s: 75 more take 7.5 s.
    assert run.line.text().startswith("25 of 100 samples")
    assert "about 8 s left" in run.line.text()
    qtbot.keyClick(run.cancel, Qt.Key.Key_Space)
    assert bench.session.calls == ["measure", "cancel"]
    assert run.line.text() == "Stopped after 25 of 100 samples."
    assert len(bench.panel.chart.points) == 1  # what was drawn stays

    run.more.click()
    assert bench.session.calls[-1] == "more"
    bench.session.progressed.emit(0.5, bench.so_far(50))
    assert len(bench.panel.chart.points) == 2  # and the curve goes on
    run.measure.click()
    assert not bench.panel.chart.points


def test_that_the_facts_of_a_result_are_told_with_its_recipe(bench: Bench) -> None:
    bench.choose("recipe", "luo2016")
    bench.session.measure()
    bench.session.enter("done")
    result = bench.so_far(100, notes=("memory ran out; samples at once reduced to 2",))
    bench.session.erf_changed.emit(result)
    run = bench.panel.run
    assert run.line.text() == "Measured 100 samples in 10.00 s on cpu (1 of 2 cores)."
    for fact in ("Recipe luo2016", "seed 5", "torch 2.13", "Memory ran out"):
        assert fact in run.text.text()
    bench.session.enter("idle")
    assert "listed in Results" in run.line.text()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RFStudioError("no CUDA device is available here; choose cpu"), "No CUDA device is"),
        (ValueError("bad"), "ValueError: bad"),
    ],
)
def test_that_errors_are_told_in_words_and_gone_with_the_next_run(
    bench: Bench, error: Exception, words: str
) -> None:
    bench.session.measure()
    bench.session.enter("idle")
    bench.session.failed.emit(error)
    run = bench.panel.run
    assert run.line.text() == "Not measured."
    assert run.text.text().startswith(words)
    bench.session.measure()
    assert words not in run.text.text()


# --- the curve ----------------------------------------------------------------------------------


def test_that_the_curve_shows_the_distance_to_the_exact_expected_field(bench: Bench) -> None:
    bench.session.measure()
    for samples in (1, 4, 100):
        bench.session.progressed.emit(samples / 100, bench.so_far(samples))
    bench.session.erf_changed.emit(bench.so_far(100))
    counts = tuple(x for x, _ in bench.panel.chart.points)
    distances = tuple(x for _, x in bench.panel.chart.points)
    assert counts == (1, 4, 100)
    # p + d at one pixel, all over 1 + d: L1 = 2 d (1 − p)/(1 + d), p the share of that pixel.
    graph = bench.analysis.analysis.graph
    field = expected_erf(graph, graph.index("b"), (7, 7)).map
    p = field[7, 7] / field.sum()
    wanted = [2 / n * (1 - p) / (1 + 1 / n) for n in counts]
    assert distances == pytest.approx(wanted, rel=1e-12)
    assert bench.panel.chart.shows_rate
    assert f"{RATE}/√N" in bench.panel.chart.sentence.text()


def test_that_rms_is_compared_as_its_square(bench: Bench) -> None:
    bench.session.measure()
    energy = bench.so_far(4)
    rms = bench.so_far(4, map=np.sqrt(energy.map), options={"estimator": "rms"})
    bench.session.progressed.emit(0.1, energy)
    first = bench.panel.chart.points[0][1]
    bench.session.measure()
    bench.session.progressed.emit(0.1, rms)
    assert bench.panel.chart.points[0][1] == pytest.approx(first)


def test_that_an_approximate_field_gets_a_curve_but_no_line(qtbot: QtBot) -> None:
    bench = Bench(qtbot, NORMED)
    bench.session.measure()
    bench.session.progressed.emit(0.1, bench.so_far(10))
    chart = bench.panel.chart
    assert chart.points
    assert not chart.shows_rate
    assert "approximate" in chart.sentence.text()
    assert "'n'" in chart.sentence.toolTip()  # the layer that is the reason


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"estimator": "abs"}, "predicts energy and rms, not 'abs'"),
        ({"weights": "uniform"}, "that of random weights"),
        ({"images": 3}, "that of noise"),
        ({"channel": 2}, "all channels"),
    ],
)
def test_that_where_nothing_can_be_compared_a_sentence_says_why(
    bench: Bench, options: dict[str, Any], words: str
) -> None:
    bench.session.measure()
    bench.session.progressed.emit(0.1, bench.so_far(10, options=options))
    chart = bench.panel.chart
    assert words in chart.sentence.text()
    assert not chart.points
    assert not chart.plot.isVisible()


def test_that_the_panel_does_without_an_analysis(qtbot: QtBot, bench: Bench) -> None:
    session = Session()
    panel = ErfPanel(cast("ErfSession", session))
    qtbot.addWidget(panel)
    session.measure()
    session.progressed.emit(0.1, bench.so_far(10))
    assert "no expected field" in panel.chart.sentence.text()


# --- looks --------------------------------------------------------------------------------------


def test_that_the_parts_lie_below_each_other_where_it_is_narrow(bench: Bench) -> None:
    panel = bench.panel
    assert panel.run.x() > panel.form.x()
    panel.resize(330, 640)
    present(panel.layout()).activate()
    assert panel.run.x() == panel.form.x()
    assert panel.run.y() > panel.form.y()


@pytest.mark.parametrize("width", [330, 700, 1024, 1440])
def test_that_no_editor_is_cut_off(bench: Bench, width: int) -> None:
    bench.panel.resize(width, 400)
    present(bench.panel.layout()).activate()
    area = bench.panel.form.area
    inside = present(area.widget())
    present(inside.layout()).activate()
    assert inside.minimumSizeHint().width() <= area.viewport().width()


# --- for real -----------------------------------------------------------------------------------


@pytest.fixture
def runner(qapp: QApplication) -> Iterator[JobRunner]:
    runner = JobRunner()
    yield runner
    runner.shutdown()
    qapp.processEvents()


def test_that_a_real_measurement_comes_near_the_expected_field(
    qtbot: QtBot, runner: JobRunner
) -> None:
    analysis = AnalysisSession(Document(PLAIN))
    selection = Selection(analysis)
    selection.select_layer("b", (7, 7))
    session = ErfSession(runner, analysis, selection)
    panel = ErfPanel(session, session=analysis)
    qtbot.addWidget(panel)
    instance(QSpinBox, panel.form.editor("samples").input).setValue(256)
    instance(QSpinBox, panel.form.editor("images_per_weights").input).setValue(1)
    with qtbot.waitSignal(session.erf_changed, timeout=150_000):
        qtbot.mouseClick(panel.run.measure, Qt.MouseButton.LeftButton)
    chart = panel.chart
    assert chart.shows_rate
    assert len(chart.points) >= 2
    samples, distance = chart.points[-1]
    assert samples == 256
    # 1.5/√256 = 0.094; a field of 25 pixels is nearer, and chance allows for some more.
    assert 0.005 < distance < 1.5 * RATE / 16
    assert distance < chart.points[0][1]
    assert panel.run.line.text().startswith("Measured 256 samples")
    assert "torch" in panel.run.text.text()


def test_that_numbers_below_the_curve_do_not_touch() -> None:
    ticks = [(float(x), str(10**x)) for x in range(6)]
    assert apart(ticks, 100, len) == ticks
    # Numbers of up to six letters and a gap of one, with four letters from mark to mark.
    assert [x for _, x in apart(ticks, 4, len)] == ["1", "10", "100", "10000"]
    assert apart([], 4, len) == []


# --- units that see nothing ---------------------------------------------------------------------

_APART = Architecture(
    name="apart",
    input_size=(8, 8),
    layers=(
        Layer(ops.Conv(kernel_size=3, padding=9, out_channels=4), "far"),
        Layer(ops.Conv(kernel_size=99, out_channels=4), "empty"),
        Layer(ops.Conv(kernel_size=1, out_channels=4), "after"),
    ),
)


@pytest.mark.parametrize(
    ("layer", "unit", "words"),
    [
        ("far", (0, 0), "sees only padding"),
        ("empty", (0, 0), "'empty' would be empty"),
        ("after", (0, 0), "'empty' would be empty"),  # what is before it is enough
        ("far", (12, 12), ""),
    ],
)
def test_that_a_unit_that_cannot_be_measured_says_so_before(
    qtbot: QtBot, layer: str, unit: tuple[int, int], words: str
) -> None:
    bench = Bench(qtbot, _APART)
    bench.selection.select_layer(layer, unit)
    notice = bench.panel.run.notice

    def is_said() -> bool:
        text = notice.text()
        return words in text and text.startswith("This unit cannot be measured. ") == bool(words)

    qtbot.waitUntil(is_said)


def test_that_a_map_of_nothing_gets_words_and_no_empty_plot(qtbot: QtBot) -> None:
    bench = Bench(qtbot, NORMED)
    chart = bench.panel.chart
    bench.session.measure()
    nothing = bench.so_far(4, map=np.zeros((15, 15)))
    bench.session.progressed.emit(0.1, nothing)
    assert "No pixel has moved this unit so far" in chart.sentence.text()
    assert not chart.plot.isVisible()
    bench.session.progressed.emit(0.2, bench.so_far(10))
    assert chart.plot.isVisible()
    assert "approximate" in chart.sentence.text()


def test_that_a_unit_that_sees_only_padding_gets_words_and_no_empty_plot(qtbot: QtBot) -> None:
    bench = Bench(qtbot, replace(_APART, layers=_APART.layers[:1]))
    bench.session.measure()
    seen = {"map": np.zeros((8, 8)), "layer": "far", "unit": (0, 0)}
    bench.session.progressed.emit(0.1, bench.so_far_of(4, seen))
    assert "No pixel moves this unit" in bench.panel.chart.sentence.text()
    assert not bench.panel.chart.plot.isVisible()
