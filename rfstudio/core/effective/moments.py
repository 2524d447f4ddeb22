"""How large the values of a random network are: second moments carried from the input forward.

For wide layers of independent zero-mean weights, what a convolution puts out is normally
distributed over draws of the weights, and two numbers say all: the mean square of a value, and
the mean product of two values of one channel that are far apart (in one image or in two), which
is the square of the channel's own mean.  Their difference is the variance that batch norm sees.
Where values are added up that a rectifier has made positive, the whole distribution is carried,
as points with weights.

References
----------
.. [1] Poole, Lahiri, Raghu, Sohl-Dickstein, Ganguli, "Exponential expressivity in deep neural
   networks through transient chaos", NIPS 2016, arXiv:1606.05340 (the two recursions).
.. [2] Cho, Saul, "Kernel methods for deep learning", NIPS 2009 (the kernel of the rectifier).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import acos, asin, pi, sqrt
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.effective.activations import (
    is_rising,
    slope,
    slope_below,
    squared_slope,
    value,
)
from rfstudio.core.energy.normal import cdf, nodes
from rfstudio.core.ops import Homogeneous, Op

Points: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Law:
    """A distribution.

    Attributes
    ----------
    points, weights
        Its values and their probabilities, which add up to 1.
    slopes
        For each point the mean squared slope of the activations that the value came through, which
        is 1 or 0 behind a rectifier; None: it came through none, or added to others.
    """

    points: Points
    weights: Points
    slopes: Points | None = None

    @cached_property
    def mean(self) -> float:
        """Its mean."""
        return float(self.weights @ self.points)

    @cached_property
    def square(self) -> float:
        """Its mean square."""
        return float(self.weights @ self.points**2)

    @cached_property
    def positive(self) -> float:
        """Probability of a value above 0."""
        return float(self.weights[self.points > 0].sum())

    @cached_property
    def slope(self) -> float:
        """Mean squared slope of the activations that the values came through."""
        return 1.0 if self.slopes is None else float(self.weights @ self.slopes)


@dataclass(frozen=True, eq=False)
class Profile:
    """Mean square of values by position along each axis, over its mean."""

    axes: tuple[Points, ...]


class Moments(NamedTuple):
    """What is known of the values of a map, averaged over positions, images and weights.

    Attributes
    ----------
    square
        Mean square.
    shared
        Mean product of two values of one channel, far apart.
    mean
        Mean over all channels.
    law
        The distribution; None: normal with mean 0.
    source
        The activation, and `square` and `shared` of the normal values in front of it, from which
        the law can be made when somebody asks; None: there is none.
    profile
        How the mean square depends on the position; None: not at all, or it is not known.
    """

    square: float
    shared: float = 0.0
    mean: float = 0.0
    law: Law | None = None
    source: tuple[Op, float, float] | None = None
    profile: Profile | None = None

    @property
    def variance(self) -> float:
        """Variance of one channel over positions and images."""
        return max(self.square - self.shared, 0.0)

    @property
    def is_normal(self) -> bool:
        """Whether values are normally distributed around 0."""
        return self.law is None and self.source is None

    def distribution(self) -> Law:
        """Return the distribution as points."""
        if self.law is not None:
            return self.law
        if self.source is not None:
            op, square, _ = self.source
            law = normal_law(square)
            return _behind(op, law)
        return normal_law(self.square)


# An even number, so that half of them are positive and none is 0, where slopes jump.
_UNIT_POINTS = np.linspace(-4.75, 4.75, 60)
_UNIT_WEIGHTS = np.exp(-(_UNIT_POINTS**2) / 2)
_UNIT_WEIGHTS /= _UNIT_WEIGHTS.sum()
_UNIT_POINTS = _UNIT_POINTS / sqrt(float(_UNIT_WEIGHTS @ _UNIT_POINTS**2))


def normal_law(square: float) -> Law:
    """Return a normal distribution around 0 as points."""
    return Law(_UNIT_POINTS * sqrt(square), _UNIT_WEIGHTS)


def _behind(op: Op, law: Law) -> Law:
    """Return the distribution behind an activation."""
    slopes = slope(op, law.points) ** 2
    if law.slopes is not None:
        slopes = slopes * law.slopes
    return Law(value(op, law.points), law.weights, slopes)


def scaled(x: Moments, factor: float) -> Moments:
    """Return the moments of `factor` times the values, `factor` being positive."""
    if x.law is None and x.source is None:
        return Moments(x.square * factor**2, x.shared * factor**2, x.mean * factor)
    law = x.distribution()
    law = Law(law.points * factor, law.weights, law.slopes)
    return Moments(x.square * factor**2, x.shared * factor**2, x.mean * factor, law)


def standardized(x: Moments) -> Moments:
    """Return the moments behind a norm that brings every channel to mean 0 and variance 1."""
    if x.is_normal or x.variance <= 0:
        return Moments(1.0)
    law = x.distribution()
    centred = law.points - law.mean
    spread = sqrt(max(float(law.weights @ centred**2), 1e-300))
    return Moments(1.0, 0.0, 0.0, Law(centred / spread, law.weights, law.slopes))


def shifted(x: Moments, mean: float, factor: float) -> Moments:
    """Return the moments of `factor` times what is left when a mean is taken off."""
    if mean == 0:
        return scaled(x, factor)
    law = x.distribution()
    law = Law((law.points - mean) * factor, law.weights, law.slopes)
    less = mean**2 - 2 * mean * x.mean
    return Moments(
        (x.square + less) * factor**2,
        (x.shared + less) * factor**2,
        (x.mean - mean) * factor,
        law,
    )


def averaged(x: Moments, count: float) -> Moments:
    """Return the moments of the mean of that many values of one channel."""
    square = x.shared + x.variance / max(count, 1.0)
    if x.is_normal:
        return Moments(square, x.shared)
    spread = x.square - x.mean**2
    if spread <= 0:
        return x
    # The distribution keeps its form around its mean, which is enough to tell signs.
    law = x.distribution()
    centred = law.points - law.mean
    shrink = ((square - x.mean**2) / spread) ** 0.5
    slopes = law.slopes
    if slopes is not None:
        # Of activations in front a larger mean says that more are open, whatever their number.
        tilt = float(law.weights @ (slopes * centred)) / spread
        slopes = (law.slope + tilt * shrink * centred).clip(min=0.0)
    return Moments(square, x.shared, x.mean, Law(law.mean + shrink * centred, law.weights, slopes))


def activated(op: Op, x: Moments) -> Moments:
    """Return the moments behind an activation."""
    if not x.is_normal:
        law = x.distribution()
        after = _behind(op, law)
        # A channel's own mean moves on by the mean slope.
        own = max(x.shared - x.mean**2, 0.0)
        shared = min(after.mean**2 + own * _mean_slope(op, law) ** 2, after.square)
        return Moments(after.square, shared, after.mean, after)
    if x.square <= 0:
        constant = float(value(op, np.zeros(1))[0])
        return Moments(constant**2, constant**2, constant)
    if isinstance(op, ops.Relu):
        return Moments(
            x.square / 2,
            _rectified_product(x.square, x.shared),
            sqrt(x.square / (2 * pi)),
            None,
            (op, x.square, x.shared),
        )
    return _activated_normal(op, float(f"{x.square:.6g}"), float(f"{x.shared:.6g}"))


def _mean_slope(op: Op, law: Law) -> float:
    if isinstance(op, Homogeneous):
        return law.positive + (1 - law.positive) * slope_below(op)
    step = 1e-4 * sqrt(max(law.square, 1e-12))
    difference = value(op, law.points + step) - value(op, law.points - step)
    return float(law.weights @ difference) / (2 * step)


def _rectified_product(square: float, shared: float) -> float:
    """Return E[relu(z) relu(z')] of two normal values of that mean square and product [2]_."""
    rho = min(max(shared / square, -1.0), 1.0)
    return square / (2 * pi) * (sqrt(1 - rho**2) + rho * (pi - acos(rho)))


@lru_cache(maxsize=1024)
def _activated_normal(op: Op, square: float, shared: float) -> Moments:
    law = normal_law(square)
    after = Law(value(op, law.points), law.weights)
    # z = common part + own part: the common one is what two distant values share.
    common, weights = nodes(24)
    z = sqrt(shared) * common[:, None] + sqrt(max(square - shared, 0.0)) * common
    inner = value(op, z) @ weights
    product = float(weights @ inner**2)
    return Moments(after.square, min(product, after.square), after.mean, None, (op, square, shared))


def added(terms: Sequence[Moments]) -> Moments:
    """Return the moments of a sum of independent values."""
    mean = sum(x.mean for x in terms)
    square = sum(x.square - x.mean**2 for x in terms) + mean**2
    shared = sum(x.shared - x.mean**2 for x in terms) + mean**2
    if all(x.is_normal for x in terms):
        return Moments(square, shared)
    others = [x for x in terms if not x.is_normal]
    first = max(others, key=lambda x: x.square)
    # All but the largest distribution that is not normal enter by mean and variance.
    rest_mean = mean - first.mean
    rest = max(square - mean**2 - (first.square - first.mean**2), 0.0)
    law = _with_noise(first.distribution(), rest_mean, rest)
    return Moments(square, shared, mean, law)


def _with_noise(law: Law, shift: float, variance: float) -> Law:
    """Return the distribution of a value plus an independent normal one."""
    if variance <= 0:
        return Law(law.points + shift, law.weights)
    # An edit leaves most of a network as it was: then the same question comes again.
    key = (law.points.tobytes(), law.weights.tobytes(), shift, variance)
    known = _noisy.get(key)
    if known is None:
        if len(_noisy) >= _LAWS_KEPT:
            _noisy.clear()
        known = _noisy[key] = _convolved(law, shift, sqrt(variance))
    return known


_LAWS_KEPT = 1024
_noisy: dict[tuple[bytes, bytes, float, float], Law] = {}


def _convolved(law: Law, shift: float, deviation: float) -> Law:
    points = law.points + shift
    low = float(points.min()) - 4.5 * deviation
    high = float(points.max()) + 4.5 * deviation
    grid = np.linspace(low, high, 65)
    distance = (grid[:, None] - points) / deviation
    density = np.exp(-0.5 * distance**2) @ law.weights
    kept = density > 1e-9 * float(density.max())
    grid, density = grid[kept], density[kept]
    return Law(grid, density / density.sum())


def pooled(x: Moments, count: int) -> tuple[Moments, float]:
    """Return the moments of the largest of some values of one channel, and how open it is.

    Parameters
    ----------
    x
        The values.
    count
        How many there are in a window.

    Returns
    -------
    moments, factor
        The factor is the mean squared slope, at the largest value, of the activation that made
        the values, over what it is anywhere: for a rectifier 2 P(largest > 0).
    """
    if x.is_normal:
        law, mean, square, product = _largest(count, x.square, x.shared)
        return Moments(square, product, mean, law), 1.0
    if x.source is not None and is_rising(x.source[0]):
        # The largest value is that of the largest value in front of the activation.
        op, square, own = x.source
        law, _, _, _ = _largest(count, square, own)
        after = _behind(op, law)
        shared = after.mean**2 + _mean_slope(op, law) ** 2 * own
        moments = Moments(after.square, min(shared, after.square), after.mean, after)
        return moments, after.slope / max(squared_slope(op, float(f"{square:.6g}")), 1e-300)
    law = x.distribution()
    order = np.argsort(law.points)
    points, weights = law.points[order], law.weights[order]
    below = np.concatenate([[0.0], np.cumsum(weights)]).clip(0.0, 1.0)
    slopes = None if law.slopes is None else law.slopes[order]
    after = Law(points, np.diff(below**count), slopes)
    own = max(x.shared - x.mean**2, 0.0)
    moments = Moments(after.square, min(after.mean**2 + own, after.square), after.mean, after)
    if slopes is not None:
        return moments, after.slope / max(law.slope, 1e-300)
    if points[0] < 0:
        return moments, 1.0
    return moments, after.positive / max(law.positive, 1e-300)


def _largest(count: int, square: float, shared: float) -> tuple[Law, float, float, float]:
    """Return the law, mean, mean square and shared product of the largest of normal values."""
    common = round(min(max(shared / square, 0.0), 1.0), 4) if square > 0 else 0.0
    mean, mean_square, product, law = largest_of(count, common)
    size = sqrt(square)
    scaled_law = Law(law.points * size, law.weights)
    return scaled_law, mean * size, mean_square * square, product * square


@lru_cache(maxsize=256)
def largest_of(count: int, common: float) -> tuple[float, float, float, Law]:
    """Return what is known of the largest of some normal values of variance 1.

    Parameters
    ----------
    count
        How many.
    common
        Correlation of any two of them, 0 to 1.

    Returns
    -------
    mean, square, shared, law
        Mean, mean square, mean product of two such maxima that share the common part alone, and
        the distribution.
    """
    grid = np.linspace(-6.0, 6.0, 97)
    middle = (grid[1:] + grid[:-1]) / 2
    mass = np.diff(cdf(grid) ** count)
    own = max(1.0 - common, 0.0)
    law = Law(middle * sqrt(own), mass / mass.sum())
    mean, square = law.mean, law.square
    return mean, square + common, common + mean**2, _with_noise(law, 0.0, common)


def open_together(op: Op, x: Moments) -> float:
    """Return E[φ′(z) φ′(z′)] / E[φ′(z)²] of two distant values z of one channel.

    For a rectifier that is the probability that one is open if the other is.
    """
    centred = max(x.square - x.mean**2, 0.0)
    rho = min(max((x.shared - x.mean**2) / centred, 0.0), 1.0) if centred > 0 else 1.0
    if isinstance(op, Homogeneous):
        low = slope_below(op)
        share = 0.5 if x.is_normal else x.distribution().positive
        both = share * (share + (1 - share) * 2 / pi * asin(rho))
        neither = 1 - 2 * share + both
        product = both + neither * low**2 + 2 * (share - both) * low
        return product / max(share + (1 - share) * low**2, 1e-300)
    return _slopes_together(op, float(f"{x.square:.6g}"), round(rho, 4))


@lru_cache(maxsize=1024)
def _slopes_together(op: Op, square: float, rho: float) -> float:
    common, weights = nodes(24)
    z = sqrt(rho * square) * common[:, None] + sqrt((1 - rho) * square) * common
    inner = slope(op, z) @ weights
    return min(float(weights @ inner**2) / max(squared_slope(op, square), 1e-300), 1.0)
