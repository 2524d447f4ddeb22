"""The lesson: what to see, what to change, and why; it notices by itself when that is done."""

from __future__ import annotations

import logging
from html import escape

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QTextDocumentFragment
from PySide6.QtWidgets import QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from rfstudio.api.lessons import LESSONS, Lesson
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.terms import linked
from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.parts.flow_layout import FlowLayout
from rfstudio.widgets.parts.focus_ring import FocusRing

_NONE = "Help › Lessons has ten lessons of a minute or two."


class LessonPanel(QWidget):
    """Shows one lesson.

    Signals
    -------
    lesson_wanted
        The number of a lesson that the user wants to begin.
    leave_wanted
        The user wants to go back to what was open before the lessons.
    term_wanted
        An entry of the glossary that the user wants to read.
    """

    lesson_wanted = Signal(int)
    leave_wanted = Signal()
    term_wanted = Signal(str)

    def __init__(self, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._selection = selection
        self._number = -1
        self._is_done = False
        self.text = QLabel(wordWrap=True, textFormat=Qt.TextFormat.RichText)
        self._say(_NONE)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.text.setContentsMargins(12, 8, 12, 8)
        flag = Qt.TextInteractionFlag
        self.text.setTextInteractionFlags(flag.TextBrowserInteraction | flag.TextSelectableByMouse)
        self.text.linkActivated.connect(self.term_wanted)
        area = QScrollArea()
        area.setWidget(self.text)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setAccessibleName("Text of the lesson")
        FocusRing(area)
        self.leave = QPushButton("Back to my network")
        self.leave.setToolTip("End the lessons, and open what was open before them, as it was")
        self.back = QPushButton("Lesson before")
        self.again = QPushButton("Begin again")
        self.next = QPushButton("Next lesson")
        row = FlowLayout(gap=6)
        row.setContentsMargins(12, 2, 12, 6)
        for button in (self.back, self.again, self.next, self.leave):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(area, 1)
        column.addLayout(row)
        self.again.clicked.connect(lambda: self.lesson_wanted.emit(self._number))
        self.back.clicked.connect(lambda: self.lesson_wanted.emit(self._number - 1))
        self.next.clicked.connect(lambda: self.lesson_wanted.emit(self._number + 1))
        self.leave.clicked.connect(self.leave_wanted)
        selection.selection_changed.connect(self._check)
        self.setAccessibleName("Lesson")
        self._offer()

    @property
    def is_done(self) -> bool:
        """Whether the change of the lesson was made."""
        return self._is_done

    @property
    def number(self) -> int:
        """The number of the lesson that is open, from 1; 0 if none is."""
        return self._number + 1

    def begin(self, number: int) -> None:
        """Show a lesson, whose network is open."""
        self._number, self._is_done = number, False
        self._show()

    def end(self) -> None:
        """Show no lesson."""
        self._number, self._is_done = -1, False
        self._show()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Give the links the colour of another scheme; Qt reads it where a text is set."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.text.clear()  # the same text again would be left as it is
            self._show()

    def follow(self) -> None:
        """Look at the network again, after an edit."""
        self._check()

    @property
    def _lesson(self) -> Lesson | None:
        return LESSONS[self._number] if self._number >= 0 else None

    def _check(self) -> None:
        lesson = self._lesson
        if lesson is None or self._is_done:
            return
        analysis, chosen = self._selection.shown
        if chosen.layer not in analysis or not analysis.layers:
            return  # the selection is updated in a moment, or nothing is left to look at
        try:
            self._is_done = lesson.is_done(analysis, chosen)
        except RFStudioError:
            return  # a network in the making
        # Whatever a draft provokes, the lesson goes on.
        except Exception:
            logging.getLogger(__name__).exception("the lesson could not be checked")
            return
        if self._is_done:
            self._show()

    def _offer(self) -> None:
        has_lesson = self._lesson is not None
        for button in (self.leave, self.again):
            button.setEnabled(has_lesson)
        self.back.setEnabled(self._number > 0)
        self.next.setEnabled(self._number + 1 < len(LESSONS))
        self.next.setText("Next lesson" if has_lesson else "Begin")

    def _show(self) -> None:
        lesson = self._lesson
        self._offer()
        if lesson is None:
            self._say(_NONE)
            return
        parts = [
            f"<h3>{self._number + 1}. {escape(lesson.title)}</h3>",
            f"<p><b>See:</b> {linked(lesson.look)}</p>",
            f"<p><b>Change:</b> {linked(lesson.change)}</p>",
        ]
        if self._is_done:
            parts.append(
                f"<p><b>✓ Done.</b> {linked(lesson.why)} <i>({escape(lesson.source)})</i></p>"
            )
        self._say("".join(parts))

    def _say(self, html: str) -> None:
        self.text.setText(html)
        # It takes the focus for its links, and is read out without its marks.
        self.text.setAccessibleName(QTextDocumentFragment.fromHtml(html).toPlainText())
