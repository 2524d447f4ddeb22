"""Draws a graph with its layout: only what is on the screen, with less detail when zoomed out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPalette, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from rfstudio.app.wording.texts import field_text
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.ops import Context, Op
from rfstudio.widgets.canvas.colours import ERF, THEORETICAL
from rfstudio.widgets.graph_view.layout import Layout
from rfstudio.widgets.parts.theme import muted

STEP_X, STEP_Y = 150.0, 74.0
WIDTH, HEIGHT = 118.0, 46.0

_TEXT_SCALE = 0.5
"""Zoom above which texts can be read."""

_FORM_SCALE = 0.12
"""Zoom above which the curves of edges can be distinguished."""

_LABEL_AT = 62.0
"""Distance of the label of an edge from the node that it reads."""

_MANY = 4000
"""Nodes on the screen above which no more are drawn than there are points."""


def kind_colour(op: Op | None) -> QColor:
    """Return the colour of a node's stripe, which shows what the operation does to the field."""
    if op is None:
        return QColor("#7f8790")
    match op.context:
        case Context.MAPS:
            return QColor("#cc79a7")
        case Context.WHOLE:
            return QColor("#d55e00")
        case Context.POSITION:
            return QColor("#aab1ba")
        case Context.WINDOW | Context.PATTERN | Context.STATISTICS:
            if op.is_pool:
                return QColor("#009e73")
            return QColor("#0072b2" if op.slides else "#e69f00")


class Share(NamedTuple):
    """What energy takes an edge.

    Attributes
    ----------
    of_all
        Its share of all energy that reaches the input, 0 to 1.
    at_fork
        Its share of what reaches the map that it reads; None if nothing else reads that.
    """

    of_all: float
    at_fork: float | None


@dataclass(frozen=True, eq=False)
class Drawing:
    """What is drawn.

    Attributes
    ----------
    analysis
        The analysed network.
    layout
        Where its nodes are.
    misaligned
        Indices of the merges whose branches do not align.
    """

    analysis: Analysis
    layout: Layout
    misaligned: frozenset[int]

    def rect_of(self, index: int) -> QRectF:
        """Return the box of a node."""
        return QRectF(
            float(self.layout.column[index]) * STEP_X,
            float(self.layout.row[index]) * STEP_Y,
            WIDTH,
            HEIGHT,
        )

    def node_at(self, point: QPointF) -> int:
        """Return the node whose box holds a point; −1 if none does."""
        column, x = divmod(point.x(), STEP_X)
        row, y = divmod(point.y(), STEP_Y)
        if not (x <= WIDTH and y <= HEIGHT):
            return -1
        hits = np.flatnonzero((self.layout.column == int(column)) & (self.layout.row == int(row)))
        return int(hits[0]) if hits.size else -1


class GraphItem(QGraphicsItem):
    """Draws a `Drawing`."""

    def __init__(self) -> None:
        super().__init__()
        self._drawing: Drawing | None = None
        self._selected = -1
        self._palette = QPalette()
        self._shares: Mapping[tuple[int, int], Share] = {}
        self._bounds = QRectF()
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    @property
    def drawing(self) -> Drawing | None:
        """What is drawn."""
        return self._drawing

    def show_drawing(self, drawing: Drawing) -> None:
        """Draw another graph."""
        self.prepareGeometryChange()
        self._drawing = drawing
        layout = drawing.layout
        self._bounds = QRectF(
            -30, -60, (layout.columns - 1) * STEP_X + WIDTH + 60, layout.rows * STEP_Y + 90
        )
        self.update()

    @property
    def shares(self) -> Mapping[tuple[int, int], Share]:
        """Shares of the energy of the edges, by reader and source."""
        return self._shares

    def show_shares(self, shares: Mapping[tuple[int, int], Share]) -> None:
        """Draw edges as wide as their share of all energy, with the share at each fork."""
        self._shares = shares
        self.update()

    def select(self, index: int) -> None:
        """Mark a node; −1 for none."""
        if index != self._selected:
            self._selected = index
            self.update()

    def follow_palette(self, palette: QPalette) -> None:
        """Draw in the colours of the window."""
        self._palette = palette
        self.update()

    def boundingRect(self) -> QRectF:  # noqa: N802 - Qt's name
        """Return the extent of the graph."""
        return self._bounds

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        """Draw what is in the exposed part."""
        del widget
        drawing = self._drawing
        if drawing is None:
            return
        exposed = option.exposedRect.adjusted(-STEP_X, -STEP_Y, STEP_X, STEP_Y)
        scale = abs(painter.worldTransform().m11())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, scale >= _FORM_SCALE)
        self._draw_edges(painter, drawing, exposed, scale)
        self._draw_shares(painter, drawing, exposed, scale)
        for index in self._shown(drawing, exposed):
            self._draw_node(painter, drawing, int(index), scale)
        if self._selected >= 0:
            self._draw_node(painter, drawing, self._selected, scale)

    @staticmethod
    def _shown(drawing: Drawing, exposed: QRectF) -> NDArray[np.intp]:
        layout = drawing.layout
        x, y = layout.column * STEP_X, layout.row * STEP_Y
        inside = (
            (x + WIDTH >= exposed.left())
            & (x <= exposed.right())
            & (y + HEIGHT >= exposed.top())
            & (y <= exposed.bottom())
        )
        shown = np.flatnonzero(inside)
        # Zoomed out so far that boxes cover each other, single ones cannot be seen anyway.
        return shown[:: max(1, shown.size // _MANY)]

    def _draw_edges(
        self, painter: QPainter, drawing: Drawing, exposed: QRectF, scale: float
    ) -> None:
        layout = drawing.layout
        a, b = layout.edges.T
        left, right = layout.column[a] * STEP_X, layout.column[b] * STEP_X + WIDTH
        shown = np.flatnonzero((right >= exposed.left()) & (left <= exposed.right()))
        shown = shown[:: max(1, shown.size // _MANY)]
        ratio = painter.device().devicePixelRatio()
        pen = QPen(muted(self._palette), 1.3 * ratio)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if scale < _FORM_SCALE:
            is_long = layout.column[b[shown]] - layout.column[a[shown]] > 1
            short, shown = shown[~is_long], shown[is_long]
            painter.drawLines([QLineF(*_ends(drawing, int(a[i]), int(b[i]))) for i in short])
        path = QPainterPath()
        for i in shown:
            _add_edge(path, drawing, int(a[i]), int(b[i]), scale)
        painter.drawPath(path)

    def _draw_shares(
        self, painter: QPainter, drawing: Drawing, exposed: QRectF, scale: float
    ) -> None:
        """Draw what energy takes: edges by their share of all, and labels where they part."""
        ratio = painter.device().devicePixelRatio()
        font = QFont(painter.font())
        font.setPixelSize(10)
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        labels: list[tuple[QPointF, str]] = []
        for (reader, source), share in self._shares.items():
            path = QPainterPath()
            _add_edge(path, drawing, source, reader, scale)
            if not path.boundingRect().adjusted(-9, -9, 9, 9).intersects(exposed):
                continue
            pen = QPen(ERF, (0.6 + 5 * share.of_all) * ratio)
            pen.setCosmetic(True)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            painter.setPen(pen)
            painter.drawPath(path)
            if share.at_fork is not None and scale >= _TEXT_SCALE:
                length = path.length()
                at = path.percentAtLength(min(_LABEL_AT, length / 2))
                labels.append((path.pointAtPercent(at), f"{100 * share.at_fork:.2g} %"))
        painter.setPen(self._palette.color(QPalette.ColorRole.Text))
        for point, text in labels:
            width = metrics.horizontalAdvance(text) + 4
            place = QRectF(point.x() - width / 2, point.y() - 6.5, width, 13)
            painter.fillRect(place, self._palette.color(QPalette.ColorRole.Base))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

    def _draw_node(self, painter: QPainter, drawing: Drawing, index: int, scale: float) -> None:
        rect = drawing.rect_of(index)
        node = drawing.analysis.graph.nodes[index]
        colour = kind_colour(node.op)
        is_bad = index in drawing.misaligned
        is_selected = index == self._selected
        if scale < _FORM_SCALE and not is_selected:
            painter.fillRect(rect, THEORETICAL if is_bad else colour)
            return
        base = self._palette.color(QPalette.ColorRole.Base)
        line = QColor(self._palette.color(QPalette.ColorRole.Mid))
        pen = QPen(line, 1)
        if is_bad:
            pen = QPen(THEORETICAL, 2.2, Qt.PenStyle.DashLine)
        if is_selected:
            pen = QPen(self._palette.color(QPalette.ColorRole.Highlight), 2.6)
        # Qt measures cosmetic pens in dots of the device; a point of the screen may have two.
        pen.setWidthF(pen.widthF() * painter.device().devicePixelRatio())
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.setBrush(base)
        painter.drawRoundedRect(rect, 5, 5)
        painter.fillRect(QRectF(rect.left() + 1, rect.top() + 5, 5, rect.height() - 10), colour)
        if is_bad:
            self._draw_warning(painter, rect)
        if scale >= _TEXT_SCALE:
            self._draw_text(painter, drawing, index, rect.adjusted(11, 3, -5, -3))

    @staticmethod
    def _draw_warning(painter: QPainter, rect: QRectF) -> None:
        """Draw a triangle at a corner, so that the mark does not depend on colour alone."""
        corner = rect.topRight()
        path = QPainterPath(corner + QPointF(-8, 7))
        path.lineTo(corner + QPointF(8, 7))
        path.lineTo(corner + QPointF(0, -8))
        path.closeSubpath()
        painter.fillPath(path, THEORETICAL)
        painter.fillRect(QRectF(corner + QPointF(-0.9, -3), corner + QPointF(0.9, 2.5)), "white")
        painter.fillRect(QRectF(corner + QPointF(-0.9, 3.6), corner + QPointF(0.9, 5.4)), "white")

    def _draw_text(self, painter: QPainter, drawing: Drawing, index: int, rect: QRectF) -> None:
        layer = drawing.analysis.at(index)
        node = layer.node
        font = QFont(painter.font())
        font.setPixelSize(11)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(self._palette.color(QPalette.ColorRole.Text))
        name = QFontMetricsF(font).elidedText(
            _short(node.name), Qt.TextElideMode.ElideLeft, rect.width()
        )
        painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, name)
        font.setBold(False)
        font.setPixelSize(10)
        painter.setFont(font)
        painter.setPen(muted(self._palette))
        metrics = QFontMetricsF(font)
        size = "×".join(map(str, node.size))
        axes = len(node.size)
        lines = ("network input", size)
        if node.op is not None:
            lines = (node.op.text(axes), f"field {field_text(layer)}")
        for i, text in enumerate(lines):
            place = QRectF(rect.left(), rect.top() + 13.5 * (i + 1), rect.width(), 13)
            short = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, short)


def _short(path: str) -> str:
    """Return the last two parts of a path."""
    return ".".join(path.split(".")[-2:])


def _ends(drawing: Drawing, a: int, b: int) -> tuple[QPointF, QPointF]:
    first, second = drawing.rect_of(a), drawing.rect_of(b)
    return (
        QPointF(first.right(), first.center().y()),
        QPointF(second.left(), second.center().y()),
    )


def _add_edge(path: QPainterPath, drawing: Drawing, a: int, b: int, scale: float) -> None:
    """Add an edge: straight to the next column, over the boxes in between if it skips some."""
    start, end = _ends(drawing, a, b)
    path.moveTo(start)
    layout = drawing.layout
    span = int(layout.column[b] - layout.column[a])
    gap = STEP_X - WIDTH
    if span == 1:
        middle = (start.x() + end.x()) / 2
        path.cubicTo(QPointF(middle, start.y()), QPointF(middle, end.y()), end)
        return
    if layout.row[a] == layout.row[b]:
        # Longer skips run higher, so that nested ones stay apart, even when zoomed out.
        above = max(8 + 6 * log2(span), 5 * log2(span) / scale if scale < _FORM_SCALE else 0)
        top = start.y() - HEIGHT / 2 - above
        path.cubicTo(
            start + QPointF(gap * 0.6, 0),
            QPointF(start.x() + gap * 0.2, top),
            QPointF(start.x() + gap, top),
        )
        path.lineTo(QPointF(end.x() - gap, top))
        path.cubicTo(QPointF(end.x() - gap * 0.2, top), end - QPointF(gap * 0.6, 0), end)
        return
    # The longer part runs in the row of the branch, which is free there.
    if layout.row[b] > layout.row[a]:
        turn = start.x() + gap
        path.cubicTo(
            QPointF(start.x() + gap / 2, start.y()),
            QPointF(start.x() + gap / 2, end.y()),
            QPointF(turn, end.y()),
        )
        path.lineTo(end)
    else:
        turn = end.x() - gap
        path.lineTo(QPointF(turn, start.y()))
        path.cubicTo(QPointF(turn + gap / 2, start.y()), QPointF(turn + gap / 2, end.y()), end)
