"""The expected energy of gradients, E[g²], as something that each layer passes back.

What a layer does to the mean square of a gradient depends on the weights that are drawn (normal
around 0, variance 2 over the number of inputs that one output sums) and on the values that come
in: the slope of an activation, the variance that a norm divides by.  So one pass forward carries
the moments of the values (`rfstudio.core.effective.moments`), and makes one `Backward` a layer.

References
----------
.. [1] Luo, Li, Urtasun, Zemel, NIPS 2016, arXiv:1701.04128, section 2.
.. [2] He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015, arXiv:1502.01852.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from threading import Lock
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.effective.activations import (
    slope,
    slope_below,
    squared_slope,
)
from rfstudio.core.effective.backward import PASS, Backward, Factors, one_or_each
from rfstudio.core.effective.gates import GatedSum, Gates, skip_factors
from rfstudio.core.effective.layer_model import (
    Layer,
    Run,
    average,
    concatenated,
    side_by_side,
)
from rfstudio.core.effective.mixing_energy import MIXING, norm_over_map
from rfstudio.core.effective.moments import (
    Moments,
    activated,
    added,
    open_together,
    scaled,
    standardized,
)
from rfstudio.core.effective.pool_chains import without_chains
from rfstudio.core.effective.window_energy import WINDOWS, conv_model
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import Activation, Homogeneous
from rfstudio.core.ops.convolution import group_count
from rfstudio.core.ops.geometry import AxisRules, Whole

BatchNormMode: TypeAlias = Literal["warmed", "fresh", "train"]

Gain: TypeAlias = float | tuple[float, ...] | NDArray[np.float64]
"""One factor for all channels, one for each run of like channels, or one for each tap."""

Gains: TypeAlias = Mapping[int | tuple[int, int], Gain]
"""Measured factors of nodes and of edges (merge, source); see `expected.expected_erf`."""


@dataclass(frozen=True, eq=False)
class Energy:
    """How the expected energy flows back through one network.

    Attributes
    ----------
    graph
        The network, or one of the same nodes in which max pools stand for chains of them.
    batch_norm
        Which statistics its batch norms have.
    layers
        For each node what it does, with the moments of its values.
    runs
        For each node the channels of its runs of like channels.
    edges
        Factors of what a product (first) passes on to a source (second): the mean square of the
        other sources.
    skips
        The same of sums that are read through one activation alone: how much more of what comes
        from another activation gets through than if their slopes were independent.
    gates
        For each of these edges the activation behind the sum and the one in front: a factor counts
        for what goes through both, not for a unit of the sum, nor for a map between them.
    closing
        The activations behind these sums.

    The lists hold all nodes up to the last one that was asked for, which is all that its units
    depend on, and grow when somebody asks for a later one.
    """

    graph: Graph
    batch_norm: BatchNormMode
    layers: list[Layer] = field(repr=False)
    runs: list[tuple[int, ...]] = field(repr=False)
    edges: dict[tuple[int, int], float] = field(repr=False)
    skips: dict[tuple[int, int], Factors] = field(repr=False)
    gates: dict[tuple[int, int], tuple[int, int]] = field(repr=False, default_factory=dict)
    closing: set[int] = field(repr=False, default_factory=set)

    def moments(self, index: int) -> Moments:
        """Return the moments of a node's values, averaged over its channels."""
        return average(self.layers[index].runs)


_recent: tuple[_Forward, ...] = ()


def energy_of(
    graph: Graph,
    batch_norm: BatchNormMode = "warmed",
    target: int | None = None,
    *,
    joined: bool = False,
) -> Energy:
    """Return how the expected energy flows back through a network.

    The last few answers are kept, since every move of the unit asks again.

    Parameters
    ----------
    graph
        The network.
    batch_norm
        "warmed": every batch norm divides by the variance of what comes in; "fresh": by 1;
        "train": by the variance over the map, through which gradients flow as well.
    target
        The last node that is asked for; None: that of the network.
    joined
        Whether what is alike is one: max pools directly behind each other, and channels of
        neighbouring sources of a concat.  Otherwise each layer stands for itself, as what is
        measured layer by layer has to be compared with.

    Raises
    ------
    RFStudioError
        If `batch_norm` is another word.
    """
    if batch_norm not in get_args(BatchNormMode):
        words = ", ".join(get_args(BatchNormMode))
        raise RFStudioError(f"batch_norm must be one of {words}, not {batch_norm!r}")
    global _recent  # noqa: PLW0603 - a cache by identity; a graph is too large to be hashed
    for known in _recent:
        if known.graph is graph and known.of == (batch_norm, joined):
            break
    else:
        known = _Forward(graph, batch_norm, joined=joined)
        _recent = (known, *_recent[:2])
    return known.up_to(len(graph.nodes) - 1 if target is None else target)


def forget() -> None:
    """Drop the answers that are kept, as a benchmark of the whole work must."""
    global _recent  # noqa: PLW0603 - as above
    _recent = ()
    for kept in _kept.values():
        kept.clear()
    _alike.clear()
    conv_model.cache_clear()
    _normed.cache_clear()
    _activated.cache_clear()


@lru_cache(maxsize=64)
def _root(channels: int) -> Layer:
    """Return the layer of the image."""
    return Layer(PASS, [(channels, Moments(1.0))])


class _Kind(NamedTuple):
    """Which model of a network: its batch norms, and whether what is alike is one."""

    batch_norm: BatchNormMode
    joined: bool


class _Forward:
    """The pass from the input to the last layer."""

    def __init__(self, graph: Graph, batch_norm: BatchNormMode, *, joined: bool) -> None:
        self.graph, self.of = graph, _Kind(batch_norm, joined)
        graph = without_chains(graph) if joined else graph
        channels = graph.nodes[0].channels
        self.energy = Energy(graph, batch_norm, [_root(channels)], [(channels,)], {}, {})
        self._nodes = graph.nodes
        self._layers = self.energy.layers
        self._growing = Lock()
        self._gates = Gates(graph)
        self._origins: dict[int, int] = {}

    def up_to(self, target: int) -> Energy:
        """Return the model, in which all nodes up to this one are.

        What an edit leaves as it was is not worked out again: operations are shared by the copies
        of a repeat and by versions of a document, and layers are the same objects wherever what
        they read is.
        """
        if len(self._layers) <= target:
            with self._growing:  # a window asks from several threads
                self._grow(target)
        return self.energy

    def _grow(self, target: int) -> None:
        layers, runs, edges = self._layers, self.energy.runs, self.energy.edges
        kept = _kept[self.of]
        for node in self._nodes[len(layers) : target + 1]:
            op, inputs = node.op, node.inputs
            apart = type(op) not in _MEETING or self._is_apart(node)
            key: tuple[object, ...]
            key = (id(op), node.channels, apart, *[id(layers[i]) for i in inputs])
            gated = self._gates.behind(node.index) if node.index in self._gates.ends else None
            if gated:
                around = gated.depends_on(layers)
                key = (*key, *map(id, around))
            known = kept.get(key)
            if known is None or known.op is not op or known.rules != node.rules:
                if len(kept) >= _LAYERS_KEPT:
                    kept.clear()
                known = kept[key] = self._worked_out(node, gated, apart=apart)
            if known.edges:
                for source, factor in zip(inputs, known.edges, strict=True):
                    edges[node.index, source] = factor
            if gated:
                self._note_skips(node, gated, known.skips)
            runs.append(known.counts)
            layers.append(known.layer)  # the last, since its length says how far all is there

    def _note_skips(self, node: Node, gated: GatedSum, factors: tuple[Factors, ...]) -> None:
        energy = self.energy
        for skip, factor in zip(gated.skips, factors, strict=True):
            edge = skip.merge, skip.source
            energy.skips[edge] = factor
            energy.gates[edge] = node.index, skip.gate
        energy.closing.add(node.index)

    def _is_apart(self, node: Node) -> bool:
        """Return whether the sources of a sum share nothing, nor the channels of a shuffle."""
        kind = type(node.op)
        if kind is ops.PixelShuffle:
            return self._is_mixed(node.inputs[0])
        if not isinstance(node.op, ops.Merge) or not self._gates.has_sums:
            return True
        # Where a merge's values come from without weights on the way: bits, one for each node.
        origins, apart = 0, True
        for source in node.inputs:
            origin = self._origin(source)
            bits = self._origins.get(origin) or 1 << origin
            apart = apart and not origins & bits
            origins |= bits
        self._origins[node.index] = origins
        return apart or kind is not ops.Add

    def _origin(self, index: int) -> int:
        """Return the merge, the layer with weights or the image that a node's values come from."""
        while True:
            node = self._nodes[index]
            if node.op is None or node.op.weighted or index in self._origins:
                return index
            index = node.inputs[0]

    def _is_mixed(self, index: int) -> bool:
        """Return whether channels are all alike in the places and maps that they stand for."""
        waiting, seen = [index], {index}
        for i in waiting:
            node = self._nodes[i]
            if isinstance(node.op, ops.PixelUnshuffle | ops.Concat):
                return False
            if node.op is None or not node.op.weighted or _is_grouped(node, self._nodes):
                waiting += [x for x in node.inputs if x not in seen]
                seen.update(node.inputs)
        return True

    def _worked_out(self, node: Node, gated: GatedSum | None, *, apart: bool) -> _Known:
        if 0 in node.size or 0 in self._nodes[node.inputs[0]].size:
            # Nothing comes through an empty map, so what its values would be does not matter.
            layer = Layer(PASS, [(max(node.channels, 1), Moments(1.0))])
            read = [self._layers[i] for i in node.inputs]
            skips: tuple[Factors, ...] = ()
            if gated:
                read += gated.depends_on(self._layers)
                skips = (1.0,) * len(gated.skips)
            count = layer.runs[0][0]
            return _Known(layer, (count,), (), skips, node.op, node.rules, tuple(read))
        if isinstance(node.op, ops.Merge):
            layer, edges = self._merge(node, apart=apart), self._factors(node)
        else:
            layer, edges = self._single(node), ()
            if not apart:
                layer = layer._replace(remark=_SHUFFLED)
        runs = layer.runs
        counts = (runs[0][0],) if len(runs) == 1 else tuple([n for n, _ in runs])
        found: tuple[Factors, ...] = ()
        sources = [self._layers[i] for i in node.inputs]
        if gated:
            sources += gated.depends_on(self._layers)
            assert node.op is not None
            warmed = self.of.batch_norm != "fresh"
            found = skip_factors(gated, self.energy.graph, self._layers, node.op, warmed=warmed)
        return _Known(layer, counts, edges, found, node.op, node.rules, tuple(sources))

    def _single(self, node: Node) -> Layer:
        """Return the layer of what reads one map."""
        source = self._nodes[node.inputs[0]]
        runs = self._layers[source.index].runs
        if len(runs) > _FEW:
            return self._new_layer(node, runs)
        # Blocks repeat: then the same values come in again.
        if len(runs) == 1 and self._is_pointwise(node):
            return self._pointwise(node, *runs[0])
        key = (id(node.op), self.of.batch_norm, source.size, source.channels, node.channels, *runs)
        known = _alike.get(key)
        if known is None or known[1] is not node.op or known[2] != node.rules:
            if len(_alike) >= _LAYERS_KEPT:
                _alike.clear()
            known = _alike[key] = (self._new_layer(node, runs), node.op, node.rules)
        return known[0]

    def _is_pointwise(self, node: Node) -> bool:
        if isinstance(node.op, Activation):
            return True
        return type(node.op) is ops.BatchNorm and not self._mixes_positions(node)

    def _mixes_positions(self, node: Node) -> bool:
        """Return whether a batch norm takes its statistics from the map."""
        return self.of.batch_norm == "train" or any(isinstance(x, Whole) for x in node.rules)

    def _pointwise(self, node: Node, channels: int, x: Moments) -> Layer:
        """Return the layer of what asks neither for positions nor for channels."""
        key = (id(node.op), self.of.batch_norm, x)
        known = _alike.get(key)
        if known is None or known[1] is not node.op:
            known = _alike[key] = (self._new_layer(node, [(channels, x)]), node.op, node.rules)
        layer = known[0]
        if layer.runs[0][0] == channels:
            return layer
        return Layer(layer.backward, [(channels, layer.runs[0][1])], layer.remark)

    def _new_layer(self, node: Node, runs: list[Run]) -> Layer:
        op: Any = node.op
        kind = type(op)
        if isinstance(op, Activation):
            return self._activation(node, runs)
        if kind is ops.BatchNorm:
            return self._batch_norm(node, runs)
        if op.does_nothing:
            return Layer(PASS, runs)
        return _LAYERS[kind](node, self._nodes[node.inputs[0]], runs)

    def _activation(self, node: Node, runs: list[Run]) -> Layer:
        op = node.op
        assert op is not None
        found = [_activated(op, x) for _, x in runs]
        gates = [x for x, _ in found]
        remark = ""
        if not isinstance(op, Homogeneous):
            remark = "slopes of activations are taken at the values of wide layers"
        elif not all(x.is_normal for _, x in runs):
            remark = "gates behind values that are mostly positive are taken from a model of them"
        backward = Backward(one_or_each(gates), gate=open_together(op, average(runs)))
        return Layer(backward, [(n, x) for (n, _), (_, x) in zip(runs, found, strict=True)], remark)

    def _batch_norm(self, node: Node, runs: list[Run]) -> Layer:
        op: Any = node.op
        if self._mixes_positions(node):
            return norm_over_map(node, self._nodes[node.inputs[0]], runs)
        if self.of.batch_norm == "fresh":
            keep = 1.0 / (1.0 + op.eps)
            return Layer(Backward(keep), [(n, scaled(x, keep**0.5)) for n, x in runs])
        found = [_normed(x, op.eps) for _, x in runs]
        keep = one_or_each([x for x, _ in found])
        first = found[0][1]
        if all(x == first for _, x in found):
            out = [(node.channels, first)]  # from here on all channels are alike
        else:
            out = [(n, x) for (n, _), (_, x) in zip(runs, found, strict=True)]
        return Layer(
            Backward(keep),
            out,
            "batch norm is taken to divide by the expected variance of its channels",
        )

    def _merge(self, node: Node, *, apart: bool) -> Layer:
        sources = [self._layers[i].runs for i in node.inputs]
        if isinstance(node.op, ops.Concat):
            if self.of.joined:
                return Layer(PASS, concatenated(sources))
            return Layer(PASS, [run for runs in sources for run in runs])
        columns = side_by_side(sources) or [(node.channels, tuple(map(average, sources)))]
        is_sum = isinstance(node.op, ops.Add)
        merged = {x: added(x) if is_sum else _product(x) for x in {x for _, x in columns}}
        remark = "factors of a product are taken to be independent"
        if is_sum:
            remark = "" if apart else _SAME_SOURCE
        return Layer(PASS, [(n, merged[x]) for n, x in columns], remark)

    def _factors(self, node: Node) -> tuple[float, ...]:
        """Return by what a product multiplies what it passes on to each source."""
        if isinstance(node.op, ops.Add | ops.Concat):
            return ()
        squares = [average(self._layers[i].runs).square for i in node.inputs]
        return tuple([prod(squares[:k] + squares[k + 1 :]) for k in range(len(squares))])


class _Known(NamedTuple):
    """What was worked out for a node, and of what."""

    layer: Layer
    counts: tuple[int, ...]
    edges: tuple[float, ...]
    skips: tuple[Factors, ...]
    op: ops.Op | None
    rules: AxisRules
    sources: tuple[Layer, ...]


_LAYERS_KEPT = 8192
_FEW = 4
"""Runs of channels up to which layers are looked up by the values that come in."""

_kept: dict[_Kind, dict[tuple[object, ...], _Known]] = {
    _Kind(mode, joined): {} for mode in get_args(BatchNormMode) for joined in (False, True)
}
_alike: dict[Any, tuple[Layer, ops.Op | None, AxisRules]] = {}

_LAYERS = {**WINDOWS, **MIXING}

_SAME_SOURCE = "sources of a sum that share what they come from are taken to be independent"

_SHUFFLED = "a shuffle is taken to read channels that are all alike"

_MEETING = frozenset({*ops.MERGES, ops.PixelShuffle})
"""Operations for which it counts from where their sources come."""


def _is_grouped(node: Node, nodes: Sequence[Node]) -> bool:
    """Return whether an operation with weights mixes some channels with some others only."""
    groups = getattr(node.op, "groups", 1)
    return groups != 1 and group_count(node.op, nodes[node.inputs[0]].channels) > 1  # type: ignore[arg-type]


def _open(op: ops.Op, x: Moments) -> float:
    """Return the mean squared slope of an activation over the values in front of it."""
    if x.is_normal:
        return squared_slope(op, float(f"{x.square:.6g}"))
    law = x.distribution()
    weights = law.weights
    if law.slopes is not None:
        # Behind other activations, whose slopes are counted for themselves.
        weights = weights * law.slopes
    elif isinstance(op, Homogeneous) and law.points[0] < 0:
        return law.positive + (1 - law.positive) * slope_below(op) ** 2
    elif law.points.min() >= 0:  # made positive by a rectifier, where it is 0 nothing arrives
        weights = weights * (law.points > 0)
    return float(weights @ slope(op, law.points) ** 2) / max(float(weights.sum()), 1e-300)


def _fixed_gain(x: Moments, eps: float) -> float:
    """Return by what a norm divides squares whose statistics are those of the values."""
    variance = x.variance
    # A channel without any variance keeps the statistics of a fresh norm.
    return 1.0 / ((variance if variance > 1e-12 * x.square else 1.0) + eps)


@lru_cache(maxsize=1024)
def _activated(op: ops.Op, x: Moments) -> tuple[float, Moments]:
    """Return the mean squared slope of an activation, and the moments behind it."""
    return _open(op, x), activated(op, x)


@lru_cache(maxsize=1024)
def _normed(x: Moments, eps: float) -> tuple[float, Moments]:
    """Return by what a norm with fixed statistics divides squares, and the moments behind it."""
    return _fixed_gain(x, eps), standardized(x)


def _product(terms: Sequence[Moments]) -> Moments:
    return Moments(
        prod(x.square for x in terms), prod(x.shared for x in terms), prod(x.mean for x in terms)
    )
