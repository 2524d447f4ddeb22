"""The tab Attention: what is measured, the maps of the heads, and what is written of them."""

import json
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from rfstudio.api.attending import attention_view
from rfstudio.app.attention.session import ALL, AttentionSession
from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.jobs import Job, JobRunner
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.image_source import ImageSource
from rfstudio.app.state.selection import Selection
from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.paths import sample_images
from rfstudio.widgets.attention import panel as attention_panel
from rfstudio.widgets.attention.panel import AttentionPanel
from rfstudio.widgets.parts import map_view
from tests.narrowing import present

NETWORK = read_yaml(
    "format: 1\nname: small\ninput: {size: [24, 32], channels: 3}\n"
    "layers:\n"
    "  - conv: {name: patch, kernel_size: 8, stride: 8, out_channels: 8}\n"
    "  - attention: {name: a, heads: 2}\n"
    "  - conv: {name: mix, kernel_size: 1, out_channels: 8}\n"
    "  - attention: {name: b, heads: 2}\n"
)
PLAIN = read_yaml(
    "format: 1\ninput: {size: [24, 32], channels: 3}\nlayers: [conv: {kernel_size: 3}]"
)


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


def found(layer: str, unit: tuple[int, int] = (1, 2)) -> LayerAttention:
    maps = np.zeros((2, 3, 4))
    maps[0, 0, 0] = maps[1, 2, 3] = 1.0
    far = 8.0 if layer == "a" else 16.0
    return LayerAttention(
        layer=layer,
        heads=2,
        distances=np.array([[far, far + 4.0]]),
        to_tokens=np.zeros(2),
        size=(3, 4),
        unit=unit,
        maps=maps,
        token_weights=np.zeros((2, 0)),
        options={"weights": "random", "samples": 1, "images": 1},
    )


class Bench:
    """A panel, all that is behind it, and a worker that a test plays."""

    def __init__(self, qtbot: QtBot, network: Architecture = NETWORK) -> None:
        self.runner = _Runner()
        runner = cast("JobRunner", self.runner)
        self.document = Document(network)
        self.analysis = analysis = AnalysisSession(self.document)
        self.selection = Selection(analysis)
        self.erf = ErfSession(runner, analysis, self.selection)
        self.images = ImageSource()
        self.images.set_size(network.input_size)
        self.session = AttentionSession(runner, self.erf, analysis, self.selection, self.images)
        self.panel = AttentionPanel(self.session, analysis, self.selection)
        for part in (self.document, analysis, self.selection, self.erf, self.images, self.session):
            part.setParent(self.panel)
        qtbot.addWidget(self.panel)
        self.panel.show()

    @property
    def rows(self) -> list[list[str]]:
        grid = self.panel.table
        return [
            [str(grid.model().index(i, j).data()) for j in range(grid.columnCount())]
            for i in range(grid.rowCount())
        ]

    def words_of_heads(self) -> list[str]:
        heads = self.panel.heads
        return [heads.item(i).text() for i in range(heads.count())]


@pytest.fixture
def bench(qtbot: QtBot) -> Bench:
    return Bench(qtbot)


def test_that_the_layer_follows_the_choice_and_is_measured_with_the_options_of_measure(
    bench: Bench,
) -> None:
    panel = bench.panel
    bench.images.open(sample_images() / "cat.jpg")
    bench.selection.select_layer("a", (1, 2))
    assert [panel.choice.itemData(i) for i in range(panel.choice.count())] == [ALL, "a", "b"]
    assert panel.choice.currentData() == "a"
    bench.erf.set_options(seed=5, weights="uniform")
    panel.run.click()
    (work,) = bench.runner.works
    request, folder, layers = work.args
    assert (request.unit, request.seed, request.weights) == ((1, 2), 5, "uniform")
    assert (folder, layers) == (None, ["a"])
    (pixels,) = request.images
    assert pixels is bench.images.pixels
    assert not panel.run.isEnabled()
    assert panel.cancel.isEnabled()
    assert "Measuring a, unit (1, 2), on the image, weights uniform" in panel.words.text()
    panel.cancel.click()
    assert panel.run.isEnabled()
    assert not panel.cancel.isEnabled()


def test_that_heads_are_listed_with_their_distances_and_a_click_shows_the_map(
    bench: Bench,
) -> None:
    panel = bench.panel
    bench.selection.select_layer("a", (1, 2))
    panel.run.click()
    bench.runner.job.succeeded.emit([found("a")])
    # (8 + 12) / 2 = 10.
    assert bench.rows == [["0", "8"], ["1", "12"], ["mean", "10"]]
    assert bench.words_of_heads() == ["mean, 10", "head 0, 8", "head 1, 12"]
    assert panel.caption.text() == "a, mean, 10 px"
    measured = "a, unit (1, 2), on noise, weights random, seed 0"
    assert panel.words.text() == f"{measured}: mean distance 10 px"
    assert present(panel.table.horizontalHeaderItem(1)).text() == "distance (px)"
    panel.heads.setCurrentRow(1)
    assert panel.caption.text() == "a, head 0, 8 px"
    assert panel.table.currentRow() == 0
    panel.table.selectRow(1)
    assert panel.caption.text() == "a, head 1, 12 px"
    assert panel.view.has_picture
    bench.selection.select_unit((0, 0))
    assert "another unit is chosen now" in panel.words.text()


def test_that_distances_are_of_the_input_also_where_fields_are_of_the_map_of_a_layer(
    bench: Bench,
) -> None:
    bench.selection.select_layer("b", (1, 2))
    bench.panel.run.click()
    bench.runner.job.succeeded.emit([found("b")])
    bench.analysis.set_reference("patch")
    assert bench.session.samples == "px"
    view = bench.session.view()
    assert view is not None
    assert view.samples == "px"


def test_that_distances_in_a_signal_are_samples(qtbot: QtBot) -> None:
    signal = read_yaml(
        "format: 1\ninput: {size: [32], channels: 3}\nlayers: [attention: {name: a, heads: 3}]\n"
    )
    bench = Bench(qtbot, signal)
    assert bench.session.samples == "samples"
    assert attention_view(signal, [found("a")]).samples == "samples"


def test_that_of_several_layers_the_chosen_one_has_its_heads_listed(bench: Bench) -> None:
    panel = bench.panel
    panel.choice.setCurrentIndex(0)
    panel.run.click()
    assert bench.runner.works[0].args[2] == ["a", "b"]
    bench.runner.job.succeeded.emit([found("a"), found("b")])
    assert bench.rows == [["a", "10", "8", "12"], ["b", "18", "16", "20"]]
    assert bench.words_of_heads()[0] == "mean, 18"
    panel.table.selectRow(0)
    assert bench.words_of_heads() == ["mean, 10", "head 0, 8", "head 1, 12"]
    assert panel.caption.text() == "a, mean, 10 px"
    bench.selection.select_layer("b")
    assert panel.choice.currentData() == ALL


def test_that_what_was_found_of_several_layers_is_drawn_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    draw = map_view.map_picture

    def counted(*arguments, **options):
        drawn.append(arguments)
        return draw(*arguments, **options)

    monkeypatch.setattr(attention_panel, "map_picture", counted)
    bench.panel.choice.setCurrentIndex(0)
    bench.panel.run.click()
    bench.runner.job.succeeded.emit([found("a"), found("b")])
    assert len(drawn) == 3  # the mean and two heads of the deepest
    bench.panel.table.selectRow(0)
    assert len(drawn) == 6


def test_that_maps_are_stretched_over_the_input_and_the_query_is_framed(bench: Bench) -> None:
    session = bench.session
    session.start("a")
    bench.runner.job.succeeded.emit([found("a")])
    values = session.picture(session.layers[0], 0)
    assert values.shape == (168, 224)  # 24×32, the longer side 224
    assert values[:56, :56].min() == 1.0
    assert values.sum() == 56 * 56
    assert session.query(session.layers[0]) == ((56, 111), (112, 167))


def test_that_an_edit_forgets_what_was_measured_and_a_network_without_attention_says_so(
    bench: Bench,
) -> None:
    panel = bench.panel
    panel.run.click()
    bench.runner.job.succeeded.emit([found("b")])
    assert panel.save.isEnabled()
    bench.document.edit("other", PLAIN)
    assert bench.session.layers == ()
    assert bench.rows == []
    assert not panel.run.isEnabled()
    assert not panel.save.isEnabled()
    assert not panel.view.has_picture
    bench.session.start(ALL)
    assert panel.words.text() == "This network has no attention layer."


def test_that_a_failure_is_said_and_leaves_the_panel_ready(bench: Bench) -> None:
    panel = bench.panel
    panel.run.click()
    bench.runner.job.failed.emit(MeasurementError("the file of weights does not fit"))
    assert "does not fit" in panel.words.text()
    assert panel.view._words.startswith("Where does the unit look?")  # no empty panel
    assert panel.run.isEnabled()


@pytest.mark.parametrize("suffix", [".csv", ".md", ".tex", ".json", ".npz", ".svg"])
def test_that_what_was_measured_is_saved_by_the_ending(
    suffix: str, bench: Bench, tmp_path: Path
) -> None:
    path = tmp_path / f"attention{suffix}"
    with pytest.raises(RFStudioError, match="no attention was measured"):
        bench.session.save(path)
    bench.session.start("a")
    bench.runner.job.succeeded.emit([found("a")])
    bench.session.save(path)
    if suffix == ".npz":
        with np.load(path) as file:
            assert file["a"].shape == (2, 3, 4)
    elif suffix == ".json":
        assert json.loads(path.read_text())["layers"][0]["distance"] == [8.0, 12.0]
    else:
        assert "12" in path.read_text()
    if suffix in (".csv", ".md", ".tex"):
        assert "estimator" in path.read_text()
    with pytest.raises(RFStudioError, match="attention is saved as"):
        bench.session.save(tmp_path / "attention.doc")
