"""Operations that an expansion makes itself: one object for all that are equal.

Much is cached by the identity of an operation.
"""

from __future__ import annotations

from functools import lru_cache

from rfstudio.core import ops
from rfstudio.core.errors import OpError
from rfstudio.core.network.graph_wording import excess_of_channels
from rfstudio.core.ops import FollowsSize, Op


@lru_cache(maxsize=4096)
def following(op: FollowsSize, size: tuple[int, ...], other: tuple[int, ...]) -> Op:
    """Return an operation with its size in numbers: one object, since much is kept by identity."""
    return op.following(size, other)


@lru_cache(maxsize=4096)
def spread_to(channels: int, size: tuple[int, ...]) -> ops.Broadcast:
    """Return what spreads a map to a shape: one object, too."""
    if excess := excess_of_channels(channels):
        raise OpError(excess)
    return ops.Broadcast(channels=channels, size=size)


@lru_cache(maxsize=4096)
def known_inset(op: ops.Inset) -> ops.Inset:
    """Return an inset: one object for all that are equal."""
    return op


@lru_cache(maxsize=4096)
def known_op(op: Op) -> Op:
    """Return an operation: one object for all that are equal."""
    return op


@lru_cache(maxsize=4096)
def joined_along(axis: int) -> ops.Joined:
    """Return what joins maps along an axis: one object, too."""
    return ops.Joined(axis)


@lru_cache(maxsize=4096)
def input_of(size: tuple[int, ...], channels: int) -> ops.FurtherInput:
    """Return what stands for an input beside the first: one object, too."""
    return ops.FurtherInput(size=size, channels=channels)


@lru_cache(maxsize=4096)
def part_of(start: int, stop: int) -> ops.ChannelSlice:
    """Return what takes one part of a split: one object, too."""
    return ops.ChannelSlice(start=start, stop=stop)
