"""The expected effective field: exact where it says so, near where not, and zero where it must be.

Floors are those of docs/expected-erf.md; every sampled number comes from a fixed seed.
"""

from __future__ import annotations

import random
import subprocess
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest

import rfstudio
from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import energy_of
from rfstudio.core.effective.expected import Erf, expected_erf, path_counts, source_of_same_field
from rfstudio.core.errors import UnitError
from rfstudio.core.fields.backtrace import region_of_unit
from rfstudio.core.memo import forget
from rfstudio.core.network.architecture import Architecture, Branch, Item, Layer, Parallel, Residual
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import Op
from rfstudio.formats.networks.presets import read_preset
from rfstudio.formats.networks.yaml_reader import read_yaml
from tests.core.effective.sampled_energy import distance, sampled_energy
from tests.core.random_networks import random_network
from tests.each_preset import each_preset
from tests.narrowing import instance, present


def _conv(kernel: int = 3, channels: int = 16, **parameters: object) -> ops.Conv:
    values: dict[str, Any] = {"padding": kernel // 2, "out_channels": channels, **parameters}
    return ops.Conv(kernel_size=kernel, **values)


def _times(count: int, *items: Op | Item) -> list[Op | Item]:
    return list(items) * count


def _residual(*layers: Op) -> Residual:
    return Residual(tuple(map(Layer, layers)))


def _parallel(merge: Literal["concat", "add", "multiply"], *branches: tuple[Op, ...]) -> Parallel:
    return Parallel(tuple(Branch(tuple(map(Layer, x))) for x in branches), merge=merge)


def _network(
    items: Sequence[Op | Item], size: tuple[int, ...] = (16, 16), channels: int = 3
) -> Architecture:
    layers = tuple(x if isinstance(x, Item) else Layer(x) for x in items)
    return Architecture("test", "", "", size, channels, layers)


def _centre(graph: Graph, index: int) -> tuple[int, ...]:
    return tuple(n // 2 for n in graph.nodes[index].size)


def _expected(architecture: Architecture, **options: Any) -> Erf:
    graph = expand(architecture)
    assert not graph.faults
    index = len(graph.nodes) - 1
    return expected_erf(graph, index, _centre(graph, index), **options)


def _sigma(erf: Erf) -> float:
    return present(erf.metrics.sigma)[0]


RELU, NORM = ops.Relu(), ops.BatchNorm()
SILU, SWISH = ops.Silu(), ops.Hardswish()
LEAKY, DROP = ops.LeakyRelu(negative_slope=0.2), ops.Dropout()
MAX, UP = ops.MaxPool(kernel_size=2), ops.Upsample(scale_factor=2)

EXACT: dict[str, list[Op | Item]] = {
    "convolutions": [_conv(), _conv(5), _conv(2, padding=((0, 1), (1, 0)))],
    "conv and relu": [_conv(), RELU, _conv(), RELU, _conv(), RELU, _conv()],
    "strides, dilations and asymmetric padding": [
        _conv(stride=2),
        RELU,
        _conv(dilation=2, padding=((1, 2), (2, 0))),
        RELU,
        _conv(4, padding="same", stride=(2, 1)),
    ],
    "a pre-activation residual net": [
        _conv(),
        _residual(RELU, _conv(), RELU, _conv()),
        _residual(RELU, _conv(), RELU, _conv()),
        _residual(RELU, _conv()),
    ],
    "branches that are joined": [
        _conv(),
        _parallel("concat", (_conv(1, 8), RELU), (RELU, _conv(5, 24)), ()),
        _conv(),
        _parallel("add", (RELU, _conv()), (_conv(1),)),
    ],
    "groups and depthwise convolutions": [
        _conv(),
        RELU,
        _conv(groups="depthwise"),
        RELU,
        _conv(1),
        RELU,
        _conv(groups=4, channels=32),
    ],
    "leaky gates": [_conv(), ops.LeakyRelu(negative_slope=0.3), _conv(), ops.Prelu(), _conv()],
    "transposed convolution": [
        _conv(stride=2),
        RELU,
        ops.ConvTranspose(kernel_size=2, stride=2),
        RELU,
        _conv(),
    ],
    "interpolation": [
        _conv(stride=2),
        RELU,
        ops.Upsample(scale_factor=2, mode="bilinear"),
        _conv(),
    ],
    "cubic interpolation": [_conv(), RELU, ops.Upsample(size=(21, 24), mode="bicubic"), _conv()],
    "pixel shuffle": [
        _conv(stride=2, channels=64),
        ops.PixelShuffle(upscale_factor=2),
        RELU,
        _conv(),
    ],
    "pixel unshuffle": [_conv(channels=8), RELU, ops.PixelUnshuffle(downscale_factor=2), _conv()],
    "reflected borders": [_conv(), RELU, ops.Pad(padding=2, mode="reflect"), _conv(padding=0)],
    "one overlapping mean": [
        _conv(),
        RELU,
        ops.AvgPool(kernel_size=3, stride=2, padding=1),
        _conv(),
    ],
    "a classifier": [
        _conv(stride=2),
        RELU,
        ops.GlobalAvgPool(),
        ops.Flatten(),
        ops.Linear(out_features=10),
    ],
    "fully connected layers": [
        _conv(stride=4),
        RELU,
        ops.Flatten(),
        ops.Linear(out_features=20),
        RELU,
        ops.Linear(out_features=5),
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
def test_that_exact_maps_are_what_samples_tend_to(name: str) -> None:
    architecture = _network(EXACT[name])
    erf = _expected(architecture)
    assert erf.exact, erf.notes
    assert erf.notes == ()
    count = 1600
    sampled = sampled_energy(architecture, erf.layer, erf.unit, count)
    # 1.5/√N is what samples of exact classes come to; each also meets its own error.
    assert distance(sampled.mean, erf.map) < 1.5 / count**0.5
    assert abs(sampled.total - erf.map.sum()) < 4.5 * sampled.total_error
    seen = erf.map > 0
    assert (sampled.mean[~seen] == 0).all()
    surprise = (sampled.mean[seen] - erf.map[seen]) / np.maximum(sampled.error[seen], 1e-300)
    assert np.sqrt((surprise**2).mean()) < 1.6


# Distance of the maps that the model itself has, and share of the total it may be off.
APPROXIMATE: dict[str, tuple[list[Op | Item], float, float]] = {
    "post-activation skips": (
        [_conv(), RELU, *_times(3, _residual(_conv(), RELU, _conv()), RELU)],
        0.012,
        0.1,
    ),
    "skips between smooth activations": (
        [
            _conv(),
            SILU,
            _residual(_conv(), SILU, _conv()),
            SILU,
            _residual(_conv()),
            SWISH,
            _conv(),
        ],
        0.012,
        0.35,
    ),
    "skips between leaky gates and through norms": (
        [_conv(), LEAKY, _residual(_conv()), NORM, RELU, _residual(_conv()), DROP, RELU, _conv()],
        0.012,
        0.15,
    ),
    "skips after a concat of unlike branches": (
        [
            _conv(),
            RELU,
            _parallel(
                "concat", (_conv(3, 8), RELU), (ops.MaxPool(kernel_size=3, stride=1, padding=1),)
            ),
            *_times(3, _residual(_conv(3, 24), NORM, RELU, _conv(3, 24)), RELU),
        ],
        0.012,
        0.15,
    ),
    "a gate after the norm of gated values": (
        [
            _conv(),
            NORM,
            RELU,
            _parallel("concat", (ops.ConvTranspose(kernel_size=4, stride=2, padding=1),), (UP,)),
            NORM,
            RELU,
            _conv(),
        ],
        0.012,
        0.1,
    ),
    "a mean after an overlapping max pool": (
        [
            _conv(),
            RELU,
            ops.MaxPool(kernel_size=3, stride=1, padding=1),
            _conv(),
            RELU,
            ops.AvgPool(kernel_size=3, stride=1, padding=1),
            _conv(),
        ],
        0.03,
        0.15,
    ),
    "shuffled channels after a norm": (
        [
            _conv(),
            NORM,
            RELU,
            _conv(3, 64),
            ops.PixelShuffle(upscale_factor=2),
            NORM,
            RELU,
            _conv(),
        ],
        0.012,
        0.1,
    ),
    "batch norm": ([_conv(), NORM, RELU, _conv(), NORM, RELU, _conv(), NORM, RELU], 0.01, 0.1),
    "post-activation skips with batch norm": (
        [_conv(), NORM, RELU, *_times(3, _residual(_conv(), NORM, RELU, _conv(), NORM), RELU)],
        0.012,
        0.2,
    ),
    "pre-activation with batch norm": (
        [_conv(), *[_residual(NORM, RELU, _conv(), NORM, RELU, _conv())] * 3],
        0.012,
        0.1,
    ),
    "dense connections with batch norm": (
        [_conv(), *[_parallel("concat", (), (NORM, RELU, _conv(channels=8)))] * 3, NORM, RELU],
        0.012,
        0.1,
    ),
    "max pooling": (
        [_conv(), RELU, ops.MaxPool(kernel_size=2), _conv(), RELU, ops.MaxPool(kernel_size=2)],
        0.015,
        0.1,
    ),
    "max pooling before relu": (
        [_conv(), ops.MaxPool(kernel_size=3, stride=2), RELU, _conv()],
        0.012,
        0.1,
    ),
    "max pooling of leaky values": (
        [_conv(), LEAKY, ops.MaxPool(kernel_size=3, stride=2), _conv(), LEAKY, MAX, _conv()],
        0.045,
        0.12,
    ),
    "power averages": (
        [
            _conv(),
            ops.LpPool(norm_type=2, kernel_size=3, stride=2, ceil_mode=True),
            _conv(),
            RELU,
            ops.LpPool(norm_type=3, kernel_size=2),
            _conv(),
        ],
        0.05,
        0.15,
    ),
    "tanh, sigmoid and elu": (
        [_conv(), ops.Tanh(), _conv(), ops.Elu(), _conv(), ops.Sigmoid()],
        0.012,
        0.2,
    ),
    "gelu": ([_conv(), ops.Gelu(), _conv(), ops.Gelu(), _conv()], 0.012, 0.1),
    "silu and hard swish": (
        [_conv(), NORM, ops.Silu(), _conv(), NORM, ops.Hardswish(), _conv()],
        0.012,
        0.1,
    ),
    "layer norm": (
        [
            _conv(4, stride=4, padding=0, channels=32),
            _residual(
                _conv(7, 32, groups="depthwise"),
                ops.LayerNorm(),
                _conv(1, 64),
                ops.Gelu(),
                _conv(1, 32),
            ),
        ],
        0.015,
        0.15,
    ),
    "norms over the map": (
        [_conv(), ops.GroupNorm(num_groups=4), RELU, _conv(), ops.InstanceNorm(), RELU, _conv()],
        0.015,
        0.1,
    ),
    "norms of a concat of unlike branches": (
        [
            _conv(),
            NORM,
            RELU,
            _parallel("concat", (_conv(3, 8), RELU), (_conv(1, 8),)),
            _conv(3, 16, groups="depthwise"),
            ops.InstanceNorm(),
            _parallel("concat", (_conv(3, 8), RELU), (_conv(1, 8),)),
            ops.LayerNorm(),
            RELU,
            _conv(),
        ],
        0.025,
        0.15,
    ),
    "squeeze-and-excite": (
        [_conv(), NORM, RELU, _residual(_conv(), NORM, ops.SqueezeExcite(reduction=4)), RELU],
        0.015,
        0.15,
    ),
    "branches with pools": (
        [
            _conv(),
            RELU,
            *[
                _parallel(
                    "concat",
                    (_conv(1, 8), RELU),
                    (_conv(1, 8), RELU, _conv(3, 8), RELU),
                    (ops.MaxPool(kernel_size=3, stride=1, padding=1), _conv(1, 8), RELU),
                    (ops.AvgPool(kernel_size=3, stride=1, padding=1), _conv(1, 8), RELU),
                )
            ]
            * 2,
        ],
        0.015,
        0.15,
    ),
    "products": (
        [_conv(), _parallel("multiply", (_conv(), RELU), (_conv(), ops.Sigmoid())), _conv()],
        0.012,
        0.15,
    ),
    "local response norm": (
        [_conv(), RELU, ops.LocalResponseNorm(alpha=1.0, size=5), _conv(), RELU],
        0.012,
        0.25,
    ),
    "softmax": ([_conv(), ops.Softmax(), _conv()], 0.02, 0.3),
    "overlapping means one after the other": (
        [_conv(), RELU, *_times(2, ops.AvgPool(kernel_size=3, stride=1, padding=1), _conv(), RELU)],
        0.045,
        0.4,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", APPROXIMATE)
def test_that_models_stay_within_their_stated_floor(name: str) -> None:
    items, floor, share = APPROXIMATE[name]
    architecture = _network(items)
    erf = _expected(architecture)
    assert not erf.exact
    assert erf.notes
    assert all(x[0].isupper() and x.endswith(".") for x in erf.notes)
    count = 1000
    sampled = sampled_energy(architecture, erf.layer, erf.unit, count)
    noise = 1.1 / count**0.5
    assert distance(sampled.mean, erf.map) < (floor**2 + noise**2) ** 0.5 + 0.2 * noise
    assert sampled.total / erf.map.sum() == pytest.approx(1, abs=share)


@pytest.mark.slow
@pytest.mark.parametrize("windowed", [False, True])
def test_that_attention_stays_within_its_stated_floor(windowed: bool) -> None:
    norm = ops.LayerNorm()
    mix: Op = ops.WindowAttention(window_size=4, heads=4) if windowed else ops.Attention(heads=4)
    shifted: Op = ops.WindowAttention(window_size=4, shift=2, heads=4) if windowed else mix
    mlp = _residual(norm, _conv(1, 128), ops.Gelu(), _conv(1, 64))
    patches = _conv(4, 64, stride=4, padding=0)
    architecture = _network(
        [patches, _residual(norm, mix), mlp, _residual(norm, shifted), mlp], (32, 32), 8
    )
    erf = _expected(architecture)
    assert any("mix all its tokens equally" in x for x in erf.notes)
    sampled = sampled_energy(architecture, erf.layer, erf.unit, 800)
    assert distance(sampled.mean, erf.map) < 0.11
    assert sampled.total / erf.map.sum() == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize("unit", [(8, 8), (0, 0)])
@pytest.mark.parametrize(
    "windows", [((3, 1), (3, 1), (3, 1)), ((3, 2), (3, 1)), ((5, 1), (3, 2), (3, 2))]
)
def test_that_means_of_means_are_squares_of_their_composed_weights(
    windows: tuple[tuple[int, int], ...], unit: tuple[int, int]
) -> None:
    pools = [ops.AvgPool(kernel_size=k, stride=s, padding=k // 2) for k, s in windows]
    graph = expand(_network(list(pools)))
    last = len(graph.nodes) - 1
    place = tuple(min(x, n - 1) for x, n in zip(unit, graph.nodes[last].size, strict=True))
    energy = expected_erf(graph, last, place)
    # Without random weights each gradient is one number: the product of weights over all paths.
    weights = path_counts(graph, last, place).map
    np.testing.assert_allclose(
        energy.map, graph.nodes[0].channels * weights**2, rtol=1e-9, atol=1e-15
    )


def test_that_what_batch_norm_divides_by_can_be_chosen() -> None:
    items: list[Op | Item] = [_conv(), _residual(NORM, RELU, _conv(), NORM, RELU, _conv())]
    architecture = _network(items)
    fresh = _expected(architecture, batch_norm="fresh")
    assert fresh.exact
    assert fresh.options["batch_norm"] == "fresh"
    sampled = sampled_energy(architecture, fresh.layer, fresh.unit, 2400, batch_norm="fresh")
    assert distance(sampled.mean, fresh.map) < 1.5 / 2400**0.5
    warmed = _expected(architecture)
    # After warmed norms the branch is small against the skip, so the field is narrower.
    assert _sigma(warmed) < _sigma(fresh)
    train = _expected(architecture, batch_norm="train")
    assert (train.map > 0).all()


@pytest.mark.parametrize(("n", "pixels"), [(5, 109), (10, 241), (20, 517), (40, 1021)])
def test_that_the_root_has_the_sizes_of_luo_et_al(n: int, pixels: int) -> None:
    # Reproduced from Luo et al. 2016, arXiv:1701.04128: the rms map of random weights.
    layers: list[Op | Item] = [ops.Conv(kernel_size=3, padding=1, out_channels=4)] * n
    erf = _expected(_network(layers, (101, 101)))
    assert erf.exact
    root = type(erf.metrics)(np.sqrt(erf.map), erf.frame)
    assert root.luo_count == pixels
    # Rectifiers change the scale, not the form.
    layers = [x for layer in layers for x in (layer, RELU)]
    gated = _expected(_network(layers, (101, 101)))
    np.testing.assert_allclose(gated.map * 2.0**n, erf.map, rtol=1e-12)


@pytest.mark.parametrize(
    ("blocks", "sigma"), [(1, 1.11), (2, 1.31), (4, 1.58), (8, 1.90), (16, 2.23), (32, 2.58)]
)
def test_that_normalised_residual_nets_grow_as_the_root_of_the_logarithm(
    blocks: int, sigma: float
) -> None:
    # Measured by sampling when the design was written; one 3×3 convolution in front, two a block.
    block = _residual(NORM, RELU, _conv(channels=64), NORM, RELU, _conv(channels=64))
    erf = _expected(_network([_conv(channels=64), *[block] * blocks], (64, 64)))
    assert _sigma(erf) == pytest.approx(sigma, abs=0.1)


@pytest.mark.parametrize(
    ("n", "plain", "residual"),
    [(5, 1.83, 1.41), (10, 2.58, 1.83), (20, 3.65, 2.58), (40, 5.16, 3.65)],
)
def test_that_skips_shrink_the_field(n: int, plain: float, residual: float) -> None:
    # σ of n convolutions, plain and in residual blocks of two; from the design's measurements.
    conv = _conv(channels=8)
    straight = _expected(_network([conv] * n, (101, 101)))
    assert _sigma(straight) == pytest.approx(plain, abs=0.005)
    around = _expected(
        _network([conv] * (n % 2) + [_residual(RELU, conv, RELU, conv)] * (n // 2), (101, 101), 8)
    )
    assert _sigma(around) == pytest.approx(residual, abs=0.006)


@pytest.mark.parametrize("part", range(8))
def test_that_nothing_comes_from_outside_the_support(part: int) -> None:
    for seed in range(part, 400, 8):
        _, graph = random_network(seed, axes=(2, 1, 2, 3)[seed % 4])
        node = graph.nodes[-1]
        rng = random.Random(seed)
        for unit in [_centre(graph, node.index), tuple(rng.randrange(n) for n in node.size)]:
            erf = expected_erf(graph, node.index, unit)
            support = region_of_unit(graph, node.index, unit).mask()
            assert np.isfinite(erf.map).all(), (seed, unit)
            assert (erf.map >= 0).all(), (seed, unit)
            assert not (erf.map[~support]).any(), (seed, unit)
            assert erf.metrics.outside in (0.0, None)
            if not any(isinstance(x.op, _BLIND) for x in graph.nodes) and not _has_zeros(graph):
                np.testing.assert_array_equal(erf.map > 0, support, err_msg=str((seed, unit)))


_BLIND = (ops.DeformConv, ops.GroupNorm, ops.InstanceNorm)
"""Operations that pass back nothing from some places: offsets of 0, a norm of two values."""


def _has_zeros(graph: Graph) -> bool:
    """Return whether a product has a factor that is 0, of padding alone: no gradient passes it."""
    layers = energy_of(graph).layers
    factors = [i for x in graph.nodes if isinstance(x.op, ops.Multiply) for i in x.inputs]
    return any(moments.square == 0 for i in factors for _, moments in layers[i].runs)


@pytest.mark.parametrize("name", each_preset())
def test_that_every_preset_has_an_expected_field(name: str) -> None:
    graph = expand(read_preset(name))
    for index in sorted({len(graph.nodes) - 1, len(graph.nodes) // 2}):
        erf = expected_erf(graph, index, _centre(graph, index))
        assert erf.map.shape == graph.nodes[0].size
        assert np.isfinite(erf.map).all()
        assert erf.map.max() > 0
        assert erf.metrics.outside == 0


def test_that_measured_factors_replace_modelled_ones() -> None:
    architecture = _network([_conv(), RELU, _conv(), ops.MaxPool(kernel_size=2), NORM])
    graph = expand(architecture)
    plain = expected_erf(graph, 5, (4, 4))
    measured = expected_erf(graph, 5, (4, 4), gains={2: 0.25, 5: 3.0})
    ratio = 0.25 / 0.5 * 3.0 / instance(float, energy_of(graph).layers[5].backward.keep)
    np.testing.assert_allclose(measured.map, plain.map * ratio, rtol=1e-12)
    assert measured.options["gains"] == "measured"


def test_that_an_edge_of_a_skip_can_be_measured() -> None:
    graph = expand(_network([_conv(), RELU, _residual(_conv(), RELU, _conv()), RELU]))
    merge = graph.nodes[-2].index
    assert energy_of(graph).skips.keys() == {(merge, 2)}
    # Both gates of a skip are open together more often than if they did not know each other.
    assert 1.05 < instance(float, energy_of(graph).skips[merge, 2]) < 1.4
    severed = expected_erf(graph, merge + 1, (8, 8), gains={(merge, 2): 0.0})
    plain = expected_erf(graph, merge + 1, (8, 8))
    assert severed.map[8, 8] < plain.map[8, 8]
    assert severed.map[4, 8] == pytest.approx(plain.map[4, 8])


@pytest.mark.parametrize("name", ["resnet18", "googlenet"])
def test_that_a_layer_that_only_scales_has_the_field_of_what_it_reads(name: str) -> None:
    graph = expand(read_preset(name))
    sources = [source_of_same_field(graph, x.index) for x in graph.nodes[1:40]]
    found = [(i, source) for i, source in enumerate(sources, start=1) if source is not None]
    assert len(found) > 10
    for i, source in found[:4] + found[-4:]:
        unit = tuple(n // 2 for n in graph.nodes[i].size)
        own, other = (expected_erf(graph, x, unit).map for x in (i, source))
        np.testing.assert_allclose(own / own.sum(), other / other.sum(), rtol=1e-12)


def test_that_a_unit_of_a_sum_sees_what_its_terms_see() -> None:
    # The rectifier after the sum, which makes gates depend on each other, is not passed.
    block = _residual(_conv(), RELU, _conv())
    graph = expand(_network([_conv(), RELU, block, RELU]))
    merge = len(graph.nodes) - 2
    assert energy_of(graph).skips
    whole, *terms = [
        expected_erf(graph, i, (8, 8)).map for i in (merge, *graph.nodes[merge].inputs)
    ]
    np.testing.assert_allclose(whole, sum(terms), rtol=1e-12)


def test_that_the_field_of_a_layer_does_not_depend_on_what_was_asked_before() -> None:
    for seed in range(60):
        _, graph = random_network(seed)
        index = len(graph.nodes) // 2
        unit = _centre(graph, index)
        forget()
        alone = expected_erf(graph, index, unit)
        forget()
        expected_erf(graph, len(graph.nodes) - 1, _centre(graph, len(graph.nodes) - 1))
        after = expected_erf(graph, index, unit)
        np.testing.assert_array_equal(alone.map, after.map)
        assert alone.notes == after.notes


def test_that_no_depth_underflows() -> None:
    layers: list[Op | Item] = [x for _ in range(600) for x in (_conv(channels=4), ops.Sigmoid())]
    erf = _expected(_network(layers, (9, 9)))
    assert erf.exponent < 0
    assert np.isfinite(erf.map).all()
    assert erf.map.min() > 0


def test_that_the_reference_may_be_any_layer() -> None:
    architecture = _network([_conv(), RELU, _conv(), RELU, _conv()])
    graph = expand(architecture)
    erf = expected_erf(graph, 5, (8, 8), reference=2)
    assert erf.map.sum() == pytest.approx(16 * 2.0 * 16 / 16 * 1.0)
    assert erf.map[6:11, 6:11].sum() == pytest.approx(erf.map.sum())


def test_that_a_unit_that_is_not_there_is_refused() -> None:
    graph = expand(_network([_conv()]))
    with pytest.raises(UnitError, match="coordinates go from"):
        expected_erf(graph, 1, (16, 0))
    with pytest.raises(UnitError, match="2 coordinates"):
        expected_erf(graph, 1, (3,))


def test_that_a_unit_that_reads_only_padding_has_an_empty_field() -> None:
    mean = ops.AvgPool(kernel_size=3, stride=1, padding=((6, 0), (6, 0)))
    graph = expand(_network([mean, ops.AvgPool(kernel_size=3, stride=1)]))
    erf = expected_erf(graph, 2, (0, 0))
    assert not erf.map.any()
    assert erf.metrics.luo_size is None
    assert erf.metrics.as_dict()["outside"] is None


def test_that_batch_norm_in_training_sees_the_whole_map() -> None:
    network = _network([_conv(), NORM, RELU])
    erf = rfstudio.expected_erf(network, "relu1", (2, 2), batch_norm="train")
    assert (erf.map > 0).all()
    assert erf.metrics.outside == 0
    unknown: Any = "evaluated"
    with pytest.raises(rfstudio.RFStudioError, match="warmed, fresh, train"):
        rfstudio.expected_erf(network, "relu1", batch_norm=unknown)


def test_that_a_network_with_faults_is_no_reason_to_raise() -> None:
    layers = (
        Layer(_conv(), "a"),
        Layer(_conv(stride=2), "b"),
        Layer(ops.Add(), "c", ("a", "b")),
        Layer(_conv(), "d", ("c", "b")),
        Layer(ops.Concat(), "e"),
    )
    graph = expand(Architecture("faulty", "", "", (16, 16), 3, layers))
    assert graph.faults
    for node in graph.nodes:
        erf = expected_erf(graph, node.index, _centre(graph, node.index))
        assert np.isfinite(erf.map).all()


def test_that_the_public_function_needs_no_torch() -> None:
    code = (
        "import sys, rfstudio; erf = rfstudio.expected_erf('vgg16', 'conv3_3', unit=(20, 30));"
        "assert erf.map.shape == (224, 224); assert erf.metrics['outside'] == 0;"
        "assert 'torch' not in sys.modules and 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(rfstudio.RFStudioError, match="did you mean"):
        rfstudio.expected_erf("vgg16", "conv9_9")


def test_that_a_gate_of_large_maps_is_closed_without_a_warning() -> None:
    """The exponential of a sigmoid overflowed, which numpy wrote on the terminal."""
    scaled = "".join("  - affine: {factor: 1000}\n" for _ in range(3))
    network = read_yaml(
        "format: 1\ninput: {size: [9, 9], channels: 3}\nlayers:\n"
        "  - conv: {kernel_size: 3, padding: 1, out_channels: 8}\n"
        f"{scaled}  - squeeze_excite: {{name: gate, reduction: 1}}\n"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = rfstudio.expected_erf(network, "gate", (4, 4))
    assert np.isfinite(found.map).all()
