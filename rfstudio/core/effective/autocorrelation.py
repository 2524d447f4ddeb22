"""How gradients at neighbouring positions depend on each other: a correlation for each lag.

A convolution of random weights lets gradients add up without memory, but a mean over a window
gives all its samples the same gradient.  Where a later overlapping window adds them up again, the
energy is more than the sum of energies, by what the two-point map E[g(q) g(q′)] says.  Of that the
sum over all places is carried, by lag q′ − q and over that of the energies, so that it costs next
to nothing; lags up to `REACH` each for itself, farther ones alike.  Where what it says lies is
found by `rfstudio.core.effective.pairs`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.effective.spread import TableSpread

Values: TypeAlias = NDArray[np.float64]

REACH = 4
"""Largest lag along each axis that has a correlation of its own."""


@dataclass(frozen=True, eq=False, slots=True)
class Lags:
    """Correlations of gradients by lag.

    Attributes
    ----------
    values
        For lags −REACH … REACH along each axis, 1 at no lag, before gates.
    far
        At all larger lags, before gates.
    gates
        Factor of all but no lag, of the gates that were passed since.
    """

    values: Values
    far: float
    gates: float = 1.0

    def gated(self, factor: float) -> Lags:
        """Return the correlations behind gates that are open together that often."""
        return Lags(self.values, self.far, self.gates * factor)

    def settled(self) -> tuple[Values, float]:
        """Return the correlations with the gates in them."""
        if self.gates == 1.0:
            return self.values, self.far
        values = self.values * self.gates
        values[(REACH,) * values.ndim] = 1.0
        return values, self.far * self.gates


class Passed(NamedTuple):
    """What a layer makes of correlations.

    Attributes
    ----------
    lags
        In front of it; None: there are none.
    gain
        By how much more energy it passes on than from independent gradients: a number, or one
        for each tap of its window; None: no more.
    pairs
        The correlations in front of it by lag, where it adds up those of overlapping windows.
    """

    lags: Lags | None
    gain: float | Values | None = None
    pairs: Values | None = None


LagRule: TypeAlias = Callable[[Lags | None], Passed]
"""What a layer does to correlations."""


def blended(a: Lags | None, share: float, b: Lags | None) -> Lags | None:
    """Return the correlations of a sum of independent gradients, the first with that share."""
    if a is None or b is None:
        # Beside what does not depend on each other, all correlations are so much less.
        if a is not None:
            return a.gated(share)
        return None if b is None else b.gated(1 - share)
    first, second = share * a.gates, (1 - share) * b.gates
    if a.values is b.values and a.far == b.far:
        return Lags(a.values, a.far, first + second)
    values = a.values * first
    values += b.values * second
    values[(REACH,) * values.ndim] = 1.0
    return Lags(values, a.far * first + b.far * second)


def independent(axes: int) -> Lags:
    """Return no correlation at all."""
    values = np.zeros((2 * REACH + 1,) * axes)
    values[(REACH,) * axes] = 1.0
    return Lags(values, 0.0)


def alike(axes: int) -> Lags:
    """Return the correlations of gradients that are the same everywhere."""
    return Lags(np.ones((2 * REACH + 1,) * axes), 1.0)


# --- rules of layers ----------------------------------------------------------------------------


def kept(lags: Lags | None) -> Passed:
    """Return the correlations as they are."""
    return Passed(lags)


def dropped(lags: Lags | None) -> Passed:
    """Return no correlations: every position has weights of its own."""
    del lags
    return Passed(None)


def strided(strides: Sequence[int]) -> LagRule:
    """Return the rule of a layer that moves a lag to that many times itself, such as conv."""
    if all(s == 1 for s in strides):
        return kept
    matrices = [_scaling(s) for s in strides]
    volume = prod(strides)

    def rule(lags: Lags | None) -> Passed:
        if lags is None:
            return Passed(None)
        values, far = lags.settled()
        return Passed(Lags(_contracted(values, matrices), far / volume))

    return rule


def compressed(strides: Sequence[int]) -> LagRule:
    """Return the rule of a layer that divides a lag by its stride, such as conv_transpose."""
    if all(s == 1 for s in strides):
        return kept

    def rule(lags: Lags | None) -> Passed:
        if lags is None:
            return Passed(None)
        values, far = lags.settled()
        wide = _extended(values, far, [s * REACH for s in strides])
        picks = tuple(slice(None, None, s) for s in strides)
        return Passed(Lags(wide[picks], far))

    return rule


def windows(
    kernels: Sequence[int], strides: Sequence[int], dilations: Sequence[int], *, largest: bool
) -> LagRule:
    """Return the rule of a pool, mean or maximum.

    Parameters
    ----------
    kernels, strides, dilations
        Of its window along each axis.
    largest
        Whether one sample of the window is taken, each equally often, instead of the mean.
    """
    geometry = tuple(zip(kernels, strides, dilations, strict=True))
    count = prod(kernels)
    overlapping = any(s < d * (k - 1) + 1 and k > 1 for k, s, d in geometry)
    reaches = [_reach(*x) for x in geometry]
    triangles = [_triangle(*x) for x in geometry]
    covers = [_cover(*x) for x in geometry]
    chosen = _chosen_by_both(geometry, reaches) if largest else None
    near = _chosen_by_both(geometry, [REACH] * len(geometry)) if largest else None

    def rule(lags: Lags | None) -> Passed:
        if largest and lags is None:
            return Passed(None)
        if not overlapping and lags is None and count == 1:
            return Passed(None)
        values, far = (lags or independent(len(geometry))).settled()
        wide = _extended(values, far, reaches)
        if chosen is None:
            pairs = _contracted(wide, triangles)
            taps = _contracted(wide, covers)
        else:
            taps = _contracted(wide * chosen, covers)
            others = wide.copy()
            others[tuple(reaches)] = 0.0
            pairs = _contracted(others, triangles) / count
            pairs[(REACH,) * pairs.ndim] = float(taps.sum())
        whole = float(pairs[(REACH,) * pairs.ndim])
        steps = far * count**2 / prod(strides) / (count if largest else 1)
        passed = Lags(pairs / whole, min(steps / whole, 1.0))
        if lags is None or not overlapping:
            return Passed(passed)
        return Passed(passed, taps, values if near is None else values * near)

    return rule


def tables(spreads: Sequence[TableSpread], sizes: Sequence[int]) -> LagRule:
    """Return the rule of a fixed linear layer by the weights along each axis.

    Parameters
    ----------
    spreads
        The pairs of each axis with their weights, not squared.
    sizes
        Number of inputs along each axis.
    """
    matrices = [_pair_matrix(x, n) for x, n in zip(spreads, sizes, strict=True)]

    def rule(lags: Lags | None) -> Passed:
        values, far = (lags or independent(len(matrices))).settled()
        wide = _extended(values, far, [m.shape[1] // 2 for m in matrices])
        pairs = _contracted(wide, matrices)
        whole = float(pairs[(REACH,) * pairs.ndim])
        alone = prod(float(m[REACH, m.shape[1] // 2]) for m in matrices)
        if whole <= 0 or alone <= 0:
            return Passed(None)
        steps = far * prod(float(m[0].sum()) for m in matrices)
        gain = whole / alone
        return Passed(
            Lags(np.clip(pairs / whole, -1.0, 1.0), min(steps / whole, 1.0)),
            None if lags is None else gain,
        )

    return rule


def everywhere(lags: Lags | None, axes: int) -> Passed:
    """Return what is behind a mean over the whole map: all positions get the same."""
    del lags
    return Passed(alike(axes))


# --- small matrices -----------------------------------------------------------------------------


def _contracted(values: Values, matrices: Sequence[Values]) -> Values:
    """Return the values with a matrix applied along each axis."""
    if len(matrices) == 2:
        result: Values = matrices[0].dot(values).dot(matrices[1].T)
        return result
    for matrix in matrices:  # contracts the first axis, appends the result's as the last
        values = np.tensordot(values, matrix, axes=(0, 1))
    return values


def _extended(values: Values, far: float, reaches: Sequence[int]) -> Values:
    """Return the correlations up to other lags, the far ones filled in."""
    if all(reach == REACH for reach in reaches):
        return values
    result = np.full([2 * reach + 1 for reach in reaches], far)
    inner = tuple(slice(max(r - REACH, 0), r + min(r, REACH) + 1) for r in reaches)
    outer = tuple(slice(max(REACH - r, 0), REACH + min(r, REACH) + 1) for r in reaches)
    result[inner] = values[outer]
    return result


def _reach(kernel: int, stride: int, dilation: int) -> int:
    """Return the largest lag of outputs whose windows come within `REACH` of each other."""
    return (REACH + dilation * (kernel - 1)) // stride


@lru_cache(maxsize=256)
def _triangle(kernel: int, stride: int, dilation: int) -> Values:
    """Return in how many ways two windows at an output lag hold samples at an input lag."""
    inputs = np.arange(-REACH, REACH + 1)[:, None]
    reach = _reach(kernel, stride, dilation)
    apart = inputs - stride * np.arange(-reach, reach + 1)
    ways = np.maximum(kernel - np.abs(apart) // dilation, 0)
    result: Values = np.where(apart % dilation == 0, ways, 0).astype(np.float64)
    return result


def _chosen_by_both(geometry: Sequence[tuple[int, int, int]], reaches: Sequence[int]) -> Values:
    """Return for each lag how much more seldom two maxima are at one sample than one is there.

    That sample has to be the largest of both windows: one of 2n − m samples, of which the windows
    have m in common, instead of n.
    """
    count = prod([k for k, _, _ in geometry])
    overlap: Values = np.ones(())
    for (k, s, d), reach in zip(geometry, reaches, strict=True):
        apart = s * np.arange(-reach, reach + 1)
        ways = np.where(apart % d == 0, np.maximum(k - np.abs(apart) // d, 0), 0)
        overlap = np.multiply.outer(overlap, ways.astype(np.float64))
    result: Values = count / (2 * count - overlap)
    return result


@lru_cache(maxsize=256)
def _cover(kernel: int, stride: int, dilation: int) -> Values:
    """Return whether a window at an output lag holds the sample under a tap of this one."""
    reach = _reach(kernel, stride, dilation)
    place = dilation * np.arange(kernel)[:, None] - stride * np.arange(-reach, reach + 1)
    inside = (place >= 0) & (place <= dilation * (kernel - 1)) & (place % dilation == 0)
    result: Values = inside.astype(np.float64)
    return result


@lru_cache(maxsize=64)
def _scaling(stride: int) -> Values:
    lags = np.arange(-REACH, REACH + 1)
    result: Values = (lags[:, None] == stride * lags).astype(np.float64)
    return result


def _pair_matrix(spread: TableSpread, size: int) -> Values:
    """Return for the lags around the middle input the products of weights by output lag."""
    middle = size // 2
    taken = []
    for lag in range(-REACH, REACH + 1):
        mine = spread.inputs == middle + lag
        weights = np.ones(mine.sum()) if spread.weights is None else spread.weights[mine]
        taken.append((spread.outputs[mine], weights))
    outputs, weights = taken[REACH]
    apart = [np.subtract.outer(x, outputs) for x, _ in taken]
    reach = max([int(np.abs(x).max()) for x in apart if x.size], default=0)
    result = np.zeros((2 * REACH + 1, 2 * reach + 1))
    for row, lag, (_, others) in zip(result, apart, taken, strict=True):
        np.add.at(row, lag.ravel() + reach, np.multiply.outer(others, weights).ravel())
    return result
