"""Path counts equal the gradients of networks whose weights are all 1."""

from __future__ import annotations

import random
from dataclasses import replace
from math import log2

import numpy as np
import pytest
import torch

import rfstudio
from rfstudio.core import ops
from rfstudio.core.effective.expected import path_counts
from rfstudio.core.errors import UnitError
from rfstudio.core.fields.backtrace import region_of_unit
from rfstudio.core.network.architecture import Architecture, Item, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph
from rfstudio.engine.module.build import to_torch
from tests.core.random_networks import random_network
from tests.narrowing import instance

SLICES = 8


def _stack(*layers: ops.Op, size: tuple[int, ...] = (41, 41)) -> Graph:
    return expand(Architecture("stack", "", "", size, 1, tuple(Layer(x) for x in layers)))


def _one_channel(architecture: Architecture) -> Architecture | None:
    """Return the network with one channel in every layer that chooses, if it still fits."""

    def narrow(layer: Item) -> Item:
        assert isinstance(layer, Layer)
        if isinstance(layer.op, ops.Conv | ops.ConvTranspose | ops.DeformConv):
            return replace(layer, op=replace(layer.op, out_channels=1, groups=1))
        if isinstance(layer.op, ops.Linear):
            return replace(layer, op=replace(layer.op, out_features=1))
        return layer

    narrowed = replace(architecture, channels=1, layers=tuple(map(narrow, architecture.layers)))
    graph = expand(narrowed)
    # One channel that is spread over those of a concat, or read in both directions, is read
    # several times.  A part of the channels of a concat leaves out paths, but a map with one
    # channel has no such part: its paths count as those of its support do, for all channels.
    spreads = any(
        isinstance(x.op, ops.Broadcast | ops.Recurrent | ops.ChannelSlice)
        and graph.nodes[x.inputs[0]].channels != x.channels
        for x in graph.nodes
    )
    return None if graph.faults or spreads else narrowed


def _units(seed: int, size: tuple[int, ...]) -> list[tuple[int, ...]]:
    rng = random.Random(seed)
    return [tuple(n // 2 for n in size), tuple(rng.randrange(n) for n in size)]


def _gradient(module, graph: Graph, unit: tuple[int, ...]) -> np.ndarray:
    x = torch.zeros((1, 1, *graph.nodes[0].size), dtype=torch.float64, requires_grad=True)
    y = module(x)[(0, slice(None), *unit)].sum()
    if not y.requires_grad:
        return np.zeros(graph.nodes[0].size)
    (gradient,) = torch.autograd.grad(y, x)
    return gradient[0, 0].numpy()


@pytest.mark.parametrize("part", range(SLICES))
def test_that_counts_are_the_gradient_of_the_network_with_all_weights_one(part: int) -> None:
    compared = 0
    for seed in range(part, 320, SLICES):
        architecture, _ = random_network(seed, axes=(2, 1, 2, 3)[seed % 4])
        narrowed = _one_channel(architecture)
        if narrowed is None:
            continue
        graph = expand(narrowed)
        node = graph.nodes[-1]
        module = to_torch(narrowed, node.name, weights="ones", positive=True, dtype=torch.float64)
        for unit in _units(seed, node.size):
            wanted = _gradient(module, graph, unit)
            found = path_counts(graph, node.index, unit, means=False)
            np.testing.assert_allclose(found.map, wanted, rtol=1e-13, err_msg=str((seed, unit)))
            compared += 1
    assert compared > 20


_LINEAR = (
    *(ops.Conv, ops.ConvTranspose, ops.AvgPool, ops.AdaptiveAvgPool, ops.Pad, ops.Crop),
    *(ops.Upsample, ops.Add, ops.Concat, ops.PixelUnshuffle, ops.BatchNorm),
    *(ops.Slice, ops.Roll, ops.Flip, ops.Tile),
)


def _is_plain(op: ops.Op) -> bool:
    """Whether torch has the operation, and it is linear and positive as it is."""
    if isinstance(op, ops.AvgPool) and op.ceil_mode:
        # A window over what negative padding cuts off: torch has no such thing.
        return not isinstance(op.padding, tuple) or bool(np.min(op.padding) >= 0)
    return isinstance(op, _LINEAR) and getattr(op, "mode", "") != "bicubic"


@pytest.mark.parametrize("part", range(SLICES))
def test_that_means_and_interpolations_keep_their_weights(part: int) -> None:
    compared = 0
    for seed in range(part, 1200, SLICES):
        architecture, _ = random_network(seed, layers=5, global_ops=False)
        if not all(_is_plain(instance(Layer, x).op) for x in architecture.layers):
            continue
        narrowed = _one_channel(architecture)
        if narrowed is None:
            continue
        graph = expand(narrowed)
        node = graph.nodes[-1]
        module = to_torch(narrowed, node.name, weights="ones", dtype=torch.float64)
        norms = sum(isinstance(x.op, ops.BatchNorm) for x in graph.nodes)
        for unit in _units(seed, node.size):
            found = path_counts(graph, node.index, unit)
            wanted = _gradient(module, graph, unit)
            # eps makes a fresh batch norm divide by √(1 + 1e-5) on some of the branches.
            np.testing.assert_allclose(
                found.map, wanted, rtol=1e-12 + 1e-5 * norms, err_msg=str((seed, unit))
            )
            compared += 1
    assert compared >= 6


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("means", [True, False])
def test_that_a_pixel_has_paths_exactly_if_it_is_in_the_support(part: int, means: bool) -> None:
    for seed in range(part, 400, SLICES):
        _, graph = random_network(seed, axes=(2, 1, 2, 3)[seed % 4])
        node = graph.nodes[-1]
        for unit in _units(seed, node.size):
            counts = path_counts(graph, node.index, unit, means=means)
            support = region_of_unit(graph, node.index, unit).mask()
            np.testing.assert_array_equal(counts.map > 0, support, err_msg=str((seed, unit)))
            assert counts.metrics.outside in (0.0, None)


@pytest.mark.parametrize(("n", "pixels"), [(5, 69), (10, 137), (20, 261), (40, 517)])
def test_that_uniform_stacks_have_the_sizes_of_luo_et_al(n: int, pixels: int) -> None:
    # Reproduced from Luo et al. 2016, arXiv:1701.04128: pixels above 1 − 0.9545 of the centre.
    graph = _stack(*[ops.Conv(kernel_size=3, padding=1)] * n, size=(101, 101))
    counts = path_counts(graph, n, (50, 50))
    assert counts.metrics.luo_count == pixels
    assert counts.metrics.luo_size == pytest.approx(pixels**0.5)
    # Variances of windows add up: σ² = n (k² − 1) / 12.
    assert counts.metrics.sigma == pytest.approx([(n * 8 / 12) ** 0.5] * 2, rel=1e-9)


def test_that_counts_of_a_small_network_are_whole_numbers() -> None:
    graph = _stack(
        ops.Conv(kernel_size=2), ops.AvgPool(kernel_size=2), ops.Conv(kernel_size=2), size=(7, 7)
    )
    counts = path_counts(graph, 3, (0, 0), means=False).map
    line = np.array([1, 2, 2, 2, 1, 0, 0])
    np.testing.assert_array_equal(counts, np.outer(line, line))
    means = path_counts(graph, 3, (0, 0)).map
    np.testing.assert_array_equal(means, np.outer(line, line) / 4)


def test_that_no_depth_overflows() -> None:
    graph = _stack(*[ops.Conv(kernel_size=3, padding=1, bias=False)] * 1500, size=(9, 9))
    counts = path_counts(graph, 1500, (4, 4))
    assert counts.exponent > 0
    assert np.isfinite(counts.map).all()
    assert (counts.map > 0).all()
    # In a box of 9 samples the count grows by the largest eigenvalue of the path graph's matrix.
    growth = 2 * log2(1 + 2 * np.cos(np.pi / 10))
    total = log2(counts.map.sum()) + counts.exponent
    assert total == pytest.approx(1500 * growth, abs=2)


def test_that_a_long_window_counts_like_its_taps_one_by_one() -> None:
    graph = _stack(ops.Conv(kernel_size=(31, 13), dilation=(1, 2), padding=15), size=(41, 45))
    counts = path_counts(graph, 1, (3, 20)).map
    rows = np.zeros(41)
    rows[:19] = 1
    columns = np.zeros(45)
    columns[20 - 15 : 20 - 15 + 25 : 2] = 1
    np.testing.assert_array_equal(counts, np.outer(rows, columns))


def test_that_the_reference_may_be_any_layer() -> None:
    graph = _stack(*[ops.Conv(kernel_size=3, padding=1)] * 4)
    whole = path_counts(graph, 2, (20, 20))
    later = path_counts(graph, 4, (20, 20), reference=2)
    np.testing.assert_array_equal(later.map, whole.map)
    assert later.metrics.offset == pytest.approx((0, 0))


def test_that_a_unit_that_is_not_there_is_refused() -> None:
    graph = _stack(ops.Conv(kernel_size=3))
    with pytest.raises(UnitError, match="coordinates go from"):
        path_counts(graph, 1, (39, 0))


def test_that_the_public_function_takes_names_and_the_centre_unit() -> None:
    counts = rfstudio.path_counts("luo_20_layers", "stack.19.conv")
    assert counts.unit == (50, 50)
    assert counts.estimator == "path count"
    assert counts.map.sum() == pytest.approx(9.0**20, rel=1e-12)
    np.testing.assert_array_equal(np.asarray(counts), counts.map)
    with pytest.raises(rfstudio.RFStudioError, match="did you mean"):
        rfstudio.path_counts("vgg16", "conv3_33")
