"""Curves, lines and a note of a plot as one item, so that a change is one fast repaint.

One pyqtgraph item for each would cost a frame: each one measures, clips and repaints by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.graphicsItems.ScatterPlotItem import Symbols
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFontMetrics,
    QPainter,
    QPainterPath,
    QPen,
    QTransform,
)
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from rfstudio.widgets.parts.painting import paints_item

Values = NDArray[np.float64]

_MARK = 5.0
"""Size of a mark in points of the screen."""

_DENSE = 4
"""Values per point of the screen above which only the extremes are drawn."""

_MARGIN = 4.0

_APART = 6.0
"""Points of the screen between values from which a line through each of them can be read."""

_WINDOW = 4
"""Values over which a band is taken: a multiple of the period of most strides."""

_FEWEST = 12
"""Least number of steps between values for which it is asked whether they alternate."""

_BAND = 0.3
"""Opacity of a band."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve in coordinates of the plot.

    Attributes
    ----------
    x, y
        Its points by rising x; where y is not finite there is a gap.
    pen
        What it is drawn with.
    mark
        The symbol at each point, by its name in pyqtgraph; empty for none.
    is_band
        Whether it goes up and down from value to value: where single values cannot be seen, it is
        drawn as the line of its local means, in a band from its least to its largest values.
    """

    x: Values
    y: Values
    pen: QPen
    mark: str = ""
    is_band: bool = False


@dataclass(frozen=True)
class Line:
    """A straight line through the whole plot.

    Attributes
    ----------
    place
        Where it crosses the axis to which it is perpendicular.
    pen
        What it is drawn with.
    is_level
        Whether it goes from left to right.
    text
        The label of a level line, in its colour.
    """

    place: float
    pen: QPen
    is_level: bool = False
    text: str = ""


@dataclass(frozen=True)
class Spot:
    """A round mark at one point."""

    place: QPointF
    pen: QPen
    colour: QColor
    size: float = 11.0


@dataclass(frozen=True, eq=False)
class Drawing:
    """Everything in a plot, in the order in which it is drawn.

    Attributes
    ----------
    curves, lines, spot
        What is drawn.
    note, brief
        Words in the upper right corner, and fewer ones for a plot that is too narrow for them.
    base
        A height that is in view whatever the curves are; None: theirs alone are.
    """

    curves: tuple[Curve, ...] = ()
    lines: tuple[Line, ...] = ()
    spot: Spot | None = None
    note: str = ""
    brief: str = ""
    base: float | None = None


class Curves(QGraphicsItem):
    """Draws a `Drawing` into a view of pyqtgraph.

    Parameters
    ----------
    view
        The view; its ranges follow the curves while they are automatic.
    """

    def __init__(self, view: pg.ViewBox) -> None:
        super().__init__()
        self._view = view
        self._drawing = Drawing()
        self._colour = QColor()
        self._bounds = QRectF(view.viewRect())
        view.addItem(self)
        view.sigRangeChanged.connect(self._follow_range)

    @property
    def drawing(self) -> Drawing:
        """What is drawn."""
        return self._drawing

    def show_drawing(self, drawing: Drawing, note_colour: QColor) -> None:
        """Draw something else."""
        self._drawing = drawing
        self._colour = note_colour
        self._view.itemBoundsChanged(self)
        # Now, since a range that changes during painting means painting twice.
        self._view.prepareForPaint()
        self.update()

    def _follow_range(self) -> None:
        self.prepareGeometryChange()
        self._bounds = QRectF(self._view.viewRect())

    # --- called by pyqtgraph --------------------------------------------------------------------

    def implements(self, interface: str | None = None) -> bool | list[str]:
        """Tell pyqtgraph that there are `dataBounds`."""
        return ["plotData"] if interface is None else interface == "plotData"

    def dataBounds(  # noqa: N802 - pyqtgraph's name
        self,
        axis: int,
        frac: float = 1.0,  # noqa: ARG002
        orthoRange: tuple[float, float] | None = None,  # noqa: ARG002, N803
    ) -> tuple[float | None, float | None]:
        """Return the least and the largest value along an axis."""
        # A curve without a single value has no place along the other axis either.
        drawn = [x for x in self._drawing.curves if not np.isnan(x.y).all()]
        parts = [x.y if axis else x.x for x in drawn]
        ends = [(float(np.nanmin(x)), float(np.nanmax(x))) for x in parts if not np.isnan(x).all()]
        if not ends:
            return None, None
        base = self._drawing.base
        if axis and base is not None:
            ends.append((base, base))
        return min(low for low, _ in ends), max(high for _, high in ends)

    # --- drawing --------------------------------------------------------------------------------

    def boundingRect(self) -> QRectF:  # noqa: N802 - Qt's name
        """Return what the view shows."""
        return self._bounds

    @paints_item
    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        """Draw everything in points of the screen."""
        del option
        drawing, transform = self._drawing, painter.worldTransform()
        area = transform.mapRect(self._bounds)
        painter.setWorldTransform(QTransform())
        for line in drawing.lines:
            _draw_line(painter, line, transform, area)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        for curve in drawing.curves:
            _draw_curve(painter, curve, transform, area)
        if drawing.spot is not None:
            _draw_spot(painter, drawing.spot, transform)
        if drawing.note:
            inside = area.adjusted(_MARGIN, 1.5 * _MARGIN, -2 * _MARGIN, 0)
            place = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
            words = fitting(painter.fontMetrics(), drawing, inside.width())
            if widget is not None:  # lines end before the text
                covered = painter.boundingRect(inside, place, words)
                painter.fillRect(covered.adjusted(-3, -1, 3, 1), widget.palette().base())
            painter.setPen(self._colour)
            painter.drawText(inside, place, words)
        painter.setWorldTransform(transform)


def fitting(metrics: QFontMetrics, drawing: Drawing, width: float) -> str:
    """Return the words of a drawing that fit a width, cut at their end if not even the few do."""
    for words in (drawing.note, drawing.brief):
        if words and metrics.horizontalAdvance(words) <= width:
            return words
    words = drawing.brief or drawing.note
    return metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(width))


def _draw_line(painter: QPainter, line: Line, transform: QTransform, area: QRectF) -> None:
    painter.setPen(line.pen)
    if not line.is_level:
        x = transform.map(QPointF(line.place, 0)).x()
        if area.left() <= x <= area.right():
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        return
    y = transform.map(QPointF(0, line.place)).y()
    if not area.top() <= y <= area.bottom():
        return
    painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
    painter.setPen(line.pen.color())
    high = painter.fontMetrics().height()
    is_above = y - high - _MARGIN > area.top()
    top = y - high - 1 if is_above else y + _MARGIN
    room = QRectF(area.left(), top, 0.6 * area.width(), high)
    painter.drawText(room, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, line.text)


def _draw_curve(painter: QPainter, curve: Curve, transform: QTransform, area: QRectF) -> None:
    x = curve.x * transform.m11() + transform.dx()
    y = curve.y * transform.m22() + transform.dy()
    first, last = np.searchsorted(x, (area.left(), area.right()))
    inside = slice(max(int(first) - 1, 0), int(last) + 1)
    if curve.is_band and _spacing(x) < _APART:
        _draw_band(painter, curve.pen, x[inside], y[inside])
        return
    x, y = _thinned(x[inside], y[inside], int(area.width()))
    if not x.size:
        return
    painter.setPen(curve.pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(pg.functions.arrayToQPath(x, y, connect="finite"))
    if curve.mark:
        painter.fillPath(_marks(curve.mark, x, y), QBrush(curve.pen.color()))


def alternates(values: Values) -> bool:
    """Whether a curve turns at more than every third value, as a field after strides does."""
    steps = np.diff(values[values > 0])
    if steps.size < _FEWEST:
        return False
    turns = np.count_nonzero(np.sign(steps[1:]) * np.sign(steps[:-1]) < 0)
    return bool(turns > steps.size / 3)


def around(values: Values) -> tuple[Values, Values, Values]:
    """Return least, mean and largest of the values near each one, in windows of four."""
    padded = np.pad(values, (_WINDOW // 2, _WINDOW - 1 - _WINDOW // 2), mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)
    return near.min(axis=1), near.mean(axis=1), near.max(axis=1)


def _spacing(x: Values) -> float:
    return float(x[1] - x[0]) if x.size > 1 else _APART


def _draw_band(painter: QPainter, pen: QPen, x: Values, y: Values) -> None:
    """Draw local means as a line, and the band between which single values lie."""
    if not x.size:
        return
    low, mean, high = around(y)
    outline = pg.functions.arrayToQPolygonF(
        np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]])
    )
    colour = QColor(pen.color())
    colour.setAlphaF(_BAND)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPolygon(outline)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(pg.functions.arrayToQPath(x, mean, connect="finite"))


def _thinned(x: Values, y: Values, width: int) -> tuple[Values, Values]:
    """Return the least and the largest value at each point of the screen, where there are many."""
    step = x.size // max(2 * width, 1)
    if step < _DENSE:
        return x, y
    count = x.size // step
    parts = y[: count * step].reshape(count, step)
    ends = np.stack([np.fmin.reduce(parts, axis=1), np.fmax.reduce(parts, axis=1)], axis=1)
    return np.repeat(x[: count * step : step], 2), ends.ravel()


def _marks(mark: str, x: Values, y: Values) -> QPainterPath:
    """Return the marks at all points as one path."""
    sign = QTransform.fromScale(_MARK, _MARK).map(Symbols[mark])
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    is_there = np.isfinite(y)
    for px, py in zip(x[is_there].tolist(), y[is_there].tolist(), strict=True):
        path.addPath(sign.translated(px, py))
    return path


def _draw_spot(painter: QPainter, spot: Spot, transform: QTransform) -> None:
    painter.setPen(spot.pen)
    painter.setBrush(spot.colour)
    painter.drawEllipse(transform.map(spot.place), spot.size / 2, spot.size / 2)
