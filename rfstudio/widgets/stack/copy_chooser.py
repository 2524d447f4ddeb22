"""A note that the chosen item is repeated, with a box to choose the copy that is shown."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.widgets.parts.fields import Spin


class CopyChooser(QWidget):
    """Visible only while the chosen item is inside a repeat."""

    def __init__(
        self, session: AnalysisSession, selection: Selection, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._selection = selection
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.copy = Spin()
        self.copy.setPrefix("copy ")
        self.copy.setToolTip("The copy of the repeated layer that is shown")
        self.copy.setAccessibleName("Shown copy of the repeated layer")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 6)
        layout.addWidget(self.note, 1)
        layout.addWidget(self.copy)
        self.copy.valueChanged.connect(self._choose)
        session.analysis_changed.connect(self._follow)
        selection.selection_changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        location = self._selection.item
        copies = 1 if location is None else self._session.outline.copies(location)
        self.setVisible(copies > 1)
        if copies > 1:
            self.note.setText(f"An edit changes all {copies:,}.")
            self.note.setToolTip(
                f"The chosen item is inside a repeat, so that an edit changes all {copies:,} copies"
            )
            with QSignalBlocker(self.copy):
                self.copy.setRange(1, copies)
                self.copy.setSuffix(f" of {copies:,}")
                self.copy.setValue(self._selection.copy + 1)

    def _choose(self, number: int) -> None:
        self._selection.select_item(self._selection.item, number - 1)
