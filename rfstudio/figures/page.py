"""A page: a figure of a given width with a body, and below it the key to the lines and a caption.

The body is given in inches; the height of the page follows from what is in it, so that no letter is
cut off at any width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rfstudio.figures.style import TEXT_POINTS, FigureStyle
from rfstudio.figures.wrapping import text_width, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN = 0.10
"""Inches around everything."""

LINE = 0.145
"""Inches from one line of text to the next."""

_NAME = 0.27
"""Inches for the name of an upright axis, its ticks, and the gaps between these."""

_HANDLE = 2.4 * TEXT_POINTS / 72
_BESIDE_HANDLE = 0.8 * TEXT_POINTS / 72
_BETWEEN = 1.4 * TEXT_POINTS / 72


@dataclass(frozen=True, slots=True)
class Page:
    """A figure with room for its body.

    Attributes
    ----------
    figure
        What is drawn into.
    width, height
        Of the whole figure, in inches.
    top
        Height of the upper border of the body above the lower border of the figure.
    """

    figure: Figure
    width: float
    height: float
    top: float

    def axes(self, left: float, down: float, width: float, height: float, **more: Any) -> Axes:
        """Return new axes whose upper left corner is at a place of the body; all in inches."""
        place = (
            left / self.width,
            (self.top - down - height) / self.height,
            width / self.width,
            height / self.height,
        )
        return self.figure.add_axes(place, **more)

    def write(self, left: float, down: float, text: str, **more: Any) -> None:
        """Write a text whose upper left corner is at a place of the body; in inches."""
        self.figure.text(
            left / self.width,
            (self.top - down) / self.height,
            text,
            **{"va": "top", "parse_math": False, **more},
        )


def inner_width(style: FigureStyle) -> float:
    """Return the room between the margins, in inches."""
    return style.width_mm / 25.4 - 2 * MARGIN


def room_for_numbers(axes: Axes, canvas: Any) -> float:
    """Return how wide the numbers along the upright axis of a chart and its name are, in inches.

    `axes` have the limits and the scale of the chart, and may be of any size; `canvas` is one of
    Agg.
    """
    texts = [x.get_text() for x in axes.yaxis.get_majorticklabels()]
    widest = max((text_width(canvas, x, points=TEXT_POINTS) for x in texts), default=0.0)
    return widest + _NAME


def new_page(
    style: FigureStyle,
    body: float,
    *,
    title: str = "",
    numbers: Sequence[str] = (),
    handles: Sequence[Any] = (),
) -> Page:
    """Return a page.

    Parameters
    ----------
    style
        How wide it is, and whether it has a legend and a caption.
    body
        Height of the body, in inches.
    title, numbers
        Of the caption.
    handles
        Lines and patches with their labels, for the legend.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = style.width_mm / 25.4
    figure = Figure(figsize=(width, 1.0))
    canvas = FigureCanvasAgg(figure)
    room = width - 2 * MARGIN
    bold = wrapped(canvas, (title,), room, points=TEXT_POINTS, bold=True) if style.caption else []
    plain = wrapped(canvas, tuple(numbers), room, points=TEXT_POINTS) if style.caption else []
    shown = list(handles) if style.legend else []
    labels = _labels(canvas, shown, room)
    columns = _columns(canvas, labels, room)
    rows = _rows(labels, columns)
    below = LINE * (rows + len(bold) + len(plain)) + 0.08 * (rows > 0) + MARGIN
    below += 0.06 * bool(bold or plain)
    height = MARGIN + body + below
    figure.set_size_inches(width, height)
    at = below - 0.04
    if shown:
        legend = figure.legend(
            handles=shown,
            labels=labels,
            loc="upper left",
            bbox_to_anchor=(MARGIN / width, at / height),
            ncols=columns,
            frameon=False,
            borderpad=0.0,
            borderaxespad=0.0,
            handlelength=2.4,
            columnspacing=1.4,
            labelspacing=0.45,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
        at -= LINE * rows + 0.08
    for i, line in enumerate((*bold, *plain)):
        figure.text(
            MARGIN / width,
            (at - LINE * i) / height,
            line,
            va="top",
            weight="bold" if i < len(bold) else "normal",
            color=style.colours.ink if i < len(bold) else style.colours.muted,
            parse_math=False,
        )
    return Page(figure, width, height, height - MARGIN)


def _labels(canvas: Any, handles: Sequence[Any], room: float) -> list[str]:
    """Return the labels of a legend, in lines where one is longer than a page is wide."""
    inside = 0.95 * room - _HANDLE - _BESIDE_HANDLE
    texts = [str(x.get_label()) for x in handles]
    return ["\n".join(wrapped(canvas, (x,), inside, points=TEXT_POINTS)) for x in texts]


def _in_columns(labels: Sequence[str], columns: int) -> list[Sequence[str]]:
    """Return labels as matplotlib fills a legend: by columns, the first with one entry more."""
    least, more = divmod(len(labels), columns)
    ends = [i * least + min(i, more) for i in range(columns + 1)]
    return [labels[i:j] for i, j in pairwise(ends)]


def _rows(labels: Sequence[str], columns: int) -> int:
    """Return how many lines of text the highest column of a legend has."""
    return max(sum(x.count("\n") + 1 for x in part) for part in _in_columns(labels, columns))


def _columns(canvas: Any, labels: Sequence[str], room: float) -> int:
    """Return into how many columns a legend fits whose entries have these labels."""
    beside = _HANDLE + _BESIDE_HANDLE
    for columns in range(len(labels), 1, -1):
        widths = [
            max(
                (text_width(canvas, y, points=TEXT_POINTS) for x in part for y in x.split("\n")),
                default=0.0,
            )
            for part in _in_columns(labels, columns)
        ]
        if sum(x + beside for x in widths) + _BETWEEN * (columns - 1) <= 0.95 * room:
            return columns
    return 1
