"""Self-attention: over the whole map, or within the windows of a grid."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic
from rfstudio.core.errors import OpError
from rfstudio.core.ops.operation import Context, Costs, Demands, Mixing, Operation
from rfstudio.core.ops.values import (
    Kind,
    Sizes,
    parameter,
    per_axis,
    size_parameter,
    text_per_axis,
)

_HEADS = "Number of attention heads."


class MultiHead(Operation):
    """Attention with several heads, each of an equal share of the channels."""

    __slots__ = ()

    weighted: ClassVar[bool] = True

    heads: int

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        if channels[0] % self.heads:
            raise OpError(f"{self.heads} heads do not divide {channels[0]} channels")
        return channels[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention(MultiHead, Mixing):
    """Self-attention in which every position of the map is a token."""

    keyword: ClassVar[str] = "attention"
    title: ClassVar[str] = "Self-attention"

    heads: int = parameter(Kind.INTEGER, _HEADS, 8, minimum=1)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        tokens = prod(sizes)
        return Costs(
            4 * channels**2 + 4 * channels,
            4 * tokens * channels**2 + 2 * tokens**2 * channels,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAttention(MultiHead):
    """Self-attention among the positions of one window of a grid of windows."""

    keyword: ClassVar[str] = "window_attention"
    title: ClassVar[str] = "Window attention"
    context: ClassVar[Context] = Context.PATTERN

    window_size: Sizes = size_parameter("Size of a window along each axis.")
    shift: Sizes = parameter(
        Kind.SIZES, "Windows start at multiples of window_size minus shift.", 0, minimum=0
    )
    heads: int = parameter(Kind.INTEGER, _HEADS, 8, minimum=1)

    @classmethod
    def usual(cls) -> Self:
        return cls(window_size=7)

    def text(self, axes: int) -> str:
        return f"{self.keyword} {text_per_axis(self.window_size, axes)}"

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        axes = len(sizes)
        rules: list[AxisRule] = []
        for n, w, shift in zip(
            sizes, per_axis(self.window_size, axes), per_axis(self.shift, axes), strict=True
        ):
            starts = ((i + shift) // w * w - shift for i in range(w))
            rules.append(Periodic(n, n, w, tuple(tuple(range(x, x + w)) for x in starts)))
        return tuple(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        # Each sample of a window reads the whole window.
        return [(0, 8 * w * w) for w in per_axis(self.window_size, len(sizes))]

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        axes = len(sizes)
        windows = per_axis(self.window_size, axes)
        bias = prod(2 * w - 1 for w in windows) * self.heads
        tokens = prod(sizes)
        pairs = prod(
            _pairs_in_windows(n, w, shift)
            for n, w, shift in zip(sizes, windows, per_axis(self.shift, axes), strict=True)
        )
        return Costs(
            4 * channels**2 + 4 * channels + bias,
            4 * tokens * channels**2 + 2 * pairs * channels,
        )


def _pairs_in_windows(size: int, window: int, shift: int) -> int:
    """Return the number of pairs of samples that share a window along one axis."""
    head = min(window - shift % window, size)
    whole, tail = divmod(size - head, window)
    return head**2 + whole * window**2 + tail**2
