"""Attention between maps and in the order of rows, declared operations of several maps."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core import ops
from rfstudio.core.network.graph import Node
from rfstudio.engine.module.boxes import Part, fetch
from rfstudio.engine.module.layers.base import Affine, Evaluate, LayerModule, Pointwise, Pull
from rfstudio.engine.module.layers.module_table import POSITIVE, layer_for
from rfstudio.engine.module.layers.positive import as_it_is


def attended(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Return the mixed values of tokens (batch, tokens, channels)."""

    def split(x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], heads, -1).transpose(-3, -2)

    mixed = functional.scaled_dot_product_attention(split(q), split(k), split(v), attn_mask=mask)
    return mixed.transpose(-3, -2).flatten(-2)


def equal(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Return the one value of samples that are all the same, which costs no memory on its way back.

    The gradient of a sum is a view; that of a slice would be as large as the map.
    """
    if not dims:
        return x
    return x.sum(tuple(dims), keepdim=True) / prod([x.shape[i] for i in dims])


@layer_for(ops.CrossAttending)
class CrossAttendingModule(LayerModule[ops.CrossAttending]):
    """Positions of the first map attend to those of another, which are channels of the second."""

    def __init__(self, op: ops.CrossAttending, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        channels, theirs = node.channels, op.key_channels
        if theirs == channels:
            self.in_proj_weight = nn.Parameter(torch.empty(3 * channels, channels))
        else:
            self.q_proj_weight = nn.Parameter(torch.empty(channels, channels))
            self.k_proj_weight = nn.Parameter(torch.empty(channels, theirs))
            self.v_proj_weight = nn.Parameter(torch.empty(channels, theirs))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        self.out_proj = Affine(channels, channels)

    def _weights(self) -> Sequence[Tensor]:
        if self.op.key_channels == self.out_proj.in_features:
            return self.in_proj_weight.chunk(3)
        return self.q_proj_weight, self.k_proj_weight, self.v_proj_weight

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        del node
        cuts = [fetch(x, target.box) for x in sources]
        op, extent = self.op, target.extent
        dims = tuple(range(2, 2 + len(extent)))
        theirs = op.key_channels
        lengths = [theirs * n for n in op.parts]

        def parted(x: Tensor) -> Sequence[Tensor]:
            found: Sequence[Tensor] = x.flatten(1).split_with_sizes(lengths, 1)
            return found

        def evaluate(inputs: list[Tensor]) -> Tensor:
            asking = cuts[0](inputs[0]).flatten(2).mT
            held = equal(cuts[1](inputs[1]), dims)
            keys = torch.cat([x.reshape(len(x), theirs, -1) for x in parted(held)], 2).mT
            sides = zip(
                (asking, keys, keys), self._weights(), self.in_proj_bias.chunk(3), strict=True
            )
            q, k, v = (functional.linear(*x) for x in sides)
            mixed: Tensor = self.out_proj(attended(q, k, v, op.heads))
            return mixed.mT.reshape(len(held), -1, *extent)

        return evaluate

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        weights = [x for x, _ in self.named_parameters() if x.endswith("weight")]
        return {x: self.get_parameter(x).shape[1] for x in weights}


@layer_for(ops.CrossAttention)
def _across(op: ops.CrossAttention, node: Node, sources: Sequence[Node]) -> CrossAttendingModule:
    """Return the module of cross-attention that is not expanded, as its sources are at fault."""
    key = sources[-1]
    return CrossAttendingModule(op.to(key.channels, prod(key.size)), node, sources)


def _places(tensor: Tensor, channels: int) -> Tensor | None:
    """Return a table (places, channels), as transformers have it, of one with axes of length 1."""
    rows = [n for n in tensor.shape[:-1] if n > 1]
    if len(rows) > 1 or tensor.dim() > 3 or tensor.shape[-1:] != (channels,):
        return None
    return tensor.reshape(-1, channels)


@layer_for(ops.Tokens)
class TokensModule(Pointwise[ops.Tokens]):
    """A learned constant is added at each position, or none."""

    def __init__(self, op: ops.Tokens, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        shape = (1, node.channels, *node.size)
        self.position_embedding = (
            nn.Parameter(torch.zeros(shape)) if op.position_embedding else None
        )

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        del node
        cut = fetch(sources[0], target.box)
        where = (slice(None), slice(None), *(slice(*x) for x in target.box))
        added = self.position_embedding

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = cut(inputs[0])
            return x if added is None else x + added[where]

        return evaluate

    def adopted(self, name: str, tensor: Tensor) -> Tensor:
        """Of a table with a row for each token those of the positions, which come last."""
        own = self.get_parameter(name)
        table = _places(tensor, own.shape[1])
        count = prod(own.shape[2:])
        if table is None or tensor.shape == own.shape or len(table) != self.op.extra + count:
            return tensor
        return table[self.op.extra :].T.reshape(own.shape)


@layer_for(ops.ExtraTokens)
class ExtraTokensModule(LayerModule[ops.ExtraTokens]):
    """Learned tokens, the same for every image."""

    keeps = "nothing"
    holds_values = True

    def __init__(self, op: ops.ExtraTokens, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        shape = (1, node.channels, *node.size)
        self.tokens = nn.Parameter(torch.zeros(shape))
        self.position_embedding = (
            nn.Parameter(torch.zeros(shape)) if op.position_embedding else None
        )

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        del node, sources
        where = (slice(None), slice(None), *(slice(*x) for x in target.box))

        def evaluate(inputs: list[Tensor]) -> Tensor:
            found: Tensor = self.tokens
            if self.position_embedding is not None:
                found = found + self.position_embedding
            found = found[where]
            return found.expand(len(inputs[0]), *found.shape[1:])

        return evaluate

    def bind_pull(  # noqa: D102
        self, node: Node, sources: tuple[Part, ...], target: Part, channels: tuple[int, ...]
    ) -> Pull:
        del node, sources, target, channels
        return lambda _gradient, _stored: [None]

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        return {"tokens": 2}

    def adopted(self, name: str, tensor: Tensor) -> Tensor:
        """Of a table with a row for each token the first ones."""
        own = self.get_parameter(name)
        table = _places(tensor, own.shape[1])
        if table is None or tensor.shape == own.shape:
            return tensor
        return table[: self.op.count].T.reshape(1, -1, *own.shape[2:])


@layer_for(ops.Before)
class BeforeModule(LayerModule[ops.Before]):
    """Samples that are not after a position as its channels; there are zeros for the others."""

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        axes = len(node.size)
        axis, *whole = self.op.along(axes)
        others = [x for x in range(axes) if x != axis and x not in whole]
        box = list(target.box)
        for x in (axis, *whole):
            box[x] = (0, source.size[x])
        cut = fetch(source, tuple(box))
        into = [0, 1, *(2 + x for x in (axis, *whole, *others))]
        # The axis, then all others, each where it belongs.
        order = [axis, *whole, *others]
        back = [0, 1, *(2 + order.index(x) for x in range(axes))]
        n, asked = source.size[axis], torch.arange(*target.box[axis])
        there = torch.arange(n)[:, None] <= asked
        there = there.reshape(n, 1, len(asked), *(1,) * len(others))
        extent = [target.extent[x] for x in others]

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = cut(inputs[0]).permute(into)
            count, channels = x.shape[:2]
            x = x.reshape(count, channels, n, -1, 1, *extent)
            # Not a product: what is not there must not spread, whatever its value is.
            held = torch.where(there.to(x.device), x, 0.0)
            held = held.reshape(count, -1, len(asked), *(1,) * len(whole), *extent)
            return held.permute(back)

        return evaluate


@layer_for(ops.CausalAttending)
class CausalAttendingModule(LayerModule[ops.CausalAttending]):
    """Each position attends to those before it in the order of rows, and to itself."""

    def __init__(self, op: ops.CausalAttending, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        channels = node.channels
        self.in_proj_weight = nn.Parameter(torch.empty(3 * channels, channels))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        self.out_proj = Affine(channels, channels)

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        cuts = [fetch(x, target.box) for x in sources]
        heads, along, axes, channels = self.op.heads, self.op.axes, len(node.size), node.channels
        others = [x for x in range(axes) if x not in along]
        order = [*others, *along]
        into = [0, *(2 + x for x in order), 1]
        back = [0, 1 + axes, *(1 + order.index(x) for x in range(axes))]
        extent = [target.extent[x] for x in order]
        pieces = [_Piece(node, target, along, i) for i in range(len(along))]
        seen = torch.cat([x.seen for x in pieces], 1)

        def evaluate(inputs: list[Tensor]) -> Tensor:
            moved = cuts[0](inputs[0]).permute(into)
            batch = prod(moved.shape[: 1 + len(others)])
            asking = moved.reshape(batch, -1, channels)
            found = [
                piece.tokens(cut(x), others).reshape(batch, -1, channels)
                for piece, cut, x in zip(pieces, cuts[1:], inputs[1:], strict=True)
            ]
            keys = torch.cat(found, 1)
            weight, bias = self.in_proj_weight, self.in_proj_bias
            q = functional.linear(asking, weight[:channels], bias[:channels])
            pair = functional.linear(keys, weight[channels:], bias[channels:])
            k, v = pair.chunk(2, -1)
            mixed = attended(q, k, v, heads, seen.to(q.device))
            result: Tensor = self.out_proj(mixed)
            return result.reshape(len(moved), *extent, channels).permute(back)

        return evaluate

    def fan_in(self) -> dict[str, int]:  # noqa: D102
        channels = self.out_proj.in_features
        return {"in_proj_weight": channels, "out_proj.weight": channels}


class _Piece:
    """What comes before a position along one axis, where all outer axes agree.

    Attributes
    ----------
    seen
        Which of its tokens (column) a position that asks (row) reads.
    """

    def __init__(self, node: Node, target: Part, along: Sequence[int], number: int) -> None:
        outer, self._axis, later = along[:number], along[number], along[number + 1 :]
        self._outer, self._later, self._size = outer, later, node.size
        asking = torch.cartesian_prod(*(torch.arange(*target.box[x]) for x in along))
        asking = asking.reshape(-1, len(along))
        ranges = [torch.arange(*target.box[x]) for x in outer]
        held = torch.arange(node.size[self._axis])
        inner = torch.arange(prod([node.size[x] for x in later]))
        tokens = torch.cartesian_prod(*ranges, held, inner)
        tokens = tokens.reshape(-1, number + 2)
        self.seen = (asking[:, None, :number] == tokens[None, :, :number]).all(2)
        place, own = tokens[:, number], asking[:, None, number]
        # All but the last are shifted by one, so that the first sample of them is no token.
        self.seen = self.seen & (place <= own)
        if later:
            self.seen = self.seen & (place > 0)

    def tokens(self, x: Tensor, others: Sequence[int]) -> Tensor:
        """Return (N, others, outer axes, its axis, later axes, channels) of a map of keys."""
        x = equal(x, [2 + axis for axis in self._later])
        x = x.narrow(2 + self._axis, x.shape[2 + self._axis] - 1, 1)
        n, inner = self._size[self._axis], prod([self._size[axis] for axis in self._later])
        moved = x.permute(
            0, *(2 + axis for axis in (*others, *self._outer, self._axis, *self._later)), 1
        )
        moved = moved.reshape(*moved.shape[: 1 + len(others) + len(self._outer)], -1, n, inner)
        return moved.movedim(-3, -1)


@POSITIVE.family(ops.Attending)
class SumOfAttending(Pointwise[ops.Attending]):
    """The sum of what asks and of all keys."""

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        result = inputs[0]
        for other in inputs[1:]:
            result = result + other.sum(1, keepdim=True)
        return result


POSITIVE.entry(ops.Before, ops.Tokens, ops.ExtraTokens)(as_it_is)
