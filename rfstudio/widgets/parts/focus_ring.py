"""A line around a widget that has the focus and does not show it by itself."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

from rfstudio.widgets.parts.painting import paints_widget

_BY_KEYBOARD = frozenset(
    {
        Qt.FocusReason.TabFocusReason,
        Qt.FocusReason.BacktabFocusReason,
        Qt.FocusReason.ShortcutFocusReason,
    }
)
_FOR_A_WHILE = frozenset(
    {
        Qt.FocusReason.PopupFocusReason,
        Qt.FocusReason.ActiveWindowFocusReason,
        Qt.FocusReason.MenuBarFocusReason,
    }
)
_WIDTH = 2


class FocusRing(QWidget):
    """Covers a widget while it has the focus, if the focus came by the keyboard.

    Parameters
    ----------
    around
        The widget.
    """

    def __init__(self, around: QWidget) -> None:
        super().__init__(around)
        self._around = around
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()
        around.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Show and hide with the focus, and stay as large as the widget."""
        match event.type():
            case QEvent.Type.FocusIn if isinstance(event, QFocusEvent):
                if event.reason() in _BY_KEYBOARD:
                    self._fit()
                    self.show()
                    self.raise_()
            case QEvent.Type.FocusOut if isinstance(event, QFocusEvent):
                if event.reason() not in _FOR_A_WHILE:
                    self.hide()
            case QEvent.Type.Resize if self.isVisible():
                self._fit()
        return super().eventFilter(watched, event)

    def _fit(self) -> None:
        self.setGeometry(self._around.rect())

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the line."""
        del event
        painter = QPainter(self)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), _WIDTH))
        painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
