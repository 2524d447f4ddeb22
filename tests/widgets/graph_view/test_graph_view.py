"""The graph view: layout, marks, and a user's mouse and keys."""

from __future__ import annotations

from time import thread_time

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.frames import Frames
from rfstudio.core import ops
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Layer,
    Parallel,
    Repeat,
    Residual,
)
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.layout import layout_of
from rfstudio.widgets.canvas.colours import THEORETICAL
from rfstudio.widgets.graph_view.graph_view import GraphView
from rfstudio.widgets.parts.theme import scale_text, severity_colour
from tests.widgets.conftest import SMALL

LEFT = Qt.MouseButton.LeftButton


def conv(name: str, kernel_size: int = 3, padding: int | None = None, stride: int = 1) -> Layer:
    pad = kernel_size // 2 if padding is None else padding
    op = ops.Conv(kernel_size=kernel_size, padding=pad, stride=stride, out_channels=3)
    return Layer(op, name)


RESIDUAL = Architecture(
    name="residual",
    input_size=(32, 32),
    layers=(conv("a"), Residual((conv("b"), conv("c")), (conv("d", 1),)), conv("e")),
)
# Taps of 2 without padding before, beside the identity: the centres are half a pixel apart.
MISALIGNED = Architecture(
    name="misaligned",
    input_size=(32, 32),
    layers=(
        conv("a"),
        Residual((Layer(ops.Conv(kernel_size=2, padding=((0, 1), (0, 1)), out_channels=3), "b"),)),
    ),
)


def places(architecture: Architecture) -> dict[str, tuple[int, int]]:
    graph = expand(architecture)
    layout = layout_of(graph)
    return {x.name: (int(layout.column[x.index]), int(layout.row[x.index])) for x in graph.nodes}


def test_that_columns_are_depths_and_a_shortcut_has_its_own_row() -> None:
    found = places(RESIDUAL)
    assert found["input"] == (0, 0)
    assert found["a"] == (1, 0)
    assert found["b"] == (2, 0)
    assert found["c"] == (3, 0)
    assert found["d"] == (2, 1)
    assert found["add1"] == (4, 0)
    assert found["e"] == (5, 0)


def test_that_branches_lie_below_one_another_and_rows_are_used_again() -> None:
    branches = tuple(Branch((conv("x"),), f"b{i}") for i in range(3))
    block = Parallel(branches, "concat")
    found = places(Architecture(input_size=(32, 32), layers=(block, block)))
    rows = {row for _, row in found.values()}
    assert rows == {0, 1, 2}


@pytest.mark.parametrize("name", ["googlenet", "unet", "densenet121", "resnet50"])
def test_that_no_two_layers_share_a_place_and_edges_go_to_the_right(state, name: str) -> None:
    graph = state(name).session.analysis.graph
    layout = layout_of(graph)
    at = set(zip(layout.column.tolist(), layout.row.tolist(), strict=True))
    assert len(at) == len(graph.nodes)
    assert (layout.column[layout.edges[:, 1]] > layout.column[layout.edges[:, 0]]).all()
    assert len(layout.edges) == sum(len(set(x.inputs)) for x in graph.nodes)


@pytest.mark.timed
def test_that_a_hundred_thousand_layers_are_laid_out_in_a_second() -> None:
    block = Repeat(24_000, (Residual((conv("a"), conv("b"))), Layer(ops.Relu(), "r")), "s")
    graph = expand(Architecture(input_size=(32, 32), layers=(block,)))
    assert len(graph.nodes) > 90_000
    started = thread_time()
    layout = layout_of(graph)
    assert thread_time() - started < 4  # of the processor; half of it where nothing else runs
    assert layout.columns > 70_000


def test_that_a_click_chooses_the_layer_and_the_graph_stays_in_place(
    state, shown, qtbot: QtBot
) -> None:
    made = state(RESIDUAL)
    made.selection.select_layer("c")
    view = shown(GraphView(made.session, made.selection))
    index = made.session.analysis.graph.index("d")
    before = view.node_point(index)
    qtbot.mouseClick(view.viewport(), LEFT, pos=before)
    assert made.selection.layer == "d"
    assert view.node_point(index) == before


def test_that_a_click_between_layers_chooses_nothing(state, shown, qtbot: QtBot) -> None:
    made = state(RESIDUAL)
    made.selection.select_layer("c")
    view = shown(GraphView(made.session, made.selection))
    point = view.node_point(made.session.analysis.graph.index("d")) + QPoint(0, 40)
    qtbot.mouseClick(view.viewport(), LEFT, pos=point)
    assert made.selection.layer == "c"


def test_that_dragging_pans(state, shown, qtbot: QtBot) -> None:
    made = state(RESIDUAL)
    view = shown(GraphView(made.session, made.selection))
    index = made.session.analysis.graph.index("c")
    layer = made.selection.layer
    before = view.node_point(index)
    start = QPoint(300, 200)
    qtbot.mousePress(view.viewport(), LEFT, pos=start)
    qtbot.mouseMove(view.viewport(), start + QPoint(20, 10))
    qtbot.mouseMove(view.viewport(), start + QPoint(60, 30))
    qtbot.mouseRelease(view.viewport(), LEFT, pos=start + QPoint(60, 30))
    moved = view.node_point(index) - before
    assert (moved.x(), moved.y()) == pytest.approx((60, 30), abs=1)
    assert made.selection.layer == layer


def test_that_the_wheel_keeps_the_point_under_the_pointer(state, shown) -> None:
    made = state("resnet50")
    view = shown(GraphView(made.session, made.selection))
    view.show_selected()  # in full size
    at = QPoint(200, 60)
    before = view.mapToScene(at)
    event = QWheelEvent(
        QPointF(at),
        QPointF(view.viewport().mapToGlobal(at)),
        QPoint(),
        QPoint(0, -240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.viewport(), event)
    after = view.mapToScene(at)
    assert view.transform().m11() == pytest.approx(1 / 1.44, rel=1e-6)
    assert (after.x(), after.y()) == pytest.approx((before.x(), before.y()), abs=1.5)


@pytest.mark.parametrize(
    ("key", "layer"),
    [(Qt.Key.Key_Left, "b"), (Qt.Key.Key_Right, "add1"), (Qt.Key.Key_Down, "c")],
)
def test_that_arrow_keys_go_along_the_edges(state, shown, qtbot: QtBot, key, layer) -> None:
    made = state(RESIDUAL)
    made.selection.select_layer("c")
    view = shown(GraphView(made.session, made.selection))
    qtbot.keyClick(view, key)
    assert made.selection.layer == layer


def test_that_up_and_down_change_the_branch(state, shown, qtbot: QtBot) -> None:
    made = state(RESIDUAL)
    made.selection.select_layer("b")
    view = shown(GraphView(made.session, made.selection))
    qtbot.keyClick(view, Qt.Key.Key_Down)
    assert made.selection.layer == "d"
    qtbot.keyClick(view, Qt.Key.Key_Up)
    assert made.selection.layer == "b"


def test_that_a_layer_chosen_elsewhere_comes_into_view(state, shown) -> None:
    made = state("resnet50")
    view = shown(GraphView(made.session, made.selection))
    made.selection.select_layer("conv1")
    at = view.node_point(made.session.analysis.graph.index("conv1"))
    assert view.viewport().rect().contains(at)


def test_that_misaligned_merges_are_marked_and_explained(state, shown) -> None:
    made = state(MISALIGNED)
    view = shown(GraphView(made.session, made.selection))
    index = made.session.analysis.graph.index("add1")
    assert view.item.drawing.misaligned == {index}
    assert "apart" in view.text_of(index)
    at = view.node_point(index)
    picture = view.viewport().grab().toImage()
    corner = at + QPoint(59, -18)  # the triangle at the upper right corner of the box
    found = [
        picture.pixelColor(corner + QPoint(x, y)).name() for x in range(-8, 8) for y in (-2, 0)
    ]
    assert "#d62728" in found


def test_that_all_is_seen_with_zero_and_the_chosen_layer_with_one(
    state, shown, qtbot: QtBot
) -> None:
    made = state("resnet50")
    view = shown(GraphView(made.session, made.selection))
    qtbot.keyClick(view, Qt.Key.Key_0)
    shown_part = view.mapToScene(view.viewport().rect()).boundingRect()
    assert shown_part.contains(view.item.boundingRect().adjusted(40, 60, -40, -60))
    qtbot.keyClick(view, Qt.Key.Key_1)
    assert view.transform().m11() == 1


def test_that_an_edit_is_followed_and_a_hidden_graph_waits(state, shown) -> None:
    made = state(RESIDUAL)
    view = shown(GraphView(made.session, made.selection))
    layout = view.item.drawing.layout
    layers = (conv("a", 5), *RESIDUAL.layers[1:])
    made.document.edit("wider", Architecture("residual", input_size=(32, 32), layers=layers))
    assert view.item.drawing.analysis is made.session.analysis
    assert view.item.drawing.layout is layout  # same form: only the numbers are new
    view.hide()
    made.document.undo_stack.undo()
    assert view.item.drawing.analysis is not made.session.analysis
    view.show()
    assert view.item.drawing.analysis is made.session.analysis


def test_that_a_graph_that_is_a_frame_late_goes_to_nothing_that_it_does_not_draw(
    state, shown
) -> None:
    made = state(RESIDUAL)
    frames = Frames()
    view = shown(GraphView(made.session, made.selection, later=frames.later))
    more = (*RESIDUAL.layers, conv("last", 3))
    made.document.edit("longer", Architecture("residual", input_size=(32, 32), layers=more))
    made.selection.select_layer("last")
    view.way_button.setChecked(True)
    view.show_selected()
    assert view.item.drawing.analysis is not made.session.analysis
    frames.settle()
    assert view.item.drawing.analysis is made.session.analysis
    assert view.item.way  # the largest path to the new layer


@pytest.mark.timed
def test_that_a_huge_graph_is_drawn_in_a_tenth_of_a_second_from_anywhere(state, shown) -> None:
    block = Repeat(4_000, (Residual((conv("a"), conv("b"))), Layer(ops.Relu(), "r")), "s")
    made = state(Architecture(input_size=(32, 32), layers=(block,)))
    view = shown(GraphView(made.session, made.selection))
    times = []
    for scale in (1.0, 0.05, 0.002):
        view.resetTransform()
        view.scale(scale, scale)
        view.centerOn(view.item.boundingRect().center())
        view.viewport().grab()
        started = thread_time()
        view.viewport().grab()
        times.append(thread_time() - started)
    assert np.median(times) < 0.2  # of the processor; half of it where nothing else runs
    assert max(times) < 0.6


def test_that_a_network_without_layers_shows_its_input(state, shown) -> None:
    made = state(Architecture(input_size=(8, 8)))
    view = shown(GraphView(made.session, made.selection))
    assert view.item.drawing.layout.columns == 1
    assert view.text_of(0).startswith("input")


def test_that_going_to_the_last_layer_leaves_no_room_empty(state, shown) -> None:
    made = state("vgg16")
    view = shown(GraphView(made.session, made.selection))
    view.resize(500, 160)
    made.selection.select_layer("fc8")
    view.show_selected()
    viewport = view.viewport().rect()
    end = view.mapFromScene(view.item.boundingRect().bottomRight())
    assert viewport.contains(view.node_point(made.session.analysis.graph.index("fc8")))
    assert end.x() >= viewport.right() - 2


@pytest.mark.parametrize("scale", [1.0, 0.08])
def test_that_a_layer_that_would_not_run_has_a_sign_of_its_own(state, shown, scale) -> None:
    made = state(
        Architecture(
            name="broken", input_size=(32, 32), layers=(conv("a"), conv("b", 65, 0), conv("c"))
        )
    )
    made.selection.select_layer("a")
    view = shown(GraphView(made.session, made.selection))
    index = made.session.analysis.graph.index("b")
    drawing = view.item.drawing
    assert drawing.failing == {index}
    assert drawing.misaligned == frozenset()
    assert "input is only 32×32" in view.text_of(index)
    view.resetTransform()
    view.scale(scale, scale)
    view.centerOn(drawing.rect_of(index).center())
    picture = view.grab().toImage()
    corner = view.mapFromScene(drawing.rect_of(index).topRight())
    # A white cross on a dark disc, also where boxes are too small for their borders.
    assert picture.pixelColor(corner).lightness() > 200
    for apart in (QPoint(4, 0), QPoint(-4, 0), QPoint(0, 4), QPoint(0, -4)):
        assert picture.pixelColor(corner + apart).lightness() < 180
    other = view.mapFromScene(drawing.rect_of(index + 1).topRight())
    assert picture.pixelColor(other + QPoint(0, -4)).lightness() > 200


def test_that_going_to_layers_leaves_the_size_of_the_graph_as_it_is(state, shown) -> None:
    made = state("vgg16")
    view = shown(GraphView(made.session, made.selection), (700, 130))
    before = QRectF(view.item.boundingRect())
    for layer in ("conv1_1", "conv5_3", "conv2_1"):
        made.selection.select_layer(layer)
        view.show_selected()
    assert view.item.boundingRect() == before


def test_that_a_short_network_uses_the_height_of_a_low_panel(state, shown) -> None:
    layers = tuple(conv(x) for x in "abcde")
    made = state(Architecture(name="chain", input_size=(32, 32), layers=layers))
    view = shown(GraphView(made.session, made.selection), (1100, 110))
    assert view.transform().m11() > 0.95
    boxes = [view.item.drawing.rect_of(i) for i in range(len(view.item.drawing.boxes.boxes))]
    part = view.mapToScene(view.viewport().rect()).boundingRect()
    assert all(part.contains(x) for x in boxes)
    top = view.mapFromScene(boxes[0].topLeft()).y()
    assert top >= view.fold_button.geometry().bottom()


def test_that_what_does_not_align_by_design_is_noted_and_no_alarm(state, shown) -> None:
    made = state("tcn_1d")  # its causal branches have their centres at different distances
    view = shown(GraphView(made.session, made.selection))
    drawing = view.item.drawing
    assert drawing.misaligned
    assert drawing.noted == drawing.misaligned
    note = severity_colour("note", dark=False)
    assert {view.item._sign_colour(x).name() for x in drawing.noted} == {note.name()}
    made.document.edit("Open", MISALIGNED)
    drawing = view.item.drawing
    assert drawing.misaligned
    assert not drawing.noted
    assert view.item._sign_colour(min(drawing.misaligned)) == THEORETICAL


def test_that_the_buttons_cover_no_box_with_large_texts(state, shown, qapp: QApplication) -> None:
    scale_text(qapp, 2.0)
    try:
        made = state(SMALL)
        for size in ((520, 600), (1400, 200), (400, 900)):
            view = shown(GraphView(made.session, made.selection), size)
            view._show_all()
            top = view.mapFromScene(view.item.drawing.extent.topLeft()).y()
            assert top > view.fold_button.geometry().bottom(), size
    finally:
        scale_text(qapp, 1.0)


def test_that_a_graph_of_no_height_is_fitted_once_it_has_some(state, shown) -> None:
    made = state(SMALL)
    view = shown(GraphView(made.session, made.selection), (600, 300))
    view.viewport().resize(600, 0)  # as in a panel that is being unfolded
    view._show_all()
    assert view.transform().m11() > 0


def test_that_what_opens_can_be_read(state, shown) -> None:
    made = state("efficientnet_b0")
    view = shown(GraphView(made.session, made.selection), (1440, 150))
    assert view.transform().m11() >= 0.7
