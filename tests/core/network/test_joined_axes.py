"""Maps one after the other along an axis, against torch."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

import rfstudio
from rfstudio.core import ops
from rfstudio.core.errors import FormatError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.pytorch.source import write_pytorch
from tests.core.oracle import theoretical

HALVES = """\
format: 1
name: halves
input: {size: [12, 10], channels: 3}
layers:
  - conv: {name: a, kernel_size: 3, padding: 1, out_channels: 4}
  - slice: {name: top, stop: [5, 10]}
  - slice: {name: bottom, from: a, start: [5, 0]}
  - conv: {name: b, kernel_size: [1, 5], padding: [0, 2]}
  - concat: {name: both, from: [top, b], axis: 0}
  - conv: {name: end, kernel_size: 3, padding: 1}
"""


def test_that_each_unit_sees_what_its_part_sees() -> None:
    network = read_yaml(HALVES)
    assert write_yaml(network) == HALVES
    analysis = analyze(network)
    layer = analysis["both"]
    assert (layer.op, layer.output_size, layer.channels) == ("concat", (12, 10), 4)
    assert (layer.jump, layer.alignment) == ((1, 1), ("aligned", "aligned"))
    assert layer.rf_size_range == ((3, 3), (7, 7))
    # Unit i of the part that starts at 5 is unit i − 5 of b, which is unit i of a.
    assert analysis.unit("both", (4, 5)).visible_region == ((3, 5), (4, 6))
    assert analysis.unit("both", (5, 5)).visible_region == ((4, 6), (2, 8))
    # The theoretical region is stated axis by axis: across the axis it is the hull of both parts.
    assert analysis.unit("both", (4, 5)).theoretical_region == ((3, 5), (2, 8))
    # A window over the border of both parts reads the one and the other.
    assert analysis.unit("end", (4, 5)).theoretical_region == ((2, 6), (1, 9))


def test_that_values_and_source_are_those_of_torch() -> None:
    network = read_yaml(HALVES)
    parts = [to_torch(network, layer, seed=4) for layer in ("top", "b", "both")]
    image = torch.randn(2, 3, 12, 10, generator=torch.Generator().manual_seed(0))
    top, b, both = (part(image) for part in parts)
    assert torch.equal(both, torch.cat([top, b], 2))
    source = write_pytorch(network)
    assert "torch.cat([top, x], 2)" in source
    assert "inset" not in source


def _random_network(seed: int, axes: int) -> Architecture:
    rng = random.Random(seed)
    axis = rng.randrange(axes)
    layers: list[Layer] = []
    for i in range(3):
        kernel = tuple(rng.choice((1, 2, 3)) for _ in range(axes))
        pads = tuple((k // 2, k - 1 - k // 2) for k in kernel)
        step = tuple(rng.choice((1, 2)) if x == axis else 1 for x in range(axes))
        op = ops.Conv(kernel_size=kernel, padding=pads, stride=step)
        layers.append(Layer(op, f"p{i}", (rng.choice(["input", *(x.name for x in layers)]),)))
    names = [rng.choice(layers).name for _ in range(rng.choice((2, 3)))]
    layers.append(Layer(ops.Concat(axis=axis), "j", tuple(names)))
    kernel = tuple(rng.choice((1, 3, 4)) for _ in range(axes))
    layers.append(Layer(ops.Conv(kernel_size=kernel, padding=2, stride=2, dilation=2), "end"))
    return Architecture(
        channels=1, input_size=tuple(rng.randint(7, 10) for _ in range(axes)), layers=tuple(layers)
    )


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_that_supports_and_path_counts_are_the_gradients_of_torch(seed: int, axes: int) -> None:
    network = _random_network(seed, axes)
    graph = expand(network)
    assert not graph.faults
    rng = random.Random(seed)
    for name in ("j", "end"):
        node = graph.nodes[graph.index(name)]
        module = to_torch(network, name, weights="ones", positive=True, dtype=torch.float64)
        unit = tuple(rng.randrange(n) for n in node.size)
        shape = (1, 1, *network.input_size)
        image = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(module(image)[(0, slice(None), *unit)].sum(), image)
        found = analyze(network).unit(name, unit)
        counts = gradient[0, 0].numpy()
        np.testing.assert_array_equal(found.support(), counts != 0)
        ours = rfstudio.path_counts(network, name, unit=unit).map
        np.testing.assert_allclose(ours / max(ours.max(), 1), counts / max(counts.max(), 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("axis: 0", "axis: 1"), "concat 'both': only along its axis may maps differ"),
        (("axis: 0", "axis: 2"), "axis must be below 2, the number of axes"),
        (("from: [top, b]", "from: [top, input]"), "'top' has 4 channels of 5×10, 'input' has 3"),
    ],
)
def test_that_maps_that_do_not_fit_are_named(change: tuple[str, str], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_yaml(HALVES.replace(*change))
    assert message in str(caught.value)


def test_that_energy_of_a_unit_is_that_of_the_part_that_holds_it() -> None:
    network = read_yaml(HALVES)
    joined = rfstudio.expected_erf(network, "both", unit=(8, 5))
    alone = rfstudio.expected_erf(network, "b", unit=(3, 5))
    assert joined.exact
    np.testing.assert_allclose(joined.map, alone.map, rtol=1e-12)


def test_that_nothing_beside_an_inset_is_read() -> None:
    op = ops.Inset(before=2, after=1)
    (rule,) = op.axis_rules((4,))
    wanted = theoretical(op, 0, 4, 7)
    assert wanted is not None
    assert [list(rule.taps(i)) for i in range(-5, 12)] == [wanted(i) for i in range(-5, 12)]
