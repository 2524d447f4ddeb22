"""The dialog for unexpected errors, with a text that can be sent to the authors."""

from __future__ import annotations

import platform
import traceback
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType

from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QGuiApplication
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
from rfstudio.widgets.parts.text_room import fixed_font, give_room

_COPY = "Copy text"
_MOST = 5
"""Most reports that the dialog shows."""

_LONGEST = 8_000
"""Most characters of a traceback: a line of millions takes minutes to be laid out."""

_PARTS = ("PySide6-Essentials", "pyqtgraph", "numpy", "torch", "matplotlib")


def versions_text() -> str:
    """Return the versions in use and the platform, in a line."""
    versions = f"RF Studio {__version__}, Python {platform.python_version()}, Qt {qVersion()}"
    return f"{versions}, {platform.platform()}"


def parts_text() -> list[str]:
    """Return the names of the libraries in use with their versions."""
    # torch is asked for its version without importing it, which takes seconds.
    return [f"{x} {_version(x)}" for x in _PARTS]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"


def report_text(
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    circumstances: str = "",
) -> str:
    """Return the traceback with the versions in use, and the circumstances in a line.

    Of a text as long as a network may be, which some errors quote, the middle is left out.
    """
    lines = "".join(traceback.format_exception(kind, error, trace))
    if len(lines) > _LONGEST:
        left_out = len(lines) - _LONGEST
        lines = f"{lines[: _LONGEST // 2]}\n… {left_out:,} characters …\n{lines[-_LONGEST // 2 :]}"
    head = "\n".join(x for x in (versions_text(), ", ".join(parts_text()), circumstances) if x)
    return f"{head}\n\n{lines}"


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
        detail.setFont(fixed_font())
        detail.setAccessibleName("Traceback")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy = buttons.addButton(_COPY, QDialogButtonBox.ButtonRole.ActionRole)
        self.copy.clicked.connect(self._copy)
        self.copy.setAutoDefault(False)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(message)
        layout.addWidget(detail, 1)
        layout.addWidget(buttons)
        give_room(self, 720, 420)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)
        self.copy.setText("Copied")

    def add(self, text: str) -> None:
        """Add another report below, up to a limit, as one error may recur in every frame."""
        self._reports += 1
        if self._reports <= _MOST:
            self.text = f"{self.text}\n{text}"
            self.copy.setText(_COPY)
            self._detail.setPlainText(self.text)
