"""Spreading back is the transpose of reading, tap by tap."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.core.axes.axis_rule import AxisRule, Periodic, Whole, Window, as_mean
from rfstudio.core.layer_models.spread import WindowSpread, spread_of, spread_taps
from tests.narrowing import instance

RULES: list[AxisRule] = [
    Window(11, 11, 3, before=1),
    Window(13, 6, 3, 2, before=1),
    Window(17, 7, 3, 2, 3, before=3),
    Window(12, 3, 4, 4),
    Window(9, 3, 2, 4),
    Window(9, 9),
    Window(9, 5, before=-2),
    Window(6, 10, before=2, mode="reflect"),
    as_mean(Window(11, 11, 3, before=1)),
    as_mean(Window(11, 6, 3, 2, before=1), (-1, 12)),
    Periodic(5, 10, 1, ((-1, 0), (0, 1)), clamped=True, weights=((0.25, 0.75), (0.75, 0.25))),
    as_mean(Periodic(7, 7, 3, ((0, 1, 2),) * 3)),
    Whole(6, 2),
    as_mean(Whole(6, 2)),
]


def _matrix(rule: AxisRule, power: int) -> np.ndarray:
    """Return the weight of every input in every output, to a power, found tap by tap."""
    result = np.zeros((rule.n_out, rule.n_in))
    for i in range(rule.n_out):
        taps = np.array(rule.taps(i))
        if isinstance(rule, Window) and rule.mode == "reflect":
            taps = np.abs(taps)
            taps = np.where(taps >= rule.n_in, 2 * (rule.n_in - 1) - taps, taps)
        weights = np.ones(len(taps))
        if isinstance(rule, Periodic):
            if rule.weights is not None:
                weights = np.array(rule.weights[i % rule.period])
            if rule.clamped:
                taps = taps.clip(0, rule.n_in - 1)
        there = (taps >= 0) & (taps < rule.n_in)
        for tap, weight in zip(taps[there], weights[there], strict=True):
            result[i, tap] += weight
        if isinstance(rule, Window):
            if rule.counted is not None:
                low, high = rule.counted
                result[i] /= ((taps >= low) & (taps < high)).sum()
        elif rule.is_mean:
            result[i] /= there.sum()
    return np.abs(result) ** power if power else (result != 0).astype(float)


@pytest.mark.parametrize("power", [0, 1, 2])
@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("others", [1, 120])
def test_that_a_spread_is_the_transpose_of_what_a_rule_reads(
    rule: AxisRule, power: int, others: int
) -> None:
    how = spread_of(rule, power)
    matrix = _matrix(rule, power)
    if isinstance(rule, Window) and rule.mode == "reflect":
        matrix = (matrix > 0).astype(float)
    rng = np.random.default_rng(0)
    for start, stop in ((0, rule.n_out), (1, min(3, rule.n_out))):
        for axis in (0, 1):
            values = rng.uniform(0, 1, (stop - start, others * others if others > 1 else 1))
            values = values if axis == 0 else values.T.copy()
            found, low = how.back(values, axis, start)
            wanted = np.tensordot(matrix[start:stop], values, (0, axis))
            wanted = wanted if axis == 0 else wanted.T
            box = np.zeros_like(wanted)
            where = slice(low, low + found.shape[axis])
            box[where if axis == 0 else (slice(None), where)] = found * how.factor
            np.testing.assert_allclose(box, wanted, rtol=1e-12, atol=1e-15)


def test_that_taps_may_weigh_differently() -> None:
    rules = [Window(6, 5, 3, before=1), Window(9, 4, 2, 2)]
    rng = np.random.default_rng(0)
    values, gains = rng.uniform(0, 1, (5, 4)), rng.uniform(0, 1, (3, 2))
    spreads = [instance(WindowSpread, spread_of(x)) for x in rules]
    found, lows = spread_taps(values, (0, 0), spreads, gains)
    wanted = np.zeros((6, 9))
    for i, j, t, u in np.ndindex(5, 4, 3, 2):
        place = i - 1 + t, 2 * j + u
        if 0 <= place[0] < 6:
            wanted[place] += values[i, j] * gains[t, u]
    assert lows == (0, 0)
    np.testing.assert_allclose(found, wanted[:, : found.shape[1]], rtol=1e-12)
