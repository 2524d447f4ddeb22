"""Starts and stops a measurement, and shows its progress, its result, or what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from PySide6.QtCore import QElapsedTimer, QEvent, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.failures import failure_details, failure_sentence
from rfstudio.core.initialisations import other_law
from rfstudio.core.plural import counted
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.theme import icon, is_dark, severity_colour

_TICK = 200  # milliseconds
_WIDTH = 38  # characters
_IDLE = "This unit has not been measured yet."
_DROPPED = "Not measured as it is now; what was measured before is listed in Results."
_FOLLOWS = "Starts as soon as the unit stops moving."


class Outcome(Protocol):
    """The facts of a measurement, complete or so far."""

    @property
    def samples(self) -> int:
        """Samples so far."""

    @property
    def wanted(self) -> int:
        """Samples that were requested."""

    @property
    def seconds(self) -> float:
        """Time since its start."""

    @property
    def device(self) -> str:
        """The device that computed it."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Of program, torch and Python."""

    @property
    def options(self) -> Mapping[str, Any]:
        """All options of the run."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know."""


class RunBox(QWidget):
    """Measure, Cancel, Continue, progress, and texts that can be scrolled, selected and copied.

    Signals
    -------
    follow_wanted
        Whether the user wants the unit to be followed.
    remedy_wanted
        The remedy beside the notice was clicked.
    """

    follow_wanted = Signal(bool)
    remedy_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = QElapsedTimer()
        self._left: float | None = None
        self._samples, self._before = "", 0.0
        self._state = "idle"
        self._is_error = self._is_trouble = False
        self._make_buttons()
        self._make_texts()
        self._lay_out()
        self._ticker = QTimer(self, interval=_TICK)
        self._ticker.timeout.connect(self._tell_time)
        self.setAccessibleName("Measurement")
        self.show_state("idle")

    def _make_buttons(self) -> None:
        self.measure = QPushButton("Measure")
        self.measure.setIcon(icon("measure"))
        self.measure.setProperty("icon_name", "measure")
        self.measure.setToolTip("Measure the chosen unit with these options (Ctrl+M)")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop the measurement (Ctrl+.); the samples so far are kept")
        self.more = QPushButton("Continue")
        self.follow = QCheckBox("Follow the unit")
        self.follow.setToolTip(
            "Measure the chosen unit whenever it stops moving, and after each edit (Ctrl+Shift+M)"
        )
        self.follow.toggled.connect(self.follow_wanted)
        self.remedy = QPushButton()
        self.remedy.clicked.connect(self.remedy_wanted)
        self.copy = QPushButton("Copy details")
        self.copy.setToolTip("Copy why nothing was measured, with all that is known of it")
        self.copy.clicked.connect(self._copy_details)
        self._details = ""
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName("Progress of the measurement")
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(8)

    def _make_texts(self) -> None:
        flag = Qt.TextInteractionFlag
        self.line = QLabel(wordWrap=True)
        self.line.setAccessibleName("State of the measurement")
        self.notice = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.notice.setAccessibleName("Notes before measuring")
        self.text = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        for label in (self.line, self.notice, self.text):
            label.setTextInteractionFlags(
                flag.TextSelectableByMouse | flag.TextSelectableByKeyboard
            )
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        for widget in (self.line, self.notice):
            column.addWidget(widget)
        column.addWidget(self.remedy, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.text)
        column.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidget(body)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QScrollArea.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setAccessibleName("Facts of the measurement")
        FocusRing(self.area)
        self.area.setMinimumHeight(2 * self.fontMetrics().lineSpacing())

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(4)
        grid.addWidget(self.measure, 0, 0)
        grid.addWidget(self.cancel, 0, 1)
        grid.addWidget(self.more, 0, 1)  # in place of Cancel, when there is nothing to cancel
        grid.addWidget(self.follow, 1, 0)
        grid.addWidget(self.copy, 1, 1)  # in sight, however long the reason is
        grid.setColumnStretch(0, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 6, 10, 4)
        column.setSpacing(5)
        column.addLayout(grid)
        column.addWidget(self.progress)
        column.addWidget(self.area, 1)
        self.setMinimumWidth(_WIDTH * self.fontMetrics().averageCharWidth())
        self.show_notice("")
        self._say("")
        self.show_more("There is no measurement to continue.", is_stopped=False)

    def show_state(self, state: str) -> None:
        """Follow the session: "idle", "measuring", "stopped" or "done"."""
        before, self._state = self._state, state
        is_measuring = state == "measuring"
        self.cancel.setEnabled(is_measuring)
        self.progress.setVisible(is_measuring)
        self._mark(is_error=False)
        if is_measuring:
            self._clock.start()
            self._left, self._samples, self._before = None, "", 0.0
            self.progress.setValue(0)
            self._ticker.start()
            self._tell_time()
            return
        self._ticker.stop()
        if state == "stopped" and self._samples:
            self.line.setText(f"Stopped after {self._samples}.")
        elif state == "idle":
            self._samples = ""
            dropped = _FOLLOWS if self.follow.isChecked() else _DROPPED
            texts = {"done": dropped, "stopped": dropped}
            self.line.setText(texts.get(before, _IDLE))

    def show_following(self, is_on: bool, is_waiting: bool = False) -> None:
        """Show whether the unit is followed, and whether a measurement is about to begin."""
        with QSignalBlocker(self.follow):
            self.follow.setChecked(is_on)
        if is_waiting and self._state == "idle":
            self.line.setText(_FOLLOWS)
        elif not is_on and self.line.text() == _FOLLOWS:
            self.line.setText(_IDLE)

    def show_more(self, why_not: str, *, is_stopped: bool) -> None:
        """Offer to continue a result, or say why that is not possible."""
        has_focus = self.cancel.hasFocus() or self.more.hasFocus()
        self.more.setVisible(not why_not)
        self.cancel.setVisible(bool(why_not))
        if has_focus:
            # The keyboard focus stays, or goes to the button that is still enabled.
            shown = self.cancel if self.cancel.isEnabled() else self.measure
            (shown if why_not else self.more).setFocus()
        self.more.setEnabled(not why_not)
        what = "Measure the samples that are missing" if is_stopped else "Add as many samples again"
        self.more.setToolTip(why_not or f"{what}, with the same options")

    def show_notice(self, text: str, remedy: str = "", *, is_trouble: bool = False) -> None:
        """Show a notice before a measurement, with a button for its remedy if there is one."""
        self.notice.setText(text)
        self._is_trouble = is_trouble
        self._show_one_problem()
        self.remedy.setText(remedy)
        self.remedy.setVisible(bool(remedy))
        self._colour()

    def _show_one_problem(self) -> None:
        """Show what a measurement would take, unless the last one has failed."""
        is_wanted = self._is_trouble or not self._is_error
        self.notice.setVisible(bool(self.notice.text()) and is_wanted)

    def show_progress(self, fraction: float, so_far: Outcome | None, words: str) -> None:
        """Show the progress of the measurement, as a share and in words."""
        self.progress.setValue(round(1000 * fraction))
        if so_far is not None:
            self._samples, self._before = words, so_far.seconds
            if fraction > 0:
                self._left = so_far.seconds * (1 - fraction) / fraction
        self._tell_time()

    def show_result(self, result: Outcome, recipe: str) -> None:
        """Show what was measured, how, where and with which versions."""
        if self._state != "stopped":
            self.line.setText(
                f"Measured {counted(result.samples, 'sample')} in {result.seconds:.2f} s on "
                f"{result.device}."
            )
        elif not self._samples:  # it comes from the shelf
            self.line.setText(
                f"Stopped after {result.samples:,} of {counted(result.wanted, 'sample')}."
            )
        self._say("\n".join(facts_of(result, recipe)))

    def show_remark(self, text: str) -> None:
        """Show a remark on what would be measured."""
        if self._state not in ("done", "stopped") and not self._is_error:
            self._say(text)

    def show_error(self, error: Exception) -> None:
        """Show why nothing was measured, or why no more of it."""
        self._mark(is_error=True)
        if self._state not in ("done", "stopped"):
            self.line.setText("Not measured.")
        self._say(failure_sentence(error))
        self._details = failure_details(error)
        self.copy.show()

    def forget_error(self) -> None:
        """Show that this unit was not measured yet, after the failure of another one."""
        if self._is_error:
            self._mark(is_error=False)
            self._say("")
            if self._state == "idle":
                self.line.setText(_IDLE)

    def _copy_details(self) -> None:
        QGuiApplication.clipboard().setText(f"{self.line.text()}\n{self._details}\n")

    def _tell_time(self) -> None:
        # One comes back to a measurement that began before.
        elapsed = max(self._clock.elapsed() / 1000, self._before)
        parts = [self._samples or "starting", f"{_duration(elapsed)} elapsed"]
        if self._left is not None:
            parts.append(f"about {_duration(self._left)} left")
        text = ", ".join(parts)
        self.line.setText(text[:1].upper() + text[1:])

    def _say(self, text: str) -> None:
        self.text.setText(text)
        self.text.setVisible(bool(text))

    def _mark(self, *, is_error: bool) -> None:
        self._is_error = is_error
        if not is_error:
            self.copy.hide()
        self._show_one_problem()
        self._colour()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Keep the colours of problems readable when the theme changes."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._colour()

    def _colour(self) -> None:
        for label, severity in (
            (self.line, "error" if self._is_error else ""),
            (self.notice, "warning" if self._is_trouble else ""),
        ):
            # An empty palette takes its colours from the panel.
            palette = QPalette()
            if severity:
                colour = severity_colour(severity, dark=is_dark(self))
                palette.setColor(QPalette.ColorRole.WindowText, colour)
            label.setPalette(palette)


def facts_of(result: Outcome, recipe: str = "") -> list[str]:
    """Return the facts of a measurement that belong to its map, as lines."""
    options = result.options
    inputs = f"{options['images']} images" if options.get("images") else "noise"
    channel = options.get("channel")
    weights = options.get("weights", "random")
    how = (
        options.get("estimator", "energy"),
        inputs,
        "weights of the model" if weights == "model" else f"weights {weights}",
        *([law] if (law := other_law(options)) else []),
        "all channels" if channel is None else f"channel {channel}",
        f"seed {options.get('seed', 0)}",
        options.get("dtype", "float32"),
    )
    lines = [
        ", ".join(how),
        ", ".join(f"{name} {version}" for name, version in result.versions.items()),
        *(f"{x[:1].upper()}{x[1:].rstrip('.')}." for x in result.notes),
    ]
    return [f"Recipe {recipe}", *lines] if recipe else lines


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
