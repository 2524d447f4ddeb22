"""The view of one unit: its theoretical, visible and local region of the reference map."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.fields import backtrace
from rfstudio.core.fields.other_numbers import OtherNumber, other_coverages
from rfstudio.core.network.physical import Axis
from rfstudio.core.shown import Pictured

_TOO_MUCH_TO_FOLLOW = (
    "What reaches this unit is too large to follow: the visible region is the box of all that can, "
    "and its pixels are counted as if all did. Take a smaller input, or a layer nearer to it."
)
"""What is said of a unit whose region is no more than a bound."""


@dataclass(frozen=True)
class UnitView(Pictured):
    """What one unit sees of the reference map (definitions, section 3).

    Attributes
    ----------
    layer
        Path of its layer.
    position
        Its position in that layer's map.
    size
        Size of the reference map along each axis.
    theoretical_region
        (first, last) along each axis, unclipped, the hull over all paths; the whole axis where it
        is global; None if no path reaches the unit.
    region
        Exactly what reaches the unit.
    local_region
        As `theoretical_region`, of the local field: operations that read a whole axis are taken
        to read one position.  None if the layer has no positions along some axis.
    axes
        What each axis of the reference map measures; empty: it is not known.
    """

    layer: str
    position: tuple[int, ...]
    size: tuple[int, ...]
    theoretical_region: tuple[Interval, ...] | None
    region: backtrace.Region = field(repr=False)
    local_region: tuple[Interval, ...] | None = None
    axes: tuple[Axis, ...] = ()

    @property
    def is_bound(self) -> bool:
        """Whether the region was too much to follow, and is the box of all that can be read."""
        return self.region.is_bound

    @property
    def remark(self) -> str:
        """What is to be said of the region; empty: it is exact."""
        return _TOO_MUCH_TO_FOLLOW if self.is_bound else ""

    @property
    def visible_region(self) -> tuple[Interval, ...] | None:
        """Hull of the pixels that really reach the unit; None if none does."""
        return self.region.hull

    def support(self) -> NDArray[np.bool_]:
        """Return which pixels reach the unit, as a boolean array of the reference's size."""
        return self.region.mask()

    @property
    def support_count(self) -> int:
        """Number of pixels that reach the unit."""
        return self.region.count

    @property
    def coverage(self) -> float:
        """Share of the image that reaches the unit, 0 to 1."""
        return self.support_count / max(prod(self.size), 1)

    @property
    def coverage_per_axis(self) -> tuple[float, ...]:
        """Share that the visible region has of each side of the image, 0 to 1."""
        hull = self.visible_region
        if hull is None:
            return (0.0,) * len(self.size)
        return tuple((b - a + 1) / n for (a, b), n in zip(hull, self.size, strict=True))

    @property
    def other_numbers(self) -> tuple[OtherNumber, ...]:
        """Other values of the coverage that are found elsewhere, and why they differ."""
        return other_coverages(self.coverage, self.coverage_per_axis)

    @property
    def gridding(self) -> float:
        """Share of holes in the visible region, 0 to 1."""
        hull = self.visible_region
        if hull is None:
            return 0.0
        return 1.0 - self.support_count / prod(b - a + 1 for a, b in hull)
