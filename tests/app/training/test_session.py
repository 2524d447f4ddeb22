"""Trainings in the real worker: paused, killed, gone on with after the program has ended."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.effective.pins import Pins
from rfstudio.app.jobs import JobRunner
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.app.state.settings import Settings
from rfstudio.app.training.options import TrainingOptions
from rfstudio.app.training.session import TrainingSession
from rfstudio.engine.process.running import CancelToken
from rfstudio.experiments.filmed_training import run_training
from rfstudio.formats.experiments.film import FilmReader
from rfstudio.formats.networks.yaml_reader import read_yaml

NETWORK = read_yaml("""\
format: 1
name: tiny
input: {size: [20, 20], channels: 1}
layers:
  - conv: {name: stem, kernel_size: 3, padding: 1, out_channels: 8, bias: false}
  - batch_norm: {}
""")
OPTIONS = TrainingOptions(distance=1.0, steps=60, film="every 5", device="cpu")

Make = Callable[[], tuple[TrainingSession, JobRunner]]


@pytest.fixture
def make(qapp: QCoreApplication, tmp_path: Path) -> Iterator[Make]:
    runners: list[JobRunner] = []

    def made() -> tuple[TrainingSession, JobRunner]:
        runner = JobRunner(preload=())
        runners.append(runner)
        document = Document(NETWORK, parent=runner)
        analysis = AnalysisSession(document, runner)
        selection = Selection(analysis, runner)
        pins = Pins(document, analysis, selection, ErfView(analysis, selection, None, runner))
        pins.setParent(runner)
        settings = Settings(tmp_path / "settings.ini")
        session = TrainingSession(runner, document, analysis, pins, settings, runner)
        session.set_place(tmp_path / "films")
        return session, runner

    yield made
    for runner in runners:
        runner.shutdown()
    qapp.processEvents()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_that_pauses_and_the_end_of_worker_and_program_lose_nothing(
    qtbot: QtBot, make: Make, tmp_path: Path
) -> None:
    session, runner = make()
    failures: list[str] = []
    session.failed.connect(failures.append)
    session.start(OPTIONS)
    qtbot.waitUntil(lambda: len(session.frames) >= 3, timeout=300_000)
    session.pause()
    qtbot.wait(100)
    paused = len(session.frames)
    assert session.state == "paused"
    session.go_on()
    qtbot.waitUntil(lambda: len(session.frames) >= paused + 2, timeout=300_000)
    worker = runner._host._worker
    assert worker is not None
    assert worker.pid is not None
    os.kill(worker.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    qtbot.waitUntil(lambda: session.state == "paused", timeout=60_000)
    assert "was killed" in failures[-1]
    session.go_on()
    before = len(session.frames)
    qtbot.waitUntil(lambda: len(session.frames) >= before + 2, timeout=300_000)
    # The program ends in the middle, and is started again.
    runner.shutdown()
    again, _ = make()
    again.open_last()
    assert again.state == "paused"
    again.go_on()
    qtbot.waitUntil(lambda: again.state == "done", timeout=300_000)
    assert [x.step for x in again.frames] == list(range(0, 61, 5))
    # All of it is what a training without any stop gives.
    request = OPTIONS.request(NETWORK)
    run_training(
        request, tmp_path / "whole", resume=False, token=CancelToken(), report=lambda *_: None
    )
    whole = FilmReader(tmp_path / "whole")
    whole.poll()
    assert all(np.array_equal(x.map, whole.frames[x.step].map) for x in again.frames)
