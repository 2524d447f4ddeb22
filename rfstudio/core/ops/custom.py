"""An operation that the program does not know, declared by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRules, Whole
from rfstudio.core.layer_models.layer import Layer, Place, Runs
from rfstudio.core.layer_models.pooled_values import mean_of_channels
from rfstudio.core.ops.operation import Costs, by_position
from rfstudio.core.ops.sliding_window import Windowed, resolved_padding, window_of, window_rules
from rfstudio.core.ops.values import (
    DILATION_TEXT,
    KERNEL_TEXT,
    OUT_CHANNELS_TEXT,
    PADDING_TEXT,
    STRIDE_TEXT,
    Flags,
    Kind,
    Padding,
    Sizes,
    flags_per_axis,
    parameter,
    per_axis,
    size_parameter,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom(Windowed):
    """An operation that the program does not know, declared by hand."""

    keyword: ClassVar[str] = "custom"
    title: ClassVar[str] = "Custom"
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

    label: str = parameter(Kind.TEXT, "What the operation is called.", "")
    whole: Flags = parameter(
        Kind.FLAGS,
        "Whether each output reads the whole input map, or all of an axis (`global` in files); "
        "kernel, stride and padding then only give the size of the output.",
        False,
        word="global",
    )
    kernel_size: Sizes = size_parameter(KERNEL_TEXT, 1)
    stride: Sizes = size_parameter(STRIDE_TEXT, 1)
    padding: Padding = parameter(Kind.PADDING, PADDING_TEXT, 0)
    dilation: Sizes = size_parameter(DILATION_TEXT, 1)
    out_channels: int | None = parameter(Kind.INTEGER, OUT_CHANNELS_TEXT, None, minimum=1)
    parameters: int = parameter(
        Kind.INTEGER, "Number of learned parameters, for the counts.", 0, minimum=0
    )

    @classmethod
    def usual(cls) -> Self:
        return cls(label="custom")

    def text(self, axes: int) -> str:
        words = [] if self.whole is True else self._window_words(axes)
        return " ".join([self.label or self.keyword, *words])

    def is_whole(self, axes: int) -> tuple[bool, ...]:
        """Return for each axis whether an output reads all of it."""
        return flags_per_axis(self.whole, axes)

    def window_beside_whole(self, sizes: tuple[int, ...]) -> Custom:
        """Return its window where the axes that are read whole have one sample."""
        axes = len(sizes)
        whole = self.is_whole(axes)
        pads = zip(whole, resolved_padding(self, sizes), strict=True)
        kernel, stride, dilation = (
            tuple([1 if x else n for x, n in zip(whole, values, strict=True)])
            for values in window_of(self, axes)
        )
        return replace(
            self,
            whole=False,
            kernel_size=kernel,
            stride=stride,
            dilation=dilation,
            padding=tuple([(0, 0) if x else pair for x, pair in pads]),
        )

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        plain = window_rules(self, sizes)
        return tuple(
            Whole(x.n_in, x.n_out) if whole else x
            for x, whole in zip(plain, self.is_whole(len(sizes)), strict=True)
        )

    def local_rules(self, rules: AxisRules) -> AxisRules:
        return by_position(rules)

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return channels[0] if self.out_channels is None else self.out_channels

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(self.parameters, 0)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        axes = len(place.rules)
        kernels = per_axis(self.kernel_size, axes)
        read = zip(self.is_whole(axes), place.size_in, kernels, strict=True)
        taps = prod([n if whole else k for whole, n, k in read])
        remark = "a custom operation is modelled as the mean over its window"
        return mean_of_channels(taps, place, runs)._replace(remark=remark)
