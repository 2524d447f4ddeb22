"""What flows from one unit back through a network: a positive map over the box that it reaches.

A flow is kept as a box of values, a factor and a power of two, so that a layer that only scales
costs one multiplication, and no depth overflows.
"""

from __future__ import annotations

from functools import reduce
from math import frexp, ldexp, log2, prod
from operator import mul
from typing import TypeAlias

import numpy as np

from rfstudio.core.effective.autocorrelation import Lags, blended, kept
from rfstudio.core.effective.backward import Backward, Factors, Spreads
from rfstudio.core.effective.layer_model import means_over_runs
from rfstudio.core.effective.pairs import spread_pairs
from rfstudio.core.effective.spread import AxisSpread, Values, WindowSpread, spread, spread_taps

Profile: TypeAlias = tuple[float, ...] | None
"""For each run of channels its share of a flow, the first being 1; None: all are alike."""

_MANY_TAPS = 64
"""Taps of a window above which they are not told apart where gradients depend on each other."""

_LARGE = 400.0
"""Bits from which on values or factors are brought back to a middle size."""


class Flow:
    """Something positive that arrives at one map, per channel.

    Attributes
    ----------
    start
        First sample of the box along each axis; outside the box the flow is exactly 0.
    axes
        One vector for each axis whose outer product the values are; None: they are none, or it is
        not known.  As long as nothing is added up, from one unit back to where branches part, a
        walk needs these alone.
    factor, exponent
        What the values are multiplied with: factor · 2^exponent.
    bits
        Upper bound of log2 of the values.
    profile
        Shares of the channels.
    lags
        How gradients at different positions depend on each other; None: they do not.
    """

    __slots__ = ("_values", "axes", "bits", "exponent", "factor", "lags", "profile", "start")

    def __init__(
        self,
        start: tuple[int, ...],
        values: Values | tuple[Values, ...],
        factor: float = 1.0,
        exponent: int = 0,
        bits: float = 0.0,
        profile: Profile = None,
        lags: Lags | None = None,
    ) -> None:
        self.start = start
        self.axes: tuple[Values, ...] | None = None
        self._values: Values | None = None
        if isinstance(values, tuple):
            self.axes = values
        else:
            self._values = values
        self.factor = factor
        self.exponent = exponent
        self.bits = bits
        self.profile = profile
        self.lags = lags

    @property
    def values(self) -> Values:
        """The values in the box, without factor and exponent; never changed once they are here."""
        if self._values is None:
            assert self.axes is not None
            self._values = reduce(np.multiply.outer, self.axes)
        return self._values

    def times(self, factors: Factors, scale: float = 1.0) -> Flow:
        """Return `scale` times the flow, its channels by a factor, or by one for each run."""
        if type(factors) is tuple:
            shares = factors
            if self.profile is not None:
                shares = tuple(map(mul, self.profile, factors))
            first, profile = _normalized(shares)
            factor = self.factor * first * scale
        else:
            factor = self.factor * factors * scale  # type: ignore[operator]
            profile = self.profile
        exponent = self.exponent
        if not 1e-60 < factor < 1e60 and factor > 0:
            factor, more = frexp(factor)
            exponent += more
        values = self.axes or self.values
        return Flow(self.start, values, factor, exponent, self.bits, profile, self.lags)

    def with_profile(self, factor: float, profile: Profile) -> Flow:
        """Return the flow with other shares, multiplied by `factor`."""
        result = self.times(factor)
        result.profile = profile
        return result

    def spread(self, how: Backward, scale: float = 1.0) -> Flow | None:
        """Return what of `scale` times the flow spreads back; None if it goes nowhere."""
        spreads, factor = how.spreads, how.factor * scale
        assert spreads is not None
        if how.taps is None and (how.lag is None or how.lag is kept):
            return self._spread(spreads, factor)
        lags, gain, pairs = (self.lags, None, None) if how.lag is None else how.lag(self.lags)
        if how.taps is not None:
            taps = how.taps if gain is None else how.taps * gain
            result = self._spread_taps(spreads, taps, factor)
        elif gain is None:
            result = self._spread(spreads, factor)
        elif isinstance(gain, float):
            result = self._spread(spreads, factor * gain)
        elif gain.size > _MANY_TAPS:
            result = self._spread(spreads, factor * float(gain.mean()))
        else:
            result = self._spread_taps(spreads, gain, factor, pairs)
        if result is not None:
            result.lags = lags
        return result

    @property
    def amount(self) -> float:
        """All of it, summed over positions, of a channel whose share is 1."""
        whole = prod([float(x.sum()) for x in self.axes or (self.values,)])
        return ldexp(whole * self.factor, self.exponent)

    def _spread_taps(
        self, spreads: Spreads, gains: Values, factor: float, pairs: Values | None = None
    ) -> Flow | None:
        windows = tuple([x for x in spreads if isinstance(x, WindowSpread)])
        if pairs is None:
            values, start = spread_taps(self.values, self.start, windows, gains)
        else:
            values, start = spread_pairs(self.values, self.start, windows, pairs)
        if values.size == 0:
            return None
        # Weights of taps have a mean of 1 each for themselves, pairs are no more than taps squared.
        bits = self.bits + 3 * sum([how.bits for how in windows])
        result = Flow(start, values, self.factor, self.exponent, bits, self.profile)
        if bits > _LARGE:
            result.level()
        return result.times(factor)

    def _spread(self, spreads: Spreads, factor: float) -> Flow | None:
        """Return the flow spread back along all axes."""
        starts, bits = list(self.start), self.bits
        for how in spreads:
            bits += how.bits if type(how) is WindowSpread else 64.0
        values: Values | tuple[Values, ...]
        if self.axes is not None:
            values = self._spread_axes(spreads, starts)
            empty = not all(x.size for x in values)
        else:
            values = self.values
            for axis, how in enumerate(spreads):
                if type(how) is not WindowSpread or not how.is_identity:
                    values, starts[axis] = spread(values, axis, starts[axis], how)
            empty = values.size == 0
        if empty:
            return None
        factor, exponent = self.factor * factor, self.exponent
        if not 1e-60 < factor < 1e60 and factor > 0:
            factor, more = frexp(factor)
            exponent += more
        result = Flow(tuple(starts), values, factor, exponent, bits, self.profile, self.lags)
        if bits > _LARGE:
            result.level()
        return result

    def _spread_axes(self, spreads: Spreads, starts: list[int]) -> tuple[Values, ...]:
        """Return each axis spread back for itself, and put where it starts into `starts`."""
        assert self.axes is not None
        found: list[Values] = []
        before: tuple[Values, int, AxisSpread] | None = None
        for axis, (values, how) in enumerate(zip(self.axes, spreads, strict=True)):
            start = starts[axis]
            if (
                before is not None
                and (values is before[0] and how is before[2])
                and start == before[1]
            ):
                # A unit on the diagonal of a square map sees the same along both axes.
                starts[axis] = starts[axis - 1]
                found.append(found[-1])
                continue
            before = values, start, how
            if type(how) is not WindowSpread or not how.is_identity:
                values, starts[axis] = spread(values, 0, start, how)
            found.append(values)
        return tuple(found)

    def of_runs(self, start: int, stop: int) -> Flow:
        """Return the flow into some runs of channels alone."""
        if self.profile is None:
            return self
        first, profile = _normalized(self.profile[start:stop])
        return self.with_profile(first, profile)

    def into(self, runs: tuple[int, ...], wider: tuple[int, ...]) -> Flow:
        """Return the flow with mean shares, of runs of channels that hold one or more of its own.

        Parameters
        ----------
        runs, wider
            Numbers of channels, in the flow and in what is returned.
        """
        if self.profile is None:
            return self
        shares = means_over_runs(zip(runs, self.profile, strict=True), wider)
        first, profile = _normalized(shares)
        return self.with_profile(first, profile)

    def cut(self, size: tuple[int, ...]) -> Flow | None:
        """Return what of the flow lies on a map of that size, as a faulty merge may not have."""
        slices = tuple([slice(0, max(n - x, 0)) for x, n in zip(self.start, size, strict=True)])
        values = self.values[slices]
        if values.size == 0:
            return None
        return Flow(
            self.start, values, self.factor, self.exponent, self.bits, self.profile, self.lags
        )

    def level(self) -> None:
        """Move the size of the values into the exponent."""
        if self.axes is not None:
            levelled = [_levelled(x) for x in self.axes]
            self.axes, self._values = tuple([x for x, _ in levelled]), None
            self.exponent += sum([shift for _, shift in levelled])
        else:
            self._values, shift = _levelled(self.values)
            self.exponent += shift
        self.bits = 0.0

    def plus(self, other: Flow) -> Flow:
        """Return the sum of two flows of one profile into one map."""
        a, b = (self, other) if self._is_larger(other) else (other, self)
        if a.factor == 0:
            return b
        ratio = ldexp(b.factor / a.factor, max(b.exponent - a.exponent, -3000))
        values = b.values if ratio == 1.0 else b.values * ratio
        bits = max(a.bits, b.bits) + 1
        lags = a.lags
        if lags is not b.lags:
            first, second = float(a.values.sum()), float(values.sum())
            lags = blended(a.lags, first / max(first + second, 1e-300), b.lags)
        if a.start == b.start and a.values.shape == values.shape:
            low, both = a.start, a.values + values
        else:
            low, both = _side_by_side(a.start, a.values, b.start, values)
        return Flow(low, both, a.factor, a.exponent, bits, a.profile, lags)

    def _is_larger(self, other: Flow) -> bool:
        """Return whether the factor is not smaller than that of another flow."""
        if self.exponent == other.exponent:
            return self.factor >= other.factor
        return self._size() >= other._size()

    def _size(self) -> float:
        return -1e300 if self.factor <= 0 else log2(self.factor) + self.exponent


def _side_by_side(
    start: tuple[int, ...], values: Values, other_start: tuple[int, ...], others: Values
) -> tuple[tuple[int, ...], Values]:
    """Return the box that holds two boxes, and the sum of their values in it."""
    low = tuple([min(x, y) for x, y in zip(start, other_start, strict=True)])
    ends = zip(start, values.shape, other_start, others.shape, low, strict=True)
    result = np.zeros([max(x + n, y + m) - z for x, n, y, m, z in ends])
    result[box_within(start, values.shape, low)] = values
    result[box_within(other_start, others.shape, low)] += others
    return low, result


def _levelled(values: Values) -> tuple[Values, int]:
    """Return values of a middle size, and the power of 2 that they were divided by."""
    largest = float(values.max())
    if largest <= 0:
        return values, 0
    shift = max(-1000, min(frexp(largest)[1], 1000))
    return (values * ldexp(1.0, -shift) if shift else values), shift


def box_within(
    start: tuple[int, ...], shape: tuple[int, ...], low: tuple[int, ...]
) -> tuple[slice, ...]:
    """Return where a box lies in another that starts at `low`."""
    return tuple([slice(x - z, x - z + n) for x, n, z in zip(start, shape, low, strict=True)])


def _normalized(shares: tuple[float, ...]) -> tuple[float, Profile]:
    """Return the first share and the shares over it; no profile if all are alike."""
    first = shares[0]
    if first <= 0:
        return first, None
    nearly = 1e-12 * first
    if abs(shares[-1] - first) <= nearly and max(shares) - min(shares) <= nearly:
        return first, None
    return first, tuple([x / first for x in shares])


def one_unit(unit: tuple[int, ...]) -> Flow:
    """Return the flow at its start: 1 at the unit."""
    return Flow(unit, (_ONE,) * len(unit))


_ONE = np.ones(1)
