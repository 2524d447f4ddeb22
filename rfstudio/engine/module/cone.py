"""The cone of a unit: which box of each map has to be evaluated, and how.

Walking back from the unit, every map needs only the box that its readers read, cut to the map.
Evaluating those boxes and differentiating inside gives the same gradient as the whole image does,
at the cost of what the unit reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import NamedTuple

from torch import Tensor

from rfstudio.core.errors import UnitError
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import Op
from rfstudio.engine.module.boxes import Box, Part, Span, is_nothing, whole
from rfstudio.engine.module.layers.base import Evaluate, LayerModule

_NOTHING: Span = (0, 0)


class Step(NamedTuple):
    """The evaluation of one node.

    Attributes
    ----------
    index
        The node.
    evaluate
        Computes its box; None if the box is empty.
    inputs
        The nodes that it reads.
    shape
        Channels and extent of the box.
    release
        Nodes that no step reads after this one.
    """

    index: int  # type: ignore[assignment]  # hides a method of tuples that nobody needs
    evaluate: BoundLate | None
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    release: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """How one box of one map is computed from one box of the input.

    Attributes
    ----------
    input
        What is needed of the input; empty where the target reads no pixel.
    target
        What is computed.
    parts
        What of each node's map is evaluated.
    graph, layers
        The network, and the module of every node that is evaluated.
    """

    input: Part
    target: Part
    parts: Mapping[int, Part]
    graph: Graph = field(repr=False)
    layers: Mapping[int, LayerModule[Op]] = field(repr=False)

    @cached_property
    def macs(self) -> int:
        """Multiply-adds of one image."""
        parts = self.parts.items()
        return sum(macs_of(self.graph, i, x) for i, x in parts if i > 0 and not x.is_empty)

    @cached_property
    def numbers(self) -> int:
        """Values in all the boxes together, of one image: what a gradient holds in memory."""
        nodes = self.graph.nodes
        return sum(nodes[i].channels * prod(x.extent) for i, x in self.parts.items() if i > 0)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The evaluations, in order; of many plans only the boxes and the work are needed."""
        nodes, parts = self.graph.nodes, self.parts
        order = sorted(i for i in parts if i > 0)
        last_reader = {source: i for i in order for source in nodes[i].inputs}
        steps = []
        for i in order:
            node, part = nodes[i], parts[i]
            inputs = node.inputs
            sources = tuple([parts[x] for x in inputs])
            release = tuple([x for x in {*inputs} if last_reader[x] == i and x > 0])
            evaluate = None if part.is_empty else BoundLate(self.layers[i], node, sources, part)
            steps.append(Step(i, evaluate, inputs, (node.channels, *part.extent), release))
        return tuple(steps)

    def run(self, x: Tensor) -> Tensor:
        """Compute the target from the input's box, (N, C, *extent)."""
        return self._run(x, {0: x}, keep=False)

    def values(self, x: Tensor) -> dict[int, Tensor]:
        """Return what is computed of every node's map from the input's box."""
        values = {0: x}
        self._run(x, values, keep=True)
        return values

    @cached_property
    def _functions(self) -> tuple[Evaluate | None, ...]:
        """What computes each step, all bound at once: between evaluations it takes three times."""
        return tuple([x.evaluate and x.evaluate.bound() for x in self.steps])

    def _run(self, x: Tensor, values: dict[int, Tensor], *, keep: bool) -> Tensor:
        result = x
        for step, evaluate in zip(self.steps, self._functions, strict=True):
            if evaluate is None:
                result = x.new_zeros((x.shape[0], *step.shape))
            else:
                result = evaluate([values[i] for i in step.inputs])
            values[step.index] = result
            for index in () if keep else step.release:
                del values[index]
        return result


class BoundLate:
    """Computes a box; binds the layer's function at its first use.

    Of many cones only the boxes are needed.
    """

    def __init__(
        self, layer: LayerModule[Op], node: Node, sources: tuple[Part, ...], part: Part
    ) -> None:
        self._bind = (layer, node, sources, part)
        self._evaluate: Evaluate | None = None

    def bound(self) -> Evaluate:
        """Return the layer's function."""
        if self._evaluate is None:
            layer, node, sources, part = self._bind
            self._evaluate = layer.bind(node, sources, part)
        return self._evaluate

    def __call__(self, inputs: list[Tensor]) -> Tensor:
        """Compute the box from those that it reads."""
        return self.bound()(inputs)


def boxes_behind(
    graph: Graph, layers: Mapping[int, LayerModule[Op]], target: int, box: Box
) -> dict[int, Box]:
    """Return the box that each node must supply so that `box` of node `target` can be computed.

    Axes along which nothing is needed have the span (0, 0).
    """
    needed: dict[int, Box] = {target: box}
    for index in range(target, 0, -1):
        if index not in needed:
            continue
        node = graph.nodes[index]
        nothing: Box = (_NOTHING,) * len(node.size)
        if is_nothing(needed[index]):
            boxes = (nothing,) * len(node.inputs)
        else:
            boxes = layers[index].reads_of_each(node, needed[index])
        for source, read in zip(node.inputs, boxes, strict=True):
            needed[source] = _hull(needed.get(source), nothing if is_nothing(read) else read)
    needed.setdefault(0, (_NOTHING,) * len(box))
    return needed


def _hull(a: Box | None, b: Box) -> Box:
    if a is None or is_nothing(a):
        return b
    if is_nothing(b):
        return a
    return tuple((min(p[0], q[0]), max(p[1], q[1])) for p, q in zip(a, b, strict=True))


def make_plan(
    graph: Graph,
    layers: Mapping[int, LayerModule[Op]],
    target: int,
    box: Box | None = None,
    *,
    full: bool = False,
) -> Plan:
    """Return how a box of a map is computed.

    Parameters
    ----------
    graph
        The network, at the size of the image.
    layers
        The module of every node that `target` reads, and its own.
    target
        Index of the node.
    box
        What of its map is wanted; None: the whole map.
    full
        Evaluate the maps before it whole, whatever the box needs of them.
    """
    nodes = graph.nodes
    wanted = Part(nodes[target].size, box) if box is not None else whole(nodes[target].size)
    if wanted.is_empty:
        raise UnitError(f"the map of '{nodes[target].name}' is empty at this input size")
    boxes = boxes_behind(graph, layers, target, wanted.box)
    parts = {
        i: whole(nodes[i].size) if full and i != target else Part(nodes[i].size, x)
        for i, x in boxes.items()
    }
    parts[target] = wanted
    return Plan(parts[0], wanted, parts, graph, layers)


def macs_of(graph: Graph, index: int, part: Part) -> int:
    """Return the multiply-adds of a box: its share of those of the map."""
    node = graph.nodes[index]
    source = graph.nodes[node.inputs[0]]
    assert node.op is not None
    whole_map = node.op.costs(source.channels, node.channels, source.size, node.size).macs
    return whole_map * prod(part.extent) // max(prod(node.size), 1)


def input_of(plan: Plan, images: Tensor) -> Tensor:
    """Return the box of the images that a plan reads."""
    return images[(slice(None), slice(None), *(slice(a, b) for a, b in plan.input.box))]


def scatter(plan: Plan, gradient: Tensor) -> Tensor:
    """Return a gradient over the plan's input as one over the whole image; zero elsewhere."""
    if plan.input.is_whole:
        return gradient
    result = gradient.new_zeros((*gradient.shape[:2], *plan.input.size))
    result[(slice(None), slice(None), *(slice(a, b) for a, b in plan.input.box))] = gradient
    return result


def unit_box(unit: tuple[int, ...]) -> Box:
    """Return the box that holds one unit."""
    return tuple((u, u + 1) for u in unit)
