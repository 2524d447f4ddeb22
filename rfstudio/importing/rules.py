"""The base of the rules of all operations: the tensors so far, and the maps that they view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from rfstudio.core.ops import Op
from rfstudio.importing.layout import Digit, View
from rfstudio.importing.maps import Maps
from rfstudio.importing.records import Program, Record


class Misfit(Exception):  # noqa: N818 - never seen by a user: a layer that reads all replaces it
    """A record that does not fit the layout of its tensors."""


Part = TypeVar("Part", bound="Rules")

# The first parameter is the part of the tracker that has the rule, a type of its own in each file.
Rule = Callable[[Any, Record], View]


def rule(kind: str) -> Callable[[Callable[[Part, Record], View]], Callable[[Part, Record], View]]:
    """Make a method of a part of the tracker the rule of a kind of record."""

    def enter(method: Callable[[Part, Record], View]) -> Callable[[Part, Record], View]:
        method.__dict__["kind"] = kind
        return method

    return enter


class Rules:
    """Base of the parts of the tracker.

    Attributes
    ----------
    rules
        For each kind of record the method that `rule` marks, of this part and its bases.
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

    rules: ClassVar[dict[str, Rule]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        found = {}
        for part in reversed(cls.__mro__):
            for method in vars(part).values():
                if kind := getattr(method, "__dict__", {}).get("kind"):
                    found[kind] = method
        cls.rules = found

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
        if self.maps.record.parameters > 1:
            view = self.maps.in_order(view)
        node = self.maps.add(op, [view.node], self.maps.nodes[view.node].size)
        return replace(view, node=node)

    def is_output(self, node: int) -> bool:
        """Whether a map is what a module returns."""
        raise NotImplementedError

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
