"""A long graph in lines, folded containers, and the path with the largest field."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainterPath
from pytestqt.qtbot import QtBot

from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.fields.largest_path import largest_path
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Layer,
    Parallel,
    Repeat,
    Residual,
)
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.folding import boxes_of, depth_of, folded_to_depth
from rfstudio.core.network.graph import Graph
from rfstudio.core.network.layout import layout_of, layout_of_inputs
from rfstudio.core.network.wrapping import lines_for, one_line
from rfstudio.formats.networks.presets import read_preset
from rfstudio.widgets.graph_view.drawing import Drawing, page_of
from rfstudio.widgets.graph_view.edges import add_edge, edges_in
from rfstudio.widgets.graph_view.graph_item import TEXT_SCALE
from rfstudio.widgets.graph_view.graph_view import GraphView
from rfstudio.widgets.parts.theme import scale_text

LEFT = Qt.MouseButton.LeftButton
PAGE = page_of(900, 500)
NAMES = ["vgg11", "resnet18", "googlenet", "unet", "vit_b16", "tcn_1d"]


def conv(name: str, kernel_size: int = 3) -> Layer:
    op = ops.Conv(kernel_size=kernel_size, padding=kernel_size // 2, out_channels=3)
    return Layer(op, name)


def drawing_of(name: str, folded: frozenset[str] = frozenset()) -> Drawing:
    analysis = analyze(read_preset(name))
    boxes = boxes_of(analysis.graph, folded)
    layout = layout_of_inputs(boxes.inputs)
    return Drawing(analysis, boxes, layout, lines_for(layout, PAGE), frozenset())


@pytest.mark.parametrize("name", NAMES)
def test_that_lines_end_only_where_a_single_map_leads_on(name: str) -> None:
    layout = layout_of(expand(read_preset(name)))
    lines = lines_for(layout, PAGE)
    line = lines.of(layout.column)
    for end in lines.first[1:]:
        over = {int(a) for a, b in layout.edges if layout.column[a] < end <= layout.column[b]}
        assert len(over) == 1
    for i, rows in enumerate(lines.rows):
        assert layout.row[line == i].max() == rows - 1
    assert PAGE.scale_of(layout, lines) >= PAGE.scale_of(layout, one_line(layout))


@pytest.mark.parametrize("name", NAMES)
def test_that_boxes_do_not_touch_and_are_found_at_their_places(name: str) -> None:
    drawing = drawing_of(name)
    corners = {tuple(x) for x in drawing.places.tolist()}
    assert len(corners) == len(drawing.boxes.boxes)
    for i in range(len(drawing.boxes.boxes)):
        rect = drawing.rect_of(i)
        assert drawing.bounds.contains(rect)
        assert drawing.box_at(rect.center()) == i
    assert drawing.box_at(drawing.rect_of(0).topRight() + QPointF(5, 5)) == -1


def test_that_a_chain_is_as_large_in_lines_as_it_can_be() -> None:
    # 40 layers in one line of 6,000 points are .14 of their size in 840 points.
    layout = layout_of(expand(read_preset("vgg16")))
    assert PAGE.scale_of(layout, one_line(layout)) == pytest.approx(840 / (40 * 150))
    assert PAGE.scale_of(layout, lines_for(layout, PAGE)) > 0.6


@pytest.mark.parametrize("name", NAMES)
def test_that_every_edge_is_drawn_in_each_part_that_it_crosses(name: str) -> None:
    drawing = drawing_of(name)
    generator = np.random.default_rng(0)
    paths = []
    for a, b in drawing.layout.edges.tolist():
        path = QPainterPath()
        add_edge(path, drawing, a, b, 1.0)
        assert path.currentPosition().x() == pytest.approx(drawing.rect_of(b).left())
        paths.append(path)
    for _ in range(20):
        bounds = drawing.bounds
        part = bounds.translated(
            generator.uniform(-1, 1) * bounds.width(), generator.uniform(-1, 1) * bounds.height()
        )
        found = set(edges_in(drawing, part).tolist())
        assert {i for i, x in enumerate(paths) if x.boundingRect().intersects(part)} <= found


@pytest.mark.parametrize("name", NAMES)
def test_that_folded_containers_are_one_box_and_edges_go_forward(name: str) -> None:
    graph = expand(read_preset(name))
    for depth in range(1, depth_of(graph) + 1):
        folded = folded_to_depth(graph, depth)
        boxes = boxes_of(graph, folded)
        assert sorted(i for x in boxes.boxes for i in x.members) == list(range(len(graph.nodes)))
        assert all(x < i for i, read in enumerate(boxes.inputs) for x in read)
        assert {x.container for x in boxes.boxes if x.container} == folded
        for i, box in enumerate(boxes.boxes):
            outside = {int(boxes.of_node[y]) for x in box.members for y in graph.nodes[x].inputs}
            assert outside - {i} == set(boxes.inputs[i])


def test_that_a_container_that_is_left_and_entered_again_stays_unfolded() -> None:
    names = ["input", "a.x", "a.y", "b.x", "c.x", "b.y", "d.x", "d.y"]
    # b.x, then c.x outside of it, then b.y; d comes after all of them and is on no cycle.
    nodes = [
        SimpleNamespace(index=i, name=name, inputs=(i - 1,) if i else ())
        for i, name in enumerate(names)
    ]
    boxes = boxes_of(cast("Graph", SimpleNamespace(nodes=nodes)), {"a", "b", "d"})
    shown = [x.container or names[x.last] for x in boxes.boxes]
    assert shown == ["input", "a", "b.x", "c.x", "b.y", "d"]


def all_paths(graph: Graph, index: int) -> list[tuple[int, ...]]:
    if index == 0:
        return [(0,)]
    return [(*x, index) for source in graph.nodes[index].inputs for x in all_paths(graph, source)]


def test_that_the_largest_path_has_the_largest_field_of_all_paths() -> None:
    block = Parallel(
        (
            Branch((conv("x"),), "narrow"),
            Branch((conv("y", 5), Residual((conv("z", 3),))), "wide"),
        ),
        "concat",
    )
    analysis = analyze(Architecture(input_size=(64, 64), layers=(block, Residual((block,)))))
    graph = analysis.graph
    last = len(graph.nodes) - 1

    def size(path: tuple[int, ...]) -> int:
        """Return 1 + Σ (k − 1), since every stride is 1."""
        kernels = [getattr(graph.nodes[x].op, "kernel_size", 1) for x in path]
        return 1 + sum((x if isinstance(x, int) else x[0]) - 1 for x in kernels)

    best = max(map(size, all_paths(graph, last)))
    found = largest_path(analysis, last)
    assert found in all_paths(graph, last)
    assert size(found) == best == analysis.at(last).rf_size[0]


def test_that_a_large_network_opens_so_that_all_of_it_can_be_read(state, shown) -> None:
    made = state("resnet50")
    view = shown(GraphView(made.session, made.selection))
    drawing = view.item.drawing
    assert len(drawing.boxes.boxes) < len(made.session.analysis.graph.nodes)
    assert view.transform().m11() >= TEXT_SCALE
    part = view.mapToScene(view.viewport().rect()).boundingRect()
    assert all(part.contains(drawing.rect_of(i)) for i in range(len(drawing.boxes.boxes)))


def test_that_a_double_click_unfolds_and_folds_and_the_chosen_layer_is_marked(
    state, shown, qtbot: QtBot
) -> None:
    made = state("resnet50")
    made.selection.select_layer("layer3.rest.2.conv2")
    view = shown(GraphView(made.session, made.selection))
    graph = made.session.analysis.graph
    view._fold(frozenset({"layer1", "layer2", "layer3", "layer4"}))
    node = graph.index("layer3.rest.2.conv2")
    box = view.item.drawing.box_of(node)
    assert view.item.drawing.boxes.boxes[box].container == "layer3"
    assert view.item._selected == box
    for _ in range(3):  # layer3, layer3.rest, layer3.rest.2
        at = view.node_point(node)
        qtbot.mouseClick(view.viewport(), LEFT, pos=at)
        qtbot.mouseDClick(view.viewport(), LEFT, pos=at)
        made.selection.select_layer("layer3.rest.2.conv2")
    drawing = view.item.drawing
    assert drawing.boxes.boxes[drawing.box_of(node)].members == (node,)
    assert {"layer1", "layer2", "layer4"} <= view._folded
    at = view.node_point(node)
    qtbot.mouseClick(view.viewport(), LEFT, pos=at)
    qtbot.mouseDClick(view.viewport(), LEFT, pos=at)
    drawing = view.item.drawing
    assert drawing.boxes.boxes[drawing.box_of(node)].container == "layer3.rest.2"


def test_that_plus_and_minus_unfold_and_fold_a_level(state, shown, qtbot: QtBot) -> None:
    made = state("resnet18")
    view = shown(GraphView(made.session, made.selection))
    graph = made.session.analysis.graph
    for _ in range(depth_of(graph) + 1):
        qtbot.keyClick(view, Qt.Key.Key_Plus)
    assert len(view.item.drawing.boxes.boxes) == len(graph.nodes)
    assert not view.unfold_button.isEnabled()
    counts = []
    for _ in range(depth_of(graph)):
        qtbot.mouseClick(view.fold_button, LEFT)
        counts.append(len(view.item.drawing.boxes.boxes))
    assert counts == sorted(counts, reverse=True)
    assert {x.container for x in view.item.drawing.boxes.boxes} == {
        "",
        "layer1",
        "layer2",
        "layer3",
        "layer4",
    }
    assert not view.fold_button.isEnabled()


def test_that_the_largest_path_is_drawn_between_boxes(state, shown, qtbot: QtBot) -> None:
    made = state("resnet18")
    made.selection.select_layer("layer2")
    view = shown(GraphView(made.session, made.selection))
    qtbot.keyClick(view, Qt.Key.Key_L)
    drawing = view.item.drawing
    graph = made.session.analysis.graph
    nodes = [drawing.box_of(x) for x in largest_path(made.session.analysis, graph.paths["layer2"])]
    assert view.item.way == {(b, a) for a, b in pairwise(nodes) if a != b}
    assert view.item.way
    qtbot.keyClick(view, Qt.Key.Key_L)
    assert not view.item.way


def test_that_folds_stay_through_an_edit_and_not_for_another_network(state, shown) -> None:
    block = Repeat(3, (conv("x"), conv("y")), "body")
    made = state(Architecture(input_size=(32, 32), layers=(conv("stem"), block)))
    view = shown(GraphView(made.session, made.selection))
    view._fold(frozenset({"body"}))
    assert len(view.item.drawing.boxes.boxes) == 3
    longer = Architecture(input_size=(32, 32), layers=(conv("stem"), conv("neck"), block))
    made.document.edit("Add", longer)
    assert len(view.item.drawing.boxes.boxes) == 4
    other = Repeat(2, (conv("x"), conv("y")), "trunk")
    made.document.edit("Replace", Architecture(input_size=(32, 32), layers=(other,)))
    assert len(view.item.drawing.boxes.boxes) == 5  # all of it can be read


def test_that_boxes_grow_with_the_texts_of_the_window(state, shown, qapp) -> None:
    made = state("unet")
    try:
        scale_text(qapp, 2.0)
        view = shown(GraphView(made.session, made.selection), (1000, 300))
        assert view.transform().m11() > 1.5 * TEXT_SCALE
        view.show_selected()
        assert view.transform().m11() > 1.5
    finally:
        scale_text(qapp, 1.0)
