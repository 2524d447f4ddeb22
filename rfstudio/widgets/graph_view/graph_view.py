"""The graph of layers: click chooses one, misaligned merges are marked."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import (
    QBrush,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPalette,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QGraphicsScene, QGraphicsView, QToolButton, QToolTip, QWidget

from rfstudio.api import path_shares
from rfstudio.app.slices import Slices
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.texts import alignment_text, field_text, steps_text
from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.remarks.remark import remarks_on
from rfstudio.widgets.graph_view.graph_item import Drawing, GraphItem, Share
from rfstudio.widgets.graph_view.layout import layout_of
from rfstudio.widgets.parts.focus_ring import FocusRing

_PER_NOTCH = 1.2
_NOTCH = 120
_CLOSEST, _WIDEST = 4.0, 0.002
_STILL = 4
_AFTER = 150
"""Milliseconds without a change after which shares of energy are worked out."""

_ROUND = 1.0


class GraphView(QGraphicsView):
    """Shows the layers in columns by depth; a click or an arrow key chooses one.

    The wheel zooms, dragging pans, 0 shows everything, 1 goes to the chosen layer in full size, S
    shows the share of the expected energy that takes each edge.

    Parameters
    ----------
    session
        The analysis of the document.
    selection
        The chosen layer.
    parent
        The widget around it.
    """

    def __init__(
        self, session: AnalysisSession, selection: Selection, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._selection = selection
        self._pressed: QPoint | None = None
        self._dragged = False
        self._is_own_choice = False
        self._was_shown = False
        self._laid_out: Analysis | None = None
        self.item = GraphItem()
        scene = QGraphicsScene(self)
        scene.addItem(self.item)
        scene.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.setScene(scene)
        self.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        self.setFrameShape(QGraphicsView.Shape.NoFrame)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAcceptDrops(False)
        self.setMouseTracking(True)
        self.setAccessibleName("Graph of the layers")
        FocusRing(self)
        self._follow_palette()
        self.shares_button = QToolButton(self)  # not in what scrolls
        self.shares_button.setText("Energy")
        self.shares_button.setCheckable(True)
        self.shares_button.setAutoFillBackground(True)
        self.shares_button.setToolTip(
            "Edges as wide as the share of the expected energy that takes them from the chosen "
            "layer to the input, with the share of each branch and skip (key S)"
        )
        self.shares_button.setAccessibleName("Show the share of energy of each edge")
        self.shares_button.move(6, 6)
        self.shares_button.toggled.connect(self._follow_shares)
        self._shared: tuple[Analysis, str] | None = None
        self._slices = Slices(self)
        self._timer = QTimer(self, singleShot=True, interval=_AFTER)
        self._timer.timeout.connect(self._work_out_shares)
        session.analysis_changed.connect(self._follow)
        selection.selection_changed.connect(self._mark)

    # --- what is shown --------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Lay out again if the graph changed while it was hidden."""
        super().showEvent(event)
        self._follow()
        if not self._was_shown:
            self._was_shown = True
            self.show_selected()

    def _follow(self, _analysis: object = None) -> None:
        analysis = self._session.analysis
        # A hidden tab costs nothing while a value is spun.
        if not self.isVisible() or analysis is self._laid_out:
            return
        drawing = self.item.drawing
        graph = analysis.graph
        if drawing is None or not _is_same_form(drawing.analysis, analysis):
            layout = layout_of(graph)
        else:
            layout = drawing.layout
        misaligned = frozenset(x.index for x in analysis.misfits)
        self._laid_out = analysis
        self.item.show_drawing(Drawing(analysis, layout, misaligned))
        # Room around the graph, so that any corner can be moved to the middle.
        self.setSceneRect(self.item.boundingRect().adjusted(-4000, -4000, 4000, 4000))
        self._mark()

    def _mark(self, _selected: object = None) -> None:
        if self._laid_out is not self._session.analysis:
            return
        self._follow_shares()
        index = self._session.analysis.graph.paths.get(self._selection.layer, -1)
        self.item.select(index)  # which repaints nothing while only the unit moves
        if index >= 0 and not self._is_own_choice and self._was_shown:
            self._bring_into_view(index)

    # --- shares of energy -----------------------------------------------------------------------

    def _follow_shares(self, _is_on: bool = False) -> None:
        """Let the shares be worked out when nothing has changed for a moment."""
        if not self.shares_button.isChecked():
            self._shared = None
            self._slices.drop()
            if self.item.shares:
                self.item.show_shares({})
            return
        analysis, layer = self._shared or (None, "")
        if analysis is not self._session.analysis or layer != self._selection.layer:
            self._slices.drop()
            self._timer.start()

    def _work_out_shares(self) -> None:
        analysis, layer = self._session.analysis, self._selection.layer
        if not self.isVisible() or not self.shares_button.isChecked():
            return
        self._shared = analysis, layer
        if not self._slices.start(partial(_shares_of, analysis, layer), self._show_shares):
            self.shares_button.setText("Energy: being worked out…")
            self.shares_button.adjustSize()

    def _show_shares(self, found: tuple[dict[tuple[int, int], Share], str]) -> None:
        shares, trouble = found
        self.item.show_shares(shares)
        self.shares_button.setText(f"Energy: {trouble}"[:80] if trouble else "Energy")
        self.shares_button.adjustSize()

    # --- going to places ------------------------------------------------------------------------

    def fit(self) -> None:
        """Show the whole graph."""
        self.fitInView(self.item.boundingRect(), Qt.AspectRatioMode.KeepAspectRatio)
        if self.transform().m11() > _ROUND:
            self.resetTransform()
            self.centerOn(self.item.boundingRect().center())

    def show_selected(self) -> None:
        """Go to the chosen layer, in full size."""
        drawing = self.item.drawing
        index = self._session.analysis.graph.paths.get(self._selection.layer, -1)
        if drawing is None or index < 0:
            return
        self.resetTransform()
        self.centerOn(drawing.rect_of(index).center() - QPointF(0, 0))

    def _bring_into_view(self, index: int) -> None:
        drawing = self.item.drawing
        if drawing is None:
            return
        rect = drawing.rect_of(index)
        shown = QRectF(self.mapToScene(self.viewport().rect()).boundingRect())
        if not shown.contains(rect):
            self.centerOn(rect.center())

    # --- mouse and keys -------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Begin a click or a pan."""
        if event.button() in {Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton}:
            self._pressed = event.position().toPoint()
            self._dragged = False
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Pan, or show what can be clicked."""
        position = event.position().toPoint()
        if self._pressed is None:
            over = self._node_at(position) >= 0
            shape = Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor
            self.viewport().setCursor(shape)
            return
        moved = position - self._pressed
        if self._dragged or moved.manhattanLength() > _STILL:
            self._dragged = True
            scale = self.transform().m11()
            self.translate(moved.x() / scale, moved.y() / scale)
            self._pressed = position

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Choose the layer that was clicked."""
        was_click = self._pressed is not None and not self._dragged
        self._pressed = None
        if was_click and event.button() == Qt.MouseButton.LeftButton:
            index = self._node_at(event.position().toPoint())
            if index >= 0:
                self._choose(index, is_own=True)
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Treat the second click as another click."""
        self.mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Zoom at the pointer."""
        turned = event.angleDelta().y() or event.angleDelta().x()
        factor = _PER_NOTCH ** (turned / _NOTCH)
        scale = self.transform().m11()
        factor = min(max(scale * factor, _WIDEST), _CLOSEST) / scale
        at = self._scene_point(event.position())
        self.scale(factor, factor)
        moved = self._scene_point(event.position()) - at
        self.translate(moved.x(), moved.y())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Go along the edges with the arrow keys."""
        key = event.key()
        if key == Qt.Key.Key_0:
            self.fit()
        elif key == Qt.Key.Key_S:
            self.shares_button.toggle()
        elif key == Qt.Key.Key_1:
            self.show_selected()
        elif key in {Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down}:
            self._go(Qt.Key(key))
        else:
            event.ignore()
            return
        event.accept()

    def _go(self, key: Qt.Key) -> None:
        drawing = self.item.drawing
        if drawing is None:
            return
        graph = drawing.analysis.graph
        here = graph.paths.get(self._selection.layer, 0)
        layout = drawing.layout
        if key == Qt.Key.Key_Left:
            wanted = list(graph.nodes[here].inputs)
        elif key == Qt.Key.Key_Right:
            wanted = [int(b) for a, b in layout.edges[layout.edges[:, 0] == here]]
        else:
            down = 1 if key == Qt.Key.Key_Down else -1
            beside = (layout.column == layout.column[here]) & (
                (layout.row - layout.row[here]) * down > 0
            )
            wanted = [int(x) for x in beside.nonzero()[0]]
        if wanted:
            self._choose(min(wanted, key=lambda x: abs(int(layout.row[x] - layout.row[here]))))

    def _choose(self, index: int, *, is_own: bool = False) -> None:
        # A clicked node is in view already, and the graph must not move under the pointer.
        self._is_own_choice = is_own
        try:
            self._selection.select_layer(self._session.analysis.graph.nodes[index].name)
        finally:
            self._is_own_choice = False

    def _node_at(self, position: QPoint) -> int:
        drawing = self.item.drawing
        return -1 if drawing is None else drawing.node_at(self._scene_point(QPointF(position)))

    def _scene_point(self, point: QPointF) -> QPointF:
        return QPointF(self.viewportTransform().inverted()[0].map(point))

    def node_point(self, index: int) -> QPoint:
        """Return where the middle of a node is on the viewport."""
        drawing = self.item.drawing
        if drawing is None:
            return QPoint()
        return QPoint(self.mapFromScene(drawing.rect_of(index).center()))

    # --- words and colours ----------------------------------------------------------------------

    def viewportEvent(self, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Show a tooltip for the layer under the pointer."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            index = self._node_at(event.pos())
            QToolTip.showText(event.globalPos(), self.text_of(index), self.viewport())
            return True
        return super().viewportEvent(event)

    def text_of(self, index: int) -> str:
        """Return what a layer is, and what is wrong with it, in a few lines."""
        drawing = self.item.drawing
        if drawing is None or index < 0:
            return ""
        layer = drawing.analysis.at(index)
        size = "×".join(map(str, layer.output_size))
        if layer.operation is None:
            return f"input\n{layer.channels} channels of {size}"
        lines = [
            layer.name,
            f"{layer.operation.text(len(layer.output_size))}: {layer.channels}×{size}",
            f"field {field_text(layer)}, jump {steps_text(layer.jump)}, {alignment_text(layer)}",
        ]
        if index in drawing.misaligned:
            remarks = remarks_on(drawing.analysis.diagnostics, (layer.name,))
            lines += [x.message for x in remarks]
        return "\n".join(lines)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Follow light and dark."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "item"):
            self._follow_palette()

    def _follow_palette(self) -> None:
        self.setBackgroundBrush(QBrush(self.palette().color(QPalette.ColorRole.AlternateBase)))
        self.item.follow_palette(self.palette())


def _is_same_form(a: Analysis, b: Analysis) -> bool:
    """Whether two networks have the same nodes and edges, so that their layout is the same."""
    if len(a.graph.nodes) != len(b.graph.nodes):
        return False
    return all(x.inputs == y.inputs for x, y in zip(a.graph.nodes, b.graph.nodes, strict=True))


def _shares_of(analysis: Analysis, layer: str) -> tuple[dict[tuple[int, int], Share], str]:
    """Return the share of energy of each edge on the way to a layer, or why there is none."""
    try:
        found = path_shares(analysis, layer)
    except Cancelled:
        raise
    except RFStudioError as error:
        return {}, str(error)
    paths = analysis.graph.paths
    forks = {(paths[x.reader], paths[x.source]): x.share for x in found.branches}
    return {edge: Share(of_all, forks.get(edge)) for edge, of_all in found.edges.items()}, ""
