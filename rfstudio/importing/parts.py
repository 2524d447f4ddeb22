"""The parts of a tree to be: layers and containers, before they have names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rfstudio.core.ops import Op


@dataclass(slots=True, eq=False)
class Leaf:
    """One layer.

    Attributes
    ----------
    op
        What it does.
    sources
        The maps that it reads.
    node
        The map that it makes; of an alias a number of its own.
    output
        The map whose values it has: `node`, or for an alias what it repeats.
    name
        Its name; empty: its op and a running number.
    path
        Its whole path, once known.
    """

    op: Op
    sources: tuple[int, ...]
    node: int
    output: int
    name: str = ""
    path: str = ""


@dataclass(slots=True, eq=False)
class Box:
    """A container.

    Attributes
    ----------
    name
        Its name; empty: it adds nothing to paths.
    bodies
        Its items; of a residual the layers and the shortcut, of a parallel each branch.
    names
        Of a parallel the names of its branches.
    join
        The merge at its end, if it has one.
    times
        Of a repeat how often; the other copies are in `copies`.
    """

    name: str = ""
    bodies: list[list[Part]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    join: Leaf | None = None
    times: int = 1
    copies: list[Box] = field(default_factory=list)

    @property
    def last(self) -> Leaf | None:
        """The layer that is its output, if there is one."""
        if self.join is not None:
            return self.join
        body = self.bodies[0] if self.bodies else []
        if self.copies:
            return self.copies[-1].last
        return last_of(body[-1]) if body else None


Part = Leaf | Box


def last_of(part: Part) -> Leaf | None:
    """Return the layer that is the output of a part, if there is one."""
    return part if isinstance(part, Leaf) else part.last


def layers_of(parts: Sequence[Part]) -> Iterator[Leaf]:
    """Yield all layers in the order in which the graph expands them."""
    for part in parts:
        if isinstance(part, Leaf):
            yield part
            continue
        if part.copies:
            for copy in part.copies:
                yield from layers_of([copy])
            continue
        for body in part.bodies:
            yield from layers_of(body)
        if part.join is not None:
            yield part.join
