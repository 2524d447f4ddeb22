"""Max pools that directly follow each other, which are one larger max pool.

The largest of largest values is the largest of all.  Layer by layer, a sample would get a chance
from every path through the smaller windows, and those in the middle of the large one have the most
paths; in fact each is the largest of all equally often.
"""

from __future__ import annotations

from dataclasses import replace

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Window, samples_in_windows
from rfstudio.core.memo import remembered
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.work import give_way


def without_chains(graph: Graph) -> Graph:
    """Return a network in which no max pool reads another one that it can replace.

    Its nodes are those of `graph`, in the same places; a pool that now reads what is before a
    chain has one window for all of it.  If there is no chain, it is `graph` itself.
    """
    nodes = graph.nodes
    pools = [node for node in nodes if type(node.op) is ops.MaxPool]
    found: dict[int, Node] = {}
    for node in pools:
        give_way()
        first = node.inputs[0]
        if type(nodes[first].op) is ops.MaxPool:
            joined = _joined(found.get(first, nodes[first]), node)
            if joined is not None:
                found[node.index] = joined
    if not found:
        return graph
    return replace(graph, nodes=tuple([found.get(node.index, node) for node in nodes]))


def _joined(first: Node, second: Node) -> Node | None:
    """Return the pool that replaces two; None if its windows would not be the same."""
    rules: list[AxisRule] = []
    for a, b in zip(first.rules, second.rules, strict=True):
        joined = _one_window(a, b)
        if joined is None:
            return None
        rules.append(joined)
    found = tuple(rules)
    return second._replace(op=_pool(found), inputs=first.inputs, rules=found)


@remembered(1024)
def _one_window(a: AxisRule, b: AxisRule) -> Window | None:
    """Return the window that reads what a window on the outputs of a window reads."""
    if not isinstance(a, Window) or not isinstance(b, Window):
        return None
    has_holes = max(a.dilation, b.dilation) > 1 or a.stride > a.kernel
    is_cut = min(a.before, b.before) < 0 or a.cropped or b.cropped or a.n_out != b.n_in
    if has_holes or is_cut or not a.n_out or not b.n_out:
        return None
    # The last samples may belong to no window of the first pool, and a window of the second may
    # read padding alone: a joined window would read more there.
    reaches_end = (a.n_out - 1) * a.stride - a.before + a.kernel >= a.n_in
    if not reaches_end or samples_in_windows(b).min() == 0:
        return None
    return Window(
        a.n_in,
        b.n_out,
        (b.kernel - 1) * a.stride + a.kernel,
        a.stride * b.stride,
        before=a.before + b.before * a.stride,
        mode=a.mode,
    )


@remembered(1024)
def _pool(rules: AxisRules) -> ops.MaxPool:
    """Return the operation with these windows, one object for all; rules alone say its padding."""
    windows = [rule for rule in rules if isinstance(rule, Window)]
    return ops.MaxPool(
        kernel_size=tuple([x.kernel for x in windows]),
        stride=tuple([x.stride for x in windows]),
    )
