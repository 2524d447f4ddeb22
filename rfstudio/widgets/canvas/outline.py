"""The outline of some pixels of a map, as a path along their edges."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QPainterPath

from rfstudio.app.effective.shown_fields import EffectiveField

_HALF = 0.5
"""Share of the densest value above which pixels are inside: as for the full width at half."""

_MOST_EDGES = 20_000
"""Edges above which nothing is drawn: of a map that is noise an outline says nothing."""


_OUTLINES: WeakKeyDictionary[EffectiveField, QPainterPath | None] = WeakKeyDictionary()
"""Those of fields that are alive: a field has megabytes, and goes with its pin."""


def outline_of(field: EffectiveField) -> QPainterPath | None:
    """Return the outline of the pixels of a field above half its maximum; None: there is none.

    It is worked out once.
    """
    if field not in _OUTLINES:
        _OUTLINES[field] = outline_above_half(field.map, field.densest)
    return _OUTLINES[field]


def outline_above_half(values: NDArray[np.floating], densest: float) -> QPainterPath | None:
    """Return the outline of the pixels of a map above half its densest value; None: it has none.

    Strides leave a grain in most fields, which would have a line around each of its pixels; such a
    field is averaged over larger and larger squares until its outline goes around one area.
    """
    if values.ndim != 2 or not densest > 0:
        return None
    inside = values >= _HALF * densest
    side = 3
    while not _is_compact(inside) and side <= min(values.shape) // 4:
        smooth = _averaged(values, side)
        inside = smooth >= _HALF * smooth.max()
        side = 2 * side - 1
    return closed_outline(inside)


def _is_compact(inside: NDArray[np.bool_]) -> bool:
    """Whether pixels have at most twice the edges of a disc of as many, which has 4.5 √n."""
    padded = np.pad(inside, 1)
    edges = sum(np.count_nonzero(np.diff(padded, axis=axis)) for axis in (0, 1))
    return bool(edges <= 9 * np.sqrt(np.count_nonzero(inside)) + 16)


def _averaged(values: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """Return the mean of each square of an odd side, with zeros around the map."""
    found = np.pad(np.asarray(values, np.float64), side // 2)
    for axis in (0, 1):
        sums = np.cumsum(np.insert(found, 0, 0, axis=axis), axis=axis)
        whole = sums.shape[axis]
        ends = np.take(sums, range(side, whole), axis=axis)
        found = (ends - np.take(sums, range(whole - side), axis=axis)) / side
    return found


def closed_outline(inside: NDArray[np.bool_]) -> QPainterPath | None:
    """Return the outline of pixels, where pixel i goes from i − ½ to i + ½.

    Its lines go on around corners, unlike those of `rfstudio.widgets.canvas.shading.outline`, so
    that they can be dashed.  Edges have the inside at their right, and are joined to closed lines;
    where two pixels touch at a corner, either line may be taken.
    """
    padded = np.pad(inside, 1)
    # (y, x) of the corner before the pixel, its end, for the edge at each side of a pixel.
    sides = (
        (padded[1:-1, 1:-1] & ~padded[:-2, 1:-1], (0, 0), (0, 1)),
        (padded[1:-1, 1:-1] & ~padded[1:-1, 2:], (0, 1), (1, 1)),
        (padded[1:-1, 1:-1] & ~padded[2:, 1:-1], (1, 1), (1, 0)),
        (padded[1:-1, 1:-1] & ~padded[1:-1, :-2], (1, 0), (0, 0)),
    )
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for at, start, end in sides:
        places = np.argwhere(at)
        if len(places) * len(sides) > _MOST_EDGES:
            return None
        for y, x in places.tolist():
            edges.setdefault((y + start[0], x + start[1]), []).append((y + end[0], x + end[1]))
    if not edges:
        return None
    path = QPainterPath()
    while edges:
        first = next(iter(edges))
        path.moveTo(first[1] - 0.5, first[0] - 0.5)
        corner = first
        while corner in edges:
            ends = edges[corner]
            following = ends.pop()
            if not ends:
                del edges[corner]
            path.lineTo(following[1] - 0.5, following[0] - 0.5)
            corner = following
    return path
