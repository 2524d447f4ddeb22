"""The window of experiments: its list, its rows as they arrive, and what its buttons do."""

from functools import partial
from typing import cast

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.experiments.session import ExperimentSession
from rfstudio.app.jobs import Job, JobRunner
from rfstudio.formats.experiments import shipped
from rfstudio.widgets.experiments.panel import ExperimentsDialog

ROWS = tuple(
    {"series": "plain", "layers": n, "sigma": n / 3, "item": i} for i, n in enumerate((5, 10, 20))
)


class _Job(Job):
    """A job that a test moves on; no worker runs."""

    def __init__(self) -> None:
        super().__init__(1, cast("object", None))  # type: ignore[arg-type] # nothing is sent

    def cancel(self, grace: float = 0.0) -> None:
        pass


class _Runner:
    """Takes work and does nothing with it."""

    def __init__(self) -> None:
        self.works: list[object] = []
        self.job = _Job()

    def submit(self, _key: str, work: object) -> Job:
        self.works.append(work)
        self.job = _Job()
        return self.job


@pytest.fixture
def runner() -> _Runner:
    return _Runner()


@pytest.fixture
def dialog(qtbot: QtBot, runner: _Runner, tmp_path) -> ExperimentsDialog:
    session = ExperimentSession(cast("JobRunner", runner), folder=tmp_path)
    dialog = ExperimentsDialog(session)
    session.setParent(dialog)
    qtbot.addWidget(dialog)
    dialog.choice.setCurrentText("luo2016/fig4")
    return dialog


def test_that_all_experiments_are_listed_with_their_description(
    dialog: ExperimentsDialog,
) -> None:
    assert dialog.choice.count() == len(shipped.names())
    assert "√(2n/3)" in dialog.words.text()


def test_that_rows_arrive_while_it_runs(dialog: ExperimentsDialog, runner: _Runner) -> None:
    dialog.run.click()
    assert not dialog.run.isEnabled()
    assert dialog.cancel.isEnabled()
    runner.job.progressed.emit(0.25, ROWS[:1])
    assert dialog.table.rowCount() == 1
    runner.job.progressed.emit(0.5, ROWS[:2])
    assert dialog.progress.value() == 500
    texts = [[dialog.table.model().index(i, j).data() for j in range(3)] for i in range(2)]
    assert texts == [["plain", "5", "1.667"], ["plain", "10", "3.333"]]
    runner.job.succeeded.emit(ROWS)
    assert dialog.table.rowCount() == 3
    assert "is done" in dialog.state.text()
    assert dialog.run.isEnabled()


def test_that_a_stopped_one_continues_with_its_rows(
    dialog: ExperimentsDialog, runner: _Runner
) -> None:
    dialog.run.click()
    runner.job.progressed.emit(0.5, ROWS[:2])
    dialog.cancel.click()
    assert dialog.table.rowCount() == 2
    assert dialog.go_on.isEnabled()
    dialog.go_on.click()
    first, again = (cast("partial", x) for x in runner.works)
    assert (first.args[-1], again.args[-1]) == (False, True)  # whether it resumes


def test_that_a_failure_is_told_in_words(dialog: ExperimentsDialog, runner: _Runner) -> None:
    dialog.run.click()
    runner.job.failed.emit(ValueError("no luck"))
    assert dialog.state.text() == "ValueError: no luck"
    assert dialog.run.isEnabled()


def test_that_the_network_of_a_row_is_opened(
    qtbot: QtBot, dialog: ExperimentsDialog, runner: _Runner
) -> None:
    dialog.run.click()
    runner.job.progressed.emit(0.5, ROWS[:2])
    assert not dialog.open_network.isEnabled()
    dialog.table.selectRow(1)
    with qtbot.waitSignal(dialog.network_wanted) as wanted:
        dialog.open_network.click()
    assert wanted.args[0].input_size == (25, 25)


def test_that_the_command_is_copied(dialog: ExperimentsDialog) -> None:
    dialog.quick.setChecked(True)
    dialog.run.click()
    dialog.copy_command.click()
    copied = QApplication.clipboard().text()
    assert copied == "rfstudio experiment luo2016/fig4 --quick"
