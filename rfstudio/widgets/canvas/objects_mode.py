"""Boxes around objects on the canvas, and which layers see them whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from PySide6.QtCore import QObject

from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.object_boxes import Box, ObjectBoxes
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.texts import short_name
from rfstudio.core.advice.covers import Firsts, first_covering
from rfstudio.core.fields.analysis import Analysis
from rfstudio.widgets.canvas.modes import CanvasMode, pixel_at
from rfstudio.widgets.canvas.scene import Scene
from rfstudio.widgets.canvas.words import sized


class ObjectsMode(CanvasMode):
    """Which layers see objects whole: a drag draws a box, a click on one removes it."""

    def __init__(
        self,
        session: AnalysisSession,
        selection: Selection,
        boxes: ObjectBoxes,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(session, selection, parent)
        self._boxes = boxes
        self._from: tuple[int, ...] | None = None
        self._drawn: Box | None = None
        self._firsts: tuple[Analysis, int, Firsts] | None = None
        boxes.changed.connect(self.changed)

    def press(self, position: Sequence[float]) -> None:  # noqa: D102 - as of any mode
        self._drawn = None
        if self._session.reference != "input":
            return
        pixel = self._inside(position)
        self._from = None if self._boxes.remove_at(pixel) else pixel

    def drag(self, position: Sequence[float]) -> None:  # noqa: D102
        if self._from is None:
            return
        ends = zip(self._from, self._inside(position), strict=True)
        self._drawn = tuple((min(a, b), max(a, b)) for a, b in ends)
        self.changed.emit()

    def release(self) -> None:  # noqa: D102
        drawn, self._drawn, self._from = self._drawn, None, None
        if drawn is not None:
            self._boxes.add(drawn)

    def _inside(self, position: Sequence[float]) -> tuple[int, ...]:
        size = self._analysis.reference_size
        return tuple(max(0, min(p, n - 1)) for p, n in zip(pixel_at(position), size, strict=True))

    def _shown(self) -> list[Box]:
        axes = len(self._analysis.reference_size)
        boxes = [*self._boxes.boxes, *([] if self._drawn is None else [self._drawn])]
        return [x for x in boxes if len(x) == axes]

    def scene(self, plain: Scene) -> Scene:  # noqa: D102
        plane = self.layer.plane
        boxes = tuple(plane.rect_of(x) for x in self._shown())
        return replace(plain, lit=None, boxes=boxes)

    def caption(self) -> str:  # noqa: D102
        if self._session.reference != "input":
            return "Objects are in the input: choose View › Fields relative to the input."
        boxes = self._shown()
        if not boxes:
            return "Drag a box around each object; a click on a box removes it."
        sizes = [tuple(b - a + 1 for a, b in x) for x in boxes]
        longest = max(map(max, sizes))
        count = "1 box" if len(boxes) == 1 else f"{len(boxes)} boxes"
        largest = max(boxes, key=lambda box: max(b - a for a, b in box))
        size = sized(largest, self._analysis.axes, self._analysis.units)
        one, two, three = self._covering(longest)
        if one is None:
            seen = "no layer sees it whole"
        else:
            seen = f"seen whole from <b>{escape(short_name(one))}</b> on"
            for times, layer in (("twice", two), ("three times", three)):
                if layer is not None:
                    seen += f", {times} its size from <b>{escape(short_name(layer))}</b>"
        return f"{count}, the longest of {size}: {seen}. Measure › Advise… says more."

    def forget(self) -> None:  # noqa: D102
        self._firsts = None

    def _covering(self, size: int) -> Firsts:
        if self._firsts is None or self._firsts[:2] != (self._analysis, size):
            self._firsts = self._analysis, size, first_covering(self._analysis, size)
        return self._firsts[2]
