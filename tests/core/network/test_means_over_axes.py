"""Means and maxima over some axes, against torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import rfstudio
from rfstudio.core import ops
from rfstudio.core.errors import OpError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.core.ops import Op
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml


def _network(op: Op) -> Architecture:
    conv = ops.Conv(kernel_size=3, padding=1)
    layers = (Layer(conv), Layer(op, "over"), Layer(conv, "last"))
    return Architecture(input_size=(7, 6), channels=3, layers=layers)


CASES: list[tuple[Op, Callable[[Tensor], Tensor]]] = [
    (ops.AxisMean(axes=(0,)), lambda x: x.mean(2, keepdim=True)),
    (ops.AxisMean(axes=(1, 0)), lambda x: x.mean((2, 3), keepdim=True)),
    (ops.AxisMean(axes=(1,), keep=True), lambda x: x.mean(3, keepdim=True).expand_as(x)),
    (ops.AxisMax(axes=(1,)), lambda x: x.amax(3, keepdim=True)),
    (ops.AxisMax(axes=(0,), keep=True), lambda x: x.amax(2, keepdim=True).expand_as(x)),
]
NAMES = [repr(op) for op, _ in CASES]


@pytest.mark.parametrize(("op", "theirs"), CASES, ids=NAMES)
def test_that_they_are_those_of_torch(op: Op, theirs: Callable[[Tensor], Tensor]) -> None:
    network = _network(op)
    image = torch.randn(2, 3, 7, 6, generator=torch.Generator().manual_seed(0))
    before = to_torch(network, "conv1", seed=1)(image)
    torch.testing.assert_close(to_torch(network, "over", seed=1)(image), theirs(before))
    assert read_yaml(write_yaml(network)) == network


@pytest.mark.parametrize(("op", "_"), CASES, ids=NAMES)
def test_that_a_unit_sees_the_pixels_that_reach_it(op: Op, _: object) -> None:
    # Pixels that are not a number make exactly those outputs so that read them.
    network = _network(op)
    analysis = analyze(network)
    module = to_torch(network, weights="ones", positive=True, dtype=torch.float64)
    size = analysis["last"].output_size
    for unit in {(0, 0), (size[0] // 2, size[1] - 1)}:
        seen = np.zeros((7, 6), bool)
        for y, x in np.ndindex(7, 6):
            image = torch.ones(1, 3, 7, 6, dtype=torch.float64)
            image[..., y, x] = torch.nan
            seen[y, x] = bool(module(image)[(0, 0, *unit)].isnan())
        np.testing.assert_array_equal(analysis.unit("last", unit).support(), seen)


def test_that_a_mean_over_all_axes_has_the_field_of_a_global_pool() -> None:
    def field(op: Op) -> np.ndarray:
        layers = (Layer(ops.Conv(kernel_size=3, padding=1)), Layer(ops.Relu()), Layer(op, "m"))
        network = Architecture(input_size=(6, 5), channels=3, layers=layers)
        return np.asarray(rfstudio.expected_erf(network, "m", unit=(0, 0)).map)

    over_axes = field(ops.AxisMean(axes=(0, 1)))
    np.testing.assert_allclose(over_axes, field(ops.GlobalAvgPool()), rtol=1e-12)


def test_that_axes_that_are_not_there_are_named() -> None:
    (fault,) = expand(_network(ops.AxisMean(axes=(2,)))).faults
    assert "axis 2 is not there; axes count from 0 to 1" in fault.message
    with pytest.raises(OpError, match="axes must be"):
        ops.AxisMax(axes=())
