"""Draws pictures of bytes at any resolution, quickly: a page at 600 dpi has 18 million dots."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import PcolorImage
    from numpy.typing import NDArray

Extent: TypeAlias = tuple[float, float, float, float]
"""What a picture covers: left, right, lower and upper border, in pixels of the input."""

_BAND = 128
"""Rows of dots that are drawn in one go."""

_BLOCKS = 3.0
"""Dots per pixel from which matplotlib, too, draws pixels as blocks."""


def extent_of(size: tuple[int, int]) -> Extent:
    """Return what a map covers; pixels are counted downwards, their centres are whole numbers."""
    height, width = size
    return -0.5, width - 0.5, height - 0.5, -0.5


def largest_of_blocks(values: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Return the largest of each `step` × `step` values of a map; blocks at its end have fewer."""
    for axis, length in enumerate(values.shape):
        if step > 1 and length:
            values = np.maximum.reduceat(values, np.arange(0, length, step), axis=axis)
    return values


def draw_blocks(
    axes: Axes, pixels: NDArray[np.uint8], extent: Extent, order: float, *, step: int | None = None
) -> None:
    """Draw bytes with a block for each pixel; `imshow` would turn each dot of paper into floats.

    Parameters
    ----------
    axes
        Where they are drawn.
    pixels
        (h, w, 3) or (h, w, 4) bytes.
    extent
        What they cover.
    order
        They are over what is below that.
    step
        How many pixels of the input each of them stands for along both axes, the last perhaps for
        fewer; None: all for equally many.
    """
    left, right, bottom, top = extent
    height, width = pixels.shape[:2]
    across, down = np.linspace(left, right, width + 1), np.linspace(top, bottom, height + 1)
    if step is not None:
        across = np.minimum(left + step * np.arange(width + 1), right)
        down = np.minimum(top + step * np.arange(height + 1), bottom)
    draw_rectangles(axes, pixels, (down, across), order)


def draw_rectangles(
    axes: Axes,
    pixels: NDArray[np.uint8],
    borders: tuple[NDArray[np.float64], NDArray[np.float64]],
    order: float,
) -> None:
    """Draw bytes as rectangles.

    Parameters
    ----------
    axes
        Where they are drawn.
    pixels
        (h, w, 3) or (h, w, 4) bytes.
    borders
        The h + 1 borders of rows downwards, and the w + 1 of columns; they grow.
    order
        They are over what is below that.
    """
    down, across = borders
    image = _blocks_class()(axes, across, down, pixels)
    image.set_zorder(order)
    axes.add_image(image)
    image.set_clip_path(axes.patch)
    # With these the axes, too, know what it covers.
    image.set_extent((across[0], across[-1], down[-1], down[0]))


class _InBands:
    """A renderer that draws pictures in bands, between which other threads have their turn."""

    def __init__(self, renderer: Any) -> None:
        self._renderer = renderer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._renderer, name)

    def draw_image(self, gc: Any, x: float, y: float, im: NDArray[np.uint8]) -> None:
        """Draw a picture whose first row is the lowest, as all of matplotlib's."""
        for start in range(0, len(im), _BAND):
            self._renderer.draw_image(gc, x, y + start, im[start : start + _BAND])


@cache
def _blocks_class() -> type[PcolorImage]:
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.image import PcolorImage

    class Blocks(PcolorImage):
        """Pixels as blocks.  Agg keeps Python's lock while it draws a picture."""

        def draw(self, renderer: Any) -> None:
            drawn: Any = _InBands(renderer) if isinstance(renderer, RendererAgg) else renderer
            super().draw(drawn)

    return Blocks


def draw_photo(
    axes: Axes, photo: NDArray[np.uint8], extent: Extent, order: float, *, dots: float
) -> None:
    """Draw a photo: smoothly, unless its pixels are several dots large.

    Parameters
    ----------
    axes
        Where it is drawn.
    photo
        (h, w, 3) bytes.
    extent
        What it covers.
    order
        It is over what is below that.
    dots
        Dots of the paper per pixel of the input.
    """
    left, right, bottom, top = extent
    height, width = photo.shape[:2]
    if dots * min((right - left) / width, (bottom - top) / height) > _BLOCKS:
        draw_blocks(axes, photo, extent, order)
    else:
        axes.imshow(photo, extent=extent, interpolation="antialiased", zorder=order)
