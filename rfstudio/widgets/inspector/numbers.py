"""A block of labelled numbers under a heading, each with its meaning as a tooltip."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from rfstudio.app.facts import Fact


class NumberBlock(QWidget):
    """Shows facts in two columns; texts can be selected and copied."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(title)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(12, 10, 12, 2)
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnMinimumWidth(0, 86)
        self._grid.setColumnStretch(1, 1)
        self._title = QLabel(title)
        self._title.setWordWrap(True)
        font = self._title.font()
        font.setBold(True)
        self._title.setFont(font)
        self._grid.addWidget(self._title, 0, 0, 1, 2)
        self._rows: list[tuple[QLabel, QLabel]] = []

    def set_title(self, title: str) -> None:
        """Show another heading."""
        self._title.setText(title)

    def show_facts(self, facts: Iterable[Fact]) -> None:
        """Show facts instead of those shown now."""
        count = 0
        for count, fact in enumerate(facts, 1):
            if count > len(self._rows):
                self._add_row()
            label, value = self._rows[count - 1]
            if value.text() != fact.text or label.text() != fact.label:
                label.setText(fact.label)
                value.setText(fact.text)
                value.setAccessibleName(f"{fact.label}: {fact.text}")
                for one in (label, value):
                    one.setToolTip(fact.meaning)
            label.show()
            value.show()
        for label, value in self._rows[count:]:
            label.hide()
            value.hide()

    def texts(self) -> dict[str, str]:
        """Return what is shown, by label."""
        return {a.text(): b.text() for a, b in self._rows if not a.isHidden()}

    def _add_row(self) -> None:
        label, value = QLabel(), QLabel()
        label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        label.setAlignment(Qt.AlignmentFlag.AlignTop)
        value.setWordWrap(True)
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = len(self._rows) + 1
        self._grid.addWidget(label, row, 0)
        self._grid.addWidget(value, row, 1)
        self._rows.append((label, value))
