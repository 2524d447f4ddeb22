"""Flat buttons of a text, as the rows below the tables of panels have."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton


def text_button(text: str, tip: str = "") -> QToolButton:
    """Return a flat button with a text, which Tab reaches and a click does not focus."""
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAutoRaise(True)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
