"""Times what happens before the next frame: moves of the unit and edits, with the real widgets.

Run as ``python benchmarks/live.py [--window]``.  The widgets are drawn offscreen at the size of a
usual window.  Every row is a median over interleaved runs in one process; the ratio is to what is
allowed, one frame of 16 ms for VGG-16 and two for ResNet-152 at 224, and beside it to the time
that numpy takes to sort 100,000 numbers, which drifts with the machine as all of this does.  On a
machine that others use too, the time of the processor says what the wall clock would on a free one.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PySide6.QtWidgets import QApplication, QWidget

from rfstudio.app.analysis_session import AnalysisSession
from rfstudio.app.document import Document
from rfstudio.app.image_source import ImageSource, sample_images
from rfstudio.app.presets import read_preset
from rfstudio.app.selection import Selection
from rfstudio.app.settings import Settings
from rfstudio.core import ops
from rfstudio.core.analysis import analyze
from rfstudio.core.architecture import Architecture, Layer, Location, item_at, walk
from rfstudio.core.edits import set_op
from rfstudio.core.expected import expected_erf
from rfstudio.widgets.canvas.canvas import Canvas
from rfstudio.widgets.charts.growth_chart import GrowthChart
from rfstudio.widgets.charts.profile_chart import ProfileChart
from rfstudio.widgets.graph_view.graph_view import GraphView

RUNS = 40
NETWORKS = (("vgg16", "conv5_3", 16.0), ("resnet152", "layer3", 33.0))


class Times(NamedTuple):
    """Median milliseconds of one thing."""

    wall: float
    processor: float


def _once(work: Callable[[], object]) -> Times:
    wall, processor = time.perf_counter(), time.thread_time()
    work()
    return Times((time.perf_counter() - wall) * 1e3, (time.thread_time() - processor) * 1e3)


def _medians(*works: Callable[[], object]) -> list[Times]:
    """Return the medians of each, run in turn so that drift hits all alike."""
    for work in works:
        work()
    rounds = [[_once(work) for work in works] for _ in range(RUNS)]
    return [
        Times(*(statistics.median(x) for x in zip(*column, strict=True)))
        for column in zip(*rounds, strict=True)
    ]


def _sorting() -> Callable[[], object]:
    numbers = np.random.default_rng(0).random(100_000)
    return lambda: np.sort(numbers)


def _row(name: str, found: Times, unit: Times, budget: float) -> None:
    print(
        f"  {name:<48} {found.wall:7.2f} ms {found.wall / budget:5.2f} x frame"
        f" {found.wall / unit.wall:6.1f} x sort   processor {found.processor:7.2f} ms"
        f" {found.processor / budget:5.2f} x frame"
    )


class Bench:
    """One network with its state, and endless moves and edits."""

    def __init__(self, name: str, layer: str) -> None:
        self.document = Document(read_preset(name))
        self.session = AnalysisSession(self.document)
        self.selection = Selection(self.session)
        self.pictures = ImageSource()
        self.pictures.open(sample_images()[0])
        self.selection.select_layer(layer)
        self.layer = layer
        size = self.session.analysis[layer].output_size
        self.units = itertools.cycle(
            [(y, x) for y in range(size[0]) for x in range(y % 2, size[1], 2)]
        )
        self.edits = itertools.cycle(_two_versions(self.document.architecture))

    def move(self) -> None:
        """Choose the next unit and draw."""
        self.selection.select_unit(next(self.units))
        QApplication.processEvents()

    def edit(self) -> None:
        """Change a convolution in the middle of the network and draw."""
        self.document.edit("edit", next(self.edits))
        QApplication.processEvents()


def _two_versions(architecture: Architecture) -> tuple[Architecture, Architecture]:
    convs = [
        location
        for location, item in walk(architecture)
        if isinstance(item, Layer) and isinstance(item.op, ops.Conv)
    ]
    return architecture, _dilated(architecture, convs[len(convs) // 3])


def _dilated(architecture: Architecture, location: Location) -> Architecture:
    layer = item_at(architecture, location)
    assert isinstance(layer, Layer)
    assert isinstance(layer.op, ops.Conv)
    return set_op(architecture, location, replace(layer.op, kernel_size=3, padding=2, dilation=2))


def _numbers(bench: Bench, sort: Callable[[], object], budget: float) -> None:
    """Time what is computed, without drawing."""
    index = bench.session.analysis.graph.index(bench.layer)
    versions = itertools.cycle(_two_versions(bench.document.architecture))
    state = {"analysis": bench.session.analysis}

    def analysis() -> None:
        state["analysis"] = analyze(next(versions), previous=state["analysis"])

    def regions() -> object:
        return state["analysis"].unit(bench.layer, next(bench.units)).visible_region

    def expected() -> object:
        return expected_erf(state["analysis"].graph, index, next(bench.units))

    unit, *found = _medians(sort, analysis, regions, expected)
    for name, value in zip(
        ("analysis after an edit", "regions of a unit", "expected field of a unit"),
        found,
        strict=True,
    ):
        _row(name, value, unit, budget)
    total = Times(*(sum(x) for x in zip(*found, strict=True)))
    _row("sum: what an edit computes", total, unit, budget)


def _shown(widget: QWidget, width: int, height: int) -> None:
    widget.resize(width, height)
    widget.show()
    QApplication.processEvents()


def _drawing(bench: Bench, settings: Settings, sort: Callable[[], object], budget: float) -> None:
    """Time moves and edits with widgets on the screen."""
    canvas = Canvas(bench.session, bench.selection, bench.pictures, settings=settings)
    _shown(canvas, 700, 760)
    # Apart, since the first move behind an edit pays for the edit.
    (unit, move), (_, edit) = _medians(sort, bench.move), _medians(sort, bench.edit)
    _row("canvas: move of the unit, computed and drawn", move, unit, budget)
    _row("canvas: edit, computed and drawn", edit, unit, budget)
    for key in ("nested", "centres"):
        canvas.switches.actions_by_key[key].setChecked(True)
    unit, move = _medians(sort, bench.move)
    _row("canvas: move, with centres and all layers", move, unit, budget)
    for key in ("nested", "centres", "erf"):
        canvas.switches.actions_by_key[key].setChecked(False)
    unit, move = _medians(sort, bench.move)
    _row("canvas: move, without the effective field", move, unit, budget)
    canvas.switches.actions_by_key["erf"].setChecked(True)
    charts = {
        "growth chart": GrowthChart(bench.session, bench.selection, settings=settings),
        "profile chart": ProfileChart(bench.session, bench.selection, settings=settings),
        "graph": GraphView(bench.session, bench.selection),
    }
    for name, chart in charts.items():
        _shown(chart, 900, 240)
        (unit, move), (_, edit) = _medians(sort, bench.move), _medians(sort, bench.edit)
        _row(f"canvas and {name}: move", move, unit, budget)
        _row(f"canvas and {name}: edit", edit, unit, budget)
        chart.hide()
    canvas.hide()


def _window(name: str, layer: str, settings: Settings, sort: Callable[[], object]) -> None:
    """Time the whole window."""
    from rfstudio.app.studio import Studio
    from rfstudio.widgets.main_window import MainWindow

    budget = {x: z for x, _, z in NETWORKS}[name]
    studio = Studio(read_preset(name), settings=settings)
    studio.images.open(sample_images()[0])
    window = MainWindow(studio)
    _shown(window, 1440, 900)
    studio.selection.select_layer(layer)
    size = studio.analysis.analysis[layer].output_size
    units = itertools.cycle([(y, x) for y in range(size[0]) for x in range(y % 2, size[1], 2)])
    edits = itertools.cycle(_two_versions(studio.document.architecture))

    def move() -> None:
        studio.selection.select_unit(next(units))
        QApplication.processEvents()

    def edit() -> None:
        studio.document.edit("edit", next(edits))
        QApplication.processEvents()

    (unit, moved), (_, edited) = _medians(sort, move), _medians(sort, edit)
    _row("whole window: move", moved, unit, budget)
    _row("whole window: edit", edited, unit, budget)
    studio.document.undo_stack.setClean()
    window.hide()
    studio.shutdown()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--window", action="store_true", help="also time the whole window")
    options = parser.parse_args()
    application = QApplication.instance() or QApplication([])
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    sort = _sorting()
    with tempfile.TemporaryDirectory() as folder:
        for name, layer, budget in NETWORKS:
            print(f"\n{name} at 224, unit of {layer}; {budget:g} ms allowed")
            settings = Settings(Path(folder) / "settings.ini")
            bench = Bench(name, layer)
            _numbers(bench, sort, budget)
            _drawing(bench, settings, sort, budget)
            if options.window:
                _window(name, layer, Settings(Path(folder) / "window.ini"), sort)
    del application


if __name__ == "__main__":
    main()
