"""The dialog that is shown while a model is imported."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QProgressBar, QVBoxLayout, QWidget

from rfstudio.app.files.importing import Importing
from rfstudio.app.wording.texts import short_name
from rfstudio.widgets.parts.text_room import give_room
from rfstudio.widgets.parts.words import Words

_STEPS = 100


class ImportProgress(QDialog):
    """Shows how far an import is; Cancel stops it, and its process if it must.

    Parameters
    ----------
    name
        What is imported.
    importing
        The import, which has started.
    """

    # Qt's own progress dialog runs the event loop whenever its value is set.
    def __init__(self, name: str, importing: Importing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = short_name(name)
        self.setWindowTitle("Importing")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.label = Words()
        self.label.setAccessibleName("What is imported")
        self.label.setToolTip(name)
        self.label.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        self.progress = QProgressBar()
        self.progress.setRange(0, _STEPS)
        self.progress.setAccessibleName("Progress of the import")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.label)
        layout.addWidget(self.progress)
        layout.addWidget(self.buttons)
        give_room(self, 480, 0)
        self._show(0.0, "waiting for the worker process")
        importing.progressed.connect(self._show)
        importing.ended.connect(self.accept)
        self.rejected.connect(importing.cancel)

    def _show(self, done: float, words: str) -> None:
        self.label.setText(f"Importing {self._name}: {words} …")
        self.progress.setValue(round(_STEPS * done))
