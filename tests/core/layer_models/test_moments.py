"""Moments of values and slopes against drawn values."""

from __future__ import annotations

from math import asin, pi

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.layer_models.moments import (
    Moments,
    activated,
    added,
    averaged,
    largest,
    mean_squared_slope,
    open_together,
)

COARSE = 0.05
"""A distribution that is carried has 65 points: half a step may be on the other side of 0."""

DRAWS = 200_000
ERROR = 0.01
"""Means of so many draws are sure to some 1/√DRAWS = 0.2 %; these have a few times that."""


def _pairs(square: float, shared: float) -> tuple[np.ndarray, np.ndarray]:
    """Return values of two places of many channels."""
    common, a, b = np.random.default_rng(0).standard_normal((3, DRAWS))
    own = (square - shared) ** 0.5
    return shared**0.5 * common + own * a, shared**0.5 * common + own * b


@pytest.mark.parametrize(
    "op", [ops.Relu(), ops.LeakyRelu(negative_slope=0.2), ops.Gelu(), ops.Tanh()]
)
def test_that_activations_make_of_normal_values_what_draws_say(op: ops.Activation) -> None:
    before = Moments(2.0, 0.7)
    z, w = _pairs(2.0, 0.7)
    after = activated(op, before)
    assert after.square == pytest.approx((op.value(z) ** 2).mean(), rel=ERROR)
    assert after.shared == pytest.approx((op.value(z) * op.value(w)).mean(), abs=ERROR)
    assert after.mean == pytest.approx(op.value(z).mean(), abs=ERROR)
    slopes, others = op.slope(z), op.slope(w)
    assert mean_squared_slope(op, before) == pytest.approx((slopes**2).mean(), rel=ERROR)
    together = (slopes * others).mean() / (slopes**2).mean()
    assert open_together(op, before) == pytest.approx(together, abs=ERROR)


def test_that_two_gates_of_a_rectifier_are_open_together_by_the_arcsine_law() -> None:
    for rho in (0.0, 0.3, 0.9, 1.0):
        wanted = 2 * (0.25 + asin(rho) / (2 * pi))  # Sheppard 1899
        assert open_together(ops.Relu(), Moments(3.0, 3.0 * rho)) == pytest.approx(wanted)


def test_that_a_gate_after_a_norm_of_rectified_values_counts_where_those_are_open() -> None:
    z, u = np.random.default_rng(0).standard_normal((2, DRAWS))
    first = activated(ops.Relu(), Moments(1.0))
    summed = added([first, Moments(0.5)])
    values = np.maximum(z, 0) + 0.5**0.5 * u
    assert summed.square == pytest.approx((values**2).mean(), rel=ERROR)
    found = mean_squared_slope(ops.Relu(), summed)
    assert found == pytest.approx((values > 0).mean(), abs=COARSE)


@pytest.mark.parametrize("count", [2, 9])
def test_that_the_largest_of_some_values_is_as_drawn(count: int) -> None:
    rng = np.random.default_rng(0)
    common = 0.3**0.5 * rng.standard_normal(DRAWS)
    top = (common + 0.7**0.5 * rng.standard_normal((count, DRAWS))).max(axis=0)
    found, gate = largest(Moments(1.0, 0.3), count)
    assert found.square == pytest.approx((top**2).mean(), rel=ERROR)
    assert found.mean == pytest.approx(top.mean(), abs=ERROR)
    assert gate == 1.0
    rectified, gate = largest(activated(ops.Relu(), Moments(1.0, 0.3)), count)
    assert rectified.square == pytest.approx((np.maximum(top, 0) ** 2).mean(), rel=ERROR)
    assert gate == pytest.approx(2 * (top > 0).mean(), abs=2 * COARSE)
    _, gate = largest(activated(ops.Relu(), Moments(1.0)), count)
    assert gate == pytest.approx(2 * (1 - 0.5**count), rel=1e-6)


def test_that_a_mean_of_n_values_keeps_what_they_share() -> None:
    assert averaged(Moments(1.0, 0.2), 4) == Moments(0.2 + 0.8 / 4, 0.2)
