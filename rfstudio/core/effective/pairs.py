"""How a mean over overlapping windows adds up gradients that depend on each other.

Where g(q) and g(q′) are not independent, a sample that both read gets 2 E[g(q) g(q′)] on top of
both energies.  Of that two-point map the sum over all places is known for each lag
(`rfstudio.core.effective.autocorrelation`).  Where it lies follows from the energies: a
correlation has no more than √(E[g(q)²] E[g(q′)²]), so it is taken for a share of that which is the
same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np

from rfstudio.core.effective.spread import (
    AxisSpread,
    Values,
    WindowSpread,
    ones,
    scaled_along,
    spread,
)
from rfstudio.core.ops.geometry import Window


def spread_pairs(
    values: Values, starts: tuple[int, ...], hows: Sequence[WindowSpread], sums: Values
) -> tuple[Values, tuple[int, ...]]:
    """Spread energies and what gradients have in common back through overlapping windows.

    Parameters
    ----------
    values, starts
        The energy that each output carries, on a box of the output map.
    hows
        The windows along each axis.
    sums
        The sum over places of E[g(q) g(q + lag)] over that of E[g²], for lags of the same reach
        to both sides of 0 along each axis.

    Returns
    -------
    values, starts
        The energy of each input, on a box of the input map, which may be empty.
    """
    pairs = _Pairs(values, starts, hows, sums)
    middle = [n // 2 for n in sums.shape]
    *steps, last = [
        _steps(how.rule, m, n) for how, m, n in zip(hows, middle, values.shape, strict=True)
    ]
    result: Values | None = None
    lows: tuple[int, ...] = ()
    for reach in product(*steps):
        # Everything that lies equally far apart along all axes but the last.
        rows: Values | None = None
        low = 0
        for step in last:
            found = pairs.apart((*reach, step))
            if found is None:
                continue
            how = _read_by_both(hows[-1].rule, step)
            found, first = spread(found, len(hows) - 1, starts[-1], how)
            rows, low = (found, first) if rows is None else (_placed(rows, low, found, first), low)
        if rows is None:
            continue
        begins = [low]
        for axis in reversed(range(len(reach))):
            how = _read_by_both(hows[axis].rule, reach[axis])
            rows, first = spread(rows, axis, starts[axis], how)
            begins.insert(0, first)
        if result is None:
            result, lows = rows, tuple(begins)
        else:
            places = zip(lows, begins, rows.shape, strict=True)
            result[tuple([slice(b - a, b - a + n) for a, b, n in places])] += rows
    assert result is not None  # energies are not negative, so nothing apart is always there
    return np.maximum(result, 0.0, out=result), lows


def _placed(rows: Values, low: int, more: Values, first: int) -> Values:
    """Add a map to another that reaches as far or farther along the last axis."""
    rows[..., first - low : first - low + more.shape[-1]] += more
    return rows


class _Pairs:
    """The energies of a map, and what two places of it have in common."""

    def __init__(
        self, values: Values, starts: tuple[int, ...], hows: Sequence[WindowSpread], sums: Values
    ) -> None:
        self._whole = float(values.sum())
        self._sums = sums
        self._root = np.sqrt(values)
        self._weighted = values
        for axis, how in enumerate(hows):
            if how.weights is not None:
                part = how.weights[starts[axis] : starts[axis] + values.shape[axis]]
                self._weighted = scaled_along(self._weighted, axis, part)
        self._is_weighted = self._weighted is not values
        self._weighted_root = np.sqrt(self._weighted) if self._is_weighted else self._root

    def apart(self, reach: tuple[int, ...]) -> Values | None:
        """Return what all pairs that lie so far apart have in common, at their lower places."""
        result: Values | None = None
        for lag, first, second in _signed(reach):
            if first is second:
                return self._weighted
            plane = self._root[first] * self._root[second]
            common = float(plane.sum())
            shape = self._sums.shape
            share = float(self._sums[tuple([x + n // 2 for x, n in zip(lag, shape, strict=True)])])
            if common <= 0 or share == 0:
                continue
            if self._is_weighted:
                plane = self._weighted_root[first] * self._weighted_root[second]
            # Each pair counts from both of its ends.
            plane *= 2 * max(min(share * self._whole / common, 1.0), -1.0)
            result = plane if result is None else result + plane
        return result


@lru_cache(maxsize=256)
def _steps(rule: Window, most: int, count: int) -> tuple[int, ...]:
    """Return by how many outputs two windows may lie apart and still read one sample both."""
    reach = rule.dilation * (rule.kernel - 1) // rule.stride
    steps = range(min(reach, most, count - 1) + 1)
    return tuple([x for x in steps if x * rule.stride % rule.dilation == 0])


@lru_cache(maxsize=1024)
def _read_by_both(rule: Window, step: int) -> AxisSpread:
    """Return the spread to what an output and the one `step` behind it read both."""
    taps = step * rule.stride // rule.dilation
    before = rule.before - rule.dilation * taps
    return ones(replace(rule, kernel=rule.kernel - taps, before=before, n_out=rule.n_out - step))


_Place = tuple[slice, ...]


@lru_cache(maxsize=1024)
def _signed(reach: tuple[int, ...]) -> tuple[tuple[tuple[int, ...], _Place, _Place], ...]:
    """Return the lags of that reach along each axis, one of each two that are opposite.

    With each lag come the places where the two ends of its pairs lie.
    """
    none = (0,) * len(reach)
    lags = sorted({x for x in product(*[(-n, n) for n in reach]) if x >= none})
    result = []
    for lag in lags:
        first = tuple([slice(max(-x, 0), -x if x > 0 else None) for x in lag])
        second = tuple([slice(max(x, 0), x if x < 0 else None) for x in lag])
        result.append((lag, first, first if lag == none else second))
    return tuple(result)
