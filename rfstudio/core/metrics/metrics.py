"""Numbers of an effective receptive field: its size, shape and place.

All are of the linear map, in pixels, and computed on first use.  With an isotropic
Gaussian of standard deviation σ: `luo_size` 4.406 σ, `fwhm` 2.355 σ, `r50` 1.177 σ,
`participation_side` 2√π σ.

References
----------
.. [1] Luo, Li, Urtasun, Zemel, NIPS 2016, arXiv:1701.04128 (`luo_size`: pixels above 1 − 95.45 %).
.. [2] Ding, Zhang, Han, Ding, "Scaling up your kernels to 31×31", CVPR 2022, arXiv:2203.06717
   (`area_ratio`, as their script prints it in `area_ratio_replknet`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import atan2, degrees, gamma, isfinite, pi, prod, sqrt
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.metrics.gaussian_fit import GaussianFit, box_of_values, fit_gaussian
from rfstudio.core.metrics.phases import phase_contrast
from rfstudio.core.metrics.registry import METRICS, MODULI, NAMES, SHARES
from rfstudio.core.metrics.square_sums import Folded, Squares, folded_around, squares_around

Values: TypeAlias = NDArray[np.float64]

LUO_SHARE = 1 - 0.9545
"""Share of the centre's value above which a pixel counts for `luo_size`: two sigmas [1]."""


class Frame(Protocol):
    """The frame that an effective field is compared with."""

    @property
    def center(self) -> tuple[float, ...] | None:
        """Centre of the unit's theoretical field along each axis; None: it sees nothing."""

    @property
    def field_size(self) -> tuple[int, ...] | None:
        """Size of its theoretical field along each axis; None: it sees nothing."""

    @property
    def visible_region(self) -> tuple[Interval, ...] | None:
        """First and last pixel that reach it along each axis; None if none does."""


_LEAST_SQUARE = 1e-100
"""Largest value below which squares might leave what a float64 can hold."""


@dataclass(frozen=True, eq=False)
class Metrics(Mapping[str, Any]):
    """The numbers of one map; each is computed once, on first use.

    Numbers are attributes, and entries of a mapping by the names of `NAMES`.

    A number that has no meaning is None, such as all sizes of a map that is zero.

    Attributes
    ----------
    map
        The effective field, not negative, any scale.
    frame
        What it is compared with; None: nothing, and `center` is the map's own centroid.
    """

    map: Values
    frame: Frame | None = None

    def __getitem__(self, name: str) -> Any:
        """Return a number by its name, as in `as_dict`."""
        if name not in NAMES:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all numbers."""
        return iter(NAMES)

    def __len__(self) -> int:
        """Return how many numbers there are."""
        return len(NAMES)

    def as_dict(self) -> dict[str, Any]:
        """Return all numbers as plain values, for JSON."""
        return {x.name: x.plain(x.value(self)) for x in METRICS}

    @cached_property
    def total(self) -> float:
        """Sum of the map."""
        return float(self.map.sum())

    @cached_property
    def _box(self) -> tuple[slice, ...]:
        """The smallest box that holds all non-zero values of the map."""
        return box_of_values(self.map)

    @cached_property
    def _inner(self) -> Values:
        """The map in that box."""
        return np.ascontiguousarray(self.map[self._box])

    @cached_property
    def _marginals(self) -> tuple[Values, ...]:
        """Share of the map at each index of each axis."""
        axes = range(self.map.ndim)
        return tuple(
            self.map.sum(axis=tuple(i for i in axes if i != axis)) / self.total for axis in axes
        )

    @cached_property
    def centroid(self) -> tuple[float, ...] | None:
        """Mean position along each axis, in pixels."""
        if not self.total > 0:
            return None
        return tuple(float(p @ np.arange(p.size)) for p in self._marginals)

    @cached_property
    def center(self) -> tuple[float, ...] | None:
        """Centre of the unit's theoretical field; without a frame the centroid."""
        return self.centroid if self.frame is None else self.frame.center

    @cached_property
    def sigma(self) -> tuple[float, ...] | None:
        """Standard deviation of the position along each axis, in pixels."""
        if self.centroid is None:
            return None
        return tuple(
            sqrt(max(float(p @ (np.arange(p.size) - mean) ** 2), 0.0))
            for p, mean in zip(self._marginals, self.centroid, strict=True)
        )

    @cached_property
    def offset(self) -> tuple[float, ...] | None:
        """Centroid minus centre along each axis, in pixels; 0 where it is only rounding."""
        if self.centroid is None or self.center is None:
            return None
        pairs = zip(self.centroid, self.center, self.map.shape, strict=True)
        # A mean of positions up to n is off by some units of n · 2⁻⁵² from rounding alone.
        return tuple(a - b if abs(a - b) > 1e-12 * n else 0.0 for a, b, n in pairs)

    # --- sizes ----------------------------------------------------------------------------------

    @cached_property
    def center_value(self) -> float:
        """Value at the unit's centre: between pixels, the mean of those around it."""
        if self.center is None:
            return 0.0
        value = self.map
        for n, c in zip(self.map.shape, self.center, strict=True):
            low = int(np.floor(c))
            nearest = [low, low + 1] if c != low else [low]
            near = [i for i in nearest if 0 <= i < n and abs(i - c) <= 0.5]
            if not near:
                return 0.0
            value = value[near].mean(axis=0)
        return float(value)

    @cached_property
    def luo_count(self) -> int | None:
        """Number of pixels above 1 − 0.9545 of the centre's value [1]."""
        level = self.center_value or self._peak
        return self._count_above(LUO_SHARE * level) if level > 0 else None

    @cached_property
    def luo_size(self) -> float | None:
        """Side of a square of `luo_count` pixels; of the maximum where the centre is a hole."""
        return None if self.luo_count is None else self._side(self.luo_count)

    @cached_property
    def luo_size_of_maximum(self) -> float | None:
        """The same, with the share of the largest value."""
        return self._side(self._count_above(LUO_SHARE * self._peak)) if self._peak > 0 else None

    @cached_property
    def fwhm(self) -> float | None:
        """Full width at half maximum: diameter of a disc of all pixels above half the maximum."""
        if not self._peak > 0:
            return None
        count = self._count_above(self._peak / 2)
        return 2 * float((count / _unit_ball(self.map.ndim)) ** (1 / self.map.ndim))

    @cached_property
    def r50(self) -> float | None:
        """Radius around the unit's centre that holds half of the map, in pixels."""
        if self._folded is None or self._squares is None:
            return None
        # The disc is not larger than the one around the square that holds as much.
        reach = self._squares.half_side(0.5) * sqrt(self.map.ndim) + 2
        squares = np.zeros(())
        near: list[slice] = []
        for distance in self._folded.distances:
            within = np.flatnonzero(distance <= reach)
            near.append(slice(int(within[0]), int(within[-1]) + 1) if within.size else slice(0))
            squares = np.add.outer(squares, distance[near[-1]] ** 2)
        values = self._folded.values[tuple(near)].ravel()
        # A pixel is spread over a ring of its own width, so that the sum grows steadily.
        inner = np.maximum(np.sqrt(squares).ravel() - 0.5, 0.0)
        # The centre of a field may be far outside the image: then nothing is in the first rings.
        first = max(float(np.floor(inner.min())) - 1, 0.0)
        inner -= first
        ring = inner.astype(np.intp)
        part = (inner - ring) * values
        count = int(ring.max()) + 2
        rings = np.bincount(ring, values - part, count).astype(np.float64)
        rings += np.bincount(ring + 1, part, count)
        half = _crossing(rings, 0.5 * self.total)
        return None if half is None else first + half

    @cached_property
    def participation_side(self) -> float | None:
        """Side of a square of (ΣM)²/ΣM² pixels, the number of pixels that take part."""
        if not self._peak > 0:
            return None
        values = self._inner.ravel()
        if not _LEAST_SQUARE < self._peak < 1 / _LEAST_SQUARE:
            values = values / self._peak
        return self._side(float(values.sum() ** 2 / (values @ values)))

    @cached_property
    def phase_contrast(self) -> dict[str, float | None]:
        """Largest over smallest share of the map by residue class of the pixel, for each modulus.

        None where some class has none of the map; see `rfstudio.core.metrics.phases`.
        """
        # Pixels outside the box have nothing, and where it begins only renames the classes.
        found = {m: phase_contrast(self._inner, m) for m in MODULI}
        return {f"{m}": x if isfinite(x) else None for m, x in found.items()}

    # --- areas ----------------------------------------------------------------------------------

    @cached_property
    def area_ratio(self) -> dict[str, float | None]:
        """Area over that of the image of the smallest square that holds a share of the map.

        Squares are around the unit's own centre, and cut off at the image's borders.
        """
        squares = self._squares
        return {f"{t:g}": None if squares is None else squares.area(t) for t in SHARES}

    @cached_property
    def area_ratio_replknet(self) -> dict[str, float | None]:
        """The same as in RepLKNet's script [2]: of log10(map + 1), around the image's middle.

        It depends on the scale of the map, so compare it only with numbers of the same recipe.
        """
        # Shares do not depend on the base, and the natural logarithm is the fastest.
        values = self._inner + 1.0
        np.log(values, out=values)
        if not values.sum() > 0:
            return {f"{t:g}": None for t in SHARES}
        middle = tuple(float(n // 2) for n in self.map.shape)
        folded = folded_around(values, self._box, middle)
        squares = squares_around(folded, self.map.shape, middle)
        return {f"{t:g}": squares.area(t) for t in SHARES}

    @cached_property
    def _squares(self) -> Squares | None:
        if self.center is None or self._folded is None:
            return None
        return squares_around(self._folded, self.map.shape, self.center)

    @cached_property
    def _folded(self) -> Folded | None:
        if self.center is None or not self.total > 0:
            return None
        return folded_around(self._inner, self._box, self.center)

    @cached_property
    def erf_trf_ratio(self) -> dict[str, float | None]:
        """`luo_size` over the theoretical field: of the sides and of the areas."""
        size = None if self.frame is None else self.frame.field_size
        if size is None or self.luo_count is None or not prod(size):
            return {"side": None, "area": None}
        area = self.luo_count / prod(size)
        return {"side": area ** (1 / len(size)), "area": area}

    # --- form and place -------------------------------------------------------------------------

    @cached_property
    def covariance(self) -> Values | None:
        """Covariance matrix of the position, in square pixels."""
        if self.centroid is None or self.sigma is None:
            return None
        count = self.map.ndim
        result = np.diag(np.square(self.sigma))
        for i in range(count):
            for j in range(i + 1, count):
                others = tuple(x for x in range(count) if x not in (i, j))
                joint = self.map.sum(axis=others) if others else self.map
                y = np.arange(joint.shape[0]) - self.centroid[i]
                x = np.arange(joint.shape[1]) - self.centroid[j]
                result[i, j] = result[j, i] = float(y @ joint @ x) / self.total
        return result

    @cached_property
    def anisotropy(self) -> float | None:
        """Largest over smallest standard deviation along any direction; 1 is round."""
        if self.covariance is None:
            return None
        spectrum = np.linalg.eigvalsh(self.covariance)
        return sqrt(spectrum[-1] / spectrum[0]) if spectrum[0] > 0 else None

    @cached_property
    def angle(self) -> float | None:
        """Direction of the largest extent, in degrees from the x axis towards +y, above −90 to 90.

        None where there are not two axes, or no direction is distinct.
        """
        if self.covariance is None or self.map.ndim != 2:
            return None
        (yy, xy), (_, xx) = self.covariance
        if max(abs(xx - yy), abs(xy)) <= 1e-9 * (xx + yy):
            return None
        if abs(xy) <= 1e-12 * (xx + yy):
            xy = 0.0  # only rounding, which must not turn 90° into −90°
        angle = degrees(0.5 * atan2(2 * xy, xx - yy))
        return angle + 180 if angle <= -90 else angle

    @cached_property
    def gaussian(self) -> GaussianFit | None:
        """The Gaussian that fits best by least squares."""
        if self.centroid is None or self.sigma is None:
            return None
        return fit_gaussian(self.map, self.centroid, self.sigma)

    @cached_property
    def outside(self) -> float | None:
        """Share of the map outside the unit's visible region; anything but 0 is a mistake."""
        if self.frame is None or not self.total > 0:
            return None
        region = self.frame.visible_region
        if region is None:
            return 1.0
        inner = self.map[tuple(slice(first, last + 1) for first, last in region)]
        rest = np.count_nonzero(self.map) - np.count_nonzero(inner)
        return max(1.0 - float(inner.sum()) / self.total, 0.0) if rest else 0.0

    @cached_property
    def _peak(self) -> float:
        return float(self.map.max()) if self.map.size else 0.0

    def _count_above(self, level: float) -> int:
        return int(np.count_nonzero(self.map > level))

    def _side(self, count: float) -> float:
        return float(count ** (1 / self.map.ndim))


def measured_peak(values: NDArray[Any]) -> float:
    """Return the value that a picture of a measured field draws with the highest density.

    It leaves out the highest 0.5 % of the pixels above 0: with few samples, single pixels are far
    above all others, which would otherwise be too pale to see.
    """
    above = values[values > 0]
    return float(np.quantile(above, 0.995)) if above.size else 0.0


def _unit_ball(axes: int) -> float:
    return float(pi ** (axes / 2) / gamma(axes / 2 + 1))


def _crossing(rings: Values, wanted: float) -> float | None:
    """Return the radius at which the sum of rings of width 1 reaches a value.

    None: it never does, as values near the smallest or largest numbers are lost in rounding.
    """
    held = np.cumsum(rings)
    i = int(np.searchsorted(held, wanted))
    if i == len(rings):
        return None
    before = held[i - 1] if i else 0.0
    return i + float((wanted - before) / rings[i])
