"""How overlapping windows add up gradients that depend on each other.

Where g(q) and g(q′) are not independent, a sample that both read gets 2 E[g(q) g(q′)] on top of
both energies.  Of that two-point map the sum over all places is known for each lag
(`rfstudio.core.energy.autocorrelation`).  Where it lies follows from the energies M: a correlation
has no more than √(M(q) M(q′)), so it is taken for a share of that which is the same everywhere:

(E4) E[g(q) g(q + lag)] = ρ(lag) √(M(q) M(q + lag)), ρ(lag) = R(lag) Σ_q M / Σ_q √(M(q) M(q + lag)).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TypeAlias

import numpy as np

from rfstudio.core.axes.axis_rule import Window
from rfstudio.core.energy.spread import AxisSpread, Values, WindowSpread, spread_of
from rfstudio.core.memo import remembered


def spread_pairs(
    values: Values, starts: tuple[int, ...], spreads: Sequence[WindowSpread], shares: Values
) -> tuple[Values, tuple[int, ...]]:
    """Spread energies and what gradients have in common back through overlapping windows.

    Parameters
    ----------
    values, starts
        The energy M that each output carries, on a box of the output map.
    spreads
        The windows along each axis.
    shares
        R(lag), the sum over places of E[g(q) g(q + lag)] over that of M, for lags of the same
        reach to both sides of 0 along each axis, times the weight of a pair of taps.

    Returns
    -------
    values, starts
        The energy of each input, on a box of the input map, which may be empty.
    """
    pairs = _Pairs(values, starts, spreads, shares)
    steps = [
        _steps(how.rule, n // 2, m)
        for how, n, m in zip(spreads, shares.shape, values.shape, strict=True)
    ]
    result: Values | None = None
    lows: tuple[int, ...] = ()
    for apart in product(*steps):
        found = pairs.common(apart)
        if found is None:
            continue
        begins = []
        for axis, (how, step) in enumerate(zip(spreads, apart, strict=True)):
            found, low = _read_by_both(how.rule, step).back(found, axis, starts[axis])
            begins.append(low)
        if result is None:
            # The first are the energies themselves, which reach everything; the rest lies within.
            result, lows = found, tuple(begins)
            continue
        places = zip(lows, begins, found.shape, strict=True)
        result[tuple([slice(b - a, b - a + n) for a, b, n in places])] += found
    assert result is not None
    return np.maximum(result, 0.0, out=result), lows


class _Pairs:
    """The energies of a map, and what two places of it have in common."""

    def __init__(
        self,
        values: Values,
        starts: tuple[int, ...],
        spreads: Sequence[WindowSpread],
        shares: Values,
    ) -> None:
        self._whole = float(values.sum())
        self._shares = shares
        self._weighted = values
        for axis, how in enumerate(spreads):
            self._weighted = how.weighted(self._weighted, axis, starts[axis])
        self._root = self._weighted_root = np.sqrt(values)
        if self._weighted is not values:
            self._weighted_root = np.sqrt(self._weighted)

    def common(self, apart: tuple[int, ...]) -> Values | None:
        """Return (E4), from both ends, of all pairs so far apart, at their lower places.

        Pairs of one place are its energy.  None: nothing is that far apart.
        """
        if not any(apart):
            return self._weighted.copy()
        result: Values | None = None
        for lag, first, second in _lags(apart):
            plane = self._root[first] * self._root[second]
            whole = float(plane.sum())
            middle = [n // 2 for n in self._shares.shape]
            share = float(self._shares[tuple([x + n for x, n in zip(lag, middle, strict=True)])])
            if whole <= 0 or share == 0:
                continue
            if self._weighted_root is not self._root:
                plane = self._weighted_root[first] * self._weighted_root[second]
            plane *= 2 * max(min(share * self._whole / whole, 1.0), -1.0)
            result = plane if result is None else result + plane
        return result


@remembered(256)
def _steps(rule: Window, most: int, count: int) -> tuple[int, ...]:
    """Return by how many outputs two windows may lie apart and still read one sample both."""
    reach = rule.dilation * (rule.kernel - 1) // rule.stride
    steps = range(min(reach, most, count - 1) + 1)
    return tuple([x for x in steps if x * rule.stride % rule.dilation == 0])


@remembered(1024)
def _read_by_both(rule: Window, step: int) -> AxisSpread:
    """Return the spread to what an output and the one `step` behind it read both."""
    taps = step * rule.stride // rule.dilation
    before = rule.before - rule.dilation * taps
    both = rule._replace(kernel=rule.kernel - taps, before=before, n_out=rule.n_out - step)
    return spread_of(both, 0)


_Place: TypeAlias = tuple[slice, ...]


@remembered(1024)
def _lags(apart: tuple[int, ...]) -> list[tuple[tuple[int, ...], _Place, _Place]]:
    """Return the lags that reach so far along each axis, one of each two that are opposite.

    With each lag come the places where the two ends of its pairs lie.
    """
    lags = sorted({x for x in product(*[(-n, n) for n in apart]) if x > (0,) * len(apart)})
    return [
        (
            lag,
            tuple([slice(max(-x, 0), -x if x > 0 else None) for x in lag]),
            tuple([slice(max(x, 0), x if x < 0 else None) for x in lag]),
        )
        for lag in lags
    ]
