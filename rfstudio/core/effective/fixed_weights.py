"""Layers without learned weights: which they are, and with which weights they read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rfstudio.core import ops
from rfstudio.core.layer_models.pair_tables import reads
from rfstudio.core.layer_models.spread import Values
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import per_axis

SCALING = (
    ops.Identity,
    ops.Dropout,
    ops.BatchNorm,
    ops.LayerScale,
    ops.Affine,
    ops.ChannelShuffle,
    ops.ChannelSlice,
    ops.Split,
)
"""Operations that only scale values, where they are, or exchange or leave out whole channels."""


def is_fixed(op: ops.Op | None) -> bool:
    """Return whether a layer is linear with weights that are not learned, channel by channel."""
    return isinstance(
        op,
        ops.AvgPool
        | ops.AdaptiveAvgPool
        | ops.GlobalAvgPool
        | ops.AxisMean
        | ops.Upsample
        | ops.Pad
        | ops.Crop
        | ops.Inset
        | ops.Move,
    )


def strides_of(op: ops.Conv | ops.PixelUnshuffle, axes: int) -> Sequence[int]:
    """Return how far apart inputs are whose outputs are next to each other."""
    if isinstance(op, ops.PixelUnshuffle):
        return (op.downscale_factor,) * axes
    return per_axis(op.stride, axes)


def amplitudes(node: Node) -> list[Values]:
    """Return along each axis with which weights outputs (rows) read inputs (columns)."""
    assert node.op is not None
    return [reads(rule, 1) for rule in node.op.fixed_rules(node.rules)]


def blends(node: Node) -> bool:
    """Return whether a fixed layer gives several samples one gradient."""
    return not all(bool((np.count_nonzero(a, axis=1) <= 1).all()) for a in amplitudes(node))


def extent(a: Values) -> int:
    """Return the largest distance of two samples that one output reads."""
    there = a != 0
    first = there.argmax(axis=1)
    last = a.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    return int((last - first)[there.any(axis=1)].max(initial=0))


_MOST_WEIGHTS = 1 << 20
"""Entries of a matrix of weights above which no bound is worked out."""


def most_added(node: Node) -> float | None:
    """Return by how much equal gradients of all outputs exceed independent ones, as a share.

    That is the most that a layer of fixed weights can add of what its outputs' gradients have in
    common, in the total of a map whose outputs all count the same; None: it is not worked out.
    """
    if not is_fixed(node.op) or any(x.n_in * x.n_out > _MOST_WEIGHTS for x in node.rules):
        return None
    result = 1.0
    for a in amplitudes(node):
        result *= float((np.abs(a).sum(axis=0) ** 2).sum() / max(float((a**2).sum()), 1e-300))
    return result - 1.0
