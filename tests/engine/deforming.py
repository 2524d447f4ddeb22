"""torchvision's deformable convolution for tests, whose own does not load without its CUDA build.

It is computed in another way than the package does: each tap multiplies the whole map by how near
its samples are along each axis, so that slopes are those of torch.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

_SCHEMA = (
    "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, "
    "SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, "
    "SymInt dilation_w, SymInt groups, SymInt offset_groups, bool use_mask) -> Tensor"
)
_LIBRARY: Any = torch.library.Library("torchvision", "FRAGMENT")


def deformed(
    x: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """Return a deformable convolution of (N, C, H, W) by offsets (N, 2 · groups · taps, h, w)."""
    count, channels, *size = x.shape
    taps, out = weight.shape[2] * weight.shape[3], offset.shape[2:]
    parts = offset.shape[1] // (2 * taps)
    moved = offset.reshape(count, parts, taps, 2, *out)
    near = []
    for axis, n in enumerate(size):
        tap = torch.arange(taps) // weight.shape[3] if axis == 0 else torch.arange(taps)
        tap = tap % weight.shape[3] if axis == 1 else tap
        line = torch.arange(out[axis]) * stride - padding
        line = line[:, None] if axis == 0 else line
        places = moved[:, :, :, axis] + (dilation * tap[:, None, None] + line).to(x)
        near.append((1 - (places[..., None] - torch.arange(n).to(x)).abs()).relu())
    maps = x.reshape(count, parts, channels // parts, *size)
    columns = torch.einsum("ngkijh,ngkijw,ngchw->ngckij", *near, maps)
    if mask is not None:
        columns = columns * mask.reshape(count, parts, 1, taps, *out)
    columns = columns.reshape(count, groups, channels // groups, taps, *out)
    kernels = weight.reshape(groups, len(weight) // groups, channels // groups, taps)
    result = torch.einsum("ngckij,gock->ngoij", columns, kernels).reshape(count, -1, *out)
    return result if bias is None else result + bias[:, None, None]


@cache
def declare() -> None:
    """Make `torch.ops.torchvision.deform_conv2d` known, if it is not."""
    if hasattr(torch.ops.torchvision, "deform_conv2d"):
        return
    _LIBRARY.define(_SCHEMA)
    for key in ("CPU", "AutogradCPU"):
        _LIBRARY.impl("deform_conv2d", _computed, key)
    _LIBRARY.impl("deform_conv2d", _shaped, "Meta")


def _computed(
    x: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, bias: Tensor, *numbers: int
) -> Tensor:
    stride, _, padding, _, dilation, _, groups, _, use_mask = numbers
    given = mask if use_mask else None
    window = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return deformed(x, weight, offset, given, bias, **window)


def _shaped(x: Tensor, weight: Tensor, offset: Tensor, *_: object) -> Tensor:
    return x.new_empty((len(x), len(weight), *offset.shape[2:]))


class Deformable(nn.Module):
    """A convolution with offsets, and perhaps a mask, as modules around torchvision's have them.

    Parameters
    ----------
    channels, out
        Channels that it reads and makes.
    stride, dilation, groups, offset_groups, bias
        As torchvision has them; its kernel has three taps along each axis.
    modulated
        Whether one convolution gives the offsets and the mask.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        offset_groups: int = 1,
        modulated: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        declare()
        self.weight = nn.Parameter(torch.randn(out, channels // groups, 3, 3) / 6)
        self.bias = nn.Parameter(torch.randn(out)) if bias else None
        sides = (3 if modulated else 2) * 9 * offset_groups
        self.conv_offset = nn.Conv2d(channels, sides, 3, stride, dilation, dilation)
        self.numbers = (*[stride] * 2, *[dilation] * 4, groups, offset_groups, modulated)

    def forward(self, x: Tensor) -> Tensor:
        """Return its map."""
        found = self.conv_offset(x)
        if self.numbers[-1]:
            o1, o2, mask = found.chunk(3, 1)
            offset, mask = torch.cat((o1, o2), 1), mask.sigmoid()
        else:
            offset, mask = found, torch.zeros((len(x), 1), dtype=x.dtype)
        bias = torch.zeros(len(self.weight), dtype=x.dtype) if self.bias is None else self.bias
        result: Tensor = torch.ops.torchvision.deform_conv2d(
            x, self.weight, offset, mask, bias, *self.numbers
        )
        return result
