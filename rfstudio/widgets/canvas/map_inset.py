"""A small picture of a layer's map in the corner of the canvas, with some units marked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

from rfstudio.core.plural import counted
from rfstudio.widgets.canvas.colours import SUPPORT
from rfstudio.widgets.canvas.modes import Inset
from rfstudio.widgets.parts.painting import paints_widget

_SIDE = 132
_LEAST = 10
_MARGIN = 6
_MOST = 264
"""Units along a side above which several are drawn as one."""


class MapInset(QWidget):
    """Shows an `Inset`; the pointer goes through it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Map of the layer")
        self._inset: Inset | None = None
        self._image = QImage()
        self.hide()

    @property
    def inset(self) -> Inset | None:
        """What is shown."""
        return self._inset

    def show_inset(self, inset: Inset | None) -> None:
        """Show another map, or nothing."""
        self._inset = inset
        self.setVisible(inset is not None)
        if inset is None:
            return
        self.setAccessibleDescription(
            f"{inset.title}: {counted(int(inset.mask.sum()), 'unit')} marked"
        )
        self._image = _picture(inset.mask)
        self.resize(self.sizeHint())
        self._place()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of the map and its title."""
        width, height = self._map_size()
        text = 0 if self._inset is None else self.fontMetrics().horizontalAdvance(self._inset.title)
        line = self.fontMetrics().lineSpacing()
        return QSize(max(width, text) + 2 * _MARGIN, height + line + 3 * _MARGIN)

    def _map_size(self) -> tuple[int, int]:
        if self._inset is None:
            return _SIDE, _SIDE
        rows, columns = self._inset.mask.shape
        scale = _SIDE / max(rows, columns, 1)
        return max(round(columns * scale), _LEAST), max(round(rows * scale), _LEAST)

    def place(self) -> None:
        """Move to the corner of the widget around it."""
        self._place()

    def _place(self) -> None:
        parent = self.parentWidget()
        if parent is not None:
            self.move(parent.width() - self.width() - _MARGIN, _MARGIN)

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the map, its marked units and its title."""
        del event
        if self._inset is None:
            return
        painter = QPainter(self)
        palette = self.palette()
        painter.fillRect(self.rect(), palette.color(QPalette.ColorRole.Base))
        painter.setPen(palette.color(QPalette.ColorRole.Mid))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        line = self.fontMetrics().lineSpacing()
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        painter.drawText(
            QRectF(_MARGIN, _MARGIN / 2, self.width() - 2 * _MARGIN, line + _MARGIN),
            Qt.AlignmentFlag.AlignCenter,
            self._inset.title,
        )
        width, height = self._map_size()
        place = QRectF((self.width() - width) / 2, line + 2 * _MARGIN, width, height)
        painter.drawImage(place, self._image)
        painter.setPen(QPen(palette.color(QPalette.ColorRole.Text), 1))
        painter.drawRect(place.adjusted(-0.5, -0.5, 0.5, 0.5))
        painter.end()


def _picture(mask: NDArray[np.bool_]) -> QImage:
    """Return a mask as a picture; of several units that share a point one marked is enough."""
    for axis in (0, 1):
        step = -(-mask.shape[axis] // _MOST)
        if step > 1:
            starts = np.arange(0, mask.shape[axis], step)
            mask = np.logical_or.reduceat(mask, starts, axis=axis)
    colours = np.where(mask, np.uint32(SUPPORT.rgba()), np.uint32(0x00000000))
    pixels = np.ascontiguousarray(colours.astype(np.uint32))
    height, width = pixels.shape
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32)
    return image.copy()  # which owns its pixels
