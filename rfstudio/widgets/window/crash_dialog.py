"""Says that something unforeseen happened, with a text that can be sent to the authors."""

from __future__ import annotations

import platform
import traceback
from types import TracebackType

from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from rfstudio import __version__

_MOST = 5
"""Reports that are kept while the dialog is open."""


def report_text(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> str:
    """Return the traceback with the versions in use."""
    versions = f"RF Studio {__version__}, Python {platform.python_version()}, Qt {qVersion()}"
    lines = "".join(traceback.format_exception(kind, error, trace))
    return f"{versions}, {platform.platform()}\n\n{lines}"


class CrashDialog(QDialog):
    """Shows a traceback that can be copied; the program goes on."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Something went wrong")
        self.text = text
        told = QLabel(
            "<b>Something went wrong that the program did not foresee.</b><br>"
            "Your network is still open; save it to be safe. "
            "The text below helps to mend the mistake."
        )
        told.setWordWrap(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._reports = 1
        self._detail = detail = QPlainTextEdit(text)
        detail.setReadOnly(True)
        detail.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        detail.setAccessibleName("Traceback")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy = buttons.addButton("Copy text", QDialogButtonBox.ButtonRole.ActionRole)
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text))
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(told)
        layout.addWidget(detail, 1)
        layout.addWidget(buttons)
        self.resize(720, 420)

    def add(self, text: str) -> None:
        """Show another report below, the first few: one mistake may be met with every frame."""
        self._reports += 1
        if self._reports <= _MOST:
            self.text = f"{self.text}\n{text}"
            self._detail.setPlainText(self.text)
