"""Paints cells of text with one call of the model per cell, where Qt makes seven."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPalette, QStaticText
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from rfstudio.widgets.parts.painting import paints_item

AnyIndex: TypeAlias = QModelIndex | QPersistentModelIndex

_SELECTED = QStyle.StateFlag.State_Selected
_PANEL = _SELECTED | QStyle.StateFlag.State_MouseOver
_NOTHING = QStyle.StateFlag.State_None
_KEPT = 4000

MARGIN = 4
"""Pixels that stay free on both sides of a text."""


class _Text(NamedTuple):
    """A text with its glyphs and its width in pixels."""

    drawn: QStaticText
    width: int


class Letters:
    """Draws lines of text in one font, and caches their glyphs and widths.

    Shaping takes most of the time of a cell.
    """

    def __init__(self, font: QFont) -> None:
        self.font = QFont(font)  # that of an option is gone with the option
        self._metrics = QFontMetrics(font)
        self._height = self._metrics.height()
        self._texts: dict[str, _Text] = {}

    def draw(
        self,
        painter: QPainter,
        rect: QRect,
        text: str,
        *,
        right: bool = False,
        is_name: bool = False,
    ) -> int:
        """Draw a text, cut with … where it does not fit; return its width.

        Names are cut in the middle, since many begin the same way.  The painter's font must be that
        of the letters.
        """
        room = rect.width()
        known = self._known(text)
        if known.width > room:
            mode = Qt.TextElideMode.ElideMiddle if is_name else Qt.TextElideMode.ElideRight
            known = self._known(self._metrics.elidedText(text, mode, max(room, 0)))
        x = rect.left() + (room - known.width if right else 0)
        painter.drawStaticText(x, rect.top() + (rect.height() - self._height) // 2, known.drawn)
        return known.width

    def shows(self, text: str, room: int, least: int) -> bool:
        """Whether a text fits, or its start of at least some average characters does."""
        return room >= min(self._known(text).width, least * self._metrics.averageCharWidth())

    def _known(self, text: str) -> _Text:
        known = self._texts.get(text)
        if known is None:
            if len(self._texts) >= _KEPT:
                self._texts.clear()
            drawn = QStaticText(text)
            drawn.setTextFormat(Qt.TextFormat.PlainText)
            drawn.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
            known = self._texts[text] = _Text(drawn, self._metrics.horizontalAdvance(text))
        return known


class TextDelegate(QStyledItemDelegate):
    """Paints one text a cell.

    Parameters
    ----------
    text_of
        Returns the text of a cell, as the model's display role does.
    is_right
        Returns whether the texts of a column are aligned right.
    margin
        Pixels that stay free on both sides.
    """

    def __init__(
        self,
        text_of: Callable[[AnyIndex], str],
        is_right: Callable[[int], bool],
        parent: QObject,
        margin: int = MARGIN,
    ) -> None:
        super().__init__(parent)
        self._text_of = text_of
        self._is_right = is_right
        self._margin = margin
        self._letters = Letters(QFont())

    @paints_item
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paint a cell."""
        is_chosen = paint_panel(painter, option)
        text = self._text_of(index)
        if not text:
            return
        rect: QRect = option.rect
        rect.adjust(self._margin, 0, -self._margin, 0)
        font: QFont = option.font
        if self._letters.font != font:
            self._letters = Letters(font)
        painter.setFont(font)
        palette: QPalette = option.palette
        role = QPalette.ColorRole.HighlightedText if is_chosen else QPalette.ColorRole.Text
        painter.setPen(palette.color(role))
        right = self._is_right(index.column())
        self._letters.draw(painter, rect, text, right=right, is_name=not right)


def paint_panel(painter: QPainter, option: QStyleOptionViewItem) -> bool:
    """Paint the background of a cell that is chosen or hovered; return whether it is chosen."""
    state = option.state & _PANEL
    if state is _NOTHING or not state:
        return False
    widget = option.widget
    style = widget.style() if widget else QApplication.style()
    panel = QStyle.PrimitiveElement.PE_PanelItemViewItem
    style.drawPrimitive(panel, option, painter, widget)
    return bool(state & _SELECTED)
