"""Times what happens before the next frame: edits and moves of the unit, in the real window.

Run as ``python benchmarks/live.py [--runs N] [--all] [--pins] [network ...]``.  The window is drawn
offscreen at a usual size.  An edit sets the kernel of the first, the middle or the last convolution
and back; the clock runs from the edit until the first frame is painted, which shows the canvas, and
the parts that compute (analysis, regions, expected field) are timed inside of it.  Numbers and
charts follow in frames after it; while edits keep coming, as here, in one of a few, which is in the
percentiles.  ``all`` is the time until everything is painted, where nothing else comes.  What it is
held against is a program without memory: the edited network opened anew, analysed from nothing,
with the rows of all models made again.  Edits take turns, so that drift of the machine hits all
alike.  On a machine that others use too, the time of the processor says what the wall clock would
on a free one.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PySide6.QtCore import QEvent, QObject, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from rfstudio import api
from rfstudio.app.effective.expected_fields import ExpectedFields
from rfstudio.app.files.presets import read_preset
from rfstudio.app.frames import Frames
from rfstudio.app.heap import IdleCollection, collect_seldom, exempt_from_collection
from rfstudio.app.jobs import JobRunner
from rfstudio.app.state.image_source import sample_images
from rfstudio.app.state.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.core import ops
from rfstudio.core.editing.edits import set_op
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.network.architecture import Architecture, Layer, Location, item_at, walk
from rfstudio.widgets.parts.theme import apply_scheme
from rfstudio.widgets.window.main_window import MainWindow

PANELS = ("Table", "Growth", "Profile", "Graph")
"""What is in front at the bottom; the first one is the layout that the program starts with."""


_REST = 3
"""After every third event there is a rest, in which everything follows."""


class Case(NamedTuple):
    """A network, the layer whose unit is shown, and the milliseconds that a frame may take."""

    network: str
    layer: str
    frame: float


CASES = (
    Case("vgg16", "conv5_3", 16.0),
    Case("resnet152", "layer3", 33.0),
    Case("5000 layers", "conv2490", 100.0),
)


class Times(NamedTuple):
    """Milliseconds from an event until its first frame is painted, and of its parts.

    ``all`` are those of the processor until everything is painted, where nothing came after it.
    """

    wall: float
    processor: float
    all: float | None
    parts: dict[str, float]


@dataclass
class Stopwatch:
    """Times functions where they stand, so that the window runs as it always does."""

    spent: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def on(self, *places: tuple[Any, str, str]) -> Iterator[None]:
        """Time functions, given by owner, attribute and the name of the part."""
        before = [getattr(owner, name) for owner, name, _ in places]
        for (owner, name, part), work in zip(places, before, strict=True):
            setattr(owner, name, self._timed(work, part))
        try:
            yield
        finally:
            for (owner, name, _), work in zip(places, before, strict=True):
                setattr(owner, name, work)

    def _timed(self, work: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            started = time.thread_time()
            try:
                return work(*args, **options)
            finally:
                spent = (time.thread_time() - started) * 1e3
                self.spent[part] = self.spent.get(part, 0.0) + spent

        return timed


class Painted(QObject):
    """Counts how often a widget was painted."""

    def __init__(self, watched: QObject) -> None:
        super().__init__()
        self.count = 0
        watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Count."""
        del watched
        self.count += event.type() == QEvent.Type.Paint
        return False


class Bench:
    """A window with one network."""

    def __init__(self, case: Case, folder: Path, *, pins: bool = False) -> None:
        self.case = case
        self.original = _network(case.network)
        settings = Settings(folder / "settings.ini")
        self.studio = Studio(self.original, settings=settings, runner=JobRunner())
        self.studio.analysis.finish()
        self.studio.images.open(sample_images()[0])
        self.frames = Frames()
        self.window = MainWindow(self.studio, frames=self.frames)
        self.window.resize(1440, 900)
        self.window.show()
        IdleCollection(self.window)
        self.draw()
        self.studio.selection.select_layer(case.layer)
        self.draw()
        for i in range(3 if pins else 0):
            self.studio.selection.select_unit((i, i))
            self.studio.pins.add()
        self.painted = Painted(self.window.canvas.view.viewport())
        self.watch = Stopwatch()
        convs = _convolutions(self.original)
        self.edited = {
            "first": _with_other_kernel(self.original, convs[0]),
            "middle": _with_other_kernel(self.original, convs[len(convs) // 2]),
            "last": _with_other_kernel(self.original, convs[-1]),
        }
        size = self.studio.analysis.analysis[case.layer].output_size
        units = [(y, x) for y in range(size[0]) for x in range(y % 2, size[1], 2)]
        self.units = itertools.cycle(units)

    @staticmethod
    def draw() -> None:
        """Let everything be painted."""
        QApplication.processEvents()

    def panels(self) -> list[str]:
        """Return the titles of all panels at the bottom."""
        return [self.window.tabs.tabText(i) for i in range(self.window.tabs.count())]

    def show_panel(self, title: str) -> None:
        """Bring a panel to the front."""
        self.window.tabs.setCurrentIndex(self.panels().index(title))
        self.draw()

    def timed(self, work: Callable[[], object], *, rests: bool = False) -> Times:
        """Do something and paint the first frame; then all, if nothing comes after it."""
        self.watch.spent = {}
        painted = self.painted.count
        with self.watch.on(
            (api, "analyze", "analysis"),
            (Analysis, "unit", "regions"),
            (ExpectedFields, "of", "expected"),
        ):
            wall, processor = time.perf_counter(), time.process_time()
            work()
            self.draw()
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
        assert self.painted.count > painted, "the canvas was not painted"
        everything = (processor + self._rest()) * 1e3 if rests else None
        return Times(wall * 1e3, processor * 1e3, everything, self.watch.spent)

    def _rest(self) -> float:
        """Let all parts follow and be painted; return the seconds that it takes."""
        started = time.process_time()
        self.frames.settle()
        self.draw()
        self.draw()  # a chart paints what has changed in its scene a turn later
        return time.process_time() - started

    def edits(self, runs: int) -> dict[str, list[Times]]:
        """Time edits in turn, each of them there and back."""
        document = self.studio.document
        found: dict[str, list[Times]] = {name: [] for name in self.edited}
        for turn in range(-1, runs):
            for name, edited in self.edited.items():
                for version in (edited, self.original):
                    # A new object: the graph of one that was shown before is remembered.
                    work = partial(document.edit, "edit", replace(version))
                    times = self.timed(work, rests=turn % _REST == 0)
                    if turn >= 0:
                        found[name].append(times)
        return found

    def moves(self, runs: int) -> list[Times]:
        """Time moves of the unit."""
        selection = self.studio.selection

        def move() -> None:
            selection.select_unit(next(x for x in self.units if x != selection.unit))

        return [self.timed(move, rests=i % _REST == 0) for i in range(2 * runs)]

    def choices(self, runs: int) -> list[Times]:
        """Time choices of another layer."""
        names = itertools.cycle([x.name for x in self.studio.analysis.analysis.layers][1::7])
        select = self.studio.selection.select_layer
        found = [
            self.timed(lambda: select(next(names)), rests=i % _REST == 0) for i in range(2 * runs)
        ]
        select(self.case.layer)
        self.draw()
        return found

    def openings(self, runs: int) -> list[Times]:
        """Time the edited network opened anew: nothing is taken from what was known before."""
        found = []
        for _ in range(runs):
            self.studio.document.replace(Architecture())
            self.draw()
            found.append(self.timed(self._open_edited, rests=True))
        self.studio.document.replace(self.original)
        self.studio.selection.select_layer(self.case.layer)
        self.draw()
        return found

    def _open_edited(self) -> None:
        self.studio.document.replace(replace(self.edited["middle"]))
        self.studio.selection.select_layer(self.case.layer)
        self.window.stack.expand_sensibly()

    def close(self) -> None:
        """Close the window."""
        self.studio.document.undo_stack.setClean()
        self.window.close()
        self.window.deleteLater()


def _network(name: str) -> Architecture:
    if not name.endswith("layers"):
        return read_preset(name)
    pairs = int(name.split(maxsplit=1)[0]) // 2
    layers = [
        Layer(op, f"{op.keyword}{i}")
        for i in range(pairs)
        for op in (ops.Conv(out_channels=8, kernel_size=3, padding=1), ops.Relu())
    ]
    return Architecture(name="long", input_size=(224, 224), layers=tuple(layers))


def _convolutions(architecture: Architecture) -> list[Location]:
    return [
        location
        for location, item in walk(architecture)
        if isinstance(item, Layer) and isinstance(item.op, ops.Conv)
    ]


def _with_other_kernel(architecture: Architecture, location: Location) -> Architecture:
    layer = item_at(architecture, location)
    assert isinstance(layer, Layer)
    assert isinstance(layer.op, ops.Conv)
    assert isinstance(layer.op.kernel_size, int)
    # As with the arrows of the spin box; the padding stays, so the sizes of all maps change.
    return set_op(architecture, location, replace(layer.op, kernel_size=layer.op.kernel_size + 2))


def _row(name: str, found: list[Times], frame: float, anew: float) -> None:
    walls, processors = [x.wall for x in found], [x.processor for x in found]
    wall, processor = statistics.median(walls), statistics.median(processors)
    parts = "".join(
        f"{statistics.median(x.parts.get(part, 0.0) for x in found):9.2f}"
        for part in ("analysis", "regions", "expected")
    )
    everything = statistics.median(x.all for x in found if x.all is not None)
    print(
        f"  {name:<24}{parts}{wall:9.2f}{_late(walls):9.2f}{processor:9.2f}"
        f"{_late(processors):9.2f}{everything:9.2f}{processor / frame:8.2f}"
        f"{anew / everything:8.1f}",
        flush=True,
    )


def _late(values: list[float]) -> float:
    return float(np.percentile(values, 99))


def _head() -> None:
    names = (
        "analysis",
        "regions",
        "expected",
        "wall",
        "99 %",
        "proc.",
        "99 %",
        "all",
        "/frame",
        "anew/",
    )
    widths = (9, 9, 9, 9, 9, 9, 9, 9, 8, 8)
    cells = (f"{x:>{w}}" for x, w in zip(names, widths, strict=True))
    print(f"  {'milliseconds':<24}{''.join(cells)}")


def _report(case: Case, folder: Path, options: argparse.Namespace) -> None:
    print(f"\n{case.network} at 224, unit of {case.layer}; {case.frame:g} ms allowed")
    runs: int = options.runs
    bench = Bench(case, folder, pins=options.pins)
    exempt_from_collection()  # as the program does once the window is painted
    _head()
    opened = bench.openings(max(runs // 4, 3))
    anew = statistics.median(x.all for x in opened if x.all is not None)
    _row("opened anew", opened, case.frame, anew)
    for panel in bench.panels() if options.all else PANELS:
        bench.show_panel(panel)
        for name, found in bench.edits(runs).items():
            _row(f"{panel}: edit {name} conv", found, case.frame, anew)
        _row(f"{panel}: move the unit", bench.moves(runs), case.frame, anew)
        _row(f"{panel}: choose a layer", bench.choices(runs), case.frame, anew)
    bench.close()
    gc.unfreeze()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="turns of each edit")
    parser.add_argument("--all", action="store_true", help="each panel in front in turn")
    parser.add_argument("--pins", action="store_true", help="with three units pinned")
    parser.add_argument("networks", nargs="*", default=[x.network for x in CASES])
    options = parser.parse_args()
    qInstallMessageHandler(lambda *_: None)  # the offscreen platform knows no size hints
    application = QApplication([])
    collect_seldom()
    apply_scheme(application, "light")
    numbers = np.random.default_rng(0).random(100_000)
    sorting = []
    for _ in range(20):
        started = time.thread_time()
        np.sort(numbers)
        sorting.append((time.thread_time() - started) * 1e3)
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}; ",
        end="",
    )
    print(f"numpy sorts 100,000 numbers in {statistics.median(sorting):.2f} ms")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if case.network in options.networks:
                _report(case, Path(folder) / case.network, options)


if __name__ == "__main__":
    main()
