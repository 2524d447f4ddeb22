"""A module that is used again gives the same as a new one, to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rfstudio.core import ops
from rfstudio.core.network.expansion import expand
from rfstudio.engine.measuring.erf import measure, measure_units
from rfstudio.engine.measuring.spare_modules import HERE, SpareModules
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.requests.request import ErfRequest
from tests.engine import networks

NETWORK = networks.stack(
    ops.Conv(kernel_size=5, padding=2, bias=False),
    ops.BatchNorm(),
    ops.Relu(),
    ops.MaxPool(kernel_size=2, stride=2),
    ops.Conv(kernel_size=3, padding=1),
    ops.BatchNorm(),
    ops.Relu(),
    ops.Conv(kernel_size=3, padding=1),
    size=(16, 14),
    channels=3,
)
REQUEST = ErfRequest(architecture=NETWORK, layer="l7", samples=5, device="cpu")

ORDERS: tuple[tuple[dict[str, Any], ...], ...] = (
    ({}, {"weights": "uniform"}, {"seed": 3}),
    ({"weights": "uniform"}, {"batch_norm": "fresh"}, {}, {"weights": "uniform"}),
    ({}, {"batch_norm": "train"}, {"init": "xavier_uniform"}),
    ({"dtype": "float64"}, {}, {"dtype": "float64", "unit": (0, 0)}, {"layer": "l4"}),
)


@pytest.fixture(autouse=True)
def _no_spares() -> Iterator[None]:
    HERE.clear()
    yield
    HERE.clear()


@pytest.mark.parametrize("order", ORDERS, ids=range(len(ORDERS)))
def test_that_the_order_of_measurements_changes_nothing(order: tuple[dict[str, Any], ...]) -> None:
    requests = [replace(REQUEST, **x) for x in order]
    one_after_the_other = [measure(x) for x in requests]
    for request, found in zip(requests, one_after_the_other, strict=True):
        HERE.clear()
        fresh = measure(request)
        np.testing.assert_array_equal(found.map, fresh.map)
        np.testing.assert_array_equal(found.standard_error, fresh.standard_error)
        assert found.notes == fresh.notes


def test_that_a_second_measurement_builds_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    measure(REQUEST)
    monkeypatch.setattr(GraphModule, "__init__", None)
    measure(replace(REQUEST, seed=1, unit=(2, 2)))
    measure_units(REQUEST, [(1, 1), (2, 1)])


def test_that_weights_of_a_file_come_into_a_new_module(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(to_torch(NETWORK, seed=5).state_dict(), path)
    request = replace(REQUEST, weights=str(path))
    measure(REQUEST)
    found = measure(request)
    HERE.clear()
    fresh = measure(request)
    np.testing.assert_array_equal(found.map, fresh.map)
    assert found.notes == fresh.notes
    assert len(HERE) == 0


def test_that_a_module_is_taken_once_and_large_ones_are_not_held() -> None:
    graph = expand(NETWORK)
    module = GraphModule(NETWORK, "l7", input_size=graph.nodes[0].size).eval()
    kind = (torch.device("cpu"), torch.float32)
    spares = SpareModules()
    spares.give(module, *kind)
    assert spares.take(graph, module.target - 1, *kind) is None
    assert spares.take(graph, module.target, torch.device("cpu"), torch.float64) is None
    assert spares.take(graph, module.target, *kind) is module
    assert spares.take(graph, module.target, *kind) is None
    large = networks.stack(ops.Conv(kernel_size=1, out_channels=2**20), channels=9)
    spares.give(GraphModule(large), *kind)
    assert len(spares) == 0
