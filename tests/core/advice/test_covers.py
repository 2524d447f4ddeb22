"""Advice names the layers that see objects whole, and proposes only what was analysed."""

from __future__ import annotations

import pytest

import rfstudio
from rfstudio.core import ops
from rfstudio.core.advice.covers import advice_for
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer


def test_that_the_first_layers_that_cover_objects_are_named() -> None:
    # Fields of vgg16: conv3_2 32, conv3_3 40, conv4_1 60 and conv4_2 76, conv4_3 92, pool4 100.
    advice = advice_for(rfstudio.analyze("vgg16"), [(32, 20)])
    assert advice.first_covering == ("conv3_2", "conv4_2", "pool4")
    by_layer = {x.layer: x for x in advice.covers}
    assert by_layer["conv3_1"].share == 0
    assert by_layer["conv3_2"].share == 1
    assert by_layer["conv3_2"].erf_size is not None
    assert by_layer["conv3_2"].erf_size < 32
    assert advice.proposals == ()


def test_that_shares_count_objects() -> None:
    advice = advice_for(rfstudio.analyze("vgg16"), [(8, 8), (40, 30), (500, 20), (10, 10)])
    shares = {x.layer: x.share for x in advice.covers}
    assert shares["conv2_1"] == 0.5  # field 10
    assert shares["conv3_3"] == 0.75  # field 40
    assert advice.first_covering[0] is None


def test_that_proposals_enlarge_the_field_and_keep_all_sizes() -> None:
    # Seed of the task: 32-pixel objects, a field of 15.
    conv = Layer(ops.Conv(kernel_size=3, padding=1))
    analysis = analyze(Architecture("small", "", "", (64, 64), 8, (conv,) * 7))
    assert analysis.layers[-1].rf_size == (15, 15)
    advice = advice_for(analysis, [(32, 32)])
    assert advice.first_covering == (None, None, None)
    assert advice.proposals
    for proposal in advice.proposals:
        changed = analyze(proposal.network)
        assert changed.layers[-1].rf_size == proposal.rf_size
        assert proposal.rf_size == (17, 17)
        assert changed.parameters - analysis.parameters == proposal.parameters
        assert [x.output_size for x in changed.layers] == [x.output_size for x in analysis.layers]
    # A dilation costs nothing, so it comes first.
    assert advice.proposals[0].parameters == 0
    assert "dilation 2" in advice.proposals[0].edit


def test_that_objects_without_a_size_are_refused() -> None:
    analysis = rfstudio.analyze("vgg16")
    for objects in ([], [(0, 4)], [(4,)]):
        with pytest.raises(RFStudioError, match="objects have 2 sizes"):
            advice_for(analysis, objects)
