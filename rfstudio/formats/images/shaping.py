"""Brings a photo to the proportions of a network's input."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Shape: TypeAlias = Literal["crop", "pad", "stretch"]
"""How a photo of another shape than the input is brought to that shape."""

MOST_PIXELS = 1 << 26
"""Largest photo with its border, in pixels."""

_GRAY = np.array([124, 116, 104], np.uint8)
"""The mean colour of photos, beside a padded one."""

_SILENCE = 128


def shaped(pixels: NDArray[np.uint8], size: tuple[int, ...], shape: Shape) -> NDArray[np.uint8]:
    """Return a photo with the proportions of an input, not scaled.

    Parameters
    ----------
    pixels
        (H, W, 3) bytes.
    size
        Size of the input; the last two axes count.  Along one axis a photo is taken as it is, and
        a signal, of one row, is cut or has silence added at both ends.
    shape
        Cut off what is too much, add a border, or leave it to be stretched.
    """
    if len(size) == 1 and len(pixels) == 1 and shape != "stretch":
        return _as_long(pixels, size[0])
    if shape == "stretch" or len(size) < 2 or not has_other_shape(pixels, size):
        return pixels
    (height, width), (down, across) = pixels.shape[:2], size[-2:]
    is_wide = width * down > height * across
    if shape == "crop":
        rows = height if is_wide else max(round(width * down / across), 1)
        columns = max(round(height * across / down), 1) if is_wide else width
        top, left = (height - rows) // 2, (width - columns) // 2
        return np.ascontiguousarray(pixels[top : top + rows, left : left + columns])
    rows = round(width * down / across) if is_wide else height
    columns = width if is_wide else round(height * across / down)
    if rows * columns > MOST_PIXELS:
        return pixels  # an input of a million to one
    padded = np.empty((rows, columns, 3), np.uint8)
    padded[:] = _GRAY
    top, left = (rows - height) // 2, (columns - width) // 2
    padded[top : top + height, left : left + width] = pixels
    return padded


def _as_long(line: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    """Return the middle of a signal, or the signal in the middle of silence."""
    taken = line.shape[1]
    if taken >= length or length > MOST_PIXELS:
        start = max(taken - length, 0) // 2
        return np.ascontiguousarray(line[:, start : start + length])
    padded = np.full((1, length, 3), _SILENCE, np.uint8)
    start = (length - taken) // 2
    padded[:, start : start + taken] = line
    return padded


def has_other_shape(pixels: NDArray[np.uint8], size: tuple[int, ...]) -> bool:
    """Whether a photo has other proportions than an input, or a signal another length."""
    if len(size) == 1 and len(pixels) == 1:
        return bool(pixels.shape[1] != size[0])
    if len(size) < 2 or 0 in size or 0 in pixels.shape:
        return False
    ratio = pixels.shape[1] * size[-2] / (pixels.shape[0] * size[-1])
    return not 0.99 < ratio < 1.01
