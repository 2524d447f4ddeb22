"""What the cone of a unit saves: against ``torch.autograd.grad`` on the whole image, in one run.

    python benchmarks/erf.py [--rows gradients batched defaults calls cores photos units hover
                              memory occlusion]
                             [--sizes 224 512 1024] [--rounds 3] [--threads 1] [--device cpu]

Every round measures both ways one after the other; the table holds the median of the rounds'
ratios, with the seconds of one sample beside it.  The images, weights and the unit (the centre) are
the same for both.  Peaks of memory are those of a process that does one thing only.
"""

from __future__ import annotations

import argparse
import copy
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from PIL import Image

from rfstudio import api
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.engine.measuring import spare_modules
from rfstudio.engine.measuring.erf import measure, measure_units
from rfstudio.engine.measuring.network_cache import NetworkCache
from rfstudio.engine.measuring.run import Run
from rfstudio.engine.measuring.sampling import prepared
from rfstudio.engine.measuring.subject import ConeSubject
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.module.folding import fold_norms
from rfstudio.engine.process import devices
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.formats.images.photos import photos_of

# Network, layer and the ratios that the specification asks for, by side of the image.
GRADIENTS: tuple[tuple[str, str, dict[int, float]], ...] = (
    ("resnet50", "layer1", {224: 16, 512: 70}),
    ("resnet50", "layer2", {224: 5, 512: 24}),
    ("resnet50", "layer3", {224: 1.2, 512: 5.5, 1024: 30}),
    ("resnet50", "layer4", {224: 1.0, 512: 2.2, 1024: 9.4}),
    ("vgg16", "conv3_3", {224: 27, 512: 160}),
    ("vgg16", "conv5_3", {224: 1.7, 512: 9.5}),
    ("stack8", "conv8", {}),
)
BATCHED: tuple[tuple[str, str, float], ...] = (
    ("resnet50", "layer1", 20),
    ("resnet50", "layer2", 12),
)
DEFAULTS: tuple[tuple[str, str, float], ...] = (
    ("resnet50", "layer1", 8),
    ("resnet50", "layer2", 4),
    ("resnet50", "layer3", 1.3),
)
CORES: tuple[tuple[str, str], ...] = (
    ("luo_20_layers", "stack.3"),
    ("vgg16", "conv1_2"),
    ("resnet50", "conv1"),
    ("resnet50", "layer1"),
)
CALLS: tuple[tuple[str, str], ...] = (
    *CORES,
    ("resnet50", "layer2"),
    ("resnet50", "layer3"),
    ("vgg16", "conv3_3"),
    ("densenet121", "denseblock1"),
    ("inception_v3", "Mixed_5b"),
    ("unet", "down2.relu2"),
    ("tcn_1d", "level3"),
    ("vit_b16", "encoder.0"),
)
UNITS: tuple[tuple[str, str, float], ...] = (
    ("resnet50", "layer1", 0),
    ("resnet50", "layer2", 12.3),
)
HOVERS: tuple[tuple[str, str, float], ...] = (
    ("resnet50", "layer2", 0),
    ("resnet50", "layer3", 1.7),
    ("resnet50", "layer4", 1.7),
    ("vgg16", "conv5_3", 1.7),
)
PEAKS: tuple[tuple[str, str, int], ...] = (
    ("resnet50", "layer3", 1024),
    ("resnet50", "layer4", 1024),
)
OCCLUSIONS: tuple[tuple[str, str, float], ...] = (
    ("vgg16", "conv3_3", 70),
    ("vgg16", "conv4_3", 25),
    ("vgg16", "conv5_3", 9),
)


def _network(name: str) -> Architecture:
    if name != "stack8":
        return api.load(name)
    layers = []
    for i in range(1, 12):  # three layers behind conv8, as a network goes on
        layers.append(
            Layer(
                ops.Conv(
                    kernel_size=3,
                    padding=2 if i < 5 else 1,
                    dilation=2 if i < 5 else 1,
                    out_channels=64,
                ),
                f"conv{i}",
            )
        )
        layers.append(Layer(ops.Relu()))
    return Architecture(name="stack8", layers=tuple(layers))


def _seconds(work: Callable[[], Any], device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _ratio(
    plain: Callable[[], Any],
    cone: Callable[[], Any],
    rounds: int,
    device: torch.device,
    repeats: int,
) -> tuple[float, float, float]:
    """Return the median ratio, and the median seconds of the plain way and of the cone."""
    plain(), cone()
    plains, cones = [], []
    for _ in range(rounds):
        plains.append(_seconds(plain, device))
        cones.append(_seconds(lambda: [cone() for _ in range(repeats)], device) / repeats)
    ratios = [a / b for a, b in zip(plains, cones, strict=True)]
    return statistics.median(ratios), statistics.median(plains), statistics.median(cones)


class Bench:
    """One layer of one network at one size of image."""

    def __init__(
        self, name: str, layer: str, side: int, samples: int, device: torch.device
    ) -> None:
        architecture = _network(name)
        size = (side,) * len(architecture.input_size)
        graph = expand(architecture, size)
        node = graph.nodes[graph.index(layer)]
        self.unit = tuple(n // 2 for n in node.size)
        self.samples = samples
        self.module: GraphModule = to_torch(architecture, layer, input_size=size).to(device)
        self.images = torch.randn((samples, architecture.channels, *size), device=device)
        request = ErfRequest(architecture=architecture, layer=layer, unit=self.unit)
        # As a measurement has it; the plain way keeps the network as scripts have it.
        folded = copy.deepcopy(self.module)
        fold_norms(folded)
        self.subject = ConeSubject(folded, request, self.unit, size, self.images)

    def plain(self) -> None:
        """Take the gradient on whole images, one after the other, as a script does."""
        for image in self.images:
            x = image[None].clone().requires_grad_()
            values = self.module(x)[(slice(None), slice(None), *self.unit)]
            torch.autograd.grad(values.sum(), x)

    def cone(self) -> None:
        """Take the gradient in the cone, all samples at once."""
        self.subject.gradient(self.images, range(self.samples))

    def forward(self) -> None:
        """Evaluate one whole image without a gradient: what naive occlusion does for a pixel."""
        with torch.no_grad():
            self.module(self.images[:1])

    def occlusion(self, crops: int) -> Callable[[], None]:
        """Return the evaluation of some occluded pixels, spread over what the unit sees."""
        pixels = self.subject.crop(self.images[:1])
        spans = [[(a, a + 1) for a in range(n)] for n in pixels.shape[2:]]
        with torch.no_grad():
            changer = self.subject.changer(pixels, spans)
        source = random.Random(0)
        patches = [tuple(source.choice(x) for x in spans) for _ in range(crops)]
        contents = [torch.zeros_like(pixels[0, :, :1, :1])] * crops

        def work() -> None:
            with torch.no_grad():
                changer.after(patches, contents)

        return work

    def neighbours(self, side: int) -> list[tuple[int, ...]]:
        """Return a square of units around the centre."""
        y, x = (u - side // 2 for u in self.unit)
        return [(y + i, x + j) for i in range(side) for j in range(side)]


def _gradients(options: argparse.Namespace, device: torch.device) -> None:
    print("\n| unit | image | plain s | cone s | ratio | asked |\n|---|---|---|---|---|---|")
    for side in options.sizes:
        for name, layer, asked in GRADIENTS:
            if side > 512 and side not in asked:
                continue
            bench = Bench(name, layer, side, 1, device)
            repeats = 10 if bench.subject.macs < 1e9 else 1
            ratio, plain, cone = _ratio(bench.plain, bench.cone, options.rounds, device, repeats)
            wish = asked.get(side, "–")
            print(
                f"| {name} {layer} | {side} | {plain:.4f} | {cone:.4f} | {ratio:.2f} | {wish} |",
                flush=True,
            )


def _batched(options: argparse.Namespace, device: torch.device) -> None:
    print("\n16 samples at once, against 16 whole images one after the other:")
    print("\n| unit | image | ratio | asked |\n|---|---|---|---|")
    for name, layer, wish in BATCHED:
        bench = Bench(name, layer, 224, 16, device)
        ratio, *_ = _ratio(bench.plain, bench.cone, options.rounds, device, 1)
        print(f"| {name} {layer} | 224 | {ratio:.2f} | {wish} |", flush=True)


def _defaults(options: argparse.Namespace, device: torch.device) -> None:
    """Compare samples of `measure` with its defaults, 16 of them, with whole images.

    By default weights are drawn for every few samples, and batch norms are warmed for each draw.
    Times are of the CPU, since a machine that does other work as well adds to those of a clock.
    """
    print("\nCPU time of a sample of a whole measurement, by default and with given weights:")
    print("\n| unit | image | whole image s | given s | default s | ratio | asked |")
    print("|---|---|---|---|---|---|---|")
    for name, layer, wish in DEFAULTS:
        bench = Bench(name, layer, 224, 1, device)
        request = replace(bench.subject.request, device=str(device), samples=16)
        given = partial(measure, request, module=bench.module)
        rounds = []
        for _ in range(options.rounds + 1):
            seconds = [
                _cpu_seconds(work) / samples
                for work, samples in (
                    (bench.plain, 1),
                    (given, 16),
                    (partial(measure, request), 16),
                )
            ]
            rounds.append((*seconds, seconds[0] / seconds[2]))
        plain, own, drawn, ratio = map(statistics.median, zip(*rounds[1:], strict=True))
        print(
            f"| {name} {layer} | 224 | {plain:.4f} | {own:.4f} | {drawn:.4f} | {ratio:.2f} | "
            f"{wish} |",
            flush=True,
        )


def _calls(options: argparse.Namespace, device: torch.device) -> None:
    """Print what a call costs beyond its samples.

    Of a network that was measured, of one with another seed, as the window asks for it, and of one
    that is new: its document was never seen, so it is expanded, made and planned as well.

    A sample here is an image with weights and statistics of its own, drawn as by default.  Of a
    call with two of them, twice the second one is taken away: what is left is what a call costs
    beyond them, with all that the first one makes.  Beside it is the whole image by autograd with
    given weights, as a script takes it.  Each is the median of the rounds, in milliseconds of the
    CPU.
    """
    print("\nwhat a call costs beyond its samples, ms:")
    print(
        "\n| unit | whole image | a sample | known network | ratio | another seed | new network "
        "| asked |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, layer in CALLS:
        side = _network(name).input_size[0]
        bench = Bench(name, layer, side, 1, device)
        request = replace(
            bench.subject.request, device=str(device), samples=2, images_per_weights=1
        )
        held = NetworkCache()
        measure(request, networks=held)
        measure(request)
        rounds = []
        for number in range(6 * options.rounds):
            plain = _cpu_seconds(bench.plain)
            known, sample = _beyond_samples(request)
            other, _ = _beyond_samples(replace(request, seed=number + 1), held)
            changed = replace(request.architecture, name=f"network {number}")
            spare_modules.HERE.clear()
            new, _ = _beyond_samples(replace(request, architecture=changed))
            measure(request)  # so that its modules are there again
            rounds.append((plain, sample, known, other, new))
        plain, sample, known, other, new = (
            1e3 * statistics.median(x) for x in zip(*rounds, strict=True)
        )
        print(
            f"| {name} {layer} | {plain:.1f} | {sample:.1f} | {known:.1f} | {plain / known:.0f} | "
            f"{other:.1f} | {new:.1f} | ≤ 5 |",
            flush=True,
        )


def _beyond_samples(
    request: ErfRequest, networks: NetworkCache | None = None
) -> tuple[float, float]:
    """Return what a call of two samples costs beyond them, and the second one, in seconds."""
    adds: list[float] = []
    add = Run.add

    def timed(self: Run, *args: Any) -> None:
        adds.append(_cpu_seconds(partial(add, self, *args)))

    with patch.object(Run, "add", timed):
        total = _cpu_seconds(partial(measure, request, networks=networks))
    _, second = adds
    return total - 2 * second, second


def _cpu_seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _cores(options: argparse.Namespace, device: torch.device) -> None:
    """Compare whole measurements by default on one thread and on two.

    The clock says little where other work takes the second core.  What the first thread computes by
    itself, in time of the CPU, is what the clock would say if it had no need to wait.
    """
    print("\n16 samples by default, on one thread and on two, least of the rounds, ms:")
    print("\n| unit | one | two | ratio | first thread of one | of two | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name, layer in CORES:
        side = _network(name).input_size[0]
        bench = Bench(name, layer, side, 1, device)
        request = replace(bench.subject.request, device=str(device), samples=16)
        found: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
        for _ in range(10 * options.rounds):
            for threads, times in found.items():
                torch.set_num_threads(threads)
                start = time.perf_counter(), time.thread_time()
                measure(request)
                times.append((time.perf_counter() - start[0], time.thread_time() - start[1]))
        torch.set_num_threads(options.threads)
        one, two = ([1e3 * min(x) for x in zip(*y, strict=True)] for y in found.values())
        print(
            f"| {name} {layer} | {one[0]:.1f} | {two[0]:.1f} | {one[0] / two[0]:.2f} | "
            f"{one[1]:.1f} | {two[1]:.1f} | {one[1] / two[1]:.2f} |",
            flush=True,
        )


def _photos(options: argparse.Namespace, device: torch.device) -> None:
    """Print what a photo of a folder costs, in milliseconds of the CPU, least of the rounds."""
    print("\na photo of 500 x 375 as JPEG, ResNet-50 at 224 x 224, positive, given weights, ms:")
    print("\n| | ms |\n|---|---|")
    few, many = 2, 10
    source = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for i in range(many):  # as detailed as photos are: noise that was made 8 times as large
            coarse = Image.fromarray(source.integers(0, 256, (47, 63, 3), dtype=np.uint8))
            coarse.resize((500, 375)).save(Path(folder) / f"{i:02}.jpg", quality=90)
        photos = photos_of(Path(folder))
        decoded = photos[0]

        def least(work: Callable[[], Any], rounds: int) -> float:
            return 1e3 * min(_cpu_seconds(work) for _ in range(rounds))

        decoding, scaling = (
            partial(photos.__getitem__, 0),
            partial(prepared, decoded, 3, (224, 224)),
        )
        print(f"| decoding | {least(decoding, 40 * options.rounds):.1f} |")
        print(
            f"| scaling and normalising | {least(scaling, 40 * options.rounds):.1f} |", flush=True
        )
        for layer in ("layer2", "layer4"):
            request = ErfRequest(
                architecture=_network("resnet50"),
                layer=layer,
                weights="uniform",
                estimator="positive",
                images=photos,
                device=str(device),
            )
            # What photos cost, without what a call does once.
            calls = [partial(measure, replace(request, samples=n)) for n in (few, many)]
            first, second = (least(x, options.rounds) for x in calls)
            each = (second - first) / (many - few)
            print(f"| field of a unit of {layer}, all included | {each:.0f} |", flush=True)


def _units(options: argparse.Namespace, device: torch.device) -> None:
    """Compare 16 neighbours by `measure_units` with a whole image for each of them."""
    print("\n16 neighbouring units of 8 samples at once, against a whole image for each:")
    print("\n| unit | image | ratio | asked |\n|---|---|---|---|")
    for name, layer, wish in UNITS:
        bench = Bench(name, layer, 224, 1, device)
        request = replace(bench.subject.request, device=str(device), samples=8)
        together = partial(
            measure_units,
            request,
            bench.neighbours(4),
            module=bench.subject.module,
            images=torch.randn((8, 3, 224, 224)),
        )
        ratio, *_ = _ratio(bench.plain, together, options.rounds, device, 1)
        print(f"| {name} {layer} | 224 | {16 * 8 * ratio:.2f} | {wish or '–'} |", flush=True)


def _hovers(options: argparse.Namespace, device: torch.device) -> None:
    """Compare measurements of one unit after the other, with and without what is kept.

    Once with fixed weights, where only evaluations are spared, and once with drawn ones, whose
    drawing and warming are spared as well.
    """
    print("\nthe next unit of a map, 4 samples, with what is kept against anew:")
    print("\n| unit | image | weights | anew s | kept s | ratio | asked |")
    print("|---|---|---|---|---|---|---|")
    for name, layer, wish in HOVERS:
        bench = Bench(name, layer, 224, 1, device)
        units = bench.neighbours(3)
        for weights in ("uniform", "random"):
            request = replace(bench.subject.request, device=str(device), samples=4, weights=weights)
            held = NetworkCache()
            for unit in 20 * units:  # until evaluations are kept
                measure(replace(request, unit=unit), networks=held)
                if any(x.tapes for x in held.networks):
                    break
            rounds = []
            for unit in units[: options.rounds]:
                asked = replace(request, unit=unit)
                anew = _seconds(partial(measure, asked), device)
                kept = _seconds(partial(measure, asked, networks=held), device)
                rounds.append((anew, kept, anew / kept))
            anew, kept, ratio = (statistics.median(x) for x in zip(*rounds, strict=True))
            print(
                f"| {name} {layer} | 224 | {weights} | {anew:.3f} | {kept:.3f} | {ratio:.2f} | "
                f"{wish or '–'} |",
                flush=True,
            )


def _peaks(options: argparse.Namespace, device: torch.device) -> None:
    """Print the memory that the gradient of one sample takes, each in a process of its own."""
    print("\npeak memory of a process that takes one gradient:")
    print("\n| unit | image | whole image GB | cone GB |\n|---|---|---|---|")
    for name, layer, side in PEAKS:
        peaks = []
        for way in ("plain", "cone"):
            command = [sys.executable, __file__, "--peak", name, layer, str(side), way]
            command += ["--device", str(device), "--threads", str(options.threads)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks.append(float(done.stdout))
        print(f"| {name} {layer} | {side} | {peaks[0]:.2f} | {peaks[1]:.2f} |", flush=True)


def _print_peak(name: str, layer: str, side: str, way: str, device: torch.device) -> None:
    """Take one gradient and print the most memory in GB that the process ever had."""
    bench = Bench(name, layer, int(side), 1, device)
    getattr(bench, way)()
    if device.type == "cuda":
        print(torch.cuda.max_memory_allocated(device) / 1e9)
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def _occlusions(options: argparse.Namespace, device: torch.device) -> None:
    """Compare the full map of one unit, from a sample of pixels, with one forward a pixel."""
    print("\nocclusion of every pixel that the unit sees, from a sample of pixels:")
    print("\n| unit | naive, whole map s | ours s | ratio | asked |\n|---|---|---|---|---|")
    for name, layer, wish in OCCLUSIONS:
        bench = Bench(name, layer, 224, 1, device)
        seen = 1
        for a, b in bench.subject.box:
            seen *= b - a
        crops = 64
        _, naive, batch = _ratio(bench.forward, bench.occlusion(crops), options.rounds, device, 1)
        pixels = 224 * 224  # the naive loop does not know what the unit sees
        whole, ours = naive * pixels, batch / crops * seen
        print(
            f"| {name} {layer} | {whole:.0f} | {ours:.1f} | {whole / ours:.1f} | {wish} |",
            flush=True,
        )


TABLES: dict[str, Callable[[argparse.Namespace, torch.device], None]] = {
    "gradients": _gradients,
    "batched": _batched,
    "defaults": _defaults,
    "calls": _calls,
    "cores": _cores,
    "photos": _photos,
    "units": _units,
    "hover": _hovers,
    "memory": _peaks,
    "occlusion": _occlusions,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 512])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 1) - 1))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rows", nargs="+", choices=tuple(TABLES), default=tuple(TABLES))
    parser.add_argument("--peak", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = devices.choose(options.device)
    if options.peak:
        name, layer, side, way = options.peak
        _print_peak(name, layer, side, way, device)
        return
    print(f"{platform.platform()}, {devices.words(device)}, torch {torch.__version__}, float32")
    for row in options.rows:
        TABLES[row](options, device)


if __name__ == "__main__":
    main()
