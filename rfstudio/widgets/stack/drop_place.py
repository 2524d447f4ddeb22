"""Where in the network a point of the tree of layers is, for layers that are dragged there."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QModelIndex, QPoint, QRect
from PySide6.QtWidgets import QTreeView

from rfstudio.core.editing.edits import after
from rfstudio.core.network.architecture import Location, Parallel
from rfstudio.widgets.stack.model import StackModel
from rfstudio.widgets.stack.rows import Row

_EDGE = 4
"""A container's row means the place before it in its upper quarter, and in the lower one the first
place in it, or after it if it is closed."""


class DropPlace(NamedTuple):
    """A place for new layers, and what shows it.

    Attributes
    ----------
    target
        The location that the first of them would have.
    mark
        Pixels of the tree's viewport: the row of the container that takes them at its end; or,
        without height, a line between two rows, as far from the left as the layers would be.
    """

    target: Location
    mark: QRect


def drop_place(tree: QTreeView, model: StackModel, at: QPoint) -> DropPlace:
    """Return the place that a point means.

    Parameters
    ----------
    tree, model
        The view and what it shows.
    at
        A point in the viewport.
    """
    index = tree.indexAt(at).siblingAtColumn(0)
    if not index.isValid():
        return _at_the_end(tree, model, at)
    row, rect = model.row_of(index), _across(tree, index)
    if row.is_input:
        return DropPlace((0,), _below(rect))
    location = row.location
    assert location is not None
    if row.item is not None and not row.item.bodies:
        is_upper = at.y() < rect.center().y()
        return DropPlace(location, _above(rect)) if is_upper else _past(location, rect)
    edge = rect.height() // _EDGE
    is_open, is_lower = tree.isExpanded(index) and bool(row.children), at.y() > rect.bottom() - edge
    if row.is_branch:
        is_open = True  # there is no place after it
    elif at.y() < rect.top() + edge:
        return DropPlace(location, _above(rect))
    if is_lower and not is_open:
        return _past(location, rect)
    if isinstance(row.item, Parallel):
        return _first_branch(tree, model, index)
    if is_lower and row.items:
        return DropPlace((*row.base, 0), _below(rect.adjusted(tree.indentation(), 0, 0, 0)))
    return DropPlace(_end_of(row), rect)


def _first_branch(tree: QTreeView, model: StackModel, index: QModelIndex) -> DropPlace:
    """Return the end of the first branch of a parallel, with its row if that is shown."""
    inside = model.index(0, 0, index)
    shown = inside if tree.isExpanded(index) else index
    return DropPlace(_end_of(model.row_of(inside)), _across(tree, shown))


def _at_the_end(tree: QTreeView, model: StackModel, at: QPoint) -> DropPlace:
    """Return the place after everything, of which the line is below the last row that is shown."""
    left = tree.header().sectionViewportPosition(0) + tree.indentation()
    bottom = next((y for y in range(at.y(), 0, -1) if tree.indexAt(QPoint(left, y)).isValid()), -1)
    line = QRect(left, bottom + 1, tree.viewport().width() - 2 - left, 0)
    return DropPlace(_end_of(model.row_of(QModelIndex())), line)


def _across(tree: QTreeView, index: QModelIndex) -> QRect:
    """Return where a row is, from the beginning of its text to the right end of all columns."""
    rect = tree.visualRect(index)
    rect.setRight(tree.viewport().width() - 2)
    return rect


def _above(rect: QRect) -> QRect:
    return QRect(rect.left(), rect.top(), rect.width(), 0)


def _below(rect: QRect) -> QRect:
    return QRect(rect.left(), rect.bottom() + 1, rect.width(), 0)


def _past(location: Location, rect: QRect) -> DropPlace:
    return DropPlace(after(location), _below(rect))


def _end_of(row: Row) -> Location:
    return (*row.base, len(row.items))
