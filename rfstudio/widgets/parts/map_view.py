"""A picture of an effective field, alone or over the image that it was measured on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from rfstudio.widgets.parts.painting import paints_widget

_GREY = 0.35
"""Share of the contrast that an image below a field has."""

_MARGIN = 4

_RING = QColor("#ffb000")


class MapView(QWidget):
    """Draws a map as large as there is room for it, with sharp pixels.

    Without an image values are colours, the darkest for 0; over an image only the field is
    coloured, and is the less transparent the larger it is.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture: QImage | None = None
        self._ring: float | None = None
        self._box: tuple[tuple[int, int], ...] = ()
        self._words = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Effective field")

    @property
    def has_picture(self) -> bool:
        """Whether a field is shown."""
        return self._picture is not None

    def show_words(self, text: str) -> None:
        """Show a sentence instead of a field."""
        self._picture, self._words = None, text
        self.update()

    def show_map(
        self,
        values: NDArray[np.floating],
        *,
        image: NDArray[np.uint8] | None = None,
        ring: float | None = None,
        box: tuple[tuple[int, int], ...] = (),
    ) -> None:
        """Show a map (H, W).

        Parameters
        ----------
        values
            Not negative, of any scale.
        image
            (H, W, 3), drawn below in grey.
        ring
            Radius of a ring around the centre that is drawn, in pixels.
        box
            First and last pixel along each axis of a box that is drawn.
        """
        self._picture = _coloured(_shares(values), image)
        self._ring, self._box = ring, box
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a comfortable size."""
        return QSize(360, 320)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the smallest useful size."""
        return QSize(120, 100)

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the map, or the sentence."""
        del event
        painter = QPainter(self)
        if self._picture is None:
            painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(16, 16, -16, -16), flags, self._words)
            return
        place = self._place(self._picture)
        painter.drawImage(place, self._picture)
        scale = place.width() / self._picture.width()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._ring is not None:
            # Pixel i goes from i to i + 1, and the centre unit of 28 is 14.
            centre = place.topLeft() + QPointF(
                (self._picture.width() // 2 + 0.5) * scale,
                (self._picture.height() // 2 + 0.5) * scale,
            )
            radius = self._ring * scale
            _draw_dashed(painter, lambda: painter.drawEllipse(centre, radius, radius))
        if self._box:
            (top, bottom), (left, right) = self._box
            frame = QRectF(left, top, right - left + 1, bottom - top + 1)
            frame = QRectF(frame.topLeft() * scale + place.topLeft(), frame.size() * scale)
            _draw_dashed(painter, lambda: painter.drawRect(frame))

    def _place(self, picture: QImage) -> QRectF:
        room = self.rect().adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        scale = min(room.width() / picture.width(), room.height() / picture.height())
        width, height = picture.width() * scale, picture.height() * scale
        left = room.left() + (room.width() - width) / 2
        top = room.top() + (room.height() - height) / 2
        return QRectF(left, top, width, height)


def map_picture(
    values: NDArray[np.floating],
    *,
    image: NDArray[np.uint8] | None = None,
    box: tuple[tuple[int, int], ...] = (),
) -> QImage:
    """Return a map as a picture of its own size; see `MapView.show_map`."""
    picture = _coloured(_shares(values), image)
    if box:
        painter = QPainter(picture)
        (top, bottom), (left, right) = box
        for colour, width in ((QColor(0, 0, 0, 150), 5.0), (_RING, 2.5)):
            painter.setPen(QPen(colour, width))
            painter.drawRect(left, top, right - left, bottom - top)
        painter.end()
    return picture


def _shares(values: NDArray[np.floating]) -> NDArray[np.float64]:
    peak = float(values.max(initial=0.0))
    # The root, so that what is weak can be seen; the eye is no ruler anyway.
    found = np.sqrt(np.clip(values / peak, 0, 1)) if peak > 0 else np.zeros(values.shape)
    return np.asarray(found, np.float64)


def _draw_dashed(painter: QPainter, draw: Callable[[], None]) -> None:
    """Draw a shape in dashes on a dark line, which are seen on any colour."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(0, 0, 0, 150), 3.0))
    draw()
    pen = QPen(_RING, 1.5)
    pen.setDashPattern([5.0, 3.0])
    painter.setPen(pen)
    draw()


def _coloured(shares: NDArray[np.floating], image: NDArray[np.uint8] | None) -> QImage:
    """Return a map from 0 to 1 as a picture of its own size."""
    table = pg.colormap.get("viridis").getLookupTable(0.0, 1.0, 256)[:, :3].astype(np.float32)
    shares = shares.astype(np.float32)  # a picture has bytes
    colours = table[np.rint(shares * 255).astype(np.intp)]
    if image is not None:
        # A product, which takes a tenth of the time of a mean of three.
        grey = image.astype(np.float32) @ np.full(3, _GREY / 3, np.float32)
        grey += 255 * (1 - _GREY) / 2
        rows, columns = (
            np.minimum(np.arange(n) * m // n, m - 1)
            for n, m in zip(shares.shape, grey.shape, strict=True)
        )
        grey = grey[np.ix_(rows, columns)]
        weight = np.clip(shares * 1.4, 0, 1)[..., None]
        colours = grey[..., None] * (1 - weight) + colours * weight
    pixels = np.ascontiguousarray(np.clip(colours, 0, 255).astype(np.uint8))
    height, width = pixels.shape[:2]
    # A copy, since Qt does not hold the array.
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
