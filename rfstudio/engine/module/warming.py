"""Statistics of batch norms, taken from few values when they are needed again and again.

Random weights are drawn anew for every few samples, and each draw needs statistics of its own.  To
take them from whole images would cost more than the samples do.  A statistic is a mean over the
positions of a map, though, and needs no more positions than give it a small error:

- A map with more positions than that is replaced by one of a smaller image.  Near the border, where
  windows read padding, values are smaller, and a smaller map has more border.  So positions count
  as in the whole map: the outer ones once, those in the middle as often as there are such ones.
- A map with fewer positions needs several images, but not more than the measurement is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, lcm, prod

import torch
from torch import Tensor

from rfstudio.core.axes.axis_rule import Window
from rfstudio.core.errors import GraphError
from rfstudio.core.network.graph import Graph
from rfstudio.core.ops.operation import Context
from rfstudio.engine.module.build import WARMING_IMAGES, GraphModule
from rfstudio.engine.module.cone import input_of, unit_box
from rfstudio.engine.module.layers.pointwise import BatchNormModule

_ENOUGH = 1024
"""Positions of a map, over all images, from which its statistics are taken.

A variance then has an error of 5 to 8 %, channel by channel, as neighbours depend on each other.
The expectation of 1 / variance is larger by the square of that, less than 0.7 %; what follows is
normalised again, so that such errors do not add up along a path.
"""

_LOCAL = (Context.WINDOW, Context.POSITION, Context.STATISTICS, Context.MAPS)
"""What operations read whose maps are the same in the middle, whatever the size of the image."""

_SHARE = 1 / 8
"""Work of the statistics of a draw, as a share of the work of its samples."""

_LITTLE = 2e8
"""Multiply-adds that the statistics of a draw may cost in any case; some milliseconds."""

_GRADIENT_COST = 3
"""Work of a gradient, as a multiple of that of an evaluation."""


class QuickWarming:
    """How statistics are taken for each draw of a network's weights, from images of noise.

    Parameters
    ----------
    module
        The network.
    size
        Of the images that are measured.
    samples
        Samples of a draw.

    Attributes
    ----------
    size
        Of the images that the statistics are taken from.
    count
        How many of them a draw needs; 0 if there is no batch norm.
    """

    def __init__(self, module: GraphModule, size: tuple[int, ...], samples: int) -> None:
        self._module = module
        self._norms = [x for x in module.layers() if isinstance(x, BatchNormModule)]
        self.size, self.count = size, 0
        self._shares: dict[int, tuple[Tensor, ...]] = {}
        if not self._norms:
            return
        places = [i for i, x in module.by_index.items() if isinstance(x, BatchNormModule)]
        graph = module.graph_at(size)
        positions = min(prod(graph.nodes[i].size) for i in places)
        self.count = self._affordable(graph, positions, samples)
        if positions > _ENOUGH and len(places) == len(self._norms):
            self._shrink(graph, places, positions)

    def _affordable(self, graph: Graph, positions: int, samples: int) -> int:
        module, size = self._module, graph.nodes[0].size
        centre = tuple(n // 2 for n in graph.nodes[module.target].size)
        work = _GRADIENT_COST * samples * module.plan(size, unit_box(centre)).macs
        paid = int(max(_SHARE * work, _LITTLE) / max(module.plan(size).macs, 1))
        return max(1, min(paid, ceil(_ENOUGH / positions), WARMING_IMAGES))

    def _shrink(self, graph: Graph, places: Sequence[int], positions: int) -> None:
        """Choose a smaller image, if all layers of the network read it as they read the whole."""
        step = _step_of(graph, self._module.needed)
        if step is None:
            return
        whole = graph.nodes[0].size
        part = (_ENOUGH / positions) ** (1 / len(whole))
        # Less by whole steps, so that the last windows end in the padding as before.
        size = tuple(n - int(n * (1 - part) / s) * s for n, s in zip(whole, step, strict=True))
        try:
            small = self._module.graph_at(size)
        except GraphError:  # the network does not accept smaller images
            return
        self.size = size
        for index in places:
            sizes = zip(small.nodes[index].size, graph.nodes[index].size, strict=True)
            self._shares[index] = tuple(_shares(n, of) for n, of in sizes)

    @torch.no_grad()
    def run(self, images: Tensor) -> None:
        """Set the statistics of the weights as they are now.

        Parameters
        ----------
        images
            (`count`, channels, *`size`).
        """
        by_index = self._module.by_index
        for norm in self._norms:
            norm.warming = True
        for index, shares in self._shares.items():
            layer = by_index[index]
            assert isinstance(layer, BatchNormModule)
            layer.shares = shares
        try:
            like = self._norms[0].running_var
            plan = self._module.plan(self.size)
            plan.run(input_of(plan, images).to(like.device, like.dtype))
        finally:
            for norm in self._norms:
                norm.warming, norm.shares = False, ()


def _step_of(graph: Graph, needed: Sequence[int]) -> tuple[int, ...] | None:
    """Return by how much images may shrink so that each stride still ends at the same place.

    None: something reads more than a window of fixed size, so a smaller map is another matter.
    """
    jumps: dict[int, tuple[int, ...]] = {0: (1,) * len(graph.nodes[0].size)}
    for index in needed:
        node = graph.nodes[index]
        if node.op is None:
            continue
        strides = [x.stride for x in node.rules if isinstance(x, Window)]
        if node.op.context not in _LOCAL or len(strides) < len(node.rules):
            return None
        sources = [jumps[i] for i in node.inputs]
        if len(strides) != len(jumps[0]) or any(len(x) != len(strides) for x in sources):
            return None
        jumps[index] = tuple(
            [
                stride * lcm(*along)
                for stride, along in zip(strides, zip(*sources, strict=True), strict=True)
            ]
        )
    return tuple(lcm(*along) for along in zip(*jumps.values(), strict=True))


@lru_cache(maxsize=64)
def _shares(n: int, of: int) -> Tensor:
    """Return how often each position of an axis of length `n` counts for one of length `of`.

    The outer quarters are those of the long axis; what lies between them is repeated.
    """
    shares = torch.ones(n)
    border = n // 4
    shares[border : n - border] = (of - 2 * border) / (n - 2 * border)
    return shares / of
