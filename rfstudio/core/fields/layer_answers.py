"""Answers about all layers of a network, each computed at its first use."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.fields.closed_form import ClosedForm, closed_form_of
from rfstudio.core.fields.depth import depths_of, growth_at
from rfstudio.core.fields.interior import interiors_of
from rfstudio.core.fields.local import Fields, contexts_of, names_of
from rfstudio.core.fields.path_lengths import PathLengths, path_lengths_of
from rfstudio.core.fields.paths import PathFields, path_fields_of
from rfstudio.core.memo import Recent
from rfstudio.core.network.graph import Graph


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers that take a pass over the network and are not needed after every keystroke.

    Attributes
    ----------
    graph
        The network.
    fields, local
        The field and the local field of each node.
    reference
        Index of the node with respect to which fields are given.
    ignore_gates
        Whether operations that read a whole axis count as one position in the fields of paths.
    """

    graph: Graph = field(repr=False)
    fields: tuple[Fields, ...] = field(repr=False)
    local: tuple[Fields, ...] = field(repr=False)
    reference: int = 0
    ignore_gates: bool = False

    def prepare(self) -> None:
        """Work out depths, fields of paths and interiors, giving way between steps."""
        graph, reference, ignores = self.graph, self.reference, self.ignore_gates
        # Not by the properties, which others would wait for in vain while this gives way.
        known = self.__dict__
        if "depths" not in known:
            known["depths"] = depths_of(graph, reference)
        if "path_fields" not in known:
            known["path_fields"] = path_fields_of(graph, reference, ignore_gates=ignores)
        if "interiors" not in known:
            known["interiors"] = interiors_of(graph, reference)

    @cached_property
    def _contexts(self) -> tuple[tuple[int, ...], list[int]]:
        return contexts_of(self.graph, self.local, self.reference)

    def context(self, index: int) -> tuple[str, ...]:
        """Return the names of the operations on the way to a node that read a whole axis."""
        nodes, bits = self._contexts
        return names_of(self.graph, nodes, bits[index])

    @cached_property
    def depths(self) -> tuple[list[int | None], list[int]]:
        """The depth of each node, and the input that is on the longest path to it."""
        return depths_of(self.graph, self.reference)

    def growth(self, index: int) -> tuple[int | None, ...]:
        """Return how much larger the local field of a node is than that of the one before it."""
        return growth_at(self.graph, self.local, self.depths[1], index)

    @cached_property
    def path_fields(self) -> list[PathFields]:
        """The least and the greatest field over all paths to each node."""
        if self.ignore_gates:
            return self.gateless_path_fields
        return path_fields_of(self.graph, self.reference)

    @cached_property
    def gateless_path_fields(self) -> list[PathFields]:
        """The same where operations that read a whole axis are ignored."""
        return path_fields_of(self.graph, self.reference, ignore_gates=True)

    @cached_property
    def path_lengths(self) -> list[PathLengths | None]:
        """The lengths of all paths to each node."""
        return path_lengths_of(self.graph, self.reference)

    @cached_property
    def interiors(self) -> list[tuple[Interval | None, ...]]:
        """The units of each node that no padding reaches."""
        return interiors_of(self.graph, self.reference)

    def closed_form(self, index: int) -> ClosedForm:
        """Return the closed form of the field of a node."""
        # Its equations and its other numbers both want it.
        return _CLOSED_FORMS.about(self, index, lambda: self._closed_form(index))

    def _closed_form(self, index: int) -> ClosedForm:
        context = self.context(index)
        return closed_form_of(self.graph, self.fields, self.local, index, self.reference, context)


_CLOSED_FORMS: Recent[Answers, ClosedForm] = Recent(4)
