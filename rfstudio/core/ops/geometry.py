"""Along one axis: which input samples output sample i reads.

One rule for every operation, used by sizes, fields, regions, supports and gradients alike.

References
----------
.. [1] PyTorch 2 documentation of `torch.nn` and `torch.nn.functional.interpolate`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import Any

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import (
    AxisRule,
    AxisRules,
    Periodic,
    Taps,
    Whole,
    Window,
    source_of_padding,
)
from rfstudio.core.axes.interpolation import interpolated_at
from rfstudio.core.errors import OpError
from rfstudio.core.ops import Op, padding_per_axis, per_axis, scale_per_axis
from rfstudio.core.ops.size_misfits import excess_of, scaled_size

__all__ = [
    "AxisRule",
    "AxisRules",
    "Periodic",
    "Whole",
    "Window",
    "axis_rules",
    "identity_rules",
    "resolved_padding",
    "source_of_padding",
    "window_of",
]

# --- sizes --------------------------------------------------------------------------------------


def window_output_size(
    n: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int], *, ceil_mode: bool
) -> int:
    """Return the number of placements of a window on `n` samples, by PyTorch's rule [1]_."""
    spare = n + sum(pads) - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return max(spare // stride + 1, 0)
    if n + sum(pads) < 1:
        return 0  # nothing is left of the map on which a window could start
    out = -(-spare // stride) + 1
    if (out - 1) * stride >= n + pads[0]:
        out -= 1  # the last window would start behind the input
    return max(out, 0)


def same_padding(
    n: int, kernel: int, stride: int, dilation: int, *, lower: bool = False
) -> tuple[int, int]:
    """Return the padding (before, after) that makes the output size ceil(n / stride).

    The odd sample goes behind (TensorFlow SAME, ONNX SAME_UPPER), or with `lower` in front.
    """
    out = -(-n // stride)
    total = max((out - 1) * stride + dilation * (kernel - 1) + 1 - n, 0)
    less, more = total // 2, total - total // 2
    return (more, less) if lower else (less, more)


def resolved_padding(op: ops.Windowed, sizes: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the padding of a window operation as (before, after) per axis, in samples.

    `same` is resolved from `sizes`, the size of the operation's input along each axis.
    """
    axes = len(sizes)
    if not isinstance(op.padding, str):
        return padding_per_axis(op.padding, axes)
    lower = op.padding == "same_lower"
    return tuple(
        same_padding(n, k, s, d, lower=lower)
        for n, k, s, d in zip(sizes, *window_of(op, axes), strict=True)
    )


def window_of(
    op: ops.Windowed, axes: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return kernel, stride and dilation of a window operation, each with one entry per axis."""
    kernel = per_axis(op.kernel_size, axes)
    stride = kernel if op.stride is None else per_axis(op.stride, axes)
    dilation = (1,) * axes if isinstance(op, ops.AvgPool) else per_axis(op.dilation, axes)
    return kernel, stride, dilation


# --- one rule an operation ----------------------------------------------------------------------


def _windows(op: ops.Windowed, sizes: tuple[int, ...]) -> AxisRules:
    ceil_mode = isinstance(op, ops.MaxPool | ops.AvgPool) and op.ceil_mode
    ceil_mode = ceil_mode and not isinstance(op.padding, str)
    pads = resolved_padding(op, sizes)
    rules: list[AxisRule] = []
    for n, k, s, d, (before, after) in zip(sizes, *window_of(op, len(sizes)), pads, strict=True):
        out = window_output_size(n, k, s, d, (before, after), ceil_mode=ceil_mode) if n > 0 else 0
        cropped = max(-after, 0) if ceil_mode else 0
        rules.append(Window(n, out, k, s, d, before, cropped=cropped))
    return tuple(rules)


def _deformable(op: ops.DeformConv, sizes: tuple[int, ...]) -> AxisRules:
    plain = _windows(op, sizes)
    if op.max_offset is None:
        return tuple(Whole(x.n_in, x.n_out) for x in plain)
    reach = op.max_offset
    rules: list[AxisRule] = []
    for rule in plain:
        assert isinstance(rule, Window)
        taps = {x + shift for x in rule.taps(0) for shift in range(-reach, reach + 1)}
        rules.append(Periodic(rule.n_in, rule.n_out, rule.stride, (tuple(sorted(taps)),)))
    return tuple(rules)


def _custom(op: ops.Custom, sizes: tuple[int, ...]) -> AxisRules:
    plain = _windows(op, sizes)
    return tuple(Whole(x.n_in, x.n_out) for x in plain) if op.whole else plain


@lru_cache(maxsize=4096)
def _transposed_phases(kernel: int, stride: int, dilation: int, before: int) -> tuple[Taps, ...]:
    """For each phase the j with j·stride − before + dilation·t = phase."""
    return tuple(
        tuple(
            sorted(
                (phase + before - dilation * t) // stride
                for t in range(kernel)
                if (phase + before - dilation * t) % stride == 0
            )
        )
        for phase in range(stride)
    )


def _conv_transpose(op: ops.ConvTranspose, sizes: tuple[int, ...]) -> AxisRules:
    axes = len(sizes)
    assert not isinstance(op.padding, str)
    rules: list[AxisRule] = []
    for n, k, s, d, extra, (before, after) in zip(
        sizes,
        per_axis(op.kernel_size, axes),
        per_axis(op.stride, axes),
        per_axis(op.dilation, axes),
        per_axis(op.output_padding, axes),
        padding_per_axis(op.padding, axes),
        strict=True,
    ):
        out = max((n - 1) * s - before - after + d * (k - 1) + extra + 1, 0) if n > 0 else 0
        rules.append(Periodic(n, out, 1, _transposed_phases(k, s, d, before)))
    return tuple(rules)


def _adaptive(op: ops.AdaptiveAvgPool | ops.AdaptiveMaxPool, sizes: tuple[int, ...]) -> AxisRules:
    rules: list[AxisRule] = []
    for n, m in zip(sizes, per_axis(op.output_size, len(sizes)), strict=True):
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


def _upsample(op: ops.Upsample, sizes: tuple[int, ...]) -> AxisRules:
    axes = len(sizes)
    if op.size is not None:
        outs = per_axis(op.size, axes)
        ratios = tuple(Fraction(n, m) for n, m in zip(sizes, outs, strict=True))
    else:
        assert op.scale_factor is not None
        scales = scale_per_axis(op.scale_factor, axes)
        outs = tuple(scaled_size(n, x) for n, x in zip(sizes, scales, strict=True))
        ratios = tuple(1 / x for x in scales)
    # PyTorch copies an axis that keeps its size, whatever the factor; bicubic if all axes do.
    copies = op.mode != "bicubic" or sizes == outs
    return tuple(
        Window(n, m)
        if copies and n == m
        else _interpolated(n, m, ratio, op.mode, align_corners=op.align_corners)
        for n, m, ratio in zip(sizes, outs, ratios, strict=True)
    )


@lru_cache(maxsize=4096)
def _interpolated(n: int, m: int, ratio: Fraction, mode: str, *, align_corners: bool) -> AxisRule:
    """Rule of `interpolate` [1]_: the samples read with a weight that is not zero."""
    if n == 0 or m == 0:
        return Window(n, 0)
    if align_corners:
        ratio = Fraction(n - 1, m - 1) if m > 1 else Fraction(0)
    if ratio == 1:
        return Window(n, m)
    found = []
    for i in range(ratio.denominator):
        by_corner = align_corners or mode == "nearest"
        source = i * ratio if by_corner else (i + Fraction(1, 2)) * ratio - Fraction(1, 2)
        found.append(interpolated_at(source, mode))
    phases, weights = zip(*found, strict=True)
    return Periodic(
        n, m, ratio.numerator, phases, clamped=True, by_size=align_corners, weights=weights
    )


def _pad(op: ops.Pad, sizes: tuple[int, ...]) -> AxisRules:
    assert not isinstance(op.padding, str)
    pads = padding_per_axis(op.padding, len(sizes))
    return tuple(
        Window(n, max(n + before + after, 0), before=before, mode=op.mode)
        for n, (before, after) in zip(sizes, pads, strict=True)
    )


def _crop(op: ops.Crop, sizes: tuple[int, ...]) -> AxisRules:
    axes = len(sizes)
    if op.size is not None:
        kept = tuple(min(x, n) for x, n in zip(per_axis(op.size, axes), sizes, strict=True))
        return tuple(Window(n, x, before=-((n - x) // 2)) for n, x in zip(sizes, kept, strict=True))
    assert op.margins is not None
    assert not isinstance(op.margins, str)
    margins = padding_per_axis(op.margins, axes)
    return tuple(
        Window(n, max(n - before - after, 0), before=-before)
        for n, (before, after) in zip(sizes, margins, strict=True)
    )


def _pixel_shuffle(op: ops.PixelShuffle, sizes: tuple[int, ...]) -> AxisRules:
    r = op.upscale_factor
    return tuple(Periodic(n, n * r, 1, ((0,),) * r) for n in sizes)


def _pixel_unshuffle(op: ops.PixelUnshuffle, sizes: tuple[int, ...]) -> AxisRules:
    r = op.downscale_factor
    return tuple(Window(n, n // r, r, r) for n in sizes)


def _window_attention(op: ops.WindowAttention, sizes: tuple[int, ...]) -> AxisRules:
    axes = len(sizes)
    rules: list[AxisRule] = []
    for n, w, shift in zip(
        sizes, per_axis(op.window_size, axes), per_axis(op.shift, axes), strict=True
    ):
        starts = ((i + shift) // w * w - shift for i in range(w))
        rules.append(Periodic(n, n, w, tuple(tuple(range(x, x + w)) for x in starts)))
    return tuple(rules)


def _to_one(op: Op, sizes: tuple[int, ...]) -> AxisRules:
    del op
    return tuple(Whole(n, min(n, 1)) for n in sizes)


def _mixing(op: Op, sizes: tuple[int, ...]) -> AxisRules:
    del op
    return tuple(Whole(n, n) for n in sizes)


def _unchanged(op: Op, sizes: tuple[int, ...]) -> AxisRules:
    del op
    return identity_rules(sizes)


@lru_cache(maxsize=4096)
def identity_rules(sizes: tuple[int, ...]) -> AxisRules:
    """Return the rules of an operation that works position by position."""
    return tuple(Window(n, n) for n in sizes)


_RULES: dict[type[Op], Callable[[Any, tuple[int, ...]], AxisRules]] = {
    ops.Conv: _windows,
    ops.MaxPool: _windows,
    ops.AvgPool: _windows,
    ops.Custom: _custom,
    ops.DeformConv: _deformable,
    ops.ConvTranspose: _conv_transpose,
    ops.AdaptiveAvgPool: _adaptive,
    ops.AdaptiveMaxPool: _adaptive,
    ops.Upsample: _upsample,
    ops.PixelShuffle: _pixel_shuffle,
    ops.PixelUnshuffle: _pixel_unshuffle,
    ops.Pad: _pad,
    ops.Crop: _crop,
    ops.WindowAttention: _window_attention,
    ops.GlobalAvgPool: _to_one,
    ops.GlobalMaxPool: _to_one,
    ops.Flatten: _to_one,
    ops.Linear: _to_one,
    ops.InstanceNorm: _mixing,
    ops.GroupNorm: _mixing,
    ops.SqueezeExcite: _mixing,
    ops.Attention: _mixing,
    ops.BatchNorm: _unchanged,
    **dict.fromkeys(ops.ELEMENTWISE, _unchanged),
    **dict.fromkeys(ops.MERGES, _unchanged),
}


def axis_rules(op: Op, sizes: tuple[int, ...], *, batch_norm_training: bool = False) -> AxisRules:
    """Return for each axis how the outputs of `op` depend on its inputs.

    Parameters
    ----------
    op
        The operation.
    sizes
        Size of its input map along each axis, in samples; of a merge, of each of its inputs.
    batch_norm_training
        Whether batch norm takes its statistics from the map, as in training mode.

    Raises
    ------
    OpError
        If a parameter of `op` is given for another number of axes, or its map would be beyond
        what is worked out.
    """
    if excess := excess_of(op, sizes):
        raise OpError(excess)
    if batch_norm_training and isinstance(op, ops.BatchNorm):
        return _mixing(op, sizes)
    try:
        return _RULES[type(op)](op, sizes)
    except KeyError:
        raise OpError(f"{op!r} is no operation") from None
