"""The curves of a training: loss, accuracy and the size of the field against steps."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QWidget

from rfstudio.app.training.session import Curves
from rfstudio.widgets.canvas.colours import SERIES
from rfstudio.widgets.charts.curves import Curve, Drawing, Line
from rfstudio.widgets.charts.curves import Curves as CurvesItem
from rfstudio.widgets.charts.plot import Plot

_DASHES = (4.0, 3.0)

Points = tuple[tuple[float, float], ...]


class CurvesRow(QWidget):
    """Draws three plots side by side, with a line at the step of the frame that is shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves = Curves()
        self._step: int | None = None
        self.plots = [
            Plot("step", title, counts=True) for title in ("loss", "accuracy", "σ —, FWHM - - (px)")
        ]
        self._items = [CurvesItem(x.getPlotItem().getViewBox()) for x in self.plots]
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        names = ("Loss", "Accuracy", "Size of the field")
        for plot, name in zip(self.plots, names, strict=True):
            plot.setAccessibleName(f"{name} against steps")
            # The number at the upper end of the axis is drawn around that end.
            plot.getPlotItem().layout.setContentsMargins(1, self.fontMetrics().height() // 2, 1, 1)
            plot.colours_changed.connect(self._draw)
            row.addWidget(plot, 1)

    def show_curves(self, curves: Curves, step: int | None) -> None:
        """Show curves, and mark a step."""
        self._curves, self._step = curves, step
        self._draw()

    def _draw(self) -> None:
        curves = self._curves
        parts: list[list[tuple[Points, str, tuple[float, ...]]]] = [
            [(curves.loss, SERIES[0], ())],
            [(curves.accuracy, SERIES[2], ())],
            [(curves.sigma, SERIES[0], ()), (curves.fwhm, SERIES[1], _DASHES)],
        ]
        for plot, item, lines in zip(self.plots, self._items, parts, strict=True):
            drawn = tuple(
                Curve(
                    np.array([x for x, _ in points]),
                    np.array([y for _, y in points]),
                    plot.line(colour, dashes=dashes),
                    "" if len(points) > 60 else "o",
                )
                for points, colour, dashes in lines
                if points
            )
            marks: tuple[Line, ...] = ()
            if self._step is not None and drawn:
                marks = (Line(float(self._step), plot.line(plot.quiet_colour, 1.0, _DASHES)),)
            item.show_drawing(Drawing(drawn, marks), plot.quiet_colour)
