"""Layers that share weights: a Siamese network, against torch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import rfstudio
from rfstudio.core.editing.references import bind
from rfstudio.core.errors import FormatError
from rfstudio.core.fields.analysis import analyze
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.pytorch.source import write_pytorch

SIAMESE = """\
format: 1
name: siamese
inputs:
  left: {size: [12, 11], channels: 3}
  right: {size: [12, 11], channels: 3}
layers:
  - conv: {name: a, kernel_size: 3, padding: 1, out_channels: 4}
  - batch_norm: {name: c}
  - conv: {name: b, from: right, weights_of: a, kernel_size: 3, padding: 1, out_channels: 4}
  - batch_norm: {name: m, weights_of: c}
  - multiply: {name: end, from: [c, m]}
"""


def test_that_shared_weights_are_counted_held_and_written_once() -> None:
    network = read_yaml(SIAMESE)
    assert write_yaml(network) == SIAMESE
    analysis = analyze(network)
    assert analysis.parameters == 4 * 3 * 9 + 4 + 2 * 4
    assert [analysis[x].parameters for x in "acbm"] == [112, 8, 0, 0]
    assert analysis["b"].macs == analysis["a"].macs > 0
    names = {x.rpartition(".")[0] for x in to_torch(network).state_dict()}
    assert names == {"a", "c"}
    text = write_pytorch(network)
    assert text.count("nn.Conv2d(") == 1
    assert "self.a(right)" in text


def test_that_both_branches_compute_with_the_same_weights() -> None:
    network = read_yaml(SIAMESE)
    module = to_torch(network, seed=1)
    left, right = (torch.randn(2, 3, 12, 11) for _ in range(2))
    state = module.state_dict()
    a, b = (
        functional.conv2d(x, state["a.weight"], state["a.bias"], padding=1) / (1 + 1e-5) ** 0.5
        for x in (left, right)
    )
    torch.testing.assert_close(module(left, right), a * b)
    space: dict[str, type[torch.nn.Module]] = {}
    exec(write_pytorch(network), space)
    written = space["Siamese"]().eval()
    written.load_state_dict(state)
    torch.testing.assert_close(written(left, right), module(left, right))
    # A branch alone holds the weights under the name of the layer that they are of.
    assert set(to_torch(network, "b").state_dict()) == {"a.weight", "a.bias"}


def test_that_what_is_shared_is_not_folded_and_noted_as_a_model() -> None:
    network = read_yaml(SIAMESE)
    found = rfstudio.erf(network, "end", unit=(5, 5), samples=4, estimator="abs")
    assert float(found.map.max()) > 0
    notes = " ".join(rfstudio.expected_erf(network, "end", unit=(5, 5)).notes).lower()
    assert "layers that share weights are assumed to be independent" in notes


def test_that_the_name_stays_a_link() -> None:
    network = read_yaml(SIAMESE)
    bound = bind(network)
    assert bound.release(bound.layers) == network


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("weights_of: a, kernel_size: 3", "weights_of: a, kernel_size: 5"), "both must be the sa"),
        (("weights_of: a", "weights_of: x"), "'b' takes its weights from 'x', but no layer of"),
        (("weights_of: a", "weights_of: end"), "comes later in the file"),
        (("weights_of: a", "weights_of: 3"), "weights_of must be the name of a layer, not 3"),
    ],
)
def test_that_mistakes_are_named(change: tuple[str, str], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_yaml(SIAMESE.replace(*change))
    assert message in str(caught.value)
