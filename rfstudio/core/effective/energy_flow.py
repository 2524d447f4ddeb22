"""The expected energy of gradients, E[g²], as something that each layer passes back.

What a layer does to the mean square of a gradient depends on the weights that are drawn, by He [2]_
or another law of `rfstudio.core.initialisations`, and on the values that come in: the slope of an
activation, the variance that a norm divides by.  So one pass forward carries the moments of the
values (`rfstudio.core.layer_models.moments`), and makes one `Backward` a layer.

References
----------
.. [1] Luo, Li, Urtasun, Zemel, NIPS 2016, arXiv:1701.04128, section 2.
.. [2] He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015, arXiv:1502.01852.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRules
from rfstudio.core.effective.activation_dependence import GatedSum, Gates, skip_factors
from rfstudio.core.effective.model_work import work_of_model
from rfstudio.core.effective.pool_chains import without_chains
from rfstudio.core.errors import RFStudioError
from rfstudio.core.initialisations import HE_NORMAL, Initialisation
from rfstudio.core.layer_models.backward import PASS, Factors
from rfstudio.core.layer_models.layer import BatchNormMode, Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import Moments
from rfstudio.core.memo import Recent, remembered
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops.convolution import group_count
from rfstudio.core.work import give_way, spend, uninterrupted

Gain: TypeAlias = float | tuple[float, ...] | NDArray[np.float64]
"""One factor for all channels, one for each run of channels, or one for each tap."""

Gains: TypeAlias = Mapping[int | tuple[int, int], Gain]
"""Measured factors of nodes and of edges (merge, source); see `expected.expected_erf`."""


_UNMIXING = (ops.PixelShuffle, ops.Fold)
"""Operations that read other channels at each position."""

_MOST_SQUARE = 1e290
"""Mean square of values up to which moments are worked out, with room for sums of them.

Numbers of 32 bits, with which networks are run, end long before it.
"""

_Found: TypeAlias = tuple[Layer, tuple[int, ...]]
"""A layer, and the number of channels in each of its runs."""


@remembered(8192)
def layer_of(
    op: ops.Op,
    rules: AxisRules,
    channels_in: int,
    channels: int,
    batch_norm: BatchNormMode,
    runs: Runs,
    apart: bool,
    init: Initialisation = HE_NORMAL,
) -> _Found:
    """Return the layer of an operation that reads one map, of `runs`; the rest as in a `Place`."""
    layer = op.energy_model(Place(rules, channels_in, channels, batch_norm, apart, init), runs)
    return layer, tuple([n for n, _ in layer.runs])


@remembered(8192)
def merged(
    op: ops.Merge,
    sources: tuple[Runs, ...],
    apart: bool,
    joined: bool,
    init: Initialisation = HE_NORMAL,
) -> _Found:
    """Return the layer of an operation that reads several maps, as its `joint_model` does."""
    if isinstance(op, ops.Attending):
        layer = op.attending_model(sources, init)
    else:
        layer = op.joint_model(sources, apart=apart, joined=joined)
    return layer, tuple([n for n, _ in layer.runs])


class Energy:
    """How the expected energy flows back through one network.

    Attributes
    ----------
    graph
        The network, or one of the same nodes in which one max pool replaces a chain of them.
    batch_norm, init
        Which statistics its batch norms have, and the law of its weights.
    layers
        For each node what it does, with the moments of its values.
    runs
        For each node the number of channels in each of its runs.
    edges
        Factors of what a product (first) passes on to a source (second): the mean square of the
        other sources.
    skips
        The same of sums that are read through one activation alone: how much more of what comes
        from another activation gets through than if their slopes were independent.
    gates
        For each of these edges the activation after the sum and the one before it: a factor counts
        for what goes through both, not for a unit of the sum, nor for a map between them.

    The lists hold all nodes up to the last target, which is all that its units depend on, and grow
    when a later one is wanted.
    """

    def __init__(
        self, graph: Graph, batch_norm: BatchNormMode, init: Initialisation, *, joined: bool
    ) -> None:
        self.graph = without_chains(graph) if joined else graph
        self.batch_norm: BatchNormMode = batch_norm
        self.init = init
        channels = graph.nodes[0].channels
        self.layers = [Layer(PASS, ((channels, Moments(1.0)),))]
        self.runs: list[tuple[int, ...]] = [(channels,)]
        self.edges: dict[tuple[int, int], float] = {}
        self.skips: dict[tuple[int, int], Factors] = {}
        self.gates: dict[tuple[int, int], tuple[int, int]] = {}
        self._joined = joined
        self._nodes = self.graph.nodes
        self._growing = Lock()
        self._gates = Gates(self.graph)
        self._origins: dict[int, int] = {}
        self._work = [0.0]

    def moments(self, index: int) -> Moments:
        """Return the moments of a node's values, averaged over its channels."""
        return average(self.layers[index].runs)

    def is_gate(self, index: int) -> bool:
        """Return whether a node is an activation after a sum with skips."""
        return any(after == index for after, _ in self.gates.values())

    def grow(self, target: int) -> None:
        """Work out the nodes up to this one; those that are known count as work, too."""
        counted = 0
        while True:
            # One by one, so that what is refused is so at the same node each time.
            known = min(len(self.layers) - 1, target)
            spend(self._work[known] - self._work[counted])
            counted = known
            if known == target:
                return
            with self._growing, uninterrupted():  # a window needs it in several threads
                if len(self.layers) <= target:
                    self._add_finite(self._nodes[len(self.layers)])
            give_way()

    def _add_finite(self, node: Node) -> None:
        """Work out the next node, if its values are not too large for numbers."""
        known = len(self.layers)
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                self._add(node)
            is_known = all(x.square <= _MOST_SQUARE for _, x in self.layers[known].runs)
        except OverflowError:
            is_known = False
        if not is_known:
            # Whatever has been found of it is not known either, and is not found the next time.
            for found in (self.layers, self.runs, self._work):
                del found[known:]
            raise RFStudioError(
                f"from '{node.name}' on, values of random weights are too large for numbers, and "
                "effective fields are not known: scale them down, for example by norms"
            )

    def _add(self, node: Node) -> None:
        nodes, layers, ends, mode = self._nodes, self.layers, self._gates.ends, self.batch_norm
        index, op, inputs = node.index, node.op, node.inputs
        assert op is not None
        if 0 in node.size or 0 in nodes[inputs[0]].size:
            # Nothing comes through an empty map, so what its values would be does not matter.
            layer = Layer(PASS, ((max(node.channels, 1), Moments(1.0)),))
            counts = tuple([n for n, _ in layer.runs])
        elif isinstance(op, ops.Merge):
            sources = tuple([layers[i].runs for i in inputs])
            apart = self._is_apart(node)
            layer, counts = merged(op, sources, apart, self._joined, self.init)
            if layer.edges:
                self.edges.update(zip([(index, i) for i in inputs], layer.edges, strict=True))
        else:
            read = inputs[0]
            apart = type(op) not in _UNMIXING or self._is_mixed(read)
            layer, counts = layer_of(
                op,
                node.rules,
                nodes[read].channels,
                node.channels,
                mode,
                layers[read].runs,
                apart,
                self.init,
            )
        if index in self.graph.weights_of and not layer.remark:
            remark = "layers that share weights are assumed to be independent"
            layer = layer._replace(remark=remark)
        if index in ends:
            found = self._gates.before(index)
            if found is not None and isinstance(op, ops.Activation):
                self._add_skips(index, op, found)
        read = max([len(self.runs[i]) for i in inputs])
        self._work.append(self._work[-1] + work_of_model(op, max(read, len(counts))))
        self.runs.append(counts)
        layers.append(layer)  # the last, since its length says how many nodes are done

    def _add_skips(self, index: int, op: ops.Activation, found: GatedSum) -> None:
        eps: float | None = None
        if found.norm is not None and self.batch_norm != "fresh":
            eps = self._nodes[found.norm].op.eps  # type: ignore[union-attr]
        factors = skip_factors(found, self.layers, op, eps)
        for skip, factor in zip(found.skips, factors, strict=True):
            self.skips[skip.merge, skip.source] = factor
            self.gates[skip.merge, skip.source] = index, skip.gate

    def _is_apart(self, node: Node) -> bool:
        """Return whether the sources of a sum have no origin in common."""
        if not self._gates.has_sums:
            return True
        # Where a merge's values come from without weights on the way: bits, one for each node.
        origins, apart = 0, True
        for source in node.inputs:
            origin = self._origin(source)
            bits = self._origins.get(origin) or 1 << origin
            apart = apart and not origins & bits
            origins |= bits
        self._origins[node.index] = origins
        return apart or type(node.op) is not ops.Add

    def _origin(self, index: int) -> int:
        """Return the merge, the layer with weights or the image that a node's values come from."""
        while True:
            node = self._nodes[index]
            if node.op is None or node.op.weighted or index in self._origins:
                return index
            index = node.inputs[0]

    def _is_mixed(self, index: int) -> bool:
        """Return whether all channels are of the same places and maps."""
        waiting, seen = [index], {index}
        for i in waiting:
            node = self._nodes[i]
            if isinstance(node.op, ops.PixelUnshuffle | ops.Unfold | ops.Concat):
                return False
            if node.op is None or not node.op.weighted or self._is_grouped(node):
                waiting += [x for x in node.inputs if x not in seen]
                seen.update(node.inputs)
        return True

    def _is_grouped(self, node: Node) -> bool:
        """Return whether an operation with weights mixes some channels with some others only."""
        channels = self._nodes[node.inputs[0]].channels
        groups = getattr(node.op, "groups", 1)
        return groups != 1 and group_count(node.op, channels) > 1  # type: ignore[arg-type]


def energy_of(
    graph: Graph,
    batch_norm: BatchNormMode = "warmed",
    target: int | None = None,
    *,
    init: Initialisation = HE_NORMAL,
    joined: bool = False,
) -> Energy:
    """Return how the expected energy flows back through a network.

    The last few answers are remembered, since every move of the unit needs them again.

    Parameters
    ----------
    graph
        The network.
    batch_norm
        "warmed": every batch norm divides by the variance of what comes in; "fresh": by 1;
        "train": by the variance over the map, through which gradients flow as well.
    target
        The last node that is wanted; None: that of the network.
    init
        The law of the weights.
    joined
        Whether max pools that follow each other are one, and so are channels of neighbouring
        sources of a concat with the same moments.  Otherwise each layer is modelled by itself, as
        it must be to be compared with what is measured layer by layer.

    Raises
    ------
    RFStudioError
        If `batch_norm` is another word, or values before the target are too large for numbers.
    """
    if batch_norm not in get_args(BatchNormMode):
        words = ", ".join(get_args(BatchNormMode))
        raise RFStudioError(f"batch_norm must be one of {words}, not {batch_norm!r}")
    energy = _recent.about(
        graph,
        (batch_norm, init, joined),
        lambda: Energy(graph, batch_norm, init, joined=joined),
    )
    energy.grow(len(graph.nodes) - 1 if target is None else target)
    return energy


_recent: Recent[Graph, Energy] = Recent(3)
