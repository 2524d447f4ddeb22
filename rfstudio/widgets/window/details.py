"""The tabs below the canvas, which can be folded to the row of their titles."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QTabWidget, QToolButton, QWidget

from rfstudio.widgets.parts.theme import give_icon, icon_size

_SIDE = 12
"""Side of the signs beside the titles, in points at usual texts."""

_UNLIMITED = 16_777_215
"""Qt's own greatest height of a widget."""


class DetailsTabs(QTabWidget):
    """Panels in tabs; while they are folded, only the titles take room.

    Clicking a title, or choosing a tab in code, unfolds.

    Signals
    -------
    unfolded
        The panels are shown again and need a height.
    folded
        Only the titles are left.
    close_wanted
        The whole panel is to be closed.
    """

    unfolded = Signal()
    folded = Signal()
    close_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDocumentMode(True)
        self._is_folded = False
        self.fold_button = _corner_button()
        self.close_button = _corner_button()
        give_icon(self.close_button, "close", _SIDE)
        self.close_button.setToolTip("Close the panel; View › Details or Ctrl+5 opens it again")
        self.close_button.setAccessibleName("Close the panel")
        corner = QWidget()
        row = QHBoxLayout(corner)
        row.setContentsMargins(0, 0, 2, 0)
        row.setSpacing(2)
        for button in (self.fold_button, self.close_button):
            row.addWidget(button)
        self.setCornerWidget(corner)
        self.fold_button.clicked.connect(self._toggle)
        self.close_button.clicked.connect(self.close_wanted)
        self.currentChanged.connect(self.unfold)
        self.tabBarClicked.connect(self.unfold)
        self._tell()

    @property
    def is_folded(self) -> bool:
        """Whether only the titles are seen."""
        return self._is_folded

    def fold(self) -> None:
        """Hide the panels, and give their room to the canvas."""
        if not self._is_folded:
            self._set_folded(True)
            self.folded.emit()

    def unfold(self) -> None:
        """Show the panels."""
        if self._is_folded:
            self._set_folded(False)
            self.unfolded.emit()

    def _toggle(self) -> None:
        if self._is_folded:
            self.unfold()
        else:
            self.fold()

    def _set_folded(self, is_folded: bool) -> None:
        self._is_folded = is_folded
        # Hidden, so that Tab does not stop in it and it draws nothing.
        for pages in self.findChildren(
            QStackedWidget, options=Qt.FindChildOption.FindDirectChildrenOnly
        ):
            pages.setVisible(not is_folded)
        self.setMaximumHeight(self.tabBar().sizeHint().height() if is_folded else _UNLIMITED)
        self._tell()

    def _tell(self) -> None:
        button, folded = self.fold_button, self._is_folded
        button.setArrowType(Qt.ArrowType.UpArrow if folded else Qt.ArrowType.DownArrow)
        button.setToolTip(
            "Unfold the panel" if folded else "Fold the panel to the titles of its tabs"
        )
        button.setAccessibleName("Unfold the panel" if folded else "Fold the panel")


def _corner_button() -> QToolButton:
    button = QToolButton()
    button.setIconSize(icon_size(QSize(_SIDE, _SIDE)))
    button.setAutoRaise(True)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
