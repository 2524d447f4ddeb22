"""Shades of maps: effective fields from the paper to blue, differences from orange to blue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from numpy.typing import NDArray

    from rfstudio.figures.style import FigureStyle

LOG_DECADES = 3.0
"""Decades below the peak that a logarithmic shading shows."""

DENSEST = 0.85
"""How much of a photo the blue covers at the peak of a field."""

LESS = "#c05000"
"""Orange of what is less; blue and orange differ for every kind of colour vision."""


def shares(
    values: NDArray[np.floating[Any]], peak: float | None, scale: str
) -> NDArray[np.float64]:
    """Return how densely each pixel of a field is drawn, from 0 to 1.

    Parameters
    ----------
    values
        The field.
    peak
        The value that is drawn densest; None: the largest.
    scale
        "linear" or "log".
    """
    found = np.nan_to_num(np.abs(np.asarray(values, np.float64)))
    densest = found.max(initial=0.0) if peak is None else peak
    share = np.minimum(found / densest, 1.0) if densest > 0 else found
    if scale == "log":
        with np.errstate(divide="ignore"):
            share = np.clip(1 + np.log10(share) / LOG_DECADES, 0, 1)
    return np.asarray(share, np.float64)


def three_channels(photo: NDArray[np.uint8], *, colour: bool) -> NDArray[np.uint8]:
    """Return a photo (h, w) or (h, w, 3) as (h, w, 3), without its colours if those are to go."""
    if photo.ndim == 3 and not colour:
        # Luma of ITU-R BT.601, as photo programs use it.
        photo = (photo[..., :3] @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
    if photo.ndim == 2:
        photo = np.repeat(photo[..., np.newaxis], 3, axis=2)
    return photo


def in_bytes(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return colours from 0 to 1 as bytes, of which pictures are made several times as fast."""
    return np.asarray((255 * shares).round(), np.uint8)


def shading_map(style: FigureStyle) -> Colormap:
    """Return the colours of the blue that is laid over a photo, as they are on the paper."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    paper, blue = np.array(to_rgb(style.colours.paper)), np.array(to_rgb(style.colours.field))
    densest = (1 - DENSEST) * paper + DENSEST * blue
    return LinearSegmentedColormap.from_list("shading", [tuple(paper), tuple(densest)])


def share_map(style: FigureStyle) -> Colormap:
    """Return the colours of an effective field, from the paper to blue."""
    from matplotlib.colors import LinearSegmentedColormap

    theme = style.colours
    if style.theme == "dark":
        return LinearSegmentedColormap.from_list("field", [theme.paper, "#2f6fe0", "#cfe0ff"])
    return LinearSegmentedColormap.from_list("field", [theme.paper, "#6f97ea", "#0a2f80"])


def difference_map(style: FigureStyle) -> Colormap:
    """Return the colours of a difference: orange less, the paper equal, blue more."""
    from matplotlib.colors import LinearSegmentedColormap

    if style.theme == "dark":
        colours = ["#ffb070", LESS, style.colours.paper, "#2f6fe0", "#a9c8ff"]
    else:
        colours = ["#7a3300", "#e08a3c", style.colours.paper, "#6f97ea", "#0a2f80"]
    return LinearSegmentedColormap.from_list("difference", colours)
