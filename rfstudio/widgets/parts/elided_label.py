"""A text on one line that fits any width."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QWidget

from rfstudio.widgets.parts.painting import paints_widget


class ElidedLabel(QLabel):
    """Shows a plain text, with … where it is too long.

    Parameters
    ----------
    parent
        The widget around it.
    mode
        Where it is cut; names in the middle, since many begin the same way.
    """

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__(parent, textFormat=Qt.TextFormat.PlainText)
        self._mode = mode

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the text, or what fits of it."""
        room = self.contentsRect()
        if self.fontMetrics().horizontalAdvance(self.text()) <= room.width():
            super().paintEvent(event)
            return
        text = self.fontMetrics().elidedText(self.text(), self._mode, room.width())
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, text)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return that it fits any width."""
        return QSize(0, super().minimumSizeHint().height())
