"""Names of layers, and how one calls another: parts become items of an architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rfstudio.core import ops
from rfstudio.core.network import architecture as tree
from rfstudio.core.network.architecture import INPUT
from rfstudio.importing.parts import Box, Leaf, Part, last_of


class _Naming:
    """Gives each layer its path, as the graph will; a clash gets a name of its own."""

    def __init__(self, taken: set[str]) -> None:
        self._numbers: dict[str, int] = {}
        self._taken = taken

    def body(self, parts: Sequence[Part], scope: str) -> None:
        for part in parts:
            if isinstance(part, Leaf):
                self._leaf(part, scope)
            elif part.copies:
                for i, copy in enumerate(part.copies):
                    self.body(copy.bodies[0], f"{scope}{part.name}.{i}.")
            else:
                inside = f"{scope}{part.name}." if part.name else scope
                for i, body in enumerate(part.bodies):
                    name = part.names[i] if part.names else ""
                    self.body(body, f"{inside}{name}." if name else inside)
                if part.join is not None:
                    self._leaf(part.join, scope)

    def _leaf(self, leaf: Leaf, scope: str) -> None:
        if leaf.name:
            leaf.path = scope + leaf.name
            return
        key = scope + leaf.op.keyword
        number = self._numbers.get(key, 0) + 1
        self._numbers[key] = number
        leaf.path = f"{key}{number}"
        while leaf.path in self._taken:
            leaf.path += "_"
            leaf.name = leaf.path.removeprefix(scope)


def named(body: Sequence[Part]) -> None:
    """Give every layer its path, as the graph of the network will."""
    taken: set[str] = set()
    _given_paths(body, "", taken)
    _Naming(taken).body(body, "")


def _given_paths(parts: Sequence[Part], scope: str, taken: set[str]) -> None:
    for part in parts:
        if part.name:
            taken.add(scope + part.name)
        if isinstance(part, Box):
            inside = f"{scope}{part.name}." if part.name else scope
            if part.copies:
                for i, copy in enumerate(part.copies):
                    taken.add(f"{inside}{i}")
                    _given_paths(copy.bodies[0], f"{inside}{i}.", taken)
                continue
            for i, body in enumerate(part.bodies):
                name = part.names[i] if part.names else ""
                if name:
                    taken.add(inside + name)
                _given_paths(body, f"{inside}{name}." if name else inside, taken)


class Referring:
    """Finds the shortest name by which a layer may call another one.

    Parameters
    ----------
    body
        The items of the network.
    beside
        For maps of tokens without a position the map that they are beside.
    """

    def __init__(self, body: Sequence[Part], beside: Mapping[int, int]) -> None:
        self._beside = beside
        self._known: dict[str, int] = {}
        self._paths: dict[int, list[str]] = {0: [INPUT]}
        self._body = body

    def note(self, path: str, leaf: Leaf) -> None:
        """Note a path as soon as what comes later may use it."""
        self._known[path] = leaf.output
        found = self._paths.setdefault(leaf.output, [])
        if path not in found:
            found.append(path)

    def name_of(self, node: int, scopes: Sequence[str]) -> str:
        """Return a name of a map, as a layer within these scopes reads it, the innermost first."""
        if node == 0:
            return INPUT
        if node in self._beside:
            return f"{self.name_of(self._beside[node], scopes)}.extra"
        best = ""
        for path in self._paths[node]:
            for prefix in scopes:
                if path.startswith(prefix):
                    word = path[len(prefix) :]
                    found = next(
                        (self._known[p + word] for p in scopes if p + word in self._known), None
                    )
                    shorter = not best or (word.count("."), len(word)) < (
                        best.count("."),
                        len(best),
                    )
                    if found == node and word != INPUT and shorter:
                        best = word
        return best or self._paths[node][0]


def items_of(body: Sequence[Part], names: Referring) -> Iterator[tree.Item]:
    """Yield the items of an architecture."""
    yield from _Writing(names).body(body, ("",), 0)[0]


class _Writing:
    """Turns parts into items of an architecture, with names where a layer reads another one."""

    def __init__(self, names: Referring) -> None:
        self._names = names

    def body(
        self, parts: Sequence[Part], scopes: tuple[str, ...], source: int
    ) -> tuple[tuple[tree.Item, ...], int]:
        """Return items, and the node whose map comes out."""
        items: list[tree.Item] = []
        for part in parts:
            if isinstance(part, Leaf):
                items.append(self._layer(part, scopes, source))
                source = part.output
            else:
                item, source = self._box(part, scopes, source)
                items.append(item)
        return tuple(items), source

    def _layer(self, leaf: Leaf, scopes: tuple[str, ...], source: int) -> tree.Layer:
        implicit = leaf.sources == (source,) and not isinstance(leaf.op, ops.MERGES)
        inputs = () if implicit else tuple(self._names.name_of(x, scopes) for x in leaf.sources)
        self._names.note(leaf.path, leaf)
        return tree.Layer(leaf.op, leaf.name, inputs)

    def _box(self, box: Box, scopes: tuple[str, ...], source: int) -> tuple[tree.Item, int]:
        path = f"{scopes[0]}{box.name}"
        inside = (path + ".", *scopes) if box.name else scopes
        if box.copies:
            return self._repeat(box, path, inside, source)
        bodies = []
        last = source
        for i, body in enumerate(box.bodies):
            name = box.names[i] if box.names else ""
            within = (f"{inside[0]}{name}.", *inside) if name else inside
            items, last = self.body(body, within, source)
            end = last_of(body[-1]) if body else None
            if name and end is not None:
                self._names.note(within[0][:-1], end)
            bodies.append(items)
        if box.join is not None:
            self._names.note(box.join.path, box.join)
            last = box.join.output
        if box.name and (end := box.last) is not None:
            self._names.note(path, end)
        if box.names:
            branches = tuple(
                tree.Branch(items, name) for items, name in zip(bodies, box.names, strict=True)
            )
            return tree.Parallel(branches, "concat", box.name), last
        if box.join is not None:
            return tree.Residual(bodies[0], bodies[1], box.name), last
        return tree.Sequence(bodies[0] if bodies else (), box.name), last

    def _repeat(
        self, box: Box, path: str, inside: tuple[str, ...], source: int
    ) -> tuple[tree.Item, int]:
        items: tuple[tree.Item, ...] = ()
        for i, copy in enumerate(box.copies):
            found, source = self.body(copy.bodies[0], (f"{path}.{i}.", *inside), source)
            items = items if i else found
            if (end := copy.last) is not None:
                self._names.note(f"{path}.{i}", end)
        if (end := box.last) is not None:
            self._names.note(path, end)
        return tree.Repeat(box.times, items, box.name), source
