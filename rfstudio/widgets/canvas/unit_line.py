"""A line to type the position of a unit into."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QFrame, QLabel, QLineEdit, QVBoxLayout, QWidget

from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.texts import short_name
from rfstudio.app.wording.unit_text import unit_of_text, unit_ranges
from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.parts.theme import is_dark, severity_colour


class UnitLine(QFrame):
    """Asks for a unit of the chosen layer; Enter chooses it, Escape changes nothing.

    Parameters
    ----------
    session, selection
        The network and the choice.
    parent
        The widget that it covers.
    """

    def __init__(self, session: AnalysisSession, selection: Selection, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._session = session
        self._selection = selection
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.title = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.line = QLineEdit()
        self.line.setAccessibleName("Position of the unit")
        self.hint = QLabel(textFormat=Qt.TextFormat.PlainText)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(4)
        for part in (self.title, self.line, self.hint):
            column.addWidget(part)
        self.line.returnPressed.connect(self._take)
        self.line.textEdited.connect(self._show_ranges)

    def pop_up(self, place: QPoint) -> None:
        """Show the line at a place of the screen, with the unit that is chosen now."""
        self.title.setText(f"Unit of {short_name(self._selection.layer)}")
        self.line.setText(", ".join(map(str, self._selection.unit)))
        self.line.selectAll()
        self._show_ranges()
        self.adjustSize()
        self.move(place)
        self.show()
        self.line.setFocus()

    @property
    def _size(self) -> tuple[int, ...]:
        return self._session.analysis[self._selection.layer].output_size

    def _show_ranges(self, _text: str = "") -> None:
        self._say(unit_ranges(self._size))

    def _say(self, text: str, severity: str = "") -> None:
        self.hint.setText(text[:1].upper() + text[1:] if severity else text)
        palette = QPalette()
        colour = self.palette().color(QPalette.ColorRole.PlaceholderText)
        if severity:
            colour = severity_colour(severity, dark=is_dark(self))
        palette.setColor(QPalette.ColorRole.WindowText, colour)
        self.hint.setPalette(palette)
        self.adjustSize()

    def _take(self) -> None:
        try:
            unit = unit_of_text(self.line.text(), self._size)
        except RFStudioError as error:
            self._say(str(error), "error")
            self.line.selectAll()
            return
        self.hide()
        self._selection.select_unit(unit)
