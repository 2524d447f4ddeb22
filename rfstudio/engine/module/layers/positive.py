"""The same network as a positive linear one: everything that is read counts, once a path.

All weights are 1, activations and norms of one position do nothing, maxima and means are sums,
and what mixes the map (attention, squeeze-and-excite, group norm) adds up the map.  The input
gradient of such a network counts the paths from each pixel to a unit; where it is not zero, the
pixel is in the support (definitions 2 and 3 of the design).  It serves as an oracle: it shares
sizes and padding with the analysis, but not the rules of what is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Whole
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Op, group_count, per_axis, window_of
from rfstudio.engine.module.boxes import Part, fetch
from rfstudio.engine.module.layers.base import CONV, Evaluate, FromWholeMap, LayerModule, Pointwise
from rfstudio.engine.module.layers.module_table import LAYERS, POSITIVE, positive_for
from rfstudio.engine.module.layers.resampling import (
    UpsampleModule,
    WeightedTaps,
    adaptive_windows,
)
from rfstudio.engine.module.layers.sliding_window import (
    WindowModule,
    WindowT_co,
    beside_whole,
    window_bounds,
)


class SumOfWindow(WindowModule[WindowT_co]):
    """The sum over the window of a pool or of a declared operation."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        axes = len(node.size)
        cut, padding = self._fetched(sources[0], target, 0.0)
        kernel, stride, dilation = window_of(self.op, axes)
        conv: Callable[..., Tensor] = CONV[axes]

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = cut(inputs[0])
            ones = x.new_ones((x.shape[1], 1, *kernel))
            return to_channels(
                conv(x, ones, None, stride, padding, dilation, x.shape[1]), node.channels
            )

        return evaluate


@positive_for(ops.MaxPool, ops.AvgPool, ops.LpPool)
class SumOfPool(SumOfWindow[ops.MaxPool | ops.AvgPool | ops.LpPool]):
    """The sum over the window of a pool."""


@positive_for(ops.Custom)
class SumOfCustom(SumOfWindow[ops.Custom]):
    """The sum over the window of a declared operation, or over the map."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        if self.op.whole:
            return beside_whole(self, torch.sum, node, sources[0], target)
        return super().bind(node, sources, target)


@positive_for(ops.DeformConv)
class SumOfDeformedWindow(LayerModule[ops.DeformConv]):
    """The sum over all positions that the taps of a deformable convolution can move to."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op = self.op
        if op.max_offset is None:
            return _sum_of_map(node, target)
        reach, axes = op.max_offset, len(node.size)
        kernels, stride, dilations = window_of(op, axes)
        taps = [_grown_taps(k, d, reach) for k, d in zip(kernels, dilations, strict=True)]
        pattern = taps[0]
        for other in taps[1:]:
            pattern = np.multiply.outer(pattern, other)
        bounds = tuple(
            (low - reach, high + reach)
            for low, high in window_bounds(op, sources[0].size, target.box)
        )
        cut = fetch(sources[0], bounds)
        conv: Callable[..., Tensor] = CONV[axes]

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = cut(inputs[0])
            groups = group_count(op, x.shape[1])
            weight = torch.from_numpy(pattern).to(x)
            weight = weight.expand(node.channels, x.shape[1] // groups, *pattern.shape)
            return conv(x, weight, None, stride, 0, 1, groups)

        return evaluate


@positive_for(ops.Deforming)
class SumOfDeforming(Pointwise[ops.Deforming]):
    """The sum of what the taps may read, of all offsets and of the mask."""

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        result = inputs[0]
        for other in inputs[1:]:
            result = result + other.sum(1, keepdim=True)
        return result


def _grown_taps(kernel: int, dilation: int, reach: int) -> Any:
    line = np.zeros(dilation * (kernel - 1) + 1 + 2 * reach)
    for tap in range(kernel):
        line[tap * dilation : tap * dilation + 2 * reach + 1] = 1
    return line


@positive_for(ops.AdaptiveAvgPool, ops.AdaptiveMaxPool)
class SumOfAdaptiveWindow(LayerModule[ops.AdaptivePool]):
    """The sum over the windows of an adaptive pool."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        tables = []
        for axis, n in enumerate(source.size):
            start, stop = source.box[axis]
            table = torch.zeros(target.extent[axis], stop - start)
            windows = adaptive_windows(n, node.size[axis], target.box[axis])
            for row, (a, b) in zip(table, windows, strict=True):
                row[a - start : b - start] = 1
            tables.append(table)

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = inputs[0]
            for axis, table in enumerate(tables):
                x = torch.movedim(torch.movedim(x, 2 + axis, -1) @ table.to(x).mT, -1, 2 + axis)
            return x

        return evaluate


@positive_for(ops.Upsample)
class SumOfUpsample(UpsampleModule):
    """The sum of the samples that an interpolation reads with a weight that is not zero."""

    def _tables(
        self, size: tuple[int, ...], out: tuple[int, ...]
    ) -> list[tuple[WeightedTaps, ...]]:
        return [
            tuple(tuple((i, 1.0) for i, weight in taps if weight != 0) for taps in table)
            for table in super()._tables(size, out)
        ]


class SumOfMap(LayerModule[Op]):
    """The sum over the whole map, at every position."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        del sources
        return _sum_of_map(node, target)


positive_for(ops.GlobalAvgPool, ops.GlobalMaxPool)(SumOfMap)
positive_for(ops.InstanceNorm, ops.GroupNorm)(SumOfMap)
positive_for(ops.SqueezeExcite)(SumOfMap)


class SumOfSide(LayerModule[Op]):
    """The sum over the map or some of its axes, or what is on one side of a position along one."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        tables, box = [], list(target.box)
        for axis, rule in enumerate(node.rules):
            if not isinstance(rule, Whole):
                continue
            box[axis] = source.box[axis]
            asked, read = (torch.arange(*part.box[axis]) for part in (target, source))
            table = torch.ones(len(asked), len(read), dtype=torch.bool)
            if rule.side == "before":
                table = read <= asked[:, None]
            elif rule.side == "after":
                table = read >= asked[:, None]
            tables.append((axis, table))
        if all(isinstance(x, Whole) and x.side == "both" for x in node.rules):
            return _sum_of_map(node, target)
        cut = fetch(source, tuple(box))

        def evaluate(inputs: list[Tensor]) -> Tensor:
            sums = cut(inputs[0])
            for axis, table in tables:
                rows = torch.movedim(sums, 2 + axis, -1)
                sums = torch.movedim(rows @ table.to(rows).mT, -1, 2 + axis)
            return to_channels(sums, node.channels)

        return evaluate


positive_for(ops.Attention, ops.Recurrent)(SumOfSide)
positive_for(ops.AxisMean, ops.AxisMax)(SumOfSide)


def _sum_of_map(node: Node, target: Part) -> Evaluate:
    extent, axes = target.extent, len(node.size)
    dims = tuple(range(2, 2 + axes))

    def evaluate(inputs: list[Tensor]) -> Tensor:
        total = to_channels(inputs[0].sum(dims, keepdim=True), node.channels)
        return total.expand(-1, -1, *extent)

    return evaluate


def to_channels(x: Tensor, channels: int) -> Tensor:
    """Return a map with so many channels, each of them the sum of all if there are others."""
    if x.shape[1] == channels:
        return x
    return x.sum(1, keepdim=True).expand(-1, channels, *x.shape[2:])


@positive_for(ops.WindowAttention)
class SumOfGridWindow(FromWholeMap[ops.WindowAttention | ops.DotProductAttention]):
    """The sum over the window of a grid that holds a position."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op = self.op
        (source,) = sources
        axes = len(node.size)
        windows, shifts = self._grid(op, axes, node.size)
        tables = []
        for axis, (w, shift) in enumerate(zip(windows, shifts, strict=True)):
            written, read = (
                (torch.arange(*part.box[axis]) + shift) // w for part in (target, source)
            )
            tables.append((written[:, None] == read[None, :]).double())

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = to_channels(inputs[0], node.channels)
            for axis, table in enumerate(tables):
                x = torch.movedim(torch.movedim(x, 2 + axis, -1) @ table.to(x).mT, -1, 2 + axis)
            return x

        return evaluate

    @staticmethod
    def _grid(
        op: ops.WindowAttention | ops.DotProductAttention, axes: int, size: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return sizes of windows, and how far before sample 0 the first one starts."""
        if isinstance(op, ops.DotProductAttention):
            return op.windows(size), op.starts(size)
        return per_axis(op.window_size, axes), per_axis(op.shift, axes)


@POSITIVE.family(ops.Pointwise)
class Unchanged(Pointwise[ops.Pointwise]):
    """An activation or a norm of one position, left out."""

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return inputs[0]


@positive_for(ops.Multiply)
class SumOfMerge(Pointwise[ops.Multiply]):
    """A product counted as a sum, so that the network stays linear."""

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return torch.stack(inputs).sum(0)


def as_it_is(op: Op, node: Node, sources: Sequence[Node]) -> LayerModule[Op]:
    """Return the module of what is linear and positive by itself, once its weights are 1."""
    return LAYERS(op, node, sources)


positive_for(ops.Conv, ops.ConvTranspose, ops.Linear)(as_it_is)
positive_for(ops.AxisLinear, ops.Unfold, ops.Fold)(as_it_is)
positive_for(ops.Flatten, ops.PixelShuffle, ops.PixelUnshuffle)(as_it_is)
positive_for(ops.Pad, ops.Crop, ops.Broadcast)(as_it_is)
positive_for(ops.Add, ops.Concat, ops.ChannelShuffle)(as_it_is)
positive_for(ops.ChannelSlice, ops.Inset)(as_it_is)
