"""Parameters and multiply-adds equal torch's own counts, layer by layer, for every preset.

Each layer that costs something is built once more from `torch.nn` alone, on the meta device,
where `torch.utils.flop_counter` counts without computing.
"""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from rfstudio.core import ops
from rfstudio.core.fields.analysis import LayerAnalysis, analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import padding_per_axis, per_axis
from rfstudio.core.ops.geometry import resolved_padding
from rfstudio.core.ops.several_maps import CrossAttending
from rfstudio.core.ops.tokens import ExtraTokens
from rfstudio.formats.networks.presets import read_preset
from tests.core.random_networks import random_network
from tests.each_preset import each_preset


def _padded(image: torch.Tensor, pads: tuple[tuple[int, int], ...]) -> torch.Tensor:
    return functional.pad(image, [x for pair in reversed(pads) for x in pair])


def _convolution(op, source: Node, image):
    axes = len(source.size)
    kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]  # torch types a tuple of each length
    module = kind(
        source.channels,
        op.out_channels or source.channels,
        per_axis(op.kernel_size, axes),
        per_axis(op.stride, axes),
        dilation=per_axis(op.dilation, axes),
        groups=source.channels if op.groups == "depthwise" else op.groups,
        bias=op.bias,
    )
    return module, lambda: module(_padded(image, resolved_padding(op, source.size)))


def _transposed(op, source: Node, image):
    axes = len(source.size)
    kind: Any = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[axes - 1]
    module = kind(
        source.channels,
        op.out_channels or source.channels,
        per_axis(op.kernel_size, axes),
        per_axis(op.stride, axes),
        padding=[max(min(x), 0) for x in padding_per_axis(op.padding, axes)],
        dilation=per_axis(op.dilation, axes),
        groups=source.channels if op.groups == "depthwise" else op.groups,
        bias=op.bias,
    )
    return module, lambda: module(image)


def _attention(op, source: Node, image):
    module = nn.MultiheadAttention(source.channels, op.heads, batch_first=True)
    if op.axes is None:
        tokens = image.flatten(2).transpose(1, 2)
    else:
        (axis,) = op.axes
        tokens = image.movedim(1, -1).movedim(1 + axis, -2).flatten(0, -3)
    # In training mode torch takes the plain path, of which all products are counted.
    return module.train(), lambda: module(tokens, tokens, tokens)


def _along_axes(op, source: Node, image):
    along = op.along(len(source.size))
    made = op.outs(source.size)
    module = nn.Linear(prod(source.size[x] for x in along), prod(made[x] for x in along), op.bias)
    last = list(range(-len(along), 0))
    lines = image.movedim([2 + x for x in along], last).flatten(last[0])
    return module, lambda: module(lines)


def _squeeze_excite(op, source: Node, image):
    hidden = op.squeeze_channels or source.channels // op.reduction
    module = nn.Sequential(
        nn.Linear(source.channels, hidden), nn.ReLU(), nn.Linear(hidden, source.channels)
    )
    return module, lambda: module(image.flatten(2).mean(2))


def _as_in_torch(layer: LayerAnalysis, source: Node):
    """Return the layer made of `torch.nn` alone, and what calls it once."""
    op = layer.operation
    image = torch.empty((1, source.channels, *source.size))
    match op:
        case ops.Conv():
            return _convolution(op, source, image)
        case ops.ConvTranspose():
            return _transposed(op, source, image)
        case ops.Attention():
            return _attention(op, source, image)
        case ops.SqueezeExcite():
            return _squeeze_excite(op, source, image)
        case ops.Linear():
            module = nn.Linear(source.channels * prod(source.size), op.out_features, op.bias)
            return module, lambda: module(image.flatten(1))
        case ops.AxisLinear():
            return _along_axes(op, source, image)
        case ops.BatchNorm(affine=True, scale=True):
            return nn.BatchNorm2d(source.channels), None
        case ops.LayerNorm(elementwise_affine=True):
            return nn.LayerNorm(source.channels), None
        case ops.GroupNorm():
            return nn.GroupNorm(op.num_groups, source.channels, affine=op.affine), None
        case ops.InstanceNorm():
            return nn.InstanceNorm2d(source.channels, affine=op.affine), None
        case ops.Prelu():
            return nn.PReLU(op.num_parameters), None
        case ops.LayerScale(scale=True, shift=True, shared=False):
            return nn.LayerNorm(source.channels), None
        case ops.LayerScale(
            scale=True, shift=False, shared=False
        ):  # an affine norm's scale is as many parameters
            return nn.LayerNorm(source.channels, bias=False), None
    return None


def _compare(layer: LayerAnalysis, source: Node) -> bool:
    with torch.device("meta"):
        found = _as_in_torch(layer, source)
        if found is None:
            return False
        module, call = found
        assert layer.parameters == sum(x.numel() for x in module.parameters()), layer.name
        if call is None:
            assert layer.macs == 0, layer.name
            return True
        with FlopCounterMode(display=False) as counter:
            call()
        assert layer.macs * 2 == counter.get_total_flops(), layer.name
        return True


_NOT_IN_TORCH = (
    *(ops.Custom, ops.WindowAttention, ops.DeformConv, ops.BatchNorm),
    ops.Recurrent,  # one kernel, which torch's counter knows nothing of
    *(ops.Tokens, ExtraTokens),  # tables
    CrossAttending,  # of several maps; the total of vit_b16 is torchvision's, in the golden rows
)


@pytest.mark.parametrize("name", each_preset())
def test_that_costs_of_presets_are_those_that_torch_counts(name: str) -> None:
    analysis = analyze(read_preset(name))
    nodes = analysis.graph.nodes
    seen = set()
    for layer in analysis.layers:
        source = nodes[layer.node.inputs[0]]
        key = (layer.operation, source.channels, source.size)
        if key in seen or not (layer.parameters or layer.macs):
            continue
        if layer.node.index in analysis.graph.weights_of:
            continue  # the weights are those of another layer, and counted there
        seen.add(key)
        compared = _compare(layer, source)
        assert compared or isinstance(layer.operation, _NOT_IN_TORCH), layer.name
    assert seen


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_that_costs_of_random_networks_are_those_that_torch_counts(axes: int) -> None:
    compared = 0
    for seed in range(80):
        architecture, graph = random_network(seed + 40_000, axes=axes)
        for layer in analyze(architecture).layers:
            compared += _compare(layer, graph.nodes[layer.node.inputs[0]])
    assert compared > 50


def test_that_window_attention_costs_its_projections_and_the_pairs_in_its_windows() -> None:
    # Liu et al. 2021, arXiv:2103.14030, equation 2: 4 h w C² + 2 M² h w C, for windows that tile
    # the map; its relative position bias has (2M − 1)² values a head.
    op = ops.WindowAttention(window_size=7, heads=3)
    layer = analyze(_one(op, (56, 56), 96))["window_attention1"]
    assert layer.macs == 4 * 56 * 56 * 96**2 + 2 * 7**2 * 56 * 56 * 96
    assert layer.parameters == 4 * 96 * 96 + 4 * 96 + 13 * 13 * 3


def test_that_grid_attention_costs_as_windows_of_its_grid_do() -> None:
    # Tu et al. 2022, arXiv:2204.01697, section 3.2: a grid of G×G costs what windows of G×G do.
    of_grid = analyze(_one(ops.GridAttention(grid=7, heads=3), (56, 56), 96))["grid_attention1"]
    of_windows = analyze(_one(ops.WindowAttention(window_size=7, heads=3), (56, 56), 96))
    of_window = of_windows["window_attention1"]
    assert (of_grid.macs, of_grid.parameters) == (of_window.macs, of_window.parameters)


def _one(op, size, channels):
    return Architecture("one", "", "", size, channels, (Layer(op),))
