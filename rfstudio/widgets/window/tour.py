"""The tour of a minute: a card that goes from one part of the window to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QShortcut,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from rfstudio.widgets.parts.painting import paints_widget

_WIDE = 58
"""Width of the card, in average characters."""

_GAP = 10
"""Distance between the card and the part that it speaks of."""

_LINE = 3


TOUR = "tour/seen"
"""Setting that the tour was shown, so that the program does not begin it again by itself."""

TOUR_TEXTS = (
    (
        "The network",
        (
            "All layers, in the order of the network. Choose one: all else in the window "
            "speaks of it. The + adds a layer, Ctrl+Z takes any edit back."
        ),
    ),
    (
        "What one unit sees",
        (
            "A unit is one position of a layer's map. The red frame is its receptive field: "
            "the part of the image that it can see. Click elsewhere, or use the arrow keys, "
            "for another unit."
        ),
    ),
    (
        "What counts in it",
        (
            "The blue shading is the effective receptive field: how strongly each pixel moves"
            " the unit. It is mostly much smaller than the frame. These switches show and "
            "hide what they name; hover over one to read what it means."
        ),
    ),
    (
        "The numbers",
        (
            "Size, jump, padding and the rest, each with its formula when you hover over it. "
            "Change the kernel size or the stride above them, and watch the frame follow."
        ),
    ),
    (
        "The whole network",
        (
            "All layers as a table, growth with depth, sections, the graph, comparisons with "
            "what you pin (P), problems and their remedies."
        ),
    ),
    (
        "Measure",
        (
            "The blue is computed for random weights at once. Measure ERF (Ctrl+M) measures it "
            "with torch, for any weights and images."
        ),
    ),
    (
        "Going on",
        (
            "Help › Lessons has ten lessons of a minute or two, which check themselves. "
            "A right click on a word asks what it means. Ctrl+K finds layers, commands, presets "
            "and words, and F1 lists all keys."
        ),
    ),
)
"""Titles and texts of the steps, in the order of the parts of the window."""


class Step(NamedTuple):
    """One step: the part that it speaks of, a title, and a sentence or two."""

    part: QWidget
    title: str
    text: str


class _Mark(QWidget):
    """A line around a part of the window, which takes no clicks."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the line."""
        del event
        painter = QPainter(self)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 2 * _LINE))
        painter.drawRect(self.rect())


def _seen(part: QWidget) -> QWidget:
    """Return a part, or what it has gone into where there is no room for it."""
    around = part.parentWidget()
    return part if part.isVisible() or around is None else _seen(around)


class Tour(QFrame):
    """Leads through the window; Enter and Right go on, Left goes back, Escape ends it.

    Parameters
    ----------
    window
        The window, which stays usable all the time.
    steps
        The steps, of which those whose part is not there are left out.
    uncover
        Brings a part into view whose panel is closed.

    Signals
    -------
    ended
        The tour is over.
    """

    ended = Signal()

    def __init__(
        self, window: QWidget, steps: Sequence[Step], uncover: Callable[[QWidget], object]
    ) -> None:
        super().__init__(window)
        self._window = window
        self._steps = tuple(steps)
        self._uncover = uncover
        self._number = 0
        self._mark = _Mark(window)
        self.setFrameShape(QFrame.Shape.Box)
        self.setLineWidth(1)
        self.setAutoFillBackground(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Tour")
        self.title = QLabel(textFormat=Qt.TextFormat.PlainText)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.text = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.count = QLabel()
        self.count.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.skip = QPushButton("End (Esc)")
        self.back = QPushButton("Back")
        self.next = QPushButton("Next")
        row = QHBoxLayout()
        row.addWidget(self.count, 1)
        for button, do in (
            (self.skip, self.end),
            (self.back, self._go_back),
            (self.next, self._go_on),
        ):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(do)
            row.addWidget(button)
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 10)
        column.setSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.text)
        column.addLayout(row)
        # The window stays usable, so the focus may be anywhere in it.
        QShortcut(QKeySequence(Qt.Key.Key_Escape), window, self.end).setParent(self)
        window.installEventFilter(self)
        self.show()
        self._show_step()

    @property
    def step(self) -> Step:
        """The step that is shown."""
        return self._steps[self._number]

    def end(self) -> None:
        """End the tour."""
        self.hide()
        self._mark.hide()
        self._mark.deleteLater()
        self.deleteLater()
        self.ended.emit()

    def _go_on(self) -> None:
        if self._number + 1 < len(self._steps):
            self._number += 1
            self._show_step()
        else:
            self.end()

    def _go_back(self) -> None:
        self._number = max(self._number - 1, 0)
        self._show_step()

    def _show_step(self) -> None:
        step, last = self.step, len(self._steps) - 1
        self._uncover(step.part)
        self.title.setText(step.title)
        self.text.setText(step.text)
        self.setAccessibleDescription(f"{step.title}. {step.text}")
        self.count.setText(f"{self._number + 1} of {last + 1}")
        self.back.setEnabled(self._number > 0)
        self.next.setText("Done" if self._number == last else "Next")
        self._place()
        self.raise_()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def _place(self) -> None:
        """Put the line around the part, and the card beside it where there is room."""
        window, part = self._window, _seen(self.step.part)
        around = QRect(part.mapTo(window, QPoint(0, 0)), part.size())
        around = around.intersected(window.rect())
        self._mark.setGeometry(around)
        self._mark.show()
        self._mark.raise_()
        width = min(_WIDE * self.fontMetrics().averageCharWidth(), window.width() - 2 * _GAP)
        self.setFixedWidth(width)
        margins = self._column.contentsMargins()
        inside = width - margins.left() - margins.right() - 2 * self.frameWidth()
        self.text.setMinimumHeight(0)  # below which a label's height for a width never is
        self.text.setFixedHeight(self.text.heightForWidth(inside))
        self._column.invalidate()  # else it keeps the height of the step before
        height = self._column.totalMinimumSize().height()
        room = window.rect().adjusted(_GAP, _GAP, -_GAP, -_GAP)
        places = (
            QPoint(around.right() + _GAP, around.top() + _GAP),
            QPoint(around.left() - width - _GAP, around.top() + _GAP),
            QPoint(around.left(), around.bottom() + _GAP),
            QPoint(around.left(), around.top() - height - _GAP),
        )
        cards = [QRect(x.x(), x.y(), width, height) for x in places]
        free = next((x for x in cards if room.contains(x)), None)
        if free is None:  # inside the part, at its lower right
            free = QRect(0, 0, width, height)
            free.moveBottomRight(around.bottomRight() - QPoint(2 * _GAP, 2 * _GAP))
            free.moveLeft(max(free.left(), room.left()))
            free.moveTop(max(free.top(), room.top()))
        self.setGeometry(free)
        self.raise_()

    # --- Qt's events ----------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Stay beside the part when the window changes its size."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """End with Escape, go on with Enter and Right, back with Left."""
        match event.key():
            case Qt.Key.Key_Escape:
                self.end()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_Right:
                self._go_on()
            case Qt.Key.Key_Left:
                self._go_back()
            case _:
                super().keyPressEvent(event)
