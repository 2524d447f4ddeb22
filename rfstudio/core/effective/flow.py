"""Flows from one unit back through a network: positive maps over the box that it reaches.

A flow is a box of values, a factor and a power of two, so that a layer that only scales
costs one multiplication, and no depth overflows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from math import frexp, ldexp, log2, prod
from operator import mul
from typing import TypeAlias

import numpy as np

from rfstudio.core.layer_models.autocorrelation import Autocorrelation, blended, unchanged
from rfstudio.core.layer_models.backward import Backward, Factors
from rfstudio.core.layer_models.gradient_pairs import Pairs
from rfstudio.core.layer_models.layer import means_over_runs
from rfstudio.core.layer_models.overlap_sums import spread_pairs
from rfstudio.core.layer_models.spread import AxisSpread, Spreads, Values, WindowSpread, spread_taps
from rfstudio.core.work import A_CALL, give_way, spend

Profile: TypeAlias = tuple[float, ...] | None
"""For each run of channels its share of a flow, the first that is not 0 being 1; None: all have
the same."""

_MANY_TAPS = 64
"""Taps of a window above which their mean is taken where gradients depend on each other."""

_A_SHARE = 20
"""Work for a share of a profile, in entries of an array (measured)."""

_LARGE = 400.0
"""Bits from which on values or factors are brought back to a middle size."""


@dataclass(eq=False, slots=True)
class Flow:
    """Something positive that arrives at one map, per channel.

    Attributes
    ----------
    start
        First sample of the box along each axis; outside the box the flow is exactly 0.
    parts
        The values in the box, or one vector for each axis whose outer product they are: as long as
        nothing is added up, from one unit back to where branches part, a walk needs these alone.
        Arrays are never changed.
    factor, exponent
        What the values are multiplied with: factor · 2^exponent.
    bits
        Upper bound of log2 of the values.
    profile
        Shares of the channels.
    correlation
        How gradients at different positions depend on each other; None: they do not.
    pairs
        What gradients at any two positions have in common, in the unit of the values, where
        that is followed.
    """

    start: tuple[int, ...]
    parts: Values | tuple[Values, ...]
    factor: float = 1.0
    exponent: int = 0
    bits: float = 0.0
    profile: Profile = None
    correlation: Autocorrelation | None = None
    pairs: Pairs | None = None
    _map: Values | None = field(default=None, repr=False)

    @property
    def axes(self) -> tuple[Values, ...] | None:
        """The vectors for each axis, or None."""
        return self.parts if isinstance(self.parts, tuple) else None

    @property
    def values(self) -> Values:
        """The values in the box, without factor and exponent."""
        if not isinstance(self.parts, tuple):
            return self.parts
        if self._map is None:
            spend(prod([x.size for x in self.parts]))
            self._map = reduce(np.multiply.outer, self.parts)
        return self._map

    def times(self, factors: Factors, scale: float = 1.0) -> Flow:
        """Return `scale` times the flow, its channels by a factor, or by one for each run."""
        profile = self.profile
        spend(A_CALL)
        if isinstance(factors, tuple):
            spend(_A_SHARE * len(factors))
            shares = factors if profile is None else tuple(map(mul, profile, factors))
            first, profile = _normalized(shares)
        else:
            first = factors
        factor, exponent = _in_range(self.factor * first * scale, self.exponent)
        return Flow(
            self.start,
            self.parts,
            factor,
            exponent,
            self.bits,
            profile,
            self.correlation,
            self.pairs,
        )

    def with_shares(self, shares: tuple[float, ...]) -> Flow:
        """Return the flow with other shares of the channels."""
        spend(_A_SHARE * len(shares))
        first, profile = _normalized(shares)
        result = self.times(first)
        result.profile = profile
        return result

    def at_places(self, places: tuple[Values, ...]) -> Flow:
        """Return the flow times a factor for each position, given along each axis."""
        boxes = zip(places, self.start, self.values_shape, strict=True)
        cut = [x[start : start + n] for x, start, n in boxes]
        spend(2 * A_CALL)
        parts: Values | tuple[Values, ...]
        if isinstance(self.parts, tuple):
            found: list[Values] = []
            for axis, (vector, own) in enumerate(zip(self.parts, cut, strict=True)):
                # A unit on the diagonal of a square map sees the same along both axes.
                same = (
                    axis and vector is self.parts[axis - 1] and np.array_equal(own, cut[axis - 1])
                )
                found.append(found[-1] if same else vector * own)
            parts = tuple(found)
        else:
            spend(self.parts.size)
            parts = self.parts * reduce(np.multiply.outer, cut)
        bits = self.bits + sum([max(log2(float(x.max(initial=1.0))), 0.0) for x in cut])
        others = self.factor, self.exponent, bits, self.profile, self.correlation, self.pairs
        return Flow(self.start, parts, *others)

    @property
    def values_shape(self) -> tuple[int, ...]:
        """Shape of the box."""
        if isinstance(self.parts, tuple):
            return tuple([x.size for x in self.parts])
        return self.parts.shape

    def spread(self, how: Backward, scale: float = 1.0) -> Flow | None:
        """Return what of `scale` times the flow spreads back; None if it goes nowhere."""
        spreads, factor, correlation = how.spreads, how.factor * scale, self.correlation
        assert spreads is not None
        give_way()
        spend(2 * A_CALL)
        gain: float | Values | None = None
        pairs: Values | None = None
        if how.correlation is not None and how.correlation is not unchanged:
            correlation, gain, pairs = how.correlation(correlation)
        if how.taps is not None:
            gain, pairs = how.taps if gain is None else how.taps * gain, None
        elif isinstance(gain, np.ndarray) and gain.size > _MANY_TAPS:
            gain = float(gain.mean())
        bits = self.bits + sum([x.bits for x in spreads])
        values: Values | tuple[Values, ...]
        if isinstance(gain, np.ndarray):
            windows = tuple([x for x in spreads if isinstance(x, WindowSpread)])
            if pairs is None:
                values, start = spread_taps(self.values, self.start, windows, gain)
            else:
                values, start = spread_pairs(self.values, self.start, windows, pairs)
            # Weights of taps have a mean of 1 each, pairs are no more than taps squared.
            bits += 2 * sum([x.bits for x in windows])
        else:
            factor *= 1.0 if gain is None else gain
            values, start = self._spread_axes(spreads)
        if 0 in [x.size for x in (values if isinstance(values, tuple) else (values,))]:
            return None
        factor, exponent = _in_range(self.factor * factor, self.exponent)
        result = Flow(start, values, factor, exponent, bits, self.profile, correlation)
        if bits > _LARGE:
            result.level()
        return result

    def _spread_axes(self, spreads: Spreads) -> tuple[Values | tuple[Values, ...], tuple[int, ...]]:
        """Return the map spread back along all axes, or each vector for itself, and its start."""
        starts, parts = list(self.start), self.parts
        if not isinstance(parts, tuple):
            for axis, how in enumerate(spreads):
                if not how.is_identity:
                    parts, starts[axis] = how.back(parts, axis, starts[axis])
            return parts, tuple(starts)
        found: list[Values] = []
        before: tuple[Values, AxisSpread, int] | None = None
        for axis, (vector, how) in enumerate(zip(parts, spreads, strict=True)):
            start = starts[axis]
            if before and vector is before[0] and how is before[1] and start == before[2]:
                # A unit on the diagonal of a square map sees the same along both axes.
                starts[axis] = starts[axis - 1]
                found.append(found[-1])
                continue
            before = vector, how, start
            if not how.is_identity:
                vector, starts[axis] = how.back(vector, 0, start)
            found.append(vector)
        return tuple(found), tuple(starts)

    @property
    def amount(self) -> float:
        """All of it, summed over positions, of a channel whose share is 1."""
        whole = prod([float(x.sum()) for x in self.axes or [self.values]])
        return ldexp(whole * self.factor, self.exponent)

    def of_runs(self, start: int, stop: int) -> Flow:
        """Return the flow into some runs of channels alone."""
        return self if self.profile is None else self.with_shares(self.profile[start:stop])

    def into(self, runs: tuple[int, ...], wider: tuple[int, ...]) -> Flow:
        """Return the flow with mean shares, of runs of channels that hold one or more of its own.

        Parameters
        ----------
        runs, wider
            Numbers of channels, in the flow and in what is returned.
        """
        if self.profile is None:
            return self
        spend(_A_SHARE * len(runs))
        return self.with_shares(means_over_runs(zip(runs, self.profile, strict=True), wider))

    def among(self, counts: tuple[int, ...], runs: tuple[int, ...]) -> Flow:
        """Return the flow of a slice of channels as one of all of them, with mean shares.

        Parameters
        ----------
        counts
            For each run of all channels how many the slice has; those that it has none of are not
            runs of the slice.
        runs
            Number of channels in each run.
        """
        spend(_A_SHARE * len(runs))
        shares = iter(self.profile or (1.0,) * len(runs))
        return self.with_shares(
            tuple([k / n * next(shares) if k else 0.0 for k, n in zip(counts, runs, strict=True)])
        )

    def cut(self, size: tuple[int, ...]) -> Flow | None:
        """Return what of the flow is on a map of that size, as a faulty merge may not have."""
        spend(2 * A_CALL)
        slices = tuple([slice(0, max(n - x, 0)) for x, n in zip(self.start, size, strict=True)])
        values = self.values[slices]
        if values.size == 0:
            return None
        others = self.factor, self.exponent, self.bits, self.profile, self.correlation
        return Flow(self.start, values, *others)

    def level(self) -> None:
        """Move the size of the values into the exponent."""
        levelled = [_levelled(x) for x in self.axes or [self.values]]
        self.exponent += sum([shift for _, shift in levelled])
        parts = tuple([x for x, _ in levelled])
        self.parts, self._map = parts if self.axes else parts[0], None
        self.bits = 0.0

    def plus(self, other: Flow) -> Flow:
        """Return the sum of two flows of one profile into one map."""
        a, b = (self, other) if self._size() >= other._size() else (other, self)
        if a.factor == 0:
            return b
        mine, values = a.values, b.values
        ratio = ldexp(b.factor / a.factor, max(b.exponent - a.exponent, -3000))
        values = values if ratio == 1.0 else values * ratio
        spend(2 * A_CALL + 2 * (mine.size + values.size))
        bits = max(a.bits, b.bits) + 1
        correlation = a.correlation
        if correlation is not b.correlation:
            first, second = float(mine.sum()), float(values.sum())
            correlation = blended(a.correlation, first / max(first + second, 1e-300), b.correlation)
        if a.start == b.start and mine.shape == values.shape:
            low, both = a.start, mine + values
        else:
            low, both = _side_by_side(a.start, mine, b.start, values)
        pairs = None if b.pairs is None else b.pairs.scaled(ratio)
        pairs = pairs if a.pairs is None else a.pairs.plus(pairs)
        return Flow(low, both, a.factor, a.exponent, bits, a.profile, correlation, pairs)

    def _size(self) -> float:
        """Return log2 of what the values are multiplied with."""
        return -1e300 if self.factor <= 0 else log2(self.factor) + self.exponent


def _in_range(factor: float, exponent: int) -> tuple[float, int]:
    """Return factor · 2^exponent with a factor that further ones cannot overflow."""
    if 1e-60 < factor < 1e60 or factor <= 0:
        return factor, exponent
    factor, more = frexp(factor)
    return factor, exponent + more


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
    """Return where a box is in another that starts at `low`."""
    return tuple([slice(x - z, x - z + n) for x, n, z in zip(start, shape, low, strict=True)])


def _normalized(shares: tuple[float, ...]) -> tuple[float, Profile]:
    """Return the first share that is not 0 and the shares over it; no profile if all are equal."""
    first = shares[0]
    if first <= 0:
        first = next((x for x in shares if x > 0), 0.0)
        if first <= 0:
            return 0.0, None
    nearly = 1e-12 * first
    if abs(shares[-1] - first) <= nearly and max(shares) - min(shares) <= nearly:
        return first, None
    return first, tuple([x / first for x in shares])


def one_unit(unit: tuple[int, ...]) -> Flow:
    """Return the flow at its start: 1 at the unit."""
    return Flow(unit, (_ONE,) * len(unit))


_ONE = np.ones(1)
