"""Times the expected field of one unit, in closed form, against samples of a random network.

Run as ``python benchmarks/expected.py``.  `anew` is the pass, up to the unit's layer, over a
network of which nothing is known (`rfstudio.core.memo.forget` drops all answers), `edit` that
after an edit of a convolution in its middle, `walk` the map of one unit, which every move of the
unit asks for again; `metrics` are all the numbers.
The last columns hold how many times longer 64 samples by torch take (the gradient of the whole
image, `torch.autograd.grad`; a few are timed and scaled up), over pass and walk together.
"""

from __future__ import annotations

import gc
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from rfstudio.core import ops
from rfstudio.core.editing.edits import set_op
from rfstudio.core.effective.energy_flow import energy_of
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.memo import forget
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.network.architecture import Architecture, Layer, walk
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.formats.networks.presets import read_preset

RUNS = 51
SAMPLES = 64
TIMED_SAMPLES = 3

ROWS = (
    ("luo_20_layers", "stack.19.conv"),
    ("vgg16", "conv3_3"),
    ("vgg16", "conv5_3"),
    ("resnet50", "layer1"),
    ("resnet50", "layer2"),
    ("resnet50", "layer3"),
    ("resnet50", "layer4"),
    ("resnet152", "layer4"),
    ("inception_v3", "Mixed_6e"),
    ("densenet121", None),
    ("unet", None),
    ("convnext_tiny", None),
    ("swin_t", None),
)


def _median(work: Callable[[], object], runs: int = RUNS) -> float:
    times = []
    gc.collect()
    gc.disable()  # as timeit does: torch's many objects are no part of either side
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    gc.enable()
    return statistics.median(times)


def _sample(module: GraphModule, graph: Graph, unit: tuple[int, ...]) -> None:
    source = graph.nodes[0]
    x = torch.randn(1, source.channels, *source.size, requires_grad=True)
    y = module(x)[(0, slice(None), *unit)]
    signs = torch.randint(0, 2, y.shape) * 2 - 1
    torch.autograd.grad((y * signs).sum(), x)


def _edited(architecture: Architecture, number: int) -> Architecture:
    """Return a network whose convolution in the middle was edited, each time otherwise."""
    convs = [
        (location, item.op)
        for location, item in walk(architecture)
        if isinstance(item, Layer) and isinstance(item.op, ops.Conv)
    ]
    location, conv = convs[len(convs) // 2]
    wide = 2 + number
    return set_op(architecture, location, replace(conv, kernel_size=3, padding=wide, dilation=wide))


def _row(name: str, layer: str | None) -> None:
    graph = expand(read_preset(name))
    index = len(graph.nodes) - 1 if layer is None else graph.index(layer)
    node = graph.nodes[index]
    unit = tuple(n // 2 for n in node.size)

    def again() -> None:
        forget()
        energy_of(graph, target=index, joined=True)

    again()
    anew = _median(again)
    # Each edit makes a layer that was never there before; the others are as they were.
    edited = iter([expand(_edited(read_preset(name), i)) for i in range(RUNS)])
    after_edit = _median(lambda: energy_of(next(edited), target=index, joined=True))
    one_map = _median(lambda: expected_erf(graph, index, unit))
    erf = expected_erf(graph, index, unit)
    assert erf.metrics.as_dict()
    numbers = _median(lambda: Metrics(erf.map, erf.frame).as_dict())
    module = to_torch(read_preset(name), node.name)
    _sample(module, graph, unit)
    samples = SAMPLES * _median(lambda: _sample(module, graph, unit), TIMED_SAMPLES)
    print(
        f"{name:<16}{layer or node.name:<18}{anew * 1e3:9.2f}{after_edit * 1e3:9.2f}"
        f"{one_map * 1e3:9.2f}{numbers * 1e3:9.2f}{samples:11.1f}"
        f"{samples / (anew + one_map):9,.0f} x{samples / (after_edit + one_map):9,.0f} x",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, torch {torch.__version__} with {torch.get_num_threads()} threads"
    )
    print(
        f"{'network':<16}{'layer':<18}{'anew ms':>9}{'edit ms':>9}{'walk ms':>9}{'metrics':>9}"
        f"{'64 samples s':>12}{'anew':>9}{'edit':>11}"
    )
    for name, layer in ROWS:
        _row(name, layer)


if __name__ == "__main__":
    main()
