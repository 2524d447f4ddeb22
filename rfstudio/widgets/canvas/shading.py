"""Pictures made of arrays: the photo, and the shading of an ERF to lay over it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any, Literal

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath

from rfstudio.widgets.canvas.colours import DIM, ERF, LESS

Scale = Literal["linear", "log"]

DECADES = 3.0
"""Range of the logarithmic display: what is below a thousandth of the peak is not shaded."""

BLUE = "blue"
COLOUR_MAPS = (BLUE, "viridis", "cividis", "inferno")
"""Colour maps: blue of increasing opacity, or maps whose lightness increases steadily."""

CONTOURS = (0.0, 0.5, 1 - 0.9545, 0.001)
"""Shares of the peak at which a line can be drawn: none, half, two sigmas (Luo et al.), 0.1 %."""

_RAMP = 0.15
"""Share of the peak above which the maps of many colours have their full density."""


@dataclass(frozen=True, slots=True)
class Shading:
    """How an effective field is shown.

    Attributes
    ----------
    colours
        One of `COLOUR_MAPS`.
    scale
        Linear, or logarithmic over three decades.
    opacity
        Density at the peak, from 0 to 1.
    contour
        Share of the peak at which a line is drawn; 0 for none.
    """

    colours: str = BLUE
    scale: Scale = "linear"
    opacity: float = 0.75
    contour: float = 0.0


def levels(values: NDArray[np.floating[Any]], scale: Scale, peak: float) -> NDArray[np.uint8]:
    """Return how dense each pixel is drawn, 0 to 255.

    Parameters
    ----------
    values
        A map that is nowhere negative.
    scale
        Linear, or logarithmic over `DECADES`.
    peak
        The value that is drawn densest.
    """
    if not np.isfinite(peak) or peak <= 0:
        return np.zeros(values.shape, np.uint8)
    share = values / peak
    if scale == "log":
        with np.errstate(divide="ignore"):
            share = 1 + np.log10(share) / DECADES
    result: NDArray[np.uint8] = (np.nan_to_num(np.clip(share, 0, 1)) * 255 + 0.5).astype(np.uint8)
    return result


def shaded(
    values: NDArray[np.floating[Any]], shading: Shading, peak: float | None = None
) -> QImage:
    """Return a map as a picture to lay over the photo; clear where the map is zero.

    Parameters
    ----------
    values
        (H, W) map that is nowhere negative.
    shading
        How it is shown.
    peak
        The value that is drawn densest; the largest of the map if None.
    """
    top = float(values.max()) if peak is None and values.size else peak or 0.0
    table = _table(shading.colours, round(shading.opacity * 100))
    return _picture(table[levels(values, shading.scale, top)])


def shaded_difference(values: NDArray[np.floating[Any]], opacity: float, largest: float) -> QImage:
    """Return a difference as a picture to lay over the photo; clear where both are the same.

    Parameters
    ----------
    values
        (H, W) map of both signs.
    opacity
        Density at both ends of the scale, from 0 to 1.
    largest
        The absolute value at the ends: orange below zero, blue above.
    """
    if not largest > 0:
        return _picture(np.zeros(values.shape, np.uint32))
    steps = np.rint(np.clip(values / largest, -1, 1) * 127).astype(int) + 127
    return _picture(_difference_table(round(opacity * 100))[steps])


def difference_steps(steps: int) -> list[str]:
    """Return colours from the lower end of a difference to the upper one, on white, as names."""
    found = []
    for share in np.linspace(-1, 1, steps):
        end = np.array([LESS.red(), LESS.green(), LESS.blue()])
        if share > 0:
            end = np.array([ERF.red(), ERF.green(), ERF.blue()])
        red, green, blue = np.rint(255 + abs(share) * (end - 255)).astype(int)
        found.append(f"#{red:02x}{green:02x}{blue:02x}")
    return found


def marked(mask: NDArray[np.bool_], colour: int) -> QImage:
    """Return a picture with one colour, 0xAARRGGBB premultiplied, where a mask is set."""
    return _picture(np.where(mask, np.uint32(colour), np.uint32(0)))


def photo(pixels: NDArray[np.uint8], shape: tuple[int, int], *, gray: bool) -> QImage:
    """Return an image at the size of the network's input.

    Smaller by the mean of the covered area, larger by interpolation.  A strip shows the middle
    rows of the image.

    Parameters
    ----------
    pixels
        (h, w, 3) bytes.
    shape
        (height, width) of the input, in pixels.
    gray
        Whether colours are removed, so that the blue of an effective field is easy to see.
    """
    height, width = shape
    if height == 1 and pixels.shape[0] > 8:
        middle, half = pixels.shape[0] // 2, max(1, pixels.shape[0] // 32)
        pixels = pixels[middle - half : middle + half]
    pixels = np.ascontiguousarray(pixels)
    rows, columns = pixels.shape[:2]
    source = QImage(pixels.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
    if gray:
        source = source.convertToFormat(QImage.Format.Format_Grayscale8)
    scaled = source.convertToFormat(QImage.Format.Format_RGB32).scaled(
        width,
        height,
        Qt.AspectRatioMode.IgnoreAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    # numpy owns the pixels, so a picture that outlives this call must be a copy.
    return scaled.copy()


def signal_value(colour: tuple[int, int, int]) -> float:
    """Return the value of a signal, -1 to 1, at a place where a photo has this colour."""
    return 2 * sum(colour) / (3 * 255) - 1


def waveform(strip: QImage) -> QImage:
    """Return a row of a photo drawn as a signal: the range of its values in every column."""
    image = strip.convertToFormat(QImage.Format.Format_RGB888)
    row = np.frombuffer(image.constBits(), np.uint8)[: 3 * image.width()].reshape(-1, 3)
    values = row.mean(axis=1) / 255
    starts = np.arange(0, values.size, max(ceil(values.size / _COLUMNS), 1))
    top, bottom = np.maximum.reduceat(values, starts), np.minimum.reduceat(values, starts)
    # Neighbouring columns join, and a line is never thinner than it can be seen.
    top[1:] = np.maximum(top[1:], bottom[:-1])
    bottom[1:] = np.minimum(bottom[1:], top[:-1])
    rows = np.linspace(1.06, -0.06, _ROWS)[:, np.newaxis]
    is_line = (rows <= top + _LINE) & (rows >= bottom - _LINE)
    pixels = np.where(is_line[..., np.newaxis], _SIGNAL, _PAPER).astype(np.uint8)
    picture = QImage(
        pixels.data, pixels.shape[1], _ROWS, 3 * pixels.shape[1], QImage.Format.Format_RGB888
    )
    return picture.convertToFormat(QImage.Format.Format_RGB32)


_COLUMNS, _ROWS, _LINE = 4096, 128, 0.012
"""Size of the picture of a signal, and half the thickness of its line as a share of the range."""

_SIGNAL, _PAPER = (70, 70, 70), (238, 238, 238)


def outline(mask: NDArray[np.bool_]) -> QPainterPath:
    """Return the borders between pixels that are set and those that are not.

    The line follows the edges of pixels, so that it claims no more precision than the map has.
    """
    padded = np.pad(mask, 1)
    y, x = np.nonzero(padded[1:, :] != padded[:-1, :])
    flat = np.stack([x - 1.5, y - 0.5, x - 0.5, y - 0.5], axis=1)
    y, x = np.nonzero(padded[:, 1:] != padded[:, :-1])
    steep = np.stack([x - 0.5, y - 1.5, x - 0.5, y - 0.5], axis=1)
    ends = np.concatenate([flat, steep]).reshape(-1, 2)
    path: QPainterPath = pg.functions.arrayToQPath(
        np.ascontiguousarray(ends[:, 0]), np.ascontiguousarray(ends[:, 1]), connect="pairs"
    )
    return path


def dimmed(image: QImage) -> QImage:
    """Return an image under the veil that covers what a unit does not see."""
    result = QImage(image)
    painter = QPainter(result)
    painter.fillRect(result.rect(), DIM)
    painter.end()
    return result


def colour_steps(colours: str, steps: int) -> list[tuple[int, int, int, int]]:
    """Return (red, green, blue, alpha) samples of a colour map, for a legend."""
    table = _table(colours, 100)[np.linspace(0, 255, steps).astype(int)]
    return [(int(v >> 16 & 255), int(v >> 8 & 255), int(v & 255), int(v >> 24)) for v in table]


def _picture(argb: NDArray[np.uint32]) -> QImage:
    argb = np.ascontiguousarray(argb)
    height, width = argb.shape
    image = QImage(argb.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
    return image.copy()


@lru_cache(maxsize=32)
def _table(colours: str, percent: int) -> NDArray[np.uint32]:
    """Return 256 premultiplied colours, 0xAARRGGBB."""
    share = np.arange(256) / 255
    if colours == BLUE:
        rgb = np.tile([ERF.red(), ERF.green(), ERF.blue()], (256, 1)).astype(float)
        alpha = share
    else:
        rgb = pg.colormap.get(colours).getLookupTable(nPts=256, alpha=False).astype(float)
        alpha = np.clip(share / _RAMP, 0, 1)
    alpha = alpha * percent / 100
    red, green, blue = (np.rint(rgb * alpha[:, None])).astype(np.uint32).T
    opaque = np.rint(alpha * 255).astype(np.uint32)
    table: NDArray[np.uint32] = (opaque << 24) | (red << 16) | (green << 8) | blue
    return table


@lru_cache(maxsize=8)
def _difference_table(percent: int) -> NDArray[np.uint32]:
    """Return 255 premultiplied colours, 0xAARRGGBB: orange, clear in the middle, blue."""
    share = np.linspace(-1, 1, 255)[:, np.newaxis]
    ends = [[x.red(), x.green(), x.blue()] for x in (LESS, ERF)]
    alpha = np.abs(share) * percent / 100
    premultiplied = np.where(share < 0, ends[0], ends[1]) * alpha
    red, green, blue = np.rint(premultiplied).astype(np.uint32).T
    opaque = np.rint(alpha[:, 0] * 255).astype(np.uint32)
    table: NDArray[np.uint32] = (opaque << 24) | (red << 16) | (green << 8) | blue
    return table
