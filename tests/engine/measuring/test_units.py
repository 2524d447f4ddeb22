"""Many units at once are what they are one by one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from rfstudio.core import ops
from rfstudio.core.errors import UnitError
from rfstudio.core.network.expansion import expand
from rfstudio.engine.measuring import evaluations
from rfstudio.engine.measuring.erf import measure, measure_units
from rfstudio.engine.measuring.subject import Subject
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.requests.request import ESTIMATORS, ErfRequest, ErfResult
from rfstudio.formats.networks.presets import read_preset
from tests.engine import networks


def _compare(request: ErfRequest, units: list[tuple[int, ...]], **others: Any) -> None:
    found = measure_units(request, units, **others)
    assert [x.unit for x in found] == units
    for result in found:
        options = {x: getattr(request, x) for x in request.__dataclass_fields__}
        alone = measure(ErfRequest(**options | {"unit": result.unit}), **others)
        assert result.options == alone.options
        assert result.samples == alone.samples
        for name in ("map", "standard_error"):
            mine, other = getattr(result, name), getattr(alone, name)
            peak = np.nanmax(np.abs(other), initial=0)
            np.testing.assert_allclose(mine, other, rtol=0, atol=1e-12 * peak)


@pytest.mark.parametrize("shared", [True, False], ids=["evaluated once", "as crops"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_that_every_estimator_takes_many_units(
    estimator: Any, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations, "_WORTH_SHARING", 10.0 if shared else 0.0)
    network = networks.random_network(3)
    node = expand(network).nodes[-1]
    units = [(0, 0), (node.size[0] // 2, node.size[1] // 2), tuple(n - 1 for n in node.size)]
    request = ErfRequest(
        architecture=network, layer=node.name, estimator=estimator, dtype="float64", samples=3
    )
    _compare(request, units)


@pytest.mark.parametrize("shared", [True, False], ids=["evaluated once", "as crops"])
def test_that_neighbours_in_a_resnet_are_what_they_are_alone(
    shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations, "_WORTH_SHARING", 10.0 if shared else 0.0)
    request = ErfRequest(
        architecture=read_preset("resnet18"),
        layer="layer1",
        input_size=(80, 80),
        dtype="float64",
        samples=2,
    )
    units: list[tuple[int, ...]] = [*itertools.product((9, 10, 11), (8, 10)), (0, 0), (19, 7)]
    _compare(request, units)


@pytest.mark.parametrize("seed", range(2))
def test_that_units_all_over_a_random_network_are_what_they_are_alone(seed: int) -> None:
    network = networks.random_network(seed + 40)
    node = expand(network).nodes[-1]
    units = list(itertools.product(*(range(0, n, max(n // 2, 1)) for n in node.size)))
    request = ErfRequest(architecture=network, layer=node.name, dtype="float64", samples=2)
    _compare(request, units)


def test_that_any_module_is_measured_at_many_units() -> None:
    theirs = torch.nn.Conv2d(3, 4, 3, padding=1).double().eval()
    network = networks.stack(ops.Conv(kernel_size=3, padding=1, out_channels=4), channels=3)
    request = ErfRequest(architecture=network, layer="l0", dtype="float64", samples=2)
    _compare(request, [(0, 0), (5, 5)], module=theirs)
    _compare(request, [(0, 0), (5, 5)], module=to_torch(network, "l0"))


def test_that_lack_of_memory_halves_units_and_samples_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluations, "_WORTH_SHARING", 0.0)
    conv = ops.Conv(kernel_size=3, padding=1)
    request = ErfRequest(
        architecture=networks.stack(conv, ops.Relu(), conv),
        layer="l2",
        dtype="float64",
        samples=4,
    )
    units = [(5, x) for x in range(3, 7)]
    wanted = measure_units(request, units)
    plain = Subject.differentiate
    counts = []

    def tight(self: Subject, pixels: torch.Tensor, indices: Any) -> torch.Tensor:
        counts.append(len(pixels))
        if len(pixels) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(self, pixels, indices)

    monkeypatch.setattr(Subject, "differentiate", tight)
    found = measure_units(request, units)
    assert counts[0] == 16
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.map, b.map, rtol=1e-12, atol=1e-14)
        assert any("reduced to 2" in note for note in a.notes)


def test_that_no_unit_is_no_work_and_a_wrong_one_an_error_and_progress_is_told() -> None:
    conv = ops.Conv(kernel_size=3, padding=1)
    request = ErfRequest(architecture=networks.stack(conv), layer="l0", samples=4)
    assert measure_units(request, []) == []
    with pytest.raises(UnitError):
        measure_units(request, [(0, 0), (99, 0)])
    seen: list[tuple[float, list[ErfResult]]] = []
    measure_units(request, [(0, 0), (1, 1)], report=lambda f, x: seen.append((f, x)))
    assert seen[-1][0] == 1.0
    assert [x.unit for x in seen[-1][1]] == [(0, 0), (1, 1)]
