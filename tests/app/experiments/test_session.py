"""Experiments of the window: run in the worker, stopped, gone on with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.experiments.session import ExperimentSession
from rfstudio.app.experiments.work import run_experiment
from rfstudio.app.jobs import JobRunner
from rfstudio.core.errors import Cancelled
from rfstudio.engine.process.running import CancelToken
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.recipe import Recipe
from tests.experiments.own_recipe import TEXT

NAME = "luo2016/fig4"


@pytest.fixture
def recipe() -> Recipe:
    (found,) = shipped.recipes_of(NAME)
    return found


@pytest.fixture
def runner(qapp: QCoreApplication) -> Iterator[JobRunner]:
    runner = JobRunner(preload=())
    yield runner
    runner.shutdown()
    qapp.processEvents()


@pytest.fixture
def session(runner: JobRunner, tmp_path: Path) -> ExperimentSession:
    return ExperimentSession(runner, runner, folder=tmp_path)


def test_that_each_report_has_all_rows_so_far(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(TEXT)
    seen: list[int] = []
    rows = run_experiment(
        str(path), tmp_path, False, False, CancelToken(), lambda _, rows: seen.append(len(rows))
    )
    assert seen == [1, 2, 3]
    assert [x["item"] for x in rows] == [0, 1, 2]


def test_that_a_cancelled_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(TEXT)
    token = CancelToken()
    with pytest.raises(Cancelled):
        run_experiment(str(path), tmp_path, False, False, token, lambda *_: token.cancel())
    rows = run_experiment(str(path), tmp_path, False, True, CancelToken(), lambda *_: None)
    assert len(rows) == 3


@pytest.mark.slow
def test_that_rows_arrive_from_the_worker(
    qtbot: QtBot, session: ExperimentSession, recipe: Recipe
) -> None:
    session.start(recipe)
    assert session.state == "running"
    qtbot.waitUntil(lambda: session.state == "done", timeout=60_000)
    table = session.table()
    assert table.headers == ("series", "layers", "trf", "luo_size", "sigma", "exact")
    assert len(table.rows) == 12
    assert session.picture is not None
    assert session.command == "rfstudio experiment luo2016/fig4"
    network = session.network_of(3)
    assert network is not None
    assert network.input_size == (85, 85)
    assert session.network_of(12) is None


@pytest.mark.slow
def test_that_a_stopped_experiment_continues(
    qtbot: QtBot, session: ExperimentSession, recipe: Recipe
) -> None:
    session.start(recipe)
    with qtbot.waitSignal(session.rows_changed, timeout=60_000):
        pass
    session.cancel()
    assert session.state == "stopped"
    assert session.picture is None
    session.go_on()
    qtbot.waitUntil(lambda: session.state == "done", timeout=60_000)
    assert len(session.table().rows) == 12
