"""Layers are dragged in and out of containers with the mouse, in the tree of a whole window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import QMimeData, QPoint, QRect, Qt
from PySide6.QtGui import QCursor, QDragLeaveEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.core import ops
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Item,
    Layer,
    Location,
    Parallel,
    Repeat,
    Residual,
    Sequence,
    item_at,
)
from rfstudio.widgets.stack.model import LOCATIONS
from tests.narrowing import present
from tests.widgets.conftest import SMALL, conv
from tests.widgets.dragging import LayerMouse
from tests.widgets.hands import LEFT, NO_KEYS

BLOCKS = Architecture(
    name="blocks",
    input_size=(32, 32),
    layers=(
        conv("stem"),
        Sequence((conv("s1"), conv("s2")), "seq"),
        Repeat(2, (conv("r1"),), "rep"),
        Residual((conv("m1"), conv("m2")), (conv("k1"),), "res"),
        Parallel((Branch((conv("p1"),), "left"), Branch((conv("q1"),), "right")), "concat", "par"),
        conv("head"),
    ),
)


@pytest.fixture
def mouse(open_window: Callable) -> LayerMouse:
    return LayerMouse(open_window(BLOCKS))


def in_words(items: tuple[Item, ...]) -> str:
    """Return items as a short text, as ``stem rep(r1) res(m1 / k1)``."""
    return " ".join(
        f"{x.name}({' / '.join(map(in_words, x.bodies))})" if x.bodies else x.name for x in items
    )


def network(mouse: LayerMouse) -> str:
    return in_words(mouse.window.studio.document.architecture.layers)


def mark(mouse: LayerMouse) -> QRect | None:
    return mouse.window.stack.tree._mark


BEFORE = "stem seq(s1 s2) rep(r1) res(m1 m2 / k1) par(p1 / q1) head"


GOALS: tuple[tuple[Location, tuple[Location, float], str], ...] = (
    ((0,), ((1,), 0.5), "seq(s1 s2 stem) rep(r1) res(m1 m2 / k1) par(p1 / q1) head"),
    ((0,), ((1,), 1.0), "seq(stem s1 s2) rep(r1) res(m1 m2 / k1) par(p1 / q1) head"),
    ((5,), ((1,), 0.0), "stem head seq(s1 s2) rep(r1) res(m1 m2 / k1) par(p1 / q1)"),
    ((0,), ((2, 0, 0), 0.9), "seq(s1 s2) rep(r1 stem) res(m1 m2 / k1) par(p1 / q1) head"),
    ((0,), ((2, 0, 0), 0.1), "seq(s1 s2) rep(stem r1) res(m1 m2 / k1) par(p1 / q1) head"),
    ((0,), ((3,), 0.5), "seq(s1 s2) rep(r1) res(m1 m2 stem / k1) par(p1 / q1) head"),
    ((0,), ((3, 1, 0), 0.1), "seq(s1 s2) rep(r1) res(m1 m2 / stem k1) par(p1 / q1) head"),
    ((0,), ((4, 1, 0), 0.9), "seq(s1 s2) rep(r1) res(m1 m2 / k1) par(p1 / q1 stem) head"),
    ((0,), ((4,), 0.5), "seq(s1 s2) rep(r1) res(m1 m2 / k1) par(p1 stem / q1) head"),
    ((1, 0, 1), ((0,), 0.1), "s2 stem seq(s1) rep(r1) res(m1 m2 / k1) par(p1 / q1) head"),
    ((2, 0, 0), ((5,), 0.9), "stem seq(s1 s2) rep() res(m1 m2 / k1) par(p1 / q1) head r1"),
    ((3, 1, 0), ((3, 0, 0), 0.9), "stem seq(s1 s2) rep(r1) res(m1 k1 m2 / ) par(p1 / q1) head"),
    ((4, 0, 0), ((4, 1, 0), 0.1), "stem seq(s1 s2) rep(r1) res(m1 m2 / k1) par( / p1 q1) head"),
    ((2,), ((1, 0, 1), 0.1), "stem seq(s1 rep(r1) s2) res(m1 m2 / k1) par(p1 / q1) head"),
)
"""What is dragged, onto which item and at which share of its row's height, and what follows."""


def test_that_layers_go_where_they_are_dropped_in_one_step(mouse: LayerMouse) -> None:
    stack = mouse.window.studio.document.undo_stack
    for place, goal, wanted in GOALS:
        mouse.drag(place, mouse.middle_of(*goal))
        assert network(mouse) == wanted
        assert stack.index() == 1
        assert stack.undoText().startswith("Move ")
        stack.undo()
        assert network(mouse) == BEFORE


def test_that_a_shortcut_and_a_branch_take_what_is_dropped_on_their_rows(mouse: LayerMouse) -> None:
    for share, wanted in ((0.5, "k1 stem"), (1.0, "stem k1")):
        mouse.drag((0,), mouse.middle_of((3,), share, branch=1))
        assert network(mouse).split("res(m1 m2 / ")[1].startswith(f"{wanted})")
        mouse.window.studio.document.undo_stack.undo()


def test_that_layers_go_after_a_closed_container_or_to_its_end(mouse: LayerMouse) -> None:
    tree, model = mouse.window.stack.tree, mouse.window.stack.model
    for place in ((1,), (4,)):
        tree.collapse(model.index_of(place))
        mouse.drag((0,), mouse.middle_of(place, 1.0))
        assert mouse.window.stack.chosen() == [place]
        mouse.window.studio.document.undo_stack.undo()
        mouse.drag((0,), mouse.middle_of(place, 0.5))
        assert mouse.window.stack.chosen()[0][:2] == (place[0] - 1, 0)
        mouse.window.studio.document.undo_stack.undo()


def test_that_the_empty_space_below_is_the_end_of_the_network(mouse: LayerMouse) -> None:
    view = mouse.window.stack.tree.viewport()
    at = QPoint(view.width() // 2, view.height() - 3)
    data = mouse.pick((1, 0, 0))
    assert mouse.over(data, at)
    line = present(mark(mouse))
    last = mouse.window.stack.tree.visualRect(mouse.window.stack.model.index_of((5,)))
    assert (line.left(), line.top()) == (last.left(), last.bottom() + 1)
    mouse.drop(data, at)
    assert network(mouse).endswith("head s1")


def test_that_the_mark_is_as_deep_as_the_place(mouse: LayerMouse) -> None:
    data = mouse.pick((0,))
    tree, model = mouse.window.stack.tree, mouse.window.stack.model
    inside, outside = (
        tree.visualRect(model.index_of((2, 0, 0))),
        tree.visualRect(model.index_of((3,))),
    )
    assert mouse.over(data, mouse.middle_of((2, 0, 0), 0.9))
    lower = present(mark(mouse))
    assert mouse.over(data, mouse.middle_of((3,), 0.1))
    upper = present(mark(mouse))
    assert lower.height() == upper.height() == 0  # lines
    assert (lower.left(), upper.left()) == (inside.left(), outside.left())
    assert mouse.over(data, mouse.middle_of((3,), 0.5))
    assert present(mark(mouse)).height() == outside.height()
    QApplication.sendEvent(tree.viewport(), QDragLeaveEvent())
    assert mark(mouse) is None


def test_that_the_mark_is_painted(mouse: LayerMouse) -> None:
    tree = mouse.window.stack.tree
    data = mouse.pick((0,))
    plain = tree.viewport().grab().toImage()
    assert mouse.over(data, mouse.middle_of((2, 0, 0), 0.9))
    line = tree.viewport().grab().toImage()
    assert mouse.over(data, mouse.middle_of((3,), 0.5))
    box = tree.viewport().grab().toImage()
    assert plain != line != box != plain


def test_that_a_container_is_not_dropped_into_itself_and_says_so(mouse: LayerMouse) -> None:
    data = mouse.pick((1,))
    at = mouse.middle_of((1, 0, 1), 0.1)
    assert not mouse.over(data, at)
    assert mark(mouse) is None
    assert mouse.window.statusBar().currentMessage() == "'seq' cannot be moved into itself"
    mouse.drop(data, at)
    assert network(mouse) == BEFORE
    assert not mouse.window.studio.document.undo_stack.count()
    assert mouse.over(data, at, Qt.DropAction.CopyAction)  # a copy of it can be in it


def test_that_a_name_that_is_taken_in_the_container_gets_a_number(open_window: Callable) -> None:
    layers = (conv("a"), Sequence((conv("a"),), "seq"), Layer(ops.Add(), "sum", ("a", "seq.a")))
    mouse = LayerMouse(open_window(Architecture("x", "", "", (32, 32), 3, layers)))
    mouse.drag((0,), mouse.middle_of((1, 0, 0), 0.1))
    assert network(mouse) == "seq(a2 a) sum"
    assert item_at(mouse.window.studio.document.architecture, (1,)) == Layer(
        ops.Add(), "sum", ("seq.a2", "seq.a")
    )
    mouse.drag((0, 0, 0), mouse.middle_of((0, 0, 1), 0.9))
    assert network(mouse) == "seq(a a2) sum"


def test_that_a_drop_after_its_reader_is_refused_in_words(open_window: Callable) -> None:
    layers = (conv("a"), conv("b"), Layer(ops.Add(), "sum", ("a", "b")))
    mouse = LayerMouse(open_window(Architecture("x", "", "", (32, 32), 3, layers)))
    mouse.drag((0,), mouse.middle_of((2,), 0.9))
    assert network(mouse) == "a b sum"
    told = mouse.window.statusBar().currentMessage()
    assert told == "'sum' would no longer come after 'a', which it reads; move that first"
    assert not mouse.window.studio.document.undo_stack.count()


def test_that_layers_go_before_and_after_a_parallel_without_branches(open_window: Callable) -> None:
    layers = (conv("a"), Parallel((), "concat", "par"), conv("b"))
    mouse = LayerMouse(open_window(Architecture("x", "", "", (32, 32), 3, layers)))
    mouse.drag((0,), mouse.middle_of((1,), 0.9))
    assert network(mouse) == "par a b"
    mouse.drag((2,), mouse.middle_of((0,), 0.1))
    assert network(mouse) == "b par a"


def test_that_several_layers_of_several_containers_are_dragged_together(mouse: LayerMouse) -> None:
    view = mouse.window.stack.tree.viewport()
    QTest.mouseClick(view, LEFT, NO_KEYS, mouse.middle_of((1, 0, 0)))
    for place in ((3, 0, 1), (4, 1, 0)):
        keys = Qt.KeyboardModifier.ControlModifier
        QTest.mouseClick(view, LEFT, keys, mouse.middle_of(place))
    mouse.drag((3, 0, 1), mouse.middle_of((2, 0, 0), 0.9))
    assert network(mouse) == "stem seq(s2) rep(r1 s1 m2 q1) res(m1 / k1) par(p1 / ) head"
    assert mouse.window.stack.chosen() == [(2, 0, i) for i in (1, 2, 3)]
    stack = mouse.window.studio.document.undo_stack
    assert stack.undoText() == "Move 3 layers"
    stack.undo()
    assert network(mouse) == BEFORE


def test_that_layers_are_copied_with_control_and_from_other_windows(mouse: LayerMouse) -> None:
    data = mouse.pick((0,))
    mouse.drop(data, mouse.middle_of((1,), 0.5), Qt.DropAction.CopyAction)
    assert network(mouse).startswith("stem seq(s1 s2 stem)")
    text = QMimeData()
    text.setText("- relu: {name: act}\n")
    mouse.drop(text, mouse.middle_of((5,), 0.9))
    assert network(mouse).endswith("head act")
    text.setText("not layers")
    mouse.drop(text, mouse.middle_of((0,), 0.9))
    assert network(mouse).endswith("head act")
    assert mouse.window.statusBar().currentMessage()


def test_that_a_closed_container_opens_below_what_is_dragged(
    mouse: LayerMouse, qtbot: QtBot
) -> None:
    tree, index = mouse.window.stack.tree, mouse.window.stack.model.index_of((1,))
    tree.setAutoExpandDelay(0)
    tree.collapse(index)
    at = mouse.middle_of((1,), 0.5)
    QCursor.setPos(tree.viewport().mapToGlobal(at))
    assert mouse.over(mouse.pick((0,)), at)
    qtbot.waitUntil(lambda: tree.isExpanded(index))
    assert network(mouse) == BEFORE


def test_that_layers_go_after_the_input(mouse: LayerMouse) -> None:
    data = mouse.pick((5,))
    tree, model = mouse.window.stack.tree, mouse.window.stack.model
    mouse.drop(data, tree.visualRect(model.index_of(None)).center())
    assert network(mouse).startswith("head stem")


def test_that_what_is_read_by_name_is_still_read_after_a_drag(open_window: Callable) -> None:
    layers = (*SMALL.layers, Layer(ops.Add(), "sum", ("head", "stem")))
    joined = Architecture("x", "", "", (32, 32), 3, layers)
    mouse = LayerMouse(open_window(joined))
    mouse.drag((2,), mouse.middle_of((1,), 0.0))
    assert network(mouse) == "stem head stage((a b / ) ) sum"
    assert mouse.window.studio.document.architecture.layers[3] == layers[3]


@pytest.mark.parametrize("places", [b"\xff\xfe\n0", b"140234\n99 0 3", b"140234\nabc", b"", b"\n"])
def test_that_layers_of_another_program_are_read_as_text(mouse: LayerMouse, places: bytes) -> None:
    data = QMimeData()
    data.setData(LOCATIONS, places)
    data.setText("- relu: {name: foreign}\n")
    mouse.drop(data, mouse.middle_of((0,), 0.1))
    assert network(mouse) == f"foreign {BEFORE}"


def test_that_layers_of_a_network_that_was_edited_since_are_copied(mouse: LayerMouse) -> None:
    data = mouse.pick((0,))
    mouse.window.studio.document.edit("Turn round", _reversed(BLOCKS))
    mouse.drop(data, mouse.middle_of((0,), 0.1))
    assert network(mouse).split()[0] == "stem2"
    assert network(mouse).split()[-1] == "stem"


def _reversed(architecture: Architecture) -> Architecture:
    return replace(architecture, layers=architecture.layers[::-1])
