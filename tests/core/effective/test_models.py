"""Models of single operations against hand calculations and drawn gradients."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.effective.activation_dependence import _factor
from rfstudio.core.effective.energy_flow import layer_of, merged
from rfstudio.core.layer_models.layer import Layer
from rfstudio.core.layer_models.moments import Moments, activated, added
from rfstudio.core.ops import Op
from rfstudio.core.ops.geometry import axis_rules
from tests.narrowing import instance

DRAWS = 100_000


def _layer(op: Op, size: tuple[int, ...], channels: int, x: Moments) -> Layer:
    out = op.output_channels((channels,), size)
    rules = axis_rules(op, size)
    return layer_of(op, rules, channels, out, "warmed", ((channels, x),), True)[0]


def test_that_a_convolution_has_the_moments_and_the_factor_of_its_weights() -> None:
    layer = _layer(ops.Conv(out_channels=32, kernel_size=3, padding=1), (4,), 8, Moments(2.0, 0.5))
    assert layer.backward.factor == pytest.approx(2 * 32 / (8 * 3))
    # Of the outer taps 3 of 4 placements are on the map: f = 3/4, 1, 3/4.
    square, shared = layer.runs[0][1][:2]
    assert square == pytest.approx(2 * 2.0 * (0.75 + 1 + 0.75) / 3)
    assert shared == pytest.approx(2 * 0.5 * (0.75**2 + 1 + 0.75**2) / 3)
    assert layer.runs[0][0] == 32
    assert not layer.remark


def test_that_a_transposed_convolution_sums_one_tap_for_each_phase() -> None:
    op = ops.ConvTranspose(out_channels=16, kernel_size=2, stride=2)
    layer = _layer(op, (4,), 8, Moments(2.0, 0.5))
    # Each output has one tap of 8 channels: variance 2/8; half of all distances are of one phase.
    assert layer.backward.factor == pytest.approx(2 / 8 * 16)
    assert layer.runs[0][1][:2] == pytest.approx((2 * 2.0, 2 * 0.5 / 2))


def test_that_a_layer_norm_takes_two_directions_off_a_gradient() -> None:
    channels = 12
    rng = np.random.default_rng(0)
    x = 1.7 * rng.standard_normal((DRAWS, channels))
    g = rng.standard_normal((DRAWS, channels))
    deviation = x.std(axis=1, keepdims=True)
    unit = (x - x.mean(axis=1, keepdims=True)) / deviation
    back = g - g.mean(axis=1, keepdims=True) - unit * (g * unit).mean(axis=1, keepdims=True)
    wanted = ((back / deviation) ** 2).mean()
    layer = _layer(ops.LayerNorm(eps=0.0), (3,), channels, Moments(1.7**2))
    assert layer.backward.keep == pytest.approx(wanted, rel=0.01)


def test_that_a_norm_over_the_map_gives_some_of_a_gradient_to_all_places() -> None:
    positions = 64  # the model is right but for terms of 1/64 of the others
    draws = 20_000
    rng = np.random.default_rng(0)
    x = 1.5 * rng.standard_normal((draws, positions))
    g = np.zeros((draws, positions))
    g[:, 3] = rng.standard_normal(draws)
    deviation = x.std(axis=1, keepdims=True)
    unit = (x - x.mean(axis=1, keepdims=True)) / deviation
    back = g - g.mean(axis=1, keepdims=True) - unit * (g * unit).mean(axis=1, keepdims=True)
    energy = (back**2).mean(axis=0)
    layer = _layer(ops.InstanceNorm(eps=0.0), (positions,), 4, Moments(1.5**2))
    variance = 1.5**2 * (1 - 1 / positions)  # what is left of it over so few positions
    at_place = instance(float, layer.backward.keep) * variance
    everywhere = layer.backward.factor * variance
    assert everywhere == pytest.approx(energy[np.arange(positions) != 3].mean(), rel=0.05)
    assert at_place + everywhere == pytest.approx(energy[3], rel=0.02)


@pytest.mark.parametrize("norm_type", [1, 2, 3, 4])
@pytest.mark.parametrize("rectified", [False, True])
def test_that_a_power_average_has_the_gradients_of_drawn_windows(
    norm_type: int, rectified: bool
) -> None:
    n, size = 4, 1.3
    z = size * np.random.default_rng(0).standard_normal((DRAWS, n))
    x, slopes = (np.maximum(z, 0), z > 0) if rectified else (z, np.ones_like(z))
    if norm_type == 1:
        y, u = x.sum(axis=1), np.ones_like(x)
    else:
        y = (np.abs(x) ** norm_type).sum(axis=1) ** (1 / norm_type)
        u = (np.abs(x) / np.maximum(y, 1e-9)[:, None]) ** (norm_type - 1)
    values = Moments(size**2)
    if rectified:
        values = activated(ops.Relu(), values)
    layer = _layer(ops.LpPool(norm_type=norm_type, kernel_size=n), (8,), 3, values)
    # Of each of n samples the same share; the gates that samples came through are open in half.
    wanted = (u**2 * slopes).sum(axis=1).mean() / slopes.mean()
    assert layer.backward.factor == pytest.approx(wanted / n, rel=0.01)
    assert layer.open == pytest.approx(wanted / (u**2).sum(axis=1).mean(), rel=0.02)
    moments = layer.runs[0][1]
    assert moments.square == pytest.approx((y**2).mean(), rel=0.02)
    assert moments.mean == pytest.approx(y.mean(), rel=0.01, abs=0.01)
    if norm_type == 2 and not rectified:
        assert layer.backward.factor == pytest.approx(1 / n)  # Σ u² is 1
    if rectified and norm_type > 1:
        assert moments.distribution().positive == pytest.approx(1 - 0.5**n, abs=0.005)


def test_that_softmax_passes_on_the_mean_square_of_its_jacobian() -> None:
    channels = 64
    z = 1.3 * np.random.default_rng(0).standard_normal((4000, channels))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    squares = p**2
    # Σ_ij (p_i δ_ij − p_i p_j)² = Σ p² ((1 − p)² + Σ_others p²), for one gradient a channel.
    jacobian = (squares * ((1 - p) ** 2 + squares.sum(axis=1, keepdims=True) - squares)).sum(axis=1)
    layer = _layer(ops.Softmax(), (3,), channels, Moments(1.3**2))
    assert layer.backward.keep == pytest.approx(jacobian.mean() / channels, rel=0.1)


@pytest.mark.parametrize("op", [ops.Relu(), ops.Relu6(), ops.Silu()])
def test_that_a_skip_has_the_factor_of_drawn_slopes(op: ops.Activation) -> None:
    term, branch = activated(op, Moments(2.0)), Moments(0.8)
    found = _factor(added([term, branch]), term, 1.0, op, None)
    u, v = np.random.default_rng(0).standard_normal((2, DRAWS))
    before = op.slope(2.0**0.5 * u) ** 2
    after = op.slope(op.value(2.0**0.5 * u) + 0.8**0.5 * v) ** 2
    assert found == pytest.approx((before * after).mean() / before.mean() / after.mean(), rel=0.01)


def test_that_a_product_passes_on_the_mean_squares_of_the_others() -> None:
    runs = [((4, Moments(x)),) for x in (2.0, 3.0, 5.0)]
    layer, counts = merged(ops.Multiply(), tuple(runs), True, False)
    assert layer.edges == pytest.approx((15.0, 10.0, 6.0))
    assert layer.runs[0][1].square == pytest.approx(30.0)
    assert counts == (4,)
