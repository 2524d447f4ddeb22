"""The window of trainings: its options, the film as it arrives, and what its buttons do."""

from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.effective.pins import Pins
from rfstudio.app.jobs import Job, JobRunner
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.app.state.settings import Settings
from rfstudio.app.training.session import TrainingSession
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.requests.training_request import Estimate
from rfstudio.experiments.filmed_training import Plan, TrainingNow, head_of, prepared_request
from rfstudio.formats.experiments.film import STATE, FilmFrame, FilmWriter
from rfstudio.formats.experiments.recipe import TrainingItem
from rfstudio.formats.experiments.recipe_reader import read_recipe
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.widgets.parts.theme import apply_scheme, scale_text
from rfstudio.widgets.training.dialog import TrainDialog
from rfstudio.widgets.training.options_form import FolderQuestions

NETWORK = read_yaml("""\
format: 1
name: tiny
input: {size: [9, 9], channels: 1}
layers:
  - conv: {name: stem, kernel_size: 3, padding: 1, out_channels: 3, bias: false}
  - batch_norm: {}
""")


class _Job(Job):
    """A job that a test moves on; no worker runs."""

    def __init__(self) -> None:
        super().__init__(1, cast("object", None))  # type: ignore[arg-type] # nothing is sent
        self.was_cancelled = False

    def cancel(self, grace: float = 0.0) -> None:
        self.was_cancelled = True


class _Runner:
    """Takes work and does nothing with it."""

    def __init__(self) -> None:
        self.works: list[tuple[str, partial]] = []
        self.job = _Job()

    def submit(self, key: str, work: partial) -> Job:
        self.works.append((key, work))
        self.job = _Job()
        return self.job


class _Questions(FolderQuestions):
    """Answers with a folder."""

    def __init__(self, answer: Path) -> None:
        self.answer = answer

    def folder(self, *_) -> Path | None:
        return self.answer


class Bench:
    """A dialog, all that is behind it, and a worker that a test plays."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.document = Document(NETWORK)
        analysis = AnalysisSession(self.document)
        selection = Selection(analysis)
        self.erf = ErfView(analysis, selection)
        self.pins = Pins(self.document, analysis, selection, self.erf)
        self.settings = Settings(folder / "settings.ini")
        self.runner = _Runner()
        self.session = TrainingSession(
            cast("JobRunner", self.runner), self.document, analysis, self.pins, self.settings
        )
        self.session.set_place(folder / "films")
        self.questions = _Questions(folder)
        self.dialog = TrainDialog(self.session, self.document, selection, self.questions)
        for part in (self.document, analysis, selection, self.erf, self.pins, self.session):
            part.setParent(self.dialog)
        qtbot.addWidget(self.dialog)

    def film(self, *steps: int) -> None:
        """Put frames on the disk, as the worker does, and report them."""
        folder, request = self.session.folder, self.session.request
        assert folder is not None
        assert request is not None
        folder.mkdir(parents=True, exist_ok=True)
        ready, data, changes = prepared_request(request)
        writer = FilmWriter(folder, head_of(ready, data, changes), resume=True)
        for step in steps:
            values = np.zeros((9, 9), np.float32)
            values[4, 4 : 5 + step // 25] = 1.0
            writer.add(FilmFrame(step, step / 100, 0.5, values, (0.6, 0.5)), b"weights")
        count = len(self.session.frames) + len(steps)
        self.runner.job.progressed.emit(steps[-1] / 100, TrainingNow(steps[-1], (), count))


@pytest.fixture
def bench(qtbot: QtBot, tmp_path: Path) -> Bench:
    return Bench(qtbot, tmp_path)


def test_that_what_it_takes_is_said_before_the_start(bench: Bench) -> None:
    bench.dialog.show()
    bench.dialog.ask()
    key, work = bench.runner.works[-1]
    assert key == "training plan"
    (request,) = work.args
    assert request.architecture == NETWORK
    assert bench.dialog.estimate.text() == "Trying a few steps …"
    estimate = Estimate(
        seconds_per_step=0.05,
        seconds_per_frame=1.0,
        seconds=26.0,
        memory=80_000_000,
        disk=150_000,
        parameters=41,
        device="cpu (1 of 2 cores)",
    )
    plan = Plan(
        request=request, changes="with a convolution to 2 outputs", data="rings", estimate=estimate
    )
    bench.runner.job.succeeded.emit(plan)
    assert bench.dialog.estimate.text() == (
        "tiny with a convolution to 2 outputs, 41 weights, on rings. 400 steps of 16 images and "
        "6 frames: about 26 s on cpu (1 of 2 cores), 80 MB of memory, 150 kB on the disk."
    )


def test_that_a_mistake_is_said_before_the_start(bench: Bench) -> None:
    bench.dialog.form.film.setText("often")
    bench.dialog.show()
    bench.dialog.ask()
    assert "The film takes steps" in bench.dialog.estimate.text()
    bench.dialog.form.film.setText("every 20")
    bench.dialog.ask()
    bench.runner.job.failed.emit(MeasurementError("too little memory"))
    assert bench.dialog.estimate.text() == "Too little memory."


def test_that_frames_arrive_and_the_newest_is_shown(bench: Bench) -> None:
    dialog = bench.dialog
    dialog.train.click()
    assert not dialog.form.isEnabled()
    assert not dialog.view.has_picture
    bench.film(0)
    assert dialog.caption.text().startswith("step 0  ·  accuracy 0.000")
    assert dialog.caption.text().endswith("\nenergy, initial weights, seed 0")
    bench.film(25, 50)
    assert dialog.slider.maximum() == 2
    assert dialog.caption.text().startswith("step 50  ·  accuracy 0.500  ·  σ ")
    assert dialog.progress.value() == 500
    dialog.slider.setValue(1)
    bench.film(75)
    # Who looks at an earlier frame is left there.
    assert dialog.caption.text().startswith("step 25")
    curves = bench.session.curves()
    assert [x for x, _ in curves.accuracy] == [0, 25, 50, 75]
    assert [x for x, _ in curves.loss] == [12.5, 25, 37.5, 50, 62.5, 75]
    bench.runner.job.succeeded.emit(TrainingNow(100, (), 4))
    assert dialog.state.text() == "“tiny 1” is done."
    assert dialog.form.isEnabled()


def test_that_the_film_plays_from_its_beginning(bench: Bench) -> None:
    dialog = bench.dialog
    dialog.train.click()
    bench.film(0, 25, 50)
    dialog.play.click()
    assert dialog.slider.value() == 0
    dialog._player.timeout.emit()
    assert dialog.slider.value() == 1
    dialog._player.timeout.emit()
    assert dialog.slider.value() == 2
    assert not dialog.play.isChecked()
    assert not dialog._player.isActive()


def test_that_a_pause_frees_the_worker_and_continue_resumes(bench: Bench) -> None:
    dialog = bench.dialog
    dialog.train.click()
    bench.film(0, 25)
    job = bench.runner.job
    dialog.pause.click()
    assert job.was_cancelled
    assert dialog.pause.text() == "Continue"
    assert "is paused after step 25" in dialog.state.text()
    dialog.pause.click()
    first, again = (x for key, x in bench.runner.works if key == "training")
    assert first.args[:2] == again.args[:2]
    assert (first.args[2], again.args[2]) == (False, True)
    assert bench.session.state == "running"


def test_that_cancel_leaves_the_film_and_drops_the_state(bench: Bench) -> None:
    dialog = bench.dialog
    dialog.train.click()
    bench.film(0, 25)
    job = bench.runner.job
    dialog.cancel.click()
    folder = bench.session.folder
    assert folder is not None
    (folder / STATE).write_bytes(b"written as it stops")
    job.finished.emit()
    assert not (folder / STATE).exists()
    assert len(bench.session.frames) == 2
    assert not dialog.pause.isEnabled()
    dialog.train.click()
    assert bench.session.folder == folder.with_name("tiny 2")


def test_that_a_training_whose_worker_has_ended_goes_on(bench: Bench) -> None:
    dialog = bench.dialog
    dialog.train.click()
    bench.film(0, 25)
    assert bench.session.folder is not None
    (bench.session.folder / STATE).write_bytes(b"state")
    bench.runner.job.failed.emit(MeasurementError("the process was killed"))
    assert dialog.state.text() == "The process was killed."
    assert dialog.pause.text() == "Continue"
    dialog.pause.click()
    assert bench.runner.works[-1][1].args[2] is True


def test_that_edits_and_undo_change_nothing_of_a_training(bench: Bench) -> None:
    bench.dialog.train.click()
    wide = read_yaml(
        "format: 1\ninput: {size: [9, 9], channels: 1}\n"
        "layers: [conv: {name: stem, kernel_size: 5, padding: 2, out_channels: 2}]"
    )
    bench.document.edit("Widen", wide)
    bench.film(0, 25)
    bench.document.undo_stack.undo()
    assert len(bench.session.frames) == 2
    assert bench.session.request is not None
    assert bench.session.request.architecture == NETWORK


def test_that_the_last_film_is_there_again_and_can_go_on(qtbot: QtBot, tmp_path: Path) -> None:
    first = Bench(qtbot, tmp_path)
    first.dialog.train.click()
    first.film(0, 25)
    folder = first.session.folder
    assert folder is not None
    (folder / STATE).write_bytes(b"state")
    second = Bench(qtbot, tmp_path)
    second.session.open_last()
    assert second.session.state == "paused"
    assert second.dialog.caption.text().startswith("step 25")
    second.dialog.pause.click()
    work = second.runner.works[-1][1]
    assert (work.args[1], work.args[2]) == (folder, True)
    # The network has the outputs already, and everything else is as at the first start.
    request = work.args[0]
    assert request.steps == 400
    assert request.film == (0, 25, 50, 100, 200, 400)
    FilmWriter(folder, head_of(prepared_request(request)[0], None, ""), resume=True)


def test_that_a_folder_without_a_film_is_told_in_words(bench: Bench, tmp_path: Path) -> None:
    bench.dialog.open_film.click()
    assert "film.jsonl' cannot be read" in bench.dialog.state.text()


def test_that_frames_are_pinned_beside_the_unit_of_the_window(bench: Bench) -> None:
    dialog = bench.dialog
    dialog.train.click()
    bench.film(0, 50)
    dialog.slider.setValue(0)
    dialog.pin.click()
    dialog.slider.setValue(1)
    dialog.pin.click()
    before, after = bench.pins
    assert (before.title, after.title) == ("tiny 1, step 0", "tiny 1, step 50")
    assert before.field is not None
    assert after.field is not None
    assert (before.layer, before.unit) == ("per_pixel", (4, 4))
    assert before.field.metrics.sigma == (0.0, 0.0)
    sigma = after.field.metrics.sigma
    assert sigma is not None
    # Three pixels in a row: √(2/3).
    assert sigma[1] == pytest.approx((2 / 3) ** 0.5)
    assert "Pinned – B" in dialog.state.text()


def test_that_weights_and_network_of_a_frame_are_wanted(qtbot: QtBot, bench: Bench) -> None:
    dialog = bench.dialog
    dialog.train.click()
    bench.film(0, 25)
    with qtbot.waitSignal(dialog.weights_wanted) as weights:
        dialog.use.click()
    assert weights.args[0].name == "step-000025.safetensors"
    with qtbot.waitSignal(dialog.network_wanted) as network:
        dialog.open_network.click()
    assert network.args[0].layers[-1].name == "per_pixel"


def test_that_own_images_and_a_teacher_are_chosen(bench: Bench, tmp_path: Path) -> None:
    form = bench.dialog.form
    form.task.setCurrentIndex(1)
    assert form.lacking == "Choose a folder of images first."
    assert not bench.dialog.train.isEnabled()
    form.data.button.click()
    form.teacher.button.click()
    assert (form.options.data, form.options.teacher) == (tmp_path, tmp_path)
    assert bench.dialog.train.isEnabled()
    form.labels.click()
    assert form.options.teacher is None


def test_that_how_weights_begin_is_chosen_or_typed(bench: Bench) -> None:
    form = bench.dialog.form
    assert form.options.init == "torch"
    form.init.setCurrentIndex(form.init.findData("orthogonal"))
    assert form.options.init == "orthogonal"
    form.init.setEditText("xavier_uniform:relu")
    bench.dialog.copy_recipe.click()
    (item,) = read_recipe(QApplication.clipboard().text(), "own").items
    assert isinstance(item, TrainingItem)
    assert item.init == "xavier_uniform:relu"


def test_that_the_chosen_unit_is_filmed(bench: Bench) -> None:
    form = bench.dialog.form
    assert form.options.layer == ""
    form.follow.setCurrentIndex(1)
    assert form.follow.currentText() == f"{form.options.layer} (4, 4)"
    assert form.options.unit == (4, 4)


def test_that_the_recipe_gives_the_same_training(bench: Bench) -> None:
    bench.dialog.form.distance.setValue(3.0)
    bench.dialog.copy_recipe.click()
    (item,) = read_recipe(QApplication.clipboard().text(), "own").items
    assert isinstance(item, TrainingItem)
    assert item.network == NETWORK
    assert (item.distance, item.steps, item.batch, item.rate) == (3.0, 400, 16, 4e-3)
    assert item.film == (0, 25, 50, 100, 200, 400)


def test_that_numbers_of_the_curves_do_not_touch_with_large_texts(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path
) -> None:
    try:
        apply_scheme(qapp, "light")
        scale_text(qapp, 2.0)
        bench = Bench(qtbot, tmp_path)
        bench.dialog.resize(1000, 660)
        with qtbot.waitExposed(bench.dialog):
            bench.dialog.show()
        bench.dialog.train.click()
        bench.film(0, 25, 50, 100)
        loss = bench.dialog.curves.plots[0].getPlotItem()
        axis = loss.getAxis("bottom")
        low, high = axis.range
        wide = axis.boundingRect().width()
        spacing = axis.tickSpacing(low, high, wide)[-1][0]
        room = wide * spacing / (high - low)
        assert room > bench.dialog.fontMetrics().horizontalAdvance("80")
        assert spacing <= high - low  # there is a number
    finally:
        scale_text(qapp, 1.0)
