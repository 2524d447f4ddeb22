"""Patches: what a window holds becomes channels, and back.

References
----------
.. [1] PyTorch 2 documentation of `torch.nn.Unfold` and `torch.nn.Fold`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic
from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.autocorrelation import compressed, strided
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import Moments, scaled
from rfstudio.core.layer_models.pooled_values import shares_on_map, strides
from rfstudio.core.ops.convolution import phases_of_transposed
from rfstudio.core.ops.operation import Context, Demands, Free
from rfstudio.core.ops.sliding_window import Sliding, Windowed, window_output_size
from rfstudio.core.ops.values import (
    DILATION_TEXT,
    KERNEL_TEXT,
    PADDING_TEXT,
    STRIDE_TEXT,
    Kind,
    Padding,
    Sizes,
    padding_per_axis,
    parameter,
    per_axis,
    size_parameter,
    text_per_axis,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfold(Free, Windowed):
    """Makes channels of the samples of each window: those of one channel after each other [1]_."""

    keyword: ClassVar[str] = "unfold"
    title: ClassVar[str] = "Unfold into patches"
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

    kernel_size: Sizes = size_parameter(KERNEL_TEXT)
    stride: Sizes = size_parameter(STRIDE_TEXT, 1)
    padding: Padding = parameter(Kind.PADDING, PADDING_TEXT, 0)
    dilation: Sizes = size_parameter(DILATION_TEXT, 1)

    @classmethod
    def usual(cls) -> Self:
        return cls(kernel_size=3, padding=1)

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return channels[0] * prod(per_axis(self.kernel_size, len(sizes)))

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """(E36) M_in = Tᵀ M: each sample has a channel of its own in every window that holds it."""
        share, _, _ = shares_on_map(place.rules)
        times = place.channels // max(place.channels_in, 1)
        out = [(n * times, x if share == 1 else scaled(x, share**0.5)) for n, x in runs]
        backward = spreading(place.rules, correlation=strided(strides(place.rules)))
        return Layer(backward, tuple(out), sums=any(x.overlaps for x in place.rules))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold(Free, Sliding):
    """Puts patches, which are channels, back to their places, where they add up [1]_."""

    keyword: ClassVar[str] = "fold"
    title: ClassVar[str] = "Fold patches"
    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

    kernel_size: Sizes = size_parameter(KERNEL_TEXT)
    stride: Sizes = size_parameter(
        "Distance in the output between two neighbouring input samples.", 1
    )
    padding: Padding = parameter(
        Kind.PADDING, "Samples cut from the start and the end of the output.", 0
    )
    dilation: Sizes = size_parameter(DILATION_TEXT, 1)
    output_size: Sizes | None = parameter(
        Kind.SIZES,
        "Size of the output map along each axis; empty: as far as the patches reach.",
        None,
        minimum=1,
    )

    def _check(self) -> None:
        if isinstance(self.padding, str):
            raise OpError(f"padding of fold must be in numbers, not {self.padding}")

    @classmethod
    def usual(cls) -> Self:
        return cls(kernel_size=2, stride=2)

    def pads(self, axes: int) -> tuple[tuple[int, int], ...]:
        """Return what is cut off the output as (before, after) per axis."""
        assert not isinstance(self.padding, str)
        return padding_per_axis(self.padding, axes)

    def outs(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the size of its map along each axis."""
        axes = len(sizes)
        if self.output_size is not None:
            return per_axis(self.output_size, axes)
        return tuple(
            [
                max((n - 1) * s - before - after + d * (k - 1) + 1, 0) if n > 0 else 0
                for n, k, s, d, (before, after) in zip(
                    sizes, *self._windows(axes), self.pads(axes), strict=True
                )
            ]
        )

    def _windows(self, axes: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        assert self.stride is not None
        return (
            per_axis(self.kernel_size, axes),
            per_axis(self.stride, axes),
            per_axis(self.dilation, axes),
        )

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        axes = len(sizes)
        rules: list[AxisRule] = []
        for n, m, k, s, d, (before, _) in zip(
            sizes, self.outs(sizes), *self._windows(axes), self.pads(axes), strict=True
        ):
            out = m if n > 0 else 0
            rules.append(Periodic(n, out, 1, phases_of_transposed(k, s, d, before)))
        return tuple(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        kernels, apart, _ = self._windows(len(sizes))
        outs = self.outs(sizes)
        return [(m, k * s) for m, k, s in zip(outs, kernels, apart, strict=True)]

    def misfit(self, sizes: tuple[int, ...]) -> str:
        axes = len(sizes)
        if self.output_size is None or 0 in sizes:
            return ""
        outs = self.outs(sizes)
        windows = tuple(
            [
                window_output_size(m, k, s, d, pair, ceil_mode=False)
                for m, k, s, d, pair in zip(
                    outs, *self._windows(axes), self.pads(axes), strict=True
                )
            ]
        )
        if windows == sizes:
            return ""
        return (
            f"an output of {text_per_axis(outs)} has {text_per_axis(windows)} patches, but the "
            f"input has {text_per_axis(sizes)}"
        )

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        patch = prod(per_axis(self.kernel_size, len(sizes)))
        if channels[0] % patch:
            raise OpError(f"{channels[0]} channels cannot be folded into patches of {patch}")
        return channels[0] // patch

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """(E37) M_in = (1/taps) T M, the mean over a patch; values of n patches add up.

        s → n (s − m²) + n² m²; distant values have channels in common where they are of one phase.
        """
        axes = len(place.rules)
        kernel, apart, _ = self._windows(axes)
        taps, x = prod(kernel), average(runs)
        count = prod([y.mean_reads for y in place.rules if isinstance(y, Periodic) and y.n_out])
        mean = count * x.mean
        out = Moments(
            count * (x.square - x.mean**2) + mean**2,
            count * (x.shared - x.mean**2) / prod(apart) + mean**2,
            mean,
        )
        return Layer(
            spreading(place.rules, 1.0 / taps, correlation=compressed(apart)),
            ((place.channels, out),),
            "" if place.apart else "patches are assumed to be channels of equal statistics",
            correlates=_have_common_outputs(kernel, apart),
        )


def _have_common_outputs(kernel: tuple[int, ...], apart: tuple[int, ...]) -> bool:
    """Return whether one output may add up several patches."""
    return any(k > s for k, s in zip(kernel, apart, strict=True))
