"""Boxes around objects of the image, drawn on the canvas."""

from __future__ import annotations

from typing import TypeAlias

from PySide6.QtCore import QObject, Signal

Box: TypeAlias = tuple[tuple[int, int], ...]
"""First and last pixel along each axis, both included."""


class ObjectBoxes(QObject):
    """Holds boxes, in pixels of the input.

    Signals
    -------
    changed
        There are other boxes than before.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._boxes: tuple[Box, ...] = ()

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The boxes, in the order in which they were drawn."""
        return self._boxes

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """The size of each box along each axis."""
        return tuple(tuple(b - a + 1 for a, b in box) for box in self._boxes)

    def add(self, box: Box) -> None:
        """Add a box."""
        self._set((*self._boxes, box))

    def remove_at(self, pixel: tuple[int, ...]) -> bool:
        """Remove the last box around a pixel; return whether there was one."""
        for number in reversed(range(len(self._boxes))):
            box = self._boxes[number]
            if len(box) == len(pixel) and all(
                a <= p <= b for p, (a, b) in zip(pixel, box, strict=True)
            ):
                self._set((*self._boxes[:number], *self._boxes[number + 1 :]))
                return True
        return False

    def clear(self) -> None:
        """Remove all boxes."""
        self._set(())

    def _set(self, boxes: tuple[Box, ...]) -> None:
        if boxes != self._boxes:
            self._boxes = boxes
            self.changed.emit()
