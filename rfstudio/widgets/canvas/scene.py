"""The scene of the canvas: what is drawn for one unit, as plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QImage, QPainterPath

from rfstudio.widgets.canvas.unit_grid import Centres


@dataclass(frozen=True, eq=False)
class Pinned:
    """The frame of a pin.

    Attributes
    ----------
    letter
        Its name on the canvas.
    rect
        What its unit sees.
    place
        Counts the pins from 0; each has its own dashes.
    outline
        Around the pixels of its effective field above half the maximum; None: it is not known.
    """

    letter: str
    rect: QRectF
    place: int
    outline: QPainterPath | None = None


@dataclass(frozen=True, eq=False)
class Layered:
    """A map that is drawn as a picture, and the part of the canvas that it covers.

    Attributes
    ----------
    values
        (H, W) map.
    draw
        Returns a map of any size as a picture.
    rect
        What the map covers.
    is_signed
        Whether values may be below zero.
    """

    values: NDArray[Any]
    draw: Callable[[NDArray[Any]], QImage]
    rect: QRectF
    is_signed: bool = False
    _pictures: dict[tuple[int, int], QImage] = dataclass_field(default_factory=dict, repr=False)

    @property
    def image(self) -> QImage:
        """The picture of the map, one pixel for each of its values."""
        return self._picture(1, 1)

    def at(self, across: float, down: float) -> tuple[QImage, QRectF]:
        """Return the picture to draw, and where.

        Where several values share a point of the screen, the largest one is drawn (of signed ones
        the farthest from zero); otherwise
        details that are one pixel wide, as in a field with holes or in a signal, would be lost.

        Parameters
        ----------
        across, down
            Size of a value on the screen, in points.
        """
        columns, rows = _block(across), _block(down)
        image, rect = self._picture(rows, columns), QRectF(self.rect)
        height, width = self.values.shape
        if width and height:  # the last block may reach beyond the map
            rect.setWidth(rect.width() * image.width() * columns / width)
            rect.setHeight(rect.height() * image.height() * rows / height)
        return image, rect

    def _picture(self, rows: int, columns: int) -> QImage:
        key = rows, columns
        if key not in self._pictures:
            values = self.values
            for axis, step in enumerate(key):
                if step > 1 and values.shape[axis]:
                    starts = np.arange(0, values.shape[axis], step)
                    largest = np.maximum.reduceat(values, starts, axis=axis)
                    if self.is_signed:
                        least = np.minimum.reduceat(values, starts, axis=axis)
                        largest = np.where(largest >= -least, largest, least)
                    values = largest
            self._pictures[key] = self.draw(values)
        return self._pictures[key]


def _block(size: float) -> int:
    """Return how many values are drawn as one: a power of 2, at least half a point wide."""
    return 1 << max(int(log2(1 / size)), 0) if 0 < size < 1 else 1


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything on the canvas, in coordinates of the input; parts that are None are not drawn.

    Attributes
    ----------
    area
        The image.
    photo, dimmed
        The image itself, and the same under a veil.
    signal
        For an input of one axis: its row of the photo drawn as a signal, plain and dimmed.
    erf
        Shading of the effective field.
    contour
        Line around the strongest pixels of the effective field.
    theoretical, visible
        Frames of the regions; `faint` if the slice shown does not go through them.
    local
        Frame of the local field, where it differs from the theoretical region.
    lit
        What is not dimmed; an empty rectangle dims everything, None dims nothing.
    support
        Pixels that are read, where there are holes.
    nested
        Frames of the fields on the way.
    centres
        Rows and columns of the centres of the units.
    marker
        Centre of the unit.
    tiles
        What each tile of an image reads; overlaps are darker.
    boxes
        Boxes around objects.
    cells
        The units of a block, from centre to centre.
    field
        What the unit sees, whether or not its frame is drawn; a tiny one is magnified.
    pins
        Frames of the pins.
    is_stale
        Whether all of it is greyed, since it is that of before an edit that broke the network.
    """

    area: QRectF = dataclass_field(default_factory=lambda: QRectF(0, 0, 1, 1))
    photo: QImage | None = None
    dimmed: QImage | None = None
    signal: tuple[QImage, QImage] | None = None
    erf: Layered | None = None
    contour: QPainterPath | None = None
    theoretical: QRectF | None = None
    local: QRectF | None = None
    visible: QRectF | None = None
    faint: bool = False
    lit: QRectF | None = None
    support: NDArray[np.bool_] | None = None
    nested: tuple[QRectF, ...] = ()
    centres: tuple[Centres, Centres] | None = None
    marker: QPointF | None = None
    tiles: tuple[QRectF, ...] = ()
    boxes: tuple[QRectF, ...] = ()
    cells: QRectF | None = None
    field: QRectF | None = None
    pins: tuple[Pinned, ...] = ()
    is_stale: bool = False

    def with_erf(self, erf: Layered | None, contour: QPainterPath | None) -> Scene:
        """Return this scene with another effective field."""
        return replace(self, erf=erf, contour=contour)
