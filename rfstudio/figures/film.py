"""Draws the frames of a film: the effective field of one unit at the steps of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from rfstudio.figures.cells import Cell, draw_cells
from rfstudio.figures.page import inner_width
from rfstudio.figures.shades import LOG_DECADES, share_map, shares
from rfstudio.figures.style import TEXT_POINTS, FigureError
from rfstudio.figures.wrapping import text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rfstudio.figures.style import FigureStyle

_NARROWEST, _BESIDE = 0.62, 0.3
"""Inches of a frame at least, and those beside its longest word: a letter and gaps."""


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
    counts = {sum(x.film == y for x in frames) for y in films}
    columns = counts.pop() if len(counts) == 1 else None
    if columns is not None and columns * _narrowest(cells) > inner_width(style):
        columns = None  # the steps of a film are in one line if they can be
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


def _narrowest(cells: Sequence[Cell]) -> float:
    """Return how wide frames are at least, with the gap to the next, so that no text is broken."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure())
    texts = {y for x in cells for y in x.lines}
    longest = max(text_width(canvas, x, points=TEXT_POINTS) for x in texts)
    return max(longest + _BESIDE, _NARROWEST)


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
