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
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Op, per_axis
from rfstudio.core.ops.convolution import group_count
from rfstudio.core.ops.geometry import window_of
from rfstudio.engine.module.boxes import Part, fetch
from rfstudio.engine.module.layers.base import CONV, Evaluate, FromWholeMap, LayerModule, Pointwise
from rfstudio.engine.module.layers.resampling import (
    UpsampleModule,
    WeightedTaps,
    adaptive_windows,
)
from rfstudio.engine.module.layers.windows import WindowModule, window_bounds


class SumOfWindow(WindowModule):
    """The sum over the window of a pool or of a declared operation."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op: Any = node.op
        if getattr(op, "whole", False):
            return _sum_of_map(node, target)
        axes = len(node.size)
        cut, padding = self._fetched(sources[0], target, 0.0)
        kernel, stride, dilation = window_of(op, axes)
        conv: Callable[..., Tensor] = CONV[axes]

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = cut(inputs[0])
            ones = x.new_ones((x.shape[1], 1, *kernel))
            return _to_channels(
                conv(x, ones, None, stride, padding, dilation, x.shape[1]), node.channels
            )

        return evaluate


class SumOfDeformedWindow(LayerModule):
    """The sum over all positions that the taps of a deformable convolution can move to."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op: Any = node.op
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


def _grown_taps(kernel: int, dilation: int, reach: int) -> Any:
    line = np.zeros(dilation * (kernel - 1) + 1 + 2 * reach)
    for tap in range(kernel):
        line[tap * dilation : tap * dilation + 2 * reach + 1] = 1
    return line


class SumOfAdaptiveWindow(LayerModule):
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


class SumOfUpsample(UpsampleModule):
    """The sum of the samples that an interpolation reads with a weight that is not zero."""

    def _tables(
        self, size: tuple[int, ...], out: tuple[int, ...]
    ) -> list[tuple[WeightedTaps, ...]]:
        return [
            tuple(tuple((i, 1.0) for i, weight in taps if weight != 0) for taps in table)
            for table in super()._tables(size, out)
        ]


class SumOfMap(LayerModule):
    """The sum over the whole map, at every position."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        del sources
        return _sum_of_map(node, target)


def _sum_of_map(node: Node, target: Part) -> Evaluate:
    extent, axes = target.extent, len(node.size)
    dims = tuple(range(2, 2 + axes))

    def evaluate(inputs: list[Tensor]) -> Tensor:
        total = _to_channels(inputs[0].sum(dims, keepdim=True), node.channels)
        return total.expand(-1, -1, *extent)

    return evaluate


def _to_channels(x: Tensor, channels: int) -> Tensor:
    if x.shape[1] == channels:
        return x
    return x.sum(1, keepdim=True).expand(-1, channels, *x.shape[2:])


class SumOfGridWindow(FromWholeMap):
    """The sum over the window of a grid that holds a position."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op: Any = node.op
        (source,) = sources
        axes = len(node.size)
        tables = []
        for axis, (w, shift) in enumerate(
            zip(per_axis(op.window_size, axes), per_axis(op.shift, axes), strict=True)
        ):
            asking, read = (
                (torch.arange(*part.box[axis]) + shift) // w for part in (target, source)
            )
            tables.append((asking[:, None] == read[None, :]).double())

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = inputs[0]
            for axis, table in enumerate(tables):
                x = torch.movedim(torch.movedim(x, 2 + axis, -1) @ table.to(x).mT, -1, 2 + axis)
            return x

        return evaluate


class Unchanged(Pointwise):
    """An activation or a norm of one position, left out."""

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return inputs[0]


class SumOfMerge(Pointwise):
    """A product counted as a sum, so that the network stays linear."""

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return torch.stack(inputs).sum(0)


POSITIVE: dict[type[Op], Callable[[Node, Sequence[Node]], LayerModule]] = {
    ops.MaxPool: SumOfWindow,
    ops.AvgPool: SumOfWindow,
    ops.Custom: SumOfWindow,
    ops.DeformConv: SumOfDeformedWindow,
    ops.AdaptiveAvgPool: SumOfAdaptiveWindow,
    ops.AdaptiveMaxPool: SumOfAdaptiveWindow,
    ops.GlobalAvgPool: SumOfMap,
    ops.GlobalMaxPool: SumOfMap,
    ops.Upsample: SumOfUpsample,
    ops.InstanceNorm: SumOfMap,
    ops.GroupNorm: SumOfMap,
    ops.SqueezeExcite: SumOfMap,
    ops.Attention: SumOfMap,
    ops.WindowAttention: SumOfGridWindow,
    ops.Multiply: SumOfMerge,
    ops.BatchNorm: Unchanged,
    **dict.fromkeys(ops.ELEMENTWISE, Unchanged),
}
"""Operations that differ in the positive linear network; all others have weights of 1."""
