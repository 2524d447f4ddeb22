"""Times the turns of the event loop in the real window, while something takes long beside it.

Run as ``python benchmarks/stalls.py [event ...]``; without events, all of them; ``edit:`` are all
edits of large networks, ``use:`` all that is done with the window beside.  The window is
drawn offscreen at a usual size, with the worker, the frames and the slices of the program.  A turn
is all that the event loop does between two looks for what the user did: the longest is how long a
key press could wait.  Given are the longest turn and the 99th percentile of those over a
millisecond, by the wall clock and by the processor: that of the window's thread and of threads that
it waits for, which on a machine that others use too is what the wall clock would say on a free one.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from PySide6.QtCore import QTimer, qInstallMessageHandler
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from benchmarks.edit_events import time_edits
from benchmarks.turns import (
    BESIDE,
    CONV,
    FROZEN,
    HEAD,
    SLOW,
    Bench,
    Event,
    Turn,
    Waited,
    network_of,
    row,
)
from benchmarks.use_events import time_uses
from rfstudio.app.attention.session import ALL
from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.measuring_work import Subject
from rfstudio.app.experiments.session import experiments_folder
from rfstudio.app.files.figure_settings import KINDS, FigureSettings
from rfstudio.app.files.presets import read_preset
from rfstudio.app.files.writing import Writing
from rfstudio.app.heap import collect_seldom, exempt_from_collection
from rfstudio.app.sessions import SessionToSave
from rfstudio.core.memo import forget
from rfstudio.engine.requests.request import ErfResult
from rfstudio.formats.experiments.ledger import Cell, Row, line_of, line_text
from rfstudio.formats.networks.session_file import SavedSession, SavedUnit, write_session
from rfstudio.importing.reference import Reference
from rfstudio.importing.request import ImportRequest
from rfstudio.widgets.parts.theme import apply_scheme
from rfstudio.widgets.window.import_progress import ImportProgress

_MODULE = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        blocks = []
        for i in range(40):
            blocks += [nn.Conv2d(16 if i else 3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
        super().__init__(*blocks)
"""

_EXPORT = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from model import Net
torch.export.save(torch.export.export(Net().eval(), (torch.zeros(1, 3, 64, 64),)), sys.argv[2])
"""


# --- events ---------------------------------------------------------------------------------------


def _torch_loads(bench: Bench) -> Event:
    states: list[str] = []
    bench.runner.worker_changed.connect(states.append)
    return bench.runner.warm, lambda: "ready" in states


def _measures(bench: Bench) -> Event:
    bench.measuring.set_options(samples=16)
    return bench.measuring.measure, lambda: bench.measuring.running is None


def _is_cancelled(bench: Bench) -> Event:
    bench.measuring.set_options(samples=4096)

    def begin() -> None:
        bench.measuring.measure()
        QTimer.singleShot(1500, bench.measuring.cancel)

    started = time.perf_counter()
    return begin, lambda: time.perf_counter() - started > 5


def _worker_is_killed(bench: Bench) -> Event:
    bench.measuring.set_options(samples=4096)
    ends: list[Exception] = []
    bench.measuring.failed.connect(ends.append)
    states: list[str] = []

    def kill() -> None:
        bench.runner.worker_changed.connect(states.append)
        worker = bench.runner._host._worker  # noqa: SLF001 - the program has no way to it
        assert worker is not None
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)

    def begin() -> None:
        bench.measuring.measure()
        QTimer.singleShot(1500, kill)

    return begin, lambda: bool(ends) and "ready" in states


def _imports(source: Path | Reference) -> Callable[[Bench], Event]:
    def event(bench: Bench) -> Event:
        ended: list[object] = []
        importing = bench.studio.importing
        importing.succeeded.connect(lambda *x: ended.append(x))
        importing.failed.connect(lambda _, why: ended.append(why))
        request = ImportRequest(source, (64, 64))

        def begin() -> None:
            importing.start(request)
            ImportProgress(request.name, importing, bench.window).open()

        return begin, lambda: bool(ended)

    return event


def _measures_attention(bench: Bench) -> Event:
    bench.window.files.open_preset("vit_b16")
    bench.settle()
    session = bench.studio.attention
    assert session is not None
    bench.measuring.set_options(samples=2)
    return partial(session.start, ALL), lambda: bool(session.layers)


def _prepare_figure(bench: Bench, kind: str) -> None:
    """Let there be what a figure shows."""
    window = bench.window
    if kind == "lesson":
        window.begin_lesson(0)
    elif kind in ("comparison", "difference") and not len(bench.studio.pins):
        bench.studio.pins.add()
        bench.studio.selection.select_unit((3, 4))
    elif kind == "convergence":
        assert window.measure_panel is not None
        window.tabs.setCurrentWidget(window.measure_panel)
        begin, is_over = _measures(bench)
        begin()
        bench.wait(is_over)
    elif kind == "attention":
        begin, is_over = _measures_attention(bench)
        begin()
        bench.wait(is_over)
    elif kind == "film":
        _film_a_training()


def _film_a_training() -> None:
    """Write the ledger of a training of forty steps, as the window of experiments does."""
    experiments_folder().mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:224, :224] - 112.0
    lines: list[dict[str, object]] = [{"experiment": "context"}]
    for step in range(40):
        field = np.exp(-(x**2 + y**2) / (2 * (10 + step) ** 2)).astype(np.float32)
        cells: dict[str, Cell] = {"series": "context", "step": step, "sigma": 10.0 + step}
        lines += [line_of(Row(step, cells, field)), {"complete": step}]
    (experiments_folder() / "film.jsonl").write_text("".join(map(line_text, lines)))


def _figure(kind: str) -> Callable[[Bench], Event]:
    def event(bench: Bench) -> Event:
        window = bench.window
        ended: list[object] = []
        _prepare_figure(bench, kind)
        writing = window.files.writing
        writing.written.connect(ended.append)
        writing.failed.connect(lambda _, why: ended.append(why))
        path = bench.folder / f"{kind}.png"

        def begin() -> None:
            draw = window.files.drawing(FigureSettings(kind))
            writing.start(path, lambda path: path.write_bytes(draw(".png")))

        return begin, lambda: bool(ended)

    return event


def _opens(text: str) -> Callable[[Bench], Event]:
    def event(bench: Bench) -> Event:
        path = bench.folder / "large.yaml"
        path.write_text(HEAD + text)
        return partial(bench.window.files.open_path, path), lambda: True

    return event


def _pastes(text: str) -> Callable[[Bench], Event]:
    def event(bench: Bench) -> Event:
        bench.window.files.open_network(network_of(CONV))
        bench.settle()
        QGuiApplication.clipboard().setText(text)
        return bench.window.stack.actions_.paste.trigger, lambda: True

    return event


def _edits(bench: Bench) -> Event:
    bench.window.files.open_network(network_of(SLOW["5,000 layers"]))
    bench.settle()
    edits = bench.studio.edits

    def begin() -> None:
        edits.insert_text(CONV, (1250,))

    return begin, lambda: True


def _opens_session(bench: Bench) -> Event:
    saved = []
    for name in ("densenet121", "resnet152", "inception_resnet_v2"):
        network = read_preset(name)
        layers = bench.studio.analysis.analyze_beside(network).layers
        chosen = layers[len(layers) * 3 // 4]
        unit = tuple(n // 2 for n in chosen.output_size)
        saved.append(SavedUnit(network, chosen.name, unit, name, name))
    slow = network_of(SLOW["20 pools and resizes"])
    layer = bench.studio.analysis.analyze_beside(slow).layers[-1]
    saved.append(SavedUnit(slow, layer.name, tuple(n // 2 for n in layer.output_size), "slow"))
    path = bench.folder / "pins.rfsession"
    write_session(path, SavedSession(saved[1], pins=tuple(saved)))
    forget()
    begin = partial(bench.window.files.session_dropped.emit, path)
    return begin, lambda: len(bench.studio.pins) == len(saved)


def _put_results(bench: Bench) -> None:
    """Measure every unit of a row, as it were."""
    network, random = bench.studio.document.architecture, np.random.default_rng(0)
    for column in range(48):
        values = random.random(network.input_size)
        subject = Subject(network, "conv3_1", (20, column))
        result = ErfResult(
            map=values,
            standard_error=values / 9,
            layer="conv3_1",
            unit=subject.unit,
            samples=32,
            wanted=32,
            options={},
            device="cpu",
            versions={},
            seconds=1.0,
        )
        bench.measuring.shelf.put(subject, ErfOptions(), "", result, ending="done")
    bench.measuring.shelf_changed.emit()


def _saves_results(bench: Bench) -> Event:
    _put_results(bench)
    saved: list[object] = []
    writing = Writing(bench.window)
    writing.written.connect(saved.append)
    saving = SessionToSave(bench.studio, "vgg16")
    path = bench.folder / "results.rfsession"
    return partial(writing.start, path, saving.write), lambda: bool(saved)


def _opens_results(bench: Bench) -> Event:
    _put_results(bench)
    path = bench.folder / "opened.rfsession"
    SessionToSave(bench.studio, "vgg16").write(path)
    for shelved in bench.measuring.shelf:
        bench.measuring.shelf.remove(shelved)
    begin = partial(bench.window.files.session_dropped.emit, path)
    return begin, lambda: len(bench.measuring.shelf) > 0


def _chooses(text: str, tab: str) -> Callable[[Bench], Event]:
    def event(bench: Bench) -> Event:
        _open_with(bench, text, tab)
        layers = bench.studio.analysis.analysis.layers
        begin = partial(bench.studio.selection.select_layer, layers[len(layers) // 2].name)
        return begin, lambda: True

    return event


def _moves(text: str, tab: str) -> Callable[[Bench], Event]:
    def event(bench: Bench) -> Event:
        _open_with(bench, text, tab)
        selection = bench.studio.selection
        return partial(selection.select_unit, (selection.unit[0] + 1, 9)), lambda: True

    return event


def _open_with(bench: Bench, text: str, tab: str) -> None:
    """Open a network, with some tab in front."""
    tabs = bench.window.tabs
    titles = [tabs.tabText(i) for i in range(tabs.count())]
    tabs.setCurrentIndex(titles.index(tab))
    bench.window.files.open_network(network_of(text))
    bench.settle()


def _resizes(text: str) -> Callable[[Bench], Event]:
    def event(bench: Bench) -> Event:
        bench.window.files.open_network(network_of(text))
        bench.settle()
        return partial(bench.studio.edits.set_input_size, (384, 384)), lambda: True

    return event


def _events(folder: Path) -> Iterator[tuple[str, float, Callable[[Bench], Event]]]:
    """Yield all events: the name, the milliseconds that a turn may take, and what makes it."""
    yield "torch loads", BESIDE, _torch_loads
    yield "a measurement runs", BESIDE, _measures
    yield "attention is measured", BESIDE, _measures_attention
    yield "it is cancelled", BESIDE, _is_cancelled
    yield "the worker is killed", BESIDE, _worker_is_killed
    (folder / "model.py").write_text(_MODULE)
    yield "a module is imported", BESIDE, _imports(Reference(str(folder / "model.py"), "Net"))
    exported = folder / "model.pt2"
    command = [sys.executable, "-W", "ignore", "-c", _EXPORT, str(folder), str(exported)]
    subprocess.run(command, check=True, capture_output=True)
    yield "a .pt2 is imported", BESIDE, _imports(exported)
    if (model := _onnx_model(folder)) is not None:
        yield "an ONNX file is imported", BESIDE, _imports(model)
    for title, kind in KINDS:
        yield f"figure: {title}", BESIDE, _figure(kind)
    yield "a YAML of 1 MB is opened", FROZEN, _opens((CONV + "- relu\n") * 15_000)
    comments = "".join(f"# {'note ' * 40}{i}\n{CONV}" for i in range(3700))
    yield "a YAML of 0.97 MB, 3,700 layers", FROZEN, _opens(comments)
    yield "an edit of 5,000 layers", FROZEN, _edits
    yield "a session with four pins", FROZEN, _opens_session
    yield "a session with results is saved", BESIDE, _saves_results
    yield "a session with results is opened", FROZEN, _opens_results
    for name, text in SLOW.items():
        for tab in ("Table", "Growth", "Graph"):
            yield f"a layer is chosen: {name}, {tab}", FROZEN, _chooses(text, tab)
            yield f"the unit moves: {name}, {tab}", FROZEN, _moves(text, tab)
    for name, text in SLOW.items():
        yield f"pasted: {name}", FROZEN, _pastes(text)
    for name, text in SLOW.items():
        yield f"another input size: {name}", FROZEN, _resizes(text)


def _onnx_model(folder: Path) -> Path | None:
    """Return an ONNX file of forty convolutions; None where there is nothing to make it with."""
    try:
        import onnx
    except ImportError:
        print("  without the package onnx no ONNX file is imported")
        return None
    nodes, constants, before = [], [], "x"
    for i in range(40):
        weights = np.ones((4, 4 if i else 3, 3, 3), np.float32)
        constants.append(onnx.numpy_helper.from_array(weights, f"w{i}"))
        pads = [1, 1, 1, 1]
        nodes.append(onnx.helper.make_node("Conv", [before, f"w{i}"], [f"y{i}"], pads=pads))
        before = f"y{i}"
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [onnx.helper.make_tensor_value_info("x", kind, [1, 3, 64, 64])],
        [onnx.helper.make_tensor_value_info(before, kind, None)],
        constants,
    )
    sets = [onnx.helper.make_opsetid("", 17)]
    path = folder / "model.onnx"
    model = onnx.helper.make_model(graph, opset_imports=sets, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def _first_start(folder: Path, text: str, waited: Waited) -> list[Turn]:
    """Return the making of a window on a slow network, as if it were a turn, and the turns after.

    Nothing is on the screen before the first turn.
    """
    forget()
    network = network_of(text)
    started, worked = time.perf_counter(), time.thread_time()
    waited.seconds = 0.0
    bench = Bench(folder, network)
    worked = time.thread_time() - worked + waited.seconds
    first = Turn((time.perf_counter() - started) * 1e3, worked * 1e3)
    turns = bench.turns(lambda: None, lambda: True, waited)
    bench.close()
    return [first, *turns]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="*", help="words that the names of events begin with")
    options = parser.parse_args()
    qInstallMessageHandler(lambda *_: None)  # the offscreen platform knows no size hints
    application = QApplication([])
    collect_seldom()
    apply_scheme(application, "light")
    waited = Waited()
    waited.watch()
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, "
        f"load {load}"
    )
    widths = (7, 9, 9, 9, 9, 9)
    names = ("turns", "longest", "99 %", "proc.", "99 %", "allowed")
    cells = "".join(f"{x:>{w}}" for x, w in zip(names, widths, strict=True))
    print(f"  {'milliseconds':<52}{cells}")

    def is_wanted(name: str) -> bool:
        return not options.events or any(name.startswith(x) for x in options.events)

    folder = Path(tempfile.mkdtemp())
    os.environ["XDG_STATE_HOME"] = str(folder)  # where the window keeps results of experiments
    bench = Bench(folder, read_preset("vgg16"))
    bench.settle()
    exempt_from_collection()  # as the program does once the window is painted
    for name, allowed, event in _events(folder):
        if is_wanted(name):
            begin, is_over = event(bench)
            bench.settle()
            row(name, bench.turns(begin, is_over, waited), allowed)
            bench.studio.pins.clear()
            if bench.studio.document.architecture.name != read_preset("vgg16").name:
                bench.window.files.open_preset("vgg16")
            bench.settle()
    time_edits(bench, waited, lambda name: is_wanted(f"edit: {name}"))
    time_uses(bench, waited, lambda name: is_wanted(f"use: {name}"))
    bench.close()
    gc.unfreeze()
    for name, text in SLOW.items():
        if is_wanted(f"first start: {name}"):
            first, *turns = _first_start(folder, text, waited)
            row(f"first start: {name}, before the window", [first], FROZEN)
            row(f"first start: {name}", turns, FROZEN)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
