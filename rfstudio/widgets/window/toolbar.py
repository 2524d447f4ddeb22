"""The toolbar, whose icons follow the size of texts and whose words give way where it is narrow."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QToolBar, QToolButton, QWidget

from rfstudio.widgets.parts.theme import icon_size

_WORDS, _SIGN = (
    Qt.ToolButtonStyle.ToolButtonTextBesideIcon,
    Qt.ToolButtonStyle.ToolButtonIconOnly,
)


class Toolbar(QToolBar):
    """Shows its buttons with words as far as there is room for all of them.

    Those at the front lose their words first; they are known by their icons from other programs.
    What does not fit without words either is behind the sign », as in every toolbar of Qt.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Toolbar", parent)
        self.setIconSize(self.iconSize().expandedTo(icon_size(self.iconSize())))
        self.setToolButtonStyle(_WORDS)
        self._shrinking: list[QToolButton] = []

    def shrink_in_turn(self, buttons: list[QToolButton]) -> None:
        """Say which buttons lose their words where the window is narrow, the first one first."""
        self._shrinking = buttons
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Show as many words as fit."""
        super().resizeEvent(event)
        self._fit()

    def event(self, event: QEvent) -> bool:
        """Fit again when the text of a button has changed."""
        is_handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return is_handled

    def _fit(self) -> None:
        spared = 0
        lack = self._lack()
        for button in self._shrinking:
            is_sign = lack > spared
            if is_sign:
                spared += button.fontMetrics().horizontalAdvance(button.text())
            style = _SIGN if is_sign else _WORDS
            if button.toolButtonStyle() != style:
                button.setToolButtonStyle(style)

    def _lack(self) -> int:
        """Return by how much all buttons with their words are wider than the bar."""
        shorter = [x for x in self._shrinking if x.toolButtonStyle() == _SIGN]
        words = sum(x.fontMetrics().horizontalAdvance(x.text()) for x in shorter)
        return self.sizeHint().width() + words - self.width()
