"""All that is done with a window beside edits, on small and large networks: for `stalls.py`."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QDialog, QToolButton, QWidget

from benchmarks.edit_events import NETWORKS
from benchmarks.turns import BESIDE, FROZEN, Bench, Waited, network_of, row
from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.measuring_work import Subject
from rfstudio.app.files.presets import read_preset
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.requests.request import ErfResult
from rfstudio.widgets.inspector.fold import Fold

_FRAME = 16.0
"""Milliseconds of a frame while something is dragged."""

_SMALL = ("vgg16", "resnet152", "r3d_18")

_LARGE = ("5,000 plain layers", "5,000 layers in blocks")

Use = tuple[str, Callable[[], object]]


def _network(name: str) -> Architecture:
    return read_preset(name) if name in _SMALL else network_of(NETWORKS[name])


def _wheel(widget: QWidget, step: int) -> None:
    middle = QPointF(widget.rect().center())
    event = QWheelEvent(
        middle,
        widget.mapToGlobal(middle),
        QPoint(),
        QPoint(0, step),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def _point(widget: QWidget, place: QPointF) -> None:
    nothing = Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        place,
        widget.mapToGlobal(place),
        nothing,
        nothing,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)


def _uses(bench: Bench) -> Iterator[Use]:
    window = bench.window
    for number in range(window.tabs.count()):
        yield f"tab {window.tabs.tabText(number)}", partial(window.tabs.setCurrentIndex, number)
    window.tabs.setCurrentIndex(0)
    yield "dark", partial(window.set_scheme, "dark")
    yield "light", partial(window.set_scheme, "light")
    actions = window.actions_
    for name in ("keys", "about", "documentation", "history", "advise", "experiments", "train"):
        yield f"dialog: {name}", getattr(actions, name).trigger
        for dialog in window.findChildren(QDialog):
            dialog.close()
    yield "go to anything", window.palette_.go_to_anything
    for text in ("c", "co", "con", "conv", "conv2", "conv24", "zzz"):
        yield f"go to anything: {text}", partial(window.palette_.search.setText, text)
    window.palette_.hide()
    for text in ("c", "co", "con", "conv", "conv2", "conv24", "relu", ""):
        yield f"filter: {text}", partial(window.stack.filter_line.setText, text)
    tree = window.stack.tree
    yield "choose all", tree.selectAll
    yield "change dialog", window.stack.actions_.change_all.trigger
    for dialog in window.findChildren(QDialog):
        dialog.close()
    yield "choose one", partial(tree.setCurrentIndex, window.stack.model.index_of((1,)))
    yield "collapse all", tree.collapseAll
    yield "expand all", tree.expandAll
    for fold in window.inspector.findChildren(Fold):
        for button in fold.findChildren(QToolButton)[:1]:
            yield f"fold {button.text()}", button.click
    canvas = window.canvas
    view = canvas.view.viewport()
    yield "point", partial(_point, view, QPointF(view.rect().center()))
    for step in (120, 120, -120):
        yield f"wheel {step}", partial(_wheel, view, step)
    yield "fit the field", canvas.fit_field.trigger
    yield "fit", canvas.fit
    for key, action in canvas.switches.actions_by_key.items():
        yield f"switch {key}", action.toggle
        yield f"switch {key} back", action.toggle
    for mode, action in canvas.mode_button.actions_by_key.items():
        yield f"mode {mode}", action.trigger
    next(iter(canvas.mode_button.actions_by_key.values())).trigger()
    slider = canvas.slices.slider
    if canvas.slices.isVisible():
        for number in (0, slider.maximum() // 2, slider.maximum()):
            yield f"slice {number}", partial(slider.setValue, number)


def _drag(bench: Bench, waited: Waited) -> None:
    """Print what a move of the unit takes, with a measured field and three pins."""
    studio = bench.studio
    network = studio.document.architecture
    studio.selection.select_layer("layer3")
    random = np.random.default_rng(0)
    size = studio.analysis.analysis["layer3"].output_size
    for unit in itertools.product((3, 4), range(size[1])):
        values = random.random(network.input_size)
        result = ErfResult(
            map=values,
            standard_error=values / 9,
            layer="layer3",
            unit=unit,
            samples=32,
            wanted=32,
            options={},
            device="cpu",
            versions={},
            seconds=1.0,
        )
        subject = Subject(network, "layer3", unit)
        bench.measuring.shelf.put(subject, ErfOptions(), "", result, ending="done")
    bench.measuring.shelf_changed.emit()
    for column in range(3):
        studio.selection.select_unit((3, column))
        studio.pins.add()
    bench.settle()
    found = []
    for column in itertools.chain(range(size[1]), range(size[1])):
        move = partial(studio.selection.select_unit, (4, column))
        found.append(max(x.processor for x in bench.turns(move, lambda: True, waited)))
    median = statistics.median(found)
    late = "  over" if median > _FRAME else ""
    print(f"  {'drag: median and longest':<52}{median:9.1f}{max(found):9.1f}{_FRAME:9.0f}{late}")
    studio.pins.clear()


def time_uses(bench: Bench, waited: Waited, is_wanted: Callable[[str], bool]) -> None:
    """Print the longest turn of each use; those that are short are left out."""
    for name in (*_SMALL, *_LARGE):
        if not is_wanted(name):
            continue
        allowed = FROZEN if name in _LARGE else BESIDE
        print(f"  {name}")
        bench.window.files.open_network(_network(name))
        bench.settle()
        for what, begin in _uses(bench):
            turns = bench.turns(begin, lambda: True, waited)
            if max(x.processor for x in turns) > allowed / 3:
                row(f"  {what}", turns, allowed)
            bench.settle()
        if name == "resnet152":
            _drag(bench, waited)
        bench.window.files.open_preset("vgg16")
        bench.settle()
