"""Composes the scene of the canvas from what a unit sees, the photo and the switches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from math import sqrt

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainterPath

from rfstudio.app.effective.pins import Pin
from rfstudio.app.effective.shown_fields import EffectiveField
from rfstudio.app.state.image_source import ImageSource
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.comparable import are_over_same_map
from rfstudio.core.metrics.difference import FieldDifference
from rfstudio.widgets.canvas.outline import outline_of
from rfstudio.widgets.canvas.plane import Plane
from rfstudio.widgets.canvas.scene import Layered, Pinned, Scene
from rfstudio.widgets.canvas.shading import (
    dimmed,
    outline,
    photo,
    shaded,
    shaded_difference,
    waveform,
)
from rfstudio.widgets.canvas.sight import Sight
from rfstudio.widgets.canvas.switches import SwitchBar

_MOST = 1 << 24
"""Most pixels of a picture that is made of the photo: 64 MiB."""

_LONGEST = 1 << 15
"""Pixels along a side from which on Qt draws no picture."""


class SceneComposer:
    """Composes scenes, and caches the photo at the size of the input.

    Parameters
    ----------
    pictures
        The image.
    switches
        What is shown, and how.
    """

    def __init__(self, pictures: ImageSource, switches: SwitchBar) -> None:
        self._pictures = pictures
        self._switches = switches
        self.pins: Callable[[], Iterable[Pin]] = tuple
        self.is_gray = False  # whether the photo has no colours, whatever its switch says
        self._source: object = None
        self._key: object = None
        self._signal: tuple[QImage, QImage] | None = None
        self._photo: tuple[QImage | None, QImage | None] = (None, None)

    def colour_at(self, plane: Plane, y: float, x: float) -> tuple[int, int, int] | None:
        """Return red, green and blue of the photo at a point; None where there is none."""
        image, _ = self._current_photo(plane)
        if image is None:
            return None
        height, width = plane.shape
        row = int(np.floor((y + 0.5) * image.height() / height))
        column = int(np.floor((x + 0.5) * image.width() / width))
        if not image.valid(column, row):
            return None
        colour = image.pixelColor(column, row)
        return colour.red(), colour.green(), colour.blue()

    def plain(self, plane: Plane) -> Scene:
        """Return the photo alone, on which modes draw; `lit` is None if nothing is dimmed."""
        image, veiled = self._current_photo(plane)
        lit = plane.rect if self._switches.is_on("dim") else None
        return Scene(plane.rect, image, veiled, self._signal, lit=lit)

    def scene(
        self, sight: Sight, index: int, erf: EffectiveField | None, *, has_room: bool
    ) -> Scene:
        """Return what is drawn.

        Parameters
        ----------
        sight
            What the unit sees.
        index
            The slice shown of an input with three axes.
        erf
            The effective field to shade.
        has_room
            Whether the centres of units are far enough apart to be drawn.
        """
        plane, on = sight.layer.plane, self._switches.is_on
        view = sight.view
        image, veiled = self._current_photo(plane)
        if view is None:
            return Scene(
                plane.rect, image, veiled, self._signal, lit=QRectF() if on("dim") else None
            )
        region, visible = view.theoretical_region, view.visible_region
        near = None if view.local_region == region else view.local_region
        is_faint = region is not None and not plane.is_in_slice(region, index)
        lit = QRectF() if visible is None or is_faint else plane.rect_of(visible)
        has_support = on("support") and sight.has_holes
        nested = on("nested") and sight.point is not None
        # A message about what is wrong is not to be covered.
        is_magnified = not plane.is_strip and not sight.trouble
        return Scene(
            area=plane.rect,
            photo=image,
            dimmed=veiled,
            signal=self._signal,
            erf=self.shade(sight, index, erf),
            contour=self.contour(sight, index, erf),
            theoretical=plane.rect_of(region) if region and on("theoretical") else None,
            local=plane.rect_of(near) if near and on("local") else None,
            visible=plane.rect_of(visible) if visible and on("visible") else None,
            faint=is_faint,
            lit=lit if on("dim") else None,
            support=sight.support(index) if has_support else None,
            nested=tuple(
                plane.rect_of(x)
                for x in (sight.layer.way.regions(sight.point or ()) if nested else ())
                if plane.is_in_slice(x, index)
            ),
            centres=sight.layer.centres if on("centres") and has_room else None,
            marker=sight.marker,
            pins=self._pinned(sight.layer.analysis, plane, index),
            field=plane.rect_of(near or region) if region and is_magnified else None,
        )

    def _pinned(self, analysis: Analysis, plane: Plane, index: int) -> tuple[Pinned, ...]:
        """Return the frames of the pins that see the same plane."""
        found = []
        for place, pin in enumerate(self.pins()):
            region = None if pin.view is None else pin.view.local_region
            region = region or (None if pin.view is None else pin.view.theoretical_region)
            is_same = are_over_same_map(pin.analysis, analysis)
            if region is not None and is_same and plane.is_in_slice(region, index):
                has_map = pin.field is not None and pin.field.map.shape == plane.size
                line = outline_of(pin.field) if has_map and pin.field is not None else None
                found.append(Pinned(pin.letter, plane.rect_of(region), place, line))
        return tuple(found)

    def _current_photo(self, plane: Plane) -> tuple[QImage | None, QImage | None]:
        """Return the photo at the size of the input, plain and dimmed."""
        pixels = self._pictures.pixels
        key = (plane.shape, self.is_gray or self._switches.is_on("gray"))
        if pixels is None or 0 in plane.shape:
            self._source = self._signal = None
            return None, None
        if self._source is not pixels or self._key != key:
            self._source, self._key = pixels, key
            image = photo(pixels, affordable(plane.shape), gray=key[1])
            self._photo = (image, dimmed(image))
            wave = waveform(image) if plane.is_strip else None
            self._signal = None if wave is None else (wave, dimmed(wave))
        return self._photo

    def shade_difference(self, sight: Sight, index: int, found: FieldDifference) -> Layered:
        """Return the shading of a difference, which may be anywhere on the plane."""
        values = found.map[index] if found.map.ndim == 3 else np.atleast_2d(found.map)
        opacity = self._switches.shading.opacity
        draw = partial(shaded_difference, opacity=opacity, largest=found.largest)
        return Layered(values, draw, sight.layer.plane.rect, is_signed=True)

    def shade(self, sight: Sight, index: int, erf: EffectiveField | None) -> Layered | None:
        """Return the shading of an effective field."""
        visible = None if sight.view is None else sight.view.visible_region
        plane = sight.layer.plane
        if erf is None or visible is None or not plane.is_in_slice(visible, index):
            return None
        values = erf.map
        if values.ndim == 1:
            part = values[np.newaxis, visible[0][0] : visible[0][1] + 1]
        else:
            if values.ndim == 3:
                values = values[index]
            (top, bottom), (left, right) = visible[-2:]
            part = values[top : bottom + 1, left : right + 1]
        draw = partial(shaded, shading=self._switches.shading, peak=erf.densest)
        return Layered(part, draw, plane.rect_of(visible))

    def contour(self, sight: Sight, index: int, erf: EffectiveField | None) -> QPainterPath | None:
        """Return the line around the pixels above the chosen share of the peak."""
        share = self._switches.shading.contour
        if erf is None or not share or sight.view is None:
            return None
        values = erf.map
        peak = float(values.max())
        if values.ndim == 3:
            values = values[index]
        return outline(np.atleast_2d(values) > share * peak) if peak > 0 else None


def affordable(shape: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a picture of a map: that of the map, or smaller in proportion."""
    share = min(1.0, sqrt(_MOST / (shape[0] * shape[1])), _LONGEST / max(shape))
    height, width = (max(round(n * share), 1) for n in shape)
    return height, width


def surroundings(sight: Sight) -> QRectF:
    """Return the image and the whole region around it, which may make the image a stamp."""
    area = sight.layer.plane.rect
    field = field_of(sight)
    return area if field is None else area | field


def field_of(sight: Sight) -> QRectF | None:
    """Return what the unit sees, the local field where it is another; None: nothing."""
    view = sight.view
    region = None if view is None else view.local_region or view.theoretical_region
    return None if region is None else sight.layer.plane.rect_of(region)
