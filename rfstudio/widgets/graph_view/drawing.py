"""What is drawn of a graph: its boxes, and the place of each of them on the page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log2

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF

from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.network.folding import Boxes
from rfstudio.core.network.layout import Layout
from rfstudio.core.network.wrapping import Lines, Page

STEP_X, STEP_Y = 150.0, 74.0
"""Distance of two columns, and of two rows, in points at full size."""

WIDTH, HEIGHT = 118.0, 46.0
"""Size of a box."""

BETWEEN = 38.0
"""Room between two lines, beside that between rows: for edges that skip, and for the way back."""


_SIDE, _BELOW = 30.0, 16.0
"""Margins at the left and the right, and at the lower end, in points."""

_BUTTONS = 36.0
"""Least margin at the upper end, in points: the buttons lie there."""


def page_of(width: float, height: float) -> Page:
    """Return the room of a view, less margins.

    At the upper and the lower end they take what the last line does not need below it.
    """
    return Page(max(width - 2 * _SIDE, STEP_X), max(height, STEP_Y), (STEP_X, STEP_Y), BETWEEN)


def arch_over(columns: int) -> float:
    """Return how high an edge goes over the boxes that it skips, in points."""
    return 8.0 + 6.0 * log2(max(columns, 1))


@dataclass(frozen=True, eq=False)
class Drawing:
    """What is drawn.

    Attributes
    ----------
    analysis
        The analysed network.
    boxes
        Its layers, and its folded containers.
    layout
        The column and the row of each box.
    lines
        Where the columns are broken into lines.
    misaligned
        Boxes of merges whose branches do not align.
    failing
        Boxes of layers that would not run.
    noted
        Those of `misaligned` on which there are notes alone: that is meant so, as in causal nets.
    """

    analysis: Analysis
    boxes: Boxes
    layout: Layout
    lines: Lines
    misaligned: frozenset[int]
    failing: frozenset[int] = frozenset()
    noted: frozenset[int] = frozenset()

    @cached_property
    def line(self) -> NDArray[np.intp]:
        """For each box the line that it is in."""
        return self.lines.of(self.layout.column)

    @cached_property
    def tops(self) -> NDArray[np.float64]:
        """The upper end of the first row of each line."""
        heights = self.lines.rows * STEP_Y + BETWEEN
        return np.concatenate([[0.0], np.cumsum(heights)[:-1]])

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """(boxes, 2): the upper left corner of each box, in points."""
        x = (self.layout.column - self.lines.first[self.line]) * STEP_X
        y = self.tops[self.line] + self.layout.row * STEP_Y
        return np.stack([x, y], axis=1)

    @cached_property
    def extent(self) -> QRectF:
        """What the boxes cover, without the room for edges around them."""
        if not len(self.places):
            return QRectF(0, 0, WIDTH, HEIGHT)
        left, top = self.places.min(axis=0).tolist()
        right, bottom = self.places.max(axis=0).tolist()
        return QRectF(left, top, right - left + WIDTH, bottom - top + HEIGHT)

    @cached_property
    def right(self) -> NDArray[np.float64]:
        """The right end of each line, and of the whole page as the last value."""
        columns = np.diff(self.lines.first, append=self.layout.columns)
        ends = (columns - 1) * STEP_X + WIDTH
        return np.append(ends, ends.max())

    @property
    def bounds(self) -> QRectF:
        """The extent of the drawing with room for its edges."""
        source, reader = self.layout.edges.reshape(-1, 2).T
        spans = self.layout.column[reader] - self.layout.column[source]
        above = max(_BUTTONS, _BELOW + arch_over(int(spans.max(initial=1))))
        bottom = self.extent.bottom()
        return QRectF(-_SIDE, -above, float(self.right[-1]) + 2 * _SIDE, bottom + above + _BELOW)

    def rect_of(self, box: int) -> QRectF:
        """Return where a box is."""
        x, y = self.places[box]
        return QRectF(float(x), float(y), WIDTH, HEIGHT)

    def box_at(self, point: QPointF) -> int:
        """Return the box that holds a point; −1 if none does."""
        x, y = self.places.T
        hits = np.flatnonzero(
            (x <= point.x())
            & (point.x() <= x + WIDTH)
            & (y <= point.y())
            & (point.y() <= y + HEIGHT)
        )
        return int(hits[0]) if hits.size else -1

    def box_of(self, node: int) -> int:
        """Return the box that a node is in; −1 if there is no such node."""
        return int(self.boxes.of_node[node]) if node >= 0 else -1
