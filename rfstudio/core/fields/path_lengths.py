"""How long the paths to each layer are: least, mean and greatest, without listing them.

In one pass in graph order: with n paths of total length t to a source, all paths through it are
n longer by one in total if the layer counts.  `rfstudio.core.effective.path_shares` weights paths
with the energy that they bring; that takes a walk back from one unit.
"""

from __future__ import annotations

from typing import NamedTuple

from rfstudio.core.errors import TooLargeError
from rfstudio.core.fields.depth import counts
from rfstudio.core.network.graph import Graph

MAX_NODES = 20_000
"""Layers of a network up to which paths are counted: their number may double with each."""

MAX_PATHS = 10**300
"""Paths to a layer that are counted: Python writes no number of thousands of digits."""


class PathLengths(NamedTuple):
    """The paths to a layer by their length, in layers with weights, the layer itself included.

    Attributes
    ----------
    count
        Number of paths.
    least, mean, greatest
        Their lengths; each path counts once in the mean.
    """

    count: int  # type: ignore[assignment]  # hides a method of tuples that nobody needs
    least: int
    mean: float
    greatest: int


def path_lengths_of(graph: Graph, reference: int = 0) -> list[PathLengths | None]:
    """Return the lengths of all paths from the reference to each node; None where none leads.

    Raises
    ------
    TooLargeError
        If the network has too many layers, or a layer more than `MAX_PATHS`.
    """
    nodes = graph.nodes
    if len(nodes) > MAX_NODES:
        raise TooLargeError(
            f"the paths to all of {len(nodes) - 1:,} layers are too many to count; choose a layer"
        )
    found: list[tuple[int, int, int, int] | None] = [None] * len(nodes)
    found[reference] = (1, 0, 0, 0)
    for node in nodes[reference + 1 :]:
        sources = [x for x in (found[i] for i in node.inputs) if x is not None]
        if not sources:
            continue
        longer = int(counts(node))
        paths = sum(x[0] for x in sources)
        if paths > MAX_PATHS:
            raise TooLargeError(
                f"more than 10^300 paths lead to '{node.name}', which are too many to count"
            )
        total = sum(x[1] for x in sources) + longer * paths
        least = min(x[2] for x in sources) + longer
        greatest = max(x[3] for x in sources) + longer
        found[node.index] = (paths, total, least, greatest)
    return [None if x is None else PathLengths(x[0], x[2], x[1] / x[0], x[3]) for x in found]
