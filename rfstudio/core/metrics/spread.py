"""How an effective field depends on the input: the fields of one unit on several images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.unit_intervals import Interval

Values = NDArray[np.float64]

_ROUNDING = 1e-12
"""Share of a mean below which a deviation is only that of rounded sums."""


@dataclass(frozen=True, eq=False)
class ImageField:
    """The field of the unit on one image.

    Attributes
    ----------
    name
        The image's.
    map
        The field within `box`, in the estimator's own unit; None: there was no room for it.
    box
        First and last pixel along each axis that can reach the unit.
    sigma, luo_size, fwhm
        Standard deviation, the mean of both axes, and two other sizes, in pixels; None: the field
        is zero.
    strength
        Sum of the field.
    object_share
        Share of the field's sum that is on the object; None: no object is given.
    object_area
        Share of the box that is on the object: of a field that is spread evenly.
    on_object, on_background
        The σ of the field of the unit on the object, and of one on the background, on this image;
        None: there is none.
    """

    name: str
    map: NDArray[np.float32] | None
    box: tuple[Interval, ...]
    sigma: float | None
    luo_size: float | None
    fwhm: float | None
    strength: float
    object_share: float | None = None
    object_area: float | None = None
    on_object: float | None = None
    on_background: float | None = None

    @property
    def preference(self) -> float | None:
        """How much more of the field is on the object than of its box; 1: as much."""
        if self.object_share is None or not self.object_area:
            return None
        return self.object_share / self.object_area


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of one number over images.

    Attributes
    ----------
    mean, deviation
        In the number's own unit; the deviation of a single image is 0.
    count
        Images that have the number.
    """

    mean: float
    deviation: float
    count: int


@dataclass(frozen=True, eq=False)
class FieldSpread:
    """The fields of one unit on several images.

    Attributes
    ----------
    layer, unit
        Whose.
    size
        Of the images, along each axis.
    fields
        In the order of the images.
    mean, deviation
        Mean and standard deviation over images of the fields, each with the sum 1, (H, W).
    noise
        The standard deviation of σ that comes from the random signs of the estimator, on one image.
    draws
        Draws of signs on each image.
    """

    layer: str
    unit: tuple[int, ...]
    size: tuple[int, ...]
    fields: tuple[ImageField, ...]
    mean: Values
    deviation: Values
    noise: float
    draws: int

    @cached_property
    def ordered(self) -> tuple[ImageField, ...]:
        """The fields, the smallest first."""
        return tuple(sorted(self.fields, key=lambda x: (x.sigma is None, x.sigma or 0.0)))

    def spread_of(self, number: Callable[[ImageField], float | None]) -> Spread | None:
        """Return the spread of a number over the images that have it; None: none has."""
        values = [x for x in map(number, self.fields) if x is not None]
        if not values:
            return None
        mean, deviation = float(np.mean(values)), float(np.std(values))
        if deviation <= _ROUNDING * abs(mean):  # all the same, as in a network that is linear
            deviation = 0.0
        return Spread(mean, deviation, len(values))


class RunningSpread:
    """Mean and standard deviation of maps, one after another, by Welford's updates."""

    def __init__(self, size: tuple[int, ...]) -> None:
        self.count = 0
        self.mean = np.zeros(size)
        self._squares = np.zeros(size)

    def add(self, values: Values, box: Sequence[Interval]) -> None:
        """Add a map that is given within a box, and zero elsewhere; it is scaled to the sum 1."""
        total = float(values.sum())
        if not total > 0:
            return
        self.count += 1
        whole = np.zeros_like(self.mean)
        whole[slices(box)] = values / total
        step = whole - self.mean
        self.mean += step / self.count
        self._squares += step * (whole - self.mean)

    @property
    def deviation(self) -> Values:
        """The standard deviation over the maps so far."""
        deviation: Values = np.sqrt(self._squares / max(self.count, 1))
        return deviation


def slices(box: Sequence[Interval]) -> tuple[slice, ...]:
    """Return a box as an index."""
    return tuple(slice(first, last + 1) for first, last in box)
