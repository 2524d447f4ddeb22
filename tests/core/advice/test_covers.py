"""Advice names the layers that see objects whole, and proposes only what was analysed."""

from __future__ import annotations

import pytest

import rfstudio
from rfstudio.core import ops
from rfstudio.core.advice.covers import advice_for
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.formats.tables.answer_records import advice_facts, advice_record


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


# By hand, from a field of 15 at jump 1: a dilation of 2, two more taps and one more layer add 2;
# a stride of 2 adds 2 for each layer after it; of a window of k taps at the end come k − 1.
_SIZES = {
    **{f"dilation 2 in 'conv{i}'": 17 for i in (4, 5, 6, 7)},
    **{f"kernel_size 5 in 'conv{i}'": 17 for i in (4, 5, 6, 7)},
    **{
        f"stride 2 in 'conv{i}' (maps after it are half as large)": 15 + 2 * (7 - i)
        for i in (4, 5, 6)
    },
    "one more convolution of 3 after 'conv7'": 17,
    "max pool of 5, stride 1 after 'conv7'": 19,
    "large-kernel block (13, depthwise, with a skip) after 'conv7'": 27,
    "attention block of 8 heads, with a skip after 'conv7'": 15,
}


def test_that_proposals_enlarge_the_field_and_keep_all_sizes() -> None:
    # Seed of the task: 32-pixel objects, a field of 15.
    conv = Layer(ops.Conv(kernel_size=3, padding=1))
    analysis = analyze(Architecture("small", "", "", (64, 64), 8, (conv,) * 7))
    assert analysis.layers[-1].rf_size == (15, 15)
    advice = advice_for(analysis, [(32, 32)])
    assert advice.first_covering == (None, None, None)
    edits = " ".join(x.edit for x in advice.proposals)
    for kind in ("dilation", "kernel_size", "stride", "one more", "max pool", "large-kernel"):
        assert kind in edits
    assert "attention" in edits
    for proposal in advice.proposals:
        changed = analyze(proposal.network)
        largest = changed.largest_local_field
        assert largest is not None
        assert largest.local is not None
        assert largest.local.rf_size == proposal.rf_size
        assert proposal.rf_size == (_SIZES[proposal.edit],) * 2
        assert changed.parameters - analysis.parameters == proposal.parameters
        assert changed.macs - analysis.macs == proposal.macs
        assert not changed.misfits
        if proposal.sees_all:
            assert changed.layers[-1].rf_size == (None, None)
        else:
            assert changed.layers[-1].rf_size == proposal.rf_size
        sizes = {x.output_size for x in changed.layers}
        if proposal.edit.startswith("stride"):
            assert sizes == {(64, 64), (32, 32)}
        else:
            assert sizes == {(64, 64)}
        names = [x.name for x in changed.layers]
        assert names[:7] == [x.name for x in analysis.layers]
        assert len(names) == 7 or " after 'conv7'" in proposal.edit
    assert {x.edit for x in advice.proposals} == set(_SIZES)
    # A stride saves something and a dilation costs nothing, so they come first.
    costs = [(x.parameters, x.macs) for x in advice.proposals]
    assert costs == sorted(costs)
    assert advice.proposals[0].macs < 0
    free = [x.edit for x in advice.proposals if (x.parameters, x.macs) == (0, 0)]
    assert free[0] == "dilation 2 in 'conv7'"
    # By hand: two more samples of reach with twice the dilation or two more taps, and no cost of
    # a dilation.
    dilated = next(x for x in advice.proposals if x.edit.startswith("dilation"))
    assert (dilated.rf_size, dilated.parameters, dilated.macs) == ((17, 17), 0, 0)
    assert dilated.erf_size is not None
    assert dilated.erf_growth is not None
    assert dilated.erf_growth > 0


@pytest.mark.slow
def test_that_decoders_are_changed_where_the_jump_is_largest() -> None:
    advice = advice_for(rfstudio.analyze("unet"), [(100, 100)])
    best = next(x for x in advice.proposals if x.edit == "dilation 2 in 'bottom.conv2'")
    # By hand: two taps of jump 16 further on either side.
    assert best.growth == (32, 32)


def test_that_levels_have_the_shares_of_objects_by_both_fields() -> None:
    advice = advice_for(rfstudio.analyze("vgg16"), [(40, 40), (100, 20)])
    assert [x.jump for x in advice.levels] == [(n, n) for n in (1, 2, 4, 8, 16, 32)]
    level = advice.levels[3]
    # The last layer of jump 8 is conv4_3, of field 92; pool4 has jump 16 already.
    assert (level.layer, level.local) == ("conv4_3", (92, 92))
    assert level.shares == (0.5, 0.5, 0.0)
    assert level.erf_size is not None
    assert 40 < level.erf_size < 92
    assert level.erf_shares is not None
    assert level.erf_shares[0] == 0.5


def test_that_rules_of_a_task_are_checked_with_their_sources() -> None:
    vgg16 = rfstudio.analyze("vgg16", input_size=(32, 32))
    rules = advice_for(vgg16, [(32, 32)], task="classification").rules
    # Known: at 32 pixels 10 layers of vgg16 begin with a field that covers all, from conv3_3 on.
    assert rules[0].is_met is False
    assert "10 of its layers do, from 'conv3_3' on" in rules[0].finding
    assert "Richter" in rules[0].source
    rules = advice_for(rfstudio.analyze("vgg16"), [(8, 8)], task="detection").rules
    # A quarter of 8 pixels is jump 2.
    assert "need a jump of 2 px" in rules[0].finding
    assert rules[0].is_met
    with pytest.raises(RFStudioError, match="'dreaming' is no task; there are detection"):
        advice_for(vgg16, [(8, 8)], task="dreaming")


def test_that_advice_can_be_about_some_layers_only() -> None:
    advice = advice_for(rfstudio.analyze("vgg16"), [(8, 8)], layers=["pool1", "conv5_3"])
    assert [x.layer for x in advice.covers] == ["pool1", "conv5_3"]
    assert advice.first_covering == ("conv5_3", "conv5_3", "conv5_3")


def test_that_objects_without_a_size_are_refused() -> None:
    analysis = rfstudio.analyze("vgg16")
    for objects in ([], [(0, 4)], [(4,)]):
        with pytest.raises(RFStudioError, match="objects have 2 sizes"):
            advice_for(analysis, objects)


def test_that_an_answer_without_proposals_says_why() -> None:
    advice = advice_for(rfstudio.analyze("resnet50"), [(32, 32)])
    assert advice.proposals == ()
    # The field of layer3.first.conv2 is the first of at least 96 pixels.
    assert advice.first_covering[2] is not None
    assert f"'{advice.first_covering[2]}' sees three times" in advice.no_proposals
    assert advice_record(advice)["no_proposals"] == advice.no_proposals
    assert ("proposals", advice.no_proposals) in advice_facts(advice)


def test_that_rules_on_a_signal_speak_of_samples() -> None:
    rules = advice_for(rfstudio.analyze("tcn_1d"), [(32,)], task="classification").rules
    assert any("samples" in x.finding for x in rules)
    assert not any("px" in x.finding for x in rules)
