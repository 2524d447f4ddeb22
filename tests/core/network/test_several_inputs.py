"""Networks of several inputs, against the gradients of torch with respect to each."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import rfstudio
from rfstudio.core.editing.references import bind
from rfstudio.core.errors import FormatError, GraphError, UnitError
from rfstudio.core.fields.analysis import analyze
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.pytorch.source import write_pytorch
from rfstudio.formats.tables.analysis_tables import analysis_json

PAIR = """\
format: 1
name: pair
inputs:
  left: {size: [20, 18], channels: 3}
  right: {size: [10, 9], channels: 1}
layers:
  - conv: {name: a, kernel_size: 3, stride: 2, padding: 1, out_channels: 4}
  - conv: {name: b, from: right, kernel_size: 5, padding: 2, out_channels: 4}
  - concat: {name: both, from: [a, b]}
  - conv: {name: end, kernel_size: 3, padding: 1}
"""


@pytest.mark.parametrize("reference", ["left", "right", "input"])
def test_that_supports_are_the_gradients_of_each_input(reference: str) -> None:
    network = read_yaml(PAIR)
    assert write_yaml(network) == PAIR
    analysis = analyze(network, reference=reference)
    module = to_torch(network, "end", dtype=torch.float64)
    source = torch.Generator().manual_seed(0)
    left = torch.randn(2, 3, 20, 18, generator=source).double().requires_grad_()
    right = torch.randn(2, 1, 10, 9, generator=source).double().requires_grad_()
    for unit in ((0, 0), (4, 7), (9, 8)):
        response = module(left, right)[:, :, *unit].abs().sum()
        found = torch.autograd.grad(response, [left, right])
        gradient = found[reference == "right"]
        seen = (gradient != 0).any(0).any(0).numpy()
        np.testing.assert_array_equal(analysis.unit("end", unit).support(), seen)
    layer = analysis["end"]
    assert layer.rf_size == (7, 7)
    assert layer.jump == ((1, 1) if reference == "right" else (2, 2))
    assert not analysis.diagnostics


def test_that_the_source_for_torch_takes_all_inputs() -> None:
    network = read_yaml(PAIR)
    text = write_pytorch(network)
    assert "def forward(self, x, right):" in text
    space: dict[str, type[torch.nn.Module]] = {}
    exec(text, space)
    ours, written = to_torch(network, seed=3), space["Pair"]()
    written.load_state_dict(ours.state_dict())
    images = torch.randn(2, 3, 20, 18), torch.randn(2, 1, 10, 9)
    torch.testing.assert_close(written(*images), ours(*images))
    with pytest.raises(GraphError, match="the network has 1 further inputs, not 2"):
        ours(*images, images[1])
    with pytest.raises(GraphError, match=r"'right' must have the shape \[2, 1, 10, 9\]"):
        ours(*images[:1], images[1][:, :, 1:])


def test_that_layers_before_the_inputs_meet_see_their_own_alone() -> None:
    network = read_yaml(PAIR)
    layer = analyze(network)["b"]
    assert layer.rf_size == (0, 0)
    assert layer.interior is None
    assert layer.path_fields.max == (None, None)
    assert analyze(network).unit("b", (3, 3)).support_count == 0
    with pytest.raises(UnitError, match="nothing leads from 'input' to 'b'"):
        rfstudio.expected_erf(network, "b", unit=(3, 3))
    plan = rfstudio.tiles(network, "end")
    assert not plan.exact
    assert "'right' is an input of its own" in plan.reasons[0]


def test_that_other_inputs_grow_in_proportion_and_are_in_the_record() -> None:
    network = read_yaml(PAIR)
    analysis = analyze(network, input_size=(60, 54))
    assert analysis["right"].output_size == (30, 27)
    record = json.loads(analysis_json(analysis))["input"]
    assert record["name"] == "left"
    assert record["further"] == [{"name": "right", "size": [30, 27], "channels": 1}]


def test_that_the_field_of_the_first_input_is_measured_as_expected() -> None:
    network = read_yaml(PAIR)
    expected = rfstudio.expected_erf(network, "end", unit=(4, 4))
    alone = rfstudio.expected_erf(network, "a", unit=(4, 4))
    assert expected.exact
    assert alone.map.sum() > 0
    measured = np.asarray(rfstudio.erf(network, "end", unit=(4, 4), samples=8).map)
    np.testing.assert_array_equal(measured != 0, expected.map != 0)


def test_that_names_of_inputs_stay_links() -> None:
    network = read_yaml(PAIR)
    bound = bind(network)
    assert bound.release(bound.layers) == network
    assert [x.thing.part for x in bound.links.values()].count("input right") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("  right: {size: [10, 9]", "  right: {size: [10]"), "the same number of axes"),
        (("  right:", "  a.b:"), "name must have no dot"),
        (("from: right", "from: rigth"), "did you mean 'right'?"),
        (("name: b,", "name: right,"), "the path 'right' is used twice"),
        (("inputs:\n", "input: {size: [3, 3], channels: 1}\ninputs:\n"), "either input or inputs"),
    ],
)
def test_that_mistakes_are_named(change: tuple[str, str], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_yaml(PAIR.replace(*change))
    assert message in str(caught.value)
