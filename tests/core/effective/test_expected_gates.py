"""Where gates depend on each other, and where maps are not as exact as they look."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import energy_of
from rfstudio.core.effective.expected import expected_erf, source_of_same_field
from rfstudio.core.network.architecture import Architecture, Item, Layer, Residual
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import Op

RELU, LEAKY = ops.Relu(), ops.LeakyRelu(negative_slope=0.2)
SILU, SWISH = ops.Silu(), ops.Hardswish()


def _conv(kernel: int = 3, channels: int = 16) -> ops.Conv:
    return ops.Conv(kernel_size=kernel, padding=kernel // 2, out_channels=channels)


def _residual(*layers: Op) -> Residual:
    return Residual(tuple(map(Layer, layers)))


def _graph(items: list[Op | Item], channels: int = 3) -> Graph:
    layers = tuple(x if isinstance(x, Item) else Layer(x) for x in items)
    return expand(Architecture("test", "", "", (16, 16), channels, layers))


def test_that_a_map_between_two_gates_does_not_know_the_first() -> None:
    # What arrives at the rectified map has passed only the gate after the sum.
    graph = _graph([_conv(), RELU, _residual(_conv(), RELU, _conv()), RELU])
    last = len(graph.nodes) - 1
    gated, sum_itself = (expected_erf(graph, i, (8, 8), reference=2).map for i in (last, last - 1))
    keep = energy_of(graph).layers[last].backward.keep
    np.testing.assert_allclose(gated, keep * sum_itself, rtol=1e-12)
    # Before that gate the skip, at the unit's own place, has more than its share.
    whole, plain = (expected_erf(graph, i, (8, 8), reference=1).map for i in (last, last - 1))
    assert whole[8, 8] / whole.sum() > 1.05 * plain[8, 8] / plain.sum()


def test_that_only_terms_after_a_gate_depend_on_the_gate_after_a_sum() -> None:
    # relu → x; s = x + F(x); t = s + G(s); relu: of the terms of both sums x alone is rectified.
    layers = (
        Layer(_conv(), "stem"),
        Layer(RELU, "x"),
        Layer(_conv(), "f", ("x",)),
        Layer(ops.Add(), "s", ("x", "f")),
        Layer(_conv(), "g", ("s",)),
        Layer(ops.Add(), "t", ("s", "g")),
        Layer(RELU, "end"),
    )
    graph = expand(Architecture("nested", "", "", (9, 9), 3, layers))
    assert energy_of(graph).skips == {}  # 's' is read by 'g' as well, past the gate
    inner = (*layers[:4], Layer(_conv(), "g", ("x",)), *layers[5:])
    graph = expand(Architecture("nested", "", "", (9, 9), 3, inner))
    s, x = graph.index("s"), graph.index("x")
    assert energy_of(graph).skips.keys() == {(s, x)}
    assert energy_of(graph).gates[s, x] == (graph.index("end"), x)


@pytest.mark.parametrize("op", [RELU, LEAKY, SILU, SWISH, ops.Gelu(), ops.Tanh(), ops.Relu6()])
def test_that_slopes_around_a_skip_depend_on_each_other_as_drawn_values_do(
    op: ops.Activation,
) -> None:
    conv = _conv(1, 512)
    graph = _graph([conv, op, _residual(conv), op], 512)
    (c,) = energy_of(graph).skips.values()
    rng = np.random.default_rng(0)
    u = sqrt(2) * rng.standard_normal(200_000)  # what a convolution makes of noise
    x = op.value(u)
    z = x + sqrt(2 * (x**2).mean()) * rng.standard_normal(u.size)
    inner, outer = op.slope(u) ** 2, op.slope(z) ** 2
    drawn = (inner * outer).mean() / (inner.mean() * outer.mean())
    assert c == pytest.approx(drawn, rel=0.02)


@pytest.mark.parametrize(
    "sums",
    [
        [("s", "x", "f"), ("t", "x", "s")],
        [("c", "x", "f"), ("d", "x", "g"), ("t", "c", "d")],
    ],
)
def test_that_sums_that_share_a_term_are_not_called_exact(sums: list[tuple[str, ...]]) -> None:
    layers = [Layer(_conv(), "x"), Layer(_conv(), "f", ("x",)), Layer(_conv(), "g", ("x",))]
    layers += [
        Layer(ops.Concat() if name in "cd" else ops.Add(), name, tuple(sources))
        for name, *sources in sums
    ]
    graph = expand(Architecture("shared", "", "", (9, 9), 3, tuple(layers)))
    assert "with a common origin" in expected_erf(graph, graph.index("t"), (4, 4)).notes[0]


def test_that_a_shuffle_of_an_unshuffled_map_is_not_called_exact() -> None:
    apart, together = ops.PixelUnshuffle(downscale_factor=2), ops.PixelShuffle(upscale_factor=2)
    for between, exact in ((RELU, False), (_conv(1, 64), True)):
        graph = _graph([_conv(), apart, between, together, _conv()])
        assert expected_erf(graph, len(graph.nodes) - 1, (8, 8)).exact is exact


def test_that_a_gate_after_the_norm_of_a_sum_has_a_field_of_its_own() -> None:
    graph = _graph([_conv(), RELU, _residual(_conv()), ops.BatchNorm(), RELU])
    *_, merge, norm, gate = [x.index for x in graph.nodes]
    assert energy_of(graph).gates[merge, 2] == (gate, 2)
    assert source_of_same_field(graph, gate) is None
    assert source_of_same_field(graph, norm) == merge
    at_norm, at_sum, gated = (expected_erf(graph, i, (8, 8)).map for i in (norm, merge, gate))
    np.testing.assert_allclose(at_norm / at_norm.sum(), at_sum / at_sum.sum(), rtol=1e-12)
    # More comes over the skip, so less from the rim that the branch alone sees.
    assert gated[6, 8] / gated.sum() < 0.95 * at_sum[6, 8] / at_sum.sum()


@pytest.mark.parametrize("count", [60, 66, 67, 68, 69, 120])
def test_that_small_values_of_a_deep_map_do_not_get_lost(count: int) -> None:
    # 66 to 69 gains of 2⁻¹⁵ bring the largest value, not the smallest, near the end of a float64.
    conv = _conv(channels=3)
    layers: list[Op] = [x for _ in range(count) for x in (ops.LayerScale(init=2**-8), THIN)]
    layers = [conv] * 30 + layers
    network = Architecture("deep", "", "", (61, 61), 3, tuple(map(Layer, layers)))
    graph = expand(network)
    erf = expected_erf(graph, len(graph.nodes) - 1, (30, 30))
    plain = expected_erf(graph, 30, (30, 30))
    assert erf.map[0, 0] > 0
    assert erf.map[30, 30] / erf.map[0, 0] == pytest.approx(plain.map[30, 30] / plain.map[0, 0])


THIN = _conv(1, 3)
