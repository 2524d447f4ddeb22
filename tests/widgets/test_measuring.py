"""Measuring from the window: one button, progress, Cancel, and errors in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from rfstudio.app.jobs import JobRunner
from rfstudio.app.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.widgets.main_window import MainWindow
from tests.widgets.conftest import SMALL


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


@pytest.mark.slow
def test_that_one_button_measures_and_an_edit_drops_what_was_measured(
    window: MainWindow, qtbot: QtBot
) -> None:
    session = window.studio.erf_session
    session.set_options(samples=4, dtype="float64")
    with qtbot.waitSignal(session.erf_changed, timeout=60_000):
        window.actions_.measure.trigger()
        assert window.status.progress.isVisible()
        assert window.actions_.cancel.isEnabled()
    assert not window.status.progress.isVisible()
    assert "measured (energy, 4 samples)" in window.inspector.effective._title.text()
    shown = window.studio.erf.shown
    (top, bottom), (left, right) = window.studio.analysis.unit(
        *window.studio.selection.value[:2]
    ).visible_region
    outside = shown.map.copy()
    outside[top : bottom + 1, left : right + 1] = 0
    assert np.all(outside == 0)
    assert "Measured 4 samples" in window.status.currentMessage()

    window.studio.edits.set_parameter((0,), "kernel_size", 5)
    assert "expected" in window.inspector.effective._title.text()


@pytest.mark.slow
def test_that_cancel_stops_a_measurement(window: MainWindow, qtbot: QtBot) -> None:
    session = window.studio.erf_session
    session.set_options(samples=100_000)
    window.actions_.measure.trigger()
    window.status.cancel.click()
    assert not window.status.progress.isVisible()
    assert not session.is_measuring
    assert session.result is None


def test_that_what_cannot_be_measured_is_said(window: MainWindow, qtbot: QtBot) -> None:
    window.studio.images.clear()
    window.studio.erf_session.set_options(inputs="image")
    window.actions_.measure.trigger()
    assert "no image on the canvas" in window.status.currentMessage()
