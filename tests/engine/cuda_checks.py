"""What a measurement on a CUDA device must do; without pytest, for machines that have torch alone.

`benchmarks/gpu.py` calls these functions, and `tests/engine/measuring/test_cuda.py` where pytest
and a device are.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pickle import dumps
from typing import Any

import numpy as np
import torch

from rfstudio.core import ops
from rfstudio.core.errors import Cancelled
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.engine.measuring.erf import measure, measure_units
from rfstudio.engine.measuring.gains import measure_gains
from rfstudio.engine.measuring.network_cache import NetworkCache
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.engine.process.worker import WorkerProcess
from rfstudio.engine.requests.gains_request import GainsRequest
from rfstudio.engine.requests.request import ESTIMATORS, ErfRequest, ErfResult
from tests.engine import networks

DEVICE = "cuda"

_CONV = ops.Conv(kernel_size=3, padding=1, out_channels=16)
_NETWORK = networks.stack(
    _CONV,
    ops.BatchNorm(),
    ops.Relu(),
    ops.MaxPool(kernel_size=3, stride=2, padding=1),
    _CONV,
    ops.BatchNorm(),
    ops.Relu(),
    size=(40, 36),
)
_FAR = 0.02
"""Largest relative L1 distance of two maps in single precision, where rounding opens a few gates:
that of a ResNet-50 on the CPU alone is 1e-4, of single pixels up to 4e-2 of the peak."""


def _request(**options: Any) -> ErfRequest:
    given: dict[str, Any] = {
        "architecture": _NETWORK,
        "layer": "l6",
        "samples": 12,
        "device": DEVICE,
    }
    return ErfRequest(**(given | options))


def _distance(a: ErfResult, b: ErfResult) -> float:
    return float(np.abs(a.map - b.map).sum() / max(b.map.sum(), 1e-300))


def check_that_results_are_those_of_the_cpu() -> str:
    """Every estimator, in double precision to rounding, in single precision about."""
    worst = {"float64": 0.0, "float32": 0.0}
    for dtype, limit in (("float64", 1e-9), ("float32", _FAR)):
        for estimator in ESTIMATORS:
            request = _request(
                estimator=estimator,
                dtype=dtype,
                samples=3,
                patch=5,
                stride=5,
                channel=None,
            )
            there = measure(request)
            here = measure(replace(request, device="cpu"))
            distance = _distance(there, here)
            worst[dtype] = max(worst[dtype], distance)
            assert distance < limit, f"{estimator} in {dtype}: {distance:.2g} from the CPU's"
            assert there.device.startswith(DEVICE), there.device
    return ", ".join(f"{k}: at most {v:.1e} apart" for k, v in worst.items())


def check_that_a_seed_gives_the_same_bytes_again() -> str:
    """Twice on the device."""
    first, second = measure(_request()), measure(_request())
    assert first.map.tobytes() == second.map.tobytes(), _distance(first, second)
    return "the same bytes"


def check_that_units_and_caches_are_those_of_the_cpu() -> str:
    """Many units at once, and the next unit with a cache."""
    units = [(5, 5), (6, 6), (0, 3), (19, 17)]
    request = _request(dtype="float64", samples=4)
    there, here = (
        measure_units(request, units),
        measure_units(replace(request, device="cpu"), units),
    )
    worst = max(_distance(a, b) for a, b in zip(there, here, strict=True))
    held = NetworkCache()
    for unit, known in zip(3 * units, 3 * here, strict=True):
        worst = max(worst, _distance(measure(replace(request, unit=unit), networks=held), known))
    assert worst < 1e-9, worst
    return f"at most {worst:.1e} apart"


def check_that_gains_are_those_of_the_cpu() -> str:
    """In single precision, which is all that they are measured in."""
    options: Any = {"architecture": _NETWORK, "layer": "l6", "samples": 8}
    there = measure_gains(GainsRequest(**options, device=DEVICE))
    here = measure_gains(GainsRequest(**options, device="cpu"))
    worst = 0.0
    assert there.gains.keys() == here.gains.keys()
    for key, gain in here.gains.items():
        a, b = (np.asarray(x, dtype=float) for x in (there.gains[key], gain))
        worst = max(worst, float(np.abs(a - b).max() / np.abs(b).max()))
    assert worst < _FAR, worst
    return f"at most {worst:.1e} apart"


def check_that_memory_that_runs_out_halves_batches() -> str:
    """A small share of the memory is allowed, while the device reports all of it as free."""
    wide = _wide()
    request = ErfRequest(
        architecture=wide,
        layer="l7",
        method="full",
        weights="uniform",
        samples=32,
        device=DEVICE,
        dtype="float64",
    )
    wanted = measure(request)  # 32 samples hold 9 maps of 16 × 512 × 512 × 8 bytes: 9.7 GB
    with _only(2 * 2**30):
        halved = measure(request)
    assert any("memory ran out" in x for x in halved.notes), halved.notes
    assert _distance(halved, wanted) < 1e-9
    return halved.notes[0]


def check_that_memory_that_does_not_suffice_ends_in_a_sentence() -> str:
    """And the next measurement succeeds."""
    request = _request(samples=2, dtype="float64")
    wanted = measure(request)
    large = ErfRequest(
        architecture=_wide(),
        layer="l7",
        input_size=(4096, 4096),
        method="full",
        weights="uniform",
        samples=1,
        device=DEVICE,
    )
    with _only(1 * 2**30):
        try:
            measure(large)
        except MeasurementError as error:
            said = str(error)
        else:
            raise AssertionError("a sample of 10 GB fitted into 1 GB")
        assert "memory does not suffice" in said, said
        assert _distance(measure(request), wanted) < 1e-9
    assert _distance(measure(request), wanted) < 1e-9
    return said


def _wide() -> Architecture:
    layers = [Layer(ops.Conv(kernel_size=1, out_channels=16), "conv")]
    layers += [Layer(ops.Sigmoid(), f"l{i}") for i in range(8)]
    return Architecture(name="wide", input_size=(512, 512), layers=tuple(layers))


@contextmanager
def _only(size: int) -> Iterator[None]:
    """Let torch take only so many bytes of the device's memory."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(size / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def check_that_cancel_is_prompt(network: Architecture, layer: str, side: int) -> str:
    """Within a second, in the middle of a long measurement."""
    token = CancelToken()
    begun = threading.Event()

    def report(fraction: float, partial: object) -> None:
        begun.set()

    request = ErfRequest(
        architecture=network,
        layer=layer,
        input_size=(side, side),
        samples=1_000_000,
        device=DEVICE,
    )
    ended: list[float] = []

    def work() -> None:
        try:
            measure(request, token=token, report=report)
        except Cancelled:
            torch.cuda.synchronize()
            ended.append(time.perf_counter())

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(120), "no report within two minutes"
    threading.Event().wait(0.35)  # amid the work
    start = time.perf_counter()
    token.cancel()
    thread.join(60)
    assert ended, "not cancelled within a minute"
    took = ended[0] - start
    assert took < 1.0, f"cancelling took {took:.2f} s"
    return f"{network.name} {layer} at {side}: {took:.2f} s after the request"


def measured(request: ErfRequest, token: CancelToken, report: Report) -> ErfResult:
    """Measure in a worker, with its cache."""
    from rfstudio.engine.measuring.network_cache import HERE

    return measure(request, token=token, report=report, networks=HERE)


def check_that_a_worker_measures_and_is_cancelled() -> str:
    """As the window does it: work over a pipe, a cancel, work again."""
    wanted = measure(_request(samples=4, dtype="float64"))
    worker = WorkerProcess()
    try:
        receive = partial(_received, worker)
        assert receive()[0] == "ready"
        work = partial(measured, _request(samples=4, dtype="float64"))
        worker.connection.send(("run", 1, dumps(work)))
        found: Any = receive()[2]
        assert isinstance(found, ErfResult), found
        assert _distance(found, wanted) < 1e-12
        worker.connection.send(("run", 2, dumps(partial(measured, _request(samples=10_000_000)))))
        threading.Event().wait(0.5)  # amid the work
        start = time.perf_counter()
        worker.connection.send(("cancel", 2))
        outcome = receive()
        took = time.perf_counter() - start
        assert isinstance(outcome[2], Cancelled), outcome
        assert took < 1.0, f"cancelling took {took:.2f} s"
        worker.connection.send(("run", 3, dumps(work)))
        again: Any = receive()[2]
        assert again.map.tobytes() == found.map.tobytes()
        return f"cancelled after {took:.2f} s"
    finally:
        worker.kill()


def _received(worker: WorkerProcess) -> tuple[Any, ...]:
    """Return the next message that is no report."""
    while True:
        assert worker.connection.poll(120), "the worker says nothing"
        message: tuple[Any, ...] = worker.connection.recv()
        if message[0] != "progress":
            return message


CHECKS: tuple[Callable[[], str], ...] = (
    check_that_results_are_those_of_the_cpu,
    check_that_a_seed_gives_the_same_bytes_again,
    check_that_units_and_caches_are_those_of_the_cpu,
    check_that_gains_are_those_of_the_cpu,
    check_that_memory_that_runs_out_halves_batches,
    check_that_memory_that_does_not_suffice_ends_in_a_sentence,
    check_that_a_worker_measures_and_is_cancelled,
)
