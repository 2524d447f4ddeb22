"""Paints a row of the tree of layers: the name, what it is in quieter text, and a badge."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from rfstudio.widgets.stack.model import REMARK, SUMMARY
from rfstudio.widgets.theme import icon, is_dark, muted, severity_colour

_GAP = 7
_BADGE = 14


class LayerDelegate(QStyledItemDelegate):
    """Paints the first column; the others are plain numbers."""

    def sizeHint(  # noqa: N802 - Qt's name
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """Return the size of a cell: a little air between the lines."""
        size = super().sizeHint(option, index)
        return size.grownBy(QMargins(0, 2, 0, 3))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Paint a cell."""
        self.initStyleOption(option, index)
        name = option.text
        option.text = ""
        widget = option.widget
        style = widget.style() if widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, widget)

        rect = style.subElementRect(QStyle.SubElement.SE_ItemViewItemText, option, widget)
        rect.adjust(2, 0, -2, 0)
        palette: QPalette = option.palette
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        text = palette.highlightedText().color() if is_chosen else palette.text().color()
        severity = index.data(REMARK) or ""
        if severity:
            badge = QRect(rect.right() - _BADGE, rect.center().y() - _BADGE // 2, _BADGE, _BADGE)
            colour = text if is_chosen else severity_colour(severity, dark=is_dark(widget))
            icon(severity, colour).paint(painter, badge)
            rect.setRight(badge.left() - _GAP // 2)

        painter.save()
        painter.setFont(option.font)
        painter.setPen(text)
        metrics = QFontMetrics(option.font)
        align = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, align, shown)
        rest = rect.adjusted(metrics.horizontalAdvance(shown) + _GAP, 0, 0, 0)
        summary = index.data(SUMMARY) or ""
        if summary and rest.width() > 2 * metrics.averageCharWidth():
            painter.setPen(text if is_chosen else muted(palette))
            elided = metrics.elidedText(summary, Qt.TextElideMode.ElideRight, rest.width())
            painter.drawText(rest, align, elided)
        painter.restore()
