"""The overview of a graph that is too large to be read at once, by mouse."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from pytestqt.qtbot import QtBot

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.widgets.graph_view.graph_view import GraphView
from rfstudio.widgets.graph_view.overview import GraphOverview
from tests.narrowing import present
from tests.widgets.graph_view.test_graph_view import RESIDUAL, conv

LEFT = Qt.MouseButton.LeftButton


def chain(layers: int) -> Architecture:
    return Architecture(input_size=(64, 64), layers=tuple(conv(f"c{i}", 1) for i in range(layers)))


def seen(view: GraphView, layer: str) -> bool:
    index = present(view.item.drawing).analysis.graph.index(layer)
    return view.viewport().rect().contains(view.node_point(index))


def frames(view: GraphView, point: QPointF) -> bool:
    return view.overview.seen.contains(point)


@pytest.mark.slow
def test_that_a_click_in_the_overview_goes_there_and_the_frame_follows(
    state, shown, qtbot: QtBot
) -> None:
    made = state(chain(400))
    view = shown(GraphView(made.session, made.selection))
    overview = view.overview
    qtbot.waitUntil(overview.isVisible)
    assert overview.accessibleName() == "Overview of the graph"
    assert made.selection.layer == "c399"
    assert seen(view, "c399")
    assert not seen(view, "c120")
    # The last layer is not below the overview.
    last = view.node_point(present(view.item.drawing).analysis.graph.index("c399"))
    assert not overview.geometry().contains(last)

    drawing = present(view.item.drawing)
    for layer in ("c120", "c250"):
        centre = drawing.rect_of(drawing.analysis.graph.index(layer)).center()
        at = overview.point_of(centre).toPoint()
        if layer == "c120":
            qtbot.mousePress(overview, LEFT, pos=at)
        else:
            qtbot.mouseMove(overview, at)
            qtbot.mouseRelease(overview, LEFT, pos=at)
        assert seen(view, layer)
        qtbot.waitUntil(partial(frames, view, centre))
    assert made.selection.layer == "c399"
    qtbot.mouseMove(overview, QPoint(8, 8))  # without a button
    assert seen(view, "c250")


@pytest.mark.slow
def test_that_there_is_no_overview_where_everything_is_seen(state, shown, qtbot: QtBot) -> None:
    made = state(RESIDUAL)
    view = shown(GraphView(made.session, made.selection))
    view.repaint()
    assert not view.overview.isVisible()
    made = state(chain(400))
    view = shown(GraphView(made.session, made.selection))
    qtbot.waitUntil(view.overview.isVisible)
    qtbot.keyClick(view, Qt.Key.Key_0)
    qtbot.waitUntil(view.overview.isHidden)
    qtbot.keyClick(view, Qt.Key.Key_1)
    qtbot.waitUntil(view.overview.isVisible)


def test_that_the_picture_goes_through_all_places_once_not_once_for_each_box(
    state, shown, qtbot: QtBot
) -> None:
    searched = []

    class Places(np.ndarray):
        def min(self, *args, **options):
            searched.append(self.shape)
            return super().min(*args, **options)

    made = state(chain(60))
    view = shown(GraphView(made.session, made.selection))
    drawing = replace(present(view.item.drawing))
    drawing.__dict__["places"] = drawing.places.view(Places)
    view.overview.show_part(drawing, 0, QRectF(0, 0, 400, 100))
    view.overview.grab()
    assert searched == [(61, 2)]


@pytest.mark.parametrize(
    ("op", "pictures"),
    [(ops.Conv(kernel_size=5, padding=2, out_channels=3), 1), (ops.MaxPool(kernel_size=3), 2)],
)
def test_that_an_edit_draws_the_picture_anew_only_if_it_looks_different(
    op, pictures, state, shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    draw = GraphOverview._draw_still

    def counted(self, drawing):
        drawn.append(drawing)
        return draw(self, drawing)

    monkeypatch.setattr(GraphOverview, "_draw_still", counted)
    made = state(chain(60))
    view = shown(GraphView(made.session, made.selection))
    seen = QRectF(0, 0, 400, 100)
    view.overview.show_part(view.item.drawing, 0, seen)
    view.overview.grab()
    network = made.document.architecture
    layers = (*network.layers[:20], Layer(op, "c20"), *network.layers[21:])
    made.document.edit("Edit c20", replace(network, layers=layers))
    view.overview.show_part(view.item.drawing, 0, seen)
    view.overview.grab()
    assert len(drawn) == pictures
    view.overview.show_part(view.item.drawing, 3, seen.translated(50, 0))
    view.overview.grab()
    assert len(drawn) == pictures


def test_that_the_overview_of_a_smaller_network_is_drawn_before_its_choice_is_known(
    state, shown, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    views = []
    for layers in (90, 60):
        made = state(chain(layers))
        views.append(shown(GraphView(made.session, made.selection), (300, 260)))
        qtbot.waitUntil(views[-1].overview.isVisible)
    large, small = views
    assert large.overview.height_of(small.item.drawing)
    large.overview.grab()
    assert not caplog.records
