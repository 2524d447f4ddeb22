"""Pools: the maximum or the mean over a window, over windows that are spread, or over the map."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic, Window
from rfstudio.core.ops.operation import Context, Demands, Free, KeepsChannels, ToOne
from rfstudio.core.ops.values import (
    DILATION_TEXT,
    KERNEL_TEXT,
    PADDING_TEXT,
    STRIDE_TEXT,
    Kind,
    Padding,
    Sizes,
    parameter,
    per_axis,
    size_parameter,
    text_per_axis,
)
from rfstudio.core.ops.window import Windowed

_POOL_STRIDE = STRIDE_TEXT + " Empty: the kernel size."
_CEIL_MODE = "Keep a last window that is not complete."
_OUTPUT_SIZE = "Size of the output map along each axis."


class Pool(Free, KeepsChannels):
    """One number of many of the same channel."""

    __slots__ = ()

    weighted: ClassVar[bool] = False
    is_pool: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool(Pool, Windowed):
    """The maximum over a window."""

    keyword: ClassVar[str] = "max_pool"
    title: ClassVar[str] = "Max pooling"
    followed_apart: ClassVar[bool] = True

    kernel_size: Sizes = size_parameter(KERNEL_TEXT)
    stride: Sizes | None = size_parameter(_POOL_STRIDE, None)
    padding: Padding = parameter(Kind.PADDING, PADDING_TEXT, 0)
    dilation: Sizes = size_parameter(DILATION_TEXT, 1)
    ceil_mode: bool = parameter(Kind.BOOLEAN, _CEIL_MODE, False)

    @classmethod
    def usual(cls) -> Self:
        return cls(kernel_size=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvgPool(Pool, Windowed):
    """The mean over a window."""

    keyword: ClassVar[str] = "avg_pool"
    title: ClassVar[str] = "Average pooling"

    kernel_size: Sizes = size_parameter(KERNEL_TEXT)
    stride: Sizes | None = size_parameter(_POOL_STRIDE, None)
    padding: Padding = parameter(Kind.PADDING, PADDING_TEXT, 0)
    ceil_mode: bool = parameter(Kind.BOOLEAN, _CEIL_MODE, False)
    count_include_pad: bool = parameter(
        Kind.BOOLEAN, "Whether padding counts in the divisor of the mean.", True
    )

    @classmethod
    def usual(cls) -> Self:
        return cls(kernel_size=2)


class AdaptivePool(Pool):
    """A pool over windows that are spread so that the output has a given size."""

    __slots__ = ()

    context: ClassVar[Context] = Context.PATTERN

    output_size: Sizes

    def text(self, axes: int) -> str:
        return f"{self.keyword} to {text_per_axis(self.output_size, axes)}"

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        rules: list[AxisRule] = []
        for n, m in zip(sizes, per_axis(self.output_size, len(sizes)), strict=True):
            if n == 0:
                rules.append(Window(0, 0))
            elif n % m == 0:
                rules.append(Window(n, m, n // m, n // m))
            else:
                ratio = Fraction(n, m)
                phases = tuple(
                    tuple(range(floor(i * ratio), ceil((i + 1) * ratio)))
                    for i in range(ratio.denominator)
                )
                rules.append(Periodic(n, m, ratio.numerator, phases, by_size=True))
        return tuple(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        outs = per_axis(self.output_size, len(sizes))
        return [(m, m + n if n % m else 0) for n, m in zip(sizes, outs, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveAvgPool(AdaptivePool):
    """The mean over windows that are spread so that the output has a given size."""

    keyword: ClassVar[str] = "adaptive_avg_pool"
    title: ClassVar[str] = "Adaptive average pooling"

    output_size: Sizes = size_parameter(_OUTPUT_SIZE)

    @classmethod
    def usual(cls) -> Self:
        return cls(output_size=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveMaxPool(AdaptivePool):
    """The maximum over windows that are spread so that the output has a given size."""

    keyword: ClassVar[str] = "adaptive_max_pool"
    title: ClassVar[str] = "Adaptive max pooling"
    followed_apart: ClassVar[bool] = True

    output_size: Sizes = size_parameter(_OUTPUT_SIZE)

    @classmethod
    def usual(cls) -> Self:
        return cls(output_size=7)


@dataclass(frozen=True, slots=True)
class GlobalAvgPool(Pool, ToOne):
    """The mean over the whole map."""

    keyword: ClassVar[str] = "global_avg_pool"
    title: ClassVar[str] = "Global average pooling"


@dataclass(frozen=True, slots=True)
class GlobalMaxPool(Pool, ToOne):
    """The maximum over the whole map."""

    keyword: ClassVar[str] = "global_max_pool"
    title: ClassVar[str] = "Global max pooling"
    followed_apart: ClassVar[bool] = True
