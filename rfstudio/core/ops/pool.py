"""Pools: maximum or mean over a window, over windows that are spread, or over the map; and others.

References
----------
.. [1] PyTorch 2 documentation of `torch.nn.LPPool2d`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd, prod
from typing import ClassVar, Self

import numpy as np

from rfstudio.core.axes.axis_rule import (
    AxisRule,
    AxisRules,
    Periodic,
    Taps,
    Whole,
    Window,
    as_mean,
)
from rfstudio.core.axes.rows import Rows
from rfstudio.core.errors import OpError
from rfstudio.core.layer_models import pooled_values
from rfstudio.core.layer_models.layer import Layer, Place, Runs
from rfstudio.core.layer_models.powers import power_average
from rfstudio.core.memo import remembered
from rfstudio.core.ops.operation import (
    Context,
    Demands,
    FollowsSize,
    Free,
    KeepsChannels,
    Operation,
    Patternless,
    ToOne,
    by_position,
)
from rfstudio.core.ops.sliding_window import Windowed, resolved_padding
from rfstudio.core.ops.some_axes import (
    AXES_TEXT,
    axes_of,
    axes_text,
    distinct_axes,
    misfit_of_axes,
    rules_along,
)
from rfstudio.core.ops.values import (
    DILATION_TEXT,
    KERNEL_TEXT,
    PADDING_TEXT,
    SIZE_OF_TEXT,
    STRIDE_TEXT,
    KeptSizes,
    Kind,
    Padding,
    Sizes,
    kept_per_axis,
    parameter,
    per_axis,
    size_parameter,
)

_POOL_STRIDE = STRIDE_TEXT + " Empty: the kernel size."
_CEIL_MODE = "Keep a last window that is not complete."
_KEEP = "Whether the axes keep their size, all of whose samples are then the same."
_OUTPUT_SIZE = "Size of the output map along each axis; null keeps an axis as it is."


class Pool(Free, KeepsChannels):
    """One number of many of the same channel."""

    __slots__ = ()

    weighted: ClassVar[bool] = False
    is_pool: ClassVar[bool] = True


class Maximum(Pool):
    """The largest of many numbers."""

    __slots__ = ()

    keeps_weights: ClassVar[bool] = False
    followed_apart: ClassVar[bool] = True

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return pooled_values.maximum(place, runs)


class Mean(Pool):
    """The mean of many numbers."""

    __slots__ = ()

    keeps_weights: ClassVar[bool] = True

    def fixed_rules(self, rules: AxisRules) -> AxisRules:
        return tuple([as_mean(x) for x in rules])

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return pooled_values.mean(self.fixed_rules(place.rules), place, runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool(Maximum, Windowed):
    """The maximum over a window."""

    keyword: ClassVar[str] = "max_pool"
    title: ClassVar[str] = "Max pooling"

    kernel_size: Sizes = size_parameter(KERNEL_TEXT)
    stride: Sizes | None = size_parameter(_POOL_STRIDE, None)
    padding: Padding = parameter(Kind.PADDING, PADDING_TEXT, 0)
    dilation: Sizes = size_parameter(DILATION_TEXT, 1)
    ceil_mode: bool = parameter(Kind.BOOLEAN, _CEIL_MODE, False)

    @classmethod
    def usual(cls) -> Self:
        return cls(kernel_size=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvgPool(Mean, Windowed):
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

    def fixed_rules(self, rules: AxisRules) -> AxisRules:
        """Return its rules with the divisors of PyTorch, where padding counts or not.

        A window that leaves even the padding counts what is left of it.
        """
        if not self.count_include_pad:
            return super(AvgPool, self).fixed_rules(rules)
        pads = resolved_padding(self, tuple([x.n_in for x in rules]))
        return tuple(
            [
                as_mean(x, (-max(before, 0), x.n_in + after))
                for x, (before, after) in zip(rules, pads, strict=True)
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LpPool(Pool, Windowed):
    """The power average over a window, (Σ x^p)^(1/p), p being `norm_type` [1]_.

    With p = 1 it is the sum.  A window that is not complete counts as if the samples that it lacks
    were like those that it has; where the sum is 0 nothing goes back.  p is finite and at least 1:
    PyTorch takes others, but infinity is the max pool of sizes, and below 1 the slope at 0 is
    infinite.  Values below 0 have a result for p = 1 and for even p, otherwise PyTorch gives NaN;
    that depends on values, so it is no reason to refuse a network.
    """

    keyword: ClassVar[str] = "lp_pool"
    title: ClassVar[str] = "Power-average pooling"
    keeps_weights: ClassVar[bool] = False
    followed_apart: ClassVar[bool] = True

    norm_type: float = parameter(
        Kind.NUMBER,
        "The power p: 1 is the sum, 2 the root of the sum of squares. Values below 0 need 1 or an "
        "even number.",
        minimum=1,
    )
    kernel_size: Sizes = size_parameter(KERNEL_TEXT)
    stride: Sizes | None = size_parameter(_POOL_STRIDE, None)
    ceil_mode: bool = parameter(Kind.BOOLEAN, _CEIL_MODE, False)

    @classmethod
    def usual(cls) -> Self:
        return cls(norm_type=2, kernel_size=2)

    def misfit(self, sizes: tuple[int, ...]) -> str:
        kernel = per_axis(self.kernel_size, len(sizes))
        if len(sizes) == 3 and any(k > n for k, n in zip(kernel, sizes, strict=True)):
            needed, given = ("×".join(map(str, x)) for x in (kernel, sizes))
            return f"a window of {needed} is larger than its input, {given}"
        return ""

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        taps = prod(per_axis(self.kernel_size, len(place.rules)))
        return power_average(self.norm_type, taps, place, runs)


class AdaptivePool(Pool, FollowsSize):
    """A pool over windows that are spread so that the output has a given size."""

    __slots__ = ()

    context: ClassVar[Context] = Context.PATTERN
    alternatives: ClassVar[tuple[frozenset[str], ...]] = (frozenset({"output_size", "size_of"}),)

    output_size: KeptSizes | None
    size_of: str | None

    def _check(self) -> None:
        if (self.output_size is None) == (self.size_of is None):
            raise OpError(
                f"output_size must be {Kind.KEPT_SIZES.value}; or size_of the name of a layer"
            )

    def following(self, sizes: tuple[int, ...], other: tuple[int, ...]) -> Operation:
        changes: dict[str, object] = {"output_size": other, "size_of": None}
        return replace(self, **changes)

    def _outs(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        return sizes if self.output_size is None else kept_per_axis(self.output_size, sizes)

    def text(self, axes: int) -> str:
        size = self.output_size
        if self.size_of:
            return f"{self.keyword} to {self.size_of}"
        sides = size if isinstance(size, tuple) else (size,) * axes
        return f"{self.keyword} to {'×'.join('all' if x is None else str(x) for x in sides)}"

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        rules: list[AxisRule] = []
        kept = self.output_size if isinstance(self.output_size, tuple) else (1,) * len(sizes)
        outs = self._outs(sizes)
        for n, m, wanted in zip(sizes, outs, kept, strict=True):
            if n == 0:
                rules.append(Window(0, 0))
            elif wanted is None:
                rules.append(Window(n, n))
            elif m == 1:  # one cell: a global pooling, whatever the size of the map
                rules.append(Whole(n, 1))
            elif n % m == 0:
                rules.append(Window(n, m, n // m, n // m))
            else:
                rules.append(_cells_of(n, m))
        return tuple(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        outs = self._outs(sizes)
        return [(m, m + n if m and n % m else 0) for n, m in zip(sizes, outs, strict=True)]


@remembered(64)
def _cells_of(n: int, m: int) -> Periodic:
    """Return the rule by which m cells cover n samples: ⌊i·n/m⌋ to before ⌈(i + 1)·n/m⌉."""
    common = gcd(n, m)
    advance, period = n // common, m // common
    edges = np.arange(period + 1) * advance
    firsts, stops = edges[:-1] // period, -(-edges[1:] // period)
    if advance + period < _FEW:
        phases: Sequence[Taps] = tuple(map(tuple, map(range, firsts.tolist(), stops.tolist())))
    else:
        counts = stops - firsts
        phases = Rows(
            counts, np.arange(counts.sum()) + np.repeat(stops - np.cumsum(counts), counts)
        )
    return Periodic(n, m, advance, phases, by_size=True)


_FEW = 64
"""Samples and cells up to which a tuple of what cells read is as quick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveAvgPool(Mean, AdaptivePool):
    """The mean over windows that are spread so that the output has a given size."""

    keyword: ClassVar[str] = "adaptive_avg_pool"
    title: ClassVar[str] = "Adaptive average pooling"

    output_size: KeptSizes | None = parameter(Kind.KEPT_SIZES, _OUTPUT_SIZE, None, minimum=1)
    size_of: str | None = parameter(Kind.LAYER, SIZE_OF_TEXT, None)

    @classmethod
    def usual(cls) -> Self:
        return cls(output_size=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveMaxPool(Maximum, AdaptivePool):
    """The maximum over windows that are spread so that the output has a given size."""

    keyword: ClassVar[str] = "adaptive_max_pool"
    title: ClassVar[str] = "Adaptive max pooling"

    output_size: KeptSizes | None = parameter(Kind.KEPT_SIZES, _OUTPUT_SIZE, None, minimum=1)
    size_of: str | None = parameter(Kind.LAYER, SIZE_OF_TEXT, None)

    @classmethod
    def usual(cls) -> Self:
        return cls(output_size=7)


@dataclass(frozen=True, slots=True)
class GlobalAvgPool(Mean, ToOne):
    """The mean over the whole map."""

    keyword: ClassVar[str] = "global_avg_pool"
    title: ClassVar[str] = "Global average pooling"


@dataclass(frozen=True, slots=True)
class GlobalMaxPool(Maximum, ToOne):
    """The maximum over the whole map."""

    keyword: ClassVar[str] = "global_max_pool"
    title: ClassVar[str] = "Global max pooling"


class AxisPool(Pool, Patternless):
    """One number of all samples along some axes, for each position along the others.

    Attributes
    ----------
    axes
        The axes, rising.
    keep
        Whether every sample along these axes gets that number; otherwise one is left.
    """

    __slots__ = ()

    context: ClassVar[Context] = Context.WHOLE

    axes: tuple[int, ...]
    keep: bool

    def _check(self) -> None:
        object.__setattr__(self, "axes", distinct_axes(self.axes))

    def text(self, axes: int) -> str:
        return f"{self.keyword} {axes_text(self.axes)}{' kept' if self.keep else ''}"

    def along(self, axes: int) -> tuple[int, ...]:
        """Return its axes that are there, of so many."""
        return axes_of(self.axes, axes)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        along = self.along(len(sizes))
        return rules_along(sizes, along, lambda n: Whole(n, n if self.keep else min(n, 1)))

    def local_rules(self, rules: AxisRules) -> AxisRules:
        return by_position(rules) if self.keep else rules

    def misfit(self, sizes: tuple[int, ...]) -> str:
        return misfit_of_axes(self.axes, len(sizes))


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisMean(Mean, AxisPool):
    """The mean over some axes."""

    keyword: ClassVar[str] = "axis_mean"
    title: ClassVar[str] = "Mean over axes"

    axes: tuple[int, ...] = parameter(Kind.INTEGERS, AXES_TEXT, minimum=0)
    keep: bool = parameter(Kind.BOOLEAN, _KEEP, False)

    @classmethod
    def usual(cls) -> Self:
        return cls(axes=(0,))


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisMax(Maximum, AxisPool):
    """The maximum over some axes."""

    keyword: ClassVar[str] = "axis_max"
    title: ClassVar[str] = "Maximum over axes"

    axes: tuple[int, ...] = parameter(Kind.INTEGERS, AXES_TEXT, minimum=0)
    keep: bool = parameter(Kind.BOOLEAN, _KEEP, False)

    @classmethod
    def usual(cls) -> Self:
        return cls(axes=(0,))
