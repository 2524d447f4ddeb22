"""The ways of edges: over the boxes in between, and back to the start of the next line."""

from __future__ import annotations

from math import log2

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

from rfstudio.widgets.graph_view.drawing import (
    BETWEEN,
    HEIGHT,
    STEP_X,
    STEP_Y,
    WIDTH,
    Drawing,
    arch_over,
)

FORM_SCALE = 0.12
"""Zoom above which the curves of edges can be distinguished."""

_GAP = STEP_X - WIDTH
_MARGIN = 14.0
"""Distance of the way back from the boxes beside it."""


def ends_of(drawing: Drawing, a: int, b: int) -> tuple[QPointF, QPointF]:
    """Return where an edge leaves a box, and where it enters another."""
    first, second = drawing.rect_of(a), drawing.rect_of(b)
    return (
        QPointF(first.right(), first.center().y()),
        QPointF(second.left(), second.center().y()),
    )


def edges_in(drawing: Drawing, exposed: QRectF) -> NDArray[np.intp]:
    """Return the edges that a part of the drawing may show."""
    a, b = drawing.layout.edges.T
    (ax, ay), (bx, by) = drawing.places[a].T, drawing.places[b].T
    is_back = drawing.line[a] != drawing.line[b]
    left = np.where(is_back, -_MARGIN, ax)
    right = np.where(is_back, drawing.right[-1] + _MARGIN, bx + WIDTH)
    top, bottom = np.minimum(ay, by) - BETWEEN - STEP_Y, np.maximum(ay, by) + STEP_Y
    return np.flatnonzero(
        (right >= exposed.left())
        & (left <= exposed.right())
        & (bottom >= exposed.top())
        & (top <= exposed.bottom())
    )


def add_edge(path: QPainterPath, drawing: Drawing, a: int, b: int, scale: float) -> None:
    """Add an edge: straight to the next column, over the boxes in between if it skips some."""
    start, end = ends_of(drawing, a, b)
    path.moveTo(start)
    layout, line = drawing.layout, drawing.line
    row, column = int(layout.row[a]), int(layout.column[a])
    if line[a] != line[b]:
        start, row = _add_way_back(path, drawing, a, int(line[b]))
        column = int(drawing.lines.first[line[b]]) - 1
    span = int(layout.column[b]) - column
    _add_within(path, (start, end), span, (row, int(layout.row[b])), scale)


def _add_way_back(path: QPainterPath, drawing: Drawing, a: int, line: int) -> tuple[QPointF, int]:
    """Go from a box to the start of a later line; return where that is, and in which row."""
    start = path.currentPosition()
    is_next = line == drawing.line[a] + 1
    right = float(drawing.right[drawing.line[a] if is_next else -1]) + _MARGIN
    row = int(drawing.layout.row[a])
    row = row if row < drawing.lines.rows[line] else 0
    top = float(drawing.tops[line])
    gutter = top - BETWEEN - (STEP_Y - HEIGHT) / 2
    entry = QPointF(-_GAP, top + row * STEP_Y + HEIGHT / 2)
    turns = (QPointF(right, start.y()), QPointF(right, gutter), QPointF(-_GAP, gutter))
    for before, corner, after in zip((start, *turns), turns, (*turns[1:], entry), strict=False):
        path.lineTo(_towards(corner, before))
        path.quadTo(corner, _towards(corner, after))
    path.lineTo(entry)
    return entry, row


def _towards(corner: QPointF, other: QPointF) -> QPointF:
    """Return the point of a rounded corner on the side of another point."""
    way = other - corner
    length = abs(way.x()) + abs(way.y())
    return corner if not length else corner + way * (min(8.0, length / 2) / length)


def _add_within(
    path: QPainterPath,
    ends: tuple[QPointF, QPointF],
    span: int,
    rows: tuple[int, int],
    scale: float,
) -> None:
    """Add an edge between two points of one line, so many columns apart."""
    start, end = ends
    if span == 1:
        middle = (start.x() + end.x()) / 2
        path.cubicTo(QPointF(middle, start.y()), QPointF(middle, end.y()), end)
        return
    if rows[0] == rows[1]:
        # Longer skips run higher, so that nested ones stay apart, even when zoomed out.
        above = max(arch_over(span), 5 * log2(span) / scale if scale < FORM_SCALE else 0)
        top = start.y() - HEIGHT / 2 - above
        path.cubicTo(
            start + QPointF(_GAP * 0.6, 0),
            QPointF(start.x() + _GAP * 0.2, top),
            QPointF(start.x() + _GAP, top),
        )
        path.lineTo(QPointF(end.x() - _GAP, top))
        path.cubicTo(QPointF(end.x() - _GAP * 0.2, top), end - QPointF(_GAP * 0.6, 0), end)
        return
    # The longer part runs in the row of the branch, which is free there.
    if rows[1] > rows[0]:
        turn = start.x() + _GAP
        path.cubicTo(
            QPointF(start.x() + _GAP / 2, start.y()),
            QPointF(start.x() + _GAP / 2, end.y()),
            QPointF(turn, end.y()),
        )
        path.lineTo(end)
    else:
        turn = end.x() - _GAP
        path.lineTo(QPointF(turn, start.y()))
        path.cubicTo(QPointF(turn + _GAP / 2, start.y()), QPointF(turn + _GAP / 2, end.y()), end)
