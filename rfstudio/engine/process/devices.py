"""Devices: choosing the one that computes, and how much memory it has left."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn

from rfstudio.engine.process.errors import DeviceError, MeasurementError

_UNKNOWN_MEMORY = 2**40

_MEMORY = Path("/proc/meminfo")


def choose(name: str, dtype: str = "float32") -> torch.device:
    """Return the device of that name.

    Parameters
    ----------
    name
        "cpu", "cuda", "cuda:1", "mps", or "auto" for a GPU if there is one that supports the
        precision. Each process that ``torchrun`` starts on a machine gets a GPU of its own, unless
        the name says which.
    dtype
        "float32" or "float64".

    Raises
    ------
    DeviceError
        If there is no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return _own_cuda()
        is_mps = torch.backends.mps.is_available() and dtype != "float64"
        return torch.device("mps" if is_mps else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdigit()):
        raise DeviceError(f"there is no device '{name}'; choose auto, cpu, cuda, cuda:1 … or mps")
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise DeviceError("no CUDA device is available here; choose cpu or auto")
        count = torch.cuda.device_count()
        if number and int(number) >= count:
            raise DeviceError(f"there is no '{name}': the last CUDA device is cuda:{count - 1}")
        return torch.device(kind, int(number)) if number else _own_cuda()
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("Apple's MPS is not available here; choose cpu or auto")
    return torch.device(kind)


def _own_cuda() -> torch.device:
    """Return the GPU of this process: with several processes on a machine, one each in turn."""
    place = os.environ.get("LOCAL_RANK", "")
    if not place.isdigit():
        return torch.device("cuda")
    return torch.device("cuda", int(place) % torch.cuda.device_count())


def knows_double(device: torch.device) -> bool:
    """Return whether a device computes in double precision."""
    return device.type != "mps"


def check_dtype(device: torch.device, dtype: str) -> None:
    """Raise `DeviceError` if the device cannot compute in that precision."""
    if dtype == "float64" and not knows_double(device):
        raise DeviceError("MPS does not support float64; choose cpu for an exact measurement")


def like_of(module: nn.Module) -> Tensor | None:
    """Return a tensor on the device and in the precision of a module; None: it holds none."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            return tensor
    return None


def words(device: torch.device) -> str:
    """Return the device in words."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        return f"cpu ({torch.get_num_threads()} of {os.cpu_count()} cores)"
    return str(device)


def free_memory(device: torch.device) -> int:
    """Return the bytes that can still be allocated, as far as the system reports that."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        with _MEMORY.open("rb") as lines:
            for line in lines:  # of fifty, the third
                if line.startswith(b"MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _UNKNOWN_MEMORY


def batch_macs(device: torch.device) -> float:
    """Return the multiply-adds of a batch: a fraction of a second, so that Cancel is prompt.

    On the CPU those of four gradients of ResNet-50's stage 3, half of the samples that share
    weights: with three at once the last batch of them would be too small to be quick.
    """
    return {"cuda": 1e12, "mps": 2e11}.get(device.type, 2.6e10)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out; torch says so in several ways."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "out of memory" in text
    )


def check_memory(
    device: torch.device, channels: int, size: Sequence[int], dtype: torch.dtype
) -> None:
    """Refuse images that do not fit into memory, before anything is made of them.

    Raises
    ------
    MeasurementError
        That says how much they would take.
    """
    needed = 3 * channels * prod(size) * dtype.itemsize
    free = free_memory(device)
    if needed > free:
        raise MeasurementError(
            f"images of {'×'.join(map(str, size))} need about {needed / 1e9:,.1f} GB of "
            f"memory, but only {free / 1e9:,.1f} GB are free; use a smaller input"
        )
