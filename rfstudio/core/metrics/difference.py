"""The difference of two effective fields, both as shares of their sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError

_ROUNDING = 64
"""Units in the last place of the peak by which equal fields may differ, worked out in two ways."""


class DifferenceError(RFStudioError):
    """Two fields cannot be subtracted."""


@dataclass(frozen=True, eq=False)
class FieldDifference:
    """One field minus another.

    Attributes
    ----------
    map
        What each pixel has more in the first one, as a share of the larger peak of the two: from
        -1 to 1, and 0 where both weigh a pixel the same.
    moved
        Share of the field that is at other pixels: half the sum of the absolute differences of the
        normalised fields; 0 for equal ones, 1 for those without a common pixel.
    """

    map: NDArray[np.float64]
    moved: float

    @property
    def largest(self) -> float:
        """The largest absolute value, which a symmetric scale reaches on both sides."""
        return float(np.abs(self.map).max(initial=0.0))


def difference_of(first: NDArray[np.floating], other: NDArray[np.floating]) -> FieldDifference:
    """Return one field minus another, each divided by its sum.

    The sums are made equal, not the peaks: the peak of a measured field depends on its noise.
    What is only rounding, at the precision of the coarser map, counts as 0.

    Raises
    ------
    DifferenceError
        If they are over maps of different size, or one is zero everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> found = difference_of(np.array([1.0, 1.0]), np.array([0.0, 3.0]))
    >>> found.map.tolist(), found.moved
    ([0.5, -0.5], 0.5)
    """
    if first.shape != other.shape:
        sizes = (_by(first.shape), _by(other.shape))
        raise DifferenceError(f"one field has {sizes[0]} pixels, the other {sizes[1]}")
    sums = [float(np.sum(x, dtype=np.float64)) for x in (first, other)]
    if not all(0 < x < np.inf for x in sums):
        raise DifferenceError("a field that is zero everywhere has no shares to subtract")
    a, b = (np.asarray(x, np.float64) / s for x, s in zip((first, other), sums, strict=True))
    peak = max(a.max(), b.max())
    rounding = _ROUNDING * max(float(np.finfo(x.dtype).eps) for x in (first, other)) * peak
    away = np.where(np.abs(a - b) <= rounding, 0.0, a - b)
    return FieldDifference(away / peak, float(np.abs(away).sum()) / 2)


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
