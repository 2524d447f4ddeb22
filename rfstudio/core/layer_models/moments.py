"""Moments of the values of a random network, carried from the input forward.

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

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import acos, asin, log, pi, prod, sqrt
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.memo import remembered
from rfstudio.core.normal_distribution import cdf, nodes

Points: TypeAlias = NDArray[np.float64]


class Curve(Hashable, Protocol):
    """One function φ that is applied to every value by itself: an activation."""

    @property
    def slope_below(self) -> float | None:
        """Slope below 0 of a function whose slope depends on the sign alone, and is 1 above."""

    @property
    def is_rising(self) -> bool:
        """Whether it never falls: the largest of some values stays the largest."""

    def value(self, x: Points) -> Points:
        """Return φ(x)."""

    def slope(self, x: Points) -> Points:
        """Return φ′(x)."""

    def squared_slope(self, square: float) -> float:
        """Return E[φ′(z)²] over normal z around 0 with that mean square."""


@dataclass(frozen=True, eq=False)
class Law:
    """A distribution.

    Attributes
    ----------
    points, weights
        Its values and their probabilities, which add up to 1.
    slopes
        For each point the mean squared slope of the activations that the value came through, which
        is 1 or 0 after a rectifier; None: it came through none, or added to others.
    """

    points: Points
    weights: Points
    slopes: Points | None = None

    @cached_property
    def _key(self) -> bytes:
        parts = (self.points, self.weights, *([] if self.slopes is None else [self.slopes]))
        return b"".join([x.tobytes() for x in parts])

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Law) and self._key == other._key)

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
        return float(self.weights @ self.above)

    @cached_property
    def above(self) -> Points:
        """Share of the values that each point has the weight of that are above 0.

        Those are the values around it, as far as the middle between it and the nearest other
        point, so that one point of a density may have values of both signs.  Where no point is
        below 0, as after a rectifier, those at 0 are 0 itself.
        """
        points = self.points
        above = (points > 0).astype(np.float64)
        if not 0 < np.count_nonzero(points < 0) < points.size:
            return above
        order = np.argsort(points)
        gaps = np.concatenate([[np.inf], np.diff(points[order]), [np.inf]])
        width = np.minimum(gaps[:-1], gaps[1:])
        cut = np.abs(points[order]) < width / 2
        places = order[cut]
        above[places] = 0.5 + points[places] / width[cut]
        return above

    @cached_property
    def slope(self) -> float:
        """Mean squared slope of the activations that the values came through."""
        return 1.0 if self.slopes is None else float(self.weights @ self.slopes)


@dataclass(frozen=True, eq=False)
class Profile:
    """Mean square of values by position along each axis, over its mean."""

    axes: tuple[Points, ...]

    @property
    def size(self) -> tuple[int, ...]:
        """Size of the map along each axis."""
        return tuple([x.size for x in self.axes])


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
        The activation, and `square` and `shared` of the normal values before it, from which the
        law can be made when it is needed; None: there is none.
    profile
        How the mean square depends on the position; None: not at all, or it is not known.
    """

    square: float
    shared: float = 0.0
    mean: float = 0.0
    law: Law | None = None
    source: tuple[Curve, float, float] | None = None
    profile: Profile | None = None

    @property
    def variance(self) -> float:
        """Variance of one channel over positions and images."""
        return max(self.square - self.shared, 0.0)

    @property
    def norm_variance(self) -> float:
        """What a warmed batch norm divides squares by, but for its eps.

        A channel without any variance has the statistics of a fresh norm.
        """
        return self.variance if self.variance > 1e-12 * self.square else 1.0

    @property
    def is_normal(self) -> bool:
        """Whether values are normally distributed around 0."""
        return self.law is None and self.source is None

    def distribution(self) -> Law:
        """Return the distribution as points."""
        if self.law is not None:
            return self.law
        if self.source is not None:
            curve, square, _ = self.source
            return _after(curve, normal_law(square))
        return normal_law(self.square)


# An even number, so that half of them are positive and none is 0, where slopes jump.
_UNIT_POINTS = np.linspace(-4.75, 4.75, 60)
_UNIT_WEIGHTS = np.exp(-(_UNIT_POINTS**2) / 2)
_UNIT_WEIGHTS /= _UNIT_WEIGHTS.sum()
_UNIT_POINTS = _UNIT_POINTS / sqrt(float(_UNIT_WEIGHTS @ _UNIT_POINTS**2))


def normal_law(square: float) -> Law:
    """Return a normal distribution around 0 as points."""
    return Law(_UNIT_POINTS * sqrt(square), _UNIT_WEIGHTS)


def _after(curve: Curve, law: Law) -> Law:
    """Return the distribution after an activation."""
    slopes = _squared_slopes(curve, law)
    if law.slopes is not None:
        slopes = slopes * law.slopes
    return Law(curve.value(law.points), law.weights, slopes)


def _squared_slopes(curve: Curve, law: Law) -> Points:
    """Return φ′² by point; of a rectifier, whose slope jumps at 0, the mean over its values."""
    if curve.slope_below is not None:
        return law.above + (1 - law.above) * curve.slope_below**2
    result: Points = curve.slope(law.points) ** 2
    return result


def random_sums(x: Moments, square: float, shared: float | None = None) -> Moments:
    """Return the moments of sums with random weights: normal, with these factors."""
    return Moments(square * x.square, (square if shared is None else shared) * x.shared)


def scaled(x: Moments, factor: float) -> Moments:
    """Return the moments of `factor` times the values, wherever they are."""
    return shifted(x, 0.0, factor)._replace(profile=x.profile)


def standardized(x: Moments) -> Moments:
    """Return the moments after a norm that brings every channel to mean 0 and variance 1."""
    if x.is_normal or x.variance <= 0:
        return Moments(1.0)
    law = x.distribution()
    centred = law.points - law.mean
    spread = sqrt(max(float(law.weights @ centred**2), 1e-300))
    return Moments(1.0, 0.0, 0.0, Law(centred / spread, law.weights, law.slopes))


def shifted(x: Moments, mean: float, factor: float) -> Moments:
    """Return the moments of `factor` times what is left when a mean is taken off."""
    law = None
    if mean or not x.is_normal:
        law = x.distribution()
        law = Law((law.points - mean) * factor, law.weights, law.slopes)
    less = mean**2 - 2 * mean * x.mean
    square, shared = (x.square + less) * factor**2, (x.shared + less) * factor**2
    return Moments(square, shared, (x.mean - mean) * factor, law)


def averaged(x: Moments, count: float) -> Moments:
    """Return the moments of the mean of that many values of one channel.

    (E6) s → k + (s − k)/count, k → k.
    """
    square = x.shared + x.variance / max(count, 1.0)
    if x.is_normal:
        return Moments(square, x.shared)
    spread = x.square - x.mean**2
    if spread <= 0:
        return x
    # The distribution keeps its form around its mean, which is accurate enough for signs.
    law = x.distribution()
    centred = law.points - law.mean
    shrink = ((square - x.mean**2) / spread) ** 0.5
    slopes = law.slopes
    if slopes is not None:
        # Of the activations before it a larger mean says that more are open, whatever their number.
        tilt = float(law.weights @ (slopes * centred)) / spread
        slopes = (law.slope + tilt * shrink * centred).clip(min=0.0)
    return Moments(square, x.shared, x.mean, Law(law.mean + shrink * centred, law.weights, slopes))


def activated(curve: Curve, x: Moments) -> Moments:
    """Return the moments after an activation.

    (E7) s → E[φ(z)²], k → E[φ(z) φ(z′)] of two values z, z′ of one channel that are far apart.
    """
    if not x.is_normal:
        law = x.distribution()
        after = _after(curve, law)
        # A channel's own mean moves on by the mean slope.
        own = max(x.shared - x.mean**2, 0.0)
        shared = min(after.mean**2 + own * _mean_slope(curve, law) ** 2, after.square)
        return Moments(after.square, shared, after.mean, after)
    if x.square <= 0:
        constant = float(curve.value(np.zeros(1))[0])
        return Moments(constant**2, constant**2, constant)
    source = curve, x.square, x.shared
    if curve.slope_below == 0:
        product = _rectified_product(x.square, x.shared)
        return Moments(x.square / 2, product, sqrt(x.square / (2 * pi)), None, source)
    return _activated_normal(curve, float(f"{x.square:.6g}"), float(f"{x.shared:.6g}"))


class ByPlace(NamedTuple):
    """What an activation does to normal values whose mean square depends on the position.

    Attributes
    ----------
    slope, slopes
        E[φ′(z)²] in the mean over positions, and for each axis by position over its mean.
    square, profile
        E[φ(z)²] in the mean over positions, and by position.
    """

    slope: float
    slopes: tuple[Points, ...]
    square: float
    profile: Profile


@remembered(1024)
def activated_by_place(curve: Curve, square: float, profile: Profile) -> ByPlace:
    """Return (E7) and (E8) where padding has made values near the border smaller.

    Along each axis they are those of the middle of the other axes, and multiplied they are taken
    for those of all positions: right but for the corners, where several axes have their border.
    """
    middles = [float(np.median(x)) for x in profile.axes]
    middle = square * prod(middles)

    def squared(sizes: Points) -> Points:
        values = curve.value(np.sqrt(sizes)[:, None] * _UNIT_POINTS)
        result: Points = values**2 @ _UNIT_WEIGHTS
        return result

    def slopes_at(sizes: Points) -> Points:
        return np.array([curve.squared_slope(float(f"{x:.6g}")) for x in sizes])

    mean_slope, mean_square = (
        max(float(f(np.array([middle]))[0]), 1e-300) for f in (slopes_at, squared)
    )
    slopes, squares, known = [], [], {}
    slope, after = mean_slope, mean_square
    for values, own in zip(profile.axes, middles, strict=True):
        key = values.tobytes()
        if key not in known:
            sizes = middle / own * values
            found = [_by_size(f, sizes) for f in (slopes_at, squared)]
            means = [float(x.mean()) for x in found]
            known[key] = [x / max(m, 1e-300) for x, m in zip(found, means, strict=True)], means
        (first, second), means = known[key]
        slope *= means[0] / mean_slope
        after *= means[1] / mean_square
        slopes.append(first)
        squares.append(second)
    return ByPlace(slope, tuple(slopes), after, Profile(tuple(squares)))


_MOST_SIZES = 33
"""Sizes of values at which a function is computed; between them it is interpolated."""


def _by_size(function: Callable[[Points], Points], sizes: Points) -> Points:
    """Return a smooth function at some positive sizes, many of which may be the same."""
    different, places = np.unique(sizes, return_inverse=True)
    if different.size <= _MOST_SIZES:
        found: Points = function(different)[places]
        return found
    grid = np.geomspace(different[0], different[-1], _MOST_SIZES)
    between: Points = np.interp(sizes, grid, function(grid))
    return between


def mean_squared_slope(curve: Curve, x: Moments) -> float:
    """Return the mean squared slope of an activation over the values before it.

    (E8) E[φ′(z)²]; over values that came through other activations ψ, E[φ′² ψ′²]/E[ψ′²].
    """
    if x.is_normal:
        return curve.squared_slope(float(f"{x.square:.6g}"))
    law = x.distribution()
    weights = law.weights
    if law.slopes is not None:
        weights = weights * law.slopes
    elif curve.slope_below is not None and law.points[0] < 0:
        return law.positive + (1 - law.positive) * curve.slope_below**2
    elif law.points.min() >= 0:  # made positive by a rectifier, where it is 0 nothing arrives
        weights = weights * (law.points > 0)
    return float(weights @ _squared_slopes(curve, law)) / max(float(weights.sum()), 1e-300)


def _mean_slope(curve: Curve, law: Law) -> float:
    if curve.slope_below is not None:
        return law.positive + (1 - law.positive) * curve.slope_below
    step = 1e-4 * sqrt(max(law.square, 1e-12))
    difference = curve.value(law.points + step) - curve.value(law.points - step)
    return float(law.weights @ difference) / (2 * step)


def _rectified_product(square: float, shared: float) -> float:
    """Return E[relu(z) relu(z′)] of two normal values of that mean square and product [2]_.

    (E9) s/2π (√(1 − ρ²) + ρ (π − arccos ρ)), ρ = k/s.
    """
    rho = min(max(shared / square, -1.0), 1.0)
    return square / (2 * pi) * (sqrt(1 - rho**2) + rho * (pi - acos(rho)))


@remembered(1024)
def _activated_normal(curve: Curve, square: float, shared: float) -> Moments:
    law = normal_law(square)
    after = Law(curve.value(law.points), law.weights)
    # z = common part + own part: the common one is what two distant values share.
    common, weights = nodes(24)
    z = sqrt(shared) * common[:, None] + sqrt(max(square - shared, 0.0)) * common
    inner = curve.value(z) @ weights
    product = min(float(weights @ inner**2), after.square)
    return Moments(after.square, product, after.mean, None, (curve, square, shared))


def added(terms: Sequence[Moments]) -> Moments:
    """Return the moments of a sum of independent values.

    (E10) s − m² and k − m² add up, and so do the means m.
    """
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
    return _convolved(law, shift, sqrt(variance))


@remembered(1024)
def _convolved(law: Law, shift: float, deviation: float) -> Law:
    points = law.points + shift
    low = float(points.min()) - 4.5 * deviation
    high = float(points.max()) + 4.5 * deviation
    grid = np.linspace(low, high, 65)
    distance = (grid[:, None] - points) / deviation
    density = np.exp(-0.5 * distance**2) @ law.weights
    seen = density > 1e-9 * float(density.max())
    grid, density = grid[seen], density[seen]
    return Law(grid, density / density.sum())


def largest(x: Moments, count: int) -> tuple[Moments, float]:
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
    if x.source is not None and x.source[0].is_rising:
        # The largest value is that of the largest value before the activation.
        curve, square, own = x.source
        law, _, _, _ = _largest(count, square, own)
        after = _after(curve, law)
        shared = after.mean**2 + _mean_slope(curve, law) ** 2 * own
        moments = Moments(after.square, min(shared, after.square), after.mean, after)
        return moments, after.slope / max(curve.squared_slope(float(f"{square:.6g}")), 1e-300)
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


@remembered(256)
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
        the distribution: (E11) P(largest < z) = P(own part < z)^count, and the common part is
        added to it.
    """
    grid = np.linspace(-6.0, 6.0, 97)
    middle = (grid[1:] + grid[:-1]) / 2
    mass = np.diff(cdf(grid) ** count)
    own = max(1.0 - common, 0.0)
    law = Law(middle * sqrt(own), mass / mass.sum())
    mean, square = law.mean, law.square
    return mean, square + common, common + mean**2, _with_noise(law, 0.0, common)


def open_together(curve: Curve, x: Moments) -> float:
    """Return how much two distant gates of one channel depend on each other.

    (E12) E[φ′(z) φ′(z′)]/E[φ′(z)²]; for a rectifier the probability that one is open if the other
    is, with normal values ¼ + arcsin(ρ)/2π over ½.
    """
    centred = max(x.square - x.mean**2, 0.0)
    rho = min(max((x.shared - x.mean**2) / centred, 0.0), 1.0) if centred > 0 else 1.0
    low = curve.slope_below
    if low is None:
        return _slopes_together(curve, float(f"{x.square:.6g}"), round(rho, 4))
    share = 0.5 if x.is_normal else x.distribution().positive
    both = share * (share + (1 - share) * 2 / pi * asin(rho))
    neither = 1 - 2 * share + both
    product = both + neither * low**2 + 2 * (share - both) * low
    return product / max(share + (1 - share) * low**2, 1e-300)


@remembered(1024)
def _slopes_together(curve: Curve, square: float, rho: float) -> float:
    common, weights = nodes(24)
    z = sqrt(rho * square) * common[:, None] + sqrt((1 - rho) * square) * common
    inner = curve.slope(z) @ weights
    return min(float(weights @ inner**2) / max(curve.squared_slope(square), 1e-300), 1.0)


@remembered(1024)
def profile_of_sum(terms: tuple[Moments, ...]) -> Profile | None:
    """Return the mean square of a sum by position, along each axis for itself."""
    known = [x.profile for x in terms if x.profile is not None]
    if not known or len({x.size for x in known}) > 1:
        return None
    whole = max(sum(x.square for x in terms), 1e-300)
    axes = []
    for axis, values in enumerate(known[0].axes):
        found = np.zeros(values.size)
        for x in terms:
            found += x.square / whole * (1.0 if x.profile is None else x.profile.axes[axis])
        axes.append(found)
    return Profile(tuple(axes))


@remembered(256)
def concentration(tokens: float, variance: float, width: int | None = None) -> tuple[float, float]:
    """Return how peaked a softmax a of normal logits of some variance is.

    Parameters
    ----------
    tokens, variance
        Number of logits, and their variance.
    width
        Entries of a query, whose squared length the variance of its logits follows; None: many.

    Returns
    -------
    values, logits
        (E25) E[T Σ_j a_j²] and E[v T Σ_j a_j² ((1 − a_j)² + Σ_{i≠j} a_i²)] with T tokens, by which
        a gradient goes back through the values and through the logits; v is the share of the
        variance that a query has, a mean of `width` squares of normal numbers.
    """
    count = max(tokens, 1.0)
    if width is None:
        peaked, moved = _moments_of_softmax(count, variance)
        return count * peaked, count * moved
    # Wilson and Hilferty: the cube root of a mean of squares is close to normal.
    points, weights = nodes(3)
    shares = (1 - 2 / (9 * width) + points * (2 / (9 * width)) ** 0.5).clip(min=0.05) ** 3
    values = logits = 0.0
    for share, weight in zip(shares.tolist(), weights.tolist(), strict=True):
        peaked, moved = _moments_of_softmax(count, variance * share)
        values += weight * count * peaked
        logits += weight * count * moved * share
    return values, logits


def _moments_of_softmax(count: float, variance: float) -> tuple[float, float]:
    """Return E[Σ a²], and E[Σ a²] − 2 E[Σ a³] + E[(Σ a²)²], of a softmax of normal logits z.

    With 1/S^k as an integral over t of t^(k−1) e^(−tS)/Γ(k), S being a sum of independent e^z, all
    of them are integrals of products of means over one logit.
    """
    deviation = min(variance, 400.0) ** 0.5
    z = np.linspace(-5.5, 5.5, 41 + 2 * round(6 * deviation))
    mass = np.exp(-0.5 * z**2)
    mass /= mass.sum()
    top = 6 * deviation + 4.0
    step = min(0.3, 0.1 + 0.1 * deviation)
    tau = np.arange(-top - log(count) - 8.0, top, step)
    logits = deviation * z
    each = np.exp((tau[:, None] + logits).clip(max=50.0))
    rest = np.exp(-each)
    alone = (rest @ mass) ** (count - 1)
    both = (rest @ mass) ** max(count - 2, 0.0)
    # t^k E[e^(kz) e^(−t e^z)], which stay of a middle size.
    second = (rest := rest * each**2) @ mass
    third = (rest := rest * each) @ mass
    fourth = (rest * each) @ mass
    squares = count * step * float(alone @ second)
    cubes = count * step * float(alone @ third) / 2
    pairs = count * (count - 1) * step * float(both @ second**2) / 6
    return squares, squares - 2 * cubes + count * step * float(alone @ fourth) / 6 + pairs
