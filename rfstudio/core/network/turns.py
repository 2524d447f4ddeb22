"""What one turn of a repeat adds to a graph, so that later turns can be copied from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class State(NamedTuple):
    """How far an expansion is before a turn of a repeat.

    Attributes
    ----------
    source
        The node that the turn reads.
    nodes, steps
        Number of nodes, and of steps that are left.
    counts
        Number of entries of what grows from turn to turn.
    unchanged
        Numbers that are the same after the turn if the next one is like it.
    """

    source: int
    nodes: int
    steps: int
    counts: tuple[int, ...]
    unchanged: tuple[int, ...]


class Turn(NamedTuple):
    """What a turn of a repeat added, from which all later ones follow.

    Attributes
    ----------
    cut
        Length of its path, which all its names begin with.
    start, count
        Its first node, and how many it has.
    steps
        Steps of the expansion that it took.
    places
        For the nodes before it that it reads as the output of the turn before it, where they are
        one turn before those that the next turn reads.
    by_path
        Entries of what grows by path, without the path of the turn.
    by_node
        Entries of what grows by node.
    """

    cut: int
    start: int
    count: int  # type: ignore[assignment]  # hides a method of tuples that nobody needs
    steps: int
    places: Mapping[int, int]
    by_path: list[list[tuple[str, Any]]]
    by_node: list[list[tuple[int, int]]]

    def place(self, index: int) -> tuple[int, bool]:
        """Return where a node is that the turn names, and whether it moves on with the turns."""
        if index >= self.start:
            return index, True
        return self.places.get(index, index), index in self.places

    def at(self, index: int, turns: int) -> int:
        """Return the node that comes in the place of another so many turns later."""
        place, moves = self.place(index)
        return place + turns * self.count if moves else place
