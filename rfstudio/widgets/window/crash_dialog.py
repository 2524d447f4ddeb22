"""The dialog for unexpected errors, with a text that can be sent to the authors."""

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
from rfstudio.app.files.log_file import log_file

_MOST = 5
"""Most reports that the dialog shows."""


def versions_text() -> str:
    """Return the versions in use and the platform, in a line."""
    versions = f"RF Studio {__version__}, Python {platform.python_version()}, Qt {qVersion()}"
    return f"{versions}, {platform.platform()}"


def report_text(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> str:
    """Return the traceback with the versions in use."""
    lines = "".join(traceback.format_exception(kind, error, trace))
    return f"{versions_text()}\n\n{lines}"


class CrashDialog(QDialog):
    """Shows a traceback that can be copied; the program continues."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Something went wrong")
        self.text = text
        message = QLabel(
            "<b>An unexpected error occurred in the program.</b><br>"
            "Your network is still open; save it to be safe. "
            f"The text below helps to find the cause; it is also in {log_file()}."
        )
        message.setWordWrap(True)
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
        layout.addWidget(message)
        layout.addWidget(detail, 1)
        layout.addWidget(buttons)
        self.resize(720, 420)

    def add(self, text: str) -> None:
        """Add another report below, up to a limit, as one error may recur in every frame."""
        self._reports += 1
        if self._reports <= _MOST:
            self.text = f"{self.text}\n{text}"
            self._detail.setPlainText(self.text)
