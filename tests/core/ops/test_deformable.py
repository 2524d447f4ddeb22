"""Deformable convolutions that read their offsets and masks from layers."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.editing.edits import set_inputs
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.core.ops import Op
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml


def _conv(name: str, out: int, source: str = "stem", stride: int = 1) -> Layer:
    op = ops.Conv(kernel_size=3, padding=1, out_channels=out, stride=stride)
    return Layer(op, name, (source,))


def _network(op: ops.DeformConv, *others: Layer, after: tuple[Layer, ...] = ()) -> Architecture:
    """Return a network whose deformable convolution reads these layers, but for logits."""
    stem = Layer(ops.Conv(kernel_size=3, padding=1, out_channels=8), "stem")
    read = ("stem", *(x.name for x in others if x.name != "logits"))
    layers = (stem, *others, Layer(op, "dcn", read), *after)
    return Architecture(input_size=(15, 13), channels=3, layers=layers)


def test_that_the_region_is_that_of_the_taps_united_with_that_of_the_offsets() -> None:
    bounded = ops.DeformConv(kernel_size=3, padding=1, max_offset=1)
    wide = Layer(ops.Conv(kernel_size=9, padding=4, out_channels=18), "offset", ("stem",))
    analysis = analyze(_network(bounded, wide))
    assert analysis["dcn.taps"].rf_size == (7, 7)  # 3 taps, grown by 1 on each side, of 3 samples
    assert analysis["dcn"].rf_size == analysis["offset"].rf_size == (11, 11)
    narrow = analyze(_network(bounded, _conv("offset", 18)))
    assert narrow["dcn"].rf_size == (7, 7)
    unbounded = analyze(_network(ops.DeformConv(kernel_size=3, padding=1), _conv("offset", 18)))
    assert unbounded["dcn"].is_global == (True, True)
    for name in ("dcn.taps", "dcn"):
        local = unbounded[name].local
        assert local is not None
        assert local.rf_size == (5, 5)
    assert unbounded["dcn"].context == ("dcn.taps",)
    (remark,) = [x for x in unbounded.diagnostics if x.code == "global_op"]
    assert "no positions" not in remark.message


def test_that_the_layer_has_the_costs_of_its_convolution_alone() -> None:
    op = ops.DeformConv(kernel_size=3, padding=1, out_channels=12, groups=2)
    analysis = analyze(_network(op, _conv("offset", 36), _conv("mask", 18)))
    alone = analyze(_network(op))["dcn"]
    layer, taps = analysis["dcn"], analysis["dcn.taps"]
    assert (layer.parameters, layer.macs) == (alone.parameters, alone.macs) == (444, 84240)
    assert (taps.parameters, taps.macs) == (0, 0)
    assert layer.depth == 3  # stem, offsets, itself


@pytest.mark.parametrize(
    ("op", "others", "wanted"),
    [
        (
            ops.DeformConv(kernel_size=3, padding=1),
            (_conv("offset", 19),),
            "the offsets of 9 taps along 2 axes are 18 channels, or as many for each of several "
            "groups of its 8 input channels, not 19",
        ),
        (
            ops.DeformConv(kernel_size=3, padding=1),
            (_conv("offset", 54),),
            "groups of its 8 input channels, not 54",
        ),
        (
            ops.DeformConv(kernel_size=3, padding=1),
            (_conv("offset", 36), _conv("mask", 9)),
            "the mask of such offsets has 18 channels, not 9",
        ),
        (
            ops.DeformConv(kernel_size=3, padding=1, stride=2),
            (_conv("offset", 18),),
            "needs offsets and a mask of the size of its own map, 8×7, but 'offset' has 18 "
            "channels of 15×13",
        ),
        (
            ops.DeformConv(kernel_size=3, padding=1),
            (_conv("offset", 18), _conv("mask", 9), _conv("more", 9)),
            "reads a map, its offsets and, if there is one, a mask, as in from: [x, offset, mask]",
        ),
    ],
)
def test_that_sources_that_do_not_fit_are_faults(
    op: ops.DeformConv, others: tuple[Layer, ...], wanted: str
) -> None:
    (fault,) = expand(_network(op, *others)).faults
    assert fault.node == "dcn"
    assert wanted in fault.message


def test_that_a_file_says_the_sources() -> None:
    op = ops.DeformConv(kernel_size=3, padding=1, max_offset=4)
    network = _network(op, _conv("offset", 18), _conv("mask", 9))
    text = write_yaml(network)
    assert "from: [stem, offset, mask]" in text
    assert read_yaml(text) == network


def test_that_offsets_are_edited_as_what_the_layer_reads() -> None:
    network = _network(ops.DeformConv(kernel_size=3, padding=1), _conv("offset", 18))
    still = set_inputs(network, (2,), ["stem"])
    assert [x.name for x in expand(still).nodes[1:]] == ["stem", "offset", "dcn"]
    assert set_inputs(still, (2,), ["stem", "offset"]) == network


@pytest.mark.parametrize("gate", [ops.Sigmoid(), ops.Identity()])
def test_that_the_expected_field_is_that_without_offsets(gate: Op) -> None:
    op = ops.DeformConv(kernel_size=3, padding=1, stride=2)
    head = (_conv("head", 4, "dcn"),)
    others = (_conv("offset", 18, stride=2), _conv("logits", 9, stride=2))
    mask = Layer(gate, "mask", ("logits",))
    moving, still = (
        expand(_network(op, *others, mask, after=head)),
        expand(_network(op, after=head)),
    )
    found = expected_erf(moving, moving.index("head"), (3, 3))
    alone = expected_erf(still, still.index("head"), (3, 3))
    np.testing.assert_allclose(
        found.map / found.map.sum(), alone.map / alone.map.sum(), rtol=1e-12, atol=0
    )
    assert found.notes == alone.notes
    if isinstance(gate, ops.Sigmoid):  # which is 1/2 before any training
        np.testing.assert_allclose(found.map.sum(), alone.map.sum() / 4, rtol=1e-12)
