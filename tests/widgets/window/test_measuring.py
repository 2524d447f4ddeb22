"""Measuring from the window: one button, progress, Cancel, and errors in words."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from safetensors.numpy import save_file

from rfstudio.app.jobs import JobRunner
from rfstudio.app.state.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.engine.requests.request import ErfResult
from rfstudio.widgets.window.main_window import MainWindow
from tests.measurements import FakeRunner
from tests.narrowing import present
from tests.widgets.conftest import SMALL, conv

# One unit sees 40 thousand million pixels, which no machine of today holds.
HUGE = Architecture(
    name="huge", input_size=(200_000, 200_000), layers=(conv("a"), Layer(ops.GlobalAvgPool(), "b"))
)


@pytest.fixture
def window(qtbot: QtBot, settings: Settings, answers) -> Iterator[MainWindow]:
    runner = JobRunner()
    window = MainWindow(Studio(SMALL, settings=settings, runner=runner), answers)
    with qtbot.waitExposed(window):
        window.show()
    yield window
    answers.save = "discard"
    window.close()
    window.deleteLater()


def test_that_one_button_measures_a_switch_follows_and_cancel_keeps_what_is_there(
    window: MainWindow, qtbot: QtBot
) -> None:
    # One after the other in one window, since every window starts a worker of its own.
    _measures_until_an_edit(window, qtbot)
    _follows_the_unit(window, qtbot)
    _keeps_what_is_there(window, qtbot)


def _measures_until_an_edit(window: MainWindow, qtbot: QtBot) -> None:
    session = present(window.studio.erf_session)
    session.set_options(samples=4, dtype="float64")
    with qtbot.waitSignal(session.erf_changed, timeout=60_000):
        window.actions_.measure.trigger()
        assert window.status.progress.isVisible()
        assert window.actions_.cancel.isEnabled()
    assert not window.status.progress.isVisible()
    assert "measured (energy, 4 samples)" in window.inspector.effective._title.text()
    shown = present(window.studio.erf.shown.field)
    unit = window.studio.analysis.unit(*window.studio.selection.value[:2])
    (top, bottom), (left, right) = present(unit.visible_region)
    outside = shown.map.copy()
    outside[top : bottom + 1, left : right + 1] = 0
    assert np.all(outside == 0)
    assert "Measured 4 samples" in window.status.currentMessage()

    window.studio.edits.set_parameter((0,), "kernel_size", 5)
    assert "expected" in window.inspector.effective._title.text()


def _follows_the_unit(window: MainWindow, qtbot: QtBot) -> None:
    session, selection = present(window.studio.erf_session), window.studio.selection
    session.set_options(samples=3)
    seen: list[tuple[str, tuple[int, ...]]] = []

    def note(result: ErfResult | None) -> None:
        if result is not None:
            seen.append((result.layer, result.unit))

    session.erf_changed.connect(note)
    window.actions_.follow.trigger()
    assert present(window.measure_panel).run.follow.isChecked()
    qtbot.waitUntil(lambda: len(seen) == 1, timeout=60_000)

    for x in range(6):
        selection.select_unit((5, x))
        assert (
            present(window.canvas.effective_field).name == "expected"
        )  # never that of the unit before
    qtbot.waitUntil(lambda: len(seen) == 2, timeout=60_000)
    assert seen[-1] == (selection.layer, (5, 5))
    assert present(window.canvas.effective_field).name == "measured"

    selection.select_layer("stem", (9, 9))
    qtbot.waitUntil(lambda: len(seen) == 3, timeout=60_000)
    window.studio.edits.set_parameter((0,), "kernel_size", 7)
    qtbot.waitUntil(lambda: len(seen) == 4, timeout=60_000)
    assert [x[0] for x in seen[2:]] == ["stem", "stem"]
    assert np.count_nonzero(present(session.result).map) == 49  # the kernel of the edit

    present(window.measure_panel).run.follow.click()
    assert not window.actions_.follow.isChecked()
    selection.select_unit((1, 1))
    assert not present(window.studio.following).is_waiting


def _keeps_what_is_there(window: MainWindow, qtbot: QtBot) -> None:
    session = present(window.studio.erf_session)
    session.set_options(samples=100_000)
    with qtbot.waitSignal(session.progressed, timeout=60_000):
        window.actions_.measure.trigger()
    window.status.cancel.click()
    assert not window.status.progress.isVisible()
    assert not session.is_measuring
    short = session.shortfall
    assert short.endswith("of 100,000 samples")
    assert f"(energy, {short})" in window.inspector.effective._title.text()
    assert present(window.canvas.effective_field).name == f"measured, {short}"
    assert present(window.measure_panel).run.line.text() == f"Stopped after {short}."
    assert window.actions_.measure_more.isEnabled()


@pytest.mark.slow
def test_that_every_trouble_ends_in_a_sentence_and_a_window_that_goes_on(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    studio, run = window.studio, present(window.measure_panel).run
    session = present(studio.erf_session)
    window.tabs.setCurrentWidget(present(window.measure_panel))

    def trouble(**options: Any) -> str:
        session.set_options(**options)
        with qtbot.waitSignal(session.failed, timeout=60_000):
            run.measure.click()
        assert run.line.text() == "Not measured."
        assert run.copy.isVisible()
        assert not session.is_measuring
        assert window.status.currentMessage().startswith("Not measured: ")
        return run.text.text()

    assert "gone.pt cannot be read" in trouble(weights=str(tmp_path / "gone.pt"))
    nan = tmp_path / "nan.safetensors"
    layers = ("stem", *(f"stage.{i}.{x}" for i in (0, 1) for x in "ab"), "head")
    save_file(
        {f"{x}.weight": np.full((3, 3, 3, 3), np.nan, np.float32) for x in layers}
        | {f"{x}.bias": np.zeros(3, np.float32) for x in layers},
        nan,
    )
    assert "'stem.weight' holds NaN or infinity" in trouble(weights=str(nan))
    (tmp_path / "text.safetensors").write_text("no weights at all")
    assert "text.safetensors" in trouble(weights=str(tmp_path / "text.safetensors"))
    assert "there is no such folder" in trouble(
        weights="random", inputs="folder", folder=tmp_path / "none"
    )
    assert "no device 'gpu7'" in trouble(inputs="noise", device="gpu7")

    studio.document.edit("Grow", HUGE)
    studio.selection.select_layer("b")
    assert "GB of memory, but only" in trouble(device="cpu")
    assert "One sample takes about" in before_measuring(window)
    studio.document.undo_stack.undo()

    session.set_options(samples=1_000_000)
    with qtbot.waitSignal(session.progressed, timeout=60_000):
        run.measure.click()
    with qtbot.waitSignal(session.failed, timeout=60_000):
        os.kill(present(present(present(studio.runner)._host._worker).pid), signal.SIGKILL)
    assert "was killed, as the system does when memory runs out" in run.text.text()
    assert run.line.text().startswith("Stopped after ")

    session.set_options(samples=2)
    # The samples of before are taken away first.
    with qtbot.waitSignal(session.erf_changed, timeout=60_000, check_params_cb=bool):
        run.measure.click()
    assert run.line.text().startswith("Measured 2 samples")


def before_measuring(window: MainWindow) -> str:
    """Return what the panel says of the unit that is chosen now, without waiting for it to rest."""
    present(window.measure_panel)._telling.timeout.emit()
    return present(window.measure_panel).run.notice.text()


def test_that_what_cannot_be_measured_is_said(window: MainWindow, qtbot: QtBot) -> None:
    window.studio.images.clear()
    present(window.studio.erf_session).set_options(inputs="image")
    window.actions_.measure.trigger()
    assert "no image on the canvas" in window.status.currentMessage()


def test_that_what_is_cancelled_elsewhere_is_not_said_to_be_measured_still(open_window) -> None:
    window = open_window(runner=FakeRunner())
    window.studio.selection.select_layer("head")
    window.actions_.measure.trigger()
    window.studio.selection.select_layer("stem")
    assert "head is still being measured" in window.status.currentMessage()
    assert "elsewhere" in window.status.progress.format()
    window.actions_.cancel.trigger()
    assert "still" not in window.status.currentMessage()
