"""The values that a layer with weights reads: their number, and their size where gradients pass."""

from __future__ import annotations

from math import prod
from typing import Any

from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import Energy
from rfstudio.core.effective.fixed_weights import SCALING, amplitudes, is_fixed
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import Activation, per_axis
from rfstudio.core.ops.convolution import group_count


def fan_in(graph: Graph, node: Node) -> float:
    """Return how many values a unit of a layer with weights reads, in the mean over phases."""
    op: Any = node.op
    axes = len(node.size)
    channels = graph.nodes[node.inputs[0]].channels
    taps: float = prod(per_axis(op.kernel_size, axes))
    if isinstance(op, ops.ConvTranspose):
        taps /= prod(per_axis(op.stride, axes))
    return max(channels / group_count(op, channels) * taps, 1.0)


def kurtosis(energy: Energy, index: int) -> float:
    """Return E[x⁴] / E[x²]² of the values of a map."""
    law = energy.layers[index].runs[0][1].distribution()
    return float(law.weights @ law.points**4) / max(law.square, 1e-300) ** 2


def open_more(energy: Energy, index: int, reading: float = 1e9) -> tuple[float, float]:
    """Return how much larger values, and their squares, are where gradients pass."""
    nodes, count = energy.graph.nodes, 1.0
    while True:
        node = nodes[index]
        op = node.op
        if op is None or len(node.inputs) != 1:
            return 1.0, 1.0
        if isinstance(op, Activation):
            break
        if is_fixed(op):
            matrices = amplitudes(node)
            squares = [float((a**2).sum(axis=1).mean()) for a in matrices]
            sums = [float(a.sum(axis=1).mean()) ** 2 for a in matrices]
            count *= max(prod(sums) / max(prod(squares), 1e-300), 1.0)
        elif not isinstance(op, SCALING):
            return 1.0, 1.0
        index = node.inputs[0]
    law = energy.layers[index].runs[0][1].distribution()
    if law.slopes is None:
        source = energy.moments(node.inputs[0])
        law = source.distribution()
        points, weights = op.value(law.points), law.weights
        slopes = op.slope(law.points) ** 2
    else:
        points, weights, slopes = law.points, law.weights, law.slopes
    open_ = float(weights @ slopes)
    mean, square = float(weights @ points), float(weights @ points**2)
    if open_ <= 0 or square <= 0:
        return 1.0, 1.0
    e1 = float(weights @ (slopes * points)) / open_ / mean if abs(mean) > 1e-9 else 1.0
    e2 = float(weights @ (slopes * points**2)) / open_ / square
    below = nodes[node.inputs[0]]
    while isinstance(below.op, SCALING):
        below = nodes[below.inputs[0]]
    if isinstance(below.op, ops.Conv | ops.ConvTranspose):
        fan = fan_in(energy.graph, below)
        less = max(1 - 5 / reading, 0.0) / (fan + 0.6)
        e1, e2 = e1 * (1 + less), e2 * (1 + 2 * less)
    if count > 1:
        k = mean**2 / square
        whole = (1 + (count - 1) * k) / count
        e2 = 1 + ((e2 - 1) + 2 * (count - 1) * (e1 - 1) * k) / (count**2 * whole)
        e1 = 1 + (e1 - 1) / count
    return e1, e2
