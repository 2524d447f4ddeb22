"""Remarks on merges give the reason, and only a remedy that was tried and holds."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

import rfstudio
from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.fields.remarks import merge_remarks, misalignment
from rfstudio.core.fields.remarks.remark import Diagnostic, each_remark, remarks_on
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Layer,
    Parallel,
    Repeat,
    Residual,
)


def _remarks(*items, size=(64, 64)) -> list[Diagnostic]:
    analysis = analyze(Architecture("remarks", "", "", size, 8, items))
    return [x for x in analysis.diagnostics if x.code in ("centre_offset", "stride_mismatch")]


def _conv(kernel=3, stride=1, padding=1, dilation=1, name="") -> Layer:
    op = ops.Conv(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation)
    return Layer(op, name)


def test_that_a_causal_block_gets_a_note_and_no_advice_to_see_the_future() -> None:
    # C_causal of the public questions: unit u sees u − 16 … u.
    causal = _conv(3, 1, ((8, 0),), 4)
    block = Residual((causal, Layer(ops.Relu()), causal), (), "block")
    (remark,) = _remarks(block, size=(256,))
    assert remark.severity == "note"
    assert "causal by design" in remark.message
    assert remark.remedy is None
    assert "padding" not in remark.message


def test_that_a_causal_block_without_padding_is_known_as_well() -> None:
    # Valid convolutions, the shortcut cropped in front: both end with the same sample.
    shortcut = (Layer(ops.Crop(margins=((16, 0),))),)
    (remark,) = _remarks(Residual((_conv(3, 1, 0, 4),) * 2, shortcut), size=(256,))
    assert remark.severity == "note"
    assert "causal by design" in remark.message


def test_that_down_and_up_by_two_is_a_note_with_the_range_of_its_offset() -> None:
    # C_down_up of the public questions: the offset is 0 or 1 px, and no padding can help.
    items = (
        _conv(name="high"),
        _conv(3, 2, name="low"),
        Layer(ops.Upsample(scale_factor=2), "back"),
        Layer(ops.Add(), "fuse", ("high", "back")),
    )
    (remark,) = _remarks(*items)
    assert remark.severity == "note"
    assert "0 to 1 pixel apart, 0.5 on average" in remark.message
    assert "phase" in remark.message
    assert remark.remedy is None
    # With a kernel of 4 it is half a pixel to both sides.
    (remark,) = _remarks(items[0], _conv(4, 2, 1, name="low"), *items[2:])
    assert "−0.5 to 0.5 pixels apart, 0 on average" in remark.message


def test_that_the_offset_of_windows_is_said_to_be_theirs() -> None:
    found = [x for x in rfstudio.analyze("swin_t").diagnostics if x.code == "centre_offset"]
    assert found
    for remark in found:
        assert remark.severity == "note"
        assert "attention windows" in remark.message


@pytest.mark.parametrize(
    ("network", "notes", "first", "others", "all_merges"),
    [
        # As many merges as had a note of their own each before notes were grouped.
        ("hrnet_w32", 4, "stage2.module0.fuse0.sum", 12, 20),
        ("wavenet", 2, "stack0.layer0.sum", 29, 30),
        ("unet", 4, "up4.skip", 0, 4),
    ],
)
def test_that_many_notes_of_one_reason_are_two(
    network: str, notes: int, first: str, others: int, all_merges: int
) -> None:
    analysis = rfstudio.analyze(network)
    found = [x for x in analysis.diagnostics if x.code == "centre_offset"]
    assert len(found) == notes
    assert found[0].layer == first
    summaries = [x.message for x in found if "more merges, from" in x.message]
    if not others:
        assert summaries == []
        return
    assert summaries[0].startswith(f"{others} more merges, from ")
    assert f"for the same reason as '{first}'. The largest is that of" in summaries[0]
    counts = [int(x.split()[0]) for x in summaries]
    assert sum(counts) + notes - len(counts) == all_merges
    # Each merge has a remark of its own, which names it and the one on all of them.
    assert len({x.layer for x in each_remark(found)}) == all_merges
    for remark in found:
        for member in remark.members:
            assert member.severity == "note"
            assert member.message.startswith(f"'{member.layer}' joins branches")
            assert f"such merges: see the remark on '{remark.layer}'." in member.message
            assert remarks_on(found, (member.layer,)) == [member]


def test_that_a_remedy_of_a_preset_was_tried() -> None:
    analysis = rfstudio.analyze("xception")
    (remark,) = (x for x in analysis.diagnostics if x.code == "centre_offset")
    assert remark.remedy is not None
    assert remark.remedy.text == "padding 1 in 'block3.pool'"
    assert remark.remedy.text in remark.message
    repaired = analyze(remark.remedy.architecture)
    assert not any(x.code == "centre_offset" for x in repaired.diagnostics)
    assert [x.output_size for x in repaired.layers] == [x.output_size for x in analysis.layers]
    assert repaired["block3"].alignment == ("aligned", "aligned")


@pytest.mark.parametrize(
    ("branch", "remedy"),
    [
        # Padding on one side only: as much before as after.
        ((_conv(3, 1, ((0, 2), (1, 1)), name="left"),), "padding 1 in 'sum.left'"),
        # A crop that takes from one side what a valid window takes from both.
        ((_conv(1, 1, 0), Layer(ops.Crop(margins=((0, 2), (0, 2))), "cut")), "margins"),
    ],
)
def test_that_each_kind_of_remedy_is_found_and_holds(branch, remedy) -> None:
    other = (_conv(3, 1, 0),) if "margins" in remedy else (_conv(1, 1, 0),)
    network = Architecture(
        "sum", "", "", (64, 64), 8, (Parallel((Branch(branch), Branch(other)), "add", "sum"),)
    )
    analysis = analyze(network)
    (found,) = (x for x in analysis.diagnostics if x.code == "centre_offset")
    assert found.remedy is not None
    assert remedy in found.remedy.text
    assert analyze(found.remedy.architecture)["sum"].alignment == ("aligned", "aligned")


def test_that_an_even_kernel_between_odd_ones_gets_an_odd_one() -> None:
    even = (_conv(3, 1, 1), _conv(2, 1, ((0, 1), (0, 1)), name="even"))
    (remark,) = _remarks(Parallel((Branch(even), Branch((_conv(1, 1, 0),))), "add", "sum"))
    assert remark.remedy is not None
    assert "kernel_size" in remark.remedy.text
    assert analyze(remark.remedy.architecture)["sum"].alignment == ("aligned", "aligned")


def test_that_a_merge_of_many_branches_lists_no_more_edits_than_are_tried() -> None:
    # Each branch can be moved in several layers: there are 4 ** 12 sets of edits.
    one_sided = (_conv(3, 1, ((0, 2), (0, 2))), _conv(), _conv(), _conv())
    branches = (Branch((_conv(1, 1, 0),)), *[Branch(one_sided)] * 12)
    middle = tuple(Branch((_conv(3),) * (i + 1)) for i in range(3))
    (remark,) = _remarks(Parallel((*branches, *middle), "add", "sum"))
    assert remark.code == "centre_offset"


def test_that_merges_that_only_inherit_an_offset_have_no_remark_of_their_own() -> None:
    first = Residual((_conv(3, 2), Layer(ops.Upsample(scale_factor=2))), (), "first")
    later = Residual((_conv(), _conv()), (), "later")
    assert [x.layer for x in _remarks(first, later)] == ["first.add"]


def test_that_strides_that_differ_are_named_without_advice() -> None:
    right = (_conv(1, 1, 0), Layer(ops.Crop(size=32)))
    (remark,) = _remarks(Parallel((Branch((_conv(3, 2),)), Branch(right)), "concat", "join"))
    assert remark.code == "stride_mismatch"
    assert remark.remedy is None


def _branch(rng: random.Random) -> tuple[Layer, ...]:
    """A few layers that keep the size, padded to one side or the other."""
    layers = []
    for _ in range(rng.randint(0, 2)):
        kernel, dilation = rng.randint(1, 4), rng.randint(1, 2)
        total = dilation * (kernel - 1)
        first = rng.randint(0, total), rng.randint(0, total)
        layers.append(_conv(kernel, 1, tuple((x, total - x) for x in first), dilation))
    return tuple(layers)


def test_that_every_remedy_that_is_offered_to_random_networks_holds() -> None:
    offered = 0
    for seed in range(60):
        rng = random.Random(seed)
        branches = tuple(Branch(_branch(rng)) for _ in range(rng.randint(2, 3)))
        stride = _conv(3, rng.randint(1, 2), "same", name="stem")
        network = Architecture(
            "random", "", "", (31, 32), 8, (stride, Parallel(branches, "add", "sum"))
        )
        analysis = analyze(network)
        for remark in analysis.diagnostics:
            if remark.remedy is None:
                continue
            offered += 1
            repaired = analyze(remark.remedy.architecture)
            assert [x.output_size for x in repaired.layers] == [
                x.output_size for x in analysis.layers
            ], seed
            assert repaired["sum"].alignment == ("aligned", "aligned"), seed
            assert replace(remark.remedy.architecture, layers=()) == replace(network, layers=())
    assert offered > 20


def test_that_the_turns_of_a_repeat_share_one_cause_also_of_an_earlier_merge() -> None:
    # An even pool on one branch: half a sample at each turn, by hand.
    even = Layer(ops.MaxPool(kernel_size=2, stride=1, padding=((0, 1), (0, 1))))
    body = Residual((even,))
    network = Architecture(input_size=(40, 40), layers=(Repeat(6, (body,)),))
    found = [x for x in analyze(network).diagnostics if x.code == "centre_offset"]
    members = [y for x in found for y in (x, *x.members)]
    assert {x.layer for x in members} == {f"{i}.add1" for i in range(6)}
    assert all("0.5 pixels" in x.message or "1/2" in x.message for x in members if not x.members)


def _blocks(count: int) -> Architecture:
    """Return blocks that are all misaligned, each in another way."""
    blocks = [Residual((_conv(2, 1, ((k + 1, 0),) * 2, k + 1),)) for k in range(count)]
    return Architecture(input_size=(40, 40), channels=8, layers=tuple(blocks))


@pytest.mark.parametrize(("limit", "value"), [("MAX_COMPARED", 20_000), ("MAX_SCANNED", 100)])
def test_that_merges_beyond_the_work_are_said_not_to_be_examined(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of merges, each with a cause of its own, took seconds."""
    all_of_them = analyze(_blocks(90)).diagnostics
    assert "too_many_misfits" not in {x.code for x in all_of_them}
    monkeypatch.setattr(merge_remarks, limit, value)
    found = analyze(_blocks(90)).diagnostics
    (last,) = [x for x in found if x.code == "too_many_misfits"]
    assert "are not examined one by one" in last.message
    names = [f"add{i}" for i in range(1, 91)]
    place = names.index(last.layer)
    assert 10 < place < 80
    examined = [y for x in found if x.code == "centre_offset" for y in (x, *x.members)]
    assert {x.layer for x in examined} == set(names[:place])


def test_that_equal_blocks_written_out_share_one_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    even = ops.MaxPool(kernel_size=2, stride=1, padding=((0, 1), (0, 1)))
    network = Architecture(input_size=(40, 40), layers=(Residual((Layer(even),)),) * 9)
    real, worked_out = misalignment._worked_out, []

    def counted(*given):
        worked_out.append(given[1])
        return real(*given)

    monkeypatch.setattr(misalignment, "_worked_out", counted)
    found = [x for x in analyze(network).diagnostics if x.code == "centre_offset"]
    assert len({y.layer for x in found for y in (x, *x.members)}) == 9
    assert len(worked_out) == 1
