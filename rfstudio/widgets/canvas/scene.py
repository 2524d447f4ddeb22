"""What the canvas draws for one unit: plain values, found from the analysis."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QImage, QPainterPath


@dataclass(frozen=True, eq=False)
class Layered:
    """A picture and the part of the canvas that it covers."""

    image: QImage
    rect: QRectF


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything on the canvas, in coordinates of the input; what is None is not drawn.

    Attributes
    ----------
    area
        The whole image.
    photo, dimmed
        The image itself, and the same under a veil.
    erf
        Shading of the effective field.
    contour
        Line around the strongest pixels of the effective field.
    theoretical, visible
        Frames of the regions; `faint` if the slice shown does not go through them.
    lit
        What is not dimmed; an empty rectangle dims all, None dims nothing.
    support
        Pixels that are read, where there are holes.
    nested
        Frames of the fields on the way.
    centres
        Rows and columns in which the centres of the units lie.
    marker
        Centre of the unit.
    """

    area: QRectF = field(default_factory=lambda: QRectF(0, 0, 1, 1))
    photo: QImage | None = None
    dimmed: QImage | None = None
    erf: Layered | None = None
    contour: QPainterPath | None = None
    theoretical: QRectF | None = None
    visible: QRectF | None = None
    faint: bool = False
    lit: QRectF | None = None
    support: NDArray[np.bool_] | None = None
    nested: tuple[QRectF, ...] = ()
    centres: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    marker: QPointF | None = None

    def with_erf(self, erf: Layered | None, contour: QPainterPath | None) -> Scene:
        """Return the same with another effective field."""
        return replace(self, erf=erf, contour=contour)
