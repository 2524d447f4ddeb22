"""Times the analysis of whole networks against a topological sort of the same graph.

Run as ``python benchmarks/analysis.py``.  Every row is a median over interleaved runs in one
process; what counts is the ratio to `networkx.topological_sort`, which drifts with the machine
as the analysis does.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import networkx

import rfstudio
from rfstudio.core import ops
from rfstudio.core.editing.edits import set_op
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Architecture, Layer, item_at, walk

RUNS = 15


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _medians(*works: Callable[[], object], runs: int = RUNS) -> list[float]:
    """Return the median seconds of each, run in turn so that drift hits all alike."""
    for work in works:
        work()
    times = [[_seconds(work) for work in works] for _ in range(runs)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def _networkx_graph(analysis: Analysis) -> networkx.DiGraph:
    edges = [(source, node.index) for node in analysis.graph.nodes for source in node.inputs]
    return networkx.DiGraph(edges)


def _complete(architecture: Architecture, previous: Analysis | None = None) -> Analysis:
    """Everything: sizes, channels, all fields, parameters, multiply-adds and diagnostics."""
    # A new object: the graph of one that was analysed before is remembered.
    analysis = analyze(replace(architecture), previous=previous)
    assert analysis.diagnostics is not None
    return analysis


def _row(name: str, seconds: float, unit: float, bound: float | None = None) -> None:
    limit = "" if bound is None else f"   (at most {bound:g} asked for)"
    print(f"{name:<58} {seconds * 1e3:9.2f} ms {seconds / unit:8.1f} x{limit}")


def _edited(architecture: Architecture, place: float) -> Architecture:
    """Exchange the dilation of one convolution, `place` of the way through the network."""
    convs = [
        location
        for location, item in walk(architecture)
        if isinstance(item, Layer) and isinstance(item.op, ops.Conv)
    ]
    location = convs[min(int(place * len(convs)), len(convs) - 1)]
    layer = item_at(architecture, location)
    assert isinstance(layer, Layer)
    assert isinstance(layer.op, ops.Conv)
    return set_op(architecture, location, replace(layer.op, padding=2, dilation=2))


def _chain(layers: int) -> Architecture:
    conv = ops.Conv(kernel_size=3, padding=1)
    items = tuple(Layer(conv if i % 3 else ops.Relu()) for i in range(layers))
    return Architecture(input_size=(64, 64), layers=items)


def main() -> None:
    """Print the table."""
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    resnet = rfstudio.load("resnet152")
    first = _complete(resnet)
    graph = _networkx_graph(first)
    print(f"resnet152: {len(first.layers)} layers; ratios to networkx.topological_sort\n")

    def topological_sort() -> object:
        return list(networkx.topological_sort(graph))

    unit, whole = _medians(topological_sort, lambda: _complete(resnet))
    _row("networkx.topological_sort", unit, unit)
    _row("full analysis with diagnostics", whole, unit, 25)
    for name, place in (("first", 0.0), ("middle", 0.5), ("last", 1.0)):
        edited = _edited(resnet, place)
        unit, again = _medians(topological_sort, partial(_complete, edited, first))
        _row(f"the same after an edit of the {name} convolution", again, unit, 12.5)
    unit, regions = _medians(topological_sort, lambda: first.unit("layer4", (3, 3)).support().sum())
    _row("regions and support of one unit (at most 20 ms asked for)", regions, unit)

    print("\nchains of layers; the time of a layer must not grow")
    for layers in (1_000, 10_000, 100_000):
        chain = _chain(layers)
        (seconds,) = _medians(partial(_complete, chain), runs=3)
        print(f"{layers:>9,} layers {seconds:8.3f} s {seconds / layers * 1e6:8.2f} us a layer")


if __name__ == "__main__":
    main()
