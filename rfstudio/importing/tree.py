"""The tree of an imported network, with containers as its author nested them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rfstudio.core import ops
from rfstudio.core.network.expansion import expand
from rfstudio.importing.imported import Imported
from rfstudio.importing.layers import MapNode
from rfstudio.importing.naming import Referring, items_of, named
from rfstudio.importing.parts import Box, Leaf, Part, layers_of
from rfstudio.importing.records import Program, Scope
from rfstudio.importing.report import Report
from rfstudio.importing.shaping import shaped
from rfstudio.importing.tracker import Mark, Tracker


def network_of(program: Program, module: object | None = None) -> Imported:
    """Return a program as a network.

    Parameters
    ----------
    program
        The model as records.
    module
        What it came from, stored with the network.
    """
    network, has_tokens = _grown(program, module, with_tokens=True)
    if has_tokens and expand(network).faults:
        # Tokens beside a map did not get as far as they are read: they stay a part of what is.
        network, _ = _grown(program, module, with_tokens=False)
    return network


def _grown(program: Program, module: object | None, *, with_tokens: bool) -> tuple[Imported, bool]:
    """Return a program as a network, and whether there are tokens beside its maps."""
    tracker = Tracker(program, with_tokens=with_tokens)
    tracker.run()
    nodes = tracker.maps.nodes
    leaves = _Planting(nodes, tracker.marks, _result_of(tracker)).leaves()
    body = nested(leaves)
    body = shaped(body, 0)
    named(body)
    beside = {i: x.sources[0] for i, x in enumerate(nodes) if i and x.op is None}
    items = tuple(items_of(body, Referring(body, beside)))
    layers = sum(x.op is not None for x in nodes)
    weights = {
        path: names
        for x in layers_of(body)
        if x.node < len(nodes)
        for path, names in _weights_of(x, nodes[x.node])
    }
    network = Imported(
        name=program.name,
        input_size=tuple(program.shape[2:]),
        channels=program.shape[1],
        layers=items,
        report=Report(tuple(tracker.maps.remarks), layers),
        module=module,
        original=items,
        weights=weights,
        computed={
            x.path: nodes[x.node].computed
            for x in layers_of(body)
            if x.node < len(nodes) and nodes[x.node].computed
        },
        layouts={".".join(x.scope): x.dims for x in tracker.marks if x.scope and x.dims},
    )
    return network, bool(tracker.maps.tokens)


def _weights_of(leaf: Leaf, node: MapNode) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield paths of layers with the names of their learned tensors."""
    names = node.weights
    if isinstance(node.op, ops.Tokens) and node.op.extra:
        # The tokens, and those of the embedding: one tensor for tokens and positions.
        yield f"{leaf.path}.extra", names
        names = names[1:]
    if names:
        yield leaf.path, names


def _result_of(tracker: Tracker) -> int | None:
    view = tracker.views.get(tracker.program.result)
    return None if view is None or view.scores is not None else view.node


# --- leaves with their scopes --------------------------------------------------------------------


class _Planting:
    """Which maps become layers, where, and under which name."""

    def __init__(self, nodes: Sequence[MapNode], marks: Sequence[Mark], result: int | None) -> None:
        self._nodes = nodes
        self._marks = marks
        self._live = self._reached(result)
        self._next = len(nodes)

    def _reached(self, result: int | None) -> set[int]:
        """Return the maps that something reads, or that are the output of a module."""
        wanted = {x.node for x in self._marks}
        wanted.add(len(self._nodes) - 1 if result is None else result)
        for i in range(len(self._nodes) - 1, 0, -1):
            if i in wanted:
                wanted.update(self._nodes[i].sources)
        return wanted

    def leaves(self) -> list[tuple[Scope, Leaf]]:
        """Return all layers in order, each with the containers that it is in."""
        counts: dict[Scope, int] = {}
        deeper: set[Scope] = set()
        for i, node in enumerate(self._nodes):
            if i and i in self._live and node.op is not None:
                counts[node.scope] = counts.get(node.scope, 0) + 1
                deeper.update(node.scope[:k] for k in range(len(node.scope)))
        for mark in self._marks:
            deeper.update(mark.scope[:k] for k in range(len(mark.scope)))
        timed: list[tuple[int, int, Scope, Leaf]] = []
        for i, node in enumerate(self._nodes):
            if i == 0 or i not in self._live or node.op is None:
                continue
            scope = node.scope
            leaf = Leaf(node.op, node.sources, i, i)
            alone = scope and counts[scope] == 1 and scope not in deeper
            if alone:
                leaf.name, scope = scope[-1], scope[:-1]
            timed.append((i, 0, scope, leaf))
        timed += self._aliases(counts, deeper)
        timed.sort(key=lambda x: (x[0], x[1]))
        return [(scope, leaf) for _, _, scope, leaf in timed]

    def _aliases(
        self, counts: Mapping[Scope, int], deeper: set[Scope]
    ) -> Iterator[tuple[int, int, Scope, Leaf]]:
        """Yield layers for modules that leave no node, or whose output is not their last one."""
        last: dict[Scope, tuple[int, int]] = {}
        for i, node in enumerate(self._nodes):
            if i and i in self._live and node.op is not None:
                for k in range(len(node.scope) + 1):
                    last[node.scope[:k]] = (i, i)
        filled: set[Scope] = set()
        for order, mark in enumerate(self._marks, 1):
            scope = mark.scope
            if not scope:
                continue
            empty = scope not in counts and scope not in deeper and scope not in filled
            time = mark.time - 1
            if not empty and last.get(scope, (0, -1))[1] == mark.node:
                continue
            self._next += 1
            leaf = Leaf(mark.op or ops.Identity(), (mark.node,), self._next, mark.node)
            place = scope
            if empty:
                leaf.name, place = scope[-1], scope[:-1]
            for k in range(len(scope) + 1):
                filled.add(scope[:k])
                if last.get(scope[:k], (-1, -1))[0] <= time:
                    last[scope[:k]] = (time, mark.node)
            yield time, order, place, leaf


# --- nesting -------------------------------------------------------------------------------------


def nested(leaves: Sequence[tuple[Scope, Leaf]]) -> list[Part]:
    """Return layers in containers; one that is left and entered again comes in several parts."""
    body: list[Part] = []
    opened: list[tuple[str, Box]] = []
    for scope, leaf in leaves:
        depth = 0
        while depth < min(len(scope), len(opened)) and opened[depth][0] == scope[depth]:
            depth += 1
        del opened[depth:]
        for name in scope[depth:]:
            box = Box(name, [[]])
            (opened[-1][1].bodies[0] if opened else body).append(box)
            opened.append((name, box))
        (opened[-1][1].bodies[0] if opened else body).append(leaf)
    return body
