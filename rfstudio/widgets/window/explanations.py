"""From a word anywhere in the window to the glossary: by menu, by key, and by search."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QContextMenuEvent, QCursor
from PySide6.QtWidgets import QApplication, QMainWindow, QMenu, QToolTip, QWidget

from rfstudio.app.files.help_pages import glossary_entries, help_pages
from rfstudio.app.wording.terms import Question, questions_about
from rfstudio.widgets.help.help_window import HelpWindow
from rfstudio.widgets.parts.explaining import (
    add_questions,
    plain,
    questions_at,
    questions_in,
    tip_at,
)
from rfstudio.widgets.window.destinations import Destination


class Explanations(QObject):
    """Opens the documentation at what is asked for.

    Parameters
    ----------
    window
        The window whose words are explained.
    """

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window

    def show_pages(self) -> HelpWindow:
        """Open the documentation where it was."""
        known = self._window.findChild(HelpWindow)
        shown = known or HelpWindow(help_pages(), self._window)
        shown.show()
        shown.raise_()
        shown.activateWindow()
        return shown

    def show_term(self, entry: str) -> None:
        """Open the documentation at an entry of the glossary."""
        self.show_pages().open_term(entry)

    def explain(self) -> None:
        """Open the glossary at what a tip in sight or the focus is on, else the documentation."""
        asked = _questions_of_tip() or _questions_of_focus(self._window)
        if asked:
            self.show_term(asked[0].entry)
        else:
            self.show_pages()

    def open_menu(self, event: QContextMenuEvent) -> bool:
        """Offer to ask what is under the pointer, or has the focus; return whether there is any."""
        is_typed = event.reason() == QContextMenuEvent.Reason.Keyboard
        if is_typed:
            questions = questions_in(self._window.focusWidget())
        else:
            place = self._window.mapFromGlobal(event.globalPos())
            questions = questions_at(self._window.childAt(place), event.globalPos())
        if not questions:
            return False
        menu = QMenu(self._window)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        add_questions(menu, questions, self.show_term)
        menu.popup(event.globalPos())
        return True

    def destinations(self) -> list[Destination]:
        """Return all entries of the glossary as questions, for "Go to anything"."""
        return [
            Destination(
                "term",
                Question(entry, entry).text,
                "in the glossary",
                f"what is {entry} glossary term {meaning}".lower(),
                partial(self.show_term, entry),
            )
            for entry, meaning in glossary_entries()
        ]


def _questions_of_tip() -> list[Question]:
    """Return what can be asked of what a tip in sight belongs to, and of the tip."""
    if not QToolTip.isVisible():
        return []
    place = QCursor.pos()
    # Qt returns None where the pointer is on no widget, which its stubs do not know.
    under: QWidget | None = QApplication.widgetAt(place)
    text = QToolTip.text()
    if under is not None and tip_at(under, place) == text:
        at = questions_at(under, place)
        if at:
            return at
    return questions_about("", plain(text))


def _questions_of_focus(window: QMainWindow) -> list[Question]:
    """Return what can be asked of the focus, if it is on one word alone."""
    found = questions_in(window.focusWidget())
    return found if len(found) == 1 else []
