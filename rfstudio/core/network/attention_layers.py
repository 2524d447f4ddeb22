"""Which layers of a network are attention among positions, so that its weights can be measured."""

from __future__ import annotations

from collections import Counter

from rfstudio.core import ops
from rfstudio.core.network.graph import Graph, Node

KINDS = (
    ops.Attention,
    ops.WindowAttention,
    ops.GridAttention,
    ops.DotProductAttention,
    ops.CrossAttending,
    ops.DotProductAttending,
)
"""Operations whose attention can be measured."""

_IMPORTED = ops.DotProductAttention | ops.DotProductAttending
"""Those between projections, which imports make and name."""

ATTENTION = "attention"
"""The label of operations that are attention in a model that was imported."""


def attention_nodes(graph: Graph) -> list[int]:
    """Return the attention layers of a network, but for those that tokens without a place ask."""
    return [x.index for x in graph.nodes if isinstance(x.op, KINDS) and has_place(graph, x.index)]


def attention_paths(graph: Graph) -> list[str]:
    """Return the paths of all attention in graph order.

    Of an imported model they are the submodules that attend, where each has one attention.
    """
    nodes = graph.nodes
    found = [nodes[x] for x in attention_nodes(graph)]
    if not found:
        marked = [x for x in nodes if getattr(x.op, "label", "") == ATTENTION]
        return list(filter(None, dict.fromkeys(map(_submodule_of, marked))))
    places = [_submodule_of(x) if isinstance(x.op, _IMPORTED) else x.name for x in found]
    counts = Counter(places)
    return [
        place if place and counts[place] == 1 else x.name
        for x, place in zip(found, places, strict=True)
    ]


def _submodule_of(node: Node) -> str:
    """Return the submodule that a node was imported from; empty: the model itself.

    A node has its name, or a name within it that the import has made, such as ``block_mix1``.
    """
    path, _, name = node.name.rpartition(".")
    keyword = "" if node.op is None else node.op.keyword
    return path if name.removeprefix(keyword).isdecimal() else node.name


def has_place(graph: Graph, index: int) -> bool:
    """Return whether the units of a node are positions, and not tokens beside them."""
    while True:
        node = graph.nodes[index]
        if node.op is None:
            return True
        if isinstance(node.op, ops.ExtraTokens):
            return False
        index = node.inputs[0]


def nearest_layer(layer: str, names: list[str]) -> str:
    """Return the attention layer that shares most of its path with a layer; empty: there is none.

    Examples
    --------
    >>> nearest_layer("encoder.1.mlp.fc", ["encoder.0.attention", "encoder.1.attention"])
    'encoder.1.attention'
    """
    parts = layer.split(".")

    def shared(name: str) -> int:
        others = name.split(".")
        pairs = list(zip(parts, others, strict=False))
        return next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))

    return max(names, key=shared, default="")
