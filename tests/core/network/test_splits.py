"""Splits of channels: ShuffleNet v2, CSP, Res2Net and gated linear units, against torch.

The units are those of Ma et al. 2018 (figure 3c), Wang et al. 2020 (figure 2), Gao et al. 2019
(figure 2b) and Dauphin et al. 2017 (section 2).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import rfstudio
from rfstudio.core import ops
from rfstudio.core.editing.references import bind
from rfstudio.core.errors import FormatError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_draft, read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.pytorch.source import write_pytorch

HEAD = "format: 1\nname: unit\ninput: {size: [15, 13], channels: 8}\nlayers:\n"

SHUFFLE = (
    HEAD
    + """\
  - split: {name: halves, channels: [4, 4]}
  - sequence:
      name: branch
      layers:
        - conv: {from: halves.1, kernel_size: 1, bias: false}
        - relu
        - conv: {kernel_size: 3, padding: 1, groups: depthwise, bias: false}
        - conv: {kernel_size: 1, bias: false}
        - relu
  - concat: {from: [halves.0, branch]}
  - channel_shuffle: {groups: 2}
"""
)

CSP = (
    HEAD
    + """\
  - conv: {kernel_size: 1, out_channels: 6, bias: false}
  - split: {name: part, channels: [2, 4]}
  - residual:
      name: dense
      layers:
        - conv: {from: part.1, kernel_size: 3, padding: 1, bias: false}
        - relu
      shortcut:
        - identity: {from: part.1}
  - concat: {from: [part.0, dense]}
  - conv: {kernel_size: 1, out_channels: 8, bias: false}
"""
)

RES2NET = (
    HEAD
    + """\
  - split: {name: s, parts: 4}
  - conv: {name: k2, from: s.1, kernel_size: 3, padding: 1, bias: false}
  - add: {name: a3, from: [s.2, k2]}
  - conv: {name: k3, kernel_size: 3, padding: 1, bias: false}
  - add: {name: a4, from: [s.3, k3]}
  - conv: {name: k4, kernel_size: 3, padding: 1, bias: false}
  - concat: {from: [s.0, k2, k3, k4]}
"""
)

GLU = (
    HEAD
    + """\
  - conv: {kernel_size: [5, 1], padding: [[4, 0], [0, 0]], bias: false}
  - split: {parts: 2}
  - sigmoid: {from: split1.1}
  - multiply: {from: [split1.0, sigmoid1]}
"""
)


def _shuffle(x: Tensor, w: list[Tensor]) -> Tensor:
    a, b = x.split([4, 4], 1)
    b = functional.conv2d(b, w[0]).relu()
    b = functional.conv2d(functional.conv2d(b, w[1], padding=1, groups=4), w[2]).relu()
    return functional.channel_shuffle(torch.cat([a, b], 1), 2)


def _csp(x: Tensor, w: list[Tensor]) -> Tensor:
    a, b = functional.conv2d(x, w[0]).split([2, 4], 1)
    b = b + functional.conv2d(b, w[1], padding=1).relu()
    return functional.conv2d(torch.cat([a, b], 1), w[2])


def _res2net(x: Tensor, w: list[Tensor]) -> Tensor:
    parts = x.chunk(4, 1)
    found = [parts[0], functional.conv2d(parts[1], w[0], padding=1)]
    for part, weight in zip(parts[2:], w[1:], strict=True):
        found.append(functional.conv2d(part + found[-1], weight, padding=1))
    return torch.cat(found, 1)


def _glu(x: Tensor, w: list[Tensor]) -> Tensor:
    return functional.glu(functional.conv2d(functional.pad(x, (0, 0, 4, 0)), w[0]), 1)


UNITS = {
    "shuffle": (SHUFFLE, _shuffle, (3, 3)),
    "csp": (CSP, _csp, (3, 3)),
    "res2net": (RES2NET, _res2net, (7, 7)),
    "glu": (GLU, _glu, (5, 1)),
}


@pytest.mark.parametrize("name", UNITS)
def test_that_values_are_those_of_torch_and_the_gradient_is_the_support(name: str) -> None:
    text, function, field = UNITS[name]
    network = read_yaml(text)
    assert write_yaml(network) == text
    module = to_torch(network, seed=3, dtype=torch.float64)
    weights = [x for key, x in module.state_dict().items() if key.endswith("weight")]
    # Several images, since a relu may close the way of all channels to a pixel in one of them.
    image = torch.randn(8, 8, 15, 13, generator=torch.Generator().manual_seed(0)).double()
    image.requires_grad_()
    wanted = function(image, weights)
    torch.testing.assert_close(module(image), wanted, rtol=1e-12, atol=1e-12)
    analysis = analyze(network)
    layer = analysis.layers[-1]
    assert layer.rf_size == field
    for unit in ((0, 0), (7, 6), (14, 2)):
        (gradient,) = torch.autograd.grad(wanted[:, :, *unit].abs().sum(), image, retain_graph=True)
        seen = (gradient != 0).any(0).any(0).numpy()
        np.testing.assert_array_equal(analysis.unit(layer.name, unit).support(), seen)


@pytest.mark.parametrize("name", UNITS)
def test_that_the_source_for_torch_computes_the_same(name: str) -> None:
    text, _, _ = UNITS[name]
    network = read_yaml(text)
    ours = to_torch(network, seed=5)
    space: dict[str, type[torch.nn.Module]] = {}
    exec(write_pytorch(network), space)
    written = space["Unit"]().eval()
    written.load_state_dict(
        dict(zip(written.state_dict(), ours.state_dict().values(), strict=True))
    )
    image = torch.randn(2, 8, 15, 13, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(written(image), ours(image))


def test_that_parts_have_paths_channels_and_no_item_of_their_own() -> None:
    graph = expand(read_yaml(CSP))
    nodes = [graph.nodes[graph.index(x)] for x in ("part", "part.0", "part.1")]
    assert [x.channels for x in nodes] == [6, 2, 4]
    assert [x.location for x in nodes] == [(1,), None, None]
    assert {x.inputs for x in nodes[1:]} == {(nodes[0].index,)}


def test_that_parts_of_a_repeat_are_those_of_the_own_turn() -> None:
    body = RES2NET.partition("layers:\n")[2].replace("\n", "\n      ")
    text = f"{HEAD}  - repeat:\n      name: turns\n      times: 2\n      layers:\n      {body}"
    layer = analyze(read_yaml(text))["turns"]
    assert layer.rf_size == (13, 13)  # 1 + 2·3 three-by-three windows in a row, twice


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[2, 4]", "[2, 5]"), "split 'part': its parts have 7 channels, but the input has 6"),
        (("[2, 4]", "[2, 0]"), "channels must be at least 1, not [2, 0]"),
        (("[2, 4]", "6"), "channels must be a list of whole numbers, not 6"),
        (("channels: [2, 4]", "parts: 4"), "6 channels cannot be split into 4 equal parts"),
        (
            ("channels: [2, 4]", "parts: 1"),
            "reads 'part.1', but no layer of that name comes before it",
        ),
        (("name: part, channels: [2, 4]", "name: part"), "split needs either channels or parts"),
    ],
)
def test_that_a_split_that_does_not_fit_is_named(change: tuple[str, str], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_yaml(CSP.replace(*change))
    assert message in str(caught.value)


def test_that_names_of_parts_stay_links_while_the_tree_is_rearranged() -> None:
    network = read_yaml(CSP)
    bound = bind(network)
    assert bound.release(bound.layers) == network
    # Named again, in a group of its own, the parts are called by their new path.
    renamed = tuple(
        Layer(x.op, x.name.replace("part", "cut"), x.inputs)
        if isinstance(x, Layer) and x.name.startswith("part")
        else x
        for x in bound.layers
    )
    text = write_yaml(bound.release(renamed))
    assert text == CSP.replace("part", "cut")


def test_that_channels_before_the_middle_of_a_draft_are_bounded() -> None:
    draft = read_draft(CSP.replace("[2, 4]", "[2, 2147483646]"))
    graph = expand(draft)
    assert [x.code for x in graph.faults][:1] == ["channels"]
    assert analyze(draft).layers


# --- energy -----------------------------------------------------------------------------------


def _map(network: Architecture, layer: str, **options: object) -> np.ndarray:
    return rfstudio.expected_erf(network, layer, unit=(7, 6), **options).map  # type: ignore[arg-type]


def _of(*layers: Layer) -> Architecture:
    return Architecture(input_size=(15, 13), channels=4, layers=layers)


def _conv(name: str, *inputs: str, channels: int = 6) -> Layer:
    op = ops.Conv(kernel_size=3, padding=1, out_channels=channels, bias=False)
    return Layer(op, name, inputs)


@pytest.mark.parametrize("which", [0, 1])
def test_that_a_part_of_a_concat_has_the_energy_of_that_source_alone(which: int) -> None:
    head = (_conv("a"), _conv("b"), _conv("c", "a", channels=4))
    joined = (Layer(ops.Concat(), "joined", ("b", "c")), Layer(ops.Split(channels=(6, 4)), "s"))
    through = _of(*head, *joined, _conv("end", f"s.{which}"))
    direct = _of(*head, _conv("end", "bc"[which]))
    np.testing.assert_allclose(_map(through, "end"), _map(direct, "end"), rtol=1e-12)


def test_that_slices_with_steps_and_both_parts_together_are_the_whole() -> None:
    layers = [_conv("a"), Layer(ops.Relu(), "r")]
    parts = [Layer(ops.ChannelSlice(start=i, step=2), f"s{i}", ("r",)) for i in (0, 1)]
    whole = _of(*layers, _conv("end", "r"))
    joined = _of(*layers, *parts, Layer(ops.Concat(), "j", ("s1", "s0")), _conv("end"))
    np.testing.assert_allclose(_map(joined, "end"), _map(whole, "end"), rtol=1e-12)


def test_that_runs_of_a_slice_are_counted() -> None:
    op = ops.ChannelSlice(start=1, stop=-2, step=3)  # of 12: 1, 4, 7
    assert op.counts((2, 3, 3, 4)) == (1, 1, 1, 0)
    assert ops.ChannelSlice(start=2).counts((2, 3)) == (0, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", UNITS)
def test_that_expected_and_sampled_energy_agree(name: str) -> None:
    network = read_yaml(UNITS[name][0])
    last = analyze(network).layers[-1].name
    sampled = np.asarray(
        rfstudio.erf(network, last, unit=(7, 6), samples=2000, seed=1, images_per_weights=4).map
    )
    expected = _map(network, last)
    both = [x / x.sum() for x in (expected, sampled)]
    assert np.abs(both[0] - both[1]).sum() < 0.06
