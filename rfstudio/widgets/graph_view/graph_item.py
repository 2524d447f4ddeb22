"""Draws a graph with its layout: only what is on the screen, with less detail when zoomed out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPalette, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from rfstudio.app.wording.texts import field_text, square_text
from rfstudio.core.ops import Context, Op
from rfstudio.widgets.canvas.colours import ERF, THEORETICAL
from rfstudio.widgets.graph_view.drawing import HEIGHT, STEP_X, STEP_Y, WIDTH, Drawing
from rfstudio.widgets.graph_view.edges import FORM_SCALE, add_edge, edges_in, ends_of
from rfstudio.widgets.parts.painting import paints_item
from rfstudio.widgets.parts.theme import muted, severity_colour

TEXT_SCALE = 0.5
"""Zoom from which texts can be read."""

_BELOW = 11.0
"""How far below a short edge its share is."""

_LABEL_AT = 62.0
"""Distance of the label of an edge from the box that it reads."""

_LEAST_SIGN = 0.62
"""Least size of the sign of a marked box on the screen, beside that in full size."""

_MOST_SIGNS = 300
"""Signs that are drawn at once; more would cover each other."""

_MANY = 4000
"""Boxes on the screen above which no more are drawn than there are points."""


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


class GraphItem(QGraphicsItem):
    """Draws a `Drawing`."""

    def __init__(self) -> None:
        super().__init__()
        self._drawing: Drawing | None = None
        self._selected = -1
        self._palette = QPalette()
        self._shares: Mapping[tuple[int, int], Share] = {}
        self._way: frozenset[tuple[int, int]] = frozenset()
        self._bounds = QRectF()
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    @property
    def drawing(self) -> Drawing | None:
        """What is drawn."""
        return self._drawing

    def show_drawing(self, drawing: Drawing) -> None:
        """Draw another graph; marks of other boxes go."""
        self.prepareGeometryChange()
        if self._drawing is None or drawing.boxes is not self._drawing.boxes:
            self._selected, self._shares, self._way = -1, {}, frozenset()
        self._drawing = drawing
        self._bounds = drawing.bounds
        self.update()

    @property
    def shares(self) -> Mapping[tuple[int, int], Share]:
        """Shares of the energy of the edges, by reader and source, which are boxes."""
        return self._shares

    def show_shares(self, shares: Mapping[tuple[int, int], Share]) -> None:
        """Draw edges as wide as their share of all energy, with the share at each fork."""
        self._shares = shares
        self.update()

    @property
    def way(self) -> frozenset[tuple[int, int]]:
        """The edges of the path with the largest field, by reader and source."""
        return self._way

    def show_way(self, edges: Iterable[tuple[int, int]]) -> None:
        """Draw some edges as the path with the largest field."""
        self._way = frozenset(edges)
        self.update()

    @property
    def selected(self) -> int:
        """The marked box; −1 for none."""
        return self._selected

    def select(self, index: int) -> None:
        """Mark a box; −1 for none."""
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

    @paints_item
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
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, scale >= FORM_SCALE)
        self._draw_edges(painter, drawing, exposed, scale)
        labels = self._draw_shares(painter, drawing, exposed, scale)
        self._draw_way(painter, drawing, scale)
        for index in self._shown(drawing, exposed):
            self._draw_box(painter, drawing, int(index), scale)
        if self._selected >= 0:
            self._draw_box(painter, drawing, self._selected, scale)
        self._draw_signs(painter, drawing, exposed, scale)
        self._draw_labels(painter, labels)

    @staticmethod
    def _shown(drawing: Drawing, exposed: QRectF) -> NDArray[np.intp]:
        x, y = drawing.places.T
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
        a, b = drawing.layout.edges.T
        shown = edges_in(drawing, exposed)
        shown = shown[:: max(1, shown.size // _MANY)]
        ratio = painter.device().devicePixelRatio()
        pen = QPen(muted(self._palette), 1.3 * ratio)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if scale < FORM_SCALE:
            column, line = drawing.layout.column, drawing.line
            is_long = column[b[shown]] - column[a[shown]] > 1
            is_long |= line[a[shown]] != line[b[shown]]
            short, shown = shown[~is_long], shown[is_long]
            painter.drawLines([QLineF(*ends_of(drawing, int(a[i]), int(b[i]))) for i in short])
        path = QPainterPath()
        for i in shown:
            add_edge(path, drawing, int(a[i]), int(b[i]), scale)
        painter.drawPath(path)

    def _draw_shares(
        self, painter: QPainter, drawing: Drawing, exposed: QRectF, scale: float
    ) -> list[tuple[QPointF, str]]:
        """Draw what energy takes: edges by their share of all; return labels where they part."""
        ratio = painter.device().devicePixelRatio()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        labels: list[tuple[QPointF, str]] = []
        for (reader, source), share in self._shares.items():
            path = QPainterPath()
            add_edge(path, drawing, source, reader, scale)
            if not path.boundingRect().adjusted(-9, -9, 9, 9).intersects(exposed):
                continue
            pen = QPen(ERF, (0.6 + 5 * share.of_all) * ratio)
            pen.setCosmetic(True)
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            painter.setPen(pen)
            painter.drawPath(path)
            if share.at_fork is not None and scale >= TEXT_SCALE:
                length = path.length()
                at = path.pointAtPercent(path.percentAtLength(min(_LABEL_AT, length / 2)))
                if length < _LABEL_AT:  # between neighbours: below the line, which stays seen
                    at += QPointF(0, _BELOW)
                labels.append((at, f"{percent_text(share.at_fork)} %"))
        return labels

    def _draw_labels(self, painter: QPainter, labels: Sequence[tuple[QPointF, str]]) -> None:
        """Draw shares, after everything that could cover them."""
        font = QFont(painter.font())
        font.setPixelSize(10)
        font.setBold(False)
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        painter.setPen(self._palette.color(QPalette.ColorRole.Text))
        for point, text in labels:
            width = metrics.horizontalAdvance(text) + 4
            place = QRectF(point.x() - width / 2, point.y() - 6.5, width, 13)
            painter.fillRect(place, self._palette.color(QPalette.ColorRole.Base))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

    def _draw_way(self, painter: QPainter, drawing: Drawing, scale: float) -> None:
        """Draw the path with the largest field."""
        path = QPainterPath()
        for reader, source in self._way:
            add_edge(path, drawing, source, reader, scale)
        pen = QPen(THEORETICAL, 2.4 * painter.device().devicePixelRatio())
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(path)

    def _draw_box(self, painter: QPainter, drawing: Drawing, index: int, scale: float) -> None:
        rect = drawing.rect_of(index)
        box = drawing.boxes.boxes[index]
        colour = kind_colour(drawing.analysis.graph.nodes[box.last].op)
        is_failing = index in drawing.failing
        is_bad = is_failing or index in drawing.misaligned
        is_selected = index == self._selected
        if scale < FORM_SCALE and not is_selected:
            painter.fillRect(rect, self._sign_colour(index) if is_bad else colour)
            return
        base = self._palette.color(QPalette.ColorRole.Base)
        line = QColor(self._palette.color(QPalette.ColorRole.Mid))
        pen = QPen(line, 1)
        if is_bad:
            style = Qt.PenStyle.SolidLine if is_failing else Qt.PenStyle.DashLine
            # A blue border is that of the chosen layer, so notes have their sign alone in blue.
            is_noted = index in drawing.noted
            border = muted(self._palette) if is_noted else THEORETICAL
            pen = QPen(border, 1.4 if is_noted else 2.2, style)
        if is_selected:
            pen = QPen(self._palette.color(QPalette.ColorRole.Highlight), 2.6)
        # Qt measures cosmetic pens in dots of the device; a point of the screen may have two.
        pen.setWidthF(pen.widthF() * painter.device().devicePixelRatio())
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.setBrush(base)
        if box.container:
            painter.drawRoundedRect(rect.translated(4, 4), 5, 5)  # a pile of layers
        painter.drawRoundedRect(rect, 5, 5)
        if is_failing:  # a double border, which is seen without colours
            painter.drawRoundedRect(rect.adjusted(4, 4, -4, -4), 3, 3)
        painter.fillRect(QRectF(rect.left() + 1, rect.top() + 5, 5, rect.height() - 10), colour)
        if scale >= TEXT_SCALE:
            self._draw_text(painter, drawing, index, rect.adjusted(11, 3, -5, -3))

    def _sign_colour(self, index: int) -> QColor:
        """Return the colour of a marked box, as that of its remark in the tree."""
        drawing = self._drawing
        if drawing is None or index not in drawing.noted:
            return QColor(THEORETICAL)
        return severity_colour("note", dark=self._is_dark())

    def _is_dark(self) -> bool:
        colour = self._palette.color
        roles = QPalette.ColorRole
        return colour(roles.Text).lightness() > colour(roles.Base).lightness()

    def _draw_signs(
        self, painter: QPainter, drawing: Drawing, exposed: QRectF, scale: float
    ) -> None:
        """Draw a sign at the corner of each marked box, large enough to be seen at any zoom.

        A triangle for what does not align, a disc with an i where that is meant so, and a disc with
        a cross for what would not run: none depends on colour alone.
        """
        size = max(1.0, _LEAST_SIGN / scale)
        marked = sorted(drawing.misaligned | drawing.failing)
        marked = [x for x in marked if drawing.rect_of(x).intersects(exposed)]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        for index in marked[:: max(1, len(marked) // _MOST_SIGNS)]:
            corner = drawing.rect_of(index).topRight()
            painter.save()
            painter.translate(corner)
            painter.scale(size, size)
            if index in drawing.failing:
                _draw_cross(painter)
            elif index in drawing.noted:
                _draw_note(painter, self._sign_colour(index), self._palette)
            else:
                _draw_warning(painter)
            painter.restore()
        painter.restore()

    def _draw_text(self, painter: QPainter, drawing: Drawing, index: int, rect: QRectF) -> None:
        box = drawing.boxes.boxes[index]
        layer = drawing.analysis.at(box.last)
        node = layer.node
        font = QFont(painter.font())
        font.setPixelSize(11)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(self._palette.color(QPalette.ColorRole.Text))
        name = QFontMetricsF(font).elidedText(
            _short(box.container or node.name), Qt.TextElideMode.ElideLeft, rect.width()
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
            field = field_text(layer)
            # The whole of a range matters more than that both axes have the same.
            lines = (node.op.text(axes), f"field {square_text(field) if '…' in field else field}")
        if box.container:
            lines = (f"{len(box.members)} layers", lines[1])
        for i, text in enumerate(lines):
            place = QRectF(rect.left(), rect.top() + 13.5 * (i + 1), rect.width(), 13)
            short = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, short)


def _draw_warning(painter: QPainter) -> None:
    """Draw a triangle with a mark of exclamation around the origin."""
    path = QPainterPath(QPointF(-8, 7))
    path.lineTo(QPointF(8, 7))
    path.lineTo(QPointF(0, -8))
    path.closeSubpath()
    painter.fillPath(path, THEORETICAL)
    painter.fillRect(QRectF(QPointF(-0.9, -3), QPointF(0.9, 2.5)), "white")
    painter.fillRect(QRectF(QPointF(-0.9, 3.6), QPointF(0.9, 5.4)), "white")


def _draw_note(painter: QPainter, colour: QColor, palette: QPalette) -> None:
    """Draw a disc with an i around the origin."""
    ground = palette.color(QPalette.ColorRole.Base)
    painter.setPen(QPen(ground, 1.4))
    painter.setBrush(colour)
    painter.drawEllipse(QPointF(0, 0), 7.5, 7.5)
    painter.fillRect(QRectF(QPointF(-1, -4.4), QPointF(1, -2.4)), ground)
    painter.fillRect(QRectF(QPointF(-1, -1.2), QPointF(1, 4.4)), ground)


def _draw_cross(painter: QPainter) -> None:
    """Draw a disc with a cross around the origin."""
    painter.setPen(QPen(QColor("white"), 1.4))
    painter.setBrush(THEORETICAL)
    painter.drawEllipse(QPointF(0, 0), 8.5, 8.5)
    painter.setPen(QPen(QColor("white"), 2.2))
    painter.drawLine(QPointF(-3.4, -3.4), QPointF(3.4, 3.4))
    painter.drawLine(QPointF(-3.4, 3.4), QPointF(3.4, -3.4))


def percent_text(share: float) -> str:
    """Return a share in percent, with two digits; one that is not all is not 100."""
    if share in {0.0, 1.0}:
        return f"{100 * share:.0f}"
    if share > 0.99:
        return "> 99"
    return f"{100 * share:.2g}" if share >= 0.001 else "< 0.1"


def _short(path: str) -> str:
    """Return the last two parts of a path."""
    return ".".join(path.split(".")[-2:])
