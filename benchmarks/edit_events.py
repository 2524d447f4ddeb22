"""Edits of large networks in the real window, each with its undo and redo: for `stalls.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial

from PySide6.QtCore import QItemSelectionModel
from PySide6.QtGui import QGuiApplication

from benchmarks.turns import CONV, FROZEN, SLOW, Bench, Waited, network_of
from rfstudio.app.editing.layer_edits import Batch
from rfstudio.core.network.architecture import Location

_BLOCK = (
    "- residual: {{layers: [{{conv: {{kernel_size: {0}, padding: same, out_channels: 3}}}}, relu, "
    "{{conv: {{kernel_size: 3, padding: 1, out_channels: 3}}}}, relu]}}\n"
)

_NAMED = (
    "- conv: {{name: conv{0}, kernel_size: 3, padding: 1, out_channels: 3}}\n- relu: {{name: "
    "relu{0}}}\n- add: {{name: add{0}, from: [relu{0}, conv{0}]}}\n"
)

NETWORKS = {
    "5,000 plain layers": SLOW["5,000 layers"],
    "5,000 layers in blocks": "".join(_BLOCK.format(3 + 2 * (i % 3)) for i in range(1000)),
    "5,000 layers with names": "".join(map(_NAMED.format, range(1666))),
    "800 merges": SLOW["800 misaligned merges"],
}

_ROUNDS = 2

Edit = tuple[str, Callable[[], object], Callable[[], object]]
"""The name of an edit, what is done before it, and the edit."""


def _choose(bench: Bench, *places: Location) -> None:
    """Choose rows of the tree, as a user does."""
    flags = QItemSelectionModel.SelectionFlag
    model, tree = bench.window.stack.model, bench.window.stack.tree
    tree.setCurrentIndex(model.index_of(places[0]))
    for place in places[1:]:
        tree.selectionModel().select(model.index_of(place), flags.Select | flags.Rows)


def _edits(bench: Bench) -> Iterator[Edit]:
    stack, edits = bench.window.stack, bench.studio.edits
    actions = stack.actions_
    middle = len(bench.studio.document.architecture.layers) // 2 // 3 * 3
    here = partial(_choose, bench, (middle,))
    three = partial(_choose, bench, *((middle + i,) for i in range(3)))

    def copy() -> None:
        three()
        actions.copy.trigger()

    def wrapped() -> None:
        three()
        actions.wraps[0].trigger()

    def nothing() -> None:
        pass

    def half() -> None:
        flags = QItemSelectionModel.SelectionFlag
        here()
        tree, model = stack.tree, stack.model
        part = QItemSelectionModel(model).selection()
        part.select(model.index_of((1,)), model.index_of((middle,)))
        tree.selectionModel().select(part, flags.ClearAndSelect | flags.Rows)

    yield "insert", here, lambda: edits.insert_text(CONV, (middle,))
    yield "insert first", nothing, lambda: edits.insert_text(CONV, (0,))
    yield "add", here, partial(stack.add, "relu")
    yield "delete", here, actions.delete.trigger
    yield "duplicate", three, actions.duplicate.trigger
    yield "paste", copy, actions.paste.trigger
    yield "move up", here, actions.move_up.trigger
    yield "move down", three, actions.move_down.trigger
    for wrap in actions.wraps:
        yield wrap.text().lower(), three, wrap.trigger
    yield "unwrap", wrapped, actions.unwrap.trigger
    yield "rename", here, lambda: edits.rename((middle,), "renamed")
    yield "delete half", half, actions.delete.trigger
    double = Batch("dilation", "multiply", Fraction(2), padding_follows=True)

    def change_all() -> None:
        edits.change_all(stack.chosen(), double)

    yield "double all dilations", stack.tree.selectAll, change_all


def time_edits(bench: Bench, waited: Waited, is_wanted: Callable[[str], bool]) -> None:
    """Print the longest turn of each edit, by the processor, and of its undo and redo."""
    for name, text in NETWORKS.items():
        titles = [f"{x}, {name}" for x, _, _ in _edits(bench)]
        if not any(map(is_wanted, titles)):
            continue
        bench.window.files.open_network(network_of(text))
        bench.settle()
        print(f"  {name:<40}{'wall':>8}{'proc.':>8}{'undone':>8}{'redone':>8}{'allowed':>9}")
        for title, (edit, prepare, begin) in zip(titles, _edits(bench), strict=True):
            if is_wanted(title):
                _time_edit(bench, waited, edit, prepare, begin)
        bench.window.files.open_preset("vgg16")
        bench.settle()


def _time_edit(
    bench: Bench,
    waited: Waited,
    name: str,
    prepare: Callable[[], object],
    begin: Callable[[], object],
) -> None:
    stack = bench.studio.document.undo_stack
    walls: list[float] = []
    done: list[float] = []
    undone: list[float] = []
    redone: list[float] = []
    for _ in range(_ROUNDS):
        before = stack.index()
        prepare()
        bench.settle()
        start = stack.index()
        turns = bench.turns(begin, lambda: True, waited)
        if stack.index() == start:
            print(f"    ! {name} did nothing")
        walls.append(max(x.wall for x in turns))
        done.append(max(x.processor for x in turns))
        for step, found in ((stack.undo, undone), (stack.redo, redone)):
            turns = bench.turns(step, lambda: True, waited)
            found.append(max(x.processor for x in turns))
        while stack.index() > before:
            stack.undo()
        QGuiApplication.clipboard().clear()
        bench.settle()
    longest = max(*done, *undone, *redone)
    late = "  over" if longest > FROZEN else ""
    cells = "".join(f"{max(x):8.1f}" for x in (walls, done, undone, redone))
    print(f"    {name:<38}{cells}{FROZEN:9.0f}{late}", flush=True)
