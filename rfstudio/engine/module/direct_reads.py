"""The graph as it is evaluated: deformable convolutions read the map that their taps move over.

When a network is expanded, a deformable convolution with offsets of its own layer reads what its
taps may read through a layer of its own, so that each layer has one rule of what it reads.  To
compute it takes the map itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from rfstudio.core import ops
from rfstudio.core.memo import Recent
from rfstudio.core.network.graph import Graph, Node

_RECENT: Recent[Graph, Graph] = Recent(4)


def evaluated(graph: Graph) -> Graph:
    """Return a graph whose nodes read what they are computed from; the same one if they do.

    The rules of a deformable convolution are then those of its first source.
    """
    if not any(isinstance(x.op, ops.Deforming) for x in graph.nodes):
        return graph
    return _RECENT.about(graph, None, lambda: replace(graph, nodes=_direct(graph.nodes)))


def _direct(nodes: Sequence[Node]) -> tuple[Node, ...]:
    found = []
    for node in nodes:
        if isinstance(node.op, ops.Deforming):
            taps = nodes[node.inputs[0]]
            node = node._replace(inputs=(*taps.inputs, *node.inputs[1:]), rules=taps.rules)
        found.append(node)
    return tuple(found)


def sources_of_offsets(graph: Graph, index: int, weighted: Collection[int]) -> set[int]:
    """Return the layers with weights, and inputs, that become the offsets or the mask of a layer.

    Parameters
    ----------
    graph
        As `evaluated`.
    index
        The node of a deformable convolution.
    weighted
        The nodes with weights to draw.
    """
    nodes, ends = graph.nodes, {*weighted}
    waiting = list(dict.fromkeys(nodes[index].inputs[1:]))
    seen = {*waiting}
    for source in waiting:
        if source not in ends:
            new = {*nodes[source].inputs} - seen
            seen |= new
            waiting += new
    return {x for x in seen if x in ends or not nodes[x].inputs}


def giving_offsets(
    graph: Graph, needed: Sequence[int], weighted: Collection[int]
) -> tuple[int, ...]:
    """Return the layers that compute offsets and masks of taps, and nothing else.

    Parameters
    ----------
    graph
        As `evaluated`.
    needed
        The nodes that are computed, rising.
    weighted
        Those of them that have weights to draw.
    """
    nodes = graph.nodes
    # What each node is read for: True of offsets and masks, False of anything else.
    purposes: dict[int, set[bool]] = {x: set() for x in needed}
    purposes[needed[-1]].add(False)
    for index in reversed(needed):
        node = nodes[index]
        passed = {False} if index in weighted else purposes[index]
        for place, source in enumerate(node.inputs):
            moves = place > 0 and isinstance(node.op, ops.Deforming)
            purposes[source] |= {True} if moves else passed
    return tuple([x for x in needed if x in weighted and purposes[x] == {True}])
