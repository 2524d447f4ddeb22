"""Moves of positions, and mixing within blocks and grids of them."""

from __future__ import annotations

from typing import TypeVar
from zlib import crc32

import torch
from torch import Tensor

from rfstudio.core import ops
from rfstudio.core.network.graph import Node
from rfstudio.engine.module.boxes import Part
from rfstudio.engine.module.layers.base import Evaluate, LayerModule, Pull
from rfstudio.engine.module.layers.module_table import LAYERS, POSITIVE
from rfstudio.engine.module.layers.positive import as_it_is

MoveT_co = TypeVar("MoveT_co", bound=ops.Move, covariant=True)
MixerT_co = TypeVar("MixerT_co", bound=ops.Mixer | ops.GridAttention, covariant=True)


@LAYERS.family(ops.Move)
class MoveModule(LayerModule[MoveT_co]):
    """Each output is one input: a choice along each axis."""

    keeps = "nothing"

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        del node
        (source,) = sources
        chosen = [
            torch.tensor(self.op.indices(axis, source.size)[start:stop]) - source.box[axis][0]
            for axis, (start, stop) in enumerate(target.box)
        ]

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = inputs[0]
            for axis, index in enumerate(chosen):
                x = x.index_select(2 + axis, index.to(x.device))
            return x

        return evaluate


class GroupModule(LayerModule[MixerT_co]):
    """Each output is the mean over the positions of its group, or their sum.

    With another number of output channels, each of them gets the mean over all channels.
    """

    keeps = "nothing"
    is_mean = True

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        tables = []
        axes = len(node.size)
        causal = self.op.causal_axes(axes) if isinstance(self.op, ops.BlockMix) else (False,) * axes
        for axis in range(axes):
            groups = torch.from_numpy(self.op.groups(axis, source.size))
            ours, read = groups[slice(*target.box[axis])], groups[slice(*source.box[axis])]
            table = (ours[:, None] == read[None, :]).double()
            if causal[axis]:
                (first, last), (start, stop) = target.box[axis], source.box[axis]
                table *= torch.arange(first, last)[:, None] >= torch.arange(start, stop)
            tables.append(table / table.sum(1, keepdim=True) if self.is_mean else table)

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = inputs[0]
            for axis, table in enumerate(tables):
                x = torch.movedim(torch.movedim(x, 2 + axis, -1) @ table.to(x).mT, -1, 2 + axis)
            if x.shape[1] == node.channels:
                return x
            merged = x.mean(1, keepdim=True) if self.is_mean else x.sum(1, keepdim=True)
            return merged.expand(-1, node.channels, *x.shape[2:])

        return evaluate


@LAYERS.family(ops.Mixer)
class MixerModule(GroupModule[ops.Mixer]):
    """A mixing within blocks or grids, modelled as the mean over them."""


class _SumOfGroup(GroupModule[MixerT_co]):
    is_mean = False


@POSITIVE.family(ops.Mixer)
class SumOfGroup(_SumOfGroup[ops.Mixer]):
    """The sum over a block or a grid."""


@POSITIVE.entry(ops.GridAttention)
class SumOfGridGroup(_SumOfGroup[ops.GridAttention]):
    """The sum over what attends to each other."""


@LAYERS.entry(ops.FurtherInput)
class FurtherInputModule(LayerModule[ops.FurtherInput]):
    """An input beside the first one: the images that are given, or noise, the same each time.

    Attributes
    ----------
    given
        The images, (N, C, *size); None: noise.
    """

    keeps = "nothing"
    given: Tensor | None = None

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        del sources
        where = (slice(None), slice(None), *(slice(*span) for span in target.box))
        source = torch.Generator().manual_seed(crc32(self.label.encode()))
        noise = torch.randn((1, node.channels, *node.size), generator=source)

        def evaluate(inputs: list[Tensor]) -> Tensor:
            images = noise if self.given is None else self.given
            found = images[where].to(inputs[0])
            return found.expand(len(inputs[0]), *found.shape[1:])

        return evaluate

    def bind_pull(  # noqa: D102
        self, node: Node, sources: tuple[Part, ...], target: Part, channels: tuple[int, ...]
    ) -> Pull:
        del node, sources, target, channels
        return lambda _gradient, _stored: [None]


POSITIVE.family(ops.Move)(as_it_is)
POSITIVE.entry(ops.FurtherInput)(as_it_is)
