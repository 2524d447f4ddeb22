"""What the rules of all operations use: the tensors so far, and the maps that they are views of."""

from __future__ import annotations

from dataclasses import replace

from rfstudio.core.ops import Op
from rfstudio.importing.layout import Digit, View
from rfstudio.importing.maps import Maps
from rfstudio.importing.records import Program, Record


class Misfit(Exception):  # noqa: N818 - never seen by a user: a layer that reads all takes over
    """A record that does not fit the layout of its tensors."""


class Rules:
    """Base of the parts of the tracker; a method ``_kind`` is the rule of a kind of record.

    Attributes
    ----------
    program
        What is imported.
    maps
        The layers so far.
    views
        For each value that depends on the image what it is a view of; values that do not are
        not in it.
    shapes
        Shapes of all values.
    """

    def __init__(self, program: Program, maps: Maps, view: View) -> None:
        self.program = program
        self.maps = maps
        self.views = {program.source: view}
        self.shapes = {program.source: program.shape, **program.constants}

    def view(self, record: Record, which: int = 0) -> View:
        """Return a source that depends on the image."""
        found = self.views.get(record.sources[which])
        if found is None:
            raise Misfit(f"source {which} is a constant")
        return found

    def sources(self, record: Record) -> list[View]:
        """Return all sources that depend on the image."""
        return [self.views[x] for x in record.sources if x in self.views]

    def layer(self, view: View, op: Op) -> View:
        """Return a view after a layer that works position by position."""
        if view.scores is not None:
            return view
        view = self.maps.settled(view)
        node = self.maps.add(op, [view.node], self.maps.nodes[view.node].size)
        return replace(view, node=node)

    def size(self, view: View) -> tuple[int, ...]:
        """Return the size of the map of a tensor."""
        return self.maps.nodes[view.node].size

    def is_full(self, view: View, digit: Digit) -> bool:
        """Whether a digit is a whole axis of the map of a view."""
        return (
            digit.is_position
            and digit.stride == 1
            and digit.size == self.maps.nodes[view.node].size[digit.axis]
        )
