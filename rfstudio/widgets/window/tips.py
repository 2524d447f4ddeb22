"""From a tip that is in sight to the entry of the glossary that it speaks of."""

from __future__ import annotations

from PySide6.QtGui import QCursor, QTextDocumentFragment
from PySide6.QtWidgets import QApplication, QToolTip, QWidget

from rfstudio.app.wording.terms import entry_for


def term_in_sight() -> str:
    """Return the entry for the tip in sight and what it belongs to; empty: there is none."""
    if not QToolTip.isVisible():
        return ""
    tip = QTextDocumentFragment.fromHtml(QToolTip.text()).toPlainText()
    # Qt returns None where the pointer is on no widget, which its stubs do not know.
    under: QWidget | None = QApplication.widgetAt(QCursor.pos())
    entry = getattr(under, "entry", "")  # of the name of a number
    if isinstance(entry, str) and entry:
        return entry
    text = getattr(under, "text", None)
    name = text() if callable(text) else ""
    return entry_for(name if isinstance(name, str) else "", tip)
