"""What follows the size of texts: the font of code, and how large a dialog is at first."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QFont, QFontDatabase, QFontInfo
from PySide6.QtWidgets import QApplication, QWidget

_FRAME = QSize(8, 40)
"""Size of the title and the borders that a system puts around a dialog."""


def text_factor() -> float:
    """Return how much larger texts are than the system's."""
    application = QApplication.instance()
    usual = None if application is None else application.property("usual_point_size")
    return QApplication.font().pointSizeF() / usual if usual else 1.0


def fixed_font() -> QFont:
    """Return the font of code, as large as other texts; the system's does not follow the user."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPointSizeF(QFontInfo(QApplication.font()).pointSizeF())
    return font


def give_room(dialog: QWidget, width: int, height: int) -> None:
    """Make a dialog as large as its texts need, and no larger than the screen.

    Parameters
    ----------
    dialog
        What is about to be shown.
    width, height
        Its size in points with texts of the system's size.
    """
    factor = text_factor()
    screen = (dialog.screen().availableSize() - _FRAME).expandedTo(QSize(width, height))
    dialog.resize(
        (QSize(width, height) * factor).boundedTo(screen.expandedTo(QSize(width, height)))
    )
