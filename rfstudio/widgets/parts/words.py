"""A text that quotes names and paths: it can be copied, fits any width, and scrolls if it must."""

from __future__ import annotations

from math import ceil

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPalette, QResizeEvent, QTextDocument, QTextOption
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextEdit, QWidget

_MOST = 8
_USUAL = 48  # characters


class Words(QTextEdit):
    """Shows a plain text, and breaks a word where it is longer than a line.

    A label is as wide as the longest word, which may be a path of any length, and is never lower
    than its text.

    Parameters
    ----------
    text
        What it says.
    most
        Most lines that it takes; more are scrolled.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None, *, most: int = _MOST) -> None:
        super().__init__(parent)
        self._most = most
        flag = Qt.TextInteractionFlag
        self.setTextInteractionFlags(flag.TextSelectableByMouse | flag.TextSelectableByKeyboard)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setLineWrapMode(QTextEdit.LineWrapMode.FixedPixelWidth)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.viewport().setAutoFillBackground(False)
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, Qt.GlobalColor.transparent)
        self.setPalette(palette)
        self.document().setDocumentMargin(0)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setText(text)

    def text(self) -> str:
        """Return what it says."""
        return self.toPlainText()

    def setText(self, text: str, /) -> None:  # noqa: N802 - Qt's name
        """Say something else."""
        self.setPlainText(text)
        self.updateGeometry()
        self._follow()

    def hasHeightForWidth(self) -> bool:  # noqa: N802 - Qt's name
        """Return that the height depends on the width."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt's name
        """Return the height of the text, or of as many lines as it may take."""
        return min(self._height_of_text(width), self._most * self.fontMetrics().lineSpacing())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of a text in lines of usual length."""
        width = _USUAL * self.fontMetrics().averageCharWidth()
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return that it fits any width."""
        return QSize(0, self.fontMetrics().lineSpacing())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Scroll only what does not fit."""
        super().resizeEvent(event)
        self._follow()

    def _height_of_text(self, width: int) -> int:
        document = QTextDocument(self.toPlainText())
        document.setDocumentMargin(0)
        document.setDefaultFont(self.font())
        document.setTextWidth(max(width, 1))
        return ceil(document.size().height())

    def _follow(self) -> None:
        policy = Qt.ScrollBarPolicy
        is_whole = self._height_of_text(self.width()) <= self.height()
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAlwaysOff if is_whole else policy.ScrollBarAlwaysOn
        )
        # Qt breaks the lines before the bar comes, which then covers their ends.
        bar = 0 if is_whole else self.verticalScrollBar().sizeHint().width()
        self.setLineWrapColumnOrWidth(max(self.width() - bar, 1))
