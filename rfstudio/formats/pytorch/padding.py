"""The padding of a window as PyTorch source: the layer's own option, or a pad before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Windowed, resolved_padding, window_of


def sizes_text(values: Sequence[int]) -> str:
    """Return sizes as source: one number if they are equal, else a tuple."""
    if len(set(values)) == 1:
        return repr(values[0])
    return repr(tuple(values))


def pads_text(pairs: Sequence[tuple[int, int]]) -> str:
    """Return (before, after) per axis in the order of `F.pad`, which starts with the last axis."""
    return repr(tuple(x for pair in reversed(pairs) for x in pair))


@dataclass(frozen=True, slots=True)
class Padding:
    """Padding of a window operation.

    Attributes
    ----------
    native
        The value of torch's own `padding`, as source; empty if that cannot express it.
    pairs
        (before, after) per axis.
    extra
        Samples that complete the last windows of `ceil_mode`, or prevent one more, per axis.
    """

    native: str
    pairs: tuple[tuple[int, int], ...]
    extra: tuple[int, ...]


def padding_of(op: Windowed, node: Node, source: Node, *, is_pool: bool) -> Padding:
    """Return the padding of a window operation that reads `source`."""
    axes = len(node.size)
    kernel, stride, dilation = window_of(op, axes)
    pairs = resolved_padding(op, source.size)
    extra = tuple(
        _completion(n + before + after, m, d * (k - 1) + 1, s)
        for n, m, k, s, d, (before, after) in zip(
            source.size, node.size, kernel, stride, dilation, pairs, strict=True
        )
    )
    fits = all(
        before == after >= 0 and (not is_pool or before <= k // 2)
        for (before, after), k in zip(pairs, kernel, strict=True)
    )
    # torch's pools in three dimensions need a map that holds one complete window.
    fits = fits and all(
        not is_pool or axes < 3 or n > d * (k - 1)
        for n, k, d in zip(source.size, kernel, dilation, strict=True)
    )
    # In ceil_mode torch counts the windows itself; without it, all windows must be complete.
    fits = fits and (not any(extra) or op.ceil_mode)
    native = sizes_text([x for x, _ in pairs]) if fits else ""
    return Padding(native, pairs, extra)


def _completion(padded: int, windows: int, reach: int, stride: int) -> int:
    """Return how many samples to add at the end, or to cut if negative, for so many windows."""
    missing = (windows - 1) * stride + reach - padded
    is_one_too_many = (padded - reach) // stride + 1 > windows
    return missing if is_one_too_many else max(missing, 0)


def padded(padding: Padding, value: str = "") -> str:
    """Return `{0}` with padding around it."""
    end = f", value={value}" if value else ""
    text = "{0}"
    if any(x != (0, 0) for x in padding.pairs):
        text = f"F.pad({text}, {pads_text(padding.pairs)}{end})"
    if any(padding.extra):
        text = f"F.pad({text}, {pads_text([(0, x) for x in padding.extra])}{end})"
    return text
