"""The window of experiments: its list, its rows as they arrive, and what its buttons do."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDesktopServices, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QWidget
from pytestqt.qtbot import QtBot

from rfstudio.app.experiments.session import ExperimentSession
from rfstudio.app.experiments.work import PART
from rfstudio.app.jobs import Job, JobRunner
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.experiments.other_weights import with_init
from rfstudio.experiments.running import ledger_path
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.ledger import Ledger, Row
from rfstudio.importing.reference import Reference
from rfstudio.widgets.experiments.code_dialog import CodeDialog, CodeQuestions
from rfstudio.widgets.experiments.panel import Chart, ExperimentsDialog
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


class _Questions(CodeQuestions):
    """Answers in the user's place; the dialogs are made, and not shown."""

    def __init__(self) -> None:
        self.answer = True
        self.dialogs: list[CodeDialog] = []

    def may_run(self, parent: QWidget, recipe: str, code: Sequence[Reference]) -> bool:
        self.dialogs.append(CodeDialog(recipe, code, parent))
        return self.answer and self.dialogs[-1].run.isEnabled()


@pytest.fixture
def questions() -> _Questions:
    return _Questions()


@pytest.fixture
def dialog(
    qtbot: QtBot, runner: _Runner, tmp_path: Path, questions: _Questions
) -> ExperimentsDialog:
    session = ExperimentSession(cast("JobRunner", runner), folder=tmp_path)
    dialog = ExperimentsDialog(session, questions=questions)
    session.setParent(dialog)
    qtbot.addWidget(dialog)
    dialog.choice.setCurrentText("luo2016/fig4")
    return dialog


def test_that_all_experiments_are_listed_with_their_description(
    dialog: ExperimentsDialog,
) -> None:
    texts = [dialog.choice.itemText(i) for i in range(dialog.choice.count())]
    assert [x for x in texts if "parts" not in x] == list(shipped.names())
    assert [x for x in texts if "parts" in x] == ["luo2016 (all 5 parts)"]
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
    assert (first.args[-1], again.args[-1]) == (0, 1)  # how many parts resume


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


def test_that_the_command_is_there_before_anything_has_run(dialog: ExperimentsDialog) -> None:
    dialog.seed.setValue(3)
    dialog.copy_command.click()
    assert QApplication.clipboard().text() == "rfstudio experiment luo2016/fig4 --seed 3"
    dialog.choice.setCurrentText("luo2016 (all 5 parts)")
    dialog.copy_command.click()
    assert QApplication.clipboard().text() == "rfstudio experiment luo2016 --seed 3"


def test_that_weights_are_drawn_by_a_law_that_is_chosen_or_typed(
    dialog: ExperimentsDialog, runner: _Runner
) -> None:
    dialog.init.setCurrentText("orthogonal")
    dialog.copy_command.click()
    command = "rfstudio experiment luo2016/fig4 --init orthogonal"
    assert QApplication.clipboard().text() == command
    dialog.run.click()
    assert cast("partial", runner.works[0]).keywords["init"] == "orthogonal"
    runner.job.progressed.emit(0.25, ROWS[:1])
    assert dialog.how.text().splitlines()[-1] == command
    dialog.cancel.click()
    choices = dialog.init.count()
    line = dialog.init.lineEdit()
    assert line is not None
    line.selectAll()
    QTest.keyClicks(line, " Xavier-uniform:ReLU")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert dialog.init.count() == choices  # what is typed is no choice for later
    dialog.run.click()
    assert cast("partial", runner.works[1]).keywords["init"] == "xavier_uniform:relu"
    dialog.cancel.click()
    dialog.go_on.click()
    assert cast("partial", runner.works[2]).keywords["init"] == "xavier_uniform:relu"


def test_that_a_law_without_effect_is_refused_in_words(
    dialog: ExperimentsDialog, runner: _Runner
) -> None:
    QApplication.clipboard().setText("before")
    for text, words in (("he_norml", "did you mean"), ("as torch's layers", "leave init out")):
        dialog.init.setCurrentText(text)
        for button in (dialog.run, dialog.copy_command):
            dialog.state.clear()
            button.click()
            assert words in dialog.state.text()
    assert not runner.works
    assert QApplication.clipboard().text() == "before"


def test_that_what_is_left_of_an_earlier_run_is_that_of_the_same_law(
    dialog: ExperimentsDialog, tmp_path: Path
) -> None:
    (recipe,) = with_init(shipped.recipes_of("luo2016/fig4"), "orthogonal")
    head = {"format": 1, "experiment": recipe.name, "recipe": f"{recipe.digest} orthogonal"}
    ledger = Ledger(head | {"seed": 0, "quick": False}, ledger_path(recipe, tmp_path))
    ledger.add(Row(0, {"series": "plain"}))
    ledger.finish(0)
    assert not dialog.go_on.isEnabled()
    dialog.init.setCurrentText("orthogonal")
    assert dialog.go_on.isEnabled()
    dialog.init.setCurrentText("no law")
    assert not dialog.go_on.isEnabled()


def test_that_the_numbers_have_how_they_were_found_and_the_command_beside_them(
    dialog: ExperimentsDialog, runner: _Runner
) -> None:
    dialog.seed.setValue(3)
    dialog.run.click()
    row = {"estimator": "abs", "weights": "random", "samples": 20, "seed": 3}
    runner.job.progressed.emit(0.25, ({**ROWS[0], **row},))
    assert dialog.how.text().splitlines() == [
        "abs, random weights, 20 samples, seed 3",
        "rfstudio experiment luo2016/fig4 --seed 3",
    ]


def _of_part(part: int, count: int) -> tuple[dict[str, object], ...]:
    return tuple({"series": "plain", "layers": i, "item": i, PART: part} for i in range(count))


def test_that_an_experiment_of_one_part_follows_one_of_several(
    dialog: ExperimentsDialog, runner: _Runner
) -> None:
    dialog.choice.setCurrentText("luo2016 (all 5 parts)")
    dialog.run.click()
    runner.job.progressed.emit(0.5, _of_part(0, 16) + _of_part(1, 9) + _of_part(2, 1))
    dialog.parts.setCurrentIndex(1)  # not the newest
    runner.job.failed.emit(MeasurementError("no"))
    dialog.choice.setCurrentText("luo2016/fig4")
    dialog.run.click()
    assert dialog.parts.isHidden()
    assert dialog.table.rowCount() == 0
    runner.job.progressed.emit(0.5, _of_part(0, 2))
    assert dialog.table.rowCount() == 2


def test_that_all_parts_run_one_after_another(dialog: ExperimentsDialog, runner: _Runner) -> None:
    dialog.choice.setCurrentText("luo2016 (all 5 parts)")
    assert "fig2: growth of the effective field with depth" in dialog.words.text()
    dialog.run.click()
    name, folder, *_ = cast("partial", runner.works[0]).args
    assert name == "luo2016"
    assert not dialog.parts.isHidden()
    runner.job.progressed.emit(0.2, _of_part(0, 3))
    (folder / "luo2016-fig1a.png").touch()
    runner.job.progressed.emit(0.4, _of_part(0, 16) + _of_part(1, 2))
    texts = [dialog.parts.tabText(i) for i in range(5)]
    expected = ["fig1a  16 of 16 ✓", "fig1b  2 of 9", "fig2  0 of 16", "fig3  0 of 6"]
    assert texts == [*expected, "fig4  0 of 12"]
    assert dialog.progress.value() == 400
    assert (dialog.parts.currentIndex(), dialog.table.rowCount()) == (1, 2)  # the newest
    assert not dialog.tabs.isTabEnabled(1)
    dialog.parts.setCurrentIndex(0)
    assert dialog.table.rowCount() == 16
    assert dialog.tabs.isTabEnabled(1)  # its chart is there while others run
    runner.job.progressed.emit(0.5, _of_part(0, 16) + _of_part(1, 9) + _of_part(2, 1))
    assert dialog.parts.currentIndex() == 0  # somebody looks at it
    dialog.cancel.click()
    assert dialog.state.text().startswith("luo2016 is stopped")
    dialog.go_on.click()
    again = cast("partial", runner.works[1])
    assert again.args[-1] == 3  # the others begin anew
    runner.job.succeeded.emit(sum((_of_part(i, 6) for i in range(5)), ()))
    assert all("✓" in dialog.parts.tabText(i) for i in range(5))
    dialog.choice.setCurrentText("luo2016/fig3")
    dialog.run.click()
    assert dialog.parts.isHidden()
    assert dialog.table.rowCount() == 0


def test_that_what_an_earlier_run_has_left_is_gone_on_with(
    dialog: ExperimentsDialog, runner: _Runner, tmp_path: Path
) -> None:
    assert not dialog.go_on.isEnabled()
    dialog.choice.setCurrentText("luo2016 (all 5 parts)")
    recipes = shipped.recipes_of("luo2016")
    for recipe, count in zip(recipes, (16, 4), strict=False):
        head = {"format": 1, "experiment": recipe.name, "recipe": recipe.digest}
        ledger = Ledger(head | {"seed": 3, "quick": False}, ledger_path(recipe, tmp_path))
        for item in range(count):
            ledger.add(Row(item, {"series": "plain"}))
            ledger.finish(item)
    dialog.seed.setValue(2)
    assert not dialog.go_on.isEnabled()  # its rows are of another seed
    dialog.seed.setValue(3)
    assert dialog.go_on.isEnabled()
    assert dialog.go_on.toolTip() == "20 of 59 are there from an earlier run"
    dialog.go_on.click()
    work = cast("partial", runner.works[0])
    assert work.args[-1] == 2
    assert not dialog.go_on.isEnabled()
    runner.job.failed.emit(ValueError("no luck"))
    dialog.choice.setCurrentText("luo2016/fig1a")
    assert not dialog.go_on.isEnabled()  # that one is complete
    dialog.choice.setCurrentText("luo2016/fig1b")
    assert dialog.go_on.toolTip() == "4 of 9 are there from an earlier run"


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
    assert (dialog.title.text(), dialog.words.text()) == ("two depths", "")
    dialog.choice.setCurrentText("context")
    assert "two depths" not in dialog.words.text()
    dialog.open_recipe.click()  # again: there is one entry
    assert dialog.choice.count() == len(shipped.names()) + len(shipped.groups()) + 1
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
    assert dialog.title.text() == "three depths"
    dialog.cancel.click()
    own.write_text(TEXT)
    dialog.go_on.click()
    assert dialog.state.text() == "context.yaml has been changed; Run begins anew with it"
    own.unlink()
    for button in (dialog.run, dialog.go_on):
        button.click()
        assert "context.yaml" in dialog.state.text()
    assert len(runner.works) == 1


@pytest.fixture
def of_code(own: Path) -> Path:
    """A recipe with a model of code, which leaves a trace when it runs."""
    own.with_name("code.py").write_text(f"open({str(own.with_name('ran'))!r}, 'w')\nmake = 1\n")
    own.write_text(
        "format: 1\ntitle: of code\n"
        'rows: [{series: own, network: "code.py:make", input_size: [32, 48]}]\n'
    )
    return own


def test_that_code_of_a_recipe_runs_only_when_its_user_agrees(
    qtbot: QtBot, dialog: ExperimentsDialog, runner: _Runner, questions: _Questions, of_code: Path
) -> None:
    dialog.open_recipe.click()
    dialog.copy_command.click()
    assert QApplication.clipboard().text() == f"rfstudio experiment '{of_code}' --trust"
    questions.answer = False
    dialog.run.click()
    assert dialog.state.text() == "The code was not run."
    assert not runner.works
    questions.answer = True
    dialog.run.click()
    assert cast("partial", runner.works[0]).keywords["trust"]
    assert "would run the file" in questions.dialogs[-1].what.text()
    assert "make = 1" in questions.dialogs[-1].code.toPlainText()
    runner.job.progressed.emit(0.5, ({"series": "own", "item": 0},))
    dialog.table.selectRow(0)
    with qtbot.waitSignal(dialog.model_wanted) as wanted:
        dialog.open_network.click()
    assert wanted.args[0].input_size == (32, 48)
    dialog.cancel.click()
    dialog.go_on.click()
    assert len(questions.dialogs) == 2  # it is the code that they agreed to
    dialog.cancel.click()
    of_code.with_name("code.py").write_text("make = 2\n")
    dialog.go_on.click()
    assert len(questions.dialogs) == 3
    assert not of_code.with_name("ran").exists()  # the window itself runs nothing


def test_that_code_that_is_not_there_cannot_be_agreed_to(
    dialog: ExperimentsDialog, questions: _Questions, of_code: Path
) -> None:
    of_code.write_text(of_code.read_text().replace("code.py:make", "no_such_module:make"))
    dialog.open_recipe.click()
    dialog.run.click()
    (asked,) = questions.dialogs
    assert asked.what.text().startswith("There is no Python module no_such_module: install it")
    assert not asked.run.isEnabled()


def test_that_a_chart_is_whole_or_large_enough_to_be_read(qtbot: QtBot, tmp_path: Path) -> None:
    chart = Chart()
    qtbot.addWidget(chart)
    chart.resize(620, 320)
    chart.show()
    for name, width, height in (("wide", 1000, 500), ("tall", 800, 1600)):
        picture = QPixmap(width, height)
        picture.fill()
        picture.save(str(tmp_path / f"{name}.png"))

    def shown(name: str) -> tuple[int, int]:
        chart.show_picture(tmp_path / f"{name}.png")
        size = chart.label.pixmap().deviceIndependentSize()
        return round(size.width()), round(size.height())

    assert shown("wide") == (620, 310)
    assert shown("tall") == (400, 800)
    qtbot.waitUntil(lambda: chart.verticalScrollBar().maximum() > 0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("network: stack", "network: <b>stak", "line 15, column 14: "),
        ("network: stack", "network: code.py:make", "say for which size of image make is, as in "),
        ("network: stack", "network: cod.py:make", "there is no file 'cod.py'"),
        ("network: stack", "network: model.onnx", "there is no file 'model.onnx'"),
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


def test_that_words_are_where_rows_will_be_until_something_runs(
    dialog: ExperimentsDialog, runner: _Runner
) -> None:
    dialog.show()
    assert "Nothing has been run" in dialog.empty.text()
    shown = (dialog.empty, dialog.tabs, dialog.progress)
    assert [x.isVisible() for x in shown] == [True, False, False]
    dialog.run.click()
    assert [x.isVisible() for x in shown] == [False, True, True]


def test_that_the_name_of_a_field_stays_beside_it_where_a_row_is_full(
    qtbot: QtBot, dialog: ExperimentsDialog
) -> None:
    for width in (340, 480, 960):
        dialog.resize(width, 640)
        with qtbot.waitExposed(dialog):
            dialog.show()
        for field in (dialog.seed, dialog.init):
            (label,) = [x for x in dialog.findChildren(QLabel) if x.buddy() is field]
            place = label.mapTo(dialog, QPoint(label.width(), 0))
            beside = field.mapTo(dialog, QPoint(0, 0))
            assert 0 < beside.x() - place.x() < 12
            assert abs(beside.y() - place.y()) < field.height()
        dialog.hide()
