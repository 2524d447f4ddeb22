"""A panel at a side of the window, with a sign to close it that is seen in light and dark."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QAbstractButton, QDockWidget, QWidget

from rfstudio.widgets.parts.theme import give_icon


class Dock(QDockWidget):
    """A panel that can be moved and closed.

    Parameters
    ----------
    title
        Its name in the menu View, too.
    widget
        What it shows.
    parent
        The window.
    """

    def __init__(self, title: str, widget: QWidget, parent: QWidget) -> None:
        super().__init__(title, parent)
        self.setObjectName(title)
        self.setWidget(widget)
        self.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable
            | QDockWidget.DockWidgetFeature.DockWidgetClosable
        )
        self._give_sign()

    def event(self, event: QEvent) -> bool:
        """Put our sign back in place of that of another style."""
        is_handled = super().event(event)
        if event.type() == QEvent.Type.StyleChange:
            self._give_sign()
        return is_handled

    def _give_sign(self) -> None:
        for button in self.findChildren(QAbstractButton, "qt_dockwidget_closebutton"):
            give_icon(button, "close")
            button.setToolTip(f"Close the panel; View › {self.windowTitle()} opens it again")
