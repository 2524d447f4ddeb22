"""Which share of a unit's expected energy takes which path through a network.

A unit's gradient flows back to the input, and where a map is read by several layers, energy comes
in by each of them: by the skip of a residual block what the sum passes on as it is, by its branch
what the layers in it make of that.  With e(j, s) the energy that node j sends to the map s,

    share of the edge at s:  q(j, s) = e(j, s) / Σ_j e(j, s)
    share of all energy that reaches the reference:  w(j, s) = q(j, s) · w(s),  w(j) = Σ_s w(j, s)

from w = 1 at the reference on.  A path has the product of its shares.  This takes it that what
arrives at one map goes on in the same way wherever it came from, as in Veit et al. [1]_, who count
the paths of residual networks by length.

References
----------
.. [1] Veit, Wilber, Belongie, "Residual Networks Behave Like Ensembles of Relatively Shallow
   Networks", NIPS 2016, arXiv:1605.06431.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import log2
from typing import TypeAlias, TypeVar

from rfstudio.core.axes.axis_rule import Whole
from rfstudio.core.effective.calibration import with_gains
from rfstudio.core.effective.demand import affordable
from rfstudio.core.effective.energy_flow import Energy, energy_of
from rfstudio.core.effective.flow import Flow
from rfstudio.core.effective.flow_back import flow_back
from rfstudio.core.errors import TooLargeError
from rfstudio.core.fields.backtrace import check_unit
from rfstudio.core.fields.depth import counts
from rfstudio.core.fields.local import local_rules
from rfstudio.core.fields.paths import Size, plain, reach_and_factor
from rfstudio.core.fields.projective import nodes_between
from rfstudio.core.fields.reach import check_reached, field_of
from rfstudio.core.initialisations import DEFAULT, initialisation
from rfstudio.core.layer_models.layer import BatchNormMode
from rfstudio.core.network.graph import Graph
from rfstudio.core.work import at_most, give_way, spend

Edge: TypeAlias = tuple[int, int]
"""A node and one of its sources."""

_State: TypeAlias = tuple[Size, Size] | None
"""The size of a path's field and its jump; None: the whole axis."""

_Group = TypeVar("_Group")

MAX_KINDS = 20_000
"""Pairs of field size and jump that are followed at one node."""

MAX_FOLLOWED = 1_200_000
"""Lengths, or such pairs, of all nodes together: about a second."""


@dataclass(frozen=True, slots=True)
class PathGroup:
    """All paths of one length, or of one field.

    Attributes
    ----------
    value
        The length in layers with weights, or the size of the field; None: the whole axis.
    count
        Number of paths.
    share
        Share of the expected energy that they bring, 0 to 1.
    """

    value: Size | None
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Branch:
    """One way on from a map that several layers read.

    Attributes
    ----------
    source
        The layer whose map it is.
    reader
        The layer that reads it.
    is_skip
        Whether the reader is a merge, which the others reach by way of layers in between.
    share
        Share of the energy that reaches this map.
    of_all
        Share of all energy that reaches the reference.
    """

    source: str
    reader: str
    is_skip: bool
    share: float
    of_all: float


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths to one layer; groups are in rising order.

    Attributes
    ----------
    layer
        Its path.
    unit
        The unit whose energy is shared.
    lengths
        The paths by number of layers with weights.
    fields
        For each axis the paths by the size of their field.
    branches
        The ways on from each map on the way that several layers read, from the reference on.
    edges
        Share of all energy for each edge on the way.
    """

    layer: str
    unit: tuple[int, ...]
    lengths: tuple[PathGroup, ...]
    fields: tuple[tuple[PathGroup, ...], ...]
    branches: tuple[Branch, ...]
    edges: Mapping[Edge, float] = field(repr=False, compare=False)

    @property
    def count(self) -> int:
        """Number of paths."""
        return sum(x.count for x in self.lengths)

    @property
    def mean_length(self) -> float:
        """Mean length, weighted with the energy."""
        return float(sum(x.share * (x.value or 0) for x in self.lengths))


def paths_of(
    graph: Graph,
    index: int,
    unit: tuple[int, ...],
    *,
    reference: int = 0,
    ignore_gates: bool = False,
    batch_norm: BatchNormMode = "warmed",
    init: str = DEFAULT,
) -> Paths:
    """Return the paths to a node by length and by field, and how energy is shared among them.

    Parameters
    ----------
    graph
        The network.
    index, unit
        The node, and the unit whose energy is shared.
    reference
        Node at which paths begin.
    ignore_gates
        Whether operations that read a whole axis but preserve positions count as if they read one
        position.
    batch_norm, init
        As for an expected field.

    Raises
    ------
    UnitError
        If there is no such unit, or nothing leads to it.
    TooLargeError
        If it would take too much time, or there are too many different fields.
    RFStudioError
        If there is no such `init`.
    """
    law = initialisation(init)
    check_unit(graph, index, unit)
    check_reached(graph, index, reference)
    with field_of(graph, index), affordable(graph, index, unit, reference):
        sent = _energies(index, unit, reference, energy_of(graph, batch_norm, index, init=law))
    nodes = graph.nodes
    on_the_way = nodes_between(graph, reference, index)
    here = {reference, *on_the_way}
    readers: dict[int, list[int]] = defaultdict(list)
    for i in on_the_way:
        for source in dict.fromkeys(nodes[i].inputs):
            if source in here:
                readers[source].append(i)
    shares = {
        (i, s): share for s, listed in readers.items() for i, share in _shares(sent, s, listed)
    }
    whole = {reference: 1.0}
    edges: dict[Edge, float] = {}
    for i in on_the_way:
        for source in dict.fromkeys(nodes[i].inputs):
            if source in here:
                edges[i, source] = whole[source] * shares[i, source]
        whole[i] = sum(edges[i, s] for s in dict.fromkeys(nodes[i].inputs) if s in here)
    branches = tuple(
        Branch(nodes[s].name, nodes[i].name, len(nodes[i].inputs) > 1, shares[i, s], edges[i, s])
        for s in sorted(readers)
        if len(readers[s]) > 1
        for i in readers[s]
    )
    walk = _Distribution(graph, reference, on_the_way, shares, ignore_gates)
    name = nodes[index].name
    refusal = (
        f"the paths to '{name}' are of too many lengths and fields to group them; take a layer "
        "nearer to the input"
    )
    with at_most(MAX_FOLLOWED, refusal):
        lengths = walk.lengths(index)
        fields = [walk.fields(0, index)]
        for axis in range(1, len(nodes[0].size)):
            # Both axes are the same in most networks.
            is_same = all(nodes[i].rules[axis] == nodes[i].rules[0] for i in on_the_way)
            fields.append(fields[0] if is_same else walk.fields(axis, index))
    return Paths(name, unit, lengths, tuple(fields), branches, edges)


def _energies(
    index: int, unit: tuple[int, ...], reference: int, energy: Energy
) -> dict[Edge, float]:
    """Return the logarithm to base 2 of the energy that each node sends to each source."""
    gained = with_gains(energy, None, index, reference)
    runs = energy.runs
    sent: dict[Edge, float] = {}

    def note(i: int, source: int, flows: list[Flow]) -> list[Flow]:
        masses = [x for x in (_log_mass(flow, runs[source]) for flow in flows) if x is not None]
        if (i, source) in sent:  # it reads that map twice
            masses.append(sent[i, source])
        if masses:
            most = max(masses)
            sent[i, source] = most + log2(sum(2.0 ** (x - most) for x in masses))
        return flows

    flow_back(
        energy.graph,
        index,
        unit,
        gained.backward,
        reference=reference,
        runs=runs,
        edges=gained.edges,
        adjust=note,
    )
    return sent


def _log_mass(flow: Flow, runs: tuple[int, ...]) -> float | None:
    """Return log2 of the sum over positions and channels; None if there is nothing."""
    parts = flow.axes or (flow.values,)
    mass = flow.factor
    for part in parts:
        mass *= float(part.sum())
    profile = flow.profile
    mass *= sum(runs) if profile is None else sum(n * x for n, x in zip(runs, profile, strict=True))
    return log2(mass) + flow.exponent if mass > 0 else None


def _shares(
    sent: Mapping[Edge, float], source: int, readers: list[int]
) -> Iterable[tuple[int, float]]:
    """Yield the share of what reaches a map that comes from each of its readers."""
    logs = {i: sent[i, source] for i in readers if (i, source) in sent}
    most = max(logs.values(), default=0.0)
    parts = {i: 2.0 ** (x - most) for i, x in logs.items()}
    total = sum(parts.values()) or 1.0
    for i in readers:
        yield i, parts.get(i, 0.0) / total


def _let_go(
    found: dict[int, _Group], sources: Iterable[int], reader: int, last: Mapping[int, int]
) -> None:
    """Drop what was found of the sources of a node that is the last one to read them."""
    for source in dict.fromkeys(sources):
        if last[source] == reader:
            found.pop(source, None)


@dataclass(frozen=True, slots=True)
class _Distribution:
    """Groups paths from the reference on, without listing them."""

    graph: Graph
    reference: int
    on_the_way: list[int]
    shares: Mapping[Edge, float]
    ignore_gates: bool

    def _last_readers(self) -> dict[int, int]:
        """Return for each node on the way the last one that reads it."""
        nodes = self.graph.nodes
        return {source: i for i in self.on_the_way for source in nodes[i].inputs}

    def lengths(self, index: int) -> tuple[PathGroup, ...]:
        """Return the paths to a node by their number of layers with weights."""
        nodes = self.graph.nodes
        found: dict[int, dict[int, tuple[int, float]]] = {self.reference: {0: (1, 1.0)}}
        last = self._last_readers()
        for i in self.on_the_way:
            longer = int(counts(nodes[i]))
            here: dict[int, tuple[int, float]] = {}
            give_way()
            for source in nodes[i].inputs:
                share = self._share(i, source)
                spend(len(found.get(source, ())))
                for length, (count, weight) in found.get(source, {}).items():
                    n, w = here.get(length + longer, (0, 0.0))
                    here[length + longer] = n + count, w + weight * share
            found[i] = here
            _let_go(found, nodes[i].inputs, i, last)
        return tuple(PathGroup(x, *found[index][x]) for x in sorted(found[index]))

    def fields(self, axis: int, index: int) -> tuple[PathGroup, ...]:
        """Return the paths to a node by the size of their field along one axis.

        Raises
        ------
        TooLargeError
            If there are too many different ones.
        """
        nodes = self.graph.nodes
        start: dict[_State, tuple[int, float]] = {(1, 1): (1, 1.0)}
        found = {self.reference: start}
        last = self._last_readers()
        for i in self.on_the_way:
            op, rules, inputs = nodes[i].op, nodes[i].rules, nodes[i].inputs
            rule = (local_rules(op, rules) if self.ignore_gates else rules)[axis]
            is_whole = type(rule) is Whole
            reach, factor = (0, 1) if is_whole else reach_and_factor(rule)
            if len(inputs) == 1 and not is_whole and (reach, factor) == (0, 1):
                share = self._share(i, inputs[0])
                if share == 1.0:
                    found[i] = found[inputs[0]]
                    _let_go(found, inputs, i, last)
                    continue
            here: dict[_State, tuple[int, float]] = {}
            give_way()
            for source in inputs:
                share = self._share(i, source)
                spend(len(found.get(source, ())))
                for state, (count, weight) in found.get(source, {}).items():
                    key = state
                    if is_whole:
                        key = None
                    elif state is not None and (reach or factor != 1):
                        size, jump = state
                        key = plain(size + reach * jump), plain(jump * factor)
                    n, w = here.get(key, (0, 0.0))
                    here[key] = n + count, w + weight * share
            if len(here) > MAX_KINDS:
                raise TooLargeError(
                    f"there are more than {MAX_KINDS:,} different fields of paths to "
                    f"'{nodes[i].name}'"
                )
            found[i] = here
            _let_go(found, inputs, i, last)
        groups: dict[Size | None, tuple[int, float]] = {}
        for state, (count, weight) in found[index].items():
            value = None if state is None else state[0]
            n, w = groups.get(value, (0, 0.0))
            groups[value] = n + count, w + weight
        finite = sorted(x for x in groups if x is not None)
        ordered = [*finite, None] if None in groups else finite
        return tuple(PathGroup(x, *groups[x]) for x in ordered)

    def _share(self, i: int, source: int) -> float:
        """Return the share of one of the edges between two nodes: a node may read one twice."""
        return self.shares.get((i, source), 0.0) / self.graph.nodes[i].inputs.count(source)
