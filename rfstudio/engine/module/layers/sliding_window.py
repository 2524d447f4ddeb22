"""Convolutions, pools and other operations that slide a window over the map.

All padding is resolved before the window slides: samples before and after the map are added
by hand where they are not the same on both sides, so that asymmetric, negative and `same` padding
and windows cut by a box are one case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, prod
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import source_of_padding
from rfstudio.core.initialisations import Fans
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import group_count, per_axis, resolved_padding, window_of
from rfstudio.engine.module.boxes import Box, Fetch, Part, Span, fetch, give_back, padding_around
from rfstudio.engine.module.layers.base import (
    AVG_POOL,
    CONV,
    CONV_TRANSPOSE,
    MAX_POOL,
    Evaluate,
    Keeps,
    LayerModule,
    Pull,
    read_box,
)
from rfstudio.engine.module.layers.module_table import layer_for

WindowT_co = TypeVar("WindowT_co", bound=ops.Windowed, covariant=True)


def window_bounds(op: ops.Windowed, size: tuple[int, ...], box: Box) -> Box:
    """Return what the windows of a box of outputs cover, in samples of the input; may leave it."""
    return _bounds(op, resolved_padding(op, size), box)


def _bounds(op: ops.Windowed, pads: Sequence[Span], box: Box) -> Box:
    kernels, strides, dilations = window_of(op, len(box))
    return tuple(
        [
            (start * s - before, (stop - 1) * s - before + d * (k - 1) + 1)
            for (start, stop), k, s, d, (before, _) in zip(
                box, kernels, strides, dilations, pads, strict=True
            )
        ]
    )


def _without_cropped_end(source: Part, after: Sequence[int]) -> Part:
    """Return the part of a map whose last samples are cut off by negative padding."""
    if min(after) >= 0:
        return source
    size = tuple(n + min(x, 0) for n, x in zip(source.size, after, strict=True))
    box = tuple((min(a, n), min(b, n)) for (a, b), n in zip(source.box, size, strict=True))
    return Part(size, box)


class WindowModule(LayerModule[WindowT_co]):
    """An operation that slides a window; the padding is in the tensor or in `padding`."""

    def _fetched(
        self, source: Part, target: Part, fill: float, *, at_most: Sequence[int] | None = None
    ) -> tuple[Fetch, tuple[int, ...]]:
        """Return how to cut the windows' input, and the symmetric padding left to torch.

        `at_most` is the largest padding per axis that torch takes; None: any.
        """
        resolved = resolved_padding(self.op, source.size)
        bounds = _bounds(self.op, resolved, target.box)
        held, source = source, _without_cropped_end(source, [x for _, x in resolved])
        if held is not source and held != source:  # another layer may read what this one does not
            outer, inner = fetch(held, source.box), fetch(source, bounds, fill)
            return lambda x: inner(outer(x)), (0,) * len(bounds)
        if bounds == source.box:
            return fetch(source, bounds), (0,) * len(bounds)
        pads = padding_around(source, bounds)
        symmetric = all(x == y for x, y in pads)
        fits = at_most is None or all(x <= y for (x, _), y in zip(pads, at_most, strict=True))
        # Windows with holes may read nothing of a map that they span.
        alive = all(
            low < stop and high > start and start < stop
            for (low, high), (start, stop) in zip(bounds, source.box, strict=True)
        )
        if symmetric and fits and alive:
            return fetch(source, bounds, pad=False), tuple(x for x, _ in pads)
        return fetch(source, bounds, fill), (0,) * len(pads)


def gathered(source: Part, bounds: Box, mode: str) -> Fetch:
    """Return how to cut bounds from a map around which lie samples of its own."""
    indices = []
    for (low, high), n, (start, stop) in zip(bounds, source.size, source.box, strict=True):
        read = [source_of_padding(i, n, mode) for i in range(low, high)]
        # Windows with holes span samples that they do not read; any value will do there.
        inside = [min(max((x or 0) - start, 0), stop - start - 1) for x in read]
        indices.append(torch.tensor(inside))

    def fetched(x: Tensor) -> Tensor:
        for axis, index in enumerate(indices):
            x = x.index_select(2 + axis, index.to(x.device))
        return x

    return fetched


@layer_for(ops.Conv)
class ConvModule(WindowModule[ops.Conv | ops.DeformConv]):
    """A convolution."""

    keeps: Keeps = "nothing"

    def __init__(self, op: ops.Conv | ops.DeformConv, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        self.groups = group_count(op, sources[0].channels)
        self.taps = per_axis(op.kernel_size, len(node.size))
        self.padding_mode = op.padding_mode if isinstance(op, ops.Conv) else "zeros"
        self.pads_with_samples = self.padding_mode != "zeros"
        fan = sources[0].channels // self.groups
        self.weight = nn.Parameter(torch.empty(node.channels, fan, *self.taps))
        self.bias = nn.Parameter(torch.zeros(node.channels)) if op.bias else None

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op = self.op
        axes = len(node.size)
        if self.pads_with_samples:
            bounds = window_bounds(op, sources[0].size, target.box)
            cut, padding = gathered(sources[0], bounds, self.padding_mode), (0,) * axes
        else:
            cut, padding = self._fetched(sources[0], target, 0.0)
        _, stride, dilation = window_of(op, axes)
        conv: Callable[..., Tensor] = CONV[axes]
        groups = self.groups
        return lambda inputs: conv(
            cut(inputs[0]), self.weight, self.bias, stride, padding, dilation, groups
        )

    def bind_pull(  # noqa: D102
        self, node: Node, sources: tuple[Part, ...], target: Part, channels: tuple[int, ...]
    ) -> Pull:
        if self.pads_with_samples:
            return super().bind_pull(node, sources, target, channels)
        (source,) = sources
        op = self.op
        axes = len(node.size)
        _, stride, dilation = window_of(op, axes)
        bounds = window_bounds(op, source.size, target.box)
        cut, padding = self._fetched(source, target, 0.0)
        after = [x for _, x in resolved_padding(op, source.size)]
        uncropped = _without_cropped_end(source, after)
        back = give_back(uncropped, bounds, source, pad=not any(padding))
        # Of what the convolution reads only the shape counts.
        with torch.device("meta"):
            read = tuple(cut(torch.empty((1, channels[0], *source.extent))).shape[1:])
        groups, zeros, wanted = self.groups, (0,) * axes, (True, False, False)
        convolution_backward: Any = torch.ops.aten.convolution_backward

        def pull(gradient: Tensor, _: list[Tensor]) -> list[Tensor | None]:
            layout = (
                torch.channels_last
                if axes == 2 and self.weight.is_contiguous(memory_format=torch.channels_last)
                else torch.contiguous_format
            )
            x = torch.empty(
                (len(gradient), *read),
                dtype=gradient.dtype,
                device=gradient.device,
                memory_format=layout,
            )
            window = (stride, padding, dilation, False, zeros, groups, wanted)
            result, *_ = convolution_backward(gradient, x, self.weight, None, *window)
            return [back(result)]

        return pull

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        return {"weight": self.weight.shape[1] * prod(self.taps)}

    def _fans(self, weight: Tensor, into: int) -> Fans:
        return super()._fans(weight, into)._replace(kernel=self.taps)


@layer_for(ops.Unfold)
class UnfoldModule(WindowModule[ops.Unfold]):
    """Windows as channels: a convolution of each channel with one kernel for each tap."""

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        axes = len(node.size)
        cut, padding = self._fetched(sources[0], target, 0.0)
        kernel, stride, dilation = window_of(self.op, axes)
        conv: Callable[..., Tensor] = CONV[axes]

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = cut(inputs[0])
            taps = _one_tap_each(kernel, x.shape[1]).to(x)
            return conv(x, taps, None, stride, padding, dilation, x.shape[1])

        return evaluate


def _one_tap_each(kernel: Sequence[int], channels: int) -> Tensor:
    """Return for each channel one kernel for every tap, which is 1 there and 0 elsewhere."""
    taps = prod(kernel)
    return torch.eye(taps).reshape(taps, 1, *kernel).repeat(channels, *(1,) * (len(kernel) + 1))


OpensT_co = TypeVar("OpensT_co", bound=ops.ConvTranspose | ops.Fold, covariant=True)


class TransposedModule(LayerModule[OpensT_co]):
    """Input j adds to outputs j·stride − before + dilation·t."""

    keeps = "nothing"
    groups: int
    bias: nn.Parameter | None

    def __init__(self, op: OpensT_co, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        self.taps = per_axis(op.kernel_size, len(node.size))
        self.strides = per_axis(op.stride, len(node.size))

    def kernels(self, x: Tensor) -> Tensor:
        """Return the weights for an input."""
        raise NotImplementedError

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op = self.op
        axes = len(node.size)
        dilation = per_axis(op.dilation, axes)
        befores = [x for x, _ in op.pads(axes)]
        read = read_box(node.rules, target.box)
        channels, extent = node.channels, target.extent
        shift = (1, channels, *(1,) * axes)
        bias = (lambda: self.bias.view(shift)) if self.bias is not None else (lambda: 0.0)
        if any(start >= stop for start, stop in read):
            return lambda inputs: (
                inputs[0].new_zeros((inputs[0].shape[0], channels, *extent)) + bias()
            )
        # What the inputs `read` add up to, in outputs of the map without padding.
        spread = Part(
            tuple(
                (stop - 1 - start) * s + d * (k - 1) + 1
                for (start, stop), s, d, k in zip(
                    read, self.strides, dilation, self.taps, strict=True
                )
            ),
            (),
        )
        spread = Part(spread.size, tuple((0, n) for n in spread.size))
        bounds = tuple(
            (a + before - start * s, b + before - start * s)
            for (a, b), before, (start, _), s in zip(
                target.box, befores, read, self.strides, strict=True
            )
        )
        cut_input, cut_output = fetch(sources[0], read), fetch(spread, bounds)
        conv: Callable[..., Tensor] = CONV_TRANSPOSE[axes]
        stride, groups = self.strides, self.groups
        return lambda inputs: (
            cut_output(
                conv(
                    cut_input(inputs[0]),
                    self.kernels(inputs[0]),
                    None,
                    stride,
                    0,
                    0,
                    groups,
                    dilation,
                )
            )
            + bias()
        )


@layer_for(ops.Fold)
class FoldModule(TransposedModule[ops.Fold]):
    """Channels put to their places in windows, which add up."""

    def __init__(self, op: ops.Fold, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        self.groups = node.channels
        self.bias = None

    def kernels(self, x: Tensor) -> Tensor:  # noqa: D102
        return _one_tap_each(self.taps, self.groups).to(x)


@layer_for(ops.ConvTranspose)
class ConvTransposeModule(TransposedModule[ops.ConvTranspose]):
    """A transposed convolution."""

    def __init__(self, op: ops.ConvTranspose, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        channels = sources[0].channels
        self.groups = group_count(op, channels)
        self.weight = nn.Parameter(torch.empty(channels, node.channels // self.groups, *self.taps))
        self.bias = nn.Parameter(torch.zeros(node.channels)) if op.bias else None

    def kernels(self, x: Tensor) -> Tensor:  # noqa: D102
        del x
        return self.weight

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        # Each output sums the taps of one phase: kernel / stride of them on average.
        taps = prod(self.taps) / prod(self.strides)
        return {"weight": max(round(self.weight.shape[0] // self.groups * taps), 1)}

    def _fans(self, weight: Tensor, into: int) -> Fans:
        inputs, outputs, *_ = weight.shape
        return self.op.fans(inputs, outputs, into, len(self.taps))


@layer_for(ops.MaxPool)
class MaxPoolModule(WindowModule[ops.MaxPool]):
    """The maximum over a window; a window without any real sample gives 0."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op = self.op
        axes = len(node.size)
        kernel, stride, dilation = window_of(op, axes)
        cut, padding = self._fetched(sources[0], target, -inf, at_most=[k // 2 for k in kernel])
        pool: Callable[..., Tensor] = MAX_POOL[axes]
        dead = _dead_outputs(op, sources[0].size, target)

        def evaluate(inputs: list[Tensor]) -> Tensor:
            result = pool(cut(inputs[0]), kernel, stride, padding, dilation)
            return result if dead is None else result.masked_fill(dead.to(result.device), 0.0)

        return evaluate


def _dead_outputs(op: ops.Windowed, size: tuple[int, ...], target: Part) -> Tensor | None:
    """Return where a window holds no real sample, or None if there is no such place."""
    pads = resolved_padding(op, size)
    along = [*zip(target.box, size, *window_of(op, len(size)), pads, strict=True)]
    if all(_all_read(*x) for x in along):
        return None
    alive = [_counts(*x, include=False) > 0 for x in along]
    if all(x.all() for x in alive):
        return None
    return torch.from_numpy(~_outer(alive, np.logical_and))


def _all_read(span: Span, n: int, kernel: int, stride: int, dilation: int, pads: Span) -> bool:
    """Whether it is plain that each window of a span holds a real sample.

    One without holes does that if it neither ends before the samples nor starts after them.
    """
    start, stop = span
    before, after = pads
    end = n + min(after, 0)
    first, last = start * stride - before, (stop - 1) * stride - before
    return dilation == 1 and first + kernel > 0 and last < end and end > 0


@layer_for(ops.AvgPool)
class AvgPoolModule(WindowModule[ops.AvgPool]):
    """The mean over a window, by PyTorch's rule for what counts in the divisor."""

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op = self.op
        axes, size = len(node.size), sources[0].size
        kernel, stride, _ = window_of(op, axes)
        at_most = [k // 2 for k in kernel]
        if axes == 3:  # PyTorch refuses a map that without its padding is smaller than the window
            at_most = [
                x if k <= n else 0
                for x, k, n in zip(at_most, kernel, sources[0].extent, strict=True)
            ]
        cut, padding = self._fetched(sources[0], target, 0.0, at_most=at_most)
        pool: Callable[..., Tensor] = AVG_POOL[axes]
        counts = _outer(
            [
                _counts(span, n, k, s, 1, pads, include=op.count_include_pad)
                for span, n, k, s, pads in zip(
                    target.box, size, kernel, stride, resolved_padding(op, size), strict=True
                )
            ],
            np.multiply,
        )
        if (counts == prod(kernel)).all():
            return lambda inputs: pool(cut(inputs[0]), kernel, stride, padding)
        factors = torch.from_numpy(prod(kernel) / np.maximum(counts, 1.0) * (counts > 0))
        return lambda inputs: pool(cut(inputs[0]), kernel, stride, padding) * factors.to(inputs[0])


@layer_for(ops.LpPool)
class LpPoolModule(WindowModule[ops.LpPool]):
    """The power average over a window, computed as PyTorch does: through the mean of powers."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op = self.op
        axes, size = len(node.size), sources[0].size
        kernel, stride, _ = window_of(op, axes)
        cut, _ = self._fetched(sources[0], target, 0.0)
        pool: Callable[..., Tensor] = AVG_POOL[axes]
        counts = _outer(
            [
                _counts(span, n, k, s, 1, (0, 0), include=False)
                for span, n, k, s in zip(target.box, size, kernel, stride, strict=True)
            ],
            np.multiply,
        )
        taps, power = prod(kernel), float(op.norm_type)
        # A window that is not complete counts as one full of the samples that it has.
        factors = torch.from_numpy(taps / counts)

        def evaluate(inputs: list[Tensor]) -> Tensor:
            mean = pool(cut(inputs[0]).pow(power), kernel, stride) * factors.to(inputs[0])
            # Unlike a plain root, the gradient is 0 where the sum is 0, and not infinite.
            return (mean.sign() * functional.relu(mean.abs())).mul(taps).pow(1 / power)

        return evaluate


def _counts(
    span: Span, n: int, kernel: int, stride: int, dilation: int, pads: Span, *, include: bool
) -> Any:
    """Return for each output of a span how many samples of its window count."""
    before, after = pads
    starts = np.arange(*span)[:, None] * stride - before
    read = starts + dilation * np.arange(kernel)
    end = n + min(after, 0)
    if include:
        return (read < n + after).sum(axis=1).astype(np.float64)
    return ((read >= 0) & (read < end)).sum(axis=1).astype(np.float64)


def _outer(axes: list[Any], product: Any) -> Any:
    result = axes[0]
    for values in axes[1:]:
        result = product.outer(result, values)
    return result


@layer_for(ops.Custom)
class CustomModule(WindowModule[ops.Custom]):
    """A declared operation: the mean over its window (or the map), for each channel.

    With another number of output channels, each of them gets the mean over all channels.
    """

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op = self.op
        channels, axes = node.channels, len(node.size)
        if op.whole:
            return beside_whole(self, torch.mean, node, sources[0], target)
        cut, padding = self._fetched(sources[0], target, 0.0)
        kernel, stride, dilation = window_of(op, axes)
        conv: Callable[..., Tensor] = CONV[axes]

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = cut(inputs[0])
            weight = x.new_full((x.shape[1], 1, *kernel), 1 / prod(kernel))
            mean = conv(x, weight, None, stride, padding, dilation, x.shape[1])
            return _to_channels(mean, channels)

        return evaluate


def beside_whole(
    layer: WindowModule[ops.Custom],
    gather: Callable[..., Tensor],
    node: Node,
    source: Part,
    target: Part,
) -> Evaluate:
    """Return how a declared operation is computed of which some axes are read whole.

    Parameters
    ----------
    layer
        Its module, which computes the window along the other axes.
    gather
        The mean or the sum over the axes that are read whole.
    node, source, target
        As in `LayerModule.bind`.
    """
    whole = layer.op.is_whole(len(node.size))
    dims = tuple(2 + axis for axis, x in enumerate(whole) if x)
    inner = type(layer)(layer.op.window_beside_whole(source.size), node, ())

    def reduced(part: Part) -> Part:
        size = tuple(1 if x else n for x, n in zip(whole, part.size, strict=True))
        box = tuple((0, 1) if x else span for x, span in zip(whole, part.box, strict=True))
        return Part(size, box)

    window = inner.bind(node, (reduced(source),), reduced(target))
    extent = target.extent
    return lambda inputs: window([gather(inputs[0], dims, keepdim=True)]).expand(-1, -1, *extent)


def _to_channels(x: Tensor, channels: int) -> Tensor:
    if x.shape[1] == channels:
        return x
    return x.mean(1, keepdim=True).expand(-1, channels, *x.shape[2:])
