"""The panel of images: what is chosen, what is listed, and the map of the chosen image."""

import csv
import json
import os
import time
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.jobs import Job, JobRunner
from rfstudio.app.spread.session import SpreadSession
from rfstudio.app.spread.work import spread_work
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.object_boxes import ObjectBoxes
from rfstudio.app.state.selection import Selection
from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.spread import FieldSpread, ImageField
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.widgets.spread.panel import FolderChoice, SpreadPanel

NETWORK = read_yaml(
    "format: 1\ninput: {size: [8, 8], channels: 3}\n"
    "layers: [conv: {name: only, kernel_size: 3, padding: 1, out_channels: 2}]"
)
BOX = ((3, 5), (3, 5))


class _Job(Job):
    def __init__(self) -> None:
        super().__init__(1, cast("object", None))  # type: ignore[arg-type] # nothing is sent

    def cancel(self, grace: float = 0.0) -> None:
        pass


class _Runner:
    """Takes work and does nothing with it."""

    def __init__(self) -> None:
        self.works: list[partial] = []
        self.job = _Job()

    def submit(self, _key: str, work: partial) -> Job:
        self.works.append(work)
        self.job = _Job()
        return self.job


class _Folders(FolderChoice):
    def __init__(self, folder: Path) -> None:
        self.answer = folder

    def folder(self, *_) -> Path | None:
        return self.answer


def image_field(name: str, sigma: float, **more) -> ImageField:
    values = np.full((3, 3), 1.0, np.float32)
    return ImageField(name, values, BOX, sigma, 3.0, 2.0, 9.0, **more)


def spread(*fields: ImageField) -> FieldSpread:
    mean = np.zeros((8, 8))
    mean[3:6, 3:6] = 1 / 9
    return FieldSpread("only", (4, 4), (8, 8), fields, mean, mean / 2, 0.01, 8)


class Bench:
    """A panel, all that is behind it, and a worker that a test plays."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.runner = _Runner()
        runner = cast("JobRunner", self.runner)
        document = Document(NETWORK)
        analysis = AnalysisSession(document)
        selection = Selection(analysis)
        selection.select_layer("only", (4, 4))
        self.erf = ErfSession(runner, analysis, selection)
        self.boxes = ObjectBoxes()
        self.session = SpreadSession(runner, self.erf, analysis, selection, self.boxes)
        self.panel = SpreadPanel(self.session, _Folders(folder))
        for part in (document, analysis, selection, self.erf, self.boxes, self.session):
            part.setParent(self.panel)
        qtbot.addWidget(self.panel)

    @property
    def rows(self) -> list[list[str]]:
        grid = self.panel.table
        return [
            [str(grid.model().index(i, j).data()) for j in range(grid.columnCount())]
            for i in range(grid.rowCount())
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, value in (("a", 10), ("b", 200)):
        Image.new("RGB", (8, 12), (value, value, value)).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.fixture
def bench(qtbot: QtBot, folder: Path) -> Bench:
    return Bench(qtbot, folder)


def test_that_a_folder_is_chosen_and_measured_with_the_options_of_measure(
    bench: Bench, folder: Path
) -> None:
    panel = bench.panel
    assert not panel.run.isEnabled()
    panel.images.click()
    bench.erf.set_options(estimator="abs", seed=5)
    panel.run.click()
    (work,) = bench.runner.works
    request, images, masks, box = work.args
    assert (request.layer, request.unit, request.estimator, request.seed) == (
        *("only", (4, 4), "abs", 5),
    )
    assert (images, masks, box) == (folder, None, ())
    assert not panel.run.isEnabled()
    assert panel.cancel.isEnabled()


def test_that_images_arrive_and_end_in_order_of_their_field(bench: Bench) -> None:
    panel = bench.panel
    panel.images.click()
    panel.run.click()
    fields = (image_field("b.png", 3.0), image_field("a.png", 2.0))
    bench.runner.job.progressed.emit(0.5, fields[:1])
    assert bench.rows == [["b.png", "3"]]
    bench.runner.job.succeeded.emit(spread(*fields))
    assert [x[0] for x in bench.rows] == ["a.png", "b.png", "mean", "± over images"]
    assert [x[1] for x in bench.rows] == ["2", "3", "2.5", "0.5"]
    assert "σ 2.5 ± 0.5 px over 2 images" in panel.words.text()
    assert panel.caption.text() == "mean over 2 images"


def test_that_a_click_shows_the_map_on_its_image(qtbot: QtBot, bench: Bench, folder: Path) -> None:
    panel = bench.panel
    panel.images.click()
    panel.run.click()
    bench.runner.job.succeeded.emit(spread(image_field("a.png", 2.0), image_field("b.png", 3.0)))
    panel.table.selectRow(1)
    assert panel.caption.text() == "b.png, σ 3 px"
    assert panel.view.has_picture
    photo = bench.session.photo(bench.session.fields[1])
    assert photo is not None
    assert photo.shape == (8, 8, 3)
    assert photo[0, 0].tolist() == [200] * 3
    values = bench.session.whole_map(bench.session.fields[1])
    assert values is not None
    assert (values.sum(), values[2, 2], values[4, 4]) == (9, 0, 1)
    # A unit of 3 pixels is shown with 4 around it.
    assert bench.session.window() == (slice(0, 8), slice(0, 8))
    with qtbot.waitSignal(panel.image_wanted) as wanted:
        panel.table.itemActivated.emit(panel.table.item(1, 0))
    assert wanted.args == [folder / "b.png"]
    panel.table.selectRow(3)
    assert panel.caption.text() == "standard deviation over 2 images"


def test_that_an_object_is_a_mask_or_the_box_on_the_canvas(bench: Bench, folder: Path) -> None:
    panel = bench.panel
    panel.images.click()
    panel.masks.trigger()
    panel.run.click()
    assert bench.runner.works[-1].args[2] == folder
    bench.session.cancel()
    panel.box.trigger()
    panel.run.click()
    assert "Draw a box" in panel.words.text()
    bench.boxes.add(((1, 2), (3, 4)))
    panel.run.click()
    assert bench.runner.works[-1].args[2:] == (None, ((1, 2), (3, 4)))
    more = {"object_share": 0.5, "object_area": 0.25, "on_object": 2.0, "on_background": 1.0}
    bench.runner.job.succeeded.emit(spread(image_field("a.png", 2.0, **more)))
    titles = [panel.table.horizontalHeaderItem(i) for i in range(5, 10)]
    assert [x.text() for x in titles if x is not None] == [
        *("on the object", "even field", "ratio", "σ, unit on object", "σ, unit beside it"),
    ]
    assert bench.rows[0][5:] == ["0.5", "0.25", "2", "2", "1"]


def test_that_images_are_a_list_of_their_fields_and_are_saved(
    bench: Bench, folder: Path, tmp_path: Path
) -> None:
    panel = bench.panel
    assert not panel.copy_command.isEnabled()
    panel.images.click()
    assert not panel.save.isEnabled()
    bench.boxes.add(((1, 3), (2, 5)))
    panel.box.trigger()
    panel.run.click()
    bench.runner.job.succeeded.emit(spread(image_field("b.png", 2.0), image_field("a.png", 1.0)))
    assert [x[0] for x in bench.rows] == ["a.png", "b.png", "mean", "± over images"]
    cells = [panel.table.model().index(i, 0) for i in range(4)]
    icons = [x.data(Qt.ItemDataRole.DecorationRole) for x in cells]
    assert [x is not None for x in icons] == [True, True, True, False]
    assert panel.save.isEnabled()
    bench.boxes.clear()  # what was measured is what is said
    command = bench.session.command("net.yaml")
    assert command.startswith("rfstudio erf net.yaml --layer only --unit 4 4 --images ")
    assert "--spread" in command
    assert command.endswith("--box 1:3 2:5")
    for suffix in (".csv", ".json", ".npz"):
        bench.session.save(tmp_path / f"out{suffix}", command)
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["command"] == command
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {x["command"] for x in rows} == {command}
    assert {(x["estimator"], x["weights"], x["seed"]) for x in rows} == {("energy", "random", "0")}
    assert [x["name"] for x in record["images"]] == ["a.png", "b.png"]
    with pytest.raises(RFStudioError, match=r"saved as .*\.npz"):
        bench.session.save(tmp_path / "out.doc", command)


def test_that_photos_and_command_are_of_what_was_measured(
    bench: Bench, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (8, 12), (90, 90, 90)).save(other / "b.png")
    panel, session = bench.panel, bench.session
    panel.images.click()
    panel.run.click()
    panel.set_images(other)
    found = spread(image_field("a.png", 2.0), image_field("b.png", 3.0))
    assert f"--images {folder}" in session.command("net.yaml")
    bench.runner.job.succeeded.emit(found)
    photo = session.photo(session.fields[1])
    assert photo is not None
    assert photo[0, 0].tolist() == [200] * 3
    assert session.path_of(session.fields[1]) == folder / "b.png"
    assert f"--images {folder} " in session.command("net.yaml")
    assert session.network == NETWORK
    # Another photo of that name is not the one that was measured.
    later = time.time() + 5
    os.utime(folder / "b.png", (later, later))
    assert session.photo(session.fields[1]) is None
    assert session.photo(session.fields[0]) is not None


def test_that_a_cancelled_measurement_is_not_the_command(
    bench: Bench, folder: Path, tmp_path: Path
) -> None:
    bench.panel.images.click()
    bench.panel.run.click()
    bench.panel.cancel.click()
    bench.panel.set_images(tmp_path / "other")
    assert f"--images {tmp_path / 'other'} " in bench.session.command("net.yaml")


def test_that_a_relative_folder_is_named_from_the_root(
    bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    bench.panel.set_images(Path(folder.name))
    bench.session.masks = Path(folder.name)
    assert f"--images {folder} " in bench.session.command("net.yaml")
    bench.panel.run.click()
    monkeypatch.chdir("/")
    bench.runner.job.succeeded.emit(spread(image_field("b.png", 2.0)))
    command = bench.session.command("net.yaml")
    assert f"--images {folder} " in command
    assert f"--masks {folder}" in command
    assert bench.session.photo(bench.session.fields[0]) is not None


def test_that_a_failure_is_told_in_words(bench: Bench) -> None:
    bench.panel.images.click()
    bench.panel.run.click()
    bench.runner.job.failed.emit(MeasurementError("no luck"))
    assert bench.panel.words.text() == "No luck."
    assert bench.panel.run.isEnabled()


def test_that_the_work_measures_the_images_of_the_folder(bench: Bench, folder: Path) -> None:
    bench.panel.images.click()
    bench.panel.run.click()
    (work,) = bench.runner.works
    assert work.func is spread_work
    found = work(CancelToken(), lambda *_: None)
    assert [x.name for x in found.fields] == ["a.png", "b.png"]
    # A convolution alone sees the same on each image.
    assert found.fields[0].map == pytest.approx(found.fields[1].map)


def test_that_a_network_without_images_says_so(bench: Bench, qtbot: QtBot) -> None:
    signal = read_yaml(
        "format: 1\ninput: {size: [64], channels: 1}\n"
        "layers: [conv: {name: only, kernel_size: 3, out_channels: 2}]"
    )
    bench.session._analysis._document.edit("Open", signal)
    with qtbot.waitExposed(bench.panel):
        bench.panel.show()
    words = "This network reads a signal, so there are no images to measure it on."
    assert bench.session.lacking == words
    assert bench.panel.view._words == words
    assert not bench.panel.images.isEnabled()
