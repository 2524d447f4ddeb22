"""A unit's values after a few pixels change, for which only what they reach is evaluated again.

A patch of pixels reaches a box of every map, its forward cone.  Only the part of it inside the
unit's own cone matters; all other values are those of a first evaluation.  Boxes are widened to one
extent per map, so that patches at different places can be computed together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import Op
from rfstudio.core.ops.geometry import Window
from rfstudio.engine.module.boxes import Box, Part, Span
from rfstudio.engine.module.cone import Plan, macs_of
from rfstudio.engine.module.layers.base import Evaluate, LayerModule


class Changer(Protocol):
    """Evaluates a unit after changes of small patches of one image.

    Patches are given in samples of the box of pixels from which the unit is evaluated.

    Attributes
    ----------
    macs, numbers
        Multiply-adds and values of one evaluation.
    """

    @property
    def macs(self) -> int: ...  # noqa: D102

    @property
    def numbers(self) -> int: ...  # noqa: D102

    @property
    def before(self) -> Tensor:
        """The unit's channels without any change, (1, C)."""

    def after(self, patches: Sequence[Box], contents: Sequence[Tensor]) -> Tensor:
        """Return the unit's channels after each change alone, (N, C).

        Parameters
        ----------
        patches
            Pixels that change.
        contents
            Their new values, (C, *extent of the patch).
        """


class Whole:
    """Evaluates everything that the unit reads again for every change.

    Parameters
    ----------
    evaluate
        Computes the unit's channels, (N, C), from pixels (N, C_in, *box).
    pixels
        (1, C_in, *box).
    macs, numbers
        Multiply-adds and values of one evaluation.
    """

    def __init__(
        self, evaluate: Callable[[Tensor], Tensor], pixels: Tensor, macs: int, numbers: int
    ) -> None:
        self._evaluate = evaluate
        self._pixels = pixels
        self.macs, self.numbers = macs, numbers
        self.before = evaluate(pixels)

    def after(self, patches: Sequence[Box], contents: Sequence[Tensor]) -> Tensor:
        """Return the unit's channels after each change alone, (N, C)."""
        changed = self._pixels.repeat(len(patches), *[1] * (self._pixels.dim() - 1))
        for values, patch, content in zip(changed, patches, contents, strict=True):
            values[(slice(None), *(slice(a, b) for a, b in patch))] = content
        return self._evaluate(changed)


class _Along(NamedTuple):
    """The spans of every map that one span of pixels along one axis leads to.

    Attributes
    ----------
    done
        For each node the span of its map that is evaluated.
    read
        For each node the span of its sources' maps that is read for that.
    kind
        Equal for spans that can be computed by the same functions.
    """

    done: Mapping[int, Span]
    read: Mapping[int, Span]
    kind: tuple[object, ...]


class Reached:
    """A unit's network around one image, evaluated again for patches of changed pixels.

    Parameters
    ----------
    graph, layers, plan
        The network, and the cone of the unit.
    pixels
        The cone's box of the image, (1, C, *extent).
    spans
        All spans along each axis that a patch may have, in samples of the plan's input box.
    """

    def __init__(
        self,
        graph: Graph,
        layers: Mapping[int, LayerModule[Op]],
        plan: Plan,
        pixels: Tensor,
        spans: Sequence[Iterable[Span]],
    ) -> None:
        self._graph, self._layers, self._plan = graph, layers, plan
        self._nodes = [x.index for x in plan.steps if not plan.parts[x.index].is_empty]
        self._origin = [start for start, _ in plan.input.box]
        reached = [
            {span: self._reached(axis, self._in_map(axis, span), reads) for span in of_axis}
            for axis, (of_axis, reads) in enumerate(
                zip(spans, self._reads_along_axes(), strict=True)
            )
        ]
        self._extents = {
            i: tuple(max((_length(x.get(i)) for x in axis.values()), default=0) for axis in reached)
            for i in (0, *self._nodes)
        }
        self._changing = [i for i in self._nodes if all(self._extents[i])]
        self._along = [
            {span: self._widened(axis, x) for span, x in of_axis.items()}
            for axis, of_axis in enumerate(reached)
        ]
        self._values = plan.values(pixels)
        self._functions: dict[object, dict[int, Evaluate]] = {}
        self.numbers = sum(graph.nodes[i].channels * prod(self._extents[i]) for i in self._changing)
        self.macs = sum(
            macs_of(graph, i, Part(graph.nodes[i].size, tuple((0, n) for n in self._extents[i])))
            for i in self._changing
        )

    @property
    def before(self) -> Tensor:
        """The unit's channels without any change, (1, C)."""
        return self._values[self._plan.steps[-1].index].flatten(1)

    def after(self, patches: Sequence[Box], contents: Sequence[Tensor]) -> Tensor:
        """Return the unit's channels after each change alone, (N, C)."""
        kinds: dict[object, list[int]] = defaultdict(list)
        alongs = [[self._along[axis][span] for axis, span in enumerate(patch)] for patch in patches]
        for number, along in enumerate(alongs):
            kinds[tuple(x.kind for x in along)].append(number)
        result = self.before.repeat(len(patches), *[1] * (self.before.dim() - 1))
        for kind, numbers in kinds.items():
            some = [alongs[i] for i in numbers]
            placed = [
                tuple(self._in_map(axis, span) for axis, span in enumerate(patches[i]))
                for i in numbers
            ]
            pixels = self._changed_pixels(some, placed, [contents[i] for i in numbers])
            result[numbers] = self._evaluate(kind, some, pixels)
        return result

    def _in_map(self, axis: int, span: Span) -> Span:
        """Return a span of the box of pixels as one of the image."""
        return span[0] + self._origin[axis], span[1] + self._origin[axis]

    def _evaluate(self, kind: object, alongs: list[list[_Along]], pixels: Tensor) -> Tensor:
        target = self._plan.steps[-1].index
        if target not in self._changing:
            return self.before
        if kind not in self._functions:
            self._functions[kind] = self._bound(alongs[0])
        new = {0: pixels}
        for i in self._changing:
            read = [tuple(x.read[i] for x in along) for along in alongs]
            inputs = [self._input(s, read, alongs, new) for s in self._graph.nodes[i].inputs]
            new[i] = self._functions[kind][i](inputs)
        return new[target].flatten(1)

    def _input(
        self, source: int, read: list[Box], alongs: list[list[_Along]], new: dict[int, Tensor]
    ) -> Tensor:
        """Return what is read of a map: the old values, with the new ones in their places."""
        done = [tuple(x.done[source] for x in along) for along in alongs] if source in new else read
        if source in new and done == read:
            return new[source]
        old, part = self._values[source][0], self._plan.parts[source]
        result = torch.stack([old[_within(box, part.box)] for box in read])
        if source in new:
            for values, changed, box, fresh in zip(result, new[source], read, done, strict=True):
                common = _common(box, fresh)
                if common is not None:
                    values[_within(common, box)] = changed[_within(common, fresh)]
        return result

    def _changed_pixels(
        self, alongs: list[list[_Along]], patches: Sequence[Box], contents: Sequence[Tensor]
    ) -> Tensor:
        old, part = self._values[0][0], self._plan.parts[0]
        boxes = [tuple(x.done[0] for x in along) for along in alongs]
        result = torch.stack([old[_within(box, part.box)] for box in boxes])
        for values, box, patch, content in zip(result, boxes, patches, contents, strict=True):
            values[_within(patch, box)] = content
        return result

    def _bound(self, along: list[_Along]) -> dict[int, Evaluate]:
        nodes = self._graph.nodes
        functions = {}
        for i in self._changing:
            read = tuple(x.read[i] for x in along)
            sources = tuple(Part(nodes[x].size, read) for x in nodes[i].inputs)
            target = Part(nodes[i].size, tuple(x.done[i] for x in along))
            functions[i] = self._layers[i].bind(nodes[i], sources, target)
        return functions

    def _reads_along_axes(self) -> list[dict[int, tuple[NDArray[np.intp], NDArray[np.intp]]]]:
        """Return for each axis and node what each single output of its box reads: first, stop."""
        result: list[dict[int, tuple[NDArray[np.intp], NDArray[np.intp]]]] = []
        for axis in range(len(self._plan.input.size)):
            table = {}
            for i in self._nodes:
                box = self._plan.parts[i].box
                reads = [self._read(i, axis, (u, u + 1)) for u in range(*box[axis])]
                table[i] = (np.array([a for a, _ in reads]), np.array([b for _, b in reads]))
            result.append(table)
        return result

    def _read(self, node: int, axis: int, span: Span) -> Span:
        """Return what a span of a node's map reads along one axis."""
        box = self._plan.parts[node].box
        asked = (*box[:axis], span, *box[axis + 1 :])
        return self._layers[node].reads(self._graph.nodes[node], asked)[axis]

    def _reached(
        self,
        axis: int,
        span: Span,
        reads: Mapping[int, tuple[NDArray[np.intp], NDArray[np.intp]]],
    ) -> dict[int, Span]:
        """Return the span of every map, within the cone, that a span of pixels reaches."""
        reached = {0: span}
        for i in self._nodes:
            firsts, stops = reads[i]
            start = self._plan.parts[i].box[axis][0]
            hits = [
                np.flatnonzero((firsts < reached[s][1]) & (stops > reached[s][0]))
                for s in self._graph.nodes[i].inputs
                if s in reached
            ]
            found = np.concatenate(hits) if hits else np.array([], np.intp)
            if found.size:
                reached[i] = (start + int(found.min()), start + int(found.max()) + 1)
        return reached

    def _widened(self, axis: int, reached: Mapping[int, Span]) -> _Along:
        done: dict[int, Span] = {}
        read: dict[int, Span] = {}
        kind: list[object] = []
        for i in (0, *self._changing):
            low, high = self._plan.parts[i].box[axis]
            extent = self._extents[i][axis]
            start = min(reached.get(i, (low, low))[0], high - extent)
            done[i] = (start, start + extent)
            if i:
                read[i] = self._read(i, axis, done[i])
                kind.append(_kind(self._graph.nodes[i].rules[axis], done[i], read[i]))
        return _Along(done, read, tuple(kind))


def _kind(rule: object, done: Span, read: Span) -> object:
    """Return everything but the extent on which the function of an operation depends."""
    if isinstance(rule, Window) and rule.mode == "zeros":
        start = done[0] * rule.stride - rule.before
        return (read[0] - start, read[1] - start)
    return (done, read)


def _length(span: Span | None) -> int:
    return 0 if span is None else span[1] - span[0]


def _common(a: Box, b: Box) -> Box | None:
    common = tuple((max(p[0], q[0]), min(p[1], q[1])) for p, q in zip(a, b, strict=True))
    return None if any(stop <= start for start, stop in common) else common


def _within(box: Box, outer: Box) -> tuple[slice, ...]:
    """Return the index of a box in a tensor (C, *extent) that holds `outer`."""
    return (
        slice(None),
        *(slice(a - low, b - low) for (a, b), (low, _) in zip(box, outer, strict=True)),
    )
