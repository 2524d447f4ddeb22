"""The phases of an effective field: which share pixels have by their place modulo a stride."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QWidget

from rfstudio.app.state.settings import Settings
from rfstudio.app.wording.facts import Fact
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.metrics.phases import phase_remark, phase_shares
from rfstudio.core.metrics.registry import MODULI
from rfstudio.core.network.sample_words import PIXELS, Units
from rfstudio.widgets.canvas.colours import ERF
from rfstudio.widgets.inspector.fold import Fold
from rfstudio.widgets.parts.painting import paints_widget

_SIDE = 128
_GAP = 12
_TITLE = 18


class PhaseGrid(QWidget):
    """A chart of one table for each modulus; a cell is as dark as its share of the field."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tables: list[NDArray[np.float64]] = []
        self.setAccessibleName("Shares of the effective field by place of the pixel")
        self.setMinimumHeight(_TITLE + _SIDE + _GAP)

    @property
    def tables(self) -> list[NDArray[np.float64]]:
        """The shares that are shown, (rows, columns) for each modulus."""
        return self._tables

    def show_map(self, values: NDArray[np.float64] | None) -> None:
        """Show the shares of a map; of three axes those of the last two."""
        self._tables = []
        if values is not None:
            flat = values.sum(axis=0) if values.ndim == 3 else values
            self._tables = [np.atleast_2d(phase_shares(flat, m)) for m in MODULI]
        texts = ["; ".join(f"{100 * x:.3g} %" for x in table.ravel()) for table in self._tables]
        self.setAccessibleDescription(". ".join(texts))
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of all tables beside each other."""
        return QSize(len(MODULI) * (_SIDE + _GAP) + _GAP, _TITLE + _SIDE + _GAP)

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the tables with their numbers."""
        del event
        if not self._tables:
            return
        painter = QPainter(self)
        font = painter.font()
        font.setPixelSize(10)
        painter.setFont(font)
        room = (self.width() - _GAP * (len(self._tables) + 1)) / len(self._tables)
        side = min(float(_SIDE), room)
        text = self.palette().color(QPalette.ColorRole.Text)
        for number, (modulus, table) in enumerate(zip(MODULI, self._tables, strict=True)):
            left = _GAP + number * (side + _GAP)
            painter.setPen(text)
            painter.drawText(
                QRectF(left, 0, side, _TITLE),
                Qt.AlignmentFlag.AlignCenter,
                f"place modulo {modulus}",
            )
            self._draw_table(painter, table, QRectF(left, _TITLE, side, side), text)
        painter.end()

    @staticmethod
    def _draw_table(
        painter: QPainter, table: NDArray[np.float64], place: QRectF, text: QColor
    ) -> None:
        rows, columns = table.shape
        width, height = place.width() / columns, place.height() / max(rows, columns)
        most = float(table.max()) or 1.0
        for row in range(rows):
            for column in range(columns):
                cell = QRectF(
                    place.left() + column * width, place.top() + row * height, width, height
                )
                colour = QColor(ERF)
                share = float(table[row, column])
                colour.setAlphaF(0.75 * share / most)
                painter.fillRect(cell.adjusted(0.5, 0.5, -0.5, -0.5), colour)
                painter.setPen(text)
                painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, f"{100 * share:.2g}")


class PhaseFold(Fold):
    """The phase contrast, a chart of the shares, and what is to be said of it."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.grid = PhaseGrid()
        super().__init__(
            "Phases",
            "Whether the unit depends on some rows and columns more than on their neighbours",
            "phases",
            settings,
        )
        layout = self.layout()
        assert layout is not None
        layout.addWidget(self.grid)
        self.grid.setVisible(self.button.isChecked())
        self.button.toggled.connect(self.grid.setVisible)

    def show_field(self, metrics: Metrics | None, units: Units = PIXELS) -> None:
        """Show another effective field, of a map with these words; None: there is none."""
        title = units.said("Share by place of the pixel, in %")
        self.show_facts(title, partial(self._facts_of, metrics, units))

    def _facts_of(self, metrics: Metrics | None, units: Units) -> Iterator[Fact]:
        self.grid.show_map(None if metrics is None else metrics.map)
        if metrics is None:
            yield Fact("none", "there is no effective field", "")
            return
        contrasts = metrics.phase_contrast
        for modulus, contrast in contrasts.items():
            value = "some have none" if contrast is None else f"{contrast:.3g}"
            yield Fact(f"modulo {modulus}", value, "Largest over smallest share; 1 is even.")
        remark = phase_remark(contrasts)
        if remark:
            yield Fact(
                "remark", units.said(remark), "Kim et al., Dead Pixel Test, arXiv:2108.13576, 2021."
            )
