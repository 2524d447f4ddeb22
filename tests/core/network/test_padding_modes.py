"""Convolutions whose padding holds samples of the map itself.

The right values are the pixels with a gradient in torch.nn.Conv2d with the same padding_mode.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import rfstudio
from rfstudio.core import ops
from rfstudio.core.errors import FormatError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_draft, read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.pytorch.source import write_pytorch

CIRCULAR = """\
format: 1
name: PyTorch padding_mode
input: {size: [16, 16], channels: 8}
layers:
  - conv: {name: a, kernel_size: 5, padding: 2, padding_mode: circular}
"""
TOO_WIDE: dict = {"kernel_size": 9, "padding": 4, "padding_mode": "reflect", "out_channels": 1}
MODES = ("reflect", "replicate", "circular")


def test_that_circular_padding_reads_the_other_end() -> None:
    network = read_yaml(CIRCULAR)
    analysis = analyze(network)
    support = analysis.unit("a", (0, 8)).support()
    assert np.flatnonzero(support.any(axis=1)).tolist() == [0, 1, 2, 14, 15]
    assert np.flatnonzero(support.any(axis=0)).tolist() == [6, 7, 8, 9, 10]
    assert support.sum() == 25
    assert analysis.unit("a", (8, 8)).visible_region == ((6, 10), (6, 10))
    assert analysis["a"].padding == (2, 2)
    assert read_yaml(write_yaml(network)) == network
    assert "padding=2, padding_mode='circular'" in write_pytorch(network)


def _network(mode: str, **options: object) -> Architecture:
    window: dict = {"kernel_size": 3, "padding": 2, "padding_mode": mode, **options}
    return Architecture(input_size=(9, 8), channels=4, layers=(Layer(ops.Conv(**window), "a"),))


@pytest.mark.parametrize("mode", MODES)
def test_that_it_computes_what_torch_does(mode) -> None:
    module = to_torch(_network(mode, stride=2, dilation=2), seed=1)
    theirs = nn.Conv2d(4, 4, 3, stride=2, padding=2, dilation=2, padding_mode=mode)
    weights = module.state_dict()
    theirs.load_state_dict({"weight": weights["a.weight"], "bias": weights["a.bias"]})
    image = torch.randn(2, 4, 9, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module(image), theirs(image))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("unit", [(0, 0), (0, 4), (8, 9), (5, 5)])
def test_that_energy_is_that_of_all_taps(mode, unit) -> None:
    # Weights are independent, so a pixel has one share of energy for each tap that reads it.
    erf = rfstudio.expected_erf(_network(mode), "a", unit=unit)
    taps = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    image = torch.zeros(1, 1, 9, 8, dtype=torch.float64, requires_grad=True)
    padded = nn.functional.pad(image, (2, 2, 2, 2), mode=mode)
    (counts,) = torch.autograd.grad(nn.functional.conv2d(padded, taps)[(0, 0, *unit)], image)
    np.testing.assert_allclose(erf.map / erf.map.sum(), counts[0, 0].numpy() / 9, atol=1e-12)
    assert erf.exact


def test_that_a_map_too_small_is_named() -> None:
    with pytest.raises(FormatError, match="circular padding of 17 needs more than 16 samples"):
        read_yaml(CIRCULAR.replace("padding: 2", "padding: 17"))


def test_that_each_layer_that_does_not_fit_is_reported_though_all_are_equal() -> None:
    """Equal operations of a file are one object: only the first of them was reported."""
    layers = tuple(Layer(ops.Conv(**TOO_WIDE), name, ("input",)) for name in "abc")
    network = Architecture(input_size=(4, 4), channels=1, layers=layers)
    for each in (network, read_draft(write_yaml(network))):
        assert [(x.node, x.code) for x in expand(each).faults] == [(x, "wrong_size") for x in "abc"]
