"""Paints a row of the tree of layers: the name, what it is in quieter text, and a badge."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QObject, QRect, QSize
from PySide6.QtGui import QColor, QFont, QPainter, QPalette
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from rfstudio.widgets.cells import AnyIndex, Letters, paint_panel
from rfstudio.widgets.stack.model import StackModel
from rfstudio.widgets.stack.row_texts import Cells
from rfstudio.widgets.theme import icon, is_dark, muted, severity_colour

_GAP = 7
_BADGE = 14
_MARGIN = 5
_LEAST = 12
"""Pixels below which a summary is left out."""


class LayerDelegate(QStyledItemDelegate):
    """Paints the first column; the others are plain numbers."""

    def __init__(self, model: StackModel, parent: QObject) -> None:
        super().__init__(parent)
        self._model = model
        self._letters = _both(QFont())
        self._mixed_for, self._mixed = 0, QColor()

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:  # noqa: N802
        """Return the size of a cell: a little air between the lines."""
        size = super().sizeHint(option, index)
        return size.grownBy(QMargins(0, 2, 0, 3))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paint a cell."""
        cells = self._model.texts.of(self._model.row_of(index))
        is_chosen = paint_panel(painter, option)
        self.paint_layer(painter, option.rect, cells, option, is_chosen=is_chosen)

    def paint_layer(
        self,
        painter: QPainter,
        rect: QRect,
        cells: Cells,
        option: QStyleOptionViewItem,
        *,
        is_chosen: bool = False,
    ) -> None:
        """Paint the name of a layer, what it is, and a badge."""
        palette: QPalette = option.palette
        role = QPalette.ColorRole.HighlightedText if is_chosen else QPalette.ColorRole.Text
        text = palette.color(role)
        rect.adjust(_MARGIN, 0, -_MARGIN, 0)
        if cells.severity:
            badge = QRect(rect.right() - _BADGE, rect.center().y() - _BADGE // 2, _BADGE, _BADGE)
            dark = is_dark(option.widget)
            colour = text if is_chosen else severity_colour(cells.severity, dark=dark)
            icon(cells.severity, colour).paint(painter, badge)
            rect.setRight(badge.left() - _GAP // 2)

        plain, italic = self._fonts(option.font)
        letters = italic if cells.is_quiet else plain
        painter.setFont(letters.font)
        painter.setPen(text)
        rect.setLeft(rect.left() + letters.draw(painter, rect, cells.texts[0]) + _GAP)
        if cells.summary and rect.width() > _LEAST:
            painter.setFont(plain.font)
            painter.setPen(text if is_chosen else self._quiet(palette))
            plain.draw(painter, rect, cells.summary)

    def paint_number(
        self, painter: QPainter, rect: QRect, text: str, option: QStyleOptionViewItem
    ) -> None:
        """Paint a number of a row that is not chosen."""
        if text:
            plain, _ = self._fonts(option.font)
            painter.setFont(plain.font)
            painter.setPen(option.palette.color(QPalette.ColorRole.Text))
            plain.draw(painter, rect, text, right=True)

    def _quiet(self, palette: QPalette) -> QColor:
        """Return the colour of summaries, mixed once for each palette."""
        if self._mixed_for != palette.cacheKey():
            self._mixed_for, self._mixed = palette.cacheKey(), muted(palette)
        return self._mixed

    def _fonts(self, font: QFont) -> tuple[Letters, Letters]:
        """Return the letters of the view's font, upright and italic."""
        if self._letters[0].font != font:
            self._letters = _both(font)
        return self._letters


def _both(font: QFont) -> tuple[Letters, Letters]:
    italic = QFont(font)
    italic.setItalic(True)
    return Letters(font), Letters(italic)
