"""A legend as a line of text, whose names the glossary explains."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QWidget

from rfstudio.app.wording.terms import Question, first_of, questions_about


class LegendLine(QLabel):
    """Samples of lines with their names."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, textFormat=Qt.TextFormat.RichText, wordWrap=True)
        self._names: tuple[str, ...] = ()

    def show_entries(self, entries: Mapping[str, str]) -> None:
        """Show samples with their words, in HTML, by the names that the glossary explains."""
        self._names = tuple(entries)
        self.setText("&nbsp;&nbsp; ".join(entries.values()))

    def questions_at(self, place: QPoint | None) -> list[Question]:
        """Return what can be asked of all names; a line has room for few."""
        del place
        return first_of(x for name in self._names for x in questions_about(name)[:1])
