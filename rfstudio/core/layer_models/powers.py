"""Power averages over windows: what (Σ x^p)^(1/p) does to values and to the energy of gradients.

Of one window of n values

(E34) ∂y/∂x_i = u_i = sgn(x_i) (|x_i|/y)^(p − 1), M_in = Tᵀ(M/n) · E[Σ u²].

By symmetry each sample has the same share of that.  Σ u² is n for p = 1, a sum, and 1 for p = 2,
whatever the values are; otherwise it is averaged over drawn windows.  After an activation only
slopes that are not 0 count, as at a max pool: E[Σ u² φ′²]/E[φ′²] instead.

A window of which r of n samples are on the map puts out (n/r Σ x^p)^(1/p), as PyTorch has it.
What it passes back is for p = 1 and 2 exactly, and otherwise nearly, n E[Σ u²]/r² of M to each.
"""

from __future__ import annotations

from functools import partial
from math import sqrt
from typing import NamedTuple

import numpy as np

from rfstudio.core.axes.axis_rule import as_mean
from rfstudio.core.layer_models.autocorrelation import Autocorrelation, Passed, Rule, pooled
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs
from rfstudio.core.layer_models.moments import Law, Moments, Points
from rfstudio.core.memo import remembered
from rfstudio.core.normal_distribution import quantiles

_ROWS = 4096
"""Pairs of windows that are drawn."""

_MOST = 64
"""Samples of a drawn window; what larger ones do follows from it as from the sum of many."""

_GROUPS = 64
"""Points of the distribution of what they put out."""


class PowerAverage(NamedTuple):
    """What is known of the power average over windows.

    Attributes
    ----------
    energy
        E[Σ u² φ′²]/E[φ′²], φ being the activation that made the values.
    alone
        E[Σ u²].
    together
        Correlation of the gradients of two samples of a window.
    moments
        Those of what it puts out.
    """

    energy: float
    alone: float
    together: float
    moments: Moments


def power_average(exponent: float, taps: int, place: Place, runs: Runs) -> Layer:
    """Return the layer of a pool that takes the power average of windows of that many taps."""
    found = [(n, powered(x, taps, exponent)) for n, x in runs]
    total = max(sum(n for n, _ in found), 1)
    energy = sum(n * x.energy for n, x in found) / total
    alone = sum(n * x.alone for n, x in found) / total
    together = sum(n * x.together for n, x in found) / total
    rule = pooled(place.rules)
    means = tuple([as_mean(x) for x in place.rules])
    backward = spreading(
        means,
        taps * energy,
        power=2,
        correlation=None if rule is None else partial(_partly, rule, together),
    )
    return Layer(
        backward,
        tuple([(n, x.moments) for n, x in found]),
        "power-average pooling is assumed to read values that depend neither on each other nor "
        "on the gradient",
        correlates=together > 0.02,
        sums=any(x.overlaps for x in place.rules),
        open=energy / alone if alone > 0 else 1.0,
    )


def _partly(rule: Rule, share: float, after: Autocorrelation | None) -> Passed:
    """Return what a mean makes of correlations, if samples of one window have only a share."""
    passed = rule(after)
    if passed.correlation is None:
        return passed
    return passed._replace(correlation=passed.correlation.gated(share))


@remembered(256)
def powered(x: Moments, count: int, exponent: float) -> PowerAverage:
    """Return what is known of the power average of some values of one channel.

    Parameters
    ----------
    x
        The values.
    count
        How many there are in a window.
    exponent
        p of (E34), from 1 on.  Values below 0 count as their size, unless it is 1.
    """
    taps = min(count, _MOST)
    values, slopes = _drawn(x, taps)
    results, u = _average(values, exponent)
    squares = u**2
    passed = squares.sum(axis=-1)
    alone = float(passed.mean())
    pairs = float((u.sum(axis=-1) ** 2 - passed).mean())
    together = pairs / (alone * (taps - 1)) if taps > 1 and alone > 0 else 0.0
    energy = alone
    if slopes is not None:
        passed = (squares * slopes).sum(axis=-1)
        energy = float(passed.mean()) / max(float(slopes.mean()), 1e-300)
    # Of more samples than were drawn: the sum of powers grows with their number and varies less.
    more = count / taps
    size = more ** (1 / exponent)
    mean = float(results.mean()) * size
    results = mean + (results * size - mean) / sqrt(more)
    # Two windows of one row are far apart: they share their channel's mean alone.
    shared = float((results[0] * results[1]).mean())
    if x.law is not None:
        own = max(x.shared - x.mean**2, 0.0)
        shared = mean**2 + own * (float(u.sum(axis=-1).mean()) * size) ** 2
    square = float((results**2).mean())
    law = _law(results.ravel(), None if slopes is None else passed.ravel())
    factor = more ** (2 / exponent - 1)
    return PowerAverage(
        energy * factor,
        alone * factor,
        min(max(together, 0.0), 1.0),
        Moments(square, min(shared, square), mean, law),
    )


def _average(values: Points, exponent: float) -> tuple[Points, Points]:
    """Return the power averages over the last axis, and their derivatives."""
    if exponent == 1:
        return values.sum(axis=-1), np.ones_like(values)
    sizes = np.abs(values)
    top = sizes.max(axis=-1, keepdims=True)
    scale = np.where(top > 0, top, 1.0)  # so that no power is too large or too small
    y = scale * ((sizes / scale) ** exponent).sum(axis=-1, keepdims=True) ** (1 / exponent)
    u = np.sign(values) * (sizes / np.where(y > 0, y, 1.0)) ** (exponent - 1)
    return y[..., 0], u


def _drawn(x: Moments, taps: int) -> tuple[Points, Points | None]:
    """Return pairs of windows of values, and the squared slopes of what made them.

    Each sample runs through the whole distribution in equal steps, in an order of its own, so that
    means over windows are sharper than of independent draws.  The order is always the same.
    """
    generator = np.random.default_rng(0)
    places = np.broadcast_to(np.arange(_ROWS)[:, None], (2, _ROWS, taps))
    order = generator.permuted(places, axis=1)
    if x.law is None:
        curve, square, shared = x.source or (None, x.square, x.shared)
        normal = _normal_steps()
        common = generator.permutation(normal)[:, None]
        values = sqrt(max(shared, 0.0)) * common + sqrt(max(square - shared, 0.0)) * normal[order]
        return (values, None) if curve is None else (curve.value(values), curve.slope(values) ** 2)
    law = x.law
    ordered = np.argsort(law.points)
    below = np.cumsum(law.weights[ordered])
    steps = ordered[np.searchsorted(below / below[-1], (np.arange(_ROWS) + 0.5) / _ROWS)]
    slopes = law.slopes
    if slopes is None and law.points.min() >= 0:  # by a rectifier: where it is 0 nothing arrives
        slopes = (law.points > 0).astype(np.float64)
    return law.points[steps][order], None if slopes is None else slopes[steps][order]


@remembered(1)
def _normal_steps() -> Points:
    steps = quantiles(_ROWS)
    result: Points = steps / sqrt(float((steps**2).mean()))
    return result


def _law(results: Points, slopes: Points | None) -> Law:
    """Return a distribution of fewer points: 0, if there is any, and means over groups."""
    order = np.argsort(results, kind="stable")
    zero = results[order] == 0
    groups = [order[zero], *np.array_split(order[~zero], _GROUPS)]
    groups = [x for x in groups if x.size]
    points = np.array([results[x].mean() for x in groups])
    weights = np.array([x.size for x in groups]) / results.size
    passed = None if slopes is None else np.array([slopes[x].mean() for x in groups])
    return Law(points, weights, passed)
