"""Values of random networks that no number can hold: their fields are not known, and said so."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import energy_of
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture, Item, Layer, Residual
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph

_CONV = Layer(ops.Conv(kernel_size=3, padding=1, out_channels=3))

_BLOCK = Residual((_CONV, Layer(ops.Relu()), _CONV, Layer(ops.Relu())))

_NORMED = Residual((_CONV, Layer(ops.BatchNorm()), Layer(ops.Relu())))


def _graph(*layers: Item) -> Graph:
    return expand(Architecture(input_size=(8, 8), layers=layers))


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize(
    "layers",
    [
        (_BLOCK,) * 1200,
        (_CONV,) * 1100,
        (_BLOCK,) * 870 + (_NORMED,),
        (_CONV, Layer(ops.Gelu())) * 20 + (_BLOCK,) * 1200,
        tuple(
            Layer(ops.Multiply(), f"m{i}", (f"m{i - 1}", f"m{i - 1}"))
            if i
            else Layer(_CONV.op, "m0")
            for i in range(1100)
        ),
    ],
    ids=["blocks", "convolutions", "norm", "activations", "products"],
)
def test_that_the_first_layer_with_too_large_values_is_named(layers: tuple[Item, ...]) -> None:
    graph = _graph(*layers)
    last = len(graph.nodes) - 1
    with pytest.raises(RFStudioError, match="too large for numbers") as found:
        expected_erf(graph, last, (4, 4))
    name = str(found.value).split("'")[1]
    first = graph.index(name)
    assert 0 < first <= last
    # The layers before it have fields, whatever was asked before, and it never has one.
    energy = energy_of(graph, target=first - 1)
    assert all(math.isfinite(energy.moments(i).square) for i in range(first))
    assert np.isfinite(expected_erf(graph, first - 1, (4, 4)).map).all()
    with pytest.raises(RFStudioError, match=f"from '{name}' on"):
        energy_of(graph, target=first)


def test_that_norms_keep_values_of_a_thousand_blocks_small() -> None:
    graph = _graph(*((_NORMED, Layer(ops.BatchNorm())) * 500))
    field = expected_erf(graph, len(graph.nodes) - 1, (4, 4))
    assert np.isfinite(field.map).all()
    assert field.map.sum() > 0
