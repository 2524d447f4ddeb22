"""Interpolation, adaptive pools, pixel shuffles, padding and cropping.

References
----------
.. [1] PyTorch 2, `torch.nn.functional.interpolate`: source index and weights of every mode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from math import ceil, floor
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import source_of_padding
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import scale_per_axis
from rfstudio.engine.module.boxes import Part, Span, fetch
from rfstudio.engine.module.layers.base import (
    ADAPTIVE_AVG_POOL,
    ADAPTIVE_MAX_POOL,
    Evaluate,
    LayerModule,
)
from rfstudio.engine.module.layers.module_table import layer_for

WeightedTaps: TypeAlias = tuple[tuple[int, float], ...]
"""What one output reads along an axis: input index and weight."""

OnAxis: TypeAlias = Callable[[Tensor], Tensor]


def _combined(dim: int, table: Sequence[WeightedTaps], start: int) -> OnAxis:
    """Return the function that computes each output of `table` along one axis of a tensor."""
    width = max(len(taps) for taps in table)
    padded = [[*taps, *[(taps[0][0], 0.0)] * (width - len(taps))] for taps in table]
    columns = [
        (
            torch.tensor([taps[t][0] - start for taps in padded]),
            torch.tensor([taps[t][1] for taps in padded], dtype=torch.float64),
        )
        for t in range(width)
    ]
    if width == 1 and bool((columns[0][1] == 1).all()):
        index = columns[0][0]
        return lambda x: x.index_select(dim, index.to(x.device))

    def on_axis(x: Tensor) -> Tensor:
        shape = [1] * x.dim()
        shape[dim] = -1
        terms = [
            x.index_select(dim, index.to(x.device)) * weight.to(x).view(shape)
            for index, weight in columns
        ]
        return sum(terms[1:], terms[0])

    return on_axis


def _chained(steps: Sequence[OnAxis]) -> Evaluate:
    def evaluate(inputs: list[Tensor]) -> Tensor:
        x = inputs[0]
        for step in steps:
            x = step(x)
        return x

    return evaluate


@lru_cache(maxsize=256)
def interpolation(
    n: int, m: int, ratio: Fraction, mode: str, *, align_corners: bool
) -> tuple[WeightedTaps, ...]:
    """Return what each of `m` outputs reads of `n` inputs, by the formulas of [1]_.

    Parameters
    ----------
    n, m
        Number of input and output samples.
    ratio
        Input samples per output sample.
    mode
        A mode of `upsample`; the dimension in its name is ignored.
    align_corners
        Whether the corner samples of both maps coincide.
    """
    if align_corners:
        ratio = Fraction(n - 1, m - 1) if m > 1 else Fraction(0)
    if mode != "bicubic" and n == m:
        return _copy(m)
    if mode == "nearest":
        return tuple(((min(floor(i * ratio), n - 1), 1.0),) for i in range(m))
    half = Fraction(0) if align_corners else Fraction(1, 2)
    table = []
    for i in range(m):
        source = (i + half) * ratio - half
        if mode != "bicubic":
            source = max(source, Fraction(0))
        first = floor(source)
        weights = _cubic(source - first) if mode == "bicubic" else _linear(source - first)
        taps: dict[int, float] = {}
        for shift, weight in weights:
            index = min(max(first + shift, 0), n - 1)
            taps[index] = taps.get(index, 0.0) + weight
        table.append(tuple(taps.items()))
    return tuple(table)


def _linear(t: Fraction) -> list[tuple[int, float]]:
    return [(0, 1.0)] if t == 0 else [(0, float(1 - t)), (1, float(t))]


def _cubic(t: Fraction) -> list[tuple[int, float]]:
    """Return the weights of the cubic convolution kernel with a = −3/4, as PyTorch has it."""
    if t == 0:
        return [(0, 1.0)]
    a = -0.75

    def near(x: float) -> float:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: float) -> float:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    x = float(t)
    return [(-1, far(x + 1)), (0, near(x)), (1, near(1 - x)), (2, far(2 - x))]


@layer_for(ops.Upsample)
class UpsampleModule(LayerModule[ops.Upsample]):
    """Interpolation along each axis in turn."""

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        steps = []
        for axis, table in enumerate(self._tables(source.size, node.size)):
            start, stop = target.box[axis]
            if (table, target.box[axis]) == (_copy(len(table)), source.box[axis]):
                continue
            steps.append(_combined(2 + axis, table[start:stop], source.box[axis][0]))
        return _chained(steps)

    def _tables(
        self, size: tuple[int, ...], out: tuple[int, ...]
    ) -> list[tuple[WeightedTaps, ...]]:
        op = self.op
        if size == out:
            return [_copy(m) for m in out]
        if op.size is not None:
            ratios = [Fraction(n, m) for n, m in zip(size, out, strict=True)]
        else:
            assert op.scale_factor is not None
            ratios = [1 / x for x in scale_per_axis(op.scale_factor, len(size))]
        return [
            interpolation(n, m, ratio, op.mode, align_corners=op.align_corners)
            for n, m, ratio in zip(size, out, ratios, strict=True)
        ]


def _copy(n: int) -> tuple[WeightedTaps, ...]:
    return tuple(((i, 1.0),) for i in range(n))


@layer_for(ops.Pad)
class PadModule(LayerModule[ops.Pad]):
    """Padding as a layer: zeros, or real samples read again."""

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op = self.op
        (source,) = sources
        befores = [getattr(rule, "before", 0) for rule in node.rules]
        bounds = tuple(
            (start - before, stop - before)
            for (start, stop), before in zip(target.box, befores, strict=True)
        )
        if op.mode == "zeros":
            cut = fetch(source, bounds)
            return lambda inputs: cut(inputs[0])
        steps = []
        for axis, (low, high) in enumerate(bounds):
            indices = [source_of_padding(i, source.size[axis], op.mode) for i in range(low, high)]
            table = [((i, 1.0),) for i in indices if i is not None]
            steps.append(_combined(2 + axis, table, source.box[axis][0]))
        return _chained(steps)


@layer_for(ops.Crop)
class CropModule(LayerModule[ops.Crop]):
    """Cuts a part out of the map."""

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        befores = [getattr(rule, "before", 0) for rule in node.rules]
        bounds = tuple(
            (start - before, stop - before)
            for (start, stop), before in zip(target.box, befores, strict=True)
        )
        cut = fetch(sources[0], bounds)
        return lambda inputs: cut(inputs[0])


@layer_for(ops.Inset)
class InsetModule(LayerModule[ops.Inset]):
    """The map with zeros around it."""

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        bounds = tuple(
            (start - before, stop - before)
            for (start, stop), (before, _) in zip(
                target.box, self.op.pads(len(node.size)), strict=True
            )
        )
        cut = fetch(sources[0], bounds)
        return lambda inputs: cut(inputs[0])


@layer_for(ops.Broadcast)
class BroadcastModule(LayerModule[ops.Broadcast]):
    """The one sample of an axis, and the one channel, as often as they are wanted."""

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        kept = zip(source.size, node.size, target.box, source.box, strict=True)
        cut = fetch(source, tuple(box if n == m else one for n, m, box, one in kept))
        shape = (node.channels, *target.extent)
        return lambda inputs: cut(inputs[0]).expand(-1, *shape)


def adaptive_windows(n: int, m: int, span: Span) -> list[Span]:
    """Return what the outputs of a span read when `n` samples are pooled to `m`."""
    return [(floor(Fraction(i * n, m)), ceil(Fraction((i + 1) * n, m))) for i in range(*span)]


AdaptiveT_co = TypeVar("AdaptiveT_co", bound=ops.AdaptivePool, covariant=True)


class AdaptivePoolModule(LayerModule[AdaptiveT_co]):
    """One number of each of the windows that are spread over the map."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        if source.is_whole and target.is_whole:
            pool, size = self.pool(len(node.size)), node.size
            return lambda inputs: pool(inputs[0], size)
        return _chained(
            [
                self.on_axis(2 + axis, adaptive_windows(n, m, span), start)
                for axis, (n, m, span, (start, _)) in enumerate(
                    zip(source.size, node.size, target.box, source.box, strict=True)
                )
            ]
        )

    def pool(self, axes: int) -> Callable[..., Tensor]:
        """Return the function that pools a whole map."""
        raise NotImplementedError

    def on_axis(self, dim: int, windows: list[Span], start: int) -> OnAxis:
        """Return the function that pools along one axis of a tensor."""
        raise NotImplementedError


@layer_for(ops.AdaptiveAvgPool)
class AdaptiveAvgPoolModule(AdaptivePoolModule[ops.AdaptiveAvgPool]):
    """The mean over windows that are spread over the map."""

    keeps = "nothing"

    def pool(self, axes: int) -> Callable[..., Tensor]:  # noqa: D102
        return ADAPTIVE_AVG_POOL[axes]

    def on_axis(self, dim: int, windows: list[Span], start: int) -> OnAxis:  # noqa: D102
        means = [tuple((i, 1 / (b - a)) for i in range(a, b)) for a, b in windows]
        return _combined(dim, means, start)


@layer_for(ops.AdaptiveMaxPool)
class AdaptiveMaxPoolModule(AdaptivePoolModule[ops.AdaptiveMaxPool]):
    """The maximum over windows that are spread over the map."""

    def pool(self, axes: int) -> Callable[..., Tensor]:  # noqa: D102
        return ADAPTIVE_MAX_POOL[axes]

    def on_axis(self, dim: int, windows: list[Span], start: int) -> OnAxis:  # noqa: D102
        # Not amax: the gradient must go to one sample, as in PyTorch's pools.
        return lambda x: torch.stack(
            [x.narrow(dim, a - start, b - a).max(dim).values for a, b in windows], dim
        )


@layer_for(ops.PixelShuffle)
class PixelShuffleModule(LayerModule[ops.PixelShuffle]):
    """Moves channels to positions, in any number of axes."""

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op = self.op
        r, axes = op.upscale_factor, len(node.size)
        read = tuple((start // r, (stop - 1) // r + 1) for start, stop in target.box)
        spread = Part(node.size, tuple((start * r, stop * r) for start, stop in read))
        cut_input, cut_output = fetch(sources[0], read), fetch(spread, target.box)
        # (C, r, r, h, w) becomes (C, h, r, w, r).
        order = [0, 1, *chain.from_iterable((2 + axes + i, 2 + i) for i in range(axes))]

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = cut_input(inputs[0])
            blocks = x.reshape(x.shape[0], -1, *(r,) * axes, *x.shape[2:]).permute(order)
            return cut_output(blocks.reshape(x.shape[0], -1, *spread.extent))

        return evaluate


@layer_for(ops.PixelUnshuffle)
class PixelUnshuffleModule(LayerModule[ops.PixelUnshuffle]):
    """Moves positions to channels, in any number of axes."""

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op = self.op
        r, axes = op.downscale_factor, len(node.size)
        cut = fetch(sources[0], tuple((start * r, stop * r) for start, stop in target.box))
        shape = list(chain.from_iterable((n, r) for n in target.extent))
        # (C, h, r, w, r) becomes (C, r, r, h, w).
        order = [0, 1, *(3 + 2 * i for i in range(axes)), *(2 + 2 * i for i in range(axes))]

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = cut(inputs[0])
            blocks = x.reshape(x.shape[0], x.shape[1], *shape).permute(order)
            return blocks.reshape(x.shape[0], -1, *target.extent)

        return evaluate
