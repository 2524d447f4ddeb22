"""Draws the signal of an input of one axis, as a line along a strip."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from rfstudio.figures.style import FigureStyle

_COLUMNS = 1200
"""Places along a strip; between two of them a long signal is drawn as its range."""

_REACH = 0.46
"""How far the largest value is from the middle of a strip, whose height is 1."""


def draw_signal(axes: Axes, image: NDArray[np.uint8], samples: int, style: FigureStyle) -> None:
    """Draw a photo of one line, or the mean line of one, over the samples of the input."""
    middle = _REACH * (1 - line_of(image) / 127.5)  # downwards, as pixels are counted
    starts = np.arange(0, middle.size, ceil(middle.size / _COLUMNS))
    low, high = np.minimum.reduceat(middle, starts), np.maximum.reduceat(middle, starts)
    # Each range touches the one before it, so that the line has no gaps.
    low[1:], high[1:] = np.minimum(low[1:], high[:-1]), np.maximum(high[1:], low[:-1])
    at = (starts + 0.5) * samples / middle.size - 0.5
    colour = style.colours.muted
    axes.fill_between(at, low, high, color=colour, linewidth=0.5, zorder=1.1)


def line_of(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the values of a signal, from 0 to 255, with zero at 127.5."""
    values = image.astype(np.float64)
    return np.asarray(values.mean(axis=tuple(x for x in range(values.ndim) if x != 1)))
