"""Small modules as people write them who never thought of an importer, one idiom each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.engine.handwritten_modules import conv

IDIOMS: dict[type[nn.Module], tuple[int, ...]] = {}
"""Each module with the shape of its image."""


def idiom(*shape: int) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """Enter a module with the channels and the size of its image."""

    def enter(kind: type[nn.Module]) -> type[nn.Module]:
        IDIOMS[kind] = shape
        return kind

    return enter


class Pair(nn.Module):
    """Two convolutions, with something between them."""

    inner = 8

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = conv(3, 8), conv(self.inner, 8)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.b(self.between(self.a(x)))
        return result

    def between(self, x: Tensor) -> Tensor:
        raise NotImplementedError


@idiom(3, 16, 20)
class ShiftsByWriting(Pair):
    def between(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        y[:, :2, 1:] = x[:, :2, :-1]
        y[:, 2:4, :-3] = x[:, 2:4, 3:]
        y[:, 4:] = x[:, 4:]
        return y


@idiom(3, 16, 20)
class WritesSomeChannels(Pair):
    def __init__(self) -> None:
        super().__init__()
        self.part = conv(2, 2, 5, 1, 2)

    def between(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, :2] = self.part(x[:, :2])
        return x


@idiom(3, 16, 20)
class WritesOverViews(Pair):
    def between(self, x: Tensor) -> Tensor:
        x = x.clone()
        left, right = x.chunk(2, 1)
        left += right.roll(3, 2)
        x.transpose(2, 3)[:, :, 4:8] = 0
        return x


@idiom(3, 9, 12)
class Inserts(Pair):
    def between(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y = x.new_zeros(n, c, 2 * h, 2 * w)
        y[:, :, ::2, 1::2] = x
        y[:, :, 1::2, ::2] = x.flip(2)
        return y


@idiom(3, 16, 20)
class Gated(Pair):
    inner = 2

    def between(self, x: Tensor) -> Tensor:
        x = functional.glu(x, 1)
        x, gate = x.split([2, 2], 1)
        return x * torch.sigmoid(functional.avg_pool2d(gate, 5, 1, 2))


@idiom(3, 16, 24)
class Patches(nn.Module):
    """Blocks by unfold on tensors, in attention and as tokens of a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.qkv, self.b = conv(3, 8), nn.Linear(8, 24), conv(8, 8)
        self.matrix, self.c = nn.Linear(32, 5), conv(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        n, c, h, w = x.shape
        y = x.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 4, 5, 1).reshape(-1, 16, c)
        q, k, v = self.qkv(y).view(-1, 16, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, 16, c)
        y = y.view(n, h // 4, w // 4, 4, 4, c).permute(0, 5, 1, 3, 2, 4).reshape(n, c, h, w)
        x = self.b(x + y)
        p = x.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5)
        result: Tensor = self.c(self.matrix(p.reshape(n, h // 2, w // 2, -1)).permute(0, 3, 1, 2))
        return result


@idiom(3, 16, 20)
class StacksMaps(Pair):
    def __init__(self) -> None:
        super().__init__()
        self.deep = nn.Conv3d(8, 8, 3, padding=(0, 1, 1))

    def between(self, x: Tensor) -> Tensor:
        frames: Tensor = self.deep(torch.stack([x, x.flip(-1), x.roll(2, -2)], 2))
        return frames.squeeze(2)


@idiom(3, 16, 20)
class Halves(Pair):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = conv(8, 8), conv(8, 8, 5, 1, 2)

    def between(self, x: Tensor) -> Tensor:
        half = x.shape[3] // 2
        return torch.cat([self.left(x[..., :half]), self.right(x[..., half:])], 3)


@idiom(3, 6, 8)
class RowByRow(Pair):
    """Each row takes in the one before, as in spatial CNNs for lanes."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Conv2d(8, 8, (1, 3), padding=(0, 1))

    def between(self, x: Tensor) -> Tensor:
        rows = list(x.split(1, 2))
        for i in range(1, len(rows)):
            rows[i] = rows[i] + torch.relu(self.step(rows[i - 1]))
        return torch.cat(rows, 2)


@idiom(3, 6, 8)
class WritesRowByRow(Pair):
    def __init__(self) -> None:
        super().__init__()
        self.row = nn.Conv1d(8, 8, 3, padding=1)

    def between(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        for i in range(x.shape[2]):
            y[:, :, i] = self.row(x[:, :, i])
        return y


@idiom(3, 16, 20)
class Indexed(Pair):
    order: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("order", torch.tensor([3, 1, 0, 2, 7, 6, 5, 4]))

    def between(self, x: Tensor) -> Tensor:
        x = x[:, self.order][:, :, torch.tensor([0, 2, 4, 6, 7, 8, 8, 8, 3])]
        return torch.index_select(x, 3, torch.arange(x.shape[3] - 1, -1, -1))


@idiom(2, 6, 12, 10)
class ShiftsInTime(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv3d(2, 8, (1, 3, 3), padding=(0, 1, 1))
        self.b = nn.Conv3d(8, 8, (1, 3, 3), padding=(0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x).transpose(1, 2)
        y = torch.zeros_like(x)
        y[:, :-1, :2] = x[:, 1:, :2]
        y[:, 1:, 2:4] = x[:, :-1, 2:4]
        y[:, :, 4:] = x[:, :, 4:]
        result: Tensor = self.b(y.transpose(1, 2))
        return result


@idiom(3, 17, 23)
class Pyramid(nn.Module):
    """Odd sizes: interpolation to the size of a skip, padding of what is short, pooled levels."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.up = conv(3, 8), conv(8, 8, 3, 2), nn.ConvTranspose2d(8, 8, 2, 2)
        self.c, self.d = conv(16, 8), conv(24, 8)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        b = self.b(functional.max_pool2d(a, 2))
        up = self.up(b)
        y, x_ = a.shape[2] - up.shape[2], a.shape[3] - up.shape[3]
        c = self.c(
            torch.cat([a, functional.pad(up, [x_ // 2, x_ - x_ // 2, y // 2, y - y // 2])], 1)
        )
        levels = [functional.adaptive_avg_pool2d(c, k) for k in (1, 3)]
        wide = [functional.interpolate(y, c.shape[2:], mode="bilinear") for y in levels]
        result: Tensor = self.d(torch.cat([c, *wide], 1))
        return result


@idiom(3, 16, 24)
class FoldsBack(Pair):
    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Linear(72, 72)

    def between(self, x: Tensor) -> Tensor:
        columns = self.matrix(functional.unfold(x, 3, padding=1).transpose(1, 2)).transpose(1, 2)
        return functional.fold(columns, x.shape[2:], 3, padding=1)


@idiom(3, 16, 24)
class Involution(Pair):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = conv(8, 9, 1, 1, 0)

    def between(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        taps = functional.unfold(x, 3, padding=1).view(n, c, 9, h, w)
        return (taps * self.kernel(x).view(n, 1, 9, h, w)).sum(2)


@idiom(3, 16, 24)
class Blurred(Pair):
    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2, 1])
        self.register_buffer("taps", (line[:, None] * line).repeat(8, 1, 1, 1) / 16)

    def between(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        x = functional.conv2d(x, self.taps, stride=2, groups=8)
        n, c, h, w = x.shape
        box = torch.ones(1, 1, 3, 3)
        return functional.conv2d(x.reshape(n * c, 1, h, w), box, padding=1).view(n, c, h, w)


@idiom(3, 16, 24)
class Waves(nn.Module):
    """A tuple of skips between modules, and outputs in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.first = conv(3, 8)
        self.steps = nn.ModuleList(nn.Conv1d(8, 16, 2, dilation=2**k) for k in range(3))
        self.heads = nn.ModuleDict({"one": conv(8, 4), "two": conv(8, 4, 5, 1, 2)})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.first(x)
        n, c, h, w = x.shape
        rows = x.transpose(1, 2).reshape(n * h, c, w)
        for k, step in enumerate(self.steps):
            a, b = step(functional.pad(rows, (2**k, 0))).chunk(2, 1)
            rows = rows + torch.tanh(a) * torch.sigmoid(b)
        x = rows.view(n, h, c, w).transpose(1, 2)
        return {k: head(x) for k, head in self.heads.items()}


@idiom(3, 16, 24)
class RelativeLogits(Pair):
    """Products with relative positions, shifted by padding rows and laying them out anew."""

    def __init__(self) -> None:
        super().__init__()
        self.relative = nn.Parameter(torch.rand(7, 8))

    def between(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        rows = x.view(n, c, h, w // 4, 4).permute(0, 2, 3, 4, 1).reshape(-1, 4, c)
        y = functional.pad((rows @ self.relative.t()).reshape(-1, 4, 7), [0, 1]).flatten(1)
        y = functional.pad(y, [0, 3]).reshape(-1, 5, 7)[:, :4, 3:]
        return x + y.reshape(n, 1, h, w // 4, 16).sum(4).repeat_interleave(4, 3)


@idiom(3, 16, 20)
class ConvolvesPatches(Pair):
    """A convolution inside each patch, which takes patches for images."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.mix = conv(8, 4), nn.Linear(4 * 16, 8)

    def between(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        patches = functional.unfold(x, 4, stride=4).transpose(1, 2).reshape(-1, c, 4, 4)
        y = self.mix(functional.avg_pool2d(self.patch(patches), 3, 1, 1).flatten(1))
        result: Tensor = y.view(n, h // 4, w // 4, 8).permute(0, 3, 1, 2)
        return result


@idiom(3, 16, 24)
class Stripes(Pair):
    """Attention in stripes with a convolution inside each, as CSWin has it."""

    def between(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        y = x.view(n, c, h // 8, 8, w // 4, 4).permute(0, 2, 4, 1, 3, 5).reshape(-1, c, 8, 4)
        near = self.near(y)
        y = y.flatten(2).transpose(1, 2)
        y = functional.scaled_dot_product_attention(y, y, y).transpose(1, 2).view_as(near) + near
        y = y.view(n, h // 8, w // 4, c, 8, 4).permute(0, 3, 1, 4, 2, 5)
        result: Tensor = y.reshape(n, c, h, w)
        return result

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Conv2d(8, 8, 3, padding=1, groups=8)


@idiom(3, 16, 24)
class MadeKernels(Pair):
    """A convolution whose kernels are made from the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.make = nn.Linear(8, 8 * 9)

    def between(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        kernels = self.make(x.mean((2, 3))).view(n * c, 1, 3, 3)
        y = functional.conv2d(x.reshape(1, n * c, h, w), kernels, padding=1, groups=n * c)
        return y.view(n, c, h, w)


@idiom(3, 16, 20)
class RollsSomeChannels(Pair):
    def between(self, x: Tensor) -> Tensor:
        a, b, c, d = x.chunk(4, 1)
        rolled = [torch.roll(a, 1, 2), torch.roll(b, -1, 2), torch.roll(c, 2, 3)]
        return torch.cat([*rolled, torch.roll(d, -2, 3)], 1)


@idiom(3, 16, 24)
class SamplesAtGrid(Pair):
    """A warp with a constant grid, which halves the map and mirrors its rows."""

    def between(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        turned = torch.tensor([[[-1.0, 0, 0], [0, 1, 0]]]).expand(n, 2, 3)
        grid = functional.affine_grid(turned, [n, c, h // 2, w // 2], align_corners=False)
        return functional.grid_sample(x, grid, align_corners=False)


@idiom(3, 16, 24)
class ResizesExactly(Pair):
    def between(self, x: Tensor) -> Tensor:
        x = functional.interpolate(x, size=(10, 16), mode="bilinear", antialias=True)
        return functional.interpolate(x, size=(24, 13), mode="nearest-exact")


@idiom(3, 16, 24)
class AddsToScores(Pair):
    """Attention in columns, to whose scores something of the whole image is added."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Linear(8, 16)

    def between(self, x: Tensor) -> Tensor:
        columns = x.permute(0, 3, 2, 1)
        scores = columns @ columns.mT + self.bias(x.mean((2, 3)))[:, None, None]
        return (scores.softmax(-1) @ columns).permute(0, 3, 2, 1)


@idiom(3, 16, 24)
class CoordinateAttention(Pair):
    """Means of rows and of columns, joined to a line for a layer that they share."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.rows, self.columns = conv(8, 4, 1, 1, 0), conv(4, 8, 1, 1, 0), conv(4, 8)
        self.norm = nn.BatchNorm2d(4)

    def between(self, x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True).permute(0, 1, 3, 2)
        line = self.shared(torch.cat([rows, columns], 2))
        line = functional.hardswish(self.norm(line))
        rows, columns = line.split([h, w], 2)
        result: Tensor = self.rows(rows).sigmoid()
        return result * self.columns(columns.permute(0, 1, 3, 2)).sigmoid()


@idiom(3, 12, 16)
class TokenAtTheEnd(Pair):
    """Attention of tokens of which the last one is learned and has no place, and is cut again."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.qkv = nn.Parameter(torch.rand(1, 1, 8)), nn.Linear(8, 24)

    def between(self, x: Tensor) -> Tensor:
        tokens = torch.cat([x.flatten(2).mT, self.token], 1)
        query, key, value = self.qkv(tokens).chunk(3, -1)
        tokens = tokens + (query @ key.mT).softmax(-1) @ value
        token, kept = tokens[:, -1:], tokens[:, :-1]
        return (kept * token.sigmoid()).mT.unflatten(2, x.shape[2:])


@idiom(3, 16, 24)
class PoolsTokens(Pair):
    """One-dimensional pooling of the line of all tokens, row after row."""

    def between(self, x: Tensor) -> Tensor:
        runs = functional.avg_pool1d(x.flatten(2), 4) + functional.max_pool1d(x.flatten(2), 4)
        return runs.repeat_interleave(4, 2).unflatten(2, x.shape[2:])


@idiom(3, 12, 16)
class LearnedQueries(Pair):
    """Nine learned queries of two heads that read all of a map, as in a detector."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.rand(1, 9, 8))
        self.cross = nn.MultiheadAttention(8, 2, batch_first=True)

    def between(self, x: Tensor) -> Tensor:
        memory = x.flatten(2).mT
        result: Tensor = self.cross(self.queries, memory, memory, need_weights=False)[0]
        return result.mT.unflatten(2, (3, 3))


@idiom(3, 16, 24)
class RowsAsChannels(Pair):
    """Rows and channels change places, so that a window slides over channels and columns."""

    inner = 16

    def between(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 1, 3)


@idiom(3, 16, 24)
class QueriesOfWindows(Pair):
    """Four learned queries that read windows of 4 × 4, and become 2 × 2 positions of each."""

    def __init__(self) -> None:
        super().__init__()
        self.queries, self.sides = nn.Parameter(torch.rand(1, 4, 8)), nn.Linear(8, 16)

    def between(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        parts = x.view(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
        key, value = self.sides(parts).chunk(2, -1)
        queries = self.queries.expand(len(parts), -1, -1)
        made = functional.scaled_dot_product_attention(queries, key, value)
        made = made.view(n, h // 4, w // 4, 2, 2, c).permute(0, 5, 1, 3, 2, 4)
        return made.reshape(n, c, h // 2, w // 2)


@idiom(3, 12, 16)
class StatesOfMaps(Pair):
    """Nine states that read all of a map, convolved as samples, as in EfficientViM."""

    def __init__(self) -> None:
        super().__init__()
        self.shares, self.states = nn.Conv1d(8, 9, 1), nn.Conv1d(8, 8, 1)

    def between(self, x: Tensor) -> Tensor:
        line = x.flatten(2)
        made: Tensor = self.states(line @ self.shares(line).softmax(-1).mT)
        return made.unflatten(2, (3, 3))
