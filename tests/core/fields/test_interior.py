"""Interior units: what is worked out once for copies of a repeated layer."""

from __future__ import annotations

import pytest

from rfstudio.core.axes.axis_rule import AxisRule
from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.fields import interior
from rfstudio.core.fields.analysis import analyze
from rfstudio.formats.networks.yaml_reader import read_yaml

REPEATED = """\
format: 1
input: {size: [64], channels: 4}
layers:
  - conv: {kernel_size: 3, padding: 1}
  - repeat: {times: 50, layers: [{grid_attention: {grid: 2, heads: 1}}]}
"""


def test_that_copies_of_a_layer_with_a_long_pattern_are_worked_out_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    real = interior._inside

    def counted(source: Interval, rule: AxisRule) -> Interval:
        calls.append(rule)
        return real(source, rule)

    monkeypatch.setattr(interior, "_inside", counted)
    layers = analyze(read_yaml(REPEATED.encode())).layers
    # By hand: units 0 and 63 of the convolution read its padding.
    assert layers[0].interior == ((1, 62),)
    assert len(layers) == 51
    assert {x.interior for x in layers[1:]} == {layers[1].interior}
    assert len(calls) < 6
