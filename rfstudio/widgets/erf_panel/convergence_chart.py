"""The live curve of a measurement's distance from the expected field against its samples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil, floor, log10

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from rfstudio.app.slices import Slices
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.metrics.distance import RATE
from rfstudio.core.plural import counted
from rfstudio.widgets.canvas.colours import SERIES
from rfstudio.widgets.charts.legend import LegendLine
from rfstudio.widgets.charts.plot import Plot
from rfstudio.widgets.erf_panel.convergence import Measured, Target, distance, target_of

_RATE_DASHES = (5.0, 3.0)
_LEAST_HEIGHT = 56  # pixels
_FEW = 120
"""Ratio of the ends of an axis below which 2 and 5 are marked beside 1 and 10."""

_NOTHING = "No pixel has moved this unit so far, so there is no distance to draw."
_IDLE = "During a measurement, its distance from the expected field is drawn here."


class ConvergenceChart(QWidget):
    """Draws the relative L1 distance of the running mean to the expected field.

    Both axes are logarithmic, so that 1.5/√N is a straight line.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._target: Target | None = None
        self._slices = Slices(self)
        self._points: list[tuple[int, float]] = []
        self._wanted = 1
        self._latest: Measured | None = None
        self.sentence = QLabel(_IDLE, wordWrap=True)
        self.sentence.setContentsMargins(8, 2, 8, 4)
        self.sentence.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.legend = LegendLine()
        self.legend.setContentsMargins(8, 3, 8, 0)
        self.plot = Plot("samples", "distance")
        self.plot.setAccessibleName("Distance to the expected field against samples")
        # The height that it would ask for by itself would move the canvas at the first sample.
        self.plot.setMinimumHeight(_LEAST_HEIGHT)
        self.plot.getPlotItem().setLogMode(True, True)
        self._rate = pg.PlotDataItem(antialias=True)
        self._curve = pg.PlotDataItem(antialias=True, symbol="o", symbolSize=5)
        for item in (self._rate, self._curve):
            self.plot.getPlotItem().addItem(item)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.legend)
        column.addWidget(self.plot, 1)
        column.addWidget(self.sentence)
        self.plot.colours_changed.connect(self._follow_colours)
        self._follow_colours()
        self._draw()

    @property
    def points(self) -> tuple[tuple[int, float], ...]:
        """What is drawn: samples and distance."""
        return tuple(self._points)

    @property
    def has_curve(self) -> bool:
        """Whether there is an expected field to compare with."""
        return self._target is not None and self._target.map is not None

    @property
    def shows_rate(self) -> bool:
        """Whether the line of independent samples is drawn."""
        return self._target is not None and self._target.is_exact

    def start(self) -> None:
        """Clear the curve for a new measurement."""
        self._slices.drop()
        self._latest = None
        self._target = None
        self._points.clear()
        self.sentence.setText("")
        self._draw()

    def forget(self) -> None:
        """Clear the curve; the choice has no measurement."""
        self.start()
        self.sentence.setText(_IDLE)
        self.sentence.setToolTip("")

    def add(self, analysis: Analysis | None, measured: Measured, wanted: int) -> None:
        """Add the present distance of a measurement."""
        self._wanted = max(wanted, 2)
        self._latest = measured
        if self._target is not None:
            self._add(measured, self._target)
        elif analysis is None:
            self._compare_with(
                Target(None, False, "There is no expected field here to compare with.")
            )
        elif not self._slices.is_busy:
            work = partial(target_of, analysis, measured)
            if not self._slices.start(work, self._compare_with, at_once=True):
                self.sentence.setText("The expected field is being worked out…")

    def _compare_with(self, target: Target) -> None:
        self._target = target
        self.sentence.setText(target.sentence)
        self.sentence.setToolTip(target.detail)
        self.sentence.setAccessibleDescription(target.detail)
        if self._latest is not None:
            self._add(self._latest, target)

    def _add(self, measured: Measured, target: Target) -> None:
        if target.map is None or target.map.shape != measured.map.shape:
            self._draw()
            return
        value = distance(measured, target.map)
        self.sentence.setText(_NOTHING if value is None else target.sentence)
        if value is not None and value > 0:
            # The complete result arrives once more, after its last report.
            kept = [x for x in self._points if x[0] < measured.samples]
            self._points = [*kept, (measured.samples, value)]
        self._draw()

    def _draw(self) -> None:
        self.legend.setVisible(bool(self._points))
        self.plot.setVisible(bool(self._points) or self.shows_rate)
        x, y = np.array(self._points, float).reshape(-1, 2).T
        self._curve.setData(x, y)
        if self.shows_rate:
            samples = np.array([1.0, self._wanted])
            self._rate.setData(samples, RATE / np.sqrt(samples))
        else:
            self._rate.setData([], [])
        self._show_range(y)
        if self._points:
            count, value = self._points[-1]
            last = f" {value:.3g} at {counted(count, 'sample')}"
            sample = f'<span style="color:{SERIES[0]}">●</span>'
            entries = {"L1 distance": f"{sample} L1 distance{last}"}
            if self.shows_rate:
                entries["samples"] = f"╌ {RATE}/√N"
            self.legend.show_entries(entries)
        else:
            self.legend.show_entries({})

    def _show_range(self, distances: NDArray[np.float64]) -> None:
        """Show all requested samples, and all distances so far and those to be expected."""
        item = self.plot.getPlotItem()
        least = RATE / np.sqrt(self._wanted) if self.shows_rate else np.inf
        low = float(np.min(distances, initial=least))
        high = float(np.max(distances, initial=RATE if self.shows_rate else 0.0))
        if not 0 < low <= high < np.inf:
            return
        ranges = {"bottom": (1.0, float(self._wanted)), "left": (0.8 * low, 1.25 * high)}
        metrics, across = self.plot.fontMetrics(), self.plot.getViewBox().width()
        for side, (first, last) in ranges.items():
            ticks = _ticks(first, last)
            if side == "bottom":
                share = across / max(log10(last / first), 1e-9)
                ticks = apart(ticks, share, metrics.horizontalAdvance)
            item.getAxis(side).setTicks([ticks, []])
        item.setXRange(0, np.log10(self._wanted), padding=0.04)
        item.setYRange(*np.log10(ranges["left"]), padding=0)

    def _follow_colours(self) -> None:
        plot = self.plot
        self._curve.setPen(plot.line(SERIES[0], 1.6))
        self._curve.setSymbolBrush(SERIES[0])
        self._curve.setSymbolPen(None)
        self._rate.setPen(plot.line(plot.text_colour, 1.2, _RATE_DASHES))


def apart(
    ticks: list[tuple[float, str]], share: float, width: Callable[[str], int]
) -> list[tuple[float, str]]:
    """Return the first of these marks and those whose numbers do not touch the one before.

    Parameters
    ----------
    ticks
        Places and texts.
    share
        Points for a distance of 1.
    width
        Returns that of a text, in points.
    """
    kept = ticks[:1]
    for place, text in ticks[1:]:
        needed = (width(kept[-1][1]) + width(text)) / 2 + width(" ")
        if (place - kept[-1][0]) * share >= needed:
            kept.append((place, text))
    return kept


def _ticks(first: float, last: float) -> list[tuple[float, str]]:
    """Return a few places on a logarithmic axis with round numbers."""
    decades = range(floor(log10(first)), ceil(log10(last)) + 1)
    steps = (1, 2, 5) if last / first < _FEW else (1,)
    numbers = [step * 10.0**decade for decade in decades for step in steps]
    return [(log10(x), f"{x:g}") for x in numbers if 0.999 * first <= x <= 1.001 * last]
