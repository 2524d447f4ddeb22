"""The path to a layer that gives it its receptive field: at each merge the widest branch."""

from __future__ import annotations

from math import prod

from rfstudio.core.fields.analysis import Analysis


def largest_path(analysis: Analysis, index: int) -> tuple[int, ...]:
    """Return the nodes of the path to a node along which the local field is largest.

    Back from the node, at each layer with several inputs the path goes on with the one whose local
    field has the largest area; of equal ones with the first.

    Parameters
    ----------
    analysis
        The network.
    index
        The node at which the path ends.

    Returns
    -------
    tuple
        Indices of nodes, from the one with respect to which fields are given to the node itself;
        the node alone if no path leads to it.
    """
    start = analysis.reference
    depths, _ = analysis.at(index).answers.depths
    if depths[index] is None:
        return (index,)
    path = [index]
    while path[-1] != start:
        sources = [x for x in analysis.graph.nodes[path[-1]].inputs if depths[x] is not None]
        path.append(max(sources, key=lambda x: _area(analysis, x)))
    return tuple(reversed(path))


def _area(analysis: Analysis, index: int) -> int:
    """Return the area of the largest local field of a map; −1 where it has no positions."""
    sizes = []
    for field, n in zip(analysis.local[index], analysis.graph.nodes[index].size, strict=True):
        found = field.size_range(n)
        if found is None:
            return -1
        sizes.append(found[1])
    return prod(sizes)
