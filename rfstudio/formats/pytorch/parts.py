"""Source of the modules that PyTorch does not have, copied into a written network where needed."""

from __future__ import annotations

PARTS: dict[str, str] = {
    "ShiftedBatchNorm": '''
class ShiftedBatchNorm(nn.Module):
    """Batch normalisation with a learned shift, but no learned scale."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm
        self.bias = nn.Parameter(torch.zeros(norm.num_features))

    def forward(self, x):
        return self.norm(x) + self.bias.view(-1, *(1,) * (x.dim() - 2))
''',
    "DeformConv": '''
class DeformConv(nn.Module):
    """A convolution whose taps are moved by offsets, for any number of axes.

    It computes what torchvision.ops.deform_conv2d does; max_offset bounds the offsets.
    """

    def __init__(
        self, channels, out, kernel, stride, padding, dilation, groups=1, bias=True, max_offset=None
    ):
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding
        self.dilation, self.groups, self.max_offset = dilation, groups, max_offset
        self.weight = nn.Parameter(torch.empty(out, channels // groups, *kernel))
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x, offset, mask=None):
        count, channels, size = len(offset), x.shape[1], offset.shape[2:]
        axes, taps = len(size), math.prod(self.kernel)
        parts = offset.shape[1] // (axes * taps)
        places = offset.reshape(count, parts, taps, axes, *size).movedim(3, 0)
        if self.max_offset is not None:
            places = places.clamp(-self.max_offset, self.max_offset)
        lines = [torch.arange(k, device=x.device) for k in self.kernel]
        rest = torch.meshgrid(*lines, indexing="ij")
        shape = (taps, *(1,) * axes)
        x = x.reshape(count, parts, channels // parts, *x.shape[2:])
        moved = []
        for axis, (s, p, d) in enumerate(zip(self.stride, self.padding, self.dilation)):
            line = torch.arange(size[axis], device=x.device) * s - p
            line = line.reshape(-1, *(1,) * (axes - 1 - axis))
            moved.append(places[axis] + line + d * rest[axis].reshape(shape))
        columns = between_samples(x, moved)
        if mask is not None:
            columns = columns * mask.reshape(count, parts, 1, taps, *size)
        columns = columns.reshape(count, self.groups, channels // self.groups * taps, -1)
        weight = self.weight.reshape(self.groups, len(self.weight) // self.groups, -1)
        result = (weight @ columns).reshape(count, -1, *size)
        return result if self.bias is None else result + self.bias.view(-1, *(1,) * axes)


def between_samples(x, places):
    """Return what lies between samples of (N, G, C, *map), at (N, G, *places) along each axis."""
    flat, result = x.flatten(3), 0
    lower = [place.detach().floor() for place in places]
    for corner in range(2 ** len(places)):
        share, index = 1, 0
        for axis, (place, low) in enumerate(zip(places, lower)):
            upper, n = corner >> axis & 1, x.shape[3 + axis]
            part = place - low if upper else 1 - (place - low)
            share = share * torch.where((low + upper >= 0) & (low + upper < n), part, 0)
            index = index * n + (low + upper).clamp(0, n - 1).long()
        index = index.flatten(2)[:, :, None].expand(-1, -1, flat.shape[2], -1)
        values = flat.gather(3, index).unflatten(3, places[0].shape[2:])
        result = result + values * share[:, :, None]
    return result
''',
    "ChannelNorm": '''
class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each position."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
''',
    "LayerScale": '''
class LayerScale(nn.Module):
    """A learned factor for each channel."""

    def __init__(self, channels, init):
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), float(init)))

    def forward(self, x):
        return x * self.scale.view(-1, *(1,) * (x.dim() - 2))
''',
    "ScaleAndShift": '''
class ScaleAndShift(nn.Module):
    """A learned factor and a learned shift for each channel, or one for all of them."""

    def __init__(self, channels, init=1.0, scale=True, shift=True):
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), float(init))) if scale else None
        self.shift = nn.Parameter(torch.zeros(channels)) if shift else None

    def forward(self, x):
        for_all = (-1, *(1,) * (x.dim() - 2))
        x = x if self.scale is None else x * self.scale.view(for_all)
        return x if self.shift is None else x + self.shift.view(for_all)
''',
    "SqueezeExcite": '''
class SqueezeExcite(nn.Module):
    """Channels times a gate that a small network computes from their means."""

    def __init__(self, channels, hidden, activation=F.relu, scale_activation=torch.sigmoid):
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)
        self.activation = activation
        self.scale_activation = scale_activation

    def forward(self, x):
        gate = self.scale_activation(self.fc2(self.activation(self.fc1(x.flatten(2).mean(2)))))
        return x * gate.view(*gate.shape, *(1,) * (x.dim() - 2))
''',
    "Attention": '''
class Attention(nn.Module):
    """Self-attention; positions of the map, or along some of its axes, are tokens."""

    def __init__(self, channels, heads, causal=False, axes=None):
        super().__init__()
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)
        self.causal, self.axes = causal, axes

    def forward(self, x):
        axes = range(x.dim() - 2) if self.axes is None else self.axes
        others = [i for i in range(x.dim() - 2) if i not in axes]
        into = [0, *(2 + i for i in others), *(2 + i for i in axes), 1]
        moved = x.permute(into)
        tokens = moved.flatten(1 + len(others), -2).flatten(0, len(others))
        mask = None
        if self.causal:
            count = tokens.shape[1]
            mask = torch.ones(count, count, dtype=torch.bool, device=x.device).triu(1)
        mixed, _ = self.attention(tokens, tokens, tokens, need_weights=False, attn_mask=mask)
        return mixed.reshape(moved.shape).permute([into.index(i) for i in range(x.dim())])
''',
    "PositionEmbedding": '''
class PositionEmbedding(nn.Module):
    """A learned constant at each position."""

    def __init__(self, *shape):
        super().__init__()
        self.position_embedding = nn.Parameter(torch.zeros(1, *shape))

    def forward(self, x):
        return x + self.position_embedding
''',
    "ExtraTokens": '''
class ExtraTokens(nn.Module):
    """Learned tokens without a position, the same for every image."""

    def __init__(self, *shape, embedding=True):
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(1, *shape))
        self.position_embedding = nn.Parameter(torch.zeros(1, *shape)) if embedding else None

    def forward(self, x):
        tokens = self.tokens
        if self.position_embedding is not None:
            tokens = tokens + self.position_embedding
        return tokens.expand(len(x), *tokens.shape[1:])
''',
    "CrossAttention": '''
class CrossAttention(nn.Module):
    """Positions of one map attend to those of another."""

    def __init__(self, channels, key_channels, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(
            channels, heads, kdim=key_channels, vdim=key_channels, batch_first=True
        )

    def forward(self, x, keys):
        keys = keys.flatten(2).mT
        mixed, _ = self.attention(x.flatten(2).mT, keys, keys, need_weights=False)
        return mixed.mT.unflatten(2, x.shape[2:])
''',
    "AxisLinear": '''
class AxisLinear(nn.Module):
    """A linear layer over several dimensions of a map; all others are a batch."""

    def __init__(self, layer, dims, size):
        super().__init__()
        self.layer, self.dims, self.size = layer, dims, size

    def forward(self, x):
        last = tuple(range(-len(self.dims), 0))
        moved = self.layer(x.movedim(self.dims, last).flatten(last[0]))
        return moved.unflatten(-1, self.size).movedim(last, self.dims)
''',
    "Recurrent": '''
class Recurrent(nn.Module):
    """A recurrent layer along one axis of a map; every other axis is a batch."""

    def __init__(self, layer, axis, reverse=False):
        super().__init__()
        self.layer, self.axis, self.reverse = layer, axis, reverse

    def forward(self, x):
        moved = x.movedim(self.axis, -1).movedim(1, -1)
        steps = moved.reshape(-1, *moved.shape[-2:])
        result, _ = self.layer(steps.flip(1) if self.reverse else steps)
        result = result.flip(1) if self.reverse else result
        result = result.reshape(*moved.shape[:-2], *result.shape[-2:])
        return result.movedim(-1, 1).movedim(-1, self.axis)
''',
    "WindowAttention": '''
class WindowAttention(nn.Module):
    """Self-attention within the windows of a grid that starts at minus shift, biased by offset."""

    def __init__(self, channels, heads, window, shift):
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv, self.proj = self._projections(channels)
        offsets = math.prod(2 * w - 1 for w in window)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(offsets, heads))
        rows = torch.zeros(math.prod(window), math.prod(window), dtype=torch.long)
        for positions, w in zip(torch.meshgrid(*map(torch.arange, window), indexing="ij"), window):
            flat = positions.flatten()
            rows = rows * (2 * w - 1) + (flat[:, None] - flat[None, :] + w - 1)
        self.register_buffer("offset", rows, persistent=False)

    def forward(self, x):
        before = [s % w for s, w in zip(self.shift, self.window)]
        after = [-(n + b) % w for n, b, w in zip(x.shape[2:], before, self.window)]
        pads = [p for pair in reversed(list(zip(before, after))) for p in pair]
        counts = [(n + b + a) // w for n, b, a, w in zip(x.shape[2:], before, after, self.window)]
        tokens = self._windows(F.pad(x, pads), counts)
        here = self._windows(F.pad(torch.ones_like(x[:1, :1]), pads), counts)
        mask = torch.zeros_like(here.mT).masked_fill(here.mT == 0, -math.inf)
        bias = self.relative_position_bias_table[self.offset].permute(2, 0, 1)
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for part in self.qkv(tokens).chunk(3, -1)
        )
        mask = bias + mask.unsqueeze(2)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        result = self._map(self.proj(mixed.transpose(-3, -2).flatten(-2)), counts)
        for axis, (b, n) in enumerate(zip(before, x.shape[2:]), 2):
            result = result.narrow(axis, b, n)
        return result

    def _projections(self, channels):
        return nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def _windows(self, x, counts):
        """(N, C, *map) becomes (N, windows, tokens, C)."""
        axes = len(counts)
        x = x.reshape(*x.shape[:2], *(n for pair in zip(counts, self.window) for n in pair))
        x = x.permute(0, *range(2, 2 + 2 * axes, 2), *range(3, 3 + 2 * axes, 2), 1)
        return x.reshape(x.shape[0], math.prod(counts), math.prod(self.window), -1)

    def _map(self, x, counts):
        """(N, windows, tokens, C) becomes (N, C, *map)."""
        axes = len(counts)
        x = x.reshape(x.shape[0], *counts, *self.window, -1)
        x = x.permute(0, 1 + 2 * axes, *(i for a in range(axes) for i in (1 + a, 1 + axes + a)))
        return x.reshape(*x.shape[:2], *(c * w for c, w in zip(counts, self.window)))
''',
    "WindowDotProduct": '''
class WindowDotProduct(WindowAttention):
    """The same of a map that holds queries, keys and values, or is each of them."""

    def __init__(self, channels, heads, window, shift, stacked=False, bias=False):
        super().__init__(channels, heads, window, shift)
        self.stacked = stacked
        if not bias:
            table = torch.zeros_like(self.relative_position_bias_table)
            del self.relative_position_bias_table
            self.register_buffer("relative_position_bias_table", table, persistent=False)

    def _projections(self, channels):
        return nn.Identity(), nn.Identity()

    def forward(self, x):
        return super().forward(x if self.stacked else torch.cat([x] * 3, 1))
''',
    "GridAttention": '''
class GridAttention(WindowAttention):
    """Self-attention among positions as far apart as the cells of a grid, biased by offset."""

    def __init__(self, channels, heads, grid):
        super().__init__(channels, heads, grid, (0,) * len(grid))

    def forward(self, x):
        # Positions of one cell come next to each other, so that a group is a window.
        apart = [n // g for n, g in zip(x.shape[2:], self.window)]
        return _regrouped(super().forward(_regrouped(x, apart)), self.window)


def _regrouped(x, steps):
    """Return a map with positions i, i + step, i + 2 step … of each axis next to each other."""
    for axis, step in enumerate(steps, 2):
        x = x.unflatten(axis, (-1, step)).transpose(axis, axis + 1).flatten(axis, axis + 1)
    return x
''',
    "Custom": '''
class Custom(nn.Module):
    """An operation that only its author knows; fill in `forward`."""

    def __init__(self, label, in_channels, out_channels):
        super().__init__()
        self.label = label

    def forward(self, *maps):
        raise NotImplementedError(f"write the operation {self.label!r} here")
''',
    "attended": '''
def attended(x, heads, tokens=None, stacked=False):
    """Attention among positions of a map that holds queries, keys and values or is each of them.

    With tokens, positions attend to these.
    """
    tokens = x if tokens is None else tokens
    if not stacked:
        x, tokens = torch.cat([x] * 3, 1), torch.cat([tokens] * 3, 1)
    channels = x.shape[1] // 3
    q, k, v = (
        part.flatten(2).unflatten(1, (heads, -1)).mT
        for part in (x[:, :channels], *tokens[:, channels:].chunk(2, 1))
    )
    mixed = F.scaled_dot_product_attention(q, k, v)
    return mixed.mT.flatten(1, 2).unflatten(2, x.shape[2:])
''',
    "avg_pool": '''
def avg_pool(x, kernel, stride, padding, extra, count_padding):
    """Average pooling with any padding; `extra` completes the last windows and never counts."""
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[x.dim() - 3]
    counted = F.pad(torch.ones_like(x[:1, :1]), padding, value=float(count_padding))
    share = pool(F.pad(counted, extra), kernel, stride)
    mean = pool(F.pad(F.pad(x, padding), extra), kernel, stride)
    return mean / share.clamp(min=1e-9)
''',
    "one_tap_each": '''
def one_tap_each(x, kernel, channels):
    """For each channel one kernel for every tap, which is 1 there and 0 elsewhere."""
    taps = torch.eye(math.prod(kernel)).reshape(-1, 1, *kernel).to(x)
    return taps.repeat(channels, *(1,) * (x.dim() - 1))
''',
    "unfold": '''
def unfold(x, kernel, stride, dilation):
    """The samples of each window as channels, for any number of axes."""
    conv = (F.conv1d, F.conv2d, F.conv3d)[x.dim() - 3]
    taps = one_tap_each(x, kernel, x.shape[1])
    return conv(x, taps, None, stride, 0, dilation, x.shape[1])
''',
    "fold": '''
def fold(x, kernel, stride, dilation):
    """Channels put back to their places in windows, which add up, for any number of axes."""
    conv = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[x.dim() - 3]
    channels = x.shape[1] // math.prod(kernel)
    return conv(x, one_tap_each(x, kernel, channels), None, stride, 0, 0, channels, dilation)
''',
    "pad_to": '''
def pad_to(x, size, mode="constant"):
    """Padding on both sides up to a size; an odd sample comes last."""
    pairs = [((m - n) // 2, m - n - (m - n) // 2) for n, m in zip(x.shape[2:], size)]
    return F.pad(x, [p for pair in reversed(pairs) for p in pair], mode=mode)
''',
    "crop_to": '''
def crop_to(x, size):
    """The middle of a map; an odd sample is cut off its end."""
    for axis, (n, m) in enumerate(zip(x.shape[2:], size), 2):
        x = x.narrow(axis, (n - m) // 2, m)
    return x
''',
    "pixel_shuffle": '''
def pixel_shuffle(x, r):
    """Channels to positions, for any number of axes."""
    axes = x.dim() - 2
    blocks = x.reshape(len(x), -1, *(r,) * axes, *x.shape[2:])
    order = (i for axis in range(axes) for i in (2 + axes + axis, 2 + axis))
    return blocks.permute(0, 1, *order).reshape(len(x), -1, *(n * r for n in x.shape[2:]))
''',
    "pixel_unshuffle": '''
def pixel_unshuffle(x, r):
    """Positions to channels, for any number of axes."""
    axes = x.dim() - 2
    blocks = x.reshape(*x.shape[:2], *(m for n in x.shape[2:] for m in (n // r, r)))
    order = (*range(3, 3 + 2 * axes, 2), *range(2, 2 + 2 * axes, 2))
    return blocks.permute(0, 1, *order).reshape(len(x), -1, *(n // r for n in x.shape[2:]))
''',
}
"""Source of each class or function, by its name."""
