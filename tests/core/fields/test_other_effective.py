"""Effective sizes by widely read rules, from the numbers of the layer itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import rfstudio
from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer


def _sizes(dilations: Sequence[int], size: float, strides: Sequence[int] = ()) -> dict[str, str]:
    steps = strides or [1] * len(dilations)
    layers = tuple(
        Layer(ops.Conv(kernel_size=3, padding=d, dilation=d, stride=s, out_channels=2))
        for d, s in zip(dilations, steps, strict=True)
    )
    layer = analyze(Architecture("n", "", "", (64, 64), 1, layers)).layers[-1]
    return {x.value: x.reason for x in layer.other_effective_sizes(size) if x.about == "ERF size"}


def test_that_a_plain_stack_grows_as_the_root_and_not_as_its_field() -> None:
    # Five layers of 3×3: √69 pixels, published; the field is 11.
    found = _sizes([1] * 5, 69**0.5)
    assert list(found) == ["11"]
    assert "here 8.31, 75.5 % of the field" in found["11"]


@pytest.mark.parametrize(
    ("dilations", "strides"), [([1, 2, 4, 8], ()), ([1, 1, 1, 1], [2, 2, 1, 1])]
)
def test_that_the_root_of_the_depth_is_for_plain_stacks(dilations, strides) -> None:
    # By hand: 4.406·√(4·(9 − 1)/12) = 7.2.
    found = _sizes(dilations, 20.0, strides)
    assert "for plain stacks; dilations 1, 2, 4 … keep the ratio, strides" in found["7.2"]
    assert "4.406·√(Σ (k² − 1)/12) over 4 windows" in found["7.2"]
    assert "7.2" not in _sizes(dilations, 7.2, strides)


def test_that_a_line_has_the_width_of_its_own_bell() -> None:
    network = rfstudio.load("wavenet")
    layer = rfstudio.analyze(network).layers[-1]
    # The bell is above 4.55 % of its peak within 2.486 σ to either side.
    reasons = [x.reason for x in layer.other_effective_sizes(2300.0)]
    assert any("4.972·√" in x for x in reasons)


def test_that_snippets_are_named_where_no_size_can_be_said() -> None:
    network = Architecture("n", "", "", (8, 8), 1, (Layer(ops.GlobalAvgPool(), "pool"),))
    (other,) = analyze(network)["pool"].other_effective_sizes(8.0)
    assert other.about == "measured"
    assert "lacks requires_grad" in other.reason
