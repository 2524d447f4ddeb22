"""The depth of a layer, and how much its field grows over the layer before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rfstudio.core import ops
from rfstudio.core.fields.local import Fields
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import Op
from rfstudio.core.work import give_way

Counting = Literal["weights", "windows"]
"""Which layers count: those whose learned weights mix samples or channels, or with a window."""

WEIGHTED: frozenset[type[Op]] = frozenset(
    {
        ops.Conv,
        ops.ConvTranspose,
        ops.DeformConv,
        ops.Deforming,
        ops.Linear,
        ops.AxisLinear,
        ops.Attention,
        ops.WindowAttention,
        ops.GridAttention,
        ops.Recurrent,
        ops.CrossAttending,
        ops.CausalAttending,
    }
)
"""Layers that count in the depth of a network as papers state it: ResNet-50 has 50.

Scales and shifts of norms, slopes and gates are parameters, but no layers in that sense.
"""


def counts(node: Node, counting: Counting = "weights") -> bool:
    """Whether a node is one of the layers that are counted."""
    op = node.op
    if counting == "windows":
        return hasattr(op, "kernel_size")
    return type(op) in WEIGHTED or (
        isinstance(op, ops.Custom | ops.CustomMerge) and op.parameters > 0
    )


def depths_of(
    graph: Graph, reference: int = 0, counting: Counting = "weights"
) -> tuple[list[int | None], list[int]]:
    """Return the depth of every node, and which of its inputs is on the longest path.

    Returns
    -------
    depths
        Number of counted layers on the longest path from the reference, the node itself included;
        None for a node that no path from the reference reaches.
    before
        For each node the input on that path; of equally long ones the first.
    """
    nodes = graph.nodes
    depths: list[int | None] = [None] * len(nodes)
    before = [0] * len(nodes)
    depths[reference] = 0
    for node in nodes[reference + 1 :]:
        give_way()
        longest = -1
        for source in node.inputs:
            depth = depths[source]
            if depth is not None and depth > longest:
                longest, before[node.index] = depth, source
        if longest >= 0:
            depths[node.index] = longest + counts(node, counting)
    return depths, before


def growth_at(
    graph: Graph, local: Sequence[Fields], before: Sequence[int], index: int
) -> tuple[int | None, ...]:
    """Return how much larger the local field of a node is than that of the node before it.

    Parameters
    ----------
    graph
        The network.
    local
        The local field of each node.
    before
        For each node the input on its longest path.
    index
        The node.

    Returns
    -------
    tuple
        For each axis the increase of the largest size, in input samples; None without a field.
    """
    sizes = _sizes(graph, local, index)
    earlier = _sizes(graph, local, before[index])
    return tuple(
        None if a is None or b is None else a - b for a, b in zip(sizes, earlier, strict=True)
    )


def _sizes(graph: Graph, local: Sequence[Fields], index: int) -> tuple[int | None, ...]:
    ranges = [
        field.size_range(n) for field, n in zip(local[index], graph.nodes[index].size, strict=True)
    ]
    return tuple(None if x is None else x[1] for x in ranges)
