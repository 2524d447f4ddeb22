"""Which device a name chooses, where there are several or one lacks a precision."""

import pytest
import torch

from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import DeviceError


@pytest.mark.parametrize(
    ("name", "place", "chosen"),
    [
        ("auto", None, "cuda"),
        ("cuda", None, "cuda"),
        ("auto", "1", "cuda:1"),
        ("cuda", "2", "cuda:0"),  # more processes than GPUs
        ("cuda:0", "1", "cuda:0"),
        ("cpu", "1", "cpu"),
    ],
)
def test_that_each_process_of_a_machine_gets_a_gpu_of_its_own(
    name: str, place: str | None, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    if place is not None:
        monkeypatch.setenv("LOCAL_RANK", place)
    assert str(devices.choose(name)) == chosen


@pytest.mark.parametrize(("dtype", "chosen"), [("float32", "mps"), ("float64", "cpu")])
def test_that_no_device_is_chosen_that_does_not_know_the_precision(
    dtype: str, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.choose("auto", dtype).type == chosen


@pytest.mark.parametrize("name", ["gpu7", "cuda:x", "cuda:2", "CPU", ""])
def test_that_a_name_of_no_device_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(DeviceError):
        devices.choose(name)
