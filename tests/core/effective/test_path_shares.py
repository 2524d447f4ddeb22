"""Paths by length and field, and the energy that takes them, against lists and by hand."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

import rfstudio
from rfstudio.app.wording.facts import paths_facts_of
from rfstudio.core import ops
from rfstudio.core.effective import path_shares
from rfstudio.core.effective.path_shares import paths_of
from rfstudio.core.errors import TooLargeError, UnitError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.fields.depth import counts
from rfstudio.core.network.architecture import Architecture, Layer, Repeat, Residual
from tests.core.oracle import paths
from tests.core.random_networks import random_network


def test_that_paths_of_too_many_kinds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a residual network they grow with the square of its depth: 14,000 layers took 30 s."""
    block = Residual((Layer(ops.Conv(out_channels=4, kernel_size=3, padding=1)),))
    analysis = analyze(Architecture("deep", "", "", (9,), 4, (Repeat(40, (block,)),)))
    last = analysis.layers[-1].name
    whole = rfstudio.path_shares(analysis, last)
    assert len(whole.lengths) == 41
    monkeypatch.setattr(path_shares, "MAX_FOLLOWED", 2500)
    with pytest.raises(TooLargeError, match=f"'{last}' are of too many lengths"):
        rfstudio.path_shares(analysis, last)
    assert rfstudio.path_shares(analysis, "9.add1").count == 2**10


def test_that_paths_to_layers_that_nothing_reads_any_more_are_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those to all layers of WaveNet together were 700,000 objects at once."""
    block = Residual((Layer(ops.Conv(out_channels=4, kernel_size=3, padding=1)),))
    analysis = analyze(Architecture("deep", "", "", (9,), 4, (Repeat(40, (block,)),)))
    kept: list[int] = []
    let_go = path_shares._let_go

    def note(found, *rest) -> None:
        let_go(found, *rest)
        kept.append(len(found))

    monkeypatch.setattr(path_shares, "_let_go", note)
    whole = rfstudio.path_shares(analysis, analysis.layers[-1].name)
    assert whole.count == 2**40
    assert len(kept) == 2 * len(analysis.layers)
    assert max(kept) <= 2  # what a block reads, and what is in it


def test_that_no_path_leads_to_another_branch_than_that_of_the_reference() -> None:
    analysis = analyze(rfstudio.load("resnet18"), reference="layer2.first.conv2")
    layer = "layer2.first.downsample"
    refusal = f"nothing leads from 'layer2.first.conv2' to '{layer}', which is on another branch"
    with pytest.raises(UnitError, match=refusal):
        rfstudio.path_shares(analysis, layer)
    with pytest.raises(UnitError, match=refusal):
        rfstudio.expected_erf(analysis, layer)
    (fact,) = paths_facts_of(analysis, layer)
    assert refusal in fact.text
    assert rfstudio.path_shares(analysis, "layer2.first.add1").count == 1


@pytest.mark.parametrize("networks", [8, pytest.param(30, marks=pytest.mark.slow)])
def test_that_paths_are_counted_as_a_list_has_them(networks: int) -> None:
    compared = 0
    for seed in range(networks):
        architecture, graph = random_network(seed + 9100, axes=1, layers=7)
        layer = analyze(architecture).layers[-1]
        listed = list(paths(graph, layer.index))
        if not listed or 0 in layer.output_size:
            continue
        try:
            found = rfstudio.path_shares(architecture, layer.name)
        except rfstudio.RFStudioError:
            continue  # nothing leads to the unit
        wanted = Counter(sum(counts(node) for node, _ in x) for x in listed)
        assert {x.value: x.count for x in found.lengths} == wanted, seed
        assert sum(x.count for x in found.fields[0]) == len(listed), seed
        finite = [x.value for x in found.fields[0] if x.value is not None]
        assert min(finite, default=None) == layer.path_fields.min[0], seed
        total = sum(x.share for x in found.lengths)
        assert sum(x.share for x in found.fields[0]) == pytest.approx(total, abs=1e-9), seed
        if total == 0:
            assert not rfstudio.expected_erf(architecture, layer.name).map.any(), seed
        else:
            assert total == pytest.approx(1, abs=1e-9), seed
            compared += 1
    assert compared > networks / 2


def _residuals(times: int) -> Architecture:
    conv = Layer(ops.Conv(kernel_size=1, out_channels=4), "conv")
    layers = (Repeat(times, (Residual((conv,), (), "block"),), "stage"),)
    return Architecture("residuals", "", "", (8, 8), 4, layers)


def test_that_energy_is_shared_as_by_hand() -> None:
    # With variance 2 over the fan-in a convolution doubles the energy, and the skip leaves it:
    # each block has 1/3 in its skip and 2/3 in its branch, so lengths are binomial.
    found = rfstudio.path_shares(_residuals(2), "stage")
    shares = {x.value: x.share for x in found.lengths}
    assert shares == pytest.approx({0: 1 / 9, 1: 4 / 9, 2: 4 / 9})
    skips = [x for x in found.branches if x.is_skip]
    assert [x.share for x in skips] == pytest.approx([1 / 3, 1 / 3])
    assert [x.of_all for x in skips] == pytest.approx([1 / 3, 1 / 3])
    assert found.mean_length == pytest.approx(4 / 3)
    # With variance 1 over the fan-in it leaves the energy as the skip does.
    found = rfstudio.path_shares(_residuals(2), "stage", init="lecun_uniform")
    shares = {x.value: x.share for x in found.lengths}
    assert shares == pytest.approx({0: 1 / 4, 1: 1 / 2, 2: 1 / 4})


def test_that_long_residual_networks_have_more_paths_than_can_be_listed() -> None:
    found = rfstudio.path_shares(_residuals(200), "stage")
    assert found.count == 2**200
    assert found.mean_length == pytest.approx(400 / 3)


def test_that_fields_of_paths_leave_out_gates_on_demand() -> None:
    conv = Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4))
    layers = (conv, Layer(ops.SqueezeExcite(reduction=1), "gate"), conv)
    network = Architecture("gate", "", "", (16, 16), 4, layers)
    (whole,) = rfstudio.path_shares(network, "conv2").fields[0]
    (local,) = rfstudio.path_shares(network, "conv2", ignore_gates=True).fields[0]
    assert (whole.value, local.value) == (None, 5)
    analysis = rfstudio.analyze(network, ignore_gates=True)
    assert analysis["conv2"].path_fields.max == (5, 5)
    assert rfstudio.path_shares(analysis, "conv2").fields[0] == (local,)


def test_that_upsampled_branches_have_fractions_of_a_jump() -> None:
    layers = (
        Layer(ops.Upsample(scale_factor=2), "up"),
        Layer(ops.Conv(kernel_size=4, padding=1, out_channels=4), "conv"),
    )
    network = Architecture("up", "", "", (8,), 4, layers)
    graph = rfstudio.analyze(network).graph
    (group,) = paths_of(graph, 2, (5,)).fields[0]
    assert group.value == Fraction(5, 2)


def test_that_lengths_of_paths_to_each_layer_are_those_of_a_list() -> None:
    for seed in range(12):
        architecture, graph = random_network(seed + 9300, axes=1, layers=6)
        for layer in analyze(architecture).layers:
            listed = [sum(counts(node) for node, _ in x) for x in paths(graph, layer.index)]
            found = layer.path_lengths
            if not listed:
                assert found is None, seed
                continue
            assert found is not None
            mean = sum(listed) / len(listed)
            assert found[:2] == (len(listed), min(listed)), seed
            assert found.mean == pytest.approx(mean), seed
            assert found.greatest == max(listed), seed
