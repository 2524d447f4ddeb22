"""Tapes: one stored evaluation of a map, for backward passes from any of its units.

A backward pass needs from the evaluation only what the non-linear operations depend on: where a
relu was open, which sample a pool chose.  With that stored, each further unit costs a backward pass
through its own cone and no evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import Op
from rfstudio.core.ops.geometry import Window
from rfstudio.engine.module.boxes import Box, Part
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.cone import Plan
from rfstudio.engine.module.layers.base import Keeps, LayerModule, Pull

Seed = Callable[[Tensor], Tensor]
"""Returns the gradient of a response with respect to the units' channels, (N, C), from them."""


class Tape:
    """What one evaluation stores for backward passes.

    Parameters
    ----------
    module
        The network; its weights must be the same in the backward pass.
    plan
        What is evaluated; it must contain the cones of all units that are used later.
    pixels
        The plan's box of the images, (N, C, *extent).

    Attributes
    ----------
    samples
        N.
    bytes
        Memory of the tape, in bytes.
    """

    @torch.no_grad()
    def __init__(self, module: GraphModule, plan: Plan, pixels: Tensor) -> None:
        self._graph = module.graph_at(plan.input.size)
        self._layers = module.by_index
        self._plan = plan
        self.samples = len(pixels)
        self._values: dict[int, Tensor] = {}
        self._gates: dict[int, Tensor] = {}
        self._pulls: tuple[Plan, dict[int, Pull]] | None = None
        self._evaluate(pixels)
        held = (*self._values.values(), *self._gates.values())
        self.bytes = sum(x.numel() * x.element_size() for x in held)

    def _evaluate(self, pixels: Tensor) -> None:
        values = {0: pixels}
        for step in self._plan.steps:
            if step.evaluate is None:
                values[step.index] = pixels.new_zeros((len(pixels), *step.shape))
            else:
                values[step.index] = step.evaluate([values[i] for i in step.inputs])
                match self._what_to_store(step.index):
                    case "inputs":
                        self._values.update({i: values[i] for i in step.inputs})
                    case "gates":
                        self._gates[step.index] = self._layers[step.index].gates(values[step.index])
            for index in step.release:
                del values[index]
        last = self._plan.steps[-1].index
        self._values[last] = values[last]

    def _what_to_store(self, index: int) -> Keeps:
        return self._layers[index].keeps

    def gradient(self, plans: Sequence[Plan], seed: Seed) -> Tensor:
        """Return the gradients of units' responses by the pixels, (units · N, C, *box).

        Parameters
        ----------
        plans
            The cones of the units, all of one `kind_of`.
        seed
            Gradient of the responses; receives the channels of all units, unit by unit.
        """
        first = plans[0]
        target = first.steps[-1].index
        values = self._cut(self._values[target], target, plans)
        start = seed(values.flatten(1)).view(values.shape)
        gradients: dict[int, Tensor] = {target: start.to(values)}
        pulls = self._pulls_of(first)
        with torch.no_grad():
            for step in reversed(first.steps):
                gradient = gradients.pop(step.index, None)
                if gradient is None or step.evaluate is None:
                    continue
                found = pulls[step.index](gradient, self._stored(step.index, step.inputs, plans))
                for source, part in zip(step.inputs, found, strict=True):
                    if part is not None:
                        known = gradients.get(source)
                        gradients[source] = part if known is None else known + part
        shape = (len(values), self._graph.nodes[0].channels, *first.input.extent)
        result = gradients.get(0)
        return values.new_zeros(shape) if result is None else result

    def _stored(self, index: int, inputs: tuple[int, ...], plans: Sequence[Plan]) -> list[Tensor]:
        match self._what_to_store(index):
            case "inputs":
                return [self._cut(self._values[i], i, plans) for i in inputs]
            case "gates":
                return [self._cut(self._gates[index], index, plans)]
        return []

    def _cut(self, held: Tensor, index: int, plans: Sequence[Plan]) -> Tensor:
        """Return the parts of a map that the units need, one after the other."""
        mine = self._plan.parts[index]
        cuts = [held[_within(plan.parts[index], mine)] for plan in plans]
        return cuts[0] if len(cuts) == 1 else torch.cat(cuts)

    def _pulls_of(self, plan: Plan) -> dict[int, Pull]:
        if self._pulls is None or self._pulls[0] is not plan:
            pulls = {
                step.index: bound_pull(self._graph, self._layers, plan, step.index)
                for step in plan.steps
                if step.evaluate is not None
            }
            self._pulls = (plan, pulls)
        return self._pulls[1]


def bound_pull(graph: Graph, layers: Mapping[int, LayerModule[Op]], plan: Plan, index: int) -> Pull:
    """Return the backward function of one node of a plan."""
    node = graph.nodes[index]
    return layers[index].bind_pull(
        node,
        tuple(plan.parts[i] for i in node.inputs),
        plan.parts[index],
        tuple(graph.nodes[i].channels for i in node.inputs),
    )


def bytes_of(module: GraphModule, plan: Plan, itemsize: int) -> int:
    """Return how many bytes a tape of one image stores."""
    nodes = module.graph_at(plan.input.size).nodes
    numbers = {i: nodes[i].channels * prod(part.extent) for i, part in plan.parts.items()}
    whole = {plan.steps[-1].index}
    gates = 0
    for step in plan.steps:
        match module.by_index[step.index].keeps:
            case "inputs":
                whole.update(step.inputs)
            case "gates":
                gates += numbers[step.index]
    return gates + itemsize * sum(numbers[i] for i in whole)


def kind_of(graph: Graph, plan: Plan) -> tuple[object, ...]:
    """Return what a plan's functions depend on; units of one kind are computed together.

    Cones of one kind are shifted copies of each other, cut in the same way at the map's border.
    """
    boxes = {i: part.box for i, part in plan.parts.items()}
    return tuple(
        _along(rule, boxes[step.index][axis], [boxes[i][axis] for i in step.inputs])
        for step in plan.steps
        for axis, rule in enumerate(graph.nodes[step.index].rules)
    )


def _along(rule: object, done: tuple[int, int], read: list[tuple[int, int]]) -> object:
    if isinstance(rule, Window) and rule.mode == "zeros":
        start = done[0] * rule.stride - rule.before
        return (done[1] - done[0], *((a - start, b - start) for a, b in read))
    return (done, *read)


def _within(part: Part, outer: Part) -> tuple[slice, ...]:
    """Return the index of a part in a tensor (N, C, *extent) that holds `outer`."""
    box: Box = tuple(
        (a - low, b - low) for (a, b), (low, _) in zip(part.box, outer.box, strict=True)
    )
    return (slice(None), slice(None), *(slice(a, b) for a, b in box))
