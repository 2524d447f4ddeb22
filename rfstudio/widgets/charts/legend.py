"""A legend as a line of text, whose names the glossary explains."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import ceil

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QLabel, QWidget

from rfstudio.app.wording.terms import Question, first_of, questions_about

_SPACE = re.compile(r" (?![^<]*>)")
"""A space in what is read, where no entry shall be broken."""


class LegendLine(QLabel):
    """Samples of lines with their names, on one line where there is room for it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, textFormat=Qt.TextFormat.RichText, wordWrap=True)
        self._names: tuple[str, ...] = ()
        self._measured: tuple[str, str, int] = ("", "", 0)

    def show_entries(self, entries: Mapping[str, str]) -> None:
        """Show samples with their words, in HTML, by the names that the glossary explains."""
        self._names = tuple(entries)
        whole = (_SPACE.sub("&nbsp;", x) for x in entries.values())
        self.setText("&nbsp;&nbsp; ".join(whole))

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the width of all on one line; Qt would wrap what has more than a few words."""
        text, font = self.text(), self.font().toString()
        if self._measured[:2] != (text, font):
            document = QTextDocument()
            document.setDefaultFont(self.font())
            document.setHtml(text)
            document.setDocumentMargin(0)
            self._measured = text, font, ceil(document.idealWidth()) + 1
        margins = self.contentsMargins()
        wide = self._measured[2] + margins.left() + margins.right()
        return QSize(wide, self.heightForWidth(wide))

    def questions_at(self, place: QPoint | None) -> list[Question]:
        """Return what can be asked of all names; a line has room for few."""
        del place
        return first_of(x for name in self._names for x in questions_about(name)[:1])
