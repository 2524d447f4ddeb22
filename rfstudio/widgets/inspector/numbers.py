"""A block of labelled numbers under a heading, each with its meaning as a tooltip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QEnterEvent,
    QFocusEvent,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QPalette,
    QResizeEvent,
)
from PySide6.QtWidgets import QLabel, QMenu, QSizePolicy, QWidget

from rfstudio.app.wording.facts import Fact
from rfstudio.app.wording.terms import HINT, TERMS, Question, entry_of_label
from rfstudio.widgets.parts.explaining import add_questions
from rfstudio.widgets.parts.focus_ring import FocusRing

_SIDE, _TOP, _BOTTOM = 12, 10, 2
_LABELS = 86
"""Least width of the column of labels, in pixels."""
_GAP, _LEAD = 10, 3
"""Distance between the columns, and between the lines, in pixels."""
_WIDE = 100_000
_KEPT = 500


class ValueLabel(QLabel):
    """A text that can be selected while the pointer is on it.

    A label whose text can always be selected holds a document, which takes ten times as long to
    draw.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Let the text be selected."""
        super().enterEvent(event)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Let it be a plain text again, unless something in it is selected."""
        super().leaveEvent(event)
        if not self.hasSelectedText():
            self.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802 - Qt's name
        """Leave the menu to the block, which also knows what is selected."""
        event.ignore()


class TermLabel(QLabel):
    """The name of a number; a click on one that the glossary explains opens it there.

    Signals
    -------
    wanted
        The entry of the glossary.
    """

    wanted = Signal(str)

    def __init__(self, terms: Mapping[str, str], parent: QWidget) -> None:
        super().__init__(parent)
        self._terms = terms

    @property
    def entry(self) -> str:
        """The entry of the glossary for what it says; empty: there is none."""
        return self._terms.get(self.text(), "") or entry_of_label(self.text())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Open the glossary."""
        super().mouseReleaseEvent(event)
        term = self.entry
        if term and event.button() == Qt.MouseButton.LeftButton:
            self.wanted.emit(term)

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802
        """Look like a link while the pointer is on it."""
        super().enterEvent(event)
        self.underline(bool(self.entry))

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        """Look like any label again."""
        super().leaveEvent(event)
        self.underline(False)

    def underline(self, is_on: bool) -> None:
        """Look like a link, or like any label."""
        font = self.font()
        if font.underline() != is_on:
            font.setUnderline(is_on)
            self.setFont(font)
        self.setCursor(Qt.CursorShape.PointingHandCursor if is_on else Qt.CursorShape.ArrowCursor)


def _copy(text: str, _is_checked: bool = False) -> None:
    QGuiApplication.clipboard().setText(text)


class NumberBlock(QWidget):
    """Shows facts in two columns; texts can be selected and copied.

    With the focus, Up and Down go from number to number, and Enter opens the glossary at its name.
    It places its labels itself: with each new number, a layout would measure all texts of the
    inspector again, which takes longer than a frame.

    Parameters
    ----------
    title
        The heading.
    parent
        The widget around it.
    terms
        Entries of the glossary by label.

    Signals
    -------
    term_wanted
        An entry of the glossary that the user wants to read.
    """

    term_wanted = Signal(str)

    def __init__(
        self, title: str, parent: QWidget | None = None, *, terms: Mapping[str, str] = TERMS
    ) -> None:
        super().__init__(parent)
        self._terms = terms
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        FocusRing(self)
        self._current = 0
        # A fixed height would be that of the size hint, which is for another width.
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._title = QLabel(title, self)
        self._title.setWordWrap(True)
        font = self._title.font()
        font.setBold(True)
        self._title.setFont(font)
        self._rows: list[tuple[TermLabel, ValueLabel]] = []
        self._facts: tuple[Fact, ...] = ()
        self._shown = 0
        self._places: tuple[object, ...] = ()
        self._heights: dict[tuple[bool, str, int], int] = {}
        self._advances: dict[tuple[bool, str], int] = {}
        self._told = -1

    def set_title(self, title: str) -> None:
        """Show another heading."""
        if title != self._title.text():
            self._title.setText(title)
            self._arrange()

    def show_facts(self, facts: Iterable[Fact]) -> None:
        """Show facts instead of those shown now."""
        # Labels are asked and told as little as possible: each call costs more than a comparison.
        before, self._facts = self._facts, tuple(facts)
        if self._facts == before:
            return
        while len(self._rows) < len(self._facts):
            self._add_row()
        none = Fact("", "", "")
        earlier = (*before, *[none] * (len(self._facts) - len(before)))
        for (label, value), fact, old in zip(self._rows, self._facts, earlier, strict=False):
            if fact == old:
                continue
            label.setText(fact.label)
            value.setText(fact.text)
            value.setAccessibleName(f"{fact.label}: {fact.text}")
            tip = f"{fact.meaning}\n{HINT}" if label.entry else fact.meaning
            if value.toolTip() != tip:
                for one in (label, value):
                    one.setToolTip(tip)
        count = len(self._facts)
        if count != self._shown:
            for number, row in enumerate(self._rows):
                for one in row:
                    one.setVisible(number < count)
            self._shown = count
        self._arrange()

    def texts(self) -> dict[str, str]:
        """Return what is shown, by label."""
        return {a.text(): b.text() for a, b in self._rows if not a.isHidden()}

    def questions_at(self, place: QPoint | None) -> list[Question]:
        """Return what can be asked of the number at a place; None: of the current one."""
        shown = self._rows[: self._shown]
        if place is None:
            rows = shown[self._current : self._current + 1]
        else:
            rows = [x for x in shown if x[0].y() <= place.y() < x[1].y() + x[1].height()]
        return [Question(label.text(), label.entry) for label, _ in rows if label.entry]

    # --- called by Qt ---------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Go from number to number, and open the glossary at its name."""
        last = self._shown - 1
        steps = {
            Qt.Key.Key_Up: self._current - 1,
            Qt.Key.Key_Down: self._current + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        key = Qt.Key(event.key())
        if key in steps and last >= 0:
            self._mark(min(max(steps[key], 0), last))
        elif key in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            for question in self.questions_at(None):
                self.term_wanted.emit(question.entry)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """Mark the current number."""
        super().focusInEvent(event)
        self._mark(min(self._current, max(self._shown - 1, 0)))

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """Mark none."""
        super().focusOutEvent(event)
        for label, _ in self._rows:
            label.underline(False)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802 - Qt's name
        """Offer to copy the number under the pointer, and to ask what it is."""
        is_typed = event.reason() == QContextMenuEvent.Reason.Keyboard
        shown = self._rows[: self._shown]
        place = event.pos()
        if is_typed and shown:
            place = shown[min(self._current, len(shown) - 1)][1].geometry().center()
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for label, value in shown:
            if label.y() <= place.y() < value.y() + value.height():
                text = value.selectedText() or value.text()
                copy = menu.addAction(f"Copy {label.text()}")
                copy.triggered.connect(partial(_copy, text))
        add_questions(menu, self.questions_at(place), self.term_wanted.emit)
        if menu.actions():
            menu.popup(self.mapToGlobal(place))

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt's name
        """Return the height that all texts need."""
        heights = self._heights_at(width)
        return _TOP + sum(heights) + _LEAD * (len(heights) - 1) + _BOTTOM

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size at which most texts are one line."""
        width = max(self.width(), 2 * _SIDE + 3 * _LABELS)
        return QSize(2 * _SIDE + 3 * _LABELS, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return a width at which labels and short numbers fit."""
        return QSize(2 * _SIDE + 2 * _LABELS, 0)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Place the labels."""
        super().resizeEvent(event)
        self._arrange()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Measure again in another font or style."""
        super().changeEvent(event)
        if event.type() in {QEvent.Type.FontChange, QEvent.Type.StyleChange}:
            self._heights.clear()
            self._advances.clear()
            self.updateGeometry()
            self._arrange()

    def _mark(self, row: int) -> None:
        """Mark a number as the current one, and say it to who does not see it."""
        self._current = row
        for number, (label, _) in enumerate(self._rows[: self._shown]):
            label.underline(number == row)
        if row < len(self._facts):
            fact = self._facts[row]
            self.setAccessibleDescription(f"{fact.label}: {fact.text}. {fact.meaning}")

    # --- placing --------------------------------------------------------------------------------

    def _add_row(self) -> None:
        label, value = TermLabel(self._terms, self), ValueLabel(self)
        label.wanted.connect(self.term_wanted)
        label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        label.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._rows.append((label, value))

    def _arrange(self) -> None:
        """Place the labels, and report if they need more or less room."""
        width = self.width()
        first, *heights = self._heights_at(width)
        left = self._left()
        places = (width, left, first, *heights)
        if places == self._places:
            return
        self._places = places
        self._title.setGeometry(_SIDE, _TOP, width - 2 * _SIDE, first)
        top = _TOP + first + _LEAD
        for (label, value), height in zip(self._rows, heights, strict=False):
            label.setGeometry(_SIDE, top, left - _GAP - _SIDE, height)
            value.setGeometry(left, top, width - _SIDE - left, height)
            top += height + _LEAD
        if top != self._told:
            self._told = top
            self.updateGeometry()

    def _left(self) -> int:
        """Return where the values begin."""
        shown = zip(self._rows, self._facts, strict=False)
        widths = [self._advance(label, fact.label) + 1 for (label, _), fact in shown]
        return _SIDE + max([_LABELS, *widths]) + _GAP

    def _heights_at(self, width: int) -> list[int]:
        """Return the heights of the heading and of each row shown."""
        room = width - _SIDE - self._left()
        shown = zip(self._rows, self._facts, strict=False)
        return [
            self._height(self._title, self._title.text(), width - 2 * _SIDE),
            *(self._height(value, fact.text, room) for (_, value), fact in shown),
        ]

    def _height(self, label: QLabel, text: str, width: int) -> int:
        """Return the height of a text; one that fits into a line is measured only once."""
        is_heading = label is self._title
        is_line = "\n" not in text and self._advance(label, text) < width
        key = (is_heading, "", 0) if is_line else (is_heading, text, width)
        height = self._heights.get(key)
        if height is None:
            if len(self._heights) >= _KEPT:
                self._heights.clear()
            height = label.heightForWidth(_WIDE if is_line else max(width, 1))
            self._heights[key] = height
        return height

    def _advance(self, label: QLabel, text: str) -> int:
        """Return the width of a text on one line."""
        key = (label is self._title, text)
        width = self._advances.get(key)
        if width is None:
            if len(self._advances) >= _KEPT:
                self._advances.clear()
            width = self._advances[key] = label.fontMetrics().horizontalAdvance(key[1])
        return width
