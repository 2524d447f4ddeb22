"""The view of the tree of layers: it paints each plain row at once, and takes dragged layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from itertools import groupby

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

_OPENS_AFTER = 500
"""Milliseconds over a closed container after which it opens for what is dragged."""
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
        self.rows_around: Callable[[], Iterable[QModelIndex]] = tuple
        self._model = model
        self._delegate = LayerDelegate(model, self)
        self.setModel(model)
        self._look = self._delegate.look(self.font(), self.palette())
        self._step = self.indentation()
        self._current: Row | None = None
        self._painted: dict[Row, Cells] = {}
        self._columns: list[tuple[int, int, int]] | None = None
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
        parts = QItemSelection()
        around = {self._model.row_of(x) for x in self.rows_around()}
        self._collect_rows(self._model.row_of(QModelIndex()), QModelIndex(), around, parts)
        self.selectionModel().select(parts, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _collect_rows(
        self, row: Row, index: QModelIndex, around: Set[Row], parts: QItemSelection
    ) -> None:
        """Add the children of a row that are seen for themselves, and what is in open ones."""
        last = self._model.columnCount() - 1
        shown = [x.index for x in row.children if not self.isRowHidden(x.index, index)]
        chosen = [x for x in shown if row.children[x] not in around]
        for _, group in groupby(enumerate(chosen), lambda pair: pair[1] - pair[0]):
            numbers = [number for _, number in group]
            first = self._model.index(numbers[0], 0, index)
            parts.append(QItemSelectionRange(first, self._model.index(numbers[-1], last, index)))
        for number in shown:
            child = row.children[number]
            if child.children:
                inside = self._model.index(number, 0, index)
                if self.isExpanded(inside):
                    self._collect_rows(child, inside, around, parts)

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
        if (
            self._columns is None
            or row is self._current
            # Asked of the rows that are seen: thousands may be chosen.
            or self.selectionModel().isSelected(index)
        ):
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
