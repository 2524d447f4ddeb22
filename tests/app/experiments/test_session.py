"""Experiments of the window: run in the worker, stopped, gone on with."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.experiments.session import ExperimentSession
from rfstudio.app.experiments.work import PART, Cells, run_experiment
from rfstudio.app.jobs import JobRunner
from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.engine.process.running import CancelToken
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.recipe import Recipe
from tests.experiments.own_recipe import TEXT
from tests.experiments.test_given_weights import CODE, OF_CODE

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
        str(path), tmp_path, False, 0, CancelToken(), lambda _, rows: seen.append(len(rows))
    )
    assert seen == [1, 2, 3]
    assert [x["item"] for x in rows] == [0, 1, 2]


def test_that_the_worker_draws_weights_by_another_law(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(TEXT)
    work = partial(run_experiment, str(path), tmp_path, False, 0)
    work(CancelToken(), lambda *_: None, init="orthogonal")
    command = json.loads((tmp_path / "own.json").read_text())["command"]
    assert command == f"rfstudio experiment {path} --seed 0 --init orthogonal"
    with pytest.raises(RFStudioError, match="did you mean"):
        work(CancelToken(), lambda *_: None, init="orthogonl")


def test_that_a_cancelled_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(TEXT)
    token = CancelToken()
    with pytest.raises(Cancelled):
        run_experiment(str(path), tmp_path, False, 0, token, lambda *_: token.cancel())
    rows = run_experiment(str(path), tmp_path, False, 1, CancelToken(), lambda *_: None)
    assert len(rows) == 3


@pytest.mark.slow
def test_that_rows_arrive_from_the_worker(
    qtbot: QtBot, session: ExperimentSession, recipe: Recipe
) -> None:
    session.start(recipe)
    assert session.state == "running"
    qtbot.waitUntil(lambda: session.state == "done", timeout=60_000)
    table = session.parts[0].table()
    assert table.headers == ("series", "layers", "trf", "luo_size", "sigma", "exact")
    assert len(table.rows) == 12
    assert session.parts[0].picture is not None
    assert session.command == "rfstudio experiment luo2016/fig4"
    network = session.parts[0].network_of(3)
    assert network is not None
    assert network.input_size == (85, 85)
    assert session.parts[0].network_of(12) is None


@pytest.mark.slow
def test_that_a_stopped_experiment_continues(
    qtbot: QtBot, session: ExperimentSession, recipe: Recipe
) -> None:
    session.start(recipe)
    with qtbot.waitSignal(session.rows_changed, timeout=60_000):
        pass
    session.cancel()
    assert session.state == "stopped"
    assert session.parts[0].picture is None
    session.go_on()
    qtbot.waitUntil(lambda: session.state == "done", timeout=60_000)
    assert len(session.parts[0].table().rows) == 12


@pytest.mark.slow
def test_that_all_parts_go_on_where_they_were_stopped(tmp_path: Path) -> None:
    """The parts that had not begun do not take over rows of an earlier run."""
    token = CancelToken()
    (tmp_path / "luo2016-fig3.jsonl").write_text("of an earlier run\n")
    parts: list[int] = []

    def stop_in_second(fraction: float, rows: Cells) -> None:
        parts[:] = [int(x[PART] or 0) for x in rows]
        if parts and parts[-1] == 1:
            token.cancel()

    with pytest.raises(Cancelled):
        run_experiment("luo2016", tmp_path, True, 0, token, stop_in_second)
    assert parts == [0] * 16 + [1]
    seen: list[tuple[float, int]] = []
    rows = run_experiment(
        *("luo2016", tmp_path, True, 2, CancelToken()),
        lambda fraction, rows: seen.append((fraction, len(rows))),
    )
    assert [sum(x[PART] == i for x in rows) for i in range(5)] == [16, 9, 16, 6, 12]
    assert seen == sorted(seen)
    assert all((tmp_path / f"luo2016-fig{x}.png").exists() for x in ("1a", "1b", "2", "3", "4"))


@pytest.mark.slow
def test_that_a_recipe_of_code_runs_in_the_worker(
    qtbot: QtBot, session: ExperimentSession, tmp_path: Path
) -> None:
    (tmp_path / "model.py").write_text(CODE)
    path = tmp_path / "own.yaml"
    path.write_text(OF_CODE)
    recipe = session.read(path)
    session.start(recipe, path=path, trust=True)
    qtbot.waitUntil(lambda: session.state == "done", timeout=60_000)
    (row,) = session.parts[0].rows
    assert (row["weights"], row["samples"]) == ("model", 2)
    assert row["attention"] is not None
    (tmp_path / "model.py").write_text("def mak(): ...\n")
    with qtbot.waitSignal(session.failed, timeout=60_000) as failed:
        session.start(recipe, path=path, trust=True)
    assert failed.args[0].startswith("own.yaml, line 4, column 28: ")
    assert "did you mean" in failed.args[0]
