"""What is copied of a figure draws it again, whatever the window shows."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.files.figure_settings import FigureSettings, FigureStyle
from rfstudio.app.state.image_source import sample_images
from rfstudio.cli.program import run
from rfstudio.core.fields.tiles import TilePlan
from rfstudio.engine.process.running import CancelToken, ignore
from rfstudio.formats.experiments.ledger import Ledger, Row
from rfstudio.widgets.canvas.modes import TilesMode
from rfstudio.widgets.canvas.sight import LayerSight
from rfstudio.widgets.window.main_window import MainWindow
from tests.measurements import FakeJob, FakeRunner
from tests.narrowing import present

STYLE = FigureStyle(width_mm=85, dpi=80, colour=True)


class _Runner(FakeRunner):
    """Keeps the work of its jobs."""

    def submit(self, key: str, work: Callable) -> FakeJob:  # type: ignore[override] # is called
        self.work = work
        return super().submit(key, work)


def _measure(window: MainWindow, runner: _Runner, **options: object) -> None:
    """Measure the chosen unit in this process."""
    session = present(window.studio.erf_session)
    session.set_options(samples=3, device="cpu", **options)
    session.measure()
    job = runner.jobs[-1]
    job.succeeded.emit(runner.work(CancelToken(), ignore))
    job.finished.emit()
    assert present(window.studio.erf.shown.field).is_measured


def _signal(folder: Path) -> Path:
    path = folder / "signal.npy"
    np.save(path, np.sin(np.arange(900) / 20))
    return path


def _reference(window: MainWindow, _runner: _Runner, _folder: Path) -> None:
    window.files.open_preset("resnet18")
    window.studio.selection.select_layer("layer1.0.conv1")
    window.actions_.fields_from_here.trigger()
    window.studio.selection.select_layer("layer2", (9, 11))


def _training(window: MainWindow, _runner: _Runner, _folder: Path) -> None:
    window.files.open_preset("resnet18")
    window.studio.selection.select_layer("layer2", (9, 11))
    window.actions_.training.trigger()


def _measured(window: MainWindow, runner: _Runner, _folder: Path) -> None:
    window.files.open_preset("luo_20_layers")
    window.studio.images.open(sample_images()[0])
    window.studio.selection.select_layer("stack.3", (20, 24))
    _measure(window, runner, estimator="abs", seed=4, init="xavier_uniform")


def _converging(window: MainWindow, runner: _Runner, _folder: Path) -> None:
    window.files.open_preset("luo_20_layers")
    window.studio.selection.select_layer("stack.3", (20, 24))
    session = present(window.studio.erf_session)
    session.set_options(samples=20, device="cpu")
    session.measure()
    job = runner.jobs[-1]
    result = runner.work(CancelToken(), lambda *x: job.progressed.emit(*x))
    job.succeeded.emit(result)
    job.finished.emit()


def _law(window: MainWindow, _runner: _Runner, _folder: Path) -> None:
    """An expected field of other weights than the usual ones."""
    window.files.open_preset("luo_20_layers")
    window.studio.selection.select_layer("stack.3", (20, 24))
    present(window.studio.erf_session).set_options(init="xavier_uniform")


def _on_photo(window: MainWindow, runner: _Runner, folder: Path) -> None:
    path = folder / "narrow photo.png"
    gray = np.arange(60 * 90, dtype=np.uint32).reshape(60, 90) % 251
    Image.fromarray(gray.astype(np.uint8)).save(path)
    window.files.open_preset("luo_20_layers")
    window.studio.images.open(path)
    window.studio.images.set_shape("crop")
    window.studio.selection.select_layer("stack.3", (20, 24))
    _measure(window, runner, inputs="image")


def _pins(window: MainWindow, runner: _Runner, folder: Path) -> None:
    """Pins that were measured, looked at from another layer, and in training."""
    _measured(window, runner, folder)
    window.studio.pins.add()
    window.studio.selection.select_layer("stack.2", (20, 24))
    window.studio.pins.add()
    window.studio.selection.select_layer("stack.5", (28, 28))
    _measure(window, runner, estimator="energy", seed=1)


def _mixed_pins(window: MainWindow, _runner: _Runner, _folder: Path) -> None:
    window.files.open_preset("resnet18")
    window.studio.selection.select_layer("layer2", (9, 11))
    window.studio.pins.add()
    window.actions_.training.trigger()
    window.studio.pins.add()
    window.studio.selection.select_layer("layer1.0.conv1")
    window.actions_.fields_from_here.trigger()
    window.studio.selection.select_layer("layer2", (9, 11))


def _padded(window: MainWindow, _runner: _Runner, folder: Path) -> None:
    path = folder / "wide.png"
    Image.fromarray(np.full((30, 90, 3), (10, 200, 90), np.uint8)).save(path)
    window.files.open_preset("unet")
    window.studio.images.open(path)
    window.studio.images.set_shape("pad")
    window.studio.selection.select_layer("bottom", (3, 4))


def _line(window: MainWindow, _runner: _Runner, folder: Path) -> None:
    window.files.open_preset("tcn_1d")
    window.studio.images.open(_signal(folder))


def _volume(window: MainWindow, _runner: _Runner, _folder: Path) -> None:
    window.files.open_preset("c3d")
    window.studio.images.open(sample_images()[0])
    window.studio.selection.select_layer("conv3a", (3, 9, 20))
    window.canvas.slices.slider.setValue(3)


def _volume_pins(window: MainWindow, runner: _Runner, folder: Path) -> None:
    """Two units of a volume, and one of another volume, whose slices are others."""
    window.files.open_preset("unet_3d")
    window.studio.pins.add()
    _volume(window, runner, folder)
    window.studio.pins.add()
    window.studio.selection.select_layer("conv3a", (3, 9, 24))
    window.canvas.slices.slider.setValue(4)


def _tiles(window: MainWindow, _runner: _Runner, _folder: Path) -> None:
    """Tiles that are larger than usual, of which the second is described."""
    window.files.open_preset("vgg16")
    window.studio.images.open(sample_images()[0])
    window.studio.selection.select_layer("conv2_2")
    tiles = window.canvas.modes["tiles"]
    assert isinstance(tiles, TilesMode)
    tiles.follow(LayerSight(window.studio.analysis, "conv2_2"))
    for down, right in ((-1, 0), (0, 1)):
        assert tiles.plan is None or isinstance(tiles.plan, TilePlan)
        tiles.slices.finish()
        tiles.step(down, right)
        assert tiles.plan is not None
        tiles.slices.finish()
    assert tiles.shown == (1, 1)


def _pixel(window: MainWindow, _runner: _Runner, _folder: Path) -> None:
    """A pixel of the map of a layer that is not the middle one."""
    window.files.open_preset("resnet18")
    window.studio.selection.select_layer("layer1.0.conv1")
    window.actions_.fields_from_here.trigger()
    window.studio.selection.select_layer("layer2", (9, 11))
    window.canvas.modes["pixel"].press((20.0, 31.0))


def _unsaved(window: MainWindow, _runner: _Runner, _folder: Path) -> None:
    window.files.open_preset("luo_20_layers")
    window.studio.selection.select_layer("stack.5", (28, 28))
    window.studio.edits.set_parameter((0, 0, 0), "kernel_size", 5)


STATES = {
    "reference": (_reference, ("fields", "field", "comparison", "growth", "network")),
    "training": (_training, ("fields", "field", "growth", "network")),
    "measured": (_measured, ("fields", "field", "comparison", "difference")),
    "convergence": (_converging, ("convergence",)),
    "law": (_law, ("fields", "field")),
    "on a photo": (_on_photo, ("fields", "field")),
    "pins": (_pins, ("comparison", "difference")),
    "mixed pins": (_mixed_pins, ("comparison",)),
    "padded photo": (_padded, ("fields",)),
    "signal": (_line, ("fields", "field", "comparison")),
    "volume": (_volume, ("fields", "field", "comparison")),
    "pins of volumes": (_volume_pins, ("comparison",)),
    "tiles": (_tiles, ("tiles", "pixel")),
    "pixel": (_pixel, ("pixel",)),
    "unsaved": (_unsaved, ("fields", "network")),
}
CASES = [(state, kind) for state, (_, kinds) in STATES.items() for kind in kinds]
QUICK = {
    ("reference", "fields"),
    ("training", "field"),
    ("signal", "fields"),
    ("volume", "fields"),
    ("tiles", "tiles"),
    ("pixel", "pixel"),
    ("pins", "comparison"),
}


@pytest.mark.parametrize(
    ("state", "kind"),
    [pytest.param(*x, marks=[] if x in QUICK else [pytest.mark.slow]) for x in CASES],
)
def test_that_what_is_copied_draws_what_the_window_draws(
    state: str,
    kind: str,
    open_window: Callable[..., MainWindow],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = _Runner()
    window = open_window(runner=runner)
    prepare, _ = STATES[state]
    prepare(window, runner, tmp_path)
    figure = FigureSettings(kind, STYLE)
    drawn = window.files.drawing(figure)(".svg")
    if "volume" in state:
        index = window.canvas.slice_at
        assert f"slice {index} of 16" in drawn.decode()
        assert index == window.canvas.slices.slider.value()
    assert "copied" in window.files.copy_figure(figure, "python")
    exec(QGuiApplication.clipboard().text(), {})
    assert Path("figure.svg").read_bytes() == drawn
    Path("figure.svg").unlink()
    assert "copied" in window.files.copy_figure(figure, "command")
    written, end, command = QGuiApplication.clipboard().text().rpartition("END\n")
    assert bool(end) == (state == "unsaved")
    if written:  # the file is there already, written by the Python lines
        assert written.split()[2] in {x.name for x in tmp_path.glob("*.yaml")}
    assert run(shlex.split(command)[1:]) == 0
    assert Path("figure.svg").read_bytes() == drawn


@pytest.mark.slow
def test_that_a_copied_film_draws_the_same_film(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run of today"
    folder.mkdir()
    ledger = Ledger({"format": 1}, folder / "run.jsonl")
    for step in (0, 50):
        cells = {"series": "near", "step": step, "sigma": 2.5}
        ledger.add(Row(0, cells, np.ones((5, 5), np.float32)))
    ledger.finish(0)
    monkeypatch.setattr("rfstudio.app.files.figure_contents.experiments_folder", lambda: folder)
    figure = FigureSettings("film", STYLE)
    drawn = window.files.drawing(figure)(".svg")
    for language in ("python", "command"):
        assert "copied" in window.files.copy_figure(figure, language)
        text = QGuiApplication.clipboard().text()
        if language == "python":
            exec(text, {})
        else:
            assert run(shlex.split(text)[1:]) == 0
        assert Path("figure.svg").read_bytes() == drawn
        Path("figure.svg").unlink()
