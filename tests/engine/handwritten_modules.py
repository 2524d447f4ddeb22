"""Small modules with the idioms that people write by hand, and what NaN says about them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv(
    inputs: int, outputs: int, k: int = 3, s: int = 1, p: int = 1, groups: int = 1
) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, k, s, p, groups=groups)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv(inputs, outputs, s=stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv(outputs, outputs)
        self.down = conv(inputs, outputs, 1, stride, 0) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.relu(self.norm1(self.conv1(x))))
        y += self.down(x)
        return self.relu(y)


class Residuals(nn.Module):
    """A stem and two stages of residual blocks, the first of equal ones."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 8, 5, 2, 2)
        self.layer1 = nn.Sequential(Block(8, 8), Block(8, 8), Block(8, 8))
        self.layer2 = nn.Sequential(Block(8, 16, 2), Block(16, 16))
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(self.stem(x)))
        return self.head(self.drop(x.mean((2, 3))))


class Pieces(nn.Module):
    """Strided slices, a channel shuffle by view, circular padding by cat, a flip."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = conv(12, 8), conv(4, 4), conv(8, 8), conv(8, 8, p=0)

    def forward(self, x: Tensor) -> Tensor:
        quarters = [x[..., i::2, j::2] for j in (0, 1) for i in (0, 1)]
        x = self.a(torch.cat(quarters, 1))
        p, q = x.chunk(2, 1)
        x = torch.cat([p, self.b(q)], 1)
        n, c, h, w = x.shape
        x = self.c(x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w))
        x = torch.cat([x[..., -1:], x, x[..., :1]], 3)
        x = self.d(x)
        return x + x.flip(3)


class Interleaved(nn.Module):
    """Two lists of modules that are entered in turn, and one module that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = conv(3, 4)
        self.blocks = nn.ModuleList(conv(4, 4) for _ in range(3))
        self.downs = nn.ModuleList(conv(4, 4, 3, 2) for _ in range(2))
        self.shared = conv(4, 4, 1, 1, 0)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.first(x)
        sizes = {}
        for i, block in enumerate(self.blocks):
            x = torch.relu(block(x))
            sizes[str(i)] = x
            if i < 2:
                x = self.downs[i](x)
        up = functional.interpolate(self.shared(sizes["2"]), scale_factor=2.0, mode="bilinear")
        return {"out": self.shared(sizes["1"]) + up, **sizes}


class Windows(nn.Module):
    """Attention in shifted windows with a mask, as Swin has it, and patch merging."""

    mask: Tensor

    def __init__(self, shift: int = 2) -> None:
        super().__init__()
        self.embed = conv(3, 8, 2, 2, 0)
        self.norm = nn.LayerNorm(8)
        self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)
        self.merge = nn.Linear(32, 16)
        self.shift = shift
        self.register_buffer("mask", self._mask())

    def _mask(self, n: int = 16, w: int = 4) -> Tensor:
        region = torch.zeros(n)
        region[-w : -self.shift], region[-self.shift :] = 1, 2
        image = region[:, None] * 3 + region[None, :]
        ids = image.view(n // w, w, n // w, w).transpose(1, 2).reshape(-1, w * w)
        return torch.where(ids[:, None] == ids[:, :, None], 0.0, -100.0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).permute(0, 2, 3, 1)
        n, h, w, c = x.shape
        y = torch.roll(self.norm(x), (-self.shift, -self.shift), (1, 2))
        y = y.view(n, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, c)
        q, k, v = self.qkv(y).reshape(-1, 16, 3, 2, 4).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) * 0.5
        scores = scores.view(n, -1, 2, 16, 16) + self.mask[None, :, None]
        y = scores.view(-1, 2, 16, 16).softmax(-1) @ v
        y = self.proj(y.transpose(1, 2).reshape(-1, 16, c))
        y = y.view(n, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        x = x + torch.roll(y, (self.shift, self.shift), (1, 2))
        parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.merge(torch.cat(parts, -1)).permute(0, 3, 1, 2)


class Tokens(nn.Module):
    """A small vision transformer with a class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = conv(3, 8, 4, 4, 0)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.place = nn.Parameter(torch.zeros(1, 65, 8))
        self.norm = nn.LayerNorm(8)
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).mT
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        y = self.norm(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        x = x + self.mlp(x)
        return self.head(x[:, 0])


class Gates(nn.Module):
    """Squeeze and excite, means along one axis each, a pixel shuffle by view, rows as a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.u, self.v = conv(3, 16, 4, 4, 0), conv(16, 16, 1, 1, 0), conv(16, 16, 1, 1, 0)
        self.rows, self.b = nn.Conv1d(16, 16, 3, padding=1), conv(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        x = x * torch.sigmoid(self.u(x.mean(3, True)) + self.v(x.mean(2, True)))
        n, c, h, w = x.shape
        rows = self.rows(x.permute(0, 2, 1, 3).reshape(n * h, c, w))
        x = rows.view(n, h, c, w).permute(0, 2, 1, 3)
        x = x.reshape(n, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, 4, 2 * h, 2 * w)
        return self.b(x)


class Mixed(nn.Module):
    """Grid attention: tokens as far apart as the cells of a grid."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.qkv, self.b = conv(3, 8), nn.Linear(8, 24), conv(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        n, c, h, w = x.shape
        y = x.view(n, c, 4, h // 4, 4, w // 4).permute(0, 3, 5, 2, 4, 1).reshape(-1, 16, c)
        q, k, v = self.qkv(y).chunk(3, -1)
        y = functional.scaled_dot_product_attention(q, k, v)
        y = y.view(n, h // 4, w // 4, 4, 4, c).permute(0, 5, 3, 1, 4, 2).reshape(n, c, h, w)
        return self.b(y)


class Volume(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv3d(2, 4, (1, 3, 3), padding=(0, 1, 1)), nn.Conv3d(4, 4, 3, 2, 1)
        self.up = nn.ConvTranspose3d(4, 4, (1, 2, 2), (1, 2, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.up(torch.relu(self.b(torch.relu(self.a(x)))))


class Signal(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1d(1, 4, 5, 2), nn.Conv1d(4, 4, 3, dilation=4, padding="same")

    def forward(self, x: Tensor) -> Tensor:
        return self.b(functional.gelu(self.a(x)))


MODULES = {
    Residuals: (1, 3, 48, 40),
    Pieces: (1, 3, 24, 32),
    Interleaved: (1, 3, 32, 24),
    Windows: (1, 3, 32, 32),
    Tokens: (1, 3, 32, 32),
    Gates: (1, 3, 32, 40),
    Mixed: (1, 3, 16, 16),
    Volume: (1, 2, 5, 12, 12),
    Signal: (1, 1, 64),
}
"""Each with the shape of its image."""


def seen(
    module: nn.Module, shape: tuple[int, ...], path: str, unit: tuple[int, ...], extra: int = 0
) -> tuple[tuple[int, int], ...] | None:
    """Return the hull of the pixels that reach a unit of a submodule: NaN in them comes out.

    No graph is involved, so it shares no mistake with the importer.  A mask of −100 is taken for
    what it means, −∞, since NaN passes any finite one.
    """
    outputs: list[Tensor] = []
    handle = module.get_submodule(path).register_forward_hook(
        lambda _m, _i, y: outputs.append(y[0] if isinstance(y, tuple) else y)
    )
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    reached = []
    try:
        for axis, n in enumerate(shape[2:]):
            lines = []
            for i in range(n):
                x = image.clone()
                x.narrow(2 + axis, i, 1).fill_(torch.nan)
                with torch.no_grad():
                    module(x)
                lines.append(_is_nan(outputs[-1], unit, len(shape) - 2, extra))
            hits = [i for i, hit in enumerate(lines) if hit]
            reached.append((hits[0], hits[-1]) if hits else None)
    finally:
        handle.remove()
    return None if None in reached else tuple(x for x in reached if x is not None)


def _is_nan(output: Any, unit: tuple[int, ...], axes: int, extra: int) -> bool:
    if output.dim() == axes + 2:
        return bool(output[(0, slice(None), *unit)].isnan().any())
    side = round((output.shape[1] - extra) ** 0.5)
    return bool(output[0, extra + unit[0] * side + unit[1]].isnan().any())
