"""Numbers and layers as short texts, the same in the tree, the table and the inspector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rfstudio.core import ops
from rfstudio.core.network.architecture import Item, Layer, Parallel, Repeat, Residual
from rfstudio.core.ops import Op
from rfstudio.formats.tables.tables import (
    alignment_text,
    field_text,
    number_text,
    sizes_text,
    steps_text,
)

__all__ = [
    "alignment_text",
    "amount_text",
    "field_text",
    "item_text",
    "number_text",
    "op_text",
    "short_name",
    "sizes_text",
    "steps_text",
]

_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))
_MINUS = "\N{MINUS SIGN}"


def short_name(name: str, most: int = 44) -> str:
    """Return a name with … in its middle if it is longer than `most` characters.

    Names that begin alike are told apart by their ends.
    """
    if len(name) <= most:
        return name
    head = (most - 1) // 2
    return f"{name[:head]}…{name[len(name) - (most - 1 - head) :]}"


def amount_text(number: int) -> str:
    """Return a large number in three digits and a unit: ``138 M``."""
    for size, unit in _UNITS:
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def item_text(item: Item, axes: int) -> str:
    """Return what an item is, in a few words: ``conv 3×3 /2``, ``repeat ×4``."""
    match item:
        case Layer(op=op):
            return op_text(op, axes)
        case Repeat():
            return f"repeat ×{item.times}"
        case Parallel():
            return f"parallel, {item.merge}"
        case Residual():
            return "residual"
        case _:
            return item.keyword


def op_text(op: Op, axes: int) -> str:
    """Return an operation with the parameters that shape its window: ``conv 3×3 /2 dil 2``."""
    words = [getattr(op, "label", "") or op.keyword]
    kernel = getattr(op, "kernel_size", None)
    if kernel is not None and not getattr(op, "whole", False):
        words.append(_by(kernel, axes))
        stride = getattr(op, "stride", None)
        if stride is None:
            stride = kernel
        if stride != 1:
            words.append(f"/{_by(stride)}")
        dilation = getattr(op, "dilation", 1)
        if dilation != 1:
            words.append(f"dil {_by(dilation)}")
        if getattr(op, "groups", 1) == "depthwise":
            words.append("depthwise")
    match op:
        case ops.Upsample():
            words.append(f"×{_by(op.scale_factor)}" if op.scale_factor else f"to {_by(op.size)}")
        case ops.AdaptiveAvgPool() | ops.AdaptiveMaxPool():
            words.append(f"to {_by(op.output_size, axes)}")
        case ops.PixelShuffle():
            words.append(f"×{op.upscale_factor}")
        case ops.PixelUnshuffle():
            words.append(f"/{op.downscale_factor}")
        case ops.Linear():
            words.append(str(op.out_features))
        case ops.WindowAttention():
            words.append(_by(op.window_size, axes))
    return " ".join(words)


def _by(value: Any, axes: int = 1) -> str:
    """Return one number per axis, or a single number as often as there are axes."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "×".join(map(str, value))
    return "×".join([str(value)] * axes)


def signed(text: str) -> str:
    """Return a number's text with a minus sign instead of a hyphen."""
    return text.replace("-", _MINUS)
