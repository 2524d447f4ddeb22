"""New layers and containers, with the parameters that they start with."""

from __future__ import annotations

from typing import NamedTuple

from rfstudio.core import ops
from rfstudio.core.network.architecture import (
    Branch,
    Item,
    Layer,
    Parallel,
    Repeat,
    Residual,
    Sequence,
)


class Kind(NamedTuple):
    """Something that can be added.

    Attributes
    ----------
    keyword
        As in a file: ``conv``, ``residual``.
    title
        In words: "Convolution".
    """

    keyword: str
    title: str


_CONTAINERS = (
    Kind("sequence", "Group of layers"),
    Kind("residual", "Residual block"),
    Kind("parallel", "Parallel branches"),
    Kind("repeat", "Repeated layers"),
)


def kinds() -> tuple[Kind, ...]:
    """Return everything that can be added: the operations, then the containers."""
    return (*(Kind(x.keyword, x.title) for x in ops.OPS.values()), *_CONTAINERS)


def matching_kinds(words: str) -> list[Kind]:
    """Return what a search finds, the best first: an exact keyword, a beginning, any part."""
    wanted = words.strip().lower().replace(" ", "_")
    if not wanted:
        return list(kinds())

    def rank(kind: Kind) -> int:
        title = kind.title.lower().replace(" ", "_")
        if kind.keyword == wanted:
            return 0
        if kind.keyword.startswith(wanted):
            return 1
        if title.startswith(wanted):
            return 2
        return 3 if wanted in kind.keyword or wanted in title else 4

    return sorted((x for x in kinds() if rank(x) < 4), key=rank)


def new_item(keyword: str) -> Item:
    """Return a new layer or container.

    Raises
    ------
    KeyError
        If there is no such keyword.
    """
    match keyword:
        case "sequence":
            return Sequence()
        case "residual":
            return Residual()
        case "parallel":
            return Parallel((Branch(name="a"), Branch(name="b")), "concat")
        case "repeat":
            return Repeat(2, (), "repeat1")
    return Layer(ops.OPS[keyword].usual())
