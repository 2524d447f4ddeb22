"""Means over rectified values, whose gates look at the same samples, against drawn numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Window
from rfstudio.core.effective.energy_flow import energy_of
from rfstudio.core.effective.expected import Erf, expected_erf
from rfstudio.core.effective.fixed_weights import amplitudes
from rfstudio.core.effective.pairs.coherence import NOBODY, coherence_of
from rfstudio.core.layer_models.pair_tables import pair_table, read_by_both, reads, through_tables
from rfstudio.core.network.architecture import Architecture, Layer, Residual
from rfstudio.core.network.expansion import expand
from rfstudio.core.ops import Op
from rfstudio.core.ops.geometry import axis_rules
from rfstudio.formats.networks.presets import read_preset

RELU = ops.Relu()


def _conv(kernel: int = 3, channels: int = 16, **parameters: Any) -> ops.Conv:
    return ops.Conv(kernel_size=kernel, out_channels=channels, **parameters)


def _field(layers: Sequence[Op | Residual], size: tuple[int, ...], unit: tuple[int, ...]) -> Erf:
    items = tuple(x if isinstance(x, Residual) else Layer(x) for x in layers)
    graph = expand(Architecture("test", "", "", size, 1, items))
    return expected_erf(graph, len(graph.nodes) - 1, unit)


def test_that_a_mean_of_two_tap_values_has_the_drawn_field() -> None:
    # 4,000,000 draws of relu(w·x) in plain numpy, ± 0.0002; without its gates 1/8, 1/4, …, 1/8.
    erf = _field([_conv(2), RELU, ops.AvgPool(kernel_size=4), _conv(1, 8)], (20,), (2,))
    assert erf.exact
    assert erf.map.sum() == pytest.approx(4 * 1.060, rel=0.003)
    drawn = [0.1179, 0.2550, 0.2547, 0.2546, 0.1178]
    np.testing.assert_allclose(erf.map[8:13] / erf.map.sum(), drawn, atol=0.0005)


def test_that_pixels_which_more_windows_read_have_more_of_a_mean_in_two_dimensions() -> None:
    erf = _field(
        [_conv(padding=1), RELU, ops.AvgPool(kernel_size=2), _conv(1, 8)], (16, 16), (3, 3)
    )
    assert erf.exact
    # 2,000,000 draws in plain numpy: the middle 2×2 of the 4×4 pixels has 0.4596 ± 0.00015 of the
    # sum, without the gates 0.4444; and all of it is 1.0526 times as much.
    assert erf.map[6:8, 6:8].sum() / erf.map.sum() == pytest.approx(0.4596, abs=0.001)
    assert erf.map.sum() == pytest.approx(4 * 1.0526, rel=0.002)


def test_that_one_window_alone_adds_nothing() -> None:
    plain = _field([_conv(1), RELU, ops.AvgPool(kernel_size=4), _conv(1, 8)], (20,), (2,))
    np.testing.assert_allclose(plain.map[8:12] / plain.map.sum(), 0.25, rtol=1e-12)


def test_that_wide_convolutions_need_no_pairs() -> None:
    items = (_conv(channels=2048, padding=1), RELU) * 2
    layers = tuple(Layer(x) for x in (*items, ops.GlobalAvgPool()))
    graph = expand(Architecture("wide", "", "", (8, 8), 2048, layers))
    followed = coherence_of(energy_of(graph), len(graph.nodes) - 1)
    assert followed[:3] == NOBODY[:3]


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "densenet121", "deeplab_v3_resnet50"])
def test_that_large_networks_that_are_models_anyway_follow_no_pairs(name: str) -> None:
    graph = expand(read_preset(name))
    assert coherence_of(energy_of(graph), len(graph.nodes) - 1).coherence is None


def test_that_what_is_left_out_is_said_with_its_size() -> None:
    conv = _conv(channels=4, padding=1)
    two = [conv, RELU, conv, RELU, ops.AvgPool(kernel_size=4), _conv(1, 8)]
    assert "not modelled" in _field(two, (16,), (2,)).notes[0]
    around = Residual((Layer(conv), Layer(RELU)))
    assert "left out ('add1')" in _field([conv, RELU, around, _conv(1, 8)], (16,), (8,)).notes[0]


def test_that_a_map_too_large_to_follow_is_not_called_exact() -> None:
    layers = [_conv(channels=4, padding=1), RELU, ops.Upsample(scale_factor=2, mode="bilinear")]
    assert _field(layers, (32, 32), (20, 20)).exact
    assert "may add up to" in _field(layers, (900, 900), (20, 20)).notes[0]


@pytest.mark.parametrize("op", [_conv(stride=2), ops.AvgPool(kernel_size=3, stride=2, padding=1)])
def test_that_pairs_of_outputs_add_to_all_pairs_that_they_read(op: Op) -> None:
    (rule,) = axis_rules(op, (9,))
    assert isinstance(rule, Window)
    weights = reads(rule)
    n, m, reach, new = rule.n_out, rule.n_in, 2, 3
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2 * reach + 1, n))
    found = through_tables(values.ravel(), [pair_table(weights, reach, new)])
    both = through_tables(values.ravel(), [read_by_both(weights, reach)])
    wanted, same = np.zeros((2 * new + 1, m)), np.zeros((2 * reach + 1, m))
    for lag in range(-reach, reach + 1):
        for q in range(max(0, -lag), min(n, n - lag)):
            for p in range(m):
                value = values[lag + reach, q] * weights[q, p]
                same[lag + reach, p] += value * weights[q + lag, p]
                for apart in range(max(-new, -p), min(new, m - 1 - p) + 1):
                    wanted[apart + new, p] += value * weights[q + lag, p + apart]
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, atol=1e-12)
    np.testing.assert_allclose(both.reshape(same.shape), same, atol=1e-12)


FIXED: dict[str, Op] = {
    "overlap": ops.AvgPool(kernel_size=3, stride=1, padding=1),
    "strided": ops.AvgPool(kernel_size=3, stride=2, ceil_mode=True, count_include_pad=False),
    "adaptive": ops.AdaptiveAvgPool(output_size=5),
    "linear": ops.Upsample(scale_factor=2, mode="linear"),
    "corners": ops.Upsample(size=11, mode="linear", align_corners=True),
    "nearest": ops.Upsample(scale_factor=2),
    "reflection": ops.Pad(padding=2, mode="reflect"),
}


@pytest.mark.parametrize("second", FIXED)
@pytest.mark.parametrize("first", FIXED)
def test_that_means_around_a_convolution_add_up_what_its_weights_have_in_common(
    first: str, second: str
) -> None:
    # Without gates the gradient is linear in the weights w_t of variance 2/3: its energy at pixel i
    # is the sum over t of 2/3 (B S_t A)², A and B being the two means, S_t the shift of one tap.
    channels = 5
    layers = [FIXED[first], _conv(3, channels, padding=1), FIXED[second]]
    items = tuple(map(Layer, layers))
    graph = expand(Architecture("test", "", "", (8,), 1, items))
    before, conv, after = graph.nodes[1:]
    unit = after.size[0] // 2
    erf = expected_erf(graph, 3, (unit,))
    energy = np.zeros(8)
    for tap in range(3):
        shift = np.eye(conv.size[0], before.size[0], tap - 1)
        row = amplitudes(after)[0][unit] @ shift @ amplitudes(before)[0]
        energy += channels * 2 / 3 * row**2
    np.testing.assert_allclose(erf.map, energy, rtol=1e-9, atol=1e-12)
    assert erf.exact
