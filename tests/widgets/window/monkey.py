"""A monkey: random actions in the real window, repeatable by their seed.

``python -m tests.widgets.window.monkey SEED ACTIONS`` runs many, prints what went wrong, what the
window takes after each thousand, and how long the slowest actions took.  With a third number it
leaves so many KiB behind with each action, which has to be found.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    home = tempfile.mkdtemp()
    for place in ("CONFIG", "DATA", "CACHE", "STATE"):
        os.environ[f"XDG_{place}_HOME"] = f"{home}/{place}"

    from rfstudio.app.heap import leave_sources_unread

    leave_sources_unread()  # as the program does

import numpy as np
import platformdirs
from PySide6.QtCore import QEventLoop, QPoint, QPointF, Qt, QTimer, qInstallMessageHandler
from PySide6.QtGui import QGuiApplication, QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDockWidget, QSpinBox, QWidget

from rfstudio.app.editing.new_items import kinds
from rfstudio.app.files.figure_settings import FigureSettings
from rfstudio.app.files.presets import read_preset
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.memo import forget
from rfstudio.core.network.architecture import Architecture
from rfstudio.widgets.parts.passing import passing
from rfstudio.widgets.stack.batch_dialog import BatchDialog
from rfstudio.widgets.window.figure_dialog import FigureDialog
from rfstudio.widgets.window.history_dialog import HistoryDialog
from rfstudio.widgets.window.import_progress import ImportProgress
from rfstudio.widgets.window.keys_dialog import KeysDialog
from rfstudio.widgets.window.main_window import MainWindow
from tests.measurements import FakeRunner, result_of
from tests.narrowing import present
from tests.widgets.dragging import LayerMouse
from tests.widgets.window.monkey_gauge import Gauge, gauged, growth, resident
from tests.widgets.window.monkey_hands import Hands, alone

PRESETS = ("alexnet", "resnet18", "wavenet", "unet", "c3d", "luo_20_layers")
"""Networks that are opened: small ones, and some of other numbers of axes."""

PASTES = (
    "- conv: {name: x, kernel_size: 3}\n",
    "- conv: {kernel_size: 0}\n",
    "- conv: {kernel_size: 999999, stride: 999999}\n",
    "- relu\n- relu\n",
    "- add: {from: [nothing, input]}\n",
    "- repeat: {times: 100000, layers: [relu]}\n",
    "- repeat: {times: 3, layers: [{conv: {kernel_size: [3, 5], dilation: 2}}]}\n",
    "- parallel: {branches: [], merge: concat}\n",
    "&a [*a]",
    "{",
    "\x00\x07",
    "🦆" * 2000,
    "- upsample: {scale_factor: 1000}\n",
    "- crop: {margins: 30}\n",
    "- slice: {start: 0, stop: null, step: -1}\n",
)

WORDS = ("conv", "relu", "3", "layer", "pool", "", "zzz", "show", "theoretical")

PLACES = (
    "conv", "show", "hide", "add", "panel", "dark", "light", "text", "pin", "image", "lesson",
    "advise", "keys", "about", "experiments", "train", "tour", "documentation", "copy", "export",
    "relative", "batch", "kernel", "estimator", "size", "unit", "difference", "preset alexnet", "l",
)  # fmt: skip
"""Words by which anything is found."""

_SIZES = ((1440, 900), (1024, 700), (700, 500), (1800, 400))
_KEYS = tuple(
    Qt.Key(x)
    for x in (
        Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down,
        Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown,
        Qt.Key.Key_0, Qt.Key.Key_F, Qt.Key.Key_Plus, Qt.Key.Key_Minus,
    )
)  # fmt: skip
_TREE = (
    Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home,
    Qt.Key.Key_End,
)  # fmt: skip
_MODIFIERS = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)

Action = Callable[[], object]

MOST_ANALYSES = 40
"""Analyses that may be alive at the same time: those of views, pins and caches."""

MOST_JOBS = 20
"""Jobs of a test's runner that are kept; it keeps all, and all that they are connected to."""

GAUGED = 1000
"""Actions after which the window is brought to one state, and what it takes then is read."""

MOST_TURNS = 400
"""Turns of the event loop in which what is computed for that state ends."""

MOST_TRIALS = 5
"""How often that state is set up, where something else still came to an end."""


def turn_event_loop() -> None:
    """Let Qt deliver what it has posted, paint, and fire timers that are due."""
    loop = QEventLoop()
    QTimer.singleShot(0, loop.quit)
    loop.exec()


class Monkey:
    """Does one thing after another in a window.

    Parameters
    ----------
    window, runner
        The window, whose measurements are played by `runner`.
    seed
        Of all choices.
    """

    def __init__(self, window: MainWindow, runner: FakeRunner, seed: int) -> None:
        self.window = window
        self._runner = runner
        self._answers: Any = window.files.questions
        self._folder = platformdirs.user_cache_path("rfstudio") / "monkey"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._random = Random(seed)
        self._hands = Hands(window, self._random, self._folder)
        self.done: list[str] = []
        self.slow: list[tuple[float, float, str]] = []
        self._mouse = LayerMouse(window)
        self.start: Architecture = window.studio.document.architecture
        self._follow_documents()
        self._analyses = sum(type(x) is Analysis for x in gc.get_objects())
        common: dict[str, Action] = {
            "tree": self._key_in_tree,
            "canvas key": self._key_on_canvas,
            "click": self._click_canvas,
            "wheel": self._wheel,
            "add": self._add,
            "spin": self._spin,
            "change": self._change,
            "undo": lambda: window.actions_.undo.trigger(),
            "redo": lambda: window.actions_.redo.trigger(),
            "tab": self._tab,
            "switch": self._switch,
            "measure": lambda: window.actions_.measure.trigger(),
            "progress": self._progress,
        }
        rare: dict[str, Action] = {
            "paste": self._paste,
            "cut": lambda: window.stack.actions_.cut.trigger(),
            "cancel": lambda: window.actions_.cancel.trigger(),
            "more": lambda: window.actions_.measure_more.trigger(),
            "training": lambda: window.actions_.training.trigger(),
            "reference": lambda: window.actions_.fields_from_here.trigger(),
            "input": lambda: window.actions_.fields_from_input.trigger(),
            "filter": self._filter,
            "palette": self._palette,
            "shape": self._shape,
            "resize": lambda: window.resize(*self._random.choice(_SIZES)),
            "results": self._results,
            "pin": lambda: window.actions_.pin.trigger(),
            "pin before": lambda: window.actions_.pin_before.trigger(),
            "unpin": lambda: window.actions_.unpin.trigger(),
            "undo all": self._undo_all,
            "image": lambda: window.studio.images.clear(),
            "paste image": self._paste_image,
            "batch": self._batch,
            "history": self._history,
            "size": self._size,
            "keys": self._keys,
            "picker": self._pick_in_map,
            "overview": self._go_in_overview,
            "layers dragged": self._drag_layers,
            "wide image": self._wide_image,
            "shown result": self._session_with_result,
            "session": self._session,
            "import": self._import,
            "drag": self._drag,
            "drop": self._hands.drop,
            "menu": self._menu,
            "go": self._go_anywhere,
            "poke": self._poke,
            "context": self._hands.context,
            "figure": self._figure,
        }
        self._common, self._rare = list(common.items()), list(rare.items())

    def step(self) -> None:
        """Do one thing, and let the window follow."""
        name, action = self._random.choice(
            self._common if self._random.random() < 0.75 else self._rare
        )
        self.done.append(name)
        started, worked = time.perf_counter(), time.thread_time()
        said = action()
        if isinstance(said, str):
            name = self.done[-1] = f"{name} {said}"
        turn_event_loop()
        took = time.perf_counter() - started
        self.slow.append((time.thread_time() - worked, took, name))
        self._hands.close_dialogs()
        while len(self._runner.jobs) > MOST_JOBS:
            self._runner.jobs.pop(0).deleteLater()
        self.check()

    def warm_up(self) -> None:
        """Open each window once, draw a figure, be dark: what that imports and holds is no leak."""
        actions = self.window.actions_
        for action in (
            actions.experiments, actions.train, actions.advise, actions.documentation,
            actions.history, actions.about, actions.keys,
        ):  # fmt: skip
            action.trigger()
            turn_event_loop()
            self.close_dialogs()
        self.window.files.drawing(FigureSettings())(".png")
        self.window.set_scheme("dark")
        turn_event_loop()

    def settle(self) -> None:
        """Bring the window to one state, in which nothing is left of what was done before.

        What was begun before, as a session that is being opened, may end in the middle of it.
        """
        for _ in range(MOST_TRIALS):
            self._clear()
            if self._is_clear():
                break
        else:
            raise AssertionError("the window did not come to rest")
        forget()

    def _is_clear(self) -> bool:
        studio = self.window.studio
        shelf = () if studio.erf_session is None else tuple(studio.erf_session.shelf)
        is_there = studio.document.architecture == read_preset(PRESETS[0])
        return is_there and not studio.analysis.is_late and not shelf and not tuple(studio.pins)

    def _clear(self) -> None:
        window, studio = self.window, self.window.studio
        self.close_dialogs()
        self.open_preset(PRESETS[0])
        for dock in window.findChildren(QDockWidget):
            dock.show()  # a hidden one keeps what it showed
        window.growth.none.trigger()
        window.resize(*_SIZES[0])
        window.set_scheme("light")
        window.actions_.fields_from_input.trigger()
        studio.images.clear()
        studio.pins.clear()
        if (measuring := studio.erf_session) is not None:
            for shelved in list(measuring.shelf):
                measuring.remove(shelved)
        while self._runner.jobs:
            self._runner.jobs.pop().deleteLater()
        self._answers.asked.clear()
        self._answers.reports.clear()
        self._answers.offered_figures.clear()
        QGuiApplication.clipboard().clear()
        for tab in reversed(range(window.tabs.count())):  # one behind others keeps what it showed
            window.tabs.setCurrentIndex(tab)
            for _ in range(MOST_TURNS // window.tabs.count()):
                turn_event_loop()

    def check(self) -> None:
        """Check what must always hold."""
        studio = self.window.studio
        analysis, chosen = studio.selection.shown
        if not studio.analysis.is_late:
            assert analysis.architecture is studio.document.architecture
        assert chosen.layer in analysis
        node = analysis.graph.nodes[analysis.graph.index(chosen.layer)]
        assert len(chosen.unit) == len(node.size)
        assert all(0 <= u < max(n, 1) for u, n in zip(chosen.unit, node.size, strict=True))
        for late in self.window.stack.findChildren(BatchDialog):
            late.close()  # opened once a late analysis was there
        left = [type(x).__name__ for x in self._open_dialogs() if x.isModal()]
        assert not left, f"still open: {left}"

    def close_dialogs(self) -> None:
        """Close what is open beside the window."""
        self._hands.close_dialogs(all_=True)
        if self.window.tour is not None:
            self.window.tour.end()

    def gauge(self) -> Gauge:
        """Return what the window takes in that state."""
        self.settle()
        return gauged(self.window)

    def check_memory(self) -> None:
        """Check that what the edits have left behind is dropped, but for the last few."""
        gc.collect()
        analyses = sum(type(x) is Analysis for x in gc.get_objects())
        assert analyses <= self._analyses + MOST_ANALYSES, f"{analyses} analyses are alive"

    def open_preset(self, name: str) -> None:
        """Open another network; what can be undone begins with it."""
        self.window.files.open_preset(name)

    def _follow_documents(self) -> None:
        """Note where undoing ends whenever another network is opened, which may be later."""
        document = self.window.studio.document

        def note() -> None:
            if not document.undo_stack.count():
                self.start = document.architecture

        document.architecture_changed.connect(note)

    # --- actions --------------------------------------------------------------------------------

    def _open_dialogs(self) -> list[Any]:
        return [x for x in QApplication.topLevelWidgets() if x.isVisible() and x != self.window]

    def _key_in_tree(self) -> None:
        QTest.keyClick(self.window.stack.tree, self._random.choice(_TREE))

    def _key_on_canvas(self) -> None:
        modifier = self._random.choice(_MODIFIERS)
        QTest.keyClick(self.window.canvas.view, self._random.choice(_KEYS), modifier)

    def _somewhere(self) -> QPoint:
        area = self.window.canvas.view.viewport().rect()
        return QPoint(
            self._random.randrange(max(area.width(), 1)),
            self._random.randrange(max(area.height(), 1)),
        )

    def _click_canvas(self) -> None:
        view = self.window.canvas.view.viewport()
        button = Qt.MouseButton.LeftButton
        QTest.mouseClick(view, button, Qt.KeyboardModifier.NoModifier, self._somewhere())

    def _wheel(self) -> None:
        view = self.window.canvas.view.viewport()
        at = QPointF(self._somewhere())
        turned = self._random.choice((-1200, -120, 120, 1200))
        event = QWheelEvent(
            at, QPointF(view.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, turned),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(view, event)

    def _add(self) -> None:
        self.window.stack.add(self._random.choice(kinds()).keyword)

    def _change(self) -> None:
        actions = self.window.stack.actions_
        self._random.choice(
            (
                actions.delete, actions.duplicate, actions.move_up, actions.move_down,
                actions.move_in, actions.move_out, actions.unwrap, actions.add_branch,
                actions.copy, *actions.wraps,
            )
        ).trigger()  # fmt: skip

    def _spin(self) -> None:
        spins = [x for x in self.window.inspector.findChildren(QSpinBox) if x.isVisible()]
        if spins:
            spin = self._random.choice(spins)
            key = self._random.choice((Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Down))
            QTest.keyClick(spin, key)

    def _paste(self) -> None:
        QGuiApplication.clipboard().setText(self._random.choice(PASTES))
        self.window.stack.actions_.paste.trigger()

    def _tab(self) -> None:
        self.window.tabs.setCurrentIndex(self._random.randrange(self.window.tabs.count()))

    def _switch(self) -> None:
        self._random.choice(list(self.window.canvas.switches.actions_by_key.values())).trigger()

    def _progress(self) -> None:
        session = self.window.studio.erf_session
        if session is None or session.running is None:
            return
        layer, unit = session.running.layer, session.running.unit
        size = session.running.architecture.input_size
        if int(np.prod(size)) > 1 << 20 or 0 in size:
            return
        job, share = self._runner.jobs[-1], self._random.choice((0.25, 0.5, 1.0))
        values = np.random.default_rng(len(self.done)).random(size)
        samples = int(32 * share)
        result = result_of(layer, unit, values, samples, wanted=32)
        if share < 1:
            job.progressed.emit(share, result)
        elif self._random.random() < 0.2:
            job.failed.emit(RuntimeError("the worker has ended"))
        else:
            job.succeeded.emit(result)

    def _results(self) -> None:
        panel = self.window.results
        count = panel.tree.topLevelItemCount()
        if count:
            row = panel.tree.topLevelItem(self._random.randrange(count))
            panel.tree.setCurrentItem(present(row))
            self._random.choice((panel.show_, panel.show_, panel.delete)).click()

    def _filter(self) -> None:
        line = self.window.stack.filter_line
        line.setText(self._random.choice(WORDS))
        if self._random.random() < 0.5:
            QTest.keyClick(line, Qt.Key.Key_Return)
        line.clear()

    def _palette(self) -> None:
        palette = self.window.palette_
        if self._random.random() < 0.5:
            palette.pop_up()
        else:
            palette.go_to_anything()
        QTest.keyClicks(palette.search, self._random.choice(WORDS))
        QTest.keyClick(palette.search, Qt.Key.Key_Down)
        QTest.keyClick(palette.search, Qt.Key.Key_Escape)
        palette.hide()

    def _shape(self) -> None:
        self._random.choice(list(self.window.actions_.shapes.values())).trigger()

    def _paste_image(self) -> None:
        if self._random.random() < 0.5:
            width, height = self._random.randrange(1, 40), self._random.randrange(1, 40)
            picture = QImage(width, height, QImage.Format.Format_RGB32)
            picture.fill(self._random.randrange(1 << 24))
            QGuiApplication.clipboard().setImage(picture)
        self.window.actions_.paste_image.trigger()

    def _batch(self) -> None:
        tree = self.window.stack.tree
        if self._random.random() < 0.5:
            tree.selectAll()
        self.window.stack.actions_.change_all.trigger()
        for dialog in self.window.stack.findChildren(BatchDialog):
            dialog.name.setCurrentIndex(self._random.randrange(max(dialog.name.count(), 1)))
            dialog.change.setCurrentIndex(self._random.randrange(3))
            dialog.by.setText(self._random.choice(("2", "1/2", "0", "-3", "many", "1")))
            (dialog.accept if self._random.random() < 0.5 else dialog.reject)()
            dialog.close()

    def _history(self) -> None:
        self.window.actions_.history.trigger()
        for dialog in self.window.findChildren(HistoryDialog):
            model = dialog.view.model()
            row = model.index(self._random.randrange(max(model.rowCount(), 1)), 0)
            dialog.view.setCurrentIndex(row)
            dialog.close()

    def _size(self) -> None:
        menu = self.window.actions_.input_sizes.menu
        menu.aboutToShow.emit()
        small = [x for x in menu.actions() if len(x.text()) <= len("224×224")]
        if small:
            self._random.choice(small).trigger()

    def _keys(self) -> None:
        self.window.actions_.keys.trigger()
        for dialog in self.window.findChildren(KeysDialog):
            dialog.choose(self._random.choice(("Advise", "Pin this unit", "Duplicate", "Copy")))
            QTest.keyClick(dialog.capture, Qt.Key.Key_F7, self._random.choice(_MODIFIERS))
            (dialog.take if dialog.take.isVisible() else dialog.all_usual).click()
            dialog.close()

    def _session(self) -> None:
        self._answers.path = self._folder / f"{self._random.randrange(3)}.rfsession"
        if self._random.random() < 0.5 or not self._answers.path.exists():
            self.window.actions_.save_session.trigger()
            self.window.actions_.sessions.writing.wait()
            self.window.actions_.sessions.writing.tell()
        else:
            self.window.actions_.open_session.trigger()

    def _session_with_result(self) -> None:
        """Save and open a session while something measured or a pin is shown."""
        self.window.actions_.measure.trigger()
        for _ in range(2):
            self._progress()
        self.window.actions_.pin.trigger()
        self._session()

    def _import(self) -> None:
        self.window.files.open_dropped(self._folder / self._random.choice(("no.onnx", "no.pt2")))
        for dialog in self.window.findChildren(ImportProgress):
            dialog.reject()
        self._runner.jobs.pop()  # the last one is that of a measurement

    def _menu(self) -> str:
        """Trigger any command; what it writes goes to a folder of ours."""
        name = self._random.choice(("a.yaml", "b.png", "c.npz", "d.csv", "e.svg", "f.json", "none"))
        self._answers.path = self._folder / name
        said = self._hands.menu()
        self.window.files.writing.wait()
        self.window.files.writing.tell()
        return said

    def _go_anywhere(self) -> str:
        self._answers.path = None
        said = self._hands.palette(self._random.choice(PLACES))
        self.window.files.writing.wait()
        self.window.files.writing.tell()
        return said

    def _poke(self) -> str:
        self._answers.path = None
        return self._hands.poke()

    def _figure(self) -> str:
        """Open the dialog of figures, choose something in it, and draw or close it."""
        chosen = FigureSettings()
        with passing(FigureDialog(chosen, self.window, self.window.files)) as dialog:
            dialog.show()
            said = [self._hands.poke() for _ in range(2)]
            dialog.close()
        self.window.files.previews.wait()
        return ", ".join(said)

    def _drag(self) -> None:
        view, button = self.window.canvas.view.viewport(), Qt.MouseButton.LeftButton
        none = Qt.KeyboardModifier.NoModifier
        QTest.mousePress(view, button, none, self._somewhere())
        for _ in range(4):
            QTest.mouseMove(view, self._somewhere())
        QTest.mouseRelease(view, button, none, self._somewhere())

    def _drag_layers(self) -> None:
        """Drag a layer, or those that are chosen, to any row, at any height in it."""
        tree, model = self.window.stack.tree, self.window.stack.model
        if self.window.studio.analysis.is_late or not tree.isVisible():
            return
        view = tree.viewport().rect()
        heights = range(0, view.height(), max(tree.rowHeight(model.index(0, 0)), 1))
        shown = {model.location_of(tree.indexAt(QPoint(60, y))) for y in heights}
        places = sorted(x for x in shown if x is not None)
        if not places:
            return
        if self._random.random() < 0.2:
            tree.selectAll()
        place = self._random.choice(places)
        if not view.contains(self._mouse.middle_of(place)):
            return
        action = self._random.choice((Qt.DropAction.MoveAction, Qt.DropAction.CopyAction))
        data = self._mouse.pick(place)
        for _ in range(3):
            at = QPoint(self._random.randrange(view.width()), self._random.randrange(view.height()))
            self._mouse.over(data, at, action)
        self._mouse.drop(data, at, action)

    def _pick_in_map(self) -> None:
        """Click and drag in the map of the layer, or show and hide it."""
        inset = self.window.canvas.inset
        if not inset.isVisible() or self._random.random() < 0.2:
            QTest.keyClick(self.window.canvas.view, Qt.Key.Key_M)
            return
        self._drag_in(inset)
        QTest.keyClick(inset, self._random.choice(_KEYS), self._random.choice(_MODIFIERS))

    def _go_in_overview(self) -> None:
        self.window.tabs.setCurrentWidget(self.window.graph)
        if self.window.graph.overview.isVisible():
            self._drag_in(self.window.graph.overview)

    def _drag_in(self, widget: QWidget) -> None:
        button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        places = [
            QPoint(
                self._random.randrange(-5, widget.width() + 5),
                self._random.randrange(-5, widget.height() + 5),
            )
            for _ in range(4)
        ]
        QTest.mousePress(widget, button, none, places[0])
        for place in places:
            QTest.mouseMove(widget, place)
        QTest.mouseRelease(widget, button, none, places[-1])

    def _wide_image(self) -> None:
        """Show a photo of any shape, cropped, padded or stretched."""
        width, height = self._random.choice(((320, 180), (90, 400), (3, 200), (1, 1)))
        rows = np.random.default_rng(len(self.done)).integers(0, 255, (height, width, 3), np.uint8)
        picture = QImage(rows.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        QGuiApplication.clipboard().setImage(picture.copy())
        self.window.actions_.paste_image.trigger()
        for _ in range(2):
            self._shape()

    def _undo_all(self) -> None:
        """Go back to the start, which must be the start, and forward again."""
        stack = self.window.studio.document.undo_stack
        index = stack.index()
        now = self.window.studio.document.architecture
        stack.setIndex(0)
        assert self.window.studio.document.architecture == self.start
        stack.setIndex(index)
        assert self.window.studio.document.architecture == now


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _gauge(monkey: Monkey, wrong: list[str]) -> Gauge:
    held = resident()
    try:
        monkey.check_memory()
    except AssertionError as error:
        wrong.append(str(error))
    gauge = monkey.gauge()
    _say(f"{len(monkey.done)}: {held} MiB held, then {gauge}, {len(wrong)} wrong")
    return gauge


def _hear_of_faults(wrong: list[str]) -> None:
    """Collect exceptions of slots, messages of Qt, and what was logged and went on."""
    sys.excepthook = lambda *error: wrong.append("".join(traceback.format_exception(*error)))
    quiet = ("propagateSizeHints", "does not support")

    def hear(_kind: Any, _context: Any, text: str) -> None:
        if not any(x in text for x in quiet):
            wrong.append(f"Qt: {text}")

    qInstallMessageHandler(hear)

    class Errors(logging.Handler):
        """Hears what is logged."""

        def emit(self, record: logging.LogRecord) -> None:
            wrong.append(f"logged: {self.format(record)}")

    logging.getLogger().addHandler(Errors(logging.ERROR))


def main(seed: int, actions: int, leak: int = 0) -> int:
    """Run many actions; return how many went wrong.

    With a leak, each action leaves so many KiB behind, which must be found.
    """
    from rfstudio.app.frames import Frames
    from rfstudio.app.heap import share_one_heap
    from rfstudio.app.jobs import JobRunner
    from rfstudio.app.state.image_source import sample_images
    from rfstudio.app.state.settings import Settings
    from rfstudio.app.studio import Studio
    from rfstudio.widgets.parts.theme import apply_scheme
    from rfstudio.widgets.window.questions import Questions
    from tests.widgets.conftest import SMALL, Answers

    wrong: list[str] = []
    share_one_heap()  # as the program does
    application = QApplication([])
    _hear_of_faults(wrong)
    apply_scheme(application, "system")  # each widget keeps what the style sheet says of it
    runner, answers = FakeRunner(), Answers()
    answers.save = "discard"
    settings = Settings(Path(tempfile.mkdtemp()) / "settings.ini")
    studio = Studio(SMALL, settings=settings, runner=cast("JobRunner", runner))
    studio.images.open(sample_images()[0])
    window = MainWindow(studio, cast("Questions", answers), Frames())
    window.show()
    monkey = Monkey(window, runner, seed)
    monkey.warm_up()
    gauges: list[Gauge] = []
    leaked: list[bytes] = []
    for number in range(actions):
        count = len(wrong)
        try:
            if number % 400 == 399:
                monkey.open_preset(PRESETS[(number // 400) % len(PRESETS)])
            if studio.document.architecture and len(studio.analysis.analysis.graph.nodes) > 700:
                studio.document.undo_stack.setIndex(0)
            monkey.step()
        except Exception:  # noqa: BLE001 - whatever it is, it is reported
            wrong.append(traceback.format_exc())
        if len(wrong) > count:
            _say(f"--- seed {seed}, action {number}: {monkey.done[-4:]}\n{wrong[-1]}")
        leaked.append(b"\1" * (leak << 10))
        if number % GAUGED == GAUGED - 1:
            gauges.append(_gauge(monkey, wrong))
    for fault in growth(gauges):
        _say(f"--- seed {seed}: {fault}")
        wrong.append(fault)
    slowest = sorted(monkey.slow, reverse=True)[:8]
    slow = (f"{name} {worked:.2f} s ({took:.2f})" for worked, took, name in slowest)
    _say("slowest, of the processor (and by the clock): " + ", ".join(slow))
    _say(f"seed {seed}: {actions} actions, {len(wrong)} wrong")
    return len(wrong)


if __name__ == "__main__":
    with alone():
        raise SystemExit(min(main(*map(int, sys.argv[1:])), 1))
