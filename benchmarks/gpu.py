"""What measuring costs on a GPU, and whether all works there: in one run.

    python benchmarks/gpu.py [--seconds 270] [--device cuda] [--only checks gradients …]

It needs torch and numpy alone, neither Qt nor a file, and imports nothing that a server lacks.
First come the checks of `tests/engine/cuda_checks.py`, then tables; a table that would not end in
time is cut short, and says so.  Times are wall times around `torch.cuda.synchronize`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from benchmarks import without_window
from benchmarks.resnets import resnet
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.measuring.erf import measure
from rfstudio.engine.measuring.network_cache import NetworkCache
from rfstudio.engine.measuring.subject import ConeSubject
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.module.folding import fold_norms
from rfstudio.engine.requests.request import ErfRequest
from tests.engine import cuda_checks

without_window.check()

SIDES = (224, 512, 1024)
LAYERS = ("layer1", "layer2", "layer3", "layer4")
_ROUNDS = 5
_BATCH_BYTES = 16e9
"""Memory that a batch of whole images or of cones may take."""

_MOST = 64
"""Most images of a batch."""


class Clock:
    """How much of the run's time is left."""

    def __init__(self, seconds: float) -> None:
        self._start, self._seconds = time.perf_counter(), seconds

    @property
    def left(self) -> float:
        """Seconds."""
        return self._seconds - (time.perf_counter() - self._start)


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _seconds(work: Callable[[], Any], device: torch.device, rounds: int = _ROUNDS) -> float:
    """Return the median of some runs, the first one left out."""
    work()
    _synchronize(device)
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        _synchronize(device)
        found.append(time.perf_counter() - start)
    return statistics.median(found)


class Unit:
    """The centre unit of one layer of one network at one size of image."""

    def __init__(self, network: Architecture, layer: str, side: int, device: torch.device) -> None:
        size = (side, side)
        self.device = device
        self.module: GraphModule = to_torch(network, layer, input_size=size).to(device)
        plan = self.module.plan(size)
        self.unit = tuple(n // 2 for n in plan.target.size)
        self.whole_numbers = plan.numbers
        request = ErfRequest(architecture=network, layer=layer, unit=self.unit)
        folded = to_torch(network, layer, input_size=size).to(device)
        fold_norms(folded)
        self.subject = ConeSubject(folded, request, self.unit, size, torch.empty(0, device=device))
        self.side = side

    def images(self, count: int) -> torch.Tensor:
        """Return noise."""
        source = torch.Generator().manual_seed(0)
        noise = torch.randn((count, 3, self.side, self.side), generator=source)
        return noise.to(self.device)

    def whole(self, images: torch.Tensor) -> torch.Tensor:
        """Return the gradient on whole images, as a script does; all of them at once."""
        x = images.clone().requires_grad_()
        values = self.module(x)[(slice(None), slice(None), *self.unit)]
        (gradient,) = torch.autograd.grad(values.sum(), x)
        return gradient

    def cone(self, images: torch.Tensor) -> torch.Tensor:
        """Return the gradient in the cone."""
        return self.subject.gradient(images, range(len(images)))


def _fitting(numbers: int) -> int:
    return int(max(1, min(_MOST, _BATCH_BYTES // (4 * 3 * numbers))))


def _flags(*, tf32: bool) -> Any:
    """As a measurement has it, with tf32 or without."""
    torch.backends.cuda.matmul.allow_tf32 = tf32
    return torch.backends.cudnn.flags(deterministic=True, benchmark=False, allow_tf32=tf32)


def _gradients(options: argparse.Namespace, device: torch.device, clock: Clock) -> None:
    """One sample and a batch, whole images against the cone, fp32 and tf32."""
    print(
        "\n## Gradient of the centre unit: milliseconds of one image alone, and images a second\n"
        "\n| network | layer | image | precision | whole ms | cone ms | ratio | whole images/s "
        "(batch) | cone images/s (batch) | ratio | tf32 off by |\n|" + "---|" * 11
    )
    for depth in options.depths:
        network = resnet(depth)
        for side in options.sides:
            for layer in LAYERS:
                if clock.left < options.reserve:
                    print("\n(cut short: no time left)", flush=True)
                    return
                _gradient_rows(Unit(network, layer, side, device), network.name, layer, device)
                if device.type == "cuda":
                    torch.cuda.empty_cache()


def _gradient_rows(unit: Unit, name: str, layer: str, device: torch.device) -> None:
    one = unit.images(1)
    many = unit.images(min(_fitting(unit.whole_numbers), _fitting(unit.subject.numbers)))
    few = unit.images(_fitting(unit.whole_numbers))
    exact = None
    for precision in ("fp32", "tf32") if device.type == "cuda" else ("fp32",):
        with _flags(tf32=precision == "tf32"):
            whole, cone = (_seconds(partial(f, one), device) for f in (unit.whole, unit.cone))
            wholes = _seconds(partial(unit.whole, few), device, 2) / len(few)
            cones = _seconds(partial(unit.cone, many), device, 3) / len(many)
            field = unit.cone(many).double().square().sum((0, 1))
        exact = field if exact is None else exact
        off = float((field - exact).abs().sum() / exact.sum())
        print(
            f"| {name} | {layer} | {unit.side} | {precision} | {1e3 * whole:.2f} | "
            f"{1e3 * cone:.2f} | {whole / cone:.2f} | {1 / wholes:.0f} ({len(few)}) | "
            f"{1 / cones:.0f} ({len(many)}) | {wholes / cones:.2f} | "
            f"{'' if precision == 'fp32' else f'{off:.1e}'} |",
            flush=True,
        )


def _measurements(options: argparse.Namespace, device: torch.device, clock: Clock) -> None:
    """Whole measurements with all that belongs to them: images a second."""
    print(
        "\n## `measure` from start to end: images a second, all costs included\n"
        "\n| network | layer | image | weights | samples | seconds | images/s | peak GB |\n|"
        + "---|"
        * 8
    )
    for depth in options.depths:
        network = resnet(depth)
        for layer, side in (
            ("layer1", 224),
            ("layer2", 224),
            ("layer3", 224),
            ("layer4", 224),
            ("layer4", 512),
            ("layer4", 1024),
        ):
            for weights in ("random", "uniform"):
                if clock.left < options.reserve:
                    print("\n(cut short: no time left)", flush=True)
                    return
                request = ErfRequest(
                    architecture=network,
                    layer=layer,
                    input_size=(side, side),
                    weights=weights,
                    samples=64,
                    device=str(device),
                )
                measure(replace(request, samples=2))
                if device.type == "cuda":
                    torch.cuda.reset_peak_memory_stats()
                start = time.perf_counter()
                result = measure(request)
                took = time.perf_counter() - start
                peak = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0
                print(
                    f"| {network.name} | {layer} | {side} | {weights} | {result.samples} | "
                    f"{took:.2f} | {result.samples / took:.1f} | {peak:.2f} |",
                    flush=True,
                )


def _photos(options: argparse.Namespace, device: torch.device, clock: Clock) -> None:
    """Photos of 500 × 375 through a network with weights: what an image of a folder costs.

    Reading and decoding a file comes on top of that.
    """
    print(
        "\n## Photos (500 × 375, decoded), given weights, estimator positive\n"
        "\n| network | image | photos | seconds | photos/s | of that the photo ms |\n|" + "---|" * 6
    )
    source = np.random.default_rng(0)
    photos = [source.integers(0, 256, (375, 500, 3), dtype=np.uint8) for _ in range(64)]
    from rfstudio.engine.measuring.sampling import prepared

    for depth in options.depths:
        for side in options.sides:
            if clock.left < options.reserve:
                print("\n(cut short: no time left)", flush=True)
                return
            request = ErfRequest(
                architecture=resnet(depth),
                layer="layer4",
                input_size=(side, side),
                weights="uniform",
                estimator="positive",
                images=photos,
                device=str(device),
            )
            measure(replace(request, samples=2))
            start = time.perf_counter()
            measure(request)
            took = time.perf_counter() - start
            start = time.perf_counter()
            for photo in photos[:16]:
                prepared(photo, 3, (side, side))
            each = (time.perf_counter() - start) / 16
            print(
                f"| ResNet-{depth} | {side} | {len(photos)} | {took:.2f} | "
                f"{len(photos) / took:.1f} | {1e3 * each:.2f} |",
                flush=True,
            )


def _hover(options: argparse.Namespace, device: torch.device, clock: Clock) -> None:
    """The next unit of a map, as the pointer moves: milliseconds."""
    print(
        "\n## The next unit of a map, 4 samples, uniform weights: milliseconds\n"
        "\n| network | layer | image | anew | with the cache |\n|" + "---|" * 5
    )
    network = resnet(50)
    for layer in LAYERS:
        if clock.left < options.reserve:
            return
        request = ErfRequest(
            architecture=network,
            layer=layer,
            unit=(3, 3),
            weights="uniform",
            samples=4,
            device=str(device),
        )
        held = NetworkCache()
        for i in range(40):
            measure(replace(request, unit=(3, 3 + i % 3)), networks=held)
            if any(x.tapes for x in held.networks):
                break
        anew = _seconds(partial(measure, request), device)
        cached = _seconds(partial(measure, request, networks=held), device)
        print(f"| ResNet-50 | {layer} | 224 | {1e3 * anew:.1f} | {1e3 * cached:.1f} |", flush=True)


def _on_cpu(options: argparse.Namespace, device: torch.device, clock: Clock) -> None:
    """The same gradients on one thread of this machine's CPU."""
    del device
    print(
        "\n## One thread of the CPU, milliseconds of one image\n"
        "\n| network | layer | image | whole ms | cone ms | ratio |\n|" + "---|" * 6
    )
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    for side, layers in ((224, LAYERS), (512, LAYERS[:2])):
        for layer in layers:
            if clock.left < options.reserve:
                return
            unit = Unit(resnet(50), layer, side, cpu)
            one = unit.images(1)
            whole, cone = (_seconds(partial(f, one), cpu, 2) for f in (unit.whole, unit.cone))
            print(
                f"| ResNet-50 | {layer} | {side} | {1e3 * whole:.1f} | {1e3 * cone:.1f} | "
                f"{whole / cone:.2f} |",
                flush=True,
            )


def _checks(options: argparse.Namespace, device: torch.device, clock: Clock) -> None:
    """Run every check, and print what it found or how it failed."""
    del device, clock
    print("\n## Checks", flush=True)
    checks = [(x.__name__, x) for x in cuda_checks.CHECKS]
    cancel = partial(cuda_checks.check_that_cancel_is_prompt, resnet(152), "layer4")
    checks += [
        (f"check_that_cancel_is_prompt[{side}]", partial(cancel, side)) for side in (224, 1024)
    ]
    failed = 0
    for name, check in checks:
        start = time.perf_counter()
        try:
            said = f"ok      {check()}"
        except Exception:  # noqa: BLE001 - the other checks are wanted, too
            failed += 1
            said = "FAILED\n" + traceback.format_exc()
        took = time.perf_counter() - start
        print(
            f"{name.removeprefix('check_that_').replace('_', ' ')} ({took:.1f} s): {said}",
            flush=True,
        )
    print(f"{len(checks) - failed} of {len(checks)} checks passed", flush=True)
    options.failed = failed


TABLES: dict[str, Callable[[argparse.Namespace, torch.device, Clock], None]] = {
    "checks": _checks,
    "gradients": _gradients,
    "measurements": _measurements,
    "photos": _photos,
    "hover": _hover,
    "cpu": _on_cpu,
}

_RESERVES = {"checks": 0, "gradients": 90, "measurements": 50, "photos": 30, "hover": 20, "cpu": 5}
"""Seconds that are left for the tables after each."""


def main() -> None:
    """Print the checks and the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=270)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", nargs="+", choices=tuple(TABLES), default=tuple(TABLES))
    parser.add_argument("--depths", type=int, nargs="+", default=[50, 152])
    parser.add_argument("--sides", type=int, nargs="+", default=list(SIDES))
    options = parser.parse_args()
    device = torch.device(options.device)
    clock = Clock(options.seconds)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU"
    print(
        f"{platform.platform()}, Python {platform.python_version()}, torch {torch.__version__}, "
        f"{name}, {os.cpu_count()} cores",
        flush=True,
    )
    options.failed = 0
    for table in options.only:
        options.reserve = _RESERVES[table] if len(options.only) > 1 else 0
        try:
            TABLES[table](options, device, clock)
        except Exception:  # noqa: BLE001 - the other tables are wanted, too
            options.failed += 1
            traceback.print_exc()
        print(f"\n({table}: {clock.left:.0f} s left)", flush=True)
    sys.exit(1 if options.failed else 0)


if __name__ == "__main__":
    main()
