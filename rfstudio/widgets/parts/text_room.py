"""What follows the size of texts: the font of code, and how large a dialog is at first."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QFont, QFontDatabase, QFontInfo
from PySide6.QtWidgets import QApplication, QWidget

from rfstudio.widgets.parts.theme import text_scale

_FRAME = QSize(8, 40)
"""Size of the title and the borders that a system puts around a dialog."""


def fixed_font() -> QFont:
    """Return the font of code, as large as other texts; the system's does not follow the user."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPointSizeF(QFontInfo(QApplication.font()).pointSizeF())
    return font


def give_room(dialog: QWidget, width: int, height: int) -> None:
    """Make a dialog as large as its texts need: larger than usual only as far as the screen goes.

    Parameters
    ----------
    dialog
        What is about to be shown.
    width, height
        Its size in points with texts of the system's size.
    """
    usual = QSize(width, height)
    most = (dialog.screen().availableSize() - _FRAME).expandedTo(usual)
    dialog.resize((usual * text_scale()).boundedTo(most))
