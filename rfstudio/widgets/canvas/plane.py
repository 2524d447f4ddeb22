"""The plane of the canvas: an image, a row shown as a strip, or a slice of a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from PySide6.QtCore import QPointF, QRectF

from rfstudio.core.axes.unit_intervals import Interval

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Plane:
    """Turns pixels of the input into coordinates of the canvas: pixel i covers i − ½ to i + ½.

    Attributes
    ----------
    size
        Size of the input along each axis, in pixels: a single axis is drawn as a strip, and three
        axes are sliced along the first.
    """

    size: tuple[int, ...]

    @property
    def is_strip(self) -> bool:
        """Whether the input has one axis only."""
        return len(self.size) == 1

    @property
    def slices(self) -> int:
        """Number of slices that can be shown; 1 unless the input has three axes."""
        return self.size[0] if len(self.size) == 3 else 1

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of what is shown, in pixels; the height of a strip is 1."""
        return (1, self.size[0]) if self.is_strip else (self.size[-2], self.size[-1])

    @property
    def rect(self) -> QRectF:
        """The whole image on the canvas."""
        height, width = self.shape
        return QRectF(-0.5, -0.5, width, height)

    def rect_of(self, region: Sequence[Interval]) -> QRectF:
        """Return what a region covers on the canvas, in every slice."""
        (top, bottom), (left, right) = self._shown(region, (0, 0))
        return QRectF(left - 0.5, top - 0.5, right - left + 1, bottom - top + 1)

    def is_in_slice(self, region: Sequence[Interval], index: int) -> bool:
        """Whether slice `index` goes through a region; always, unless there are three axes."""
        return len(self.size) != 3 or region[0][0] <= index <= region[0][1]

    def point_of(self, position: Sequence[float]) -> QPointF:
        """Return the point of the canvas at a position of the input."""
        y, x = self._shown(position, 0.0)
        return QPointF(x, y)

    def position_of(self, point: QPointF, index: int) -> tuple[float, ...]:
        """Return the position of the input under a point of the canvas, in slice `index`."""
        if self.is_strip:
            return (point.x(),)
        return (float(index), point.y(), point.x())[-len(self.size) :]

    def _shown(self, values: Sequence[_T], across: _T) -> tuple[_T, _T]:
        """Return the values of the two axes shown; `across` is used for the height of a strip."""
        return (across, values[0]) if self.is_strip else (values[-2], values[-1])
