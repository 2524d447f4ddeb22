"""Starts and stops a measurement, and tells how it goes, what came out, or what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from PySide6.QtCore import QElapsedTimer, Qt, QTimer
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.theme import icon, is_dark, severity_colour

_TICK = 200  # milliseconds
_WIDTH = 34  # characters
_IDLE = "Nothing is measured for this unit yet."
_DROPPED = "The network or the unit has changed; nothing is measured for it yet."


class Outcome(Protocol):
    """What a measurement says of itself, complete or so far."""

    @property
    def samples(self) -> int:
        """Samples that are in it."""

    @property
    def wanted(self) -> int:
        """Samples that were asked for."""

    @property
    def seconds(self) -> float:
        """Time since its start."""

    @property
    def device(self) -> str:
        """Where it was computed."""

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
    """Measure, Cancel, progress, and a text that can be scrolled, selected and copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = QElapsedTimer()
        self._left: float | None = None
        self._samples = ""
        self._state = "idle"
        self.measure = QPushButton("Measure")
        self.measure.setIcon(icon("measure"))
        self.measure.setProperty("icon_name", "measure")
        self.measure.setToolTip("Measure the chosen unit with these options (Ctrl+M)")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop the measurement (Ctrl+.); what is drawn of it stays here")
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName("Progress of the measurement")
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(8)
        self.line = QLabel(wordWrap=True)
        self.line.setAccessibleName("State of the measurement")
        self.text = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        flag = Qt.TextInteractionFlag
        self.text.setTextInteractionFlags(
            flag.TextSelectableByMouse | flag.TextSelectableByKeyboard
        )
        self.area = QScrollArea()
        self.area.setWidget(self.text)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QScrollArea.Shape.NoFrame)
        self.area.setAccessibleName("Facts of the measurement")
        self.area.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        buttons = QHBoxLayout()
        buttons.addWidget(self.measure, 1)
        buttons.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 6, 10, 4)
        column.setSpacing(5)
        column.addLayout(buttons)
        column.addWidget(self.progress)
        column.addWidget(self.line)
        column.addWidget(self.area, 1)
        self.setMinimumWidth(_WIDTH * self.fontMetrics().averageCharWidth())
        self._ticker = QTimer(self, interval=_TICK)
        self._ticker.timeout.connect(self._tell_time)
        self.setAccessibleName("Measurement")
        self.show_state("idle")

    def show_state(self, state: str) -> None:
        """Follow the session: "idle", "measuring" or "done"."""
        before, self._state = self._state, state
        is_measuring = state == "measuring"
        self.cancel.setEnabled(is_measuring)
        self.progress.setVisible(is_measuring)
        self._mark(is_error=False)
        if is_measuring:
            self._clock.start()
            self._left, self._samples = None, ""
            self.progress.setValue(0)
            self._ticker.start()
            self._tell_time()
            return
        self._ticker.stop()
        if state == "idle":
            stopped = f"Stopped after {self._samples}." if self._samples else "Stopped."
            texts = {"measuring": stopped, "done": _DROPPED}
            self.line.setText(texts.get(before, _IDLE))

    def show_progress(self, fraction: float, so_far: Outcome | None) -> None:
        """Tell how far the measurement is."""
        self.progress.setValue(round(1000 * fraction))
        if so_far is not None:
            self._samples = f"{so_far.samples} of {so_far.wanted} samples"
            if fraction > 0:
                self._left = so_far.seconds * (1 - fraction) / fraction
        self._tell_time()

    def show_result(self, result: Outcome, recipe: str) -> None:
        """Tell what was measured, how, where and with what."""
        self.line.setText(
            f"Measured {result.samples} samples in {result.seconds:.2f} s on {result.device}."
        )
        self.text.setText("\n".join(facts_of(result, recipe)))

    def show_remark(self, text: str) -> None:
        """Tell something about what would be measured."""
        if self._state != "done":
            self.text.setText(text)

    def show_error(self, error: Exception) -> None:
        """Tell why nothing was measured."""
        self._mark(is_error=True)
        self.line.setText("Not measured.")
        is_ours = isinstance(error, RFStudioError)
        text = str(error) if is_ours else f"{type(error).__name__}: {error}"
        self.text.setText(text[:1].upper() + text[1:])

    def _tell_time(self) -> None:
        elapsed = self._clock.elapsed() / 1000
        parts = [self._samples or "waiting for torch", f"{_duration(elapsed)} elapsed"]
        if self._left is not None:
            parts.append(f"about {_duration(self._left)} left")
        self.line.setText(", ".join(parts))

    def _mark(self, *, is_error: bool) -> None:
        # An empty palette takes its colours from the panel, also when the theme changes.
        palette = QPalette()
        if is_error:
            colour = severity_colour("error", dark=is_dark(self))
            palette.setColor(QPalette.ColorRole.WindowText, colour)
        self.line.setPalette(palette)


def facts_of(result: Outcome, recipe: str = "") -> list[str]:
    """Return what is to be kept of a measurement beside its map, as lines."""
    options = result.options
    inputs = f"{options['images']} images" if options.get("images") else "noise"
    channel = options.get("channel")
    how = (
        options.get("estimator", "energy"),
        inputs,
        f"weights {options.get('weights', 'random')}",
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
