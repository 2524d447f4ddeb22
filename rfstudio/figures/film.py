"""Draws the frames of a film: the effective field of one unit at the steps of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from rfstudio.figures.cells import Cell, draw_cells
from rfstudio.figures.page import inner_width
from rfstudio.figures.shades import LOG_DECADES, share_map, shares
from rfstudio.figures.style import FigureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rfstudio.figures.style import FigureStyle

_NARROWEST = 0.62
"""Inches of a frame, so that a film stays in one line if it can."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One frame.

    Attributes
    ----------
    film
        What the film is called; frames of one film follow each other.
    step
        After how many steps.
    map
        The effective field, (H, W).
    words
        What else is known of it, in short.
    """

    film: str
    step: float
    map: NDArray[np.floating] = field(repr=False)
    words: str = ""


def draw_film(frames: Sequence[Frame], style: FigureStyle) -> Figure:
    """Return the whole figure, to be called within `print_settings`.

    Raises
    ------
    FigureError
        If there are no frames, or one is not a plane.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if not frames:
        raise FigureError("there are no frames: an experiment with 'train' and 'film' makes them")
    if any(x.map.ndim != 2 for x in frames):
        raise FigureError("a film is drawn of fields over images, not over signals or volumes")
    films = list(dict.fromkeys(x.film for x in frames))
    ordered = sorted(frames, key=lambda x: (films.index(x.film), x.step))
    counts = {sum(x.film == y for x in frames) for y in films}
    columns = None
    if len(counts) == 1 and (count := counts.pop()) * _NARROWEST <= inner_width(style):
        columns = count
    cells = []
    for frame in ordered:
        lines = [f"step {frame.step:g}", *([frame.words] if frame.words else [])]
        if len(films) > 1:
            lines.insert(0, frame.film)
        cells.append(
            Cell(
                lines=tuple(lines),
                draw=partial(_draw_frame, frame=frame, style=style),
                form=frame.map.shape[0] / frame.map.shape[1],
                pixels=frame.map.shape[1] if frame is ordered[-1] else None,
            )
        )
    ticks = [(0.0, "0"), (0.5, "½"), (1.0, "1")]
    if style.scale == "log":
        ticks = [(x / LOG_DECADES, f"{10 ** (x - LOG_DECADES):g}") for x in (0, 1, 2, 3)]
    scale = ScalarMappable(Normalize(0, 1), share_map(style))
    return draw_cells(
        cells,
        style,
        title="; ".join(films),
        numbers=("effective field of the centre unit while training", "each up to its own peak"),
        columns=columns,
        bars=[(scale, "share of the peak", ticks)] if style.legend else [],
    )


def _draw_frame(axes: Axes, _width: float, *, frame: Frame, style: FigureStyle) -> None:
    height, width = frame.map.shape
    axes.imshow(
        shares(frame.map, None, style.scale),
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        cmap=share_map(style),
        vmin=0.0,
        vmax=1.0,
        interpolation="nearest",
    )
