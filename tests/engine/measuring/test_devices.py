"""Whatever the device is, all that a measurement needs is there, and the result is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from rfstudio.core import ops
from rfstudio.engine.measuring import distributed
from rfstudio.engine.measuring.erf import measure, measure_units
from rfstudio.engine.measuring.estimators import Mean
from rfstudio.engine.measuring.gains import measure_gains
from rfstudio.engine.measuring.network_cache import NetworkCache
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import DeviceError
from rfstudio.engine.requests.gains_request import GainsRequest
from rfstudio.engine.requests.request import ESTIMATORS, ErfRequest
from rfstudio.formats.networks.presets import read_preset
from tests.engine import networks
from tests.engine.strict_device import StrictTensor, strict_device

Maps = list[NDArray[np.float64]]


@pytest.fixture
def _strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let "cuda" be the strict device."""
    choose = devices.choose
    with strict_device() as device:
        monkeypatch.setattr(devices, "choose", lambda x, *_: device if x == "cuda" else choose(x))
        yield


@pytest.fixture
def _like_mps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let "cuda" be a strict device without double precision."""
    choose = devices.choose
    with strict_device(knows_double=False) as device:
        monkeypatch.setattr(devices, "choose", lambda x, *_: device if x == "cuda" else choose(x))
        monkeypatch.setattr(devices, "knows_double", lambda x: x != device)
        yield


def _request(**options: Any) -> ErfRequest:
    given: dict[str, Any] = {"architecture": read_preset("resnet18"), "layer": "layer1"}
    given |= {"input_size": (40, 40), "samples": 2, "dtype": "float64", "device": "cpu"}
    return ErfRequest(**given | options)


def _same(work: Callable[[str], Maps], tolerance: float = 1e-12) -> None:
    """Check that some maps are the same on both devices, and that the other one was in use."""
    here, before = work("cpu"), StrictTensor.made
    for mine, other in zip(work("cuda"), here, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=tolerance * float(other.max()))
    assert StrictTensor.made > before


def test_that_the_strict_device_refuses_what_was_left_behind() -> None:
    with strict_device() as device:
        there = torch.ones(3).to(device).requires_grad_()
        (gradient,) = torch.autograd.grad((there * there).sum(), there)
        assert gradient.device == device
        assert gradient.cpu().tolist() == [2.0, 2.0, 2.0]
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3)


@pytest.mark.usefixtures("_strict")
@pytest.mark.parametrize("method", ["cone", "full"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_that_every_estimator_stays_on_its_device(estimator: Any, method: Any) -> None:
    options: dict[str, Any] = (
        {"patch": 8, "stride": 8} if estimator in ("occlusion", "perturbation") else {}
    )
    request = _request(estimator=estimator, method=method, **options)
    _same(lambda device: [measure(replace(request, device=device)).map])


@pytest.mark.usefixtures("_like_mps")
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_that_no_double_precision_is_needed(estimator: Any) -> None:
    options: dict[str, Any] = (
        {"patch": 8, "stride": 8} if estimator in ("occlusion", "perturbation") else {}
    )
    stack = networks.stack(ops.Conv(kernel_size=3), ops.Upsample(scale_factor=1.5, mode="bilinear"))
    options = options | {
        "architecture": stack,
        "layer": "l1",
        "input_size": None,
        "dtype": "float32",
    }
    request = _request(estimator=estimator, **options)
    _same(lambda device: [measure(replace(request, device=device)).map], 1e-5)


@pytest.mark.usefixtures("_like_mps")
def test_that_gains_need_no_double_precision() -> None:
    request = GainsRequest(
        architecture=networks.stack(ops.Conv(kernel_size=3), ops.Relu()), layer="l1", samples=1
    )
    here, there = (measure_gains(replace(request, device=x)).gains for x in ("cpu", "cuda"))
    assert there[2] == pytest.approx(here[2], rel=1e-4)


# A recurrent layer of torch is one kernel of the real device, which a stand-in for it cannot have.
_WITH_KERNELS_OF_ALL_DEVICES = [x for x in networks.SAMPLES if not isinstance(x, ops.Recurrent)]


@pytest.mark.usefixtures("_strict")
@pytest.mark.parametrize("op", _WITH_KERNELS_OF_ALL_DEVICES, ids=lambda x: x.keyword)
def test_that_every_operation_stays_on_its_device(op: ops.Op) -> None:
    request = _request(architecture=networks.stack(op), layer="l0", input_size=None, samples=1)
    _same(lambda device: [measure(replace(request, method="cone", device=device)).map])


@pytest.mark.usefixtures("_strict")
@pytest.mark.parametrize("batch_norm", ["fresh", "train"])
def test_that_statistics_of_norms_are_on_the_device(batch_norm: Any) -> None:
    _same(lambda device: [measure(_request(batch_norm=batch_norm, device=device)).map])


@pytest.mark.usefixtures("_strict")
def test_that_weights_and_images_are_brought_to_the_device(tmp_path: Path) -> None:
    module = to_torch(read_preset("resnet18"), "layer1", seed=4, input_size=(40, 40))
    weights = tmp_path / "weights.safetensors"
    save_file({k: v.clone().contiguous() for k, v in module.state_dict().items()}, weights)
    photo = np.random.default_rng(0).integers(0, 255, (50, 60, 3)).astype(np.uint8)

    def work(device: str) -> Maps:
        images = torch.rand((2, 3, 40, 40), generator=torch.Generator().manual_seed(1))
        return [
            measure(_request(weights=str(weights), images=(photo,), device=device)).map,
            measure(_request(device=device), module=module).map,
            measure(_request(device=device, samples=None), images=images).map,
        ]

    _same(work)


@pytest.mark.usefixtures("_strict")
def test_that_neighbouring_units_and_later_samples_stay_on_the_device() -> None:
    def work(device: str) -> Maps:
        request = _request(device=device)
        together = measure_units(request, [(2, 2), (3, 3), (0, 7)])
        kept = NetworkCache()
        known = [measure(replace(request, unit=x), networks=kept) for x in ((2, 2), (2, 3))]
        more = measure(replace(request, unit=(2, 3), samples=3), earlier=known[-1])
        return [x.map for x in (*together, *known, more)]

    _same(work)


@pytest.mark.usefixtures("_strict")
def test_that_gains_are_measured_on_the_device() -> None:
    request = GainsRequest(
        architecture=read_preset("resnet18"), layer="layer1", input_size=(40, 40), samples=1
    )

    def work(device: str) -> Maps:
        gains = measure_gains(replace(request, device=device)).gains
        return [np.asarray(gains[x], np.float64) for x in sorted(gains, key=str)]

    here, there = work("cpu"), work("cuda")
    assert len(here) == len(there) == 20
    for mine, other in zip(there, here, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3)


def test_that_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceError, match="there is no device 'gpu'; choose auto, cpu, cuda"):
        measure(_request(device="gpu"))


def test_that_a_group_of_gpus_adds_up_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_reduce(values: torch.Tensor) -> None:
        assert isinstance(values, StrictTensor)
        values.mul_(2)

    monkeypatch.setattr(torch.distributed, "get_backend", lambda: "nccl")
    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    mean = Mean("energy", 1, (2, 2))
    mean.add(torch.ones(3, 1, 2, 2))
    with strict_device() as device:
        distributed.add_up(mean, distributed.Rank(0, 2), device)
    assert mean.count == 6
    np.testing.assert_array_equal(mean.sums, np.full((2, 2), 6.0))
