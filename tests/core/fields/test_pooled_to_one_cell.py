"""A map pooled to one cell by an adaptive pool is seen whole, as after a global pool."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import rfstudio
from rfstudio.core import ops
from rfstudio.core.errors import OpError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from tests.core.oracle import paths, seen_on

POOLS = [ops.AdaptiveAvgPool(output_size=1), ops.AdaptiveMaxPool(output_size=1)]


def _network(pool: ops.Op) -> Architecture:
    """J_adaptive of the public questions."""
    items = (
        Layer(ops.Conv(kernel_size=3, stride=2, padding=1, out_channels=8), "a"),
        Layer(ops.Conv(kernel_size=3, stride=2, padding=1), "b"),
        Layer(pool, "pool"),
        Layer(ops.Conv(kernel_size=1, out_channels=10), "head"),
    )
    return Architecture("pooled", "", "", (64, 64), 3, items)


@pytest.mark.parametrize("size", [64, 96])
@pytest.mark.parametrize("pool", POOLS)
def test_that_one_cell_sees_the_whole_axis_at_any_size(pool, size) -> None:
    analysis = analyze(_network(pool), input_size=(size, size))
    usual = analyze(_network(ops.GlobalAvgPool()), input_size=(size, size))
    for name in ("pool", "head"):
        assert analysis[name].is_global == (True, True)
        assert analysis[name].local is None
        assert analysis.unit(name, (0, 0)).visible_region == ((0, size - 1),) * 2
    assert [(x.code, x.message) for x in analysis.diagnostics] == [
        (x.code, x.message) for x in usual.diagnostics
    ]


def test_that_one_axis_alone_may_be_pooled_to_one_cell() -> None:
    layer = analyze(_network(ops.AdaptiveAvgPool(output_size=(4, 1))))["pool"]
    assert layer.is_global == (False, True)
    assert layer.jump == (16, None)
    assert layer.local is not None
    assert layer.local.rf_size == (19, None)


@pytest.mark.parametrize("kind", [ops.AdaptiveAvgPool, ops.AdaptiveMaxPool])
def test_that_an_axis_of_one_sample_that_is_kept_is_not_pooled(kind) -> None:
    """`None` is the size that there is, so that each sample is a cell of its own."""
    squeeze = Layer(ops.Conv(kernel_size=(3, 5)), "squeeze")
    pool = Layer(kind(output_size=(1, None)), "pool")
    analysis = analyze(Architecture("kept", "", "", (9, 5), 1, (squeeze, pool)))
    layer = analysis["pool"]
    assert layer.output_size == (1, 1)
    assert layer.is_global == (True, False)
    assert layer.rf_size == (None, 5)
    (way,) = paths(analysis.graph, layer.index)
    assert seen_on(analysis.graph, way, 1, 0) == seen_on(analysis.graph, way[:-1], 1, 0)


def test_that_resnet50_has_the_same_largest_field_with_either_pool() -> None:
    preset = rfstudio.load("resnet50")
    pool = Layer(ops.AdaptiveAvgPool(output_size=1), "avgpool")
    items = tuple(pool if x.name == "avgpool" else x for x in preset.layers)
    assert items != preset.layers
    for network in (preset, replace(preset, layers=items)):
        layer = analyze(network).largest_local_field
        assert layer is not None
        assert (layer.name, layer.rf_size) == ("layer4.rest.1.conv2", (427, 427))


@pytest.mark.parametrize("size", [(40, 64), (20, 96)])
def test_that_null_keeps_an_axis_as_it_is(size) -> None:
    # D_axis of the public questions: rows 9 … 11 × all columns, one file for both sizes.
    network = read_yaml(
        "format: 1\n"
        "input: {size: [40, 64], channels: 1}\n"
        "layers:\n"
        "  - conv: {kernel_size: 3, padding: 1, out_channels: 8}\n"
        "  - adaptive_avg_pool: {name: pool, output_size: [null, 1]}\n"
    )
    assert read_yaml(write_yaml(network)) == network
    analysis = analyze(network, input_size=size)
    layer = analysis["pool"]
    assert layer.output_size == (size[0], 1)
    assert layer.rf_size == (3, None)
    assert analysis.unit("pool", (10, 0)).visible_region == ((9, 11), (0, size[1] - 1))
    module = rfstudio.to_torch(network)
    assert module(torch.zeros(1, 1, *size)).shape[2:] == (size[0], 1)
    assert rfstudio.expected_erf(network, "pool", (10, 0), input_size=size).map.sum() > 0


def test_that_an_output_size_keeps_not_every_axis() -> None:
    with pytest.raises(OpError, match="output_size must be"):
        ops.AdaptiveAvgPool(output_size=(None, None))
