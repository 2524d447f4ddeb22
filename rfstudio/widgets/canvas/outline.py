"""The outline of some pixels of a map, as a path along their edges."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QPainterPath

from rfstudio.app.effective.shown_fields import EffectiveField

_HALF = 0.5
"""Share of the densest value above which pixels are inside: as for the full width at half."""

_MOST_EDGES = 20_000
"""Edges above which nothing is drawn: of a map that is noise an outline says nothing."""


@lru_cache(maxsize=8)
def outline_of(field: EffectiveField) -> QPainterPath | None:
    """Return the outline of the pixels of a field above half its maximum; None: there is none."""
    values = field.map
    if values.ndim != 2 or not field.densest > 0:
        return None
    return closed_outline(values >= _HALF * field.densest)


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
