"""Correlations of gradients at neighbouring positions, one for each lag.

After a convolution of random weights gradients are independent, but a mean over a window
gives all its samples the same gradient.  Where a later overlapping window adds them up again, the
energy is more than the sum of energies, by what the two-point map E[g(q) g(q′)] says.  Of that the
sum over all places is carried, by lag q′ − q and over that of the energies,

    R(lag) = Σ_q E[g(q) g(q + lag)] / Σ_q E[g(q)²],

so that it costs next to nothing; lags up to `REACH` one by one, farther ones as one number.
A layer with fixed weights w makes of it

(E3) R_in(a) ∝ Σ_b T(a, b) R_out(b), T(a, b) = Σ w(i, q) w(i + b, q + a),

summed over the outputs i and the inputs q that a period has: w ⊗ w by lag.  Where in the map the
correlations are is found by `rfstudio.core.layer_models.overlap_sums`.

A rule is a function from the correlations after a layer to a `Passed`.  A layer whose weights are
drawn (a convolution) passes on no more than from independent gradients, unless its rule says so:
`gain` and `pairs` of a `Passed` are for any window, and `pairs` may hold R times a weight by lag.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np

from rfstudio.core.axes.axis_rule import AxisRules, Periodic, Whole, Window
from rfstudio.core.errors import TooLargeError
from rfstudio.core.layer_models.spread import Values
from rfstudio.core.memo import remembered
from rfstudio.core.work import A_CALL, spend

REACH = 4
"""Largest lag along each axis that has a correlation of its own."""

_MOST_OPEN = 1e100
"""Largest factor of gates: after very many of them it would leave what a float holds."""

_LAGS = range(-REACH, REACH + 1)


@dataclass(frozen=True, eq=False, slots=True)
class Autocorrelation:
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

    def gated(self, factor: float) -> Autocorrelation:
        """Return the correlations before gates that are open together that often."""
        return Autocorrelation(self.values, self.far, min(self.gates * factor, _MOST_OPEN))

    def settled(self) -> tuple[Values, float]:
        """Return the correlations with the gates in them."""
        if self.gates == 1.0:
            return self.values, self.far
        values = self.values * self.gates
        values[_middle(values)] = 1.0
        return values, self.far * self.gates


class Passed(NamedTuple):
    """What a layer makes of correlations.

    Attributes
    ----------
    correlation
        Of what it passes on; None: there is none.
    gain
        By how much more energy it passes on than from independent gradients: a number, or one
        for each tap of its window; None: no more.
    pairs
        R of what arrives, times the weight of a pair of taps, where it adds up the gradients of
        overlapping windows.
    """

    correlation: Autocorrelation | None
    gain: float | Values | None = None
    pairs: Values | None = None


Rule: TypeAlias = Callable[[Autocorrelation | None], Passed]
"""What a layer does to correlations."""


def blended(
    a: Autocorrelation | None, share: float, b: Autocorrelation | None
) -> Autocorrelation | None:
    """Return the correlations of a sum of independent gradients, the first with that share."""
    if a is None or b is None:
        # Beside gradients that do not depend on each other, all correlations are so much less.
        if a is not None:
            return a.gated(share)
        return None if b is None else b.gated(1 - share)
    first, second = share * a.gates, (1 - share) * b.gates
    if a.values is b.values and a.far == b.far:
        return Autocorrelation(a.values, a.far, first + second)
    values = a.values * first
    values += b.values * second
    values[_middle(values)] = 1.0
    return Autocorrelation(values, a.far * first + b.far * second)


def independent(axes: int) -> Autocorrelation:
    """Return no correlation at all."""
    values = np.zeros((2 * REACH + 1,) * axes)
    values[_middle(values)] = 1.0
    return Autocorrelation(values, 0.0)


# --- rules of layers ----------------------------------------------------------------------------


def unchanged(after: Autocorrelation | None) -> Passed:
    """Return the correlations as they are."""
    return Passed(after)


def dropped(after: Autocorrelation | None) -> Passed:
    """Return no correlations: every position has weights of its own."""
    del after
    return Passed(None)


def same_everywhere(after: Autocorrelation | None, axes: int) -> Passed:
    """Return those of a mean over the whole map: all positions get the same."""
    del after
    return Passed(Autocorrelation(np.ones((2 * REACH + 1,) * axes), 1.0))


@remembered(256)
def apart_along(along: tuple[int, ...], axes: int) -> Rule:
    """Return the rule of weights of their own for each sample along some axes, equal elsewhere."""
    if len(along) == axes:
        return dropped
    here = np.ones((2 * REACH + 1,) * axes)
    for axis in along:
        lags = np.array(_LAGS).reshape([-1 if x == axis else 1 for x in range(axes)])
        here = here * (lags == 0)

    def rule(after: Autocorrelation | None) -> Passed:
        if after is None:
            return Passed(None)
        values, _ = after.settled()
        # Most samples that are far from each other differ along these axes, too.
        return Passed(Autocorrelation(values * here, 0.0))

    return rule


@remembered(1024)
def strided(strides: tuple[int, ...]) -> Rule:
    """Return the rule of a layer that moves a lag to that many times itself, such as conv."""
    if all(s == 1 for s in strides):
        return unchanged
    lags = np.array(_LAGS)
    matrices = [(lags[:, None] == s * lags).astype(np.float64) for s in strides]

    def rule(after: Autocorrelation | None) -> Passed:
        if after is None:
            return Passed(None)
        values, far = after.settled()
        return Passed(Autocorrelation(_contracted(values, matrices), far / prod(strides)))

    return rule


def compressed(strides: tuple[int, ...]) -> Rule:
    """Return the rule of a layer that divides a lag by its stride, such as conv_transpose."""
    if all(s == 1 for s in strides):
        return unchanged
    picks = tuple(slice(None, None, s) for s in strides)

    def rule(after: Autocorrelation | None) -> Passed:
        if after is None:
            return Passed(None)
        values, far = after.settled()
        wide = _extended(values, far, [s * REACH for s in strides])
        return Passed(Autocorrelation(wide[picks], far))

    return rule


@remembered(1024)
def pooled(rules: AxisRules, *, largest: bool = False) -> Rule | None:
    """Return the rule of a pool, mean or maximum; None: it changes nothing.

    Parameters
    ----------
    rules
        How it reads.
    largest
        Whether one sample of what an output reads is taken, each equally often, instead of the
        mean.
    """
    # Sizes of maps do not matter.
    windows = tuple(
        [Window(0, 0, x.kernel, x.stride, x.dilation) for x in rules if isinstance(x, Window)]
    )
    if len(windows) == len(rules):
        return _of_windows(windows, largest=largest)
    if largest:
        return dropped if all(isinstance(x, Whole) for x in rules) else None
    listed = tuple([x for x in rules if isinstance(x, Periodic)])
    if len(listed) == len(rules):
        return weighted(listed)
    return partial(same_everywhere, axes=len(rules))


@remembered(256)
def _of_windows(windows: tuple[Window, ...], *, largest: bool) -> Rule:
    """Return (E3) for windows of n taps that weigh the same.

    Two windows of maxima pass on to one sample where it is the largest of both: one of 2n − m
    samples, of which they have m in common, instead of n.  So a pair of them counts n/(2n − m)
    there.  A window never passes on to two samples, and any other two have a chance of 1/n each.
    """
    reaches = [_reach(x) for x in windows]
    _check(max([x.kernel * (2 * r + 1) for x, r in zip(windows, reaches, strict=True)]))
    _check(prod([2 * r + 1 for r in reaches]))
    overlaps = any(x.overlaps for x in windows)
    count = prod([x.kernel for x in windows])
    steps = (count if largest else count**2) / prod([x.stride for x in windows])

    def weights(lags: Sequence[int]) -> Values | float:
        """Return by output lag how much a pair of taps at one sample counts."""
        if not largest:
            return 1.0
        common = [_ways(x, range(1), r)[0] for x, r in zip(windows, lags, strict=True)]
        found: Values = count / (2 * count - reduce(np.multiply.outer, common))
        return found

    def tables() -> _Tables:
        pairs = dict(zip(windows, reaches, strict=True))  # most have one window for all axes
        ways = {x: _ways(x, _LAGS, r) for x, r in pairs.items()}
        covers = {x: _covers(x, r) for x, r in pairs.items()}
        return _Tables(
            [ways[x] for x in windows],
            [covers[x] for x in windows],
            weights(reaches),
            weights([REACH] * len(windows)),
        )

    # Thousands of rules are remembered, and large windows are rare.
    entries = prod([2 * r + 1 for r in reaches])
    entries += sum(x.kernel * (2 * r + 1) for x, r in zip(windows, reaches, strict=True))
    known = tables() if entries <= MOST_KEPT else None

    def rule(after: Autocorrelation | None) -> Passed:
        if after is None and (largest or count == 1):
            return Passed(None)
        ways, covers, wide_weights, near_weights = known or tables()
        values, far = (after or independent(len(windows))).settled()
        wide = _extended(values, far, reaches)
        taps = _contracted(wide * wide_weights, covers)
        others = wide
        if largest:
            others = wide / count
            others[tuple(reaches)] = 0.0
        pairs = _contracted(others, ways)
        pairs[_middle(pairs)] = taps.sum()
        passed = _normalized(pairs, far * steps)
        if after is None or not overlaps:
            return Passed(passed)
        return Passed(passed, taps, values * near_weights)

    return rule


class _Tables(NamedTuple):
    """What (E3) takes of the windows along each axis, and how much pairs of taps count."""

    ways: list[Values]
    covers: list[Values]
    wide_weights: Values | float
    near_weights: Values | float


@remembered(1024)
def weighted(rules: tuple[Periodic, ...]) -> Rule:
    """Return (E3) for the weights of interpolations and adaptive means, around the middle input."""
    matrices = [_products_of_weights(rule) for rule in rules]
    alone = prod(float(m[REACH, m.shape[1] // 2]) for m in matrices)
    steps = prod(float(m[0].sum()) for m in matrices)

    def rule(after: Autocorrelation | None) -> Passed:
        values, far = (after or independent(len(matrices))).settled()
        wide = _extended(values, far, [m.shape[1] // 2 for m in matrices])
        pairs = _contracted(wide, matrices)
        whole = float(pairs[_middle(pairs)])
        if whole <= 0 or alone <= 0:
            return Passed(None)
        passed = _normalized(np.clip(pairs, -whole, whole), far * steps)
        return Passed(passed, None if after is None else whole / alone)

    return rule


# --- small matrices -----------------------------------------------------------------------------


def _middle(values: Values) -> tuple[int, ...]:
    return tuple([n // 2 for n in values.shape])


def _normalized(pairs: Values, far: float) -> Autocorrelation:
    """Return sums of products by lag over that of no lag."""
    whole = float(pairs[_middle(pairs)])
    return Autocorrelation(pairs / whole, min(far / whole, 1.0))


def _contracted(values: Values, matrices: Sequence[Values]) -> Values:
    """Return the values with a matrix applied along each axis."""
    spend(A_CALL * len(matrices) + values.size * (2 * REACH + 1))
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
    _check(prod([2 * reach + 1 for reach in reaches]))
    result = np.full([2 * reach + 1 for reach in reaches], far)
    inner = tuple(slice(max(r - REACH, 0), r + min(r, REACH) + 1) for r in reaches)
    outer = tuple(slice(max(REACH - r, 0), REACH + min(r, REACH) + 1) for r in reaches)
    result[inner] = values[outer]
    return result


def _reach(rule: Window) -> int:
    """Return the largest lag of outputs whose windows come within `REACH` of each other."""
    return (REACH + rule.dilation * (rule.kernel - 1)) // rule.stride


MOST_ENTRIES = 1 << 23
"""Entries of an array of correlations, or of how windows overlap, above which there is none."""


MOST_KEPT = 1 << 16
"""Entries of the arrays of one rule up to which they are kept with it."""


def _check(entries: int) -> None:
    """Refuse an array that would fill the memory."""
    if entries > MOST_ENTRIES:
        raise TooLargeError(
            "gradients that depend on each other over so many samples are too much to follow: take "
            "pools and scale factors of less than a thousand samples along an axis"
        )


def _ways(rule: Window, lags: range, reach: int) -> Values:
    """Return T of (E3): in how many ways two windows hold samples that are a lag apart.

    A row for each lag of inputs, a column for each lag of outputs up to `reach`.
    """
    apart = np.asarray(lags)[:, None] - rule.stride * np.arange(-reach, reach + 1)
    # Taps of both can only meet where the dilation divides the distance; each step of it between
    # the windows leaves one pair of taps less.
    ways = np.maximum(rule.kernel - np.abs(apart) // rule.dilation, 0)
    result: Values = np.where(apart % rule.dilation == 0, ways, 0).astype(np.float64)
    return result


def _covers(rule: Window, reach: int) -> Values:
    """Return whether a window at an output lag holds the sample under a tap of this one."""
    place = rule.dilation * np.arange(rule.kernel)[:, None]
    place = place - rule.stride * np.arange(-reach, reach + 1)
    inside = (place >= 0) & (place <= rule.dilation * (rule.kernel - 1))
    result: Values = (inside & (place % rule.dilation == 0)).astype(np.float64)
    return result


def _products_of_weights(rule: Periodic) -> Values:
    """Return T of (E3) with the middle input for q."""
    outputs, inputs = rule.pairs
    near = [inputs == rule.n_in // 2 + lag for lag in _LAGS]
    middle = near[REACH]
    apart = [np.subtract.outer(outputs[x], outputs[middle]) for x in near]
    reach = max([int(np.abs(x).max()) for x in apart if x.size], default=0)
    result = np.zeros((len(_LAGS), 2 * reach + 1))
    for row, lag, mine in zip(result, apart, near, strict=True):
        products = np.multiply.outer(rule.amplitudes[mine], rule.amplitudes[middle])
        np.add.at(row, lag.ravel() + reach, products.ravel())
    return result
