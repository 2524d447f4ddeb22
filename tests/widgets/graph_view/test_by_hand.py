"""The graph view with mouse and keyboard: a thousand layers, and what a tip says."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer, Repeat, Residual
from rfstudio.widgets.graph_view.graph_item import TEXT_SCALE
from rfstudio.widgets.graph_view.graph_view import GraphView

LEFT = Qt.MouseButton.LeftButton


def conv(name: str, padding: int | tuple[tuple[int, int], tuple[int, int]] = 1) -> Layer:
    kernel = 3 if padding == 1 else 2
    return Layer(ops.Conv(kernel_size=kernel, padding=padding, out_channels=3), name)


def test_that_a_thousand_layers_open_readable_and_unfold_with_a_double_click(
    state: Callable, shown: Callable, qtbot: QtBot
) -> None:
    stages = tuple(
        Repeat(63, (Residual((conv("a"), conv("b"))), Layer(ops.Relu(), "r")), f"stage{i}")
        for i in range(4)
    )
    made = state(Architecture(name="long", input_size=(64, 64), layers=(conv("stem"), *stages)))
    graph = made.session.analysis.graph
    assert len(graph.nodes) > 1000
    view: GraphView = shown(GraphView(made.session, made.selection))
    drawing = view.item.drawing
    assert drawing is not None
    part = view.mapToScene(view.viewport().rect()).boundingRect()
    assert view.transform().m11() >= TEXT_SCALE
    assert all(part.contains(drawing.rect_of(i)) for i in range(len(drawing.boxes.boxes)))
    folded = [x.container for x in drawing.boxes.boxes if x.container]
    assert folded == ["stage0", "stage1", "stage2", "stage3"]
    at = view.node_point(graph.index("stage2.30.r"))
    QTest.mouseClick(view.viewport(), LEFT, pos=at)
    QTest.mouseDClick(view.viewport(), LEFT, pos=at)
    assert made.selection.layer.startswith("stage2")
    assert view.item.drawing is not None
    assert len(view.item.drawing.boxes.boxes) > 60
    assert view.viewport().rect().contains(view.node_point(graph.index(made.selection.layer)))


def test_that_a_tip_says_why_a_merge_is_misaligned(state: Callable, shown: Callable) -> None:
    # Taps of 2 without padding before, beside the identity: the centres are half a pixel apart.
    block = Residual((conv("b", ((0, 1), (0, 1))),))
    made = state(Architecture(name="net", input_size=(32, 32), layers=(conv("a"), block)))
    view: GraphView = shown(GraphView(made.session, made.selection))
    at = view.node_point(made.session.analysis.graph.index("add1"))
    kind = QHelpEvent.Type.ToolTip
    QApplication.sendEvent(view.viewport(), QHelpEvent(kind, at, view.mapToGlobal(QPoint(at))))
    assert "apart" in QToolTip.text()
    QToolTip.hideText()
