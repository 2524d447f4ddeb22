"""A measurement belongs to one network, layer and unit, and is never shown for another."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QCoreApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.jobs import JobRunner
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture, Layer
from tests.narrowing import present

NETWORK = Architecture(
    name="two",
    input_size=(9, 9),
    layers=(
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), "a"),
        Layer(ops.Relu(), "r"),
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), "b"),
    ),
)


class Bench:
    """Everything that a measurement depends on, and what it announced."""

    def __init__(self) -> None:
        self.runner = JobRunner()
        self.document = Document(NETWORK)
        self.session = AnalysisSession(self.document)
        self.selection = Selection(self.session)
        self.selection.select_layer("b", (4, 4))
        self.erf = ErfSession(self.runner, self.session, self.selection)
        self.results: list[object] = []
        self.states: list[str] = []
        self.erf.erf_changed.connect(self.results.append)
        self.erf.state_changed.connect(self.states.append)

    def measured(self, qtbot: QtBot) -> None:
        with qtbot.waitSignal(
            self.erf.erf_changed, timeout=60_000, check_params_cb=lambda result: result is not None
        ):
            self.erf.measure()


@pytest.fixture
def bench(qapp: QCoreApplication) -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.runner.shutdown()
    qapp.processEvents()


def test_that_the_chosen_unit_is_measured_and_dropped_when_another_is_chosen(
    qtbot: QtBot, bench: Bench
) -> None:
    partial: list[float] = []
    bench.erf.progressed.connect(lambda fraction, _: partial.append(fraction))
    bench.erf.set_options(samples=4, images_per_weights=1)
    bench.measured(qtbot)
    result = bench.erf.result
    assert result is not None
    assert result.layer == "b"
    assert (result.unit, result.samples) == ((4, 4), 4)
    assert np.count_nonzero(result.map) == 25
    assert partial

    bench.session.set_reference("a")  # another view of the same network
    assert bench.erf.result is result
    bench.selection.select_unit((4, 5))
    assert bench.erf.result is None
    assert bench.results == [result, None]
    assert bench.states == ["measuring", "done", "idle"]


def test_that_an_edit_drops_the_result_and_ends_a_running_measurement(
    qtbot: QtBot, bench: Bench
) -> None:
    bench.measured(qtbot)
    wider = replace(
        NETWORK, layers=(Layer(ops.Conv(kernel_size=5, padding=2), "a"), *NETWORK.layers[1:])
    )
    bench.document.edit("Widen", wider)
    assert bench.erf.result is None

    bench.erf.set_options(samples=1_000_000)
    with qtbot.waitSignal(bench.erf.progressed, timeout=60_000):
        bench.erf.measure()
    assert bench.erf.is_measuring
    reports: list[object] = []
    bench.erf.progressed.connect(lambda *_: reports.append(1))
    bench.document.undo_stack.undo()
    assert not bench.erf.is_measuring
    bench.erf.set_options(samples=2)
    bench.measured(qtbot)
    assert bench.erf.result is not None
    assert len(reports) <= 2  # those of the second measurement alone


def test_that_cancel_keeps_the_samples_that_are_there_and_they_can_be_added_to(
    qtbot: QtBot, bench: Bench
) -> None:
    bench.erf.set_options(samples=1_000_000, images_per_weights=1)
    with qtbot.waitSignal(bench.erf.progressed, timeout=60_000):
        bench.erf.measure()
    bench.erf.cancel()
    stopped = bench.erf.result
    assert stopped is not None
    assert bench.erf.state == "stopped"
    assert bench.erf.is_current
    assert bench.erf.shortfall == f"{stopped.samples} of 1,000,000 samples"

    bench.erf.set_options(estimator="signed")  # for the next measurement, not for this one
    with qtbot.waitSignal(
        bench.erf.progressed,
        timeout=60_000,
        check_params_cb=lambda _, far: far.samples > stopped.samples,
    ):
        bench.erf.measure_more()
    bench.erf.cancel()
    assert bench.erf.result is not None
    assert bench.erf.result.options["estimator"] == "energy"
    assert bench.erf.result.seconds > stopped.seconds

    bench.erf.set_options(samples=2)
    bench.selection.select_unit((0, 0))
    assert bench.erf.result is None
    assert bench.erf.state == "idle"
    bench.measured(qtbot)
    assert "'signed'" in bench.erf.why_no_more
    bench.erf.set_options(estimator="abs")
    bench.measured(qtbot)
    with qtbot.waitSignal(
        bench.erf.erf_changed, timeout=60_000, check_params_cb=lambda result: result is not None
    ):
        bench.erf.measure_more()
    assert (bench.erf.result.samples, bench.erf.shortfall) == (4, "")  # as many again


def test_that_cancel_before_the_first_sample_leaves_nothing_measured(bench: Bench) -> None:
    bench.erf.measure()
    bench.erf.cancel()
    assert bench.erf.state == "idle"
    assert bench.results == []


@pytest.mark.slow
def test_that_a_failure_is_told_and_the_session_goes_on(qtbot: QtBot, bench: Bench) -> None:
    bench.erf.set_options(weights="/nowhere/w.safetensors")
    with qtbot.waitSignal(bench.erf.failed, timeout=60_000) as blocker:
        bench.erf.measure()
    assert isinstance(blocker.args[0], RFStudioError)
    assert "/nowhere/w.safetensors cannot be read" in str(blocker.args[0])
    bench.erf.set_options(weights="random", samples=2)
    bench.measured(qtbot)


@pytest.mark.slow
def test_that_measuring_an_image_needs_one(qtbot: QtBot, bench: Bench) -> None:
    bench.erf.set_options(inputs="image", samples=2)
    with qtbot.waitSignal(bench.erf.failed) as blocker:
        bench.erf.measure()
    assert "no image on the canvas" in str(blocker.args[0])
    bench.erf.set_image(np.zeros((20, 30, 3), np.uint8) + 90)
    bench.measured(qtbot)
    bench.erf.set_image(None)
    assert bench.erf.result is None


def test_that_the_images_of_a_folder_are_measured(
    qtbot: QtBot, bench: Bench, tmp_path: Path
) -> None:
    for shade in (50, 100, 150):
        pixels = np.full((12, 14, 3), shade, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{shade}.png")
    bench.erf.set_options(inputs="folder", folder=tmp_path, samples=2)
    bench.measured(qtbot)
    assert bench.erf.result is not None
    # All that there are, as on the command line: more samples show the third one, too.
    assert bench.erf.result.options["images"] == 3


@pytest.mark.slow
def test_that_an_empty_folder_is_told(qtbot: QtBot, bench: Bench, tmp_path: Path) -> None:
    bench.erf.set_options(inputs="folder", folder=tmp_path)
    with qtbot.waitSignal(bench.erf.failed, timeout=60_000) as blocker:
        bench.erf.measure()
    assert "holds no image" in str(blocker.args[0])


def test_that_the_expected_field_follows_the_initialisation(bench: Bench) -> None:
    view = ErfView(bench.session, bench.selection, bench.erf)
    usual = present(view.shown.expected)
    bench.erf.set_options(init="luo2016_corners")
    other = present(view.shown.expected)
    # Two layers: σ² of 2 · 2/3, and of 2 where all taps are a pixel away along both axes.
    assert usual.metrics.sigma == pytest.approx(((4 / 3) ** 0.5,) * 2)
    assert other.metrics.sigma == pytest.approx((2**0.5,) * 2)
    assert other.label == "expected (exact; weights: Luo, corners alone)"
    bench.erf.set_options(weights="uniform")
    assert present(view.shown.expected).label == usual.label
    bench.erf.set_options(weights="random", init="luoo")
    assert view.shown.expected is None
    assert "did you mean 'luo'" in bench.erf.options.lacking
