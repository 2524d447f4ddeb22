"""The view of the tree of layers: it paints each plain row at once, and takes dragged layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from itertools import dropwhile, groupby
from weakref import WeakSet

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QTreeView

from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.parts.cells import MARGIN
from rfstudio.widgets.parts.painting import paints_item, paints_widget
from rfstudio.widgets.stack.delegate import LayerDelegate
from rfstudio.widgets.stack.drop_place import DropPlace, drop_place
from rfstudio.widgets.stack.model import StackModel
from rfstudio.widgets.stack.row_texts import Cells
from rfstudio.widgets.stack.rows import Row

AnyIndex = QModelIndex | QPersistentModelIndex

_CHILDREN = QStyle.StateFlag.State_Children
_REMEMBERED = 4000
"""Rows whose painted texts are remembered."""

_ROWS = QItemSelectionModel.SelectionFlag.Rows

_OPENS_AFTER = 500
"""Milliseconds over a closed container after which it opens for what is dragged."""
_MANY_PARTS = 40
"""Parts of a choice, each of neighbours in one container, from which on Qt takes long with them.

It asks each part for the rows around it, wherever it looks for one row: for every cell it paints.
"""

_LINE = 2
_KNOB = 3
_TINT = 48
"""Opacity, of 255, of the box over a container that takes what is dragged."""


class LayerTree(QTreeView):
    """Shows a `StackModel`.

    Rows that are chosen or current, which have panels, frames and editors, are left to Qt.

    Attributes
    ----------
    is_quick
        Whether plain rows are painted at once.
    rows_around
        Returns the rows that a filter shows only for what is in them.

    Signals
    -------
    layers_moved
        Layers were dragged to another place; their locations now.
    """

    layers_moved = Signal(object)

    def __init__(self, model: StackModel) -> None:
        super().__init__()
        self.is_quick = True
        self.rows_around: Callable[[], Iterable[Row]] = tuple
        self._model = model
        self._delegate = LayerDelegate(model, self)
        self.setModel(model)
        self._look = self._delegate.look(self.font(), self.palette())
        self._step = self.indentation()
        self._current: Row | None = None
        self._painted: dict[Row, Cells] = {}
        self._columns: list[tuple[int, int, int]] | None = None
        self._chosen: Set[Row] | None = None
        self._hidden: WeakSet[Row] = WeakSet()
        self._mark: QRect | None = None
        self._refusal = ""
        self.setDropIndicatorShown(False)  # ours tells how deep the place is
        self.setAutoExpandDelay(_OPENS_AFTER)
        self.setItemDelegateForColumn(0, self._delegate)

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Paint the rows, after reading once what is the same for all of them."""
        if len(self._painted) > _REMEMBERED:
            self._painted.clear()
        header = self.header()
        is_plain = (
            self.is_quick
            and header.visualIndex(0) == 0
            and self.isEnabled()
            and self.layoutDirection() == Qt.LayoutDirection.LeftToRight
        )
        self._columns = None
        if is_plain:
            self._columns = [
                (column, header.sectionViewportPosition(column), header.sectionSize(column))
                for column in range(header.count())
                if not header.isSectionHidden(column)
            ]
            self._look = self._delegate.look(self.font(), self.palette())
            self._step = self.indentation()
            self._current = self._model.row_of(self.currentIndex())
            chosen = self.selectionModel().selection()
            is_simple = chosen.count() < _MANY_PARTS
            self._chosen = None if is_simple else self._model.rows_in(chosen)
        super().paintEvent(event)
        if self._mark is not None:
            self._paint_mark(self._mark)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Keep the current row in view; one that the user has scrolled away from stays so."""
        current = self.visualRect(self.currentIndex())
        was_seen = current.bottom() >= 0 and current.top() < event.oldSize().height()
        super().resizeEvent(event)
        if was_seen and current.isValid():
            self.scrollTo(self.currentIndex())

    def _paint_mark(self, mark: QRect) -> None:
        """Paint where dragged layers would go: a box for the end of a container, else a line."""
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self.palette().color(QPalette.ColorRole.Highlight)
        tint = QColor(colour)
        tint.setAlpha(_TINT if mark.height() else 255)
        painter.setPen(QPen(colour, _LINE))
        painter.setBrush(tint)
        if mark.height():
            painter.drawRect(mark.adjusted(1, 1, -1, -1))
        else:
            middle = QPoint(mark.left() + _KNOB, max(mark.top(), _KNOB))
            painter.drawLine(middle, QPoint(mark.right(), middle.y()))
            painter.drawEllipse(middle, _KNOB, _KNOB)

    # --- dragged layers -------------------------------------------------------------------------

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:  # noqa: N802 - Qt's name
        """Show where dragged layers would go, or say why they cannot."""
        super().dragMoveEvent(event)  # which scrolls at the borders, and opens containers
        if event.mimeData().hasUrls():
            return
        place = self._aim(event)
        self._show_mark(None if place is None else place.mark)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802 - Qt's name
        """Forget what was dragged over the tree."""
        super().dragLeaveEvent(event)
        self._show_mark(None)
        self._refusal = ""

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Put dragged layers where the mark is."""
        place = self._aim(event)
        self._show_mark(None)
        self._refusal = ""
        self.stopAutoScroll()
        self.setState(QTreeView.State.NoState)
        if place is None:
            return
        moved = self._model.drop(event.mimeData(), event.dropAction(), place.target)
        if moved:
            self.layers_moved.emit(moved)

    def _aim(self, event: QDropEvent) -> DropPlace | None:
        """Return where dragged layers go, and accept the event; None: nowhere, which is told."""
        if not self._model.is_own(event.mimeData()):
            event.setDropAction(Qt.DropAction.CopyAction)  # another window keeps its layers
        place = drop_place(self, self._model, event.position().toPoint())
        why = ""
        try:
            self._model.check_drop(event.mimeData(), event.dropAction(), place.target)
        except RFStudioError as error:
            why = str(error)
        if why and why != self._refusal:
            self._model.refused.emit(why)
        self._refusal = why
        event.setAccepted(not why)
        return None if why else place

    def _show_mark(self, mark: QRect | None) -> None:
        if mark != self._mark:
            self._mark = mark
            self.viewport().update()

    # --- rows -----------------------------------------------------------------------------------

    def rowsAboutToBeRemoved(  # noqa: N802 - Qt's name
        self, parent: AnyIndex, start: int, end: int
    ) -> None:
        """Forget rows that go, which have all rows in them; those that stay are painted again.

        Of rows that go none is current any more: Qt would look for the next one among thousands,
        for which it lays out all of them, and the choice follows anyway.
        """
        if self._is_current_among(parent, start, end):
            flags = QItemSelectionModel.SelectionFlag
            self.selectionModel().setCurrentIndex(QModelIndex(), flags.NoUpdate)
        super().rowsAboutToBeRemoved(parent, start, end)
        self._painted.clear()

    def _is_current_among(self, parent: AnyIndex, start: int, end: int) -> bool:
        """Whether the current row is one of some rows, or in one of them."""
        around = self._model.row_of(parent)
        row = self._model.row_of(self.currentIndex())
        while row.parent is not None and row.parent is not around:
            row = row.parent
        return row.parent is around and start <= row.index <= end

    def selectAll(self) -> None:  # noqa: N802 - Qt's name
        """Choose all rows that are seen for themselves when scrolling.

        A container that is seen only for what it holds may hold what is hidden.  Qt compares the
        rows of each open container with those of every other one, and asks for the rows around
        them each time: ten seconds for a thousand containers.
        """
        around = set(self.rows_around())
        seen = (x for x in self._rows_seen() if x not in around)
        self._select_rows(seen, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def setSelection(  # noqa: N802 - Qt's name
        self, rect: QRect, command: QItemSelectionModel.SelectionFlag
    ) -> None:
        """Choose the rows between two corners; over open containers without comparing them."""
        rows = self._rows_between(rect) if command & _ROWS else []
        if len({id(x.parent) for x in rows}) < _MANY_PARTS:
            super().setSelection(rect, command)
        else:
            self._select_rows(rows, command)

    def _rows_between(self, rect: QRect) -> list[Row]:
        """Return the rows that are seen when scrolling from the top of a rectangle to its end.

        None, if they are too few to be in many containers.
        """
        # `normalized` moves the corners of a rectangle that was drawn upwards by a pixel.
        x, y = sorted((rect.left(), rect.right())), sorted((rect.top(), rect.bottom()))
        top, bottom = self.indexAt(QPoint(x[0], y[0])), self.indexAt(QPoint(x[1], y[1]))
        # Most often it is one row, or a few.
        if not top.isValid() or y[1] - y[0] < _MANY_PARTS * self.visualRect(top).height():
            return []
        first, last = self._model.row_of(top), self._model.row_of(bottom)
        rows = dropwhile(lambda row: row is not first, self._rows_seen())
        found: list[Row] = []
        for row in rows:
            found.append(row)
            if row is last:
                break
        return found

    def _rows_seen(self) -> Iterator[Row]:
        """Yield all rows that are seen when scrolling, in their order."""
        return self._seen_in(self._model.row_of(QModelIndex()), QModelIndex())

    def _seen_in(self, row: Row, index: QModelIndex) -> Iterator[Row]:
        for child in row.children:
            if self.isRowHidden(child.index, index):
                continue
            yield child
            if child.children:
                inside = self._model.index(child.index, 0, index)
                if self.isExpanded(inside):
                    yield from self._seen_in(child, inside)

    def _select_rows(self, rows: Iterable[Row], command: QItemSelectionModel.SelectionFlag) -> None:
        """Select rows as parts of neighbours in one container."""
        parts = QItemSelection()
        by_parent: dict[int, list[Row]] = {}
        for row in rows:
            by_parent.setdefault(id(row.parent), []).append(row)
        last = self._model.columnCount() - 1
        for siblings in by_parent.values():
            for _, group in groupby(enumerate(siblings), lambda pair: pair[1].index - pair[0]):
                part = [row for _, row in group]
                first = self._model.index_of_row(part[0])
                parts.append(QItemSelectionRange(first, self._model.index_of_row(part[-1], last)))
        # The parts are whole rows; to make them so, Qt would compare each with all others.
        self.selectionModel().select(parts, command & ~_ROWS)

    def set_hidden(self, row: Row, around: QModelIndex, is_hidden: bool) -> None:
        """Hide or show a row in another one.

        Rows that were never hidden are passed over: Qt looks for each, and there are thousands.
        """
        if is_hidden:
            self._hidden.add(row)
        elif row in self._hidden:
            self._hidden.discard(row)
        else:
            return
        self.setRowHidden(row.index, around, is_hidden)

    def update_changed(self) -> None:
        """Paint the rows again whose texts are not those that were painted last."""
        viewport = self.viewport()
        width, bottom = viewport.width(), viewport.height()
        index = self.indexAt(QPoint(0, 0))
        while index.isValid():
            rect = self.visualRect(index)
            if rect.top() >= bottom:
                return
            row = self._model.row_of(index)
            if self._painted.get(row) != self._model.texts.of(row):
                viewport.update(0, rect.top(), width, rect.height())
            index = self.indexBelow(index)

    @paints_item
    def drawRow(  # noqa: N802 - Qt's name
        self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex
    ) -> None:
        """Paint a row."""
        row = self._model.row_of(index)
        cells = self._painted[row] = self._model.texts.of(row)
        if self._columns is None or row is self._current:
            super().drawRow(painter, option, index)
            return
        if self._chosen is not None:
            if row in self._chosen:
                self._draw_chosen(painter, option, index, self._columns)
                return
        # Asked of the rows that are seen: thousands may be chosen.
        elif self.selectionModel().isSelected(index):
            super().drawRow(painter, option, index)
            return
        rect: QRect = option.rect
        top, height = rect.top(), rect.height()
        look = self._look
        for column, left, width in self._columns:
            if column == 0:
                indentation = row.depth * self._step
                if option.state & _CHILDREN:
                    self.drawBranches(painter, QRect(left, top, indentation, height), index)
                inside = QRect(left + indentation, top, width - indentation, height)
                self._delegate.paint_layer(painter, inside, cells, look)
                painter.setFont(look.plain.font)
                painter.setPen(look.text)
            elif cells.texts[column]:
                inside = QRect(left + MARGIN, top, width - 2 * MARGIN, height)
                look.plain.draw(painter, inside, cells.texts[column], right=True)

    def _draw_chosen(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: AnyIndex,
        columns: list[tuple[int, int, int]],
    ) -> None:
        """Paint a row that is chosen with many others as Qt does, which would ask of each cell."""
        top, height = option.rect.top(), option.rect.height()
        row = self._model.row_of(index)
        indentation = row.depth * self._step
        panel = QStyle.PrimitiveElement.PE_PanelItemViewRow
        arrow = QStyle.PrimitiveElement.PE_IndicatorBranch
        for column, left, width in columns:
            cell = QStyleOptionViewItem(option)
            cell.state |= QStyle.StateFlag.State_Selected
            if column == 0:
                cell.rect = QRect(left, top, indentation, height)
                self.style().drawPrimitive(panel, cell, painter, self)
                if option.state & _CHILDREN:
                    # That of the row itself is all that our style paints of branches.
                    cell.rect = QRect(left + indentation - self._step, top, self._step, height)
                    self.style().drawPrimitive(arrow, cell, painter, self)
                cell.rect = QRect(left + indentation, top, width - indentation, height)
            else:
                cell.rect = QRect(left, top, width, height)
                self.style().drawPrimitive(panel, cell, painter, self)
            at = self._model.index_of_row(row, column)
            self.itemDelegateForIndex(at).paint(painter, cell, at)
