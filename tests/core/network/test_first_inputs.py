"""Effective fields over any input of a network with several."""

from __future__ import annotations

import json

import numpy as np
import pytest

import rfstudio
from rfstudio.cli import main
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.inputs import input_names, with_first_input
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml

TEXT = """\
format: 1
name: pair
inputs:
  left: {size: [12, 10], channels: 3}
  right: {size: [6, 5], channels: 2}
layers:
  - conv: {kernel_size: 3, padding: 1, out_channels: 4}
  - residual:
      name: block
      layers:
        - conv: {from: input, kernel_size: 1, out_channels: 4}
  - conv: {name: r, from: right, kernel_size: 3, padding: 1, out_channels: 4}
  - upsample: {name: up, size_of: input}
  - add: {name: both, from: [block, up]}
  - conv: {name: end, kernel_size: 3, padding: 1, out_channels: 2}
"""
PAIR = read_yaml(TEXT)


def test_that_layers_read_the_same_whichever_input_is_first() -> None:
    turned = with_first_input(PAIR, "right")
    assert input_names(turned) == ("right", "left")
    assert (turned.input_size, turned.channels) == ((6, 5), 2)
    ours, theirs = expand(PAIR), expand(turned)
    assert not theirs.faults
    assert read_yaml(write_yaml(turned)) == turned
    for node in ours.nodes[2:]:
        other = theirs.nodes[theirs.index(node.name)]
        assert (other.size, other.channels, other.op) == (node.size, node.channels, node.op)
    again = with_first_input(turned, "left")
    assert (again.input_size, again.channels, again.input_name) == ((12, 10), 3, "left")
    assert with_first_input(PAIR, "left") is PAIR
    assert with_first_input(PAIR, "input") is PAIR
    wide = with_first_input(PAIR, "right", (24, 20))
    assert wide.input_size == (12, 10)
    assert wide.further_inputs[0].size == (24, 20)


def test_that_an_input_that_is_not_there_is_named() -> None:
    with pytest.raises(
        RFStudioError, match="no input 'lefd' among left, right; did you mean 'left'"
    ):
        with_first_input(PAIR, "lefd")
    shadowed = read_yaml(
        TEXT.replace("- conv: {from: input,", "- relu: {name: left}\n        - conv: {from: input,")
    )
    with pytest.raises(RFStudioError, match="has the name of an input"):
        with_first_input(shadowed, "right")


def test_that_expected_fields_are_those_with_the_input_as_reference() -> None:
    # The walk back to any map was there before: it is the judge of the exchanged network.
    analysis = rfstudio.analyze(PAIR, reference="right")
    wanted = rfstudio.expected_erf(analysis, "end", (6, 5))
    found = rfstudio.expected_erf(PAIR, "end", (6, 5), input="right")
    np.testing.assert_allclose(found.map, wanted.map, rtol=1e-12)
    assert found.map.shape == (6, 5)
    known = rfstudio.expected_erf(rfstudio.analyze(PAIR), "end", (6, 5), input="right")
    np.testing.assert_array_equal(known.map, found.map)
    counts = rfstudio.path_counts(PAIR, "end", (6, 5), input="right")
    np.testing.assert_allclose(counts.map, rfstudio.path_counts(analysis, "end", (6, 5)).map)
    # Over the first input nothing has changed.
    first = rfstudio.expected_erf(PAIR, "end", (6, 5), input="left")
    np.testing.assert_array_equal(first.map, rfstudio.expected_erf(PAIR, "end", (6, 5)).map)


def test_that_measured_fields_lie_in_the_region_of_that_input() -> None:
    found = rfstudio.erf(PAIR, "end", (6, 5), samples=2, input="right")
    region = rfstudio.analyze(PAIR, reference="right").unit("end", (6, 5))
    np.testing.assert_array_equal(found.map > 0, region.support())
    assert found.metrics.outside == 0.0
    (many,) = rfstudio.erfs(PAIR, "end", [(6, 5)], samples=2, input="right")
    np.testing.assert_allclose(many.map, found.map)
    images = np.zeros((1, 2, 6, 5), np.float32)
    assert rfstudio.erf(PAIR, "end", images=images, input="right").map.shape == (6, 5)
    with pytest.raises(RFStudioError, match="leave input or module out"):
        rfstudio.erf(PAIR, "end", module=rfstudio.to_torch(PAIR), input="right")


@pytest.mark.parametrize("estimator", ["expected", "path-count", "energy"])
def test_that_the_command_takes_an_input(estimator, tmp_path, capsys) -> None:
    file = tmp_path / "pair.yaml"
    file.write_text(TEXT)
    options = ["--input", "right", "--estimator", estimator, "--format", "json"]
    options += ["--samples", "2"] if estimator == "energy" else []
    command = ["erf", str(file), "--layer", "end"]
    for size in ([], ["--input-size", "9", "10"]):
        assert main([*command, *options, *size]) == 0
        record = json.loads(capsys.readouterr().out)
        wanted = [int(x) for x in size[1:]] or [6, 5]
        assert record["input"] == {"name": "right", "size": wanted, "channels": 2}
    assert main([*command, "--input", "middle"]) != 0
    assert "no input 'middle' among left, right" in capsys.readouterr().err
