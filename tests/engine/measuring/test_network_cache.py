"""The next unit of the same map costs less and gives the same, whatever was measured before."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rfstudio.core import ops
from rfstudio.core.errors import Cancelled
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.engine.measuring import evaluations, network, run, spare_modules
from rfstudio.engine.measuring import network_cache as kept
from rfstudio.engine.measuring.backward_pass import Tape
from rfstudio.engine.measuring.erf import measure, measure_units
from rfstudio.engine.measuring.network_cache import NetworkCache
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken
from rfstudio.engine.requests.request import BY_FILLING, ESTIMATORS, ErfRequest, ErfResult
from tests.engine import networks

_CONV = ops.Conv(kernel_size=3, padding=1)

NETWORK = networks.stack(
    ops.Conv(kernel_size=5, padding=2, bias=False),
    ops.BatchNorm(),
    ops.Relu(),
    ops.MaxPool(kernel_size=2, stride=2),
    _CONV,
    ops.Relu(),
    _CONV,
    size=(16, 14),
    channels=3,
)
UNITS = ((4, 3), (4, 4), (0, 0), (3, 6), (7, 2))


def _request(network: Architecture = NETWORK, layer: str = "l6", **options: Any) -> ErfRequest:
    settings: dict[str, Any] = {"samples": 5, "dtype": "float64", "device": "cpu"} | options
    return ErfRequest(architecture=network, layer=layer, **settings)


def _with_tanh(network: Architecture) -> Architecture:
    layers = [Layer(ops.Tanh(), "l5") if x.name == "l5" else x for x in network.layers]
    return replace(network, layers=tuple(layers))


def _agree(a: ErfResult, b: ErfResult) -> None:
    assert a.samples == b.samples
    for name in ("map", "standard_error"):
        mine, other = getattr(a, name), getattr(b, name)
        peak = np.nanmax(np.abs(other), initial=0)
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-12 * peak)


def _tapes(held: NetworkCache) -> int:
    return sum(len(x.tapes) for x in held.networks)


@pytest.mark.parametrize(
    ("estimator", "weights"), [*((x, "random") for x in ESTIMATORS), ("energy", "uniform")]
)
def test_that_a_second_unit_is_what_it_is_alone(estimator: Any, weights: str) -> None:
    held = NetworkCache()
    few = 2 if estimator in BY_FILLING else 4
    for unit in UNITS[:few]:
        request = _request(
            unit=unit, estimator=estimator, weights=weights, samples=3, images_per_weights=2
        )
        _agree(measure(request, networks=held), measure(request))
    assert len(held) == 1
    assert (_tapes(held) > 0) == (estimator not in BY_FILLING)


@pytest.mark.parametrize("seed", range(2))
def test_that_units_of_random_networks_are_what_they_are_alone(seed: int) -> None:
    network = networks.random_network(seed)
    node = expand(network).nodes[-1]
    held = NetworkCache()
    corner = tuple(n - 1 for n in node.size)
    for unit in (corner, tuple(n // 2 for n in node.size), (0,) * len(corner)):
        request = _request(network, node.name, unit=unit, samples=3)
        _agree(measure(request, networks=held), measure(request))


def test_that_the_input_itself_can_be_measured() -> None:
    held = NetworkCache()
    for unit in UNITS:
        request = _request(layer="input", unit=unit)
        result = measure(request, networks=held)
        _agree(result, measure(request))
        assert result.map[unit] > 0
        assert np.count_nonzero(result.map) == 1
    _agree(measure_units(_request(layer="input"), UNITS)[-1], result)


def test_that_more_batches_than_are_kept_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluations, "_EVALUATIONS", 2)
    monkeypatch.setattr(network, "_GROUPS", 3)
    held = NetworkCache()
    for unit in UNITS:
        request = _request(unit=unit, images_per_weights=1)
        _agree(measure(request, networks=held), measure(request))
    assert _tapes(held) == 2


def test_that_evaluations_are_kept_once_units_have_cost_as_much_as_the_map() -> None:
    held = NetworkCache()
    conv = ops.Conv(kernel_size=3, padding=1, out_channels=4)
    network = networks.stack(conv, ops.Relu(), conv, size=(15, 15), channels=3)
    counts = []
    for x in range(60):
        measure(_request(network, "l2", unit=(7, x % 15), samples=1), networks=held)
        counts.append(_tapes(held))
    module = to_torch(network, "l2")
    whole, cone = module.plan((15, 15)).macs, module.plan((15, 15), ((7, 8), (7, 8))).macs
    assert counts[0] == 0
    assert counts[-1] == 1
    assert counts.count(0) == pytest.approx(0.97 * whole / cone, rel=0.3)


def test_that_a_field_over_the_whole_image_is_kept_at_once() -> None:
    held = NetworkCache()
    network = networks.stack(_CONV, ops.Relu(), ops.GlobalAvgPool(), ops.Conv(kernel_size=1))
    measure(_request(network, "l3", samples=4), networks=held)
    assert _tapes(held) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"weights": "uniform"},
        {"batch_norm": "fresh"},
        {"batch_norm": "train"},
        {"images_per_weights": 3},
        {"dtype": "float32"},
        {"input_size": (20, 14)},
        {"layer": "l4"},
        {"activation": "before"},
        {"architecture": _with_tanh(NETWORK)},
        {"samples": 7},
        {"channel": 1},
        {"method": "full"},
    ],
    ids=lambda x: next(iter(x)),
)
def test_that_no_other_option_is_answered_from_what_is_kept(changes: dict[str, Any]) -> None:
    held = NetworkCache()
    for unit in UNITS:
        measure(_request(unit=unit), networks=held)
    assert _tapes(held)
    request = replace(_request(unit=(4, 3)), **changes)
    again, alone = measure(request, networks=held), measure(request)
    if request.dtype == "float32":
        np.testing.assert_allclose(again.map, alone.map, rtol=1e-3, atol=1e-4 * alone.map.max())
        assert not np.array_equal(again.map, measure(_request(unit=(4, 3))).map)
    else:
        _agree(again, alone)


def test_that_a_changed_photo_or_another_order_is_seen() -> None:
    held = NetworkCache()
    source = np.random.default_rng(0)
    photos = [source.integers(0, 256, (20, 18, 3)).astype(np.uint8) for _ in range(2)]
    for _ in range(3):
        measure(_request(images=tuple(photos), samples=2), networks=held)
    assert _tapes(held)
    photos[1] = photos[1].copy()
    photos[1][9, 9] ^= 255
    for images in (tuple(photos), (photos[1], photos[0]), tuple(photos[:1])):
        request = _request(images=images, samples=2, seed=0)
        _agree(measure(request, networks=held), measure(request))


def test_that_a_file_of_weights_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    held = NetworkCache()
    for seed in (1, 2):
        state = to_torch(NETWORK, "l6", seed=seed).state_dict()
        save_file({k: v.contiguous() for k, v in state.items()}, file)
        os.utime(file, ns=(seed, seed))
        for unit in UNITS:
            request = _request(unit=unit, weights=str(file))
            _agree(measure(request, networks=held), measure(request))
    assert _tapes(held)
    assert len(held) == 2


def test_that_nothing_is_kept_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "free_memory", lambda _: 0)
    held = NetworkCache()
    for unit in UNITS:
        request = _request(unit=unit, images_per_weights=2)
        _agree(measure(request, networks=held), measure(request))
    assert _tapes(held) == 0


def test_that_what_is_kept_stays_within_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    total = 1_200_000
    held = NetworkCache()
    monkeypatch.setattr(kept, "free_memory", lambda _: total - held.bytes)
    for seed in range(5):
        for unit in UNITS:
            request = _request(unit=unit, seed=seed)
            result = measure(request, networks=held)
        _agree(result, measure(request))
        assert held.bytes <= total / 4
    assert _tapes(held)


def test_that_networks_measured_longest_ago_are_forgotten() -> None:
    held = NetworkCache()
    for together in (1, 2, 3, 4, 5, 6, 3):
        measure(_request(images_per_weights=together, samples=1), networks=held)
    assert len(held) == 4
    assert [x._request.images_per_weights for x in held.networks] == [4, 5, 6, 3]


@pytest.mark.parametrize("weights", ["random", "uniform"])
def test_that_another_seed_builds_no_module(monkeypatch: pytest.MonkeyPatch, weights: str) -> None:
    options: dict[str, Any] = {"samples": 3, "dtype": "float32", "weights": weights}
    requests = [_request(seed=x, unit=unit, **options) for x, unit in enumerate(UNITS)]
    alone = [measure(x) for x in requests]
    held = NetworkCache()
    spare_modules.HERE.clear()
    results = [measure(requests[0], networks=held)]
    monkeypatch.setattr(run, "GraphModule", None)
    results += [measure(x, networks=held) for x in requests[1:]]
    assert len(held) == 1
    for found, fresh in zip(results, alone, strict=True):
        np.testing.assert_array_equal(found.map, fresh.map)
        np.testing.assert_array_equal(found.standard_error, fresh.standard_error)


def test_that_lack_of_memory_gives_back_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    held = NetworkCache()
    for unit in UNITS:
        measure(_request(unit=unit), networks=held)
    request = _request(unit=UNITS[3])
    wanted = measure(request)

    def tight(*_: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Tape, "gradient", tight)
    _agree(measure(request, networks=held), wanted)
    assert len(held) == 0


def test_that_an_error_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    held = NetworkCache()
    monkeypatch.setattr(evaluations, "_WORTH_KEEPING", 0.0)
    measure(_request(), networks=held)
    for known in held.networks:
        for state in known._states.values():
            state["l6.weight"].fill_(torch.nan)
    with pytest.raises(MeasurementError, match="not a number"):
        measure(_request(), networks=held)
    assert len(held) == 0
    _agree(measure(_request(), networks=held), measure(_request()))


def test_that_a_cancelled_measurement_is_gone_on_with() -> None:
    held = NetworkCache()
    for unit in UNITS:
        token = CancelToken()
        with pytest.raises(Cancelled):
            measure(
                _request(unit=unit, images_per_weights=1),
                networks=held,
                token=token,
                report=lambda *_, token=token: token.cancel(),
            )
        request = _request(unit=unit, images_per_weights=1)
        _agree(measure(request, networks=held), measure(request))
