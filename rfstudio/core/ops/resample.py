"""Resampling: interpolation, and pixel shuffles between channels and positions.

References
----------
.. [1] PyTorch 2 documentation of `torch.nn.functional.interpolate`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor, prod
from typing import ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic, Window
from rfstudio.core.axes.interpolation import interpolated_period
from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.autocorrelation import compressed, strided, weighted
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import averaged
from rfstudio.core.layer_models.pooled_values import strides
from rfstudio.core.memo import remembered
from rfstudio.core.ops.operation import (
    Context,
    Demands,
    FollowsSize,
    Free,
    KeepsChannels,
    Patternless,
)
from rfstudio.core.ops.values import (
    SIZE_OF_TEXT,
    Kind,
    Scales,
    Sizes,
    parameter,
    per_axis,
    scale_per_axis,
    size_parameter,
    text_per_axis,
)
from rfstudio.core.plural import counted

UPSAMPLE_MODES = ("nearest", "linear", "bilinear", "trilinear", "bicubic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsample(Free, KeepsChannels, FollowsSize):
    """Interpolation to a larger or smaller map, as `torch.nn.functional.interpolate`."""

    keyword: ClassVar[str] = "upsample"
    title: ClassVar[str] = "Upsampling"
    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = True
    alternatives: ClassVar[tuple[frozenset[str], ...]] = (
        frozenset({"scale_factor", "size", "size_of"}),
    )

    scale_factor: Scales | None = parameter(
        Kind.SCALES, "Output size over input size; this or size.", None
    )
    size: Sizes | None = size_parameter(
        "Size of the output map along each axis; this or scale_factor.", None
    )
    size_of: str | None = parameter(Kind.LAYER, SIZE_OF_TEXT, None)
    mode: str = parameter(
        Kind.CHOICE, "How values between the samples are found.", "nearest", choices=UPSAMPLE_MODES
    )
    align_corners: bool = parameter(
        Kind.BOOLEAN, "Whether the corner samples of both maps coincide.", False
    )

    def _check(self) -> None:
        if [self.scale_factor, self.size, self.size_of].count(None) != 2:
            raise OpError("upsample needs either scale_factor or size or size_of")
        if self.align_corners and self.mode == "nearest":
            raise OpError("align_corners has no meaning with mode nearest")

    @classmethod
    def usual(cls) -> Self:
        return cls(scale_factor=2)

    def text(self, axes: int) -> str:
        if self.scale_factor:
            return f"{self.keyword} ×{text_per_axis(self.scale_factor)}"
        if self.size_of:
            return f"{self.keyword} to {self.size_of}"
        return f"{self.keyword} to {text_per_axis(self.size)}"

    def following(self, sizes: tuple[int, ...], other: tuple[int, ...]) -> Upsample:
        return replace(self, size=other, size_of=None)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        outs, ratios = self._outs_and_ratios(sizes)
        # PyTorch copies an axis that keeps its size, whatever the factor; bicubic if all axes do.
        copies = self.mode != "bicubic" or sizes == outs
        return tuple(
            Window(n, m)
            if copies and n == m
            else _interpolated(n, m, ratio, self.mode, align_corners=self.align_corners)
            for n, m, ratio in zip(sizes, outs, ratios, strict=True)
        )

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        outs, ratios = self._outs_and_ratios(sizes)
        return [
            (m, _read_ratio(n, m, ratio, align_corners=self.align_corners).denominator)
            for n, m, ratio in zip(sizes, outs, ratios, strict=True)
        ]

    def _outs_and_ratios(
        self, sizes: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[Fraction, ...]]:
        """Return for each axis the size of the output, and input samples per output sample."""
        axes = len(sizes)
        if self.size is not None:
            outs = per_axis(self.size, axes)
            return outs, tuple(Fraction(n, m) for n, m in zip(sizes, outs, strict=True))
        if self.scale_factor is None:
            return sizes, (Fraction(1),) * axes
        scales = scale_per_axis(self.scale_factor, axes)
        outs = tuple(_scaled_size(n, x) for n, x in zip(sizes, scales, strict=True))
        return outs, tuple(1 / x for x in scales)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """(E19) M_in = Σ w² M over the outputs that read a sample; values: means of 1/Σw²."""
        rules = tuple([_with_weights(x) for x in place.rules])
        squares = prod([float((x.amplitudes**2).sum()) / max(x.n_out, 1) for x in rules])
        blends = squares < 1 - 1e-9
        return Layer(
            spreading(rules, power=2, correlation=weighted(rules)),
            tuple([(n, averaged(x, 1 / squares) if blends else x) for n, x in runs]),
            correlates=blends,
            sums=True,
        )


def _with_weights(rule: AxisRule) -> Periodic:
    """Return the rule of an interpolation, which copies an axis that keeps its size."""
    if isinstance(rule, Periodic):
        return rule
    return Periodic(rule.n_in, rule.n_out, 1, ((0,),))


def _scaled_size(n: int, scale: Fraction) -> int:
    """Return the size of `n` samples scaled up or down, as PyTorch's `interpolate` has it.

    It multiplies floating-point numbers, so 45 samples by 1.4 are 62, not the exact 63.
    """
    return floor(float(n) * float(scale))


def _read_ratio(n: int, m: int, ratio: Fraction, *, align_corners: bool) -> Fraction:
    """Return by how many input samples an interpolation moves on from output to output."""
    if align_corners:
        return Fraction(n - 1, m - 1) if m > 1 else Fraction(0)
    return ratio


@remembered(4096)
def _interpolated(n: int, m: int, ratio: Fraction, mode: str, *, align_corners: bool) -> AxisRule:
    """Rule of `interpolate` [1]_: the samples read with a weight that is not zero."""
    if n == 0 or m == 0:
        return Window(n, 0)
    ratio = _read_ratio(n, m, ratio, align_corners=align_corners)
    if ratio == 1:
        return Window(n, m)
    by_corner = align_corners or mode == "nearest"
    phases, weights = interpolated_period(ratio, mode, by_corner=by_corner)
    return Periodic(
        n, m, ratio.numerator, phases, clamped=True, by_size=align_corners, weights=weights
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelShuffle(Free):
    """Moves channels to positions: r × r fewer channels, r times the size."""

    keyword: ClassVar[str] = "pixel_shuffle"
    title: ClassVar[str] = "Pixel shuffle"
    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

    upscale_factor: int = parameter(Kind.INTEGER, "Factor of the size.", minimum=1)

    @classmethod
    def usual(cls) -> Self:
        return cls(upscale_factor=2)

    def text(self, axes: int) -> str:
        return f"{self.keyword} ×{self.upscale_factor}"

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        r = self.upscale_factor
        return tuple(Periodic(n, n * r, 1, ((0,),) * r) for n in sizes)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        return [(n * self.upscale_factor, self.upscale_factor) for n in sizes]

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        block = int(self.upscale_factor ** len(sizes))
        if channels[0] % block:
            raise OpError(
                f"{counted(channels[0], 'channel')} cannot be shuffled into blocks of {block}"
            )
        return channels[0] // block

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        factor = place.channels / max(place.channels_in, 1)
        x = average(runs)
        # What was a channel is a phase now, so distant values seldom come from one channel.
        shared = x.mean**2 + (x.shared - x.mean**2) * factor
        correlation = compressed((self.upscale_factor,) * len(place.rules))
        return Layer(
            spreading(place.rules, factor, correlation=correlation),
            ((place.channels, x._replace(shared=shared)),),
            "" if place.apart else "a shuffle is assumed to read channels of equal statistics",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelUnshuffle(Free, Patternless):
    """Moves positions to channels: the inverse of a pixel shuffle."""

    keyword: ClassVar[str] = "pixel_unshuffle"
    title: ClassVar[str] = "Pixel unshuffle"
    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

    downscale_factor: int = parameter(Kind.INTEGER, "Divisor of the size.", minimum=1)

    @classmethod
    def usual(cls) -> Self:
        return cls(downscale_factor=2)

    def text(self, axes: int) -> str:
        return f"{self.keyword} /{self.downscale_factor}"

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        r = self.downscale_factor
        return tuple(Window(n, n // r, r, r) for n in sizes)

    def misfit(self, sizes: tuple[int, ...]) -> str:
        r = self.downscale_factor
        if any(n % r for n in sizes):
            return f"downscale_factor {r} does not divide {'×'.join(map(str, sizes))}"
        return ""

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return channels[0] * int(self.downscale_factor ** len(sizes))

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        times = place.channels // max(place.channels_in, 1)
        backward = spreading(place.rules, correlation=strided(strides(place.rules)))
        return Layer(backward, tuple([(n * times, x) for n, x in runs]))
