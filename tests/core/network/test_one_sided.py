"""Causal attention and recurrent layers: all of one side of an axis.

The right values of the first test are the samples with a gradient in torch.nn.LSTM after the same
causal convolution.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

import rfstudio
from rfstudio.core import ops
from rfstudio.core.axes.unit_intervals import Track
from rfstudio.core.errors import OpError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.fields.field import _reaching
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from tests.core.random_networks import random_network
from tests.narrowing import present

CAUSAL = """\
format: 1
name: causal
input: {size: [60], channels: 8}
layers:
  - conv: {name: c, kernel_size: 3, padding: [[2, 0]]}
  - recurrent: {name: r}
"""


@pytest.mark.parametrize("last", ["recurrent: {name: r}", "attention: {name: r, causal: true}"])
def test_that_a_unit_sees_what_comes_before_it(last) -> None:
    network = read_yaml(CAUSAL.replace("recurrent: {name: r}", last))
    analysis = analyze(network)
    view = analysis.unit("r", (10,))
    assert view.visible_region == ((0, 10),)
    assert view.theoretical_region == ((0, 10),)
    assert view.support_count == 11
    layer = analysis["r"]
    assert layer.is_global == (True,)
    assert layer.rf_size == (None,)
    assert layer.context == ("r",)
    assert layer.local is not None
    assert (layer.local.rf_size, layer.local.padding) == ((3,), (2,))
    assert read_yaml(write_yaml(network)) == network


@pytest.mark.parametrize(
    ("op", "region"),
    [
        (ops.Recurrent(), (0, 31)),
        (ops.Recurrent(reverse=True), (29, 59)),
        (ops.Recurrent(bidirectional=True), (0, 59)),
        (ops.Attention(heads=1, causal=True), (0, 31)),
    ],
)
def test_that_a_window_after_it_moves_the_bound(op, region) -> None:
    # Unit 15 of a window of 3, stride 2 reads steps 29 to 31 of the layer before it.
    layers = (Layer(op), Layer(ops.Conv(kernel_size=3, stride=2, padding=1), "w"))
    view = analyze(Architecture(input_size=(60,), channels=4, layers=layers)).unit("w", (15,))
    assert view.theoretical_region == (region,)
    assert view.visible_region == (region,)


def test_that_both_directions_together_see_everything() -> None:
    layers = (
        Layer(ops.Recurrent(), "to"),
        Layer(ops.Recurrent(reverse=True), "back", ("input",)),
        Layer(ops.Add(), "sum", ("to", "back")),
    )
    analysis = analyze(Architecture(input_size=(20,), channels=4, layers=layers))
    assert analysis.unit("sum", (7,)).theoretical_region == ((0, 19),)


@pytest.mark.parametrize("seed", range(30))
def test_that_regions_of_random_networks_hold_what_is_seen(seed) -> None:
    architecture, graph = random_network(seed + 70_000, axes=1 + seed % 2)
    ends = [x.name for x in graph.nodes[1:]][-2:]
    layers = architecture.layers
    for i, name in enumerate(ends):
        side = ops.Recurrent(axis=0, reverse=bool((seed + i) % 2))
        layers = (*layers, Layer(side, f"r{i}", (name,)), Layer(ops.Conv(kernel_size=1), f"w{i}"))
    network = Architecture("", "", "", architecture.input_size, 4, layers)
    analysis = analyze(network)
    modes = {getattr(x, "mode", "zeros") for node in graph.nodes for x in node.rules}
    if modes != {"zeros"}:
        return  # padding that reads real samples reads other ones than the formula says
    for name in ("r0", "w1"):
        size = analysis[name].output_size
        for unit in {(0,) * len(size), tuple(n // 2 for n in size), tuple(n - 1 for n in size)}:
            view = analysis.unit(name, unit)
            if view.visible_region is None or view.theoretical_region is None:
                continue
            (first, last), (low, high) = view.visible_region[0], view.theoretical_region[0]
            assert low <= first <= last <= high


def test_that_a_recurrent_layer_is_that_of_torch() -> None:
    network = Architecture(
        input_size=(7, 5),
        channels=3,
        layers=(Layer(ops.Recurrent(kind="gru", axis=0, hidden=4, bidirectional=True), "r"),),
    )
    module = to_torch(network, seed=5)
    theirs = nn.GRU(3, 4, batch_first=True, bidirectional=True)
    theirs.load_state_dict({k.removeprefix("r."): v for k, v in module.state_dict().items()})
    image = torch.randn(2, 3, 7, 5, generator=torch.Generator().manual_seed(0))
    columns = [theirs(image[..., i].mT)[0].mT for i in range(5)]
    torch.testing.assert_close(module(image), torch.stack(columns, -1))


def test_that_energy_stays_on_its_side_and_is_said_to_be_a_model() -> None:
    network = read_yaml(CAUSAL)
    erf = rfstudio.expected_erf(network, "r", unit=(10,))
    assert np.flatnonzero(erf.map).tolist() == list(range(11))
    assert not erf.exact
    assert any("recurrent layer is taken" in x for x in erf.notes)


def test_that_axes_that_are_not_there_are_named() -> None:
    layers = (Layer(ops.Attention(heads=1, axes=(2,)), "a"),)
    (fault,) = expand(Architecture(input_size=(4, 4), channels=4, layers=layers)).faults
    assert "axis 2 is not there; axes count from 0 to 1" in fault.message
    with pytest.raises(OpError, match="axes must be"):
        ops.Attention(axes=(1, 1))
    layers = (Layer(ops.Recurrent(axis=2), "r"),)
    (fault,) = expand(Architecture(input_size=(4, 4), channels=4, layers=layers)).faults
    assert "axis 2 is not there; axes count from 0 to 1" in fault.message


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
def test_that_attention_along_an_axis_is_that_of_torch_on_each_row(axis, causal) -> None:
    layers = (Layer(ops.Attention(heads=2, axes=(axis,), causal=causal), "a"),)
    network = Architecture(input_size=(5, 4), channels=6, layers=layers)
    module = to_torch(network, seed=3)
    theirs = nn.MultiheadAttention(6, 2, batch_first=True)
    theirs.load_state_dict({k.removeprefix("a."): v for k, v in module.state_dict().items()})
    image = torch.randn(2, 6, 5, 4, generator=torch.Generator().manual_seed(0))
    found = module(image)
    count = (5, 4)[axis]
    mask = torch.ones(count, count, dtype=torch.bool).triu(1) if causal else None
    for row, wanted in zip(image.unbind(3 - axis), found.unbind(3 - axis), strict=True):
        mixed, _ = theirs(row.mT, row.mT, row.mT, attn_mask=mask)
        torch.testing.assert_close(wanted, mixed.mT)


def test_that_attention_along_an_axis_sees_the_row_of_a_unit_alone() -> None:
    layers = (Layer(ops.Attention(heads=1, axes=(1,), causal=True), "a"),)
    network = Architecture(input_size=(5, 7), channels=4, layers=layers)
    view = analyze(network).unit("a", (2, 4))
    assert view.visible_region == ((2, 2), (0, 4))
    image = torch.randn(1, 4, 5, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    to_torch(network)(image)[0, :, 2, 4].square().sum().backward()
    assert image.grad is not None
    np.testing.assert_array_equal((image.grad[0] != 0).any(0).numpy(), view.support())
    assert read_yaml(write_yaml(network)) == network


@pytest.mark.parametrize("seed", range(20))
def test_that_the_furthest_of_all_units_on_one_side_is_found_in_one_pass(seed: int) -> None:
    """It was looked for phase by phase among all phases: for ever, where there are a million."""
    rng = random.Random(seed)
    period, advance = rng.choice((1, 2, 7)), rng.randint(0, 9)
    first = tuple(rng.randint(-9, 9) for _ in range(period))
    track = Track(advance, first, tuple(x + rng.randint(0, 9) for x in first))
    units = range(-3 * period, 4 * period)
    seen = {u: present(track.interval(u)) for u in units}
    before, after = (present(_reaching(track, x)) for x in ("before", "after"))
    for u in range(period):
        assert present(before.interval(u))[1] == max(b for v, (_, b) in seen.items() if v <= u)
        assert present(after.interval(u))[0] == min(a for v, (a, _) in seen.items() if v >= u)
