"""The window of experiments: its list, its rows as they arrive, and what its buttons do."""

from functools import partial
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from rfstudio.app.experiments.session import ExperimentSession
from rfstudio.app.jobs import Job, JobRunner
from rfstudio.formats.experiments import shipped
from rfstudio.widgets.experiments.panel import ExperimentsDialog
from tests.experiments.own_recipe import TEXT

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


def test_that_rows_that_arrive_leave_the_place_of_reading(
    qtbot: QtBot, dialog: ExperimentsDialog, runner: _Runner
) -> None:
    rows = tuple(ROWS[0] | {"item": i} for i in range(60))
    dialog.show()
    dialog.run.click()
    bar = dialog.table.verticalScrollBar()
    runner.job.progressed.emit(0.1, rows[:40])
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    qtbot.waitUntil(lambda: bar.value() == bar.maximum())
    bar.setValue(3)
    runner.job.progressed.emit(0.2, rows)
    assert bar.value() == 3


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


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe of the user, which the file dialog returns."""
    path = tmp_path / "my recipes" / "context.yaml"  # named like one that comes with the program
    path.parent.mkdir()
    path.write_text(TEXT)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    return path


def test_that_a_recipe_of_the_user_is_opened_and_run(
    dialog: ExperimentsDialog, runner: _Runner, own: Path, tmp_path: Path
) -> None:
    dialog.open_recipe.click()
    assert dialog.choice.currentText() == "my recipes/context.yaml"
    assert dialog.words.text() == "<b>two depths</b>"
    dialog.choice.setCurrentText("context")
    assert "two depths" not in dialog.words.text()
    dialog.open_recipe.click()  # again: there is one entry
    assert dialog.choice.count() == len(shipped.names()) + 1
    dialog.run.click()
    name, folder, *_ = cast("partial", runner.works[0]).args
    assert name == str(own)
    assert folder.parent == tmp_path / "own"  # not among those that come with the program
    dialog.copy_command.click()
    assert QApplication.clipboard().text() == f"rfstudio experiment '{own}'"


def test_that_a_changed_recipe_is_read_again_when_it_is_run(
    dialog: ExperimentsDialog, runner: _Runner, own: Path
) -> None:
    dialog.open_recipe.click()
    own.write_text(TEXT.replace("two depths", "three depths"))
    dialog.run.click()
    assert "three depths" in dialog.words.text()
    dialog.cancel.click()
    own.write_text(TEXT)
    dialog.go_on.click()
    assert dialog.state.text() == "context.yaml has been changed; Run begins anew with it"
    own.unlink()
    for button in (dialog.run, dialog.go_on):
        button.click()
        assert "context.yaml" in dialog.state.text()
    assert len(runner.works) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("network: stack", "network: <b>stak", "line 15, column 14: "),
        ("network: stack", "network: code.py:make", "is a model, which is imported on the command"),
        (
            "format: 1\ntitle",
            "format: 1\nmood: 1\ntitel",
            "line 3, column 1: a recipe has no 'titel'",
        ),
    ],
)
def test_that_problems_of_a_recipe_are_a_sentence_with_their_place(
    dialog: ExperimentsDialog, own: Path, old: str, new: str, words: str
) -> None:
    code = own.with_name("code.py")
    code.write_text(f"open({str(own.with_name('ran'))!r}, 'w')")
    own.write_text(TEXT.replace(old, new))
    dialog.open_recipe.click()
    assert dialog.state.text().startswith("context.yaml, line ")
    assert words in dialog.state.text()
    assert not own.with_name("ran").exists()
    assert dialog.choice.currentText() == "luo2016/fig4"


def test_that_a_file_of_another_kind_is_refused(
    dialog: ExperimentsDialog, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(own.parent), ""))
    dialog.open_recipe.click()
    assert dialog.state.text() == "my recipes is no recipe: the name of one ends with .yaml"


def test_that_the_folder_of_the_results_is_opened(
    dialog: ExperimentsDialog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: seen.append(url.toLocalFile()))
    assert not dialog.open_folder.isEnabled()
    dialog.run.click()
    dialog.open_folder.click()
    assert [Path(x) for x in seen] == [tmp_path]
    assert dialog.state.text() == f"The results are in {tmp_path}"
