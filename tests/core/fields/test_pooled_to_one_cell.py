"""A map pooled to one cell by an adaptive pool is seen whole, as after a global pool."""

from __future__ import annotations

from dataclasses import replace

import pytest

import rfstudio
from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer

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


def test_that_resnet50_has_the_same_largest_field_with_either_pool() -> None:
    preset = rfstudio.load("resnet50")
    pool = Layer(ops.AdaptiveAvgPool(output_size=1), "avgpool")
    items = tuple(pool if x.name == "avgpool" else x for x in preset.layers)
    assert items != preset.layers
    for network in (preset, replace(preset, layers=items)):
        layer = analyze(network).largest_local_field
        assert layer is not None
        assert (layer.name, layer.rf_size) == ("layer4.rest.1.conv2", (427, 427))
