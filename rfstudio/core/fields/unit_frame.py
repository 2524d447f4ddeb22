"""The theoretical field and visible region of a unit, to which its effective field is compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.fields.backtrace import region_of_unit
from rfstudio.core.fields.field import theoretical_region
from rfstudio.core.fields.local import Fields
from rfstudio.core.fields.recurrence import fields_of
from rfstudio.core.memo import Recent
from rfstudio.core.network.graph import Graph
from rfstudio.core.work import uninterrupted


@dataclass(frozen=True, eq=False)
class UnitFrame:
    """The theoretical field and the visible region of one unit, found at their first use.

    Attributes
    ----------
    graph
        The network.
    index, unit
        Node and position of the unit.
    reference
        Node over whose map everything is.
    fields
        Theoretical fields of all nodes with respect to it, if they are known; None: they are found.
    """

    graph: Graph = field(repr=False)
    index: int
    unit: tuple[int, ...]
    reference: int = 0
    fields: tuple[Fields, ...] | None = field(default=None, repr=False)

    @cached_property
    def _intervals(self) -> tuple[Interval, ...] | None:
        fields = self.fields or _fields_of(self.graph, self.reference)
        size = self.graph.nodes[self.reference].size
        return theoretical_region(fields[self.index], self.unit, size)

    @property
    def center(self) -> tuple[float, ...] | None:
        """Centre of the theoretical field; of a global axis that of the image."""
        if self._intervals is None:
            return None
        return tuple((first + last) / 2 for first, last in self._intervals)

    @property
    def field_size(self) -> tuple[int, ...] | None:
        """Size of the theoretical field; of a global axis that of the image."""
        if self._intervals is None:
            return None
        return tuple(last - first + 1 for first, last in self._intervals)

    @cached_property
    def visible_region(self) -> tuple[Interval, ...] | None:
        """First and last pixel that really reach the unit; None if none does."""
        with uninterrupted():  # others may wait for a property that is being worked out
            return region_of_unit(self.graph, self.index, self.unit, self.reference).hull


_RECENT: Recent[Graph, tuple[Fields, ...]] = Recent(2)


def _fields_of(graph: Graph, reference: int) -> tuple[Fields, ...]:
    """Return the fields of all nodes; the last answers are remembered, for the next unit."""
    with uninterrupted():  # while a property is being worked out, for which others may wait
        return _RECENT.about(graph, reference, lambda: fields_of(graph, reference))
