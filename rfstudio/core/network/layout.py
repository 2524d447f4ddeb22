"""The layout of a graph of layers: columns by depth, rows by branch, in O(layers + edges)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.network.graph import Graph


@dataclass(frozen=True, eq=False)
class Layout:
    """Places of all nodes.

    Attributes
    ----------
    column
        For each node the number of layers on the longest way to it.
    row
        For each node its branch: 0 is the trunk, the next branches are below it.
    edges
        (n, 2) indices: from, to.
    """

    column: NDArray[np.intp]
    row: NDArray[np.intp]
    edges: NDArray[np.intp]

    @property
    def columns(self) -> int:
        """Number of columns."""
        return int(self.column.max()) + 1

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.row.max()) + 1


def layout_of(graph: Graph) -> Layout:
    """Return the layout of a graph with a place for each node."""
    return layout_of_inputs([x.inputs for x in graph.nodes])


def layout_of_inputs(inputs: Sequence[Sequence[int]]) -> Layout:
    """Return the layout of boxes, each given by the earlier ones that it reads.

    A box continues the branch of the first one that it reads, unless an earlier box has done so; a
    merge continues the oldest of its branches.  Each branch takes the first row that is free over
    all of its columns.
    """
    count = len(inputs)
    column = [0] * count
    branch = [0] * count
    is_continued = [False] * count
    starts, ends = [0], [0]
    for i, read in enumerate(inputs):
        if i == 0:
            continue
        column[i] = 1 + max((column[x] for x in read), default=-1)
        free = [x for x in read if not is_continued[x]]
        for x in read:
            # A branch reaches up to the box that reads it.
            ends[branch[x]] = max(ends[branch[x]], column[i] - 1)
        if free:
            before = min(free, key=lambda x: branch[x])
            is_continued[before] = True
            branch[i] = branch[before]
            ends[branch[before]] = max(ends[branch[before]], column[i])
        else:
            branch[i] = len(starts)
            starts.append(column[i])
            ends.append(column[i])
    row_of = _rows(starts, ends)
    edges = [(x, i) for i, read in enumerate(inputs) for x in dict.fromkeys(read)]
    return Layout(
        np.array(column, np.intp),
        np.array([row_of[x] for x in branch], np.intp),
        np.array(edges, np.intp).reshape(-1, 2),
    )


def _rows(starts: list[int], ends: list[int]) -> list[int]:
    """Return the first free row of each branch, by rising start; the trunk has row 0 alone."""
    rows = [0] * len(starts)
    free: list[int] = []
    taken: list[tuple[int, int]] = []
    used = 1
    for i in sorted(range(1, len(starts)), key=lambda x: starts[x]):
        while taken and taken[0][0] < starts[i]:
            heapq.heappush(free, heapq.heappop(taken)[1])
        if free:
            rows[i] = heapq.heappop(free)
        else:
            rows[i], used = used, used + 1
        heapq.heappush(taken, (ends[i], rows[i]))
    return rows
