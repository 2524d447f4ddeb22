"""A grid of small pictures of one size, each with a letter, a few words and a scale bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from rfstudio.figures.page import LINE, MARGIN, Page, inner_width, new_page
from rfstudio.figures.style import TEXT_POINTS, FigureError
from rfstudio.figures.wrapping import shortened, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rfstudio.figures.style import FigureStyle

_LEAST = 1.0
"""Inches that a picture is wide at least."""

_GAP = 0.12
_UNDER = 0.05
_SHORT = 3
"""Letters of the value at an end of a colour bar that may stand in the middle below it."""

_BAR = 0.40
MOST = 100
"""Pictures of one figure."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One picture.

    Attributes
    ----------
    lines
        Words above it, one short line each.
    draw
        Draws into axes of a given width in inches.
    form
        Height per width.
    pixels
        How many pixels it shows across; None: it has no scale bar.
    samples
        What they are called.
    """

    lines: tuple[str, ...]
    draw: Callable[[Axes, float], object]
    form: float = 1.0
    pixels: float | None = None
    samples: str = "px"


@dataclass(frozen=True, kw_only=True, eq=False)
class Chart:
    """A chart above the pictures.

    Attributes
    ----------
    height
        Of all that it draws, in inches.
    draw
        Draws it at the top of the body of a page.
    """

    height: float
    draw: Callable[[Page], object]


def columns_of(count: int, style: FigureStyle) -> int:
    """Return how many pictures are in a row, so that the rows are about equally long."""
    most = max(int((inner_width(style) + _GAP) / (_LEAST + _GAP)), 1)
    return ceil(count / ceil(count / most))


def draw_cells(
    cells: Sequence[Cell],
    style: FigureStyle,
    *,
    title: str,
    numbers: Sequence[str] = (),
    handles: Sequence[Any] = (),
    columns: int | None = None,
    bars: Sequence[tuple[Any, str, Sequence[tuple[float, str]]]] = (),
    chart: Chart | None = None,
) -> Figure:
    """Return the figure of a grid, to be called within `print_settings`.

    Parameters
    ----------
    cells
        The pictures, row by row.
    style
        Its width, and whether it has a legend and a caption.
    title, numbers, handles
        As in `new_page`.
    columns
        Pictures in a row; None: as many as fit.
    bars
        Colour bars below all: what gives the colours, their label, and values with texts.
    chart
        Is drawn above the pictures.

    Raises
    ------
    FigureError
        If there is nothing to draw, or too much.
    """
    if not 0 < len(cells) <= MOST:
        raise FigureError(f"a grid has from 1 to {MOST} pictures, not {len(cells)}")
    columns = columns or columns_of(len(cells), style)
    rows = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    width = (inner_width(style) - _GAP * (columns - 1)) / columns
    heads = [LINE * max(len(x.lines) for x in row) + _UNDER for row in rows]
    tall = [width * max(min(x.form, 2.0) for x in row) for row in rows]
    body = sum(heads) + sum(tall) + _GAP * (len(rows) - 1) + (_GAP + _BAR) * bool(bars)
    down = 0.0 if chart is None else chart.height + _GAP
    page = new_page(style, body + down, title=title, numbers=numbers, handles=handles)
    if chart is not None:
        chart.draw(page)
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            left = MARGIN + j * (width + _GAP)
            letter = ascii_lowercase[i * columns + j] if len(cells) <= 26 else ""
            _draw_cell(page, cell, style, (left, down, width, heads[i]), letter)
        down += heads[i] + tall[i] + _GAP
    share = (inner_width(style) + _GAP) / max(len(bars), 1) - _GAP
    for i, (colours, label, ticks) in enumerate(bars):
        bar = page.axes(MARGIN + 0.1 + i * (share + _GAP), down, share - 0.2, 0.06)
        page.figure.colorbar(colours, cax=bar, orientation="horizontal")
        bar.set_xticks([x for x, _ in ticks], [x for _, x in ticks])
        first, *_, last = bar.get_xticklabels()
        if max(len(x.get_text()) for x in (first, last)) > _SHORT:
            first.set_horizontalalignment("left")  # else they would leave the page, or meet others
            last.set_horizontalalignment("right")
        bar.tick_params(length=2.0, width=0.5)
        bar.set_xlabel(label, labelpad=1.0, parse_math=False)
    return page.figure


def _draw_cell(
    page: Page,
    cell: Cell,
    style: FigureStyle,
    place: tuple[float, float, float, float],
    letter: str,
) -> None:
    left, down, width, head = place
    indent = 0.13 if letter else 0.0
    if letter:
        page.write(left, down, letter, weight="bold")
    canvas: Any = page.figure.canvas
    for k, line in enumerate(cell.lines):
        text = shortened(canvas, line, width - indent, points=TEXT_POINTS)
        colour = style.colours.ink if k == 0 else style.colours.muted
        page.write(left + indent, down + k * LINE, text, color=colour)
    form = min(cell.form, 2.0)
    axes = page.axes(left, down + head, width, width * form)
    cell.draw(axes, width)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.5, color=style.colours.rule)
    if cell.pixels is not None and style.axes:
        _draw_scale_bar(axes, cell.pixels, cell.samples, width)


def _draw_scale_bar(axes: Axes, pixels: float, samples: str, width: float) -> None:
    """Draw a bar of a round number of pixels, about a third of a picture of `width` inches long."""
    from matplotlib.patheffects import Normal, Stroke

    length = round_length(pixels / 3)
    casing = [Stroke(linewidth=2.0, foreground="white"), Normal()]
    start = 0.95 - length / pixels
    axes.plot(
        (start, 0.95),
        (0.06, 0.06),
        color="black",
        linewidth=1.6,
        solid_capstyle="butt",
        transform=axes.transAxes,
        path_effects=[Stroke(linewidth=3.0, foreground="white"), Normal()],
        zorder=9,
    )
    words = f"{length:g} {samples}"
    canvas: Any = axes.figure.canvas
    half = text_width(canvas, words, points=TEXT_POINTS) / width / 2
    axes.text(
        min(0.95 - length / pixels / 2, 0.97 - half),
        0.085,
        words,
        ha="center",
        va="bottom",
        color="black",
        transform=axes.transAxes,
        path_effects=casing,
        zorder=9,
    )


def round_length(about: float) -> float:
    """Return 1, 2 or 5 times a power of ten, not more than a length.

    Examples
    --------
    >>> round_length(74.7), round_length(3.9)
    (50.0, 2.0)
    """
    if about < 1:
        return 1.0
    step = int(10 ** floor(log10(about)))
    return max(float(x * step) for x in (1, 2, 5) if x * step <= about)
