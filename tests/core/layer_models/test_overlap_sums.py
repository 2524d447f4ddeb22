"""Energies through overlapping windows against explicit sums over all pairs of outputs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from rfstudio.core.axes.axis_rule import Window, as_mean
from rfstudio.core.layer_models.overlap_sums import spread_pairs
from rfstudio.core.layer_models.spread import Values, WindowSpread, spread_of
from tests.narrowing import instance

REACH = 2


def _explicit(
    values: Values,
    starts: tuple[int, ...],
    rules: list[Window],
    weights: list[Values],
    shares: Values,
) -> Values:
    """Return Σ over pairs of outputs that read a sample of what they have in common."""
    places = list(product(*[range(n) for n in values.shape]))
    commons: dict[tuple[int, ...], float] = {}
    for q, r in product(places, places):
        lag = tuple(np.subtract(r, q).tolist())
        commons[lag] = commons.get(lag, 0.0) + (values[q] * values[r]) ** 0.5
    result = np.zeros([rule.n_in for rule in rules])
    for q, r in product(places, places):
        lag = tuple(np.subtract(r, q).tolist())
        if max(map(abs, lag)) > REACH:
            continue
        share = 1.0
        if any(lag):
            share = shares[tuple(x + REACH for x in lag)] * values.sum() / commons[lag]
        scale = 1.0
        both = []
        for axis, rule in enumerate(rules):
            i, j = q[axis] + starts[axis], r[axis] + starts[axis]
            scale *= (weights[axis][i] * weights[axis][j]) ** 0.5
            common = set(rule.taps(i)) & set(rule.taps(j)) & set(range(rule.n_in))
            both.append(sorted(common))
        for p in product(*both):
            result[p] += max(min(share, 1.0), -1.0) * scale * (values[q] * values[r]) ** 0.5
    return result.clip(min=0.0)


@pytest.mark.parametrize("seed", range(6))
def test_that_pairs_add_what_they_have_in_common_to_what_both_read(seed: int) -> None:
    rng = np.random.default_rng(seed)
    geometry = [[(3, 1, 1), (2, 1, 1)], [(3, 2, 1), (3, 1, 2)], [(4, 2, 1), (3, 1, 1)]][seed % 3]
    rules = []
    for kernel, stride, dilation in geometry:
        n_out = 5
        n_in = (n_out - 1) * stride + dilation * (kernel - 1)  # one less than a window more
        rule = Window(n_in, n_out, kernel, stride, dilation, before=1)
        rules.append(instance(Window, as_mean(rule)) if seed >= 3 else rule)
    spreads = [instance(WindowSpread, spread_of(rule, 2)) for rule in rules]
    weights = [
        np.ones(rule.n_out) if x.weights is None else x.weights
        for rule, x in zip(rules, spreads, strict=True)
    ]
    starts = (1, 0)
    values = rng.uniform(0.1, 2.0, (4, 5))
    half = rng.uniform(-0.3, 0.6, (2 * REACH + 1,) * 2)
    shares = (half + half[::-1, ::-1]) / 2
    shares[REACH, REACH] = 1.0
    found, lows = spread_pairs(values, starts, spreads, shares)
    wanted = _explicit(values, starts, rules, weights, shares)
    box = np.zeros_like(wanted)
    box[tuple(slice(x, x + n) for x, n in zip(lows, found.shape, strict=True))] = found
    np.testing.assert_allclose(box, wanted, atol=1e-12)


def test_that_the_same_gradient_everywhere_gives_the_square_of_the_sum() -> None:
    rule = Window(8, 6, 3)
    spread = instance(WindowSpread, spread_of(rule))
    found, lows = spread_pairs(np.ones(6), (0,), [spread], np.ones(2 * 4 + 1))
    counts = np.convolve(np.ones(6), np.ones(3))
    assert lows == (0,)
    # Near the border fewer places have a partner at a lag, and a share is at most 1.
    np.testing.assert_allclose(found, counts**2)
