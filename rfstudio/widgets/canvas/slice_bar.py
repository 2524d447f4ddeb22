"""The slider that chooses a slice of an input with three axes, over a strip of what is in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QGridLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QWidget,
)

from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.widgets.canvas.colours import DIM, ERF, THEORETICAL
from rfstudio.widgets.parts.painting import paints_widget

_HIGH = 11
"""Height of the strip, in points."""

_STRONGEST = 0.85
"""Opacity of the slice that moves the unit most."""

_HELP = (
    "The picture is one slice of the volume, at this z: along the first of its three axes. In it, "
    "y goes down and x to the right. Drag the slider, or use the arrow keys on it; Page Up and "
    "Page Down on the picture go to the unit of another slice.\n\n"
    "The strip below shows all slices: the red frame is what the unit can see, the blue how "
    "strongly each slice moves it, the dotted line its middle, the white one the slice that is "
    "shown."
)


@dataclass(frozen=True, eq=False)
class Depth:
    """What a unit sees along the axis of the slices.

    Attributes
    ----------
    reach
        First and last slice of what it can see; None: it is not shown.
    strength
        How strongly each slice moves it, of the strongest, (slices,); None: it is not shown.
    centre
        The slice of its middle, between slices perhaps; None: it has none.
    """

    reach: Interval | None = None
    strength: NDArray[np.float64] | None = None
    centre: float | None = None


def strength_of(field: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return how strongly each slice of a (depth, height, width) map moves a unit, of the most."""
    sums: NDArray[np.float64] = field.sum(axis=(1, 2))
    most = float(sums.max(initial=0.0))
    return sums / most if most > 0 else None


class SliceBar(QWidget):
    """Shows which slice is visible, and lets the user choose another.

    Signals
    -------
    slice_chosen
        The user wants to see a slice.
    """

    slice_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Slice of the input that is shown")
        self.strip = DepthStrip(self.slider)
        self._label = QLabel()
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 2, 8, 2)
        grid.setVerticalSpacing(1)
        grid.addWidget(self._label, 0, 0, 2, 1)
        grid.addWidget(self.slider, 0, 1)
        grid.addWidget(self.strip, 1, 1)
        grid.setColumnStretch(1, 1)
        self.setToolTip(_HELP)
        self.slider.valueChanged.connect(self._choose)

    @property
    def text(self) -> str:
        """Which slice is shown, in words."""
        return self._label.text()

    def show_slice(self, index: int, count: int) -> None:
        """Show that slice `index` of `count` is visible."""
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, count - 1)
            self.slider.setValue(index)
        # As wide as the longest text, so that the slider stays in place.
        longest = self._text(count - 1)
        self._label.setMinimumWidth(self.fontMetrics().horizontalAdvance(longest))
        self._tell()

    def show_depth(self, depth: Depth) -> None:
        """Show what a unit sees in the other slices."""
        self.strip.show_depth(depth)
        reach = depth.reach
        words = f"the unit can see slices {reach[0]} to {reach[1]}" if reach else ""
        self.slider.setAccessibleDescription(words)

    def _choose(self, index: int) -> None:
        self._tell()
        self.slice_chosen.emit(index)

    def _tell(self) -> None:
        self._label.setText(self._text(self.slider.value()))
        self.strip.update()

    def _text(self, index: int) -> str:
        return f"Slice z {index} of 0…{self.slider.maximum()}"


class DepthStrip(QWidget):
    """Draws what a unit sees along the axis of the slices, below their slider."""

    def __init__(self, slider: QSlider) -> None:
        super().__init__()
        self._slider = slider
        self.seen = Depth()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_depth(self, depth: Depth) -> None:
        """Draw another field."""
        self.seen = depth
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the height of a thin line of text."""
        return QSize(80, _HIGH)

    def place_of(self, first: float, last: float) -> QRectF:
        """Return where slices are on the strip, each around the handle's middle when it is there.

        Those outside of the volume are in the margins, as far as there is room.
        """
        option = QStyleOptionSlider()
        self._slider.initStyleOption(option)
        metric = QStyle.PixelMetric.PM_SliderLength
        handle = self._slider.style().pixelMetric(metric, option, self._slider)
        step = (self.width() - handle) / max(self._slider.maximum(), 1)
        left = max(handle / 2 + (first - 0.5) * step, 0.5)
        right = min(handle / 2 + (last + 0.5) * step, self.width() - 0.5)
        return QRectF(left, 0.5, max(right - left, 1.0), self.height() - 1.0)

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the volume, the strength of its slices, the frame, the middle and the slice."""
        del event
        painter = QPainter(self)
        depth, last = self.seen, self._slider.maximum()
        whole = self.place_of(0, last)
        painter.fillRect(whole, QColor("#808080"))
        if depth.strength is not None and len(depth.strength) == last + 1:
            colour = QColor(ERF)
            for index in np.flatnonzero(depth.strength > 0):
                colour.setAlphaF(_STRONGEST * float(depth.strength[index]))
                painter.fillRect(self.place_of(int(index), int(index)), colour)
        if depth.reach is not None:
            seen = self.place_of(*depth.reach)
            for outside in (
                QRectF(whole.topLeft(), seen.bottomLeft()),
                QRectF(seen.topRight(), whole.bottomRight()),
            ):
                if outside.width() > 0:
                    painter.fillRect(outside, DIM)
            painter.setPen(QPen(THEORETICAL, 2))
            painter.drawRect(seen.adjusted(0.5, 0.5, -0.5, -0.5))
        if depth.centre is not None:
            middle = round(self.place_of(depth.centre, depth.centre).center().x())
            painter.setPen(QPen(QColor("white"), 1, Qt.PenStyle.DotLine))
            painter.drawLine(middle, 2, middle, self.height() - 3)
        now = self.place_of(self._slider.value(), self._slider.value()).center().x()
        painter.fillRect(QRectF(now - 1.5, 0, 3, self.height()), QColor("black"))
        painter.fillRect(QRectF(now - 0.5, 0, 1, self.height()), QColor("white"))
