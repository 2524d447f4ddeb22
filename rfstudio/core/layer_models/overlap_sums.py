"""Sums over overlapping windows of gradients that depend on each other.

Where g(q) and g(q′) are not independent, a sample that both read gets 2 E[g(q) g(q′)] on top of
both energies.  Of that two-point map the sum over all places is known for each lag (see
`rfstudio.core.layer_models.autocorrelation`).  Where in the map it is follows from the energies M:
a correlation has no more than √(M(q) M(q′)), so it is modelled as a share of that which is the same
everywhere:

(E4) E[g(q) g(q + lag)] = ρ(lag) √(M(q) M(q + lag)), ρ(lag) = R(lag) Σ_q M / Σ_q √(M(q) M(q + lag)).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TypeAlias

import numpy as np

from rfstudio.core.axes.axis_rule import Window
from rfstudio.core.layer_models.spread import AxisSpread, Values, WindowSpread, spread_of
from rfstudio.core.memo import remembered
from rfstudio.core.work import A_CALL, give_way, spend


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
    weighted = values
    for axis, how in enumerate(spreads):
        weighted = how.weighted(weighted, axis, starts[axis])
    root, weighted_root = np.sqrt(values), np.sqrt(weighted)
    energy = float(values.sum())
    steps = [
        _steps(how.rule, n // 2, m)
        for how, n, m in zip(spreads, shares.shape, values.shape, strict=True)
    ]

    def read_by_both(common: Values, apart: tuple[int, ...]) -> tuple[Values, tuple[int, ...]]:
        """Spread what pairs so far apart have in common to all samples that both read."""
        lows = []
        for axis, (how, step) in enumerate(zip(spreads, apart, strict=True)):
            common, low = _read_by_both(how.rule, step).back(common, axis, starts[axis])
            lows.append(low)
        return common, tuple(lows)

    # The energies themselves, pairs of one place, reach everything; all others reach less.
    result, lows = read_by_both(weighted, (0,) * values.ndim)
    if result is weighted:
        result = result.copy()
    for apart in product(*steps):
        give_way()
        found: Values | None = None
        for lag, first, second in _lags(apart, shares.shape):
            share = float(shares[lag])
            spend(4 * (A_CALL + values.size))
            plane = root[first] * root[second]
            whole = float(plane.sum())
            if whole <= 0 or share == 0:
                continue
            # Each pair counts from both of its ends.
            most = 2 * max(min(share * energy / whole, 1.0), -1.0)
            plane = most * weighted_root[first] * weighted_root[second]
            found = plane if found is None else found + plane
        if found is not None:
            found, begins = read_by_both(found, apart)
            places = zip(lows, begins, found.shape, strict=True)
            result[tuple([slice(b - a, b - a + n) for a, b, n in places])] += found
    return np.maximum(result, 0.0, out=result), lows


@remembered(256)
def _steps(rule: Window, most: int, count: int) -> tuple[int, ...]:
    """Return by how many outputs two windows may be apart and still read a common sample."""
    reach = rule.dilation * (rule.kernel - 1) // rule.stride
    steps = range(min(reach, most, count - 1) + 1)
    return tuple([x for x in steps if x * rule.stride % rule.dilation == 0])


@remembered(1024)
def _read_by_both(rule: Window, step: int) -> AxisSpread:
    """Return the spread to what an output and the one `step` after it read both."""
    taps = step * rule.stride // rule.dilation
    before = rule.before - rule.dilation * taps
    both = rule._replace(kernel=rule.kernel - taps, before=before, n_out=rule.n_out - step)
    return spread_of(both, 0)


_Place: TypeAlias = tuple[slice, ...]


@remembered(1024)
def _lags(
    apart: tuple[int, ...], shape: tuple[int, ...]
) -> list[tuple[tuple[int, ...], _Place, _Place]]:
    """Return the lags that reach so far, one of each two that are opposite.

    Each is an index of an array of that shape with no lag in its middle; with it come the places
    where the two ends of its pairs are.
    """
    return [
        (
            tuple([x + n // 2 for x, n in zip(lag, shape, strict=True)]),
            tuple([slice(max(-x, 0), -x if x > 0 else None) for x in lag]),
            tuple([slice(max(x, 0), x if x < 0 else None) for x in lag]),
        )
        for lag in sorted(set(product(*[(-n, n) for n in apart])))
        if lag > (0,) * len(apart)
    ]
