"""The entry to every operation's rules: which input samples an output reads along each axis.

Sizes, fields, regions, supports and gradients all come from these rules.
"""

from __future__ import annotations

from rfstudio.core.axes.axis_rule import (
    AxisRule,
    AxisRules,
    Periodic,
    Whole,
    Window,
    source_of_padding,
)
from rfstudio.core.errors import OpError
from rfstudio.core.ops.operation import Op, identity_rules, is_patternless
from rfstudio.core.ops.sliding_window import resolved_padding, window_of

__all__ = [
    "AxisRule",
    "AxisRules",
    "Periodic",
    "Whole",
    "Window",
    "axis_rules",
    "excess_of",
    "identity_rules",
    "resolved_padding",
    "source_of_padding",
    "window_of",
]

MAX_SIDE = 1 << 24
"""Longest side of a map after an operation whose pattern is listed, in samples: three minutes of
sound at 88 kHz, and far beyond any image."""

MAX_PATTERN = 1 << 20
"""Most reads that are listed of the pattern of one operation along one axis."""


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
        If a parameter of `op` is given for another number of axes, or its map would be too large
        to work out.
    """
    if excess := excess_of(op, sizes):
        raise OpError(excess)
    return op.training_rules(sizes) if batch_norm_training else op.axis_rules(sizes)


def excess_of(op: Op, sizes: tuple[int, ...]) -> str:
    """Return why `op` is too large to work out for a map of that size, or an empty text.

    A typing mistake, such as a factor of a million, would keep the program busy for hours.
    """
    if is_patternless(op):
        return ""
    for n, (side, pattern) in zip(sizes, op.demands(sizes), strict=True):
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
