"""The about box: versions, sources and places of files, as a text that can be copied."""

from __future__ import annotations

import sys

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from rfstudio.app.files.log_file import log_file
from rfstudio.app.state.settings import settings_file
from rfstudio.widgets.window.crash_dialog import parts_text, versions_text


def about_text() -> str:
    """Return what the dialog says below its heading."""
    lines = [versions_text(), *parts_text()]
    lines += [f"Python: {sys.executable}", f"Settings: {settings_file()}", f"Log: {log_file()}"]
    return "\n".join(lines)


_EDGE = 12
"""Points around the text, at most."""


class AboutDialog(QDialog):
    """Says what the program is, and which versions run where."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("About RF Studio")
        self.text = about_text()
        what = QLabel(
            "<h3>RF Studio</h3>What does this unit of a vision network see?<br><br>"
            "The numbers follow Araujo, Norris, Sim, <i>Computing Receptive Fields of "
            "Convolutional Neural Networks</i> (Distill 2019) and Luo, Li, Urtasun, Zemel, "
            "<i>Understanding the Effective Receptive Field</i> (NIPS 2016)."
        )
        what.setWordWrap(True)
        detail = QLabel(self.text, textFormat=Qt.TextFormat.PlainText)
        flag = Qt.TextInteractionFlag
        detail.setTextInteractionFlags(flag.TextSelectableByMouse | flag.TextSelectableByKeyboard)
        detail.setAccessibleName("Versions and places of files")
        detail.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy = buttons.addButton("Copy text", QDialogButtonBox.ButtonRole.ActionRole)
        self.copy.clicked.connect(self._copy)
        self.copy.setAutoDefault(False)
        buttons.rejected.connect(self.reject)
        buttons.button(QDialogButtonBox.StandardButton.Close).setFocus()
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addWidget(what)
        column.addWidget(detail)
        column.addWidget(buttons)
        wide = max(560, 80 * self.fontMetrics().averageCharWidth())
        # A layout takes the height of texts that wrap for another width.
        self.resize(wide, max(320, column.totalHeightForWidth(wide)))
        what.setMinimumHeight(what.heightForWidth(wide - 2 * _EDGE))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)
        self.copy.setText("Copied")
