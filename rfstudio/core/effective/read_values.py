"""The values that a layer with weights reads: their number, and their size where gradients pass."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import Energy
from rfstudio.core.effective.fixed_weights import SCALING, amplitudes, is_fixed
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import Activation, per_axis
from rfstudio.core.ops.convolution import group_count

_LEAST_MEAN = 1e-4
"""Share of the mean square below which a squared mean counts as none."""


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


class Scaled(NamedTuple):
    """What layers without learned weights make of values: factor · value + shift, or means of that.

    Attributes
    ----------
    node
        The layer before them.
    factor, shift
        What they multiply by, in the mean, and add.
    samples
        How many equally weighted values they take the mean of.
    """

    node: Node
    factor: float
    shift: float
    samples: float


def scaled_from(energy: Energy, index: int) -> Scaled:
    """Return what the layers that end with a map make of the values of the last one before them."""
    nodes, factor, shift, count = energy.graph.nodes, 1.0, 0.0, 1.0
    is_centred = False
    while True:
        node = nodes[index]
        op = node.op
        if isinstance(op, ops.Affine):
            shift += 0.0 if is_centred else factor * op.shift
            factor *= op.factor
        elif isinstance(op, ops.LayerScale):
            factor *= op.factor
        elif is_fixed(op):
            matrices = amplitudes(node)
            squares = [float((a**2).sum(axis=1).mean()) for a in matrices]
            sums = [float(a.sum(axis=1).mean()) for a in matrices]
            count *= max(prod(sums) ** 2 / max(prod(squares), 1e-300), 1.0)
            factor *= prod(sums)
        elif isinstance(op, ops.BatchNorm):
            if energy.batch_norm == "fresh":
                factor /= (1 + op.eps) ** 0.5
            else:  # takes away what was added before
                is_centred = True
                factor /= (energy.moments(node.inputs[0]).norm_variance + op.eps) ** 0.5
        elif not isinstance(op, SCALING):
            return Scaled(node, factor, shift, count)
        index = node.inputs[0]


def open_more(energy: Energy, index: int, reading: float = 1e9) -> tuple[float, float]:
    """Return how much larger values, and their squares, are where gradients pass."""
    nodes = energy.graph.nodes
    node, factor, shift, count = scaled_from(energy, index)
    op = node.op
    if not isinstance(op, Activation) or len(node.inputs) != 1:
        return 1.0, 1.0
    law = energy.layers[node.index].runs[0][1].distribution()
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
    first = float(weights @ (slopes * points)) / open_
    second = float(weights @ (slopes * points**2)) / open_
    below = nodes[node.inputs[0]]
    while isinstance(below.op, SCALING):
        below = nodes[below.inputs[0]]
    if isinstance(below.op, ops.Conv | ops.ConvTranspose):
        fan = fan_in(energy.graph, below)
        less = max(1 - 5 / reading, 0.0) / (fan + 0.6)
        first, second = first * (1 + less), second * (1 + 2 * less)
    first, second = _shifted(first, second, factor, shift)
    mean, square = _shifted(mean, square, factor, shift)
    if square <= 0:
        return 1.0, 1.0
    # Of values around 0 only their squares count.
    e1 = first / mean if mean**2 > _LEAST_MEAN * square else 1.0
    e2 = second / square
    if count > 1:
        k = mean**2 / square
        whole = (1 + (count - 1) * k) / count
        e2 = 1 + ((e2 - 1) + 2 * (count - 1) * (e1 - 1) * k) / (count**2 * whole)
        e1 = 1 + (e1 - 1) / count
    return e1, e2


def _shifted(mean: float, square: float, factor: float, shift: float) -> tuple[float, float]:
    """Return mean and mean square of factor · value + shift."""
    return factor * mean + shift, factor**2 * square + 2 * factor * shift * mean + shift**2
