"""Words in the middle of a panel that has nothing to list yet."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QLabel

_MARGIN = 16


def empty_words(text: str) -> QLabel:
    """Return a label that says what will be where it is, and how to get it."""
    label = QLabel(text, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
    label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
    label.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
    return label
