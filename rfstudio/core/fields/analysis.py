"""analyze(architecture) → Analysis: sizes, fields, costs and remarks of every layer of a network.

Total for every document, immutable, and fast enough to run after every keystroke: one pass in
topological order, and what did not change since the previous analysis is taken from it.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.track import Interval
from rfstudio.core.errors import OpError, UnitError
from rfstudio.core.fields import backtrace
from rfstudio.core.fields.diagnostics import Diagnostic, MergeMisfit, diagnose
from rfstudio.core.fields.field import (
    START,
    UNSEEN,
    AxisField,
    Misfit,
    merge,
    theoretical_region,
    through,
)
from rfstudio.core.fields.reach import cut_off, field_of
from rfstudio.core.network.architecture import INPUT, Architecture, Location
from rfstudio.core.network.graph import MAX_LAYERS, Graph, Node, expand, unchanged_by
from rfstudio.core.ops import NO_COSTS, Costs, Op

Fields = tuple[AxisField, ...]
"""Field of a map along each axis."""


@dataclass(frozen=True, slots=True)
class LayerAnalysis:
    """What is known of one layer; all tuples have one entry per axis, in tensor order.

    Attributes
    ----------
    node
        The layer in the graph.
    inputs
        Names of the layers that it reads.
    fields
        Its receptive field along each axis.
    costs
        Its learned parameters and multiply-adds.
    """

    node: Node
    inputs: tuple[str, ...]
    fields: Fields
    costs: Costs

    @property
    def index(self) -> int:
        """Its place in `Graph.nodes`."""
        return self.node.index

    @property
    def name(self) -> str:
        """Its path, such as ``layer1.0.conv1``."""
        return self.node.name

    @property
    def op(self) -> str:
        """The keyword of its operation, as in a file."""
        return INPUT if self.node.op is None else self.node.op.keyword

    @property
    def operation(self) -> Op | None:
        """Its operation; None for the network's input."""
        return self.node.op

    @property
    def location(self) -> Location | None:
        """The item of the document that it comes from."""
        return self.node.location

    @property
    def output_size(self) -> tuple[int, ...]:
        """Size of its map, in samples."""
        return self.node.size

    @property
    def channels(self) -> int:
        """Number of channels of its map."""
        return self.node.channels

    @property
    def parameters(self) -> int:
        """Number of learned parameters."""
        return self.costs.parameters

    @property
    def macs(self) -> int:
        """Number of multiply-adds for one image."""
        return self.costs.macs

    @property
    def rf_size(self) -> tuple[int | None, ...]:
        """Largest size of the theoretical field over units, in pixels; None on a global axis."""
        return tuple(None if x is None else x[1] for x in self.rf_size_range)

    @property
    def rf_size_range(self) -> tuple[tuple[int, int] | None, ...]:
        """Smallest and largest size over units, in pixels; None on a global axis."""
        sizes = self.node.size
        return tuple(x.size_range(n) for x, n in zip(self.fields, sizes, strict=True))

    @property
    def jump(self) -> tuple[int | Fraction | None, ...]:
        """Effective stride, in pixels; None on a global axis and behind a stride mismatch."""
        return tuple(x.jump for x in self.fields)

    @property
    def padding(self) -> tuple[int | Fraction | None, ...]:
        """Effective padding, in pixels; None on a global axis and behind a stride mismatch."""
        return tuple(x.padding for x in self.fields)

    @property
    def center(self) -> tuple[float | None, ...]:
        """Centre of the field of unit 0, in pixels; None where `jump` is None."""
        return tuple(x.center for x in self.fields)

    @property
    def is_global(self) -> tuple[bool, ...]:
        """Whether every unit sees the whole axis."""
        return tuple(x.whole for x in self.fields)

    @property
    def alignment(self) -> tuple[str, ...]:
        """How all paths to this layer fit: aligned, centre_offset or stride_mismatch."""
        return tuple(x.alignment.word for x in self.fields)


@dataclass(frozen=True)
class UnitView:
    """What one unit sees of the reference map (definitions, section 3).

    Attributes
    ----------
    layer
        Path of its layer.
    position
        Its position in that layer's map.
    size
        Size of the reference map along each axis.
    theoretical_region
        (first, last) along each axis, unclipped, the hull over all paths; the whole axis where it
        is global; None if no path reaches the unit.
    region
        Exactly what reaches the unit.
    """

    layer: str
    position: tuple[int, ...]
    size: tuple[int, ...]
    theoretical_region: tuple[Interval, ...] | None
    region: backtrace.Region = field(repr=False)

    @property
    def visible_region(self) -> tuple[Interval, ...] | None:
        """Hull of the pixels that really reach the unit; None if none does."""
        return self.region.hull

    def support(self) -> NDArray[np.bool_]:
        """Return which pixels reach the unit, as a boolean array of the reference's size."""
        return self.region.mask()

    @property
    def support_count(self) -> int:
        """Number of pixels that reach the unit."""
        return self.region.count

    @property
    def coverage(self) -> float:
        """Share of the image that reaches the unit, 0 to 1."""
        return self.support_count / max(prod(self.size), 1)

    @property
    def axis_coverage(self) -> tuple[float, ...]:
        """Share that the visible region has of each side of the image, 0 to 1."""
        hull = self.visible_region
        if hull is None:
            return (0.0,) * len(self.size)
        return tuple((b - a + 1) / n for (a, b), n in zip(hull, self.size, strict=True))

    @property
    def gridding(self) -> float:
        """Share of holes in the visible region, 0 to 1."""
        hull = self.visible_region
        if hull is None:
            return 0.0
        return 1.0 - self.support_count / prod(b - a + 1 for a, b in hull)


@dataclass(frozen=True)
class Analysis:
    """Everything that is known of a network at one input size.

    Attributes
    ----------
    architecture
        The document.
    graph
        Its flat graph at this input size.
    reference
        Index of the node with respect to which fields are given; 0 is the input.
    batch_norm_training
        Whether batch norm was taken to see all of its map.
    fields
        For each node its field along each axis.
    costs
        For each node its learned parameters and multiply-adds.
    misfits
        Merges whose branches do not align.
    remarks
        What is to be said of the whole network, before all other diagnostics.
    """

    architecture: Architecture
    graph: Graph
    reference: int
    batch_norm_training: bool
    fields: tuple[Fields, ...] = field(repr=False)
    costs: tuple[Costs, ...] = field(repr=False)
    misfits: tuple[MergeMisfit, ...] = field(repr=False)
    remarks: tuple[Diagnostic, ...] = ()

    @property
    def input_size(self) -> tuple[int, ...]:
        """Size of the network's input along each axis, in pixels."""
        return self.graph.nodes[0].size

    @property
    def reference_size(self) -> tuple[int, ...]:
        """Size of the map with respect to which fields are given."""
        return self.graph.nodes[self.reference].size

    @cached_property
    def layers(self) -> tuple[LayerAnalysis, ...]:
        """All layers in order, without the network's input."""
        return tuple(self.at(i) for i in range(1, len(self.graph.nodes)))

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Remarks on layers, in the order of the network."""
        return (*self.remarks, *diagnose(self.graph, self.fields, self.misfits, self.reference))

    @property
    def parameters(self) -> int:
        """Number of learned parameters of the network."""
        return sum(x.parameters for x in self.costs)

    @property
    def macs(self) -> int:
        """Number of multiply-adds of the network for one image."""
        return sum(x.macs for x in self.costs)

    def at(self, index: int) -> LayerAnalysis:
        """Return what is known of the node with that index in the graph."""
        nodes = self.graph.nodes
        node = nodes[index]
        names = tuple(nodes[x].name for x in node.inputs)
        return LayerAnalysis(node, names, self.fields[index], self.costs[index])

    def __getitem__(self, path: str) -> LayerAnalysis:
        """Return a layer, or the output of a container, by its path.

        Raises
        ------
        UnknownLayerError
            If there is none; the message names the nearest path.
        """
        return self.at(self.graph.index(path))

    def __contains__(self, path: object) -> bool:
        """Whether there is a layer or container of that path."""
        return path in self.graph.paths

    def unit(self, path: str, position: tuple[int, ...] | None = None) -> UnitView:
        """Return what one unit of a layer sees of the reference map.

        Parameters
        ----------
        path
            A layer or container path.
        position
            The unit in tensor order; None: the centre unit, (h // 2, w // 2).

        Raises
        ------
        UnknownLayerError, UnitError
            If there is no such layer or unit.
        """
        index = self.graph.index(path)
        node = self.graph.nodes[index]
        unit = tuple(n // 2 for n in node.size) if position is None else _whole(position)
        size = self.reference_size
        with field_of(self.graph, index):
            region = backtrace.region_of_unit(self.graph, index, unit, self.reference)
            theoretical = theoretical_region(self.fields[index], unit, size)
        return UnitView(node.name, unit, size, theoretical, region)


def _whole(position: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return tuple(map(operator.index, position))
    except TypeError:
        raise UnitError(f"a unit has one whole number per axis, not {position!r}") from None


def analyze(
    architecture: Architecture,
    *,
    input_size: tuple[int, ...] | None = None,
    reference: str = INPUT,
    batch_norm_training: bool = False,
    previous: Analysis | None = None,
    max_layers: int = MAX_LAYERS,
) -> Analysis:
    """Analyse a network; total for every document, whatever is wrong becomes a diagnostic.

    Parameters
    ----------
    architecture
        The document.
    input_size
        Size of the input along each axis, in pixels; the document's own if None.
    reference
        Layer or container path with respect to whose map all fields are given.
    batch_norm_training
        Whether batch norm takes its statistics from the map, as in training mode, and so sees
        all of it.
    previous
        An earlier analysis; what did not change since is taken from it, which only saves time.
    max_layers
        Layers from which on the rest is left out, which is a fault.

    Raises
    ------
    UnknownLayerError
        If there is no layer `reference`.
    GraphError
        If `input_size` is not one whole number from 1 on for each axis of the network.
    """
    if previous is not None and previous.batch_norm_training != batch_norm_training:
        previous = None
    graph = expand(
        architecture,
        input_size,
        batch_norm_training=batch_norm_training,
        previous=None if previous is None else previous.graph,
        max_layers=max_layers,
    )
    origin = graph.index(reference)
    unchanged = unchanged_by(batch_norm_training=batch_norm_training)
    fields, misfits = _all_fields(graph, origin, unchanged, previous)
    costs_of_all = _all_costs(graph, previous)
    return Analysis(
        architecture, graph, origin, batch_norm_training, fields, costs_of_all, tuple(misfits)
    )


def fields_of(graph: Graph, reference: int = 0) -> tuple[Fields, ...]:
    """Return for each node of a graph its field along each axis, with respect to a node."""
    # Whether batch norm sees the whole map is in the rules of the graph.
    unchanged = unchanged_by(batch_norm_training=True)
    return _all_fields(graph, reference, unchanged, None)[0]


def _all_fields(
    graph: Graph, origin: int, unchanged: frozenset[type[Op]], previous: Analysis | None
) -> tuple[tuple[Fields, ...], list[MergeMisfit]]:
    """Return the field of every node and the misfits of merges: one pass, O(edges)."""
    nodes = graph.nodes
    axes = len(nodes[0].size)
    fields: list[Fields] = [(UNSEEN,) * axes] * len(nodes)
    fields[origin] = (START,) * axes
    misfits: list[MergeMisfit] = []
    old_nodes: tuple[Node, ...] = ()
    old_fields: tuple[Fields, ...] = ()
    if previous is not None and previous.reference == origin and len(previous.input_size) == axes:
        old_nodes, old_fields = previous.graph.nodes, previous.fields
        fields[origin] = old_fields[origin]
    blocked, unseen = cut_off(graph, origin), (UNSEEN,) * axes
    for node in nodes[origin + 1 :]:
        index, _, op, inputs, size, _, _, rules = node
        if index in blocked and 0 not in size:
            fields[index] = unseen
        elif len(inputs) > 1:
            merged, found = _merged([fields[x] for x in inputs])
            fields[index] = merged
            if found:
                misfits.append(MergeMisfit(index, found))
        elif type(op) in unchanged:
            fields[index] = fields[inputs[0]]
        elif (
            index < len(old_nodes)
            and old_nodes[index].rules is rules
            and old_nodes[index].inputs == inputs
            and old_fields[inputs[0]] is fields[inputs[0]]
        ):
            fields[index] = old_fields[index]
        else:
            fields[index] = _behind(fields[inputs[0]], rules)
    return tuple(fields), misfits


def _behind(source: Fields, rules: tuple[Any, ...]) -> Fields:
    first = through(source[0], rules[0])
    result = [first]
    for field_in, rule in zip(source[1:], rules[1:], strict=True):
        # Both axes are alike in most networks: then they share one field.
        alike = field_in is source[0] and rule == rules[0]
        result.append(first if alike else through(field_in, rule))
    return tuple(result)


def _merged(sources: list[Fields]) -> tuple[Fields, dict[int, Misfit]]:
    head = sources[0]
    if all(x is head for x in sources):
        return head, {}
    result: list[AxisField] = []
    misfits: dict[int, Misfit] = {}
    for axis, branches in enumerate(zip(*sources, strict=True)):
        if axis and all(x[axis] is x[0] for x in sources):
            result.append(result[0])
            if 0 in misfits:
                misfits[axis] = misfits[0]
            continue
        hull, misfit = merge(branches)
        result.append(hull)
        if misfit is not None:
            misfits[axis] = misfit
    return tuple(result), misfits


def _all_costs(graph: Graph, previous: Analysis | None) -> tuple[Costs, ...]:
    nodes = graph.nodes
    old_nodes = previous.graph.nodes if previous is not None else ()
    known: dict[tuple[int, int, tuple[int, ...]], Costs] = {}
    result = [NO_COSTS]
    for node in nodes[1:]:
        op = node.op
        assert op is not None
        if op.is_free:
            result.append(NO_COSTS)
            continue
        source = nodes[node.inputs[0]]
        # The copies of a repeat share their operation.
        key = (id(op), source.channels, source.size)
        cost = known.get(key)
        if cost is None and previous is not None and node.index < len(old_nodes):
            old = old_nodes[node.index]
            if old.op is op and old_nodes[old.inputs[0]][4:6] == source[4:6]:
                cost = previous.costs[node.index]
                known[key] = cost
        if cost is None:
            try:
                cost = op.costs(source.channels, node.channels, source.size, node.size)
            except OpError:  # the graph has named this fault already
                cost = NO_COSTS
            known[key] = cost
        result.append(cost)
    return tuple(result)
