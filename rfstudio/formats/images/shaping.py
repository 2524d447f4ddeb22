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


def shaped(pixels: NDArray[np.uint8], size: tuple[int, ...], shape: Shape) -> NDArray[np.uint8]:
    """Return a photo with the proportions of an input, not scaled.

    Parameters
    ----------
    pixels
        (H, W, 3) bytes.
    size
        Size of the input; the last two axes count.  A signal takes a photo as it is.
    shape
        Cut off what is too much, add a border, or leave it to be stretched.
    """
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


def has_other_shape(pixels: NDArray[np.uint8], size: tuple[int, ...]) -> bool:
    """Whether a photo has other proportions than an input, by more than rounding."""
    if len(size) < 2 or 0 in size or 0 in pixels.shape:
        return False
    ratio = pixels.shape[1] * size[-2] / (pixels.shape[0] * size[-1])
    return not 0.99 < ratio < 1.01
