"""Convolutions: plain and transposed."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic, Taps, Window
from rfstudio.core.errors import OpError
from rfstudio.core.initialisations import Fans, fans_of_kernel
from rfstudio.core.layer_models.autocorrelation import compressed, strided
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import random_sums
from rfstudio.core.layer_models.pooled_values import (
    more_than_shares,
    profile_after,
    profile_of_unequal_taps,
    shares_of_unequal_taps,
    shares_on_map,
    strides,
)
from rfstudio.core.memo import remembered
from rfstudio.core.ops.border import PAD_MODES, misfit_of_mode
from rfstudio.core.ops.operation import Context, Costs, Demands
from rfstudio.core.ops.sliding_window import Sliding, Windowed, resolved_padding, window_rules
from rfstudio.core.ops.values import (
    BIAS_TEXT,
    DILATION_TEXT,
    GROUPS_TEXT,
    KERNEL_TEXT,
    OUT_CHANNELS_TEXT,
    PADDING_TEXT,
    STRIDE_TEXT,
    Groups,
    Kind,
    Padding,
    Sizes,
    padding_per_axis,
    parameter,
    per_axis,
    size_parameter,
)


class Convolution(Sliding):
    """An operation with a learned kernel for each pair of channels of a group."""

    __slots__ = ()

    weighted: ClassVar[bool] = True
    keeps_weights: ClassVar[bool] = False

    groups: Groups
    out_channels: int | None
    bias: bool

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        out = channels[0] if self.out_channels is None else self.out_channels
        groups = group_count(self, channels[0])
        if channels[0] % groups or out % groups:
            raise OpError(
                f"{groups} groups do not divide {channels[0]} input channels "
                f"and {out} output channels"
            )
        return out

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return self._costs_at(channels, out_channels, out_sizes)

    def _costs_at(self, channels: int, out_channels: int, placements: tuple[int, ...]) -> Costs:
        """Return the costs of a kernel that is applied at so many places along each axis."""
        taps = prod(per_axis(self.kernel_size, len(placements)))
        weights = channels * out_channels // group_count(self, channels) * taps
        bias = out_channels if self.bias else 0
        return Costs(weights + bias, weights * prod(placements))

    def _window_words(self, axes: int) -> list[str]:
        words = super()._window_words(axes)
        return [*words, "depthwise"] if self.groups == "depthwise" else words


def group_count(op: Convolution, channels: int) -> int:
    """Return the number of groups, resolving `depthwise` for that many input channels."""
    # An empty map that is flattened has no channels; that is a fault of its own.
    return max(1, channels) if op.groups == "depthwise" else op.groups


class WindowConvolution(Convolution, Windowed):
    """A convolution over windows of the map that it reads."""

    __slots__ = ()

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return the layer of a convolution with weights of mean square a/(C_in · taps), of (I1).

        (E14) M_in = a C_out/(C_in · taps) · Tᵀ M, T the window of ones, or of (I2) where taps
        differ; s → a f̄ s, k → a f₂ k (E13).  He's weights have a = 2.
        """
        rules = place.rules
        channels = max(place.channels_in, 1)
        kernel = per_axis(self.kernel_size, len(rules))
        groups = group_count(self, channels)
        amount = place.init.squares(fans_of_kernel(place.channels, channels // groups, kernel))
        factor = amount * place.channels / (channels * prod(kernel))
        if place.channels % channels == 0 and groups == channels:
            times = place.channels // channels  # of a depthwise one, channels stay separate
        else:
            runs, times = ((1, average(runs)),), place.channels
        taps = place.init.taps(kernel)
        square, shared, profile = shares_on_map(rules)
        before = runs[0][1].profile if len(runs) == 1 else None
        if before is not None and before.size != place.size_in:
            before = None
        more = 1.0
        if taps is not None and not _reads_samples_as_padding(rules):
            square, shared = shares_of_unequal_taps(rules, taps)
            profile, more = profile_of_unequal_taps(rules, taps, before)
        elif before is not None:
            profile = profile_after(rules, before)
            more = more_than_shares(rules, before)
        square, shared = square * more, shared * more
        out = [
            (n * times, random_sums(x, amount * square, amount * shared)._replace(profile=profile))
            for n, x in runs
        ]
        backward = spreading(rules, factor, correlation=strided(strides(rules)))
        if taps is None:
            return Layer(backward, tuple(out))
        if _reads_samples_as_padding(rules):
            remark = (
                "beside a padding of samples all taps of a kernel are taken to be equally large"
            )
            return Layer(backward, tuple(out), remark)
        return Layer(backward._replace(taps=taps), tuple(out))


def _reads_samples_as_padding(rules: AxisRules) -> bool:
    return any(isinstance(x, Window) and x.mode != "zeros" for x in rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv(WindowConvolution):
    """A convolution."""

    keyword: ClassVar[str] = "conv"
    title: ClassVar[str] = "Convolution"

    kernel_size: Sizes = size_parameter(KERNEL_TEXT)
    stride: Sizes = size_parameter(STRIDE_TEXT, 1)
    padding: Padding = parameter(Kind.PADDING, PADDING_TEXT, 0)
    dilation: Sizes = size_parameter(DILATION_TEXT, 1)
    groups: Groups = parameter(Kind.GROUPS, GROUPS_TEXT, 1, minimum=1)
    out_channels: int | None = parameter(Kind.INTEGER, OUT_CHANNELS_TEXT, None, minimum=1)
    bias: bool = parameter(Kind.BOOLEAN, BIAS_TEXT, True)
    padding_mode: str = parameter(
        Kind.CHOICE, "What the padding holds.", "zeros", choices=PAD_MODES
    )

    @classmethod
    def usual(cls) -> Self:
        return cls(kernel_size=3, padding=1)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        rules = window_rules(self, sizes)
        if self.padding_mode == "zeros":
            return rules
        return tuple([x._replace(mode=self.padding_mode) for x in rules])

    def misfit(self, sizes: tuple[int, ...]) -> str:
        return misfit_of_mode(self.padding_mode, resolved_padding(self, sizes), sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvTranspose(Convolution):
    """A transposed convolution: the adjoint of a convolution's positions."""

    keyword: ClassVar[str] = "conv_transpose"
    title: ClassVar[str] = "Transposed convolution"
    context: ClassVar[Context] = Context.PATTERN

    kernel_size: Sizes = size_parameter(KERNEL_TEXT)
    stride: Sizes = size_parameter(
        "Distance in the output between two neighbouring input samples.", 1
    )
    padding: Padding = parameter(
        Kind.PADDING,
        "Samples cut from the start and the end of the output; same: so many that it has stride "
        "times the size.",
        0,
    )
    output_padding: Sizes = parameter(
        Kind.SIZES, "Samples added to the end of the output.", 0, minimum=0
    )
    dilation: Sizes = size_parameter(DILATION_TEXT, 1)
    groups: Groups = parameter(Kind.GROUPS, GROUPS_TEXT, 1, minimum=1)
    out_channels: int | None = parameter(Kind.INTEGER, OUT_CHANNELS_TEXT, None, minimum=1)
    bias: bool = parameter(Kind.BOOLEAN, BIAS_TEXT, True)

    def _check(self) -> None:
        if isinstance(self.padding, str) and self.output_padding != 0:
            raise OpError(f"output_padding has no meaning with padding {self.padding}")

    @classmethod
    def usual(cls) -> Self:
        return cls(kernel_size=2, stride=2)

    def pads(self, axes: int) -> tuple[tuple[int, int], ...]:
        """Return what is cut off the output as (before, after) per axis."""
        if not isinstance(self.padding, str):
            return padding_per_axis(self.padding, axes)
        pairs = []
        for k, s, d in zip(
            per_axis(self.kernel_size, axes),
            per_axis(self.stride, axes),
            per_axis(self.dilation, axes),
            strict=True,
        ):
            # As the convolution whose adjoint it is; an odd sample is cut at the end.
            total = d * (k - 1) + 1 - s
            less = max(total, 0) // 2
            first = less if self.padding == "same" or total < 0 else total - less
            pairs.append((first, total - first))
        return tuple(pairs)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        axes = len(sizes)
        rules: list[AxisRule] = []
        for n, k, s, d, extra, (before, after) in zip(
            sizes,
            per_axis(self.kernel_size, axes),
            per_axis(self.stride, axes),
            per_axis(self.dilation, axes),
            per_axis(self.output_padding, axes),
            self.pads(axes),
            strict=True,
        ):
            out = max((n - 1) * s - before - after + d * (k - 1) + extra + 1, 0) if n > 0 else 0
            rules.append(Periodic(n, out, 1, phases_of_transposed(k, s, d, before)))
        return tuple(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        axes = len(sizes)
        kernels, strides = per_axis(self.kernel_size, axes), per_axis(self.stride, axes)
        return [(n * s + k, k * s) for n, k, s in zip(sizes, kernels, strides, strict=True)]

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        # Each input sample is multiplied by the whole kernel.
        return self._costs_at(channels, out_channels, sizes)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return the layer of a transposed convolution.

        (E15) With variance v of the weights, by the fan-in of an output: M_in = v C_out/groups ·
        Tᵀ M, s → v C_in/groups · (mean taps of an output) · s, k → that of s over Π strides, since
        distant values have a weight in common where both are of one phase of the stride.
        """
        axes = len(place.rules)
        groups = group_count(self, place.channels_in)
        apart = per_axis(self.stride, axes)
        taps = prod(per_axis(self.kernel_size, axes)) / prod(apart)
        read = max(round(place.channels_in // groups * taps), 1)
        made = place.channels // groups
        variance = place.init.squares(self.fans(place.channels_in, made, read, axes)) / read
        pairs = prod([x.mean_reads for x in place.rules if isinstance(x, Periodic) and x.n_out])
        gain = variance * place.channels_in / groups * pairs
        out = random_sums(average(runs), gain, gain / prod(apart))
        factor = variance * place.channels / groups
        backward = spreading(place.rules, factor, correlation=compressed(apart))
        return Layer(backward, ((place.channels, out),))

    def fans(self, channels: int, outputs: int, read: int, axes: int) -> Fans:
        """Return the form of its weights, whose taps are all drawn in one way.

        Parameters
        ----------
        channels, outputs
            Channels that it reads, and those that each of them adds to.
        read
            Weighted inputs of an output.
        axes
            Number of axes.
        """
        columns = outputs * prod(per_axis(self.kernel_size, axes))
        return Fans(read, columns, channels, columns)


@remembered(4096)
def phases_of_transposed(kernel: int, stride: int, dilation: int, before: int) -> tuple[Taps, ...]:
    """For each phase the j with j·stride − before + dilation·t = phase."""
    phases: list[list[int]] = [[] for _ in range(stride)]
    for t in reversed(range(kernel)):  # the last tap reads the first input
        place = dilation * t - before
        phases[place % stride].append(-(place // stride))
    return tuple(map(tuple, phases))
