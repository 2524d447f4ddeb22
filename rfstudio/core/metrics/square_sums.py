"""Sums of a map in squares around one place, from the map folded at that place."""

from __future__ import annotations

from math import ceil, prod
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]


class Squares(NamedTuple):
    """The sums of a map in the squares around one place.

    Attributes
    ----------
    distances
        Of each index from the place, along each axis.
    sides
        Half sides at which squares take in more pixels, rising.
    held
        The sum in the square of each half side.
    """

    distances: list[Values]
    sides: Values
    held: Values

    def half_side(self, share: float) -> float:
        """Return half the side of the smallest square that holds a share of the map."""
        return float(self.sides[int(np.searchsorted(self.held, share * self.held[-1] * _ALMOST))])

    def area(self, share: float) -> float:
        """Return the area of the smallest square that holds a share, over the map's."""
        half = self.half_side(share)
        pixels = prod(int((x <= half).sum()) for x in self.distances)
        return pixels / prod(x.size for x in self.distances)


_ALMOST = 1 - 1e-12
"""Tolerance, so that the square with everything counts in any order of summation."""


def squares_around(folded: Folded, shape: tuple[int, ...], center: tuple[float, ...]) -> Squares:
    """Return the sums of a map of that shape in squares around a place, where it is folded."""
    distances = [np.abs(np.arange(n) - c).round(9) for n, c in zip(shape, center, strict=True)]
    sides = np.unique(np.concatenate(distances))
    ring = np.zeros((), np.intp)
    for near in folded.distances:
        ring = np.maximum.outer(ring, np.searchsorted(sides, near))
    rings = np.bincount(ring.ravel(), folded.values.ravel(), sides.size).astype(np.float64)
    return Squares(distances, sides, np.cumsum(rings))


class Folded(NamedTuple):
    """A map folded at a place: values equally far from it along every axis are added up.

    Attributes
    ----------
    values
        The sums.
    distances
        How far they are from the place, along each axis.
    """

    values: Values
    distances: list[Values]


def folded_around(values: Values, box: tuple[slice, ...], center: tuple[float, ...]) -> Folded:
    """Fold the part of a map in a box at a place on a pixel or in the middle between two."""
    distances = []
    for axis, (c, part) in enumerate(zip(center, box, strict=True)):
        values, near = _folded(values, axis, part.start, c)
        distances.append(near)
    return Folded(values, distances)


def _folded(values: Values, axis: int, start: int, center: float) -> tuple[Values, Values]:
    """Fold a map along one axis at a place on or between its pixels; otherwise leave it."""
    count = values.shape[axis]
    distances: Values = np.abs(np.arange(start, start + count) - center).round(9)
    center -= start
    if 2 * center % 1 or not 0 <= center <= count - 1:
        return values, distances
    lead = (slice(None),) * axis
    middle = ceil(center)
    above = values[(*lead, slice(middle, None))]
    below = np.flip(values[(*lead, slice(middle))], axis)
    apart = int(center == middle)  # the nearest below is one pixel farther than the one above
    shape = list(values.shape)
    shape[axis] = max(above.shape[axis], below.shape[axis] + apart)
    folded = np.zeros(shape)
    folded[(*lead, slice(above.shape[axis]))] = above
    folded[(*lead, slice(apart, apart + below.shape[axis]))] += below
    return folded, np.arange(shape[axis], dtype=np.float64) + (middle - center)
