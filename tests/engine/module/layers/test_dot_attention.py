"""Attention without projections: between the layers of them it is the attention that has its own.

Those modules are compared with `nn.MultiheadAttention` and with Swin's elsewhere.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.pytorch.source import write_pytorch

_WIDE = ops.Conv(kernel_size=1, out_channels=24)
_BACK = ops.Conv(kernel_size=1)


def _networks(whole: ops.Op, bare: ops.Op, *first: Layer) -> tuple[Architecture, Architecture]:
    size = (6, 5)
    last = Layer(ops.GlobalAvgPool(), "last", ("out.extra",)) if first else Layer(ops.Identity())
    parts = (Layer(_WIDE, "qkv"), Layer(bare, "bare"), Layer(_BACK, "out"))
    return (
        Architecture(input_size=size, channels=8, layers=(*first, Layer(whole, "out"), last)),
        Architecture(input_size=size, channels=8, layers=(*first, *parts, last)),
    )


_TOKENS = Layer(ops.Tokens(extra=2, position_embedding=False), "tokens")
_CASES: dict[str, tuple[ops.Op, ops.Op, tuple[Layer, ...]]] = {
    "whole": (ops.Attention(heads=2), ops.DotProductAttention(heads=2, stacked=True), ()),
    "tokens": (ops.Attention(heads=4), ops.DotProductAttention(heads=4, stacked=True), (_TOKENS,)),
    "windows": (
        ops.WindowAttention(window_size=(4, 3), shift_size=(1, 2), heads=2),
        ops.DotProductAttention(
            heads=2,
            stacked=True,
            window_size=(4, 3),
            shift_size=(1, 2),
            relative_position_bias=True,
        ),
        (),
    ),
}


@pytest.mark.parametrize("case", _CASES.values(), ids=_CASES)
def test_that_between_projections_it_is_attention(case: Any) -> None:
    whole, bare, first = case
    one, other = _networks(whole, bare, *first)
    theirs, ours = (to_torch(x, dtype=torch.float64, seed=3) for x in (one, other))
    state = theirs.state_dict()
    found = {}
    for name, x in ours.state_dict().items():
        source = {"qkv": ("in_proj_", "qkv."), "out": ("out_proj.", "proj.")}
        layer, _, part = name.rpartition(".")
        layer = layer.rpartition(".")[2]
        tried = [k for k in state for y in source.get(layer, ()) if k.endswith("." + y + part)]
        tried += [k for k in state if k.endswith("." + part) and layer not in source]
        found[name] = torch.randn_like(x) if "table" in name else state[tried[0]].reshape(x.shape)
        if "table" in name:
            state[tried[0]] = found[name]
    ours.load_state_dict(found)
    theirs.load_state_dict(state)
    image = torch.randn(2, 8, 6, 5, dtype=torch.float64)
    torch.testing.assert_close(ours(image), theirs(image), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", _CASES.values(), ids=_CASES)
def test_that_its_source_computes_the_same(case: Any) -> None:
    whole, bare, first = case
    _, network = _networks(whole, bare, *first)
    ours = to_torch(network, seed=1)
    scope: dict[str, Any] = {}
    exec(write_pytorch(network), scope)
    theirs = scope["Untitled"]()
    wanted = list(ours.state_dict().values())
    names = list(theirs.state_dict())
    theirs.load_state_dict(dict(zip(names, wanted, strict=True)))
    image = torch.randn(1, 8, 6, 5)
    found = theirs(image)
    found = found[-1] if isinstance(found, tuple) else found
    torch.testing.assert_close(found.flatten(), ours(image).flatten())


def test_that_it_costs_what_attention_costs_beyond_its_projections() -> None:
    for whole, bare, first in _CASES.values():
        counts = []
        for network in _networks(whole, bare, *first):
            graph = expand(network)
            costs = [
                x.op.costs(
                    graph.nodes[x.inputs[0]].channels,
                    x.channels,
                    graph.nodes[x.inputs[0]].size,
                    x.size,
                )
                for x in graph.nodes
                if x.op is not None and x.index not in graph.weights_of
            ]
            counts.append(sum(x.parameters for x in costs))
        assert counts[0] == counts[1]


@pytest.mark.parametrize(("channels", "heads"), [(8, 1), (9, 2)])
def test_that_channels_that_cannot_be_divided_are_refused(channels: int, heads: int) -> None:
    op = ops.DotProductAttention(heads=heads, stacked=True)
    network = Architecture(input_size=(4, 4), channels=channels, layers=(Layer(op),))
    (fault,) = expand(network).faults
    assert f"do not divide {channels} channels" in fault.message
