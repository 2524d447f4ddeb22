"""Operations whose outputs read the whole map, or a whole window of a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from math import inf, prod
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core import ops
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import per_axis
from rfstudio.engine.module.boxes import Box, Part, fetch
from rfstudio.engine.module.layers.base import (
    ADAPTIVE_AVG_POOL,
    ADAPTIVE_MAX_POOL,
    Affine,
    Evaluate,
    FromWholeMap,
    LayerModule,
    read_box,
)
from rfstudio.engine.module.layers.module_table import layer_for


@layer_for(ops.GlobalAvgPool)
class GlobalAvgPoolModule(FromWholeMap[ops.GlobalAvgPool]):
    """The mean over the map."""

    keeps = "nothing"

    def apply_to_map(self, x: Tensor) -> Tensor:  # noqa: D102
        pool: Callable[..., Tensor] = ADAPTIVE_AVG_POOL[x.dim() - 2]
        return pool(x, 1)


@layer_for(ops.GlobalMaxPool)
class GlobalMaxPoolModule(FromWholeMap[ops.GlobalMaxPool]):
    """The maximum over the map."""

    def apply_to_map(self, x: Tensor) -> Tensor:  # noqa: D102
        pool: Callable[..., Tensor] = ADAPTIVE_MAX_POOL[x.dim() - 2]
        return pool(x, 1)


AxisPoolT_co = TypeVar("AxisPoolT_co", bound=ops.AxisPool, covariant=True)


class AxisPoolModule(LayerModule[AxisPoolT_co]):
    """One number of all samples along some axes, at each position along the others."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        along = self.op.along(len(node.size))
        box = tuple([(source if x in along else target).box[x] for x in range(len(node.size))])
        cut, extent = fetch(source, box), target.extent

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = cut(inputs[0])
            for axis in along:
                x = self.pooled(x, 2 + axis)
            return x.expand(-1, -1, *extent)

        return evaluate

    def pooled(self, x: Tensor, dim: int) -> Tensor:
        """Return one sample of all along one axis."""
        raise NotImplementedError


@layer_for(ops.AxisMean)
class AxisMeanModule(AxisPoolModule[ops.AxisMean]):
    """The mean over some axes."""

    keeps = "nothing"

    def pooled(self, x: Tensor, dim: int) -> Tensor:  # noqa: D102
        return x.mean(dim, keepdim=True)


@layer_for(ops.AxisMax)
class AxisMaxModule(AxisPoolModule[ops.AxisMax]):
    """The maximum over some axes."""

    def pooled(self, x: Tensor, dim: int) -> Tensor:  # noqa: D102
        # Not amax: the gradient must go to one sample, as in PyTorch's pools.
        return x.max(dim, keepdim=True).values


@layer_for(ops.Flatten)
class FlattenModule(FromWholeMap[ops.Flatten]):
    """Positions become channels."""

    keeps = "nothing"

    def apply_to_map(self, x: Tensor) -> Tensor:  # noqa: D102
        return x.reshape(x.shape[0], -1, *(1,) * (x.dim() - 2))


@layer_for(ops.Linear)
class LinearModule(FromWholeMap[ops.Linear]):
    """A fully connected layer over all positions and channels."""

    keeps = "nothing"

    def __init__(self, op: ops.Linear, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        features = sources[0].channels * prod(sources[0].size)
        self.weight = nn.Parameter(torch.empty(node.channels, features))
        self.bias = nn.Parameter(torch.zeros(node.channels)) if op.bias else None

    def apply_to_map(self, x: Tensor) -> Tensor:  # noqa: D102
        result = functional.linear(x.flatten(1), self.weight, self.bias)
        return result.view(*result.shape, *(1,) * (x.dim() - 2))

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        return {"weight": self.weight.shape[1]}


@layer_for(ops.AxisLinear)
class AxisLinearModule(LayerModule[ops.AxisLinear]):
    """A fully connected layer over some axes; channels and other positions are a batch."""

    keeps = "nothing"

    def __init__(self, op: ops.AxisLinear, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        along = op.along(len(node.size))
        read, made = (prod([x.size[axis] for axis in along]) for x in (sources[0], node))
        self.weight = nn.Parameter(torch.empty(made, read))
        self.bias = nn.Parameter(torch.zeros(made)) if op.bias else None

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        axes = len(node.size)
        along = self.op.along(axes)
        others = [x for x in range(axes) if x not in along]
        cut = fetch(source, tuple((source if x in along else target).box[x] for x in range(axes)))
        into = [0, 1, *(2 + x for x in others), *(2 + x for x in along)]
        back = [into.index(x) for x in range(2 + axes)]
        made = [node.size[x] for x in along]
        picked = tuple(slice(*target.box[x]) if x in along else slice(None) for x in range(axes))

        def evaluate(inputs: list[Tensor]) -> Tensor:
            moved = cut(inputs[0]).permute(into)
            batch = moved.shape[: 2 + len(others)]
            result = functional.linear(moved.reshape(*batch, -1), self.weight, self.bias)
            return result.reshape(*batch, *made).permute(back)[(slice(None), slice(None), *picked)]

        return evaluate

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        return {"weight": self.weight.shape[1]}


@layer_for(ops.InstanceNorm, ops.GroupNorm)
class GroupNormModule(FromWholeMap[ops.MapNorm]):
    """Normalisation over the map, of groups of channels or of each channel."""

    def __init__(self, op: ops.MapNorm, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        self.groups = op.group_count(node.channels)
        self.eps = op.eps
        self.weight = nn.Parameter(torch.ones(node.channels)) if op.affine else None
        self.bias = nn.Parameter(torch.zeros(node.channels)) if op.affine else None

    def apply_to_map(self, x: Tensor) -> Tensor:  # noqa: D102
        # Not the function of torch.nn.functional, which refuses maps of a single position.
        return torch.group_norm(x, self.groups, self.weight, self.bias, self.eps)


@layer_for(ops.SqueezeExcite)
class SqueezeExciteModule(LayerModule[ops.SqueezeExcite]):
    """Channels times a gate that a small network makes from their means over the map."""

    def __init__(self, op: ops.SqueezeExcite, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        hidden = max(op.hidden_channels(node.channels), 1)
        self.fc1 = Affine(node.channels, hidden)
        self.fc2 = Affine(hidden, node.channels)

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        cut = fetch(sources[0], target.box)
        axes = len(node.size)
        op = self.op
        hidden: Callable[[Tensor], Tensor] = getattr(functional, op.activation)
        opening: Callable[[Tensor], Tensor] = getattr(functional, op.scale_activation)

        def evaluate(inputs: list[Tensor]) -> Tensor:
            mean = inputs[0].flatten(2).mean(2)
            gate = opening(self.fc2(hidden(self.fc1(mean))))
            return cut(inputs[0]) * gate.view(*gate.shape, *(1,) * axes)

        return evaluate

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        return {"fc1.weight": self.fc1.in_features, "fc2.weight": self.fc2.in_features}


@layer_for(ops.Attention)
class AttentionModule(LayerModule[ops.Attention]):
    """Multi-head self-attention; positions of the map, or along some axes, are tokens."""

    def __init__(self, op: ops.Attention, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        self.heads = op.heads
        channels = node.channels
        self.in_proj_weight = nn.Parameter(torch.empty(3 * channels, channels))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        self.out_proj = Affine(channels, channels)

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        channels, extent, heads = node.channels, target.extent, self.heads
        axes = len(node.size)
        along = self.op.along(axes)
        others = [x for x in range(axes) if x not in along]
        # Along the other axes every position is a batch of its own.
        read = tuple([(source if x in along else target).box[x] for x in range(axes)])
        cut, cut_read = fetch(source, target.box), fetch(source, read)
        into = [0, *(2 + x for x in others), *(2 + x for x in along), 1]
        back = [0, axes + 1, *(1 + [*others, *along].index(x) for x in range(axes))]
        asked_extent = [extent[x] for x in (*others, *along)]
        mask: Tensor | None = None
        if self.op.causal:
            (axis,) = along
            asked, known = (torch.arange(*box[axis]) for box in (target.box, read))
            mask = known <= asked[:, None]

        def tokens_of(x: Tensor) -> Tensor:
            moved = x.permute(into)
            return moved.reshape(prod(moved.shape[: 1 + len(others)]), -1, channels)

        def evaluate(inputs: list[Tensor]) -> Tensor:
            tokens = tokens_of(cut_read(inputs[0]))
            positions = tokens if target.is_whole else tokens_of(cut(inputs[0]))
            weight, bias = self.in_proj_weight, self.in_proj_bias
            query = functional.linear(positions, weight[:channels], bias[:channels])
            pair = functional.linear(tokens, weight[channels:], bias[channels:])
            q, k, v = (_split(x, heads) for x in (query, *pair.chunk(2, -1)))
            seen = None if mask is None else mask.to(q.device)
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
            mixed = mixed.transpose(1, 2).flatten(2)
            result: Tensor = self.out_proj(mixed)
            return result.reshape(len(inputs[0]), *asked_extent, channels).permute(back)

        return evaluate

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        channels = self.out_proj.in_features
        return {"in_proj_weight": channels, "out_proj.weight": channels}


def _split(x: Tensor, heads: int) -> Tensor:
    """(…, tokens, channels) becomes (…, heads, tokens, channels of a head)."""
    return x.reshape(*x.shape[:-1], heads, -1).transpose(-3, -2)


@layer_for(ops.Recurrent)
class RecurrentModule(LayerModule[ops.Recurrent]):
    """An LSTM, GRU or plain recurrent layer, with the weights of those of torch."""

    def __init__(self, op: ops.Recurrent, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        channels = sources[0].channels
        state = op.state(channels)
        rows = {"lstm": 4, "gru": 3, "rnn": 1}[op.kind] * state
        self._shapes = {"weight_ih": channels, "weight_hh": state}
        self._names: list[str] = []
        for way in ("_l0", "_l0_reverse")[: 2 if op.bidirectional else 1]:
            for name, columns in self._shapes.items():
                self.register_parameter(name + way, nn.Parameter(torch.empty(rows, columns)))
                self._names.append(name + way)
            for name in ("bias_ih", "bias_hh"):
                self.register_parameter(name + way, nn.Parameter(torch.zeros(rows)))
                self._names.append(name + way)
        self.states = state

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        op, axes = self.op, len(node.size)
        along = op.along(axes)
        read = read_box(node.rules, target.box)
        cut = fetch(sources[0], read)
        first = target.box[along][0] - read[along][0]
        count = target.extent[along]
        functions: dict[str, Any] = {"lstm": torch.lstm, "gru": torch.gru, "rnn": torch.rnn_tanh}
        run = functions[op.kind]
        ways = 2 if op.bidirectional else 1

        def evaluate(inputs: list[Tensor]) -> Tensor:
            # Every other axis is a batch of sequences: (N, C, …, steps) becomes (N …, steps, C).
            moved = cut(inputs[0]).movedim(2 + along, -1).movedim(1, -1)
            steps = moved.reshape(-1, *moved.shape[-2:])
            steps = steps.flip(1) if op.reverse else steps
            state = steps.new_zeros(ways, len(steps), self.states)
            start = (state, state) if op.kind == "lstm" else state
            weights = [self.get_parameter(x) for x in self._names]
            result: Tensor
            result = run(steps, start, weights, True, 1, 0.0, False, ways == 2, True)[0]
            result = result.flip(1) if op.reverse else result
            result = result[:, first : first + count]
            result = result.reshape(*moved.shape[:-2], *result.shape[-2:])
            return result.movedim(-1, 1).movedim(-1, 2 + along)

        return evaluate

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        return {x: self.get_parameter(x).shape[1] for x in self._names if x.startswith("weight")}


WindowedT_co = TypeVar(
    "WindowedT_co", bound=ops.WindowAttention | ops.DotProductAttention, covariant=True
)


class InWindows(LayerModule[WindowedT_co]):
    """Attention within the windows of a grid; windows at the border are cut off.

    Attributes
    ----------
    window
        Size of a window along each axis.
    shift
        How far before sample 0 the first window starts.
    """

    window: tuple[int, ...]
    shift: tuple[int, ...]

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        axes, made = len(node.size), node.channels
        grid = tuple(
            ((a + shift) // w * w - shift, -(-(b + shift) // w) * w - shift)
            for (a, b), w, shift in zip(target.box, self.window, self.shift, strict=True)
        )
        counts = [(b - a) // w for (a, b), w in zip(grid, self.window, strict=True)]
        cut_windows = fetch(source, grid)
        cut_output = fetch(
            Part(tuple(b - a for a, b in grid), _from_zero(grid)),
            tuple((a - low, b - low) for (a, b), (low, _) in zip(target.box, grid, strict=True)),
        )
        absent = self._absent(source.size, grid, counts)
        split = list(chain.from_iterable(zip(counts, self.window, strict=True)))
        into = [0, *(2 + 2 * i for i in range(axes)), *(3 + 2 * i for i in range(axes)), 1]
        back = [0, 1 + 2 * axes, *chain.from_iterable((1 + i, 1 + axes + i) for i in range(axes))]

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = cut_windows(inputs[0])
            n, channels = x.shape[:2]
            tokens = x.reshape(n, channels, *split).permute(into)
            tokens = tokens.reshape(n, prod(counts), prod(self.window), channels)
            q, k, v = (_split(x, self.op.heads) for x in self.projected(tokens).chunk(3, -1))
            bias, mask = self.bias(), absent.to(x)
            mask = mask if bias is None else bias + mask
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            result = self.joined(mixed.transpose(-3, -2).flatten(-2))
            result = result.reshape(n, *counts, *self.window, made).permute(back)
            return cut_output(result.reshape(n, made, *(b - a for a, b in grid)))

        return evaluate

    def projected(self, tokens: Tensor) -> Tensor:
        """Return queries, keys and values of tokens (windows, tokens, channels) side by side."""
        raise NotImplementedError

    def joined(self, heads: Tensor) -> Tensor:
        """Return what comes out of the results of all heads, which is the same here."""
        return heads

    def bias(self) -> Tensor | None:
        """Return the bias of each head for each pair of tokens, (heads, tokens, tokens)."""
        return None

    def _absent(self, size: tuple[int, ...], grid: Any, counts: list[int]) -> Tensor:
        """Return −inf for the tokens outside the map, (windows, 1, 1, tokens)."""
        axes = len(size)
        here = torch.ones([1] * axes, dtype=torch.bool)
        for axis, ((low, high), n) in enumerate(zip(grid, size, strict=True)):
            positions = torch.arange(low, high)
            shape = [1] * axes
            shape[axis] = -1
            here = here & ((positions >= 0) & (positions < n)).view(shape)
        here = here.reshape(list(chain.from_iterable(zip(counts, self.window, strict=True))))
        here = here.permute([*range(0, 2 * axes, 2), *range(1, 2 * axes, 2)])
        here = here.reshape(prod(counts), 1, 1, prod(self.window))
        return torch.zeros(here.shape).masked_fill(~here, -inf)


@layer_for(ops.WindowAttention)
class WindowAttentionModule(InWindows[ops.WindowAttention]):
    """Self-attention within windows.

    A learned bias for each offset between two positions is added, as in Swin.
    """

    def __init__(self, op: ops.WindowAttention, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        axes, channels = len(node.size), node.channels
        self.window = per_axis(op.window_size, axes)
        self.shift = per_axis(op.shift, axes)
        self.qkv = Affine(channels, 3 * channels)
        self.proj = Affine(channels, channels)
        offsets = prod(2 * w - 1 for w in self.window)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(offsets, op.heads))
        self._offset = offsets_in_window(self.window)

    def projected(self, tokens: Tensor) -> Tensor:  # noqa: D102
        found: Tensor = self.qkv(tokens)
        return found

    def joined(self, heads: Tensor) -> Tensor:  # noqa: D102
        found: Tensor = self.proj(heads)
        return found

    def bias(self) -> Tensor:  # noqa: D102
        table = self.relative_position_bias_table
        return table[self._offset.to(table.device)].permute(2, 0, 1)

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        channels = self.proj.in_features
        return {"qkv.weight": channels, "proj.weight": channels}


@layer_for(ops.GridAttention)
class GridAttentionModule(LayerModule[ops.GridAttention]):
    """Self-attention among positions as far apart as the cells of a grid.

    A learned bias for each offset between two cells is added.
    """

    def __init__(self, op: ops.GridAttention, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        axes, channels = len(node.size), node.channels
        self.heads = op.heads
        self.qkv = Affine(channels, 3 * channels)
        self.proj = Affine(channels, channels)
        grid = per_axis(op.grid, axes)
        offsets = prod(2 * g - 1 for g in grid)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(offsets, op.heads))
        self._offset = offsets_in_window(grid)

    def reads(self, node: Node, box: Box) -> Box:  # noqa: D102
        # Groups span the map; it is computed whole, then cut.
        del box
        return tuple([(0, n) for n in node.size])

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        del sources
        axes = len(node.size)
        cells = self.op.cells(node.size)
        apart = [self.op.distance(axis, node.size) for axis in range(axes)]
        # Position c·apart + k along an axis is cell c of group k.
        split = list(chain.from_iterable(zip(cells, apart, strict=True)))
        into = [0, *(3 + 2 * i for i in range(axes)), *(2 + 2 * i for i in range(axes)), 1]
        back = [0, 1 + 2 * axes, *chain.from_iterable((1 + axes + i, 1 + i) for i in range(axes))]
        cut = fetch(Part(node.size, tuple((0, n) for n in node.size)), target.box)

        def evaluate(inputs: list[Tensor]) -> Tensor:
            n, channels = inputs[0].shape[:2]
            tokens = inputs[0].reshape(n, channels, *split).permute(into)
            tokens = tokens.reshape(n, prod(apart), prod(cells), channels)
            q, k, v = (_split(x, self.heads) for x in self.qkv(tokens).chunk(3, -1))
            table = self.relative_position_bias_table
            bias = table[self._offset.to(table.device)].permute(2, 0, 1)
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
            result = self.proj(mixed.transpose(-3, -2).flatten(-2))
            result = result.reshape(n, *apart, *cells, channels).permute(back)
            return cut(result.reshape(n, channels, *node.size))

        return evaluate

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        channels = self.proj.in_features
        return {"qkv.weight": channels, "proj.weight": channels}


def _from_zero(grid: Any) -> Any:
    return tuple((0, b - a) for a, b in grid)


def offsets_in_window(window: tuple[int, ...]) -> Tensor:
    """Return for each pair of tokens of a window the row of the table of biases."""
    axes = torch.meshgrid(*(torch.arange(w) for w in window), indexing="ij")
    row = torch.zeros(prod(window), prod(window), dtype=torch.long)
    for positions, w in zip(axes, window, strict=True):
        flat = positions.flatten()
        row = row * (2 * w - 1) + (flat[:, None] - flat[None, :] + w - 1)
    return row
