"""Attention of queries, keys and values that other layers make."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from rfstudio.core import ops
from rfstudio.core.network.graph import Node
from rfstudio.engine.module.boxes import Part, fetch
from rfstudio.engine.module.layers.base import Evaluate, LayerModule, Pointwise
from rfstudio.engine.module.layers.mixing import InWindows, offsets_in_window
from rfstudio.engine.module.layers.module_table import POSITIVE, layer_for, positive_for
from rfstudio.engine.module.layers.positive import SumOfGridWindow, SumOfSide, to_channels
from rfstudio.engine.module.layers.several_maps import attended, equal


@layer_for(ops.DotProductAttention)
def _module(
    op: ops.DotProductAttention, node: Node, sources: Sequence[Node]
) -> LayerModule[ops.DotProductAttention]:
    found = _OverTheMap if op.window_size is None else _InItsWindows
    return found(op, node, sources)


class _OverTheMap(LayerModule[ops.DotProductAttention]):
    """Attention among all positions."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:
        cut = fetch(sources[0], target.box)
        channels, heads, extent = node.channels, self.op.heads, target.extent

        def evaluate(inputs: list[Tensor]) -> Tensor:
            q = cut(inputs[0])[:, :channels].flatten(2).mT
            k, v = _keys_and_values(inputs[0].flatten(2).mT, channels)
            return attended(q, k, v, heads).mT.reshape(len(q), channels, *extent)

        return evaluate


class _InItsWindows(InWindows[ops.DotProductAttention]):
    """Attention within windows, with a learned bias for each offset if there is one."""

    def __init__(self, op: ops.DotProductAttention, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        self.window, self.shift = op.windows(node.size), op.starts(node.size)
        self.relative_position_bias_table: nn.Parameter | None = None
        if op.relative_position_bias:
            offsets = prod(2 * w - 1 for w in self.window)
            self.relative_position_bias_table = nn.Parameter(torch.zeros(offsets, op.heads))
            self._offset = offsets_in_window(self.window)

    def projected(self, tokens: Tensor) -> Tensor:
        return tokens if self.op.stacked else torch.cat([tokens] * 3, -1)

    def bias(self) -> Tensor | None:
        table = self.relative_position_bias_table
        if table is None:
            return None
        return table[self._offset.to(table.device)].permute(2, 0, 1)


@layer_for(ops.DotProductAttending)
class DotProductAttendingModule(LayerModule[ops.DotProductAttending]):
    """Positions attend to all tokens, which are channels of the second map."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        cuts = [fetch(x, target.box) for x in sources]
        channels, heads, extent = node.channels, self.op.heads, target.extent
        dims = tuple(range(2, 2 + len(extent)))
        width = (3 if self.op.stacked else 1) * channels
        lengths = [width * n for n in self.op.parts]

        def evaluate(inputs: list[Tensor]) -> Tensor:
            q = cuts[0](inputs[0])[:, :channels].flatten(2).mT
            held = equal(cuts[1](inputs[1]), dims).flatten(1).split_with_sizes(lengths, 1)
            tokens = torch.cat([x.reshape(len(x), width, -1) for x in held], 2)
            k, v = _keys_and_values(tokens.mT, channels)
            return attended(q, k, v, heads).mT.reshape(len(q), channels, *extent)

        return evaluate


def _keys_and_values(tokens: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Return the two of tokens (batch, tokens, channels) that may hold queries, too."""
    if tokens.shape[-1] == channels:
        return tokens, tokens
    return tokens[..., channels : 2 * channels], tokens[..., 2 * channels :]


@positive_for(ops.DotProductAttention)
def _sum_of_window(
    op: ops.DotProductAttention, node: Node, sources: Sequence[Node]
) -> LayerModule[ops.Op]:
    found = SumOfSide if op.window_size is None else SumOfGridWindow
    return found(op, node, sources)


@POSITIVE.entry(ops.DotProductAttending)
class SumOfTokens(Pointwise[ops.DotProductAttending]):
    """The sum of what asks and of all tokens."""

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        asking, keys = inputs
        sides = 3 if self.op.stacked else 1
        return to_channels(asking + keys.sum(1, keepdim=True), asking.shape[1] // sides)
