"""How windows are cut from maps, and the gradients that come back from there."""

from __future__ import annotations

import pytest
import torch

from rfstudio.engine.module.boxes import Box, Part, fetch

PART = Part((40, 30), ((5, 17), (0, 11)))


@pytest.mark.parametrize(
    ("bounds", "pad"),
    [
        (((7, 12), (2, 9)), True),
        (((3, 12), (-2, 9)), True),
        (((3, 19), (2, 13)), True),
        (((3, 19), (2, 13)), False),
        (((5, 17), (0, 11)), True),
    ],
    ids=["inside", "left before", "left behind", "left to the caller", "all"],
)
def test_that_a_cut_keeps_the_layout_of_a_map_in_both_directions(bounds: Box, pad: bool) -> None:
    drawn = torch.randn(2, 3, 12, 11).contiguous(memory_format=torch.channels_last)
    x = drawn.requires_grad_()
    found = fetch(PART, bounds, -1.0, pad=pad)(x)
    (gradient,) = torch.autograd.grad(found, x, torch.ones_like(found))
    for tensor in (found, gradient):
        assert tensor.is_contiguous(memory_format=torch.channels_last)
    inside = [(max(a, b), min(c, d)) for (a, c), (b, d) in zip(bounds, PART.box, strict=True)]
    rows, columns = (slice(a - b, c - b) for (a, c), (b, _) in zip(inside, PART.box, strict=True))
    wanted = torch.zeros_like(x)
    wanted[:, :, rows, columns] = 1
    assert torch.equal(gradient, wanted)
    spans = bounds if pad else inside
    whole = torch.full((2, 3, *(b - a for a, b in spans)), -1.0)
    places = tuple(slice(a - c, b - c) for (a, b), (c, _) in zip(inside, spans, strict=True))
    whole[(slice(None), slice(None), *places)] = x.detach()[:, :, rows, columns]
    assert torch.equal(found, whole)
