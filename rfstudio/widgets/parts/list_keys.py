"""Arrow keys that are typed into a search line and move through the list below it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QListWidget

_KEYS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class ListKeys(QObject):
    """Passes the arrow and page keys of a search line on to a list."""

    def __init__(self, search: QLineEdit, items: QListWidget) -> None:
        super().__init__(search)
        self._items = items
        search.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Let the keys reach the list instead of the line."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return super().eventFilter(watched, event)
        if event.key() in _KEYS:
            self._items.event(event)
            return True
        return super().eventFilter(watched, event)
