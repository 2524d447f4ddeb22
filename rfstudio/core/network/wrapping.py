"""Lines of a layout: a long graph is broken into lines like the text of a page.

A line ends where a single map leads on: everything after it depends on that map alone, so that one
edge has to go back to the start of the next line, however many layers read the map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.network.layout import Layout

_MOST_LINES = 80
"""Lines above which no more are tried: boxes would be too small to be told apart anyway."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Where the lines of a layout begin.

    Attributes
    ----------
    first
        The first column of each line, from 0.
    rows
        How many rows each line has.
    """

    first: NDArray[np.intp]
    rows: NDArray[np.intp]

    def of(self, column: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the line that each column is in."""
        return np.searchsorted(self.first, column, side="right") - 1


@dataclass(frozen=True)
class Page:
    """The room for a graph and the sizes of what is put on it, all in points.

    Attributes
    ----------
    width, height
        The room.
    step
        The distance of two columns and of two rows.
    between
        What a line takes beside its rows.
    """

    width: float
    height: float
    step: tuple[float, float]
    between: float

    def scale(self, columns: int, rows: int, lines: int) -> float:
        """Return the zoom at which so much fits."""
        width, height = columns * self.step[0], rows * self.step[1] + lines * self.between
        return min(self.width / width, self.height / height)

    def scale_of(self, layout: Layout, lines: Lines) -> float:
        """Return the zoom at which a layout fits in some lines."""
        widest = int(np.diff(lines.first, append=layout.columns).max())
        return self.scale(widest, int(lines.rows.sum()), len(lines.first))


def one_line(layout: Layout) -> Lines:
    """Return a layout as a single line."""
    return Lines(np.zeros(1, np.intp), np.array([layout.rows], np.intp))


def lines_for(layout: Layout, page: Page) -> Lines:
    """Return the lines in which a layout is largest on a page; the fewest, if it fits unscaled."""
    ends = _ends_of_lines(layout)
    deepest = np.zeros(layout.columns, np.intp)
    np.maximum.at(deepest, layout.column, layout.row)
    best = one_line(layout)
    best_scale = page.scale_of(layout, best)
    for count in range(2, min(_MOST_LINES, layout.columns) + 1):
        if best_scale >= 1:
            break
        first = _broken(ends, layout.columns, -(-layout.columns // count))
        if len(first) == len(best.first):
            continue
        lines = Lines(first, np.maximum.reduceat(deepest, first) + 1)
        scale = page.scale_of(layout, lines)
        if scale > best_scale:
            best, best_scale = lines, scale
    return best


def lines_of_width(layout: Layout, width: int) -> Lines:
    """Return the lines of a layout on a page that has room for so many columns.

    Where no line may end within the width, it is broken at the width all the same.
    """
    deepest = np.zeros(layout.columns, np.intp)
    np.maximum.at(deepest, layout.column, layout.row)
    first = _broken(_ends_of_lines(layout), layout.columns, width, is_strict=True)
    return Lines(first, np.maximum.reduceat(deepest, first) + 1)


def _ends_of_lines(layout: Layout) -> NDArray[np.intp]:
    """Return the columns after which a line may end: a single map is read beyond them."""
    if not len(layout.edges):
        return np.zeros(0, np.intp)
    source, reader = layout.edges.T
    last = np.full(len(layout.column), -1, np.intp)
    np.maximum.at(last, source, layout.column[reader])
    read = np.flatnonzero(last >= 0)
    # Each map is under way from its column to that before its last reader.
    change = np.zeros(layout.columns + 1, np.intp)
    np.add.at(change, layout.column[read], 1)
    np.add.at(change, last[read], -1)
    return np.flatnonzero(np.cumsum(change)[: layout.columns - 1] == 1)


def _broken(
    ends: NDArray[np.intp], columns: int, width: int, *, is_strict: bool = False
) -> NDArray[np.intp]:
    """Return the first columns of lines of at most a width; where none may end, of more.

    With `is_strict` such a line ends at the width.
    """
    first = [0]
    while columns - first[-1] > width:
        after = int(np.searchsorted(ends, first[-1] + width - 1, side="right"))
        # The last end within the width, or else the next one beyond it.
        if after and ends[after - 1] >= first[-1]:
            end = int(ends[after - 1])
        elif is_strict:
            end = first[-1] + width - 1
        elif after < len(ends):
            end = int(ends[after])
        else:
            break
        first.append(end + 1)
    return np.array(first, np.intp)
