"""The view of the tree of layers, which paints each plain row at once instead of cell by cell."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QTreeView

from rfstudio.widgets.parts.cells import MARGIN
from rfstudio.widgets.parts.painting import paints_item, paints_widget
from rfstudio.widgets.stack.delegate import LayerDelegate
from rfstudio.widgets.stack.model import StackModel
from rfstudio.widgets.stack.row_texts import Cells
from rfstudio.widgets.stack.rows import Row

AnyIndex = QModelIndex | QPersistentModelIndex

_CHILDREN = QStyle.StateFlag.State_Children
_REMEMBERED = 4000
"""Rows whose painted texts are remembered."""


class LayerTree(QTreeView):
    """Shows a `StackModel`.

    Rows that are chosen or current, which have panels, frames and editors, are left to Qt.

    Attributes
    ----------
    is_quick
        Whether plain rows are painted at once.
    """

    def __init__(self, model: StackModel) -> None:
        super().__init__()
        self.is_quick = True
        self._model = model
        self._delegate = LayerDelegate(model, self)
        self.setModel(model)
        self._look = self._delegate.look(self.font(), self.palette())
        self._step = self.indentation()
        self._special: set[Row] = set()
        self._painted: dict[Row, Cells] = {}
        self._columns: list[tuple[int, int, int]] | None = None
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
            special = [self.currentIndex(), *self.selectionModel().selectedRows()]
            self._special = {self._model.row_of(index) for index in special}
        super().paintEvent(event)

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
        if self._columns is None or row in self._special:
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
