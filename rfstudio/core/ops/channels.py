"""Channels, learned parameters and multiply-adds of every operation.

Counts follow PyTorch: parameters as `Module.parameters()` has them, multiply-adds as half of what
`torch.utils.flop_counter` counts (products of convolutions and matrices; a bias, a norm and an
activation cost none).
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from rfstudio.core import ops
from rfstudio.core.errors import OpError
from rfstudio.core.ops import Op, per_axis


class Costs(NamedTuple):
    """Learned parameters and multiply-adds of one layer, for one image."""

    parameters: int
    macs: int


NO_COSTS = Costs(0, 0)

_KEEPS_CHANNELS: frozenset[type[Op]] = frozenset(
    {*ops.ELEMENTWISE, ops.BatchNorm, ops.MaxPool, ops.AvgPool, ops.Add, ops.Multiply}
) - {ops.Prelu}
"""The usual operations that fit any number of channels and keep it, known without a question."""


def output_channels(op: Op, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
    """Return the number of output channels.

    Parameters
    ----------
    op
        The operation.
    channels
        Number of channels of each input.
    sizes
        Size of the input map along each axis, in samples.

    Raises
    ------
    OpError
        If the operation does not fit that many channels.
    """
    if type(op) in _KEEPS_CHANNELS:
        return channels[0]
    match op:
        case ops.Conv() | ops.ConvTranspose() | ops.DeformConv():
            out = channels[0] if op.out_channels is None else op.out_channels
            groups = group_count(op, channels[0])
            if channels[0] % groups or out % groups:
                raise OpError(
                    f"{groups} groups do not divide {channels[0]} input channels "
                    f"and {out} output channels"
                )
            return out
        case ops.Custom():
            return channels[0] if op.out_channels is None else op.out_channels
        case ops.Linear():
            return op.out_features
        case ops.Flatten():
            return channels[0] * prod(sizes)
        case ops.Concat():
            return sum(channels)
        case ops.PixelShuffle():
            block = int(op.upscale_factor ** len(sizes))
            if channels[0] % block:
                raise OpError(f"{channels[0]} channels cannot be shuffled into blocks of {block}")
            return channels[0] // block
        case ops.PixelUnshuffle():
            return channels[0] * int(op.downscale_factor ** len(sizes))
        case ops.GroupNorm() if channels[0] % op.num_groups:
            raise OpError(f"{op.num_groups} groups do not divide {channels[0]} channels")
        case ops.Attention() | ops.WindowAttention() if channels[0] % op.heads:
            raise OpError(f"{op.heads} heads do not divide {channels[0]} channels")
        case ops.Prelu() if op.num_parameters not in (1, channels[0]):
            raise OpError(f"{op.num_parameters} slopes do not fit {channels[0]} channels; use 1")
        case ops.SqueezeExcite(squeeze_channels=None) if channels[0] < op.reduction:
            raise OpError(f"reduction {op.reduction} leaves no channel of {channels[0]}")
        case _:
            return channels[0]


def group_count(op: ops.Conv | ops.ConvTranspose | ops.DeformConv, channels: int) -> int:
    """Return the number of groups, resolving `depthwise` for that many input channels."""
    # An empty map that is flattened has no channels; that is a fault of its own.
    return max(1, channels) if op.groups == "depthwise" else op.groups


def squeezed_channels(op: ops.SqueezeExcite, channels: int) -> int:
    """Return the number of hidden channels of a squeeze-and-excite block."""
    return op.squeeze_channels or channels // op.reduction


def costs(  # noqa: PLR0911 - a table, one line an operation
    op: Op, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
) -> Costs:
    """Return learned parameters and multiply-adds for one image.

    Parameters
    ----------
    op
        The operation.
    channels, out_channels
        Number of channels of its (first) input and of its output.
    sizes, out_sizes
        Size of these maps along each axis, in samples.
    """
    match op:
        case ops.Conv() | ops.DeformConv():
            weights = _weights(op, channels, out_channels, len(sizes))
            bias = out_channels if op.bias else 0
            return Costs(weights + bias, weights * prod(out_sizes))
        case ops.ConvTranspose():
            weights = _weights(op, channels, out_channels, len(sizes))
            bias = out_channels if op.bias else 0
            return Costs(weights + bias, weights * prod(sizes))
        case ops.Linear():
            weights = channels * prod(sizes) * out_channels
            return Costs(weights + (out_channels if op.bias else 0), weights)
        case ops.BatchNorm():
            return Costs(channels * (1 + op.scale) if op.affine else 0, 0)
        case ops.InstanceNorm() | ops.GroupNorm():
            return Costs(2 * channels if op.affine else 0, 0)
        case ops.LayerNorm():
            return Costs(2 * channels if op.elementwise_affine else 0, 0)
        case ops.Prelu():
            return Costs(op.num_parameters, 0)
        case ops.LayerScale():
            return Costs(channels, 0)
        case ops.Custom():
            return Costs(op.parameters, 0)
        case ops.SqueezeExcite():
            hidden = squeezed_channels(op, channels)
            return Costs(2 * channels * hidden + hidden + channels, 2 * channels * hidden)
        case ops.Attention():
            tokens = prod(sizes)
            return Costs(
                4 * channels**2 + 4 * channels,
                4 * tokens * channels**2 + 2 * tokens**2 * channels,
            )
        case ops.WindowAttention():
            return _window_attention(op, channels, sizes)
        case _:
            return NO_COSTS


def _weights(
    op: ops.Conv | ops.ConvTranspose | ops.DeformConv, channels: int, out_channels: int, axes: int
) -> int:
    groups = group_count(op, channels)
    return channels * out_channels // groups * prod(per_axis(op.kernel_size, axes))


def _window_attention(op: ops.WindowAttention, channels: int, sizes: tuple[int, ...]) -> Costs:
    axes = len(sizes)
    windows = per_axis(op.window_size, axes)
    bias = prod(2 * w - 1 for w in windows) * op.heads
    tokens = prod(sizes)
    pairs = prod(
        _pairs_in_windows(n, w, shift)
        for n, w, shift in zip(sizes, windows, per_axis(op.shift, axes), strict=True)
    )
    return Costs(
        4 * channels**2 + 4 * channels + bias,
        4 * tokens * channels**2 + 2 * pairs * channels,
    )


def _pairs_in_windows(size: int, window: int, shift: int) -> int:
    """Return the number of pairs of samples that share a window along one axis."""
    head = min(window - shift % window, size)
    whole, tail = divmod(size - head, window)
    return head**2 + whole * window**2 + tail**2
