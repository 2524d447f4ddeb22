"""The rows of the tree of layers, which follow a document without being rebuilt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rfstudio.core.network.architecture import Item, Layer, Location, Parallel, Residual

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(eq=False)
class Row:
    """One row; its place in the document follows from its place in the tree.

    Attributes
    ----------
    parent
        The row around it; None for the root.
    item
        The item that it shows; None for the root, the network's input, and a body.
    body
        For the row of a branch or a shortcut, which body of the parent's item it is; else -1.
    children
        The rows in it; `renumber` after a change.
    index
        Its number among its siblings.
    place
        Its number among those of its siblings that show items.
    """

    parent: Row | None
    item: Item | None = None
    body: int = -1
    children: list[Row] = field(default_factory=list)
    index: int = 0
    place: int = 0

    def renumber(self) -> None:
        """Tell the children their numbers; otherwise each look-up would search through them."""
        place = 0
        for index, child in enumerate(self.children):
            child.index, child.place = index, place
            place += child.item is not None

    @property
    def is_input(self) -> bool:
        """Whether it shows the network's input."""
        return self.parent is not None and self.item is None and self.body < 0

    @property
    def is_branch(self) -> bool:
        """Whether it shows a body of a container: a branch or a shortcut."""
        return self.body >= 0

    @property
    def depth(self) -> int:
        """How many rows are around it; 1 for those directly in the root."""
        return 0 if self.parent is None else self.parent.depth + 1

    @property
    def location(self) -> Location | None:
        """The location of its item, or of the container of its body; None for the input."""
        parent = self.parent
        if parent is None or self.is_input:
            return None
        if self.is_branch:
            return parent.location
        return (*parent.base, self.place)

    @property
    def base(self) -> Location:
        """The beginning of the locations of the items directly in it."""
        if self.parent is None:
            return ()
        location = self.location
        assert location is not None
        return (*location, max(self.body, 0))

    @property
    def items(self) -> list[Row]:
        """The rows of the items directly in it, in order."""
        return [x for x in self.children if x.item is not None]


def children_of(item: Item, row: Row) -> list[Row]:
    """Return new rows for what is in an item."""
    match item:
        case Layer():
            return []
        case Parallel():
            return [
                _with_items(Row(row, body=b), branch.layers)
                for b, branch in enumerate(item.branches)
            ]
        case Residual():
            rows = [new_row(x, row) for x in item.layers]
            return [*rows, _with_items(Row(row, body=1), item.shortcut)]
        case _:
            return [new_row(x, row) for x in item.bodies[0]]


def new_row(item: Item, parent: Row) -> Row:
    """Return a new row for an item."""
    row = Row(parent, item)
    row.children = children_of(item, row)
    row.renumber()
    return row


def _with_items(row: Row, items: Sequence[Item]) -> Row:
    row.children = [new_row(x, row) for x in items]
    row.renumber()
    return row
