"""analyze(architecture) → Analysis: sizes, fields, costs and remarks of every layer of a network.

Total for every document, immutable, and fast enough to run after every keystroke: one pass in
topological order, and what did not change since the previous analysis is taken from it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, overload

from rfstudio.core.errors import OpError, UnitError, UnknownLayerError
from rfstudio.core.fields import backtrace
from rfstudio.core.fields.block import Block, block_of
from rfstudio.core.fields.field import MergeMisfit, theoretical_region
from rfstudio.core.fields.layer import LayerAnalysis
from rfstudio.core.fields.layer_answers import Answers
from rfstudio.core.fields.local import Fields
from rfstudio.core.fields.paths import (
    PathFields,
    Revision,
    Size,
    border_layers,
    critical_layers,
    input_range,
)
from rfstudio.core.fields.projective import ProjectiveField, readers_of
from rfstudio.core.fields.reach import field_of
from rfstudio.core.fields.recurrence import AllFields, all_fields
from rfstudio.core.fields.remarks.diagnostics import Diagnostic, diagnose, errors_of
from rfstudio.core.fields.remarks.merge_remarks import Repairs
from rfstudio.core.fields.remarks.scale import Scale
from rfstudio.core.fields.unit_view import UnitView
from rfstudio.core.network.architecture import INPUT, Architecture
from rfstudio.core.network.expansion import MAX_LAYERS, unchanged_by
from rfstudio.core.network.graph import Graph
from rfstudio.core.network.physical import Axis
from rfstudio.core.network.reexpansion import expanded_again
from rfstudio.core.network.sample_words import Units, units_of_input, units_of_map
from rfstudio.core.ops import NO_COSTS, Costs
from rfstudio.core.shown import Shown, presenter
from rfstudio.core.work import give_way, uninterrupted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

__all__ = ["Analysis", "Fields", "LayerAnalysis", "UnitView", "analyze"]


@dataclass(frozen=True, repr=False)
class Analysis(Shown):
    """Everything that is known of a network at one input size.

    It is a sequence of its layers, which are also found by their paths.

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
    local
        For each node its local field along each axis (see `rfstudio.core.fields.local`).
    costs
        For each node its learned parameters and multiply-adds.
    misfits
        Merges whose branches do not align.
    ignore_gates
        Whether operations that read a whole axis, but have a position for each position they read,
        count as one position in `LayerAnalysis.path_fields`.
    remarks
        Those on the whole network, which come before all other diagnostics.
    work
        At least the work of long patterns that it takes to find all fields anew.
    """

    architecture: Architecture
    graph: Graph
    reference: int
    batch_norm_training: bool
    fields: tuple[Fields, ...] = field(repr=False)
    local: tuple[Fields, ...] = field(repr=False)
    costs: tuple[Costs, ...] = field(repr=False)
    misfits: tuple[MergeMisfit, ...] = field(repr=False)
    remarks: tuple[Diagnostic, ...] = ()
    ignore_gates: bool = False
    work: float = field(default=0, repr=False, compare=False)

    @property
    def input_size(self) -> tuple[int, ...]:
        """Size of the network's input along each axis, in pixels."""
        return self.graph.nodes[0].size

    @property
    def axes(self) -> tuple[Axis, ...]:
        """What each axis measures of that with respect to which fields are given, if it is known.

        Empty for fields relative to a map, whose samples lie as far apart as its jump.
        """
        return () if self.reference else self.architecture.input_axes

    @property
    def units(self) -> Units:
        """The words for what fields are given in, such as pixels or samples."""
        if self.reference:
            return units_of_map(self.graph.nodes[self.reference].name)
        return units_of_input(self.axes, len(self.input_size))

    @property
    def reference_size(self) -> tuple[int, ...]:
        """Size of the map with respect to which fields are given."""
        return self.graph.nodes[self.reference].size

    @cached_property
    def layers(self) -> tuple[LayerAnalysis, ...]:
        """All layers in order, without the network's input."""
        return tuple(self.at(i) for i in range(1, len(self.graph.nodes)))

    def prepare_layers(self) -> None:
        """Work out `layers` for whoever asks for them later, giving way between steps."""
        found = []
        for index in range(1, len(self.graph.nodes)):
            give_way()
            found.append(self.at(index))
        self.__dict__.setdefault("layers", tuple(found))

    def prepare_answers(self) -> None:
        """Work out what `answers` are asked first of any layer, giving way between steps."""
        self.answers.prepare()

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Remarks on layers, in the order of the network."""
        with uninterrupted():  # others may wait for a property that is being worked out
            return self.find_diagnostics()

    def find_diagnostics(self) -> tuple[Diagnostic, ...]:
        """Find the remarks anew, giving way between steps; `diagnostics` are remembered."""
        repairs = Repairs(self.architecture, self._tried)
        scale = Scale(self.units, self.axes, len(self.input_size))
        found = diagnose(
            self.graph, self.fields, self.local, self.misfits, self.reference, scale, repairs
        )
        return (*self.remarks, *found)

    @property
    def first_error(self) -> Diagnostic | None:
        """Why the network would not run: the first such remark, known before all others."""
        return next(iter(self.errors), None)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Why the network would not run: the remarks that are known before all others."""
        found = (*self.remarks, *(x for _, x in errors_of(self.graph)))
        return tuple(x for x in found if x.severity == "error")

    def _tried(self, architecture: Architecture) -> tuple[Graph, frozenset[int]]:
        """Return the graph of a changed document and which of its merges do not align."""
        changed = analyze(
            architecture,
            input_size=self.input_size,
            reference=self.graph.nodes[self.reference].name,
            batch_norm_training=self.batch_norm_training,
            previous=self,
        )
        return changed.graph, frozenset(x.index for x in changed.misfits)

    @cached_property
    def answers(self) -> Answers:
        """Answers about all layers, each computed at its first use."""
        return Answers(self.graph, self.fields, self.local, self.reference, self.ignore_gates)

    @property
    def largest_field(self) -> LayerAnalysis | None:
        """The first layer whose field is the largest; None in a network without layers."""
        return max(self.layers, key=self._area, default=None)

    @property
    def largest_local_field(self) -> LayerAnalysis | None:
        """The first layer whose local field is the largest; None if no layer has positions."""
        layers = [x for x in self.layers if not any(y.whole for y in x.local_fields)]
        return max(layers, key=_local_area, default=None)

    @property
    def first_global(self) -> LayerAnalysis | None:
        """The first layer of which every unit sees the whole image, if there is one."""
        index = next((i for i, x in enumerate(self.fields) if all(y.whole for y in x)), None)
        return None if index is None else self.at(index)

    def _area(self, layer: LayerAnalysis) -> int:
        whole = self.reference_size
        return prod(n if x is None else x for x, n in zip(layer.rf_size, whole, strict=True))

    @property
    def parameters(self) -> int:
        """Number of learned parameters of the network."""
        return sum(x.parameters for x in self.costs)

    @property
    def macs(self) -> int:
        """Number of multiply-adds of the network for one image."""
        return sum(x.macs for x in self.costs)

    def at(self, index: int) -> LayerAnalysis:
        """Return the results for the node with that index in the graph."""
        nodes = self.graph.nodes
        node = nodes[index]
        names = tuple(nodes[x].name for x in node.inputs)
        return LayerAnalysis(
            node,
            names,
            self.fields[index],
            self.local[index],
            self.costs[index],
            self.answers,
            self.axes,
        )

    def __repr__(self) -> str:
        size = "×".join(map(str, self.input_size))
        counts = f"{len(self)} layers, {self.parameters:,} parameters"
        return f"<Analysis of '{self.architecture.name}': input {size}, {counts}>"

    def __len__(self) -> int:
        """Return the number of layers, without the network's input."""
        return len(self.graph.nodes) - 1

    def __bool__(self) -> bool:
        """Return True: an analysis without layers is one, too."""
        return True

    def __iter__(self) -> Iterator[LayerAnalysis]:
        return iter(self.layers)

    @overload
    def __getitem__(self, path: str | int) -> LayerAnalysis: ...

    @overload
    def __getitem__(self, path: slice) -> tuple[LayerAnalysis, ...]: ...

    def __getitem__(self, path: str | int | slice) -> LayerAnalysis | tuple[LayerAnalysis, ...]:
        """Return a layer, or the output of a container, by its path, or layers by their numbers.

        Numbers count from 0, as in `layers`.

        Raises
        ------
        UnknownLayerError
            If there is none; the message names the nearest path.
        IndexError
            If there is no layer of that number.
        """
        if isinstance(path, str):
            return self.at(self.graph.index(path))
        try:
            return self.layers[path]
        except TypeError:
            raise UnknownLayerError(f"a layer has a path or a number, not {path!r}") from None

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
        near = self.local[index]
        with field_of(self.graph, index):
            region = backtrace.region_of_unit(self.graph, index, unit, self.reference)
            theoretical = theoretical_region(self.fields[index], unit, size)
            positions = not any(x.whole for x in near)
            local = theoretical_region(near, unit, size) if positions else None
        return UnitView(node.name, unit, size, theoretical, region, local, self.axes)

    def projective(
        self, path: str, pixel: tuple[int, ...], reference: str | None = None
    ) -> ProjectiveField:
        """Return the units of a layer that read one sample of a map before it.

        Parameters
        ----------
        path
            A layer or container path.
        pixel
            The sample in tensor order.
        reference
            The layer of whose map it is; None: the reference of the analysis.

        Raises
        ------
        UnknownLayerError, UnitError
            If there is no such layer or sample.
        """
        index = self.graph.index(path)
        origin = self.reference if reference is None else self.graph.index(reference)
        nodes = self.graph.nodes
        place = _whole(pixel)
        units = readers_of(self.graph, index, place, origin)
        return ProjectiveField(nodes[index].name, place, nodes[origin].name, units)

    def block(self, path: str, first: tuple[int, ...], last: tuple[int, ...]) -> Block:
        """Return what the units of a layer from `first` to `last` need of the reference map.

        Raises
        ------
        UnknownLayerError, UnitError
            If there is no such layer or unit.
        """
        index = self.graph.index(path)
        ends = _whole(first), _whole(last)
        return block_of(self.graph, self.fields, index, *ends, self.reference)

    def path_fields(self, *, ignore_gates: bool = False) -> dict[str, PathFields]:
        """Return for each layer the least and the greatest field over all paths to it.

        Parameters
        ----------
        ignore_gates
            Whether operations that read a whole axis count as if they read one position.
        """
        answers = self.answers
        found = answers.gateless_path_fields if ignore_gates else answers.path_fields
        return {x.name: found[x.index] for x in self.graph.nodes[1:]}

    def plot(self, *, axes: Axes | None = None) -> Axes:
        """Draw how the field grows with depth, with matplotlib, and return the axes.

        Parameters
        ----------
        axes
            Where it is drawn, beside what is there; None: a new figure, which is ``.figure`` of the
            result.
        """
        return presenter().plot(self, axes, None)

    def to_dataframe(self) -> DataFrame:
        """Return a table of pandas with one row per layer, and one column per value and axis.

        Raises
        ------
        RFStudioError
            If pandas is not installed.
        """
        return presenter().dataframe(self)

    @property
    def critical_layers(self) -> tuple[str, ...]:
        """Layers even whose least field over paths is larger than the input; gates ignored."""
        found = critical_layers(self.graph, self.answers.gateless_path_fields, self.input_size)
        return tuple(self.graph.nodes[x].name for x in found)

    def border_layers(self, revision: Revision = "first") -> tuple[str, ...]:
        """Return the layers that are expected to add nothing at this input size; gates ignored.

        Parameters
        ----------
        revision
            "first": those of the papers; "later": also layers whose input map is no larger than
            their kernel.
        """
        fields = self.answers.gateless_path_fields
        found = border_layers(self.graph, fields, self.input_size, revision)
        return tuple(self.graph.nodes[x].name for x in found)

    @property
    def input_range(self) -> tuple[tuple[Size, Size] | None, ...]:
        """The smallest and the largest input that all layers can use, per axis; gates ignored."""
        return input_range(self.graph, self.answers.gateless_path_fields)


def _local_area(layer: LayerAnalysis) -> int:
    local = layer.local
    assert local is not None
    return prod(x or 0 for x in local.rf_size)


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
    ignore_gates: bool = False,
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
    ignore_gates
        Whether operations that read a whole axis count as one position in the fields of paths.
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
    graph = expanded_again(
        architecture,
        input_size,
        batch_norm_training=batch_norm_training,
        previous=None if previous is None else previous.graph,
        max_layers=max_layers,
    )
    origin = graph.index(reference)
    unchanged = unchanged_by(batch_norm_training=batch_norm_training)
    earlier = None
    if previous is not None and previous.reference == origin:
        known = previous.fields, previous.local, previous.misfits
        earlier = AllFields(previous.graph.nodes, *known, previous.work)
    found = all_fields(graph, origin, unchanged, earlier)
    costs_of_all = _all_costs(graph, previous)
    return Analysis(
        architecture,
        graph,
        origin,
        batch_norm_training,
        found.fields,
        found.local,
        costs_of_all,
        found.misfits,
        ignore_gates=ignore_gates,
        work=found.work,
    )


def _all_costs(graph: Graph, previous: Analysis | None) -> tuple[Costs, ...]:
    nodes = graph.nodes
    old_nodes = previous.graph.nodes if previous is not None else ()
    known: dict[tuple[int, int, tuple[int, ...]], Costs] = {}
    result = [NO_COSTS]
    for node in nodes[1:]:
        give_way()
        op = node.op
        assert op is not None
        if op.is_free:
            result.append(NO_COSTS)
            continue
        index = node.index
        # The same object reads a map of the same size and channels.
        if previous is not None and index < len(old_nodes) and node is old_nodes[index]:
            result.append(previous.costs[index])
            continue
        source = nodes[node.inputs[0]]
        # The copies of a repeat share their operation.
        key = (id(op), source.channels, source.size)
        cost = known.get(key)
        if cost is None and previous is not None and node.index < len(old_nodes):
            old = old_nodes[node.index]
            shares = node.index in graph.weights_of or node.index in previous.graph.weights_of
            if not shares and old.op is op and old_nodes[old.inputs[0]][4:6] == source[4:6]:
                cost = previous.costs[node.index]
                known[key] = cost
        if cost is None:
            try:
                cost = op.costs(source.channels, node.channels, source.size, node.size)
            except OpError:  # the graph has named this fault already
                cost = NO_COSTS
            known[key] = cost
        result.append(cost)
    for index in graph.weights_of:
        result[index] = result[index]._replace(parameters=0)
    return tuple(result)
