"""Measures the energy of gradients of a full map at every edge of a network."""

from __future__ import annotations

from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rfstudio.core.effective.calibration import Edge, Measured
from rfstudio.core.network.graph import Graph
from rfstudio.engine.module.boxes import whole
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.layers.base import Evaluate
from rfstudio.engine.module.layers.sliding_window import ConvModule
from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import MeasurementError

_Pieces: TypeAlias = dict[Edge | None, Tensor]
"""A gradient in pieces, by the edge over which each piece came; None: from elsewhere."""


class _Evaluated(NamedTuple):
    """One node's evaluation, cut off from those before it."""

    inputs: list[Tensor]
    output: Tensor


class EnergyProbe:
    """Sums up the energy of gradients at every edge of a network.

    Parameters
    ----------
    module
        The network.
    graph
        Its graph at the size of the images.
    taps
        Whether to note how much each tap of a convolution passes on.

    Attributes
    ----------
    graph, size
        The network and the size of the images.
    target_shape
        Channels and size of the map at which gradients start.
    values
        Number of values of all maps together.
    """

    def __init__(self, module: GraphModule, graph: Graph, *, taps: bool = True) -> None:
        self.graph = graph
        self.size = graph.nodes[0].size
        target = graph.nodes[module.target]
        self.target_shape = (target.channels, *target.size)
        self._module = module
        self._needed = [i for i in module.needed if i > 0]
        self.values = sum(graph.nodes[i].channels * prod(graph.nodes[i].size) for i in self._needed)
        self._evaluate: dict[int, Evaluate] = {i: self._bound(i) for i in self._needed}
        self._has_taps = taps
        self._count = 0
        self._energy: dict[Edge, NDArray[np.float64]] = {}
        self._started: dict[Edge, float] = {}
        self._survived: dict[Edge, float] = {}
        self._products: dict[int, Tensor] = {}

    def _bound(self, index: int) -> Evaluate:
        node = self.graph.nodes[index]
        sources = tuple(whole(self.graph.nodes[i].size) for i in node.inputs)
        return self._module.by_index[index].bind(node, sources, whole(node.size))

    def add(self, images: Tensor, signs: Tensor) -> None:
        """Add the gradients of some images.

        Parameters
        ----------
        images
            (N, C, *size).
        signs
            The gradients at the target's map, (N, *target_shape).

        Raises
        ------
        MeasurementError
            If values are not numbers.
        """
        if not self._needed:  # the map of the input itself: nothing passes anything on
            return
        evaluated = self._forward(images)
        if not bool(torch.isfinite(evaluated[self._needed[-1]].output).all()):
            raise MeasurementError(
                "gains cannot be measured: the weights hold NaN or infinity, values overflow, or a "
                "power average reads values below 0"
            )
        arriving: dict[int, dict[Edge | None, _Pieces]] = {
            self._module.target: {None: {None: signs}}
        }
        for index in reversed(self._needed):
            edges = arriving.pop(index, None)
            if edges:
                self._back(index, evaluated.pop(index), self._chained(index, edges), arriving)
        for pieces in arriving.pop(0, {}).values():
            self._survive(pieces)
        self._count += len(images)

    def _forward(self, images: Tensor) -> dict[int, _Evaluated]:
        evaluated: dict[int, _Evaluated] = {}
        for index in self._needed:
            sources = self.graph.nodes[index].inputs
            maps = [images if i == 0 else evaluated[i].output for i in sources]
            inputs = [x.detach().requires_grad_() for x in maps]
            with torch.enable_grad():
                evaluated[index] = _Evaluated(inputs, self._evaluate[index](inputs))
        return evaluated

    def _chained(self, index: int, edges: dict[Edge | None, _Pieces]) -> _Pieces:
        """Return the pieces of a gradient that are tracked separately through a node."""
        if len(edges) == 1:
            (pieces,) = edges.values()
        else:
            # Several layers read this map: from here on the gradient of each is tracked separately.
            for old in edges.values():
                self._survive(old)
            pieces = {edge: _sum(old) for edge, old in edges.items()}
            for edge, gradient in pieces.items():
                assert edge is not None
                self._started[edge] = self._started.get(edge, 0.0) + _energy(gradient)
        op = self.graph.nodes[index].op
        if op is not None and op.followed_apart:
            return pieces
        self._survive(pieces)
        return {None: _sum(pieces)}

    def _survive(self, pieces: _Pieces) -> None:
        """Record what is left of the pieces at the end of the gates that they went through."""
        for edge, gradient in pieces.items():
            if edge is not None:
                self._survived[edge] = self._survived.get(edge, 0.0) + _energy(gradient)

    def _back(
        self,
        index: int,
        evaluated: _Evaluated,
        pieces: _Pieces,
        arriving: dict[int, dict[Edge | None, _Pieces]],
    ) -> None:
        inputs, output = evaluated
        sources = self.graph.nodes[index].inputs
        layer = self._module.by_index[index]
        if self._has_taps and isinstance(layer, ConvModule) and prod(layer.taps) > 1:
            products = _products(layer, _sum(pieces))
            before = self._products.get(index)
            self._products[index] = products if before is None else before + products
        passed: list[_Pieces] = [{} for _ in sources]
        left = len(pieces)
        for edge, gradient in pieces.items():
            left -= 1
            if not output.requires_grad:
                break
            found = torch.autograd.grad(
                output, inputs, gradient, retain_graph=left > 0, allow_unused=True
            )
            for into, part in zip(passed, found, strict=True):
                if part is not None:
                    into[edge] = part
        for source, into in zip(sources, passed, strict=True):
            channels = self.graph.nodes[source].channels
            energy = _by_channel(_sum(into)) if into else np.zeros(channels)
            times = sources.count(source)
            key = index, source
            self._energy[key] = self._energy.get(key, 0.0) + energy / times
            if into:
                place = arriving.setdefault(source, {})
                known = place.get(key)
                place[key] = into if known is None else _added(known, into)

    def measured(self) -> Measured:
        """Return the means over all images so far."""
        count = max(self._count, 1)
        return Measured(
            {edge: x / count for edge, x in self._energy.items()},
            self._survival(),
            {i: self._shares_of_taps(i, x) for i, x in self._products.items()},
        )

    def _shares_of_taps(self, index: int, products: Tensor) -> NDArray[np.float64]:
        layer = self._module.by_index[index]
        assert isinstance(layer, ConvModule)
        energy = _energy_of_taps(layer, products)
        return energy / max(float(energy.mean()), 1e-300)

    def _survival(self) -> dict[Edge, float]:
        """Return for each edge its share that survives, over the share of all its siblings."""
        groups: dict[int, list[Edge]] = {}
        for edge in self._started:
            groups.setdefault(edge[1], []).append(edge)
        result: dict[Edge, float] = {}
        for edges in groups.values():
            started = sum(self._started[x] for x in edges)
            mean = sum(self._survived.get(x, 0.0) for x in edges) / max(started, 1e-300)
            for edge in edges:
                own = self._survived.get(edge, 0.0) / max(self._started[edge], 1e-300)
                result[edge] = own / mean if mean > 0 else 1.0
        return result


def _products(layer: ConvModule, gradient: Tensor) -> Tensor:
    """Return Σ g_o g_q over positions for any two outputs o, q of a group, (groups, o, q)."""
    groups = layer.groups
    g = gradient.detach().transpose(0, 1).reshape(groups, gradient.shape[1] // groups, -1)
    return g @ g.transpose(1, 2)


def _energy_of_taps(layer: ConvModule, products: Tensor) -> NDArray[np.float64]:
    """Return what each tap passes back: Σ over positions and inputs of (Σ_o w_o g_o)²."""
    weight = layer.weight.detach()
    w = weight.reshape(layer.groups, products.shape[1], weight.shape[1], prod(layer.taps))
    moved = torch.einsum("goq,gqit->goit", products, w)
    energy: NDArray[np.float64] = (moved * w).sum((0, 1, 2)).cpu().double().numpy()
    return energy.clip(min=0.0).reshape(layer.taps)


def _sum(pieces: _Pieces) -> Tensor:
    first, *others = pieces.values()
    for other in others:
        first = first + other
    return first


def _added(a: _Pieces, b: _Pieces) -> _Pieces:
    """Return the sum of two gradients, piece by piece."""
    return {key: _sum({None: x}) for key, x in a.items() if key not in b} | {
        key: x + a[key] if key in a else x for key, x in b.items()
    }


def _energy(gradient: Tensor) -> float:
    return float(_by_channel(gradient).sum())


def _by_channel(gradient: Tensor) -> NDArray[np.float64]:
    """Return the energy of each channel, summed over positions and images."""
    axes = (0, *range(2, gradient.dim()))
    squares = gradient.detach().square()
    values = squares.sum(
        axes, dtype=torch.float64 if devices.knows_double(squares.device) else None
    )
    result: NDArray[np.float64] = values.cpu().double().numpy()
    return result
