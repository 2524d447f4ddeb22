"""The maps of a network while it is imported: changes of a tensor's layout become layers here.

Reductions use positions up, mixings let each position read blocks, grids or whole axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Literal

from rfstudio.core import ops
from rfstudio.core.ops import Op
from rfstudio.importing.layers import Sizes
from rfstudio.importing.layout import (
    CHANNEL,
    Digit,
    Dim,
    View,
    coarser,
    with_channels,
    with_inner_channels,
    without_axis,
)
from rfstudio.importing.positions import Positions

How = Literal["linear", "mean", "max", "unshuffle", "other"]
"""What is done with the positions that a reduction reads."""

Reads = tuple[Literal["same", "whole", "block", "grid"], int]
"""What a unit reads along an axis: itself, all, its block of a size, or every m-th."""


class Maps(Positions):
    """All maps so far; `record` is what is being imported, for places and labels."""

    def reduced(
        self,
        view: View,
        places: Sequence[int],
        channels: int,
        how: How,
        *,
        settle: bool = True,
    ) -> View:
        """Return a view in which dimensions are used up: each position reads all of them.

        Parameters
        ----------
        view
            The tensor.
        places
            The dimensions that are used up; they become empty.
        channels
            Channels of the result.
        how
            What is done with what is read.
        settle
            Whether the map is first to have the view's channels and no others.
        """
        view = self.settled(view) if settle else view
        gone = [x for i in places for x in view.dims[i].digits if x.is_position]
        if gone:
            view = self.unrolled(view)
        rest = [Dim() if i in places else x for i, x in enumerate(view.dims)]
        view = replace(view, dims=tuple(rest))
        first = True
        while gone or first:
            step, gone, view = self._step(view, gone)
            node = self._reducing(view.node, step, channels, how if first else "other")
            view = replace(view, node=node, start=0)
            first = False
        return replace(view, dims=with_channels(view.dims))

    def used_up(self, view: View, places: Sequence[int], total: int) -> View:
        """Return a view in which dimensions are read as a whole by each of so many new channels.

        The last of them runs through these channels, and the others are empty.
        """
        others = [x for i, d in enumerate(view.dims) if i not in places for x in d.digits]
        rest = prod(x.size for x in others if x.axis == CHANNEL)
        result = self.reduced(view, places, rest * total, "other")
        return replace(result, dims=with_inner_channels(result.dims, places[-1], total))

    def _step(
        self, view: View, gone: list[Digit]
    ) -> tuple[list[tuple[int, int, int]], list[Digit], View]:
        """Return (kernel, stride, dilation) of each axis that use up the outermost of some digits.

        Also what is left of the digits, and the view with the strides after that.
        """
        size = self.nodes[view.node].size
        step = [(1, 1, 1)] * len(size)
        left: list[Digit] = []
        for axis, n in enumerate(size):
            mine = sorted((x for x in gone if x.axis == axis), key=lambda x: x.stride)
            if not mine:
                continue
            if not view.of_axis(axis):
                step[axis] = (n, n, 1)
                continue
            digit = mine[0]
            if digit.stride == 1:
                step[axis] = (digit.size, digit.size, 1)
                left += [x._replace(stride=x.stride // digit.size) for x in mine[1:]]
                view = replace(view, dims=coarser(view.dims, axis, digit.size))
            elif (outer := mine[-1]).stride * outer.size == n:
                step[axis] = (outer.size, 1, outer.stride)
                left += mine[:-1]
            else:
                # In between: outputs read with gaps on both sides, which is treated as all of it.
                self.remark("global", "positions in the middle of blocks are mixed")
                step[axis] = (n, n, 1)
                view = replace(view, dims=without_axis(view.dims, axis))
        return step, left, view

    def _reducing(
        self, node: int, step: Sequence[tuple[int, int, int]], channels: int, how: How
    ) -> int:
        have = self.nodes[node]
        kernel, stride, dilation = (tuple(x) for x in zip(*step, strict=True))
        pooled = [k == n for k, n in zip(kernel, have.size, strict=True)]
        still = all(k == 1 for k in kernel)
        same = channels == have.channels
        if how == "linear":
            return self.linear(node, channels, kernel, stride, dilation)
        if how in ("mean", "max") and same and not still:
            if all(pooled):
                op: Op = ops.GlobalAvgPool() if how == "mean" else ops.GlobalMaxPool()
                return self.add(op, [node], channels=channels)
            if all(k in (1, n) for k, n in zip(kernel, have.size, strict=True)):
                # Some axes are pooled to one sample and the others stay, at any size.
                outs = tuple(None if k == 1 else 1 for k in kernel)
                pool = ops.AdaptiveAvgPool if how == "mean" else ops.AdaptiveMaxPool
                return self.add(pool(output_size=outs), [node])
            if how == "max":
                op = ops.MaxPool(kernel_size=kernel, stride=stride, dilation=dilation)
                return self.add(op, [node])
            if all(x == 1 for x in dilation):
                return self.add(ops.AvgPool(kernel_size=kernel, stride=stride), [node])
        if how == "unshuffle":
            if still and same:
                return node
            r = kernel[0]
            square = all(k == s == r for k, s in zip(kernel, stride, strict=True))
            if square and channels == have.channels * r ** len(kernel):
                return self.add(ops.PixelUnshuffle(downscale_factor=r), [node])
        if not still and all(pooled):
            return self.whole([node], (1,) * len(kernel), channels, self.record.label)
        return self.custom([node], channels, kernel_size=kernel, stride=stride, dilation=dilation)

    def linear(
        self, node: int, channels: int, kernel: Sizes, stride: Sizes, dilation: Sizes
    ) -> int:
        """Add a product with a learned matrix over channels and some positions."""
        have, options = self.nodes[node], self.record.options
        plain = ops.Conv(
            kernel_size=kernel,
            stride=stride,
            dilation=dilation,
            out_channels=channels,
            bias=bool(options.get("bias", True)),
        )
        weights = have.channels * channels * prod(kernel)
        bias = channels if options.get("bias", True) else 0
        # A matrix that is computed has its numbers, of however many they are made.
        is_computed = "weight" in options.get("computed", ())
        if is_computed or self.record.parameters in (0, weights + bias):
            if kernel == have.size and (any(n > 1 for n in kernel) or set(have.size) == {1}):
                return self.add(
                    ops.Linear(out_features=channels, bias=plain.bias), [node], channels=channels
                )
            return self.add(plain, [node])
        return self.custom([node], channels, kernel_size=kernel, stride=stride, dilation=dilation)

    def mixed(
        self,
        view: View,
        places: Sequence[int],
        label: str,
        channels: int,
        *,
        causal: bool = False,
    ) -> View:
        """Return a view of the same dimensions in which each position reads some whole ones.

        Parameters
        ----------
        view
            The tensor, settled.
        places
            The dimensions that are read as a whole.
        label
            What it is called.
        channels
            Channels of the result; those of the view's digits if dimensions are to stay.
        causal
            Whether a position reads none after it, in the order of the dimensions.
        """
        view = self.unrolled(view)
        size = self.nodes[view.node].size
        reads: list[Reads] = []
        for axis, n in enumerate(size):
            mine = [x for i in places for x in view.dims[i].digits if x.axis == axis]
            reads.append(reads_of(mine, n))
        order = [x for i in places for x in view.dims[i].digits] if causal else []
        return replace(view, node=self.mixing(view.node, reads, label, channels, order=order))

    def mixing(
        self,
        node: int,
        reads: Sequence[Reads],
        label: str,
        channels: int,
        shift: Sequence[int] = (),
        order: Sequence[Digit] = (),
    ) -> int:
        """Add a layer whose units read blocks, grids or the whole of each axis.

        Parameters
        ----------
        node
            The map.
        reads
            What a unit reads along each axis.
        label
            What it is called.
        channels
            Channels of the result.
        shift
            Along each axis where the first whole block starts; blocks are cut at the borders.
        order
            What positions run through, the outermost first, if none reads one after it.
        """
        size = self.nodes[node].size
        causal = self._causal_axes(reads, order, shift)
        if not any(causal) and all(x in ("same", "whole") for x, _ in reads):
            if all(x == "same" or n == 1 for (x, _), n in zip(reads, size, strict=True)):
                return self.custom([node], channels, label)
            if all(x == "whole" or n == 1 for (x, _), n in zip(reads, size, strict=True)):
                return self.whole([node], size, channels, label)
        count = self.record.parameters
        if all(x != "grid" for x, _ in reads):
            blocks = tuple(n if x == "whole" else k for (x, k), n in zip(reads, size, strict=True))
            starts = tuple(o % k for o, k in zip(shift or (0,) * len(blocks), blocks, strict=True))
            op: Op = ops.BlockMix(
                size=blocks,
                shift=starts,
                label=label,
                out_channels=channels,
                parameters=count,
                causal=causal,
            )
            return self.add(op, [node], size, channels)
        if all(x != "block" for x, _ in reads):
            grids = tuple(
                n // k if x == "grid" else k for (x, k), n in zip(reads, size, strict=True)
            )
            return self.add(
                ops.GridMix(grid=grids, label=label, out_channels=channels, parameters=count),
                [node],
                size,
                channels,
            )
        self.remark("global", f"'{label}' mixes blocks and grids; it is assumed to read all")
        return self.whole([node], size, channels, label)

    def _causal_axes(
        self, reads: Sequence[Reads], order: Sequence[Digit], shift: Sequence[int]
    ) -> tuple[bool, ...]:
        """Return along which axes a position reads none after it.

        It reads all that differ in what the order runs through inside: of several axes, only the
        outermost is cut.
        """
        none = (False,) * len(reads)
        first = next((x for x in order if x.size > 1), None)
        if first is None or not first.is_position:
            return none
        reached = reads[first.axis]
        if any(x == "grid" for x, _ in reads) or any(shift) or reached[1] != first.size:
            self.remark("merged", "the causal mask of an attention is ignored")
            return none
        if any(x.axis != first.axis and x.size > 1 for x in order):
            self.remark("merged", "what comes after a position in its own row is taken as read")
        return tuple([axis == first.axis for axis in range(len(reads))])


Pattern = tuple[str, int, int]
"""A word, and two numbers that depend on it."""


def reads_of(digits: Sequence[Digit], n: int) -> Reads:
    """Return what a unit reads that reads all of some digits of an axis of `n` samples."""
    total = prod(x.size for x in digits)
    if total == 1:
        return "same", 1
    if total == n:
        return "whole", n
    ordered = sorted(digits, key=lambda x: x.stride)
    covered = 1
    for digit in ordered:
        if digit.stride != covered:
            break
        covered *= digit.size
    else:
        return "block", covered
    covered = n
    for digit in reversed(ordered):
        if digit.stride * digit.size != covered:
            return "whole", n
        covered = digit.stride
    return "grid", covered
