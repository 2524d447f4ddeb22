"""Paints a row of the tree of layers: the name, a fainter summary, and a badge."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QMargins, QObject, QRect, QSize
from PySide6.QtGui import QColor, QFont, QPainter, QPalette
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from rfstudio.widgets.parts.cells import AnyIndex, Letters, paint_panel
from rfstudio.widgets.parts.painting import paints_item
from rfstudio.widgets.parts.theme import icon, muted, severity_colour
from rfstudio.widgets.stack.model import StackModel
from rfstudio.widgets.stack.row_texts import Cells

_GAP = 7
_BADGE = 14
_MARGIN = 5
_HALF = 127
_LEAST = 4
"""Average characters below which a summary that does not fit is left out."""


class Look(NamedTuple):
    """Fonts and colours of rows.

    Attributes
    ----------
    plain, italic
        Fonts of items, and of other rows.
    text, quiet
        Colours of names and numbers, and of summaries.
    is_chosen
        Whether the rows are chosen.
    """

    plain: Letters
    italic: Letters
    text: QColor
    quiet: QColor
    is_chosen: bool


class LayerDelegate(QStyledItemDelegate):
    """Paints the first column; the others are plain numbers."""

    def __init__(self, model: StackModel, parent: QObject) -> None:
        super().__init__(parent)
        self._model = model
        self._letters = _both(QFont())

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:  # noqa: N802
        """Return the size of a cell, with a little space between the lines."""
        size = super().sizeHint(option, index)
        return size.grownBy(QMargins(0, 2, 0, 3))

    @paints_item
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paint a cell."""
        cells = self._model.texts.of(self._model.row_of(index))
        look = self.look(option.font, option.palette, is_chosen=paint_panel(painter, option))
        rect: QRect = option.rect
        self.paint_layer(painter, rect, cells, look)

    def look(self, font: QFont, palette: QPalette, *, is_chosen: bool = False) -> Look:
        """Return the look of rows; the same for all rows of a view that are not chosen."""
        if self._letters[0].font != font:
            self._letters = _both(font)
        role = QPalette.ColorRole.HighlightedText if is_chosen else QPalette.ColorRole.Text
        text = palette.color(role)
        return Look(*self._letters, text, text if is_chosen else muted(palette), is_chosen)

    def paint_layer(self, painter: QPainter, rect: QRect, cells: Cells, look: Look) -> None:
        """Paint the name of a layer, what it is, and a badge."""
        rect.adjust(_MARGIN, 0, -_MARGIN, 0)
        if cells.severity:
            badge = QRect(rect.right() - _BADGE, rect.center().y() - _BADGE // 2, _BADGE, _BADGE)
            dark = look.text.lightness() > _HALF
            colour = look.text if look.is_chosen else severity_colour(cells.severity, dark=dark)
            icon(cells.severity, colour).paint(painter, badge)
            rect.setRight(badge.left() - _GAP // 2)
        letters = look.italic if cells.is_quiet else look.plain
        painter.setFont(letters.font)
        painter.setPen(look.text)
        rect.setLeft(rect.left() + letters.draw(painter, rect, cells.texts[0], is_name=True) + _GAP)
        if cells.summary and look.plain.shows(cells.summary, rect.width(), _LEAST):
            if cells.is_quiet:
                painter.setFont(look.plain.font)
            painter.setPen(look.quiet)
            look.plain.draw(painter, rect, cells.summary)


def _both(font: QFont) -> tuple[Letters, Letters]:
    italic = QFont(font)
    italic.setItalic(True)
    return Letters(font), Letters(italic)
