"""Why an operation cannot have a map of some size, in words."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from rfstudio.core import ops
from rfstudio.core.ops import Op, padding_per_axis, per_axis, scale_per_axis

MAX_SIDE = 1 << 24
"""Longest side of a map behind an operation whose pattern is kept, in samples: three minutes of
sound at 88 kHz, and far beyond any image."""

MAX_PATTERN = 1 << 20
"""Most reads that are kept of the pattern of one operation along one axis."""


def scaled_size(n: int, scale: Fraction) -> int:
    """Return the size of `n` samples scaled up or down, as PyTorch's `interpolate` has it.

    It multiplies floating-point numbers, so 45 samples by 1.4 are 62, not the exact 63.
    """
    return floor(float(n) * float(scale))


def misfit_of_size(op: Op, sizes: tuple[int, ...]) -> str:
    """Return why `op` cannot run on a map of that size, or an empty text.

    What PyTorch refuses although the geometry has an answer; an empty output is not meant.
    """
    if isinstance(op, ops.PixelUnshuffle):
        r = op.downscale_factor
        if any(n % r for n in sizes):
            return f"downscale_factor {r} does not divide {'×'.join(map(str, sizes))}"
    if isinstance(op, ops.Pad):
        return _misfit_of_pad(op, sizes)
    if isinstance(op, ops.Crop):
        return _misfit_of_crop(op, sizes)
    return ""


def _misfit_of_pad(op: ops.Pad, sizes: tuple[int, ...]) -> str:
    assert not isinstance(op.padding, str)
    pads = padding_per_axis(op.padding, len(sizes))
    if op.mode in ("reflect", "circular"):
        spare = 1 if op.mode == "reflect" else 0
        for n, pair in zip(sizes, pads, strict=True):
            if max(pair) > n - spare:
                return f"{op.mode} padding of {max(pair)} needs more than {n} samples"
    return _excess_cut("padding", tuple((-before, -after) for before, after in pads), sizes)


def _misfit_of_crop(op: ops.Crop, sizes: tuple[int, ...]) -> str:
    axes = len(sizes)
    if op.size is not None:
        wanted = per_axis(op.size, axes)
        if any(x > n for x, n in zip(wanted, sizes, strict=True)):
            return (
                f"size {'×'.join(map(str, wanted))} is larger than its input, "
                f"{'×'.join(map(str, sizes))}; crop to at most that, or pad"
            )
        return ""
    assert op.margins is not None
    assert not isinstance(op.margins, str)
    return _excess_cut("margins", padding_per_axis(op.margins, axes), sizes)


def _excess_cut(what: str, cuts: tuple[tuple[int, int], ...], sizes: tuple[int, ...]) -> str:
    """Return that more is cut off than there is, whatever is added at the other end."""
    for n, pair in zip(sizes, cuts, strict=True):
        cut = sum(max(x, 0) for x in pair)
        if cut > n:
            return f"{what} cut {cut} samples off an axis that has only {n}"
    return ""


def excess_of(op: Op, sizes: tuple[int, ...]) -> str:
    """Return why `op` is beyond what is worked out for a map of that size, or an empty text.

    A slip of the hand, such as a factor of a million, would keep the program busy for hours.
    """
    for n, (side, pattern) in zip(sizes, _demands(op, sizes), strict=True):
        if side > max(MAX_SIDE, n):
            return (
                f"its map would have {side:,} samples along one axis; "
                f"at most {MAX_SIDE:,} are worked out"
            )
        if pattern > MAX_PATTERN:
            return (
                f"its samples would read in a pattern of {pattern:,} reads before it repeats; "
                f"at most {MAX_PATTERN:,} are worked out"
            )
    return ""


def _demands(op: Op, sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return for each axis the side of the output map and the reads until its pattern repeats.

    Of operations whose pattern is one window, which takes no work, both are 0.
    """
    axes = len(sizes)
    match op:
        case ops.Upsample(scale_factor=None, size=size) if size is not None:
            outs = per_axis(size, axes)
            return [(m, _until_repeat(n, m, op)) for n, m in zip(sizes, outs, strict=True)]
        case ops.Upsample(scale_factor=factor) if factor is not None:
            scales = scale_per_axis(factor, axes)
            return [
                (scaled_size(n, x), _until_repeat(n, scaled_size(n, x), op, x))
                for n, x in zip(sizes, scales, strict=True)
            ]
        case ops.AdaptiveAvgPool() | ops.AdaptiveMaxPool():
            outs = per_axis(op.output_size, axes)
            return [(m, m + n if n % m else 0) for n, m in zip(sizes, outs, strict=True)]
        case ops.PixelShuffle():
            return [(n * op.upscale_factor, op.upscale_factor) for n in sizes]
        case ops.ConvTranspose():
            kernels, strides = per_axis(op.kernel_size, axes), per_axis(op.stride, axes)
            return [(n * s + k, k * s) for n, k, s in zip(sizes, kernels, strides, strict=True)]
        case ops.DeformConv(max_offset=int(reach)):
            kernels = per_axis(op.kernel_size, axes)
            pads = 0 if isinstance(op.padding, str) else op.padding
            # The pattern is the same along a map of any length; at its borders it is listed.
            borders = [sum(pair) for pair in padding_per_axis(pads, axes)]
            return [
                (n + x if x > MAX_SIDE else 0, k * (2 * reach + 1))
                for n, k, x in zip(sizes, kernels, borders, strict=True)
            ]
        case ops.WindowAttention():
            return [(0, w * w) for w in per_axis(op.window_size, axes)]
        case _:
            return [(0, 0)] * axes


def _until_repeat(n: int, m: int, op: ops.Upsample, scale: Fraction | None = None) -> int:
    """Return the number of reads of an interpolation until its pattern repeats."""
    ratio = Fraction(n, max(m, 1)) if scale is None else 1 / scale
    if op.align_corners:
        ratio = Fraction(n - 1, m - 1) if m > 1 else Fraction(0)
    return ratio.denominator
