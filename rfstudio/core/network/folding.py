"""Folded containers of a graph: one box in place of all the layers whose paths begin alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.network.graph import Graph


@dataclass(frozen=True)
class Box:
    """What is drawn as one box.

    Attributes
    ----------
    members
        The nodes in it, in the order of the graph.
    container
        The path that they share; empty for a single layer and what is joined to it.
    """

    members: tuple[int, ...]
    container: str = ""

    @property
    def last(self) -> int:
        """The node whose map leaves the box, as a rule."""
        return self.members[-1]


@dataclass(frozen=True, eq=False)
class Boxes:
    """A graph as boxes, in topological order.

    Attributes
    ----------
    boxes
        The boxes.
    inputs
        For each box those that it reads.
    """

    boxes: tuple[Box, ...]
    inputs: tuple[tuple[int, ...], ...]

    @cached_property
    def of_node(self) -> NDArray[np.intp]:
        """For each node the box that it is in."""
        found = np.zeros(sum(len(x.members) for x in self.boxes), np.intp)
        for i, box in enumerate(self.boxes):
            found[list(box.members)] = i
        return found


def containers_of(name: str) -> Iterator[str]:
    """Return the paths of the containers that a layer is in, the outermost first."""
    at = name.find(".")
    while at >= 0:
        yield name[:at]
        at = name.find(".", at + 1)


def containers(graph: Graph) -> dict[str, int]:
    """Return all paths of containers with how many layers each holds, where that is several."""
    counts = Counter(x for node in graph.nodes for x in containers_of(node.name))
    return {path: count for path, count in counts.items() if count > 1}


def folded_to_depth(graph: Graph, depth: int) -> frozenset[str]:
    """Return what to fold so that paths have at most that many parts."""
    return frozenset(x for x in containers(graph) if x.count(".") == depth - 1)


def depth_of(graph: Graph) -> int:
    """Return how deep containers are nested: 0 if there are none."""
    return max((x.count(".") + 1 for x in containers(graph)), default=0)


def boxes_of(graph: Graph, folded: Collection[str], joined: Sequence[int] = ()) -> Boxes:
    """Return a graph with some containers folded.

    Parameters
    ----------
    graph
        The graph.
    folded
        Paths of the containers that are one box each.
    joined
        For each node the earlier one in whose box it is, itself if in one of its own, unless it is
        in a folded container; empty: all have boxes of their own.

    A container that is left and entered again, such as one in which a layer reads from outside what
    comes from inside, cannot be one box of a graph without cycles, and remains unfolded.
    """
    open_again: set[str] = set()
    while True:
        found = _contracted(graph, frozenset(folded) - open_again, joined)
        if isinstance(found, Boxes):
            return found
        open_again |= found


def _contracted(graph: Graph, folded: frozenset[str], joined: Sequence[int]) -> Boxes | set[str]:
    """Return the boxes, or the containers that are on a cycle."""
    group: dict[str, int] = {}
    members: list[list[int]] = []
    names: list[str] = []
    of_node: list[int] = []
    for node in graph.nodes:
        path = next((x for x in containers_of(node.name) if x in folded), "") if folded else ""
        if path:
            at = group.setdefault(path, len(members))
        elif joined and joined[node.index] != node.index:
            at = of_node[joined[node.index]]
        else:
            at = len(members)
        if at == len(members):
            members.append([])
            names.append(path)
        members[at].append(node.index)
        of_node.append(at)
    reads = [
        dict.fromkeys(of_node[x] for i in inside for x in graph.nodes[i].inputs if of_node[x] != at)
        for at, inside in enumerate(members)
    ]
    order = _sorted(reads)
    if len(order) < len(members):
        return {names[x] for x in _on_cycles(reads, order) if names[x]}
    place = {x: i for i, x in enumerate(order)}
    return Boxes(
        tuple(Box(tuple(members[x]), names[x]) for x in order),
        tuple(tuple(place[y] for y in reads[x]) for x in order),
    )


def _readers(reads: Sequence[Collection[int]]) -> list[list[int]]:
    readers: list[list[int]] = [[] for _ in reads]
    for i, read in enumerate(reads):
        for x in read:
            readers[x].append(i)
    return readers


def _sorted(reads: Sequence[Collection[int]]) -> list[int]:
    """Return the topological order next to the given one, without what cycles lead to."""
    waiting = [len(x) for x in reads]
    readers = _readers(reads)
    ready = [i for i, n in enumerate(waiting) if not n]
    order = []
    while ready:
        order.append(heappop(ready))
        for x in readers[order[-1]]:
            waiting[x] -= 1
            if not waiting[x]:
                heappush(ready, x)
    return order


def _on_cycles(reads: Sequence[Collection[int]], sorted_ones: list[int]) -> set[int]:
    """Return what is on a cycle or between two, given what cycles do not lead to."""
    left = set(range(len(reads))) - set(sorted_ones)
    readers = _readers([[x for x in read if x in left] for read in reads])
    inside = [x if i in left else [] for i, x in enumerate(readers)]
    return left - set(_sorted([[x for x in read if x in left] for read in inside]))
