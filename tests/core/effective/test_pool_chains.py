"""Max pools directly after each other: one pool of all that they read."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Window
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.effective.pool_chains import without_chains
from rfstudio.core.fields.backtrace import region_of_unit
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import Op
from tests.core.effective.sampled_energy import distance, sampled_energy
from tests.narrowing import instance

POOL = ops.MaxPool(kernel_size=5, stride=1, padding=2)


def _network(items: list[Op], size: tuple[int, ...] = (16, 16)) -> Architecture:
    return Architecture("test", "", "", size, 3, tuple(map(Layer, items)))


def _conv(kernel: int = 3) -> ops.Conv:
    return ops.Conv(out_channels=16, kernel_size=kernel, padding=kernel // 2)


def _random_pools(seed: int) -> Graph:
    rng = random.Random(seed)
    pools: list[Op] = []
    for _ in range(rng.choice([2, 2, 3])):
        kernel = rng.randint(1, 5)
        before, after = (rng.randint(-1, kernel // 2) for _ in range(2))
        pools.append(
            ops.MaxPool(
                kernel_size=kernel,
                stride=rng.randint(1, 3),
                padding=((before, after),),
                dilation=rng.choice([1, 1, 1, 2]),
                ceil_mode=rng.random() < 0.3,
            )
        )
    return expand(_network(pools, (rng.randint(9, 24),)))


def test_that_a_joined_pool_reads_what_the_chain_reads_and_nothing_else() -> None:
    joined = 0
    for seed in range(600):
        graph = _random_pools(seed)
        if graph.faults:
            continue
        short = without_chains(graph)
        last = len(graph.nodes) - 1
        joined += short is not graph
        assert [x.size for x in short.nodes] == [x.size for x in graph.nodes]
        for i in range(graph.nodes[last].size[0]):
            before, after = (region_of_unit(x, last, (i,)).mask() for x in (graph, short))
            np.testing.assert_array_equal(before, after, err_msg=f"{seed}: unit {i}")
    assert joined > 60


def test_that_a_chain_of_three_reads_what_stands_in_front_of_it() -> None:
    graph = expand(_network([_conv(), POOL, POOL, POOL]))
    short = without_chains(graph)
    assert [node.inputs for node in short.nodes[2:]] == [(1,), (1,), (1,)]
    windows = [instance(Window, node.rules[0]) for node in short.nodes[2:]]
    assert [x.kernel for x in windows] == [5, 9, 13]


def test_that_each_sample_in_front_of_a_chain_is_the_largest_equally_often() -> None:
    graph = expand(_network([POOL, POOL], (32, 32)))
    map_ = expected_erf(graph, 2, (16, 16)).map
    assert (map_ > 0).sum() == 81
    np.testing.assert_allclose(map_[map_ > 0], 3 / 81, rtol=1e-12)


@pytest.mark.parametrize("front", [[ops.Relu()], [ops.BatchNorm(), ops.Silu()]])
@pytest.mark.slow
def test_that_samples_see_through_a_chain_as_the_closed_form_does(front: list[Op]) -> None:
    architecture = _network([_conv(), *front, POOL, POOL, POOL, _conv()])
    graph = expand(architecture)
    erf = expected_erf(graph, len(graph.nodes) - 1, (8, 8))
    sampled = sampled_energy(architecture, erf.layer, erf.unit, 800)
    noise = (2 / np.pi) ** 0.5 * sampled.error.sum() / sampled.mean.sum()
    # 0.45 pool by pool; the border, whose values are smaller, is left: it is seldom the largest.
    assert distance(sampled.mean, erf.map) < 1.25 * noise < 0.1
    assert sampled.total / erf.map.sum() == pytest.approx(1, abs=0.1)


def test_that_the_map_between_two_pools_may_be_the_reference() -> None:
    graph = expand(_network([_conv(), POOL, POOL, _conv(1)]))
    map_ = expected_erf(graph, 4, (8, 8), reference=2).map
    assert (map_ > 0).sum() == 25
    # Of all energy that reaches the second pool, the first passes on all as well.
    assert map_.sum() == pytest.approx(expected_erf(graph, 4, (8, 8), reference=1).map.sum())


def test_that_a_chain_of_growing_windows_fills_no_memory() -> None:
    pool = ops.MaxPool(kernel_size=2, stride=1, padding=1)
    graph = expand(_network([pool] * 300, (64, 64)))
    tracemalloc.start()
    try:
        field = expected_erf(graph, 300, (182, 9))
        # A table of one of the last windows has three megabytes, and there are 300 of them.
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()
    assert field.map.sum() > 0
