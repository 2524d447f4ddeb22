"""A grid of small pictures of one size, each with a letter, a few words and a scale bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from rfstudio.figures.page import LINE, MARGIN, Page, inner_width, new_page
from rfstudio.figures.style import TEXT_POINTS, FigureError
from rfstudio.figures.wrapping import in_lines, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rfstudio.figures.style import FigureStyle

_LEAST = (1.0, 0.72, 0.5)
"""Inches that a picture is wide at least; where a grid would be higher than a page, less."""

_HIGHEST = 7.5
"""Inches of a grid that leave room for a caption on a page."""

_GAP = 0.12
_UNDER = 0.05
_SHORT = 3
"""Letters of the value at an end of a colour bar that may stand in the middle below it."""

_BAR = 0.40
_TALLEST = 2.0
"""Height of a picture per width, at most."""

_LETTER, _LETTERED = 0.16, 26
"""Inches for the letter of a picture, and how many pictures have one."""

_LOW, _BELOW = 0.45, 0.2
"""Height of a picture, in inches, up to which its scale bar is below it; and room for the bar."""

MOST = 100
"""Pictures of one figure."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One picture.

    Attributes
    ----------
    lines
        Words above it, each on lines of its own.
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


@dataclass(frozen=True)
class _Grid:
    """Places of pictures, in inches.

    Attributes
    ----------
    columns
        Pictures in a row.
    width
        Of each.
    words
        For each picture the lines above it, and whether each belongs to its first text.
    rows
        The numbers of the pictures of each row.
    heads, tall
        For each row the heights of the words, and of the pictures.
    """

    columns: int
    width: float
    words: list[list[tuple[str, bool]]]
    rows: list[range]
    heads: list[float]
    tall: list[float]

    @property
    def height(self) -> float:
        """Height of all rows."""
        return sum(self.heads) + sum(self.tall) + _GAP * (len(self.rows) - 1)


def _grid(canvas: Any, cells: Sequence[Cell], columns: int, style: FigureStyle) -> _Grid:
    width = (inner_width(style) - _GAP * (columns - 1)) / columns
    words = _words(canvas, cells, width - (_LETTER if len(cells) <= _LETTERED else 0.0))
    rows = [range(i, min(i + columns, len(cells))) for i in range(0, len(cells), columns)]
    heads = [LINE * max(len(words[i]) for i in row) + _UNDER for row in rows]
    tall = [max(_height(cells[i], width, style) for i in row) for row in rows]
    return _Grid(columns, width, words, rows, heads, tall)


def _fitting_grid(canvas: Any, cells: Sequence[Cell], style: FigureStyle) -> _Grid:
    """Return a grid of rows that are about equally long, and no higher than a page if it can be."""
    words = {x for cell in cells for text in cell.lines for x in text.split()}
    plain = [x for x in words if "." not in x and "_" not in x]
    longest = max((text_width(canvas, x, points=TEXT_POINTS) for x in plain), default=0.0)
    found: _Grid | None = None
    for least in _LEAST:
        most = max(int((inner_width(style) + _GAP) / (least + _GAP)), 1)
        grid = _grid(canvas, cells, ceil(len(cells) / ceil(len(cells) / most)), style)
        if found is None or longest <= grid.width - _LETTER:
            found = grid
        if found.height <= _HIGHEST:
            break
    assert found is not None
    return found


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not 0 < len(cells) <= MOST:
        raise FigureError(f"a grid has from 1 to {MOST} pictures, not {len(cells)}")
    canvas = FigureCanvasAgg(Figure())
    grid = _grid(canvas, cells, columns, style) if columns else _fitting_grid(canvas, cells, style)
    abreast = _abreast(canvas, [x for _, x, _ in bars], style)
    share = (inner_width(style) + _GAP) / abreast - _GAP
    labels = [in_lines(canvas, x, share, points=TEXT_POINTS) for _, x, _ in bars]
    each = _GAP + _BAR + LINE * (max(map(len, labels), default=1) - 1)
    body = grid.height + each * -(-len(bars) // abreast)
    down = 0.0 if chart is None else chart.height + _GAP
    page = new_page(style, body + down, title=title, numbers=numbers, handles=handles)
    if chart is not None:
        chart.draw(page)
    for row, head, high in zip(grid.rows, grid.heads, grid.tall, strict=True):
        for i in row:
            place = (MARGIN + (i - row[0]) * (grid.width + _GAP), down, grid.width, head)
            letter = ascii_lowercase[i] if len(cells) <= _LETTERED else ""
            _draw_cell(page, cells[i], grid.words[i], style, place, letter)
        down += head + high + _GAP
    for i, ((colours, _, ticks), label) in enumerate(zip(bars, labels, strict=True)):
        at = MARGIN + 0.1 + i % abreast * (share + _GAP)
        bar = page.axes(at, down + i // abreast * each, share - 0.2, 0.06)
        page.figure.colorbar(colours, cax=bar, orientation="horizontal")
        bar.set_xticks([x for x, _ in ticks], [x for _, x in ticks])
        first, *_, last = bar.get_xticklabels()
        if max(len(x.get_text()) for x in (first, last)) > _SHORT:
            first.set_horizontalalignment("left")  # else they would leave the page, or meet others
            last.set_horizontalalignment("right")
        bar.tick_params(length=2.0, width=0.5)
        bar.set_xlabel("\n".join(label), labelpad=1.0, parse_math=False)
    return page.figure


def _abreast(canvas: Any, labels: Sequence[str], style: FigureStyle) -> int:
    """Return how many colour bars are beside each other: all, if their labels have room."""
    share = (inner_width(style) + _GAP) / max(len(labels), 1) - _GAP
    widest = max((text_width(canvas, x, points=TEXT_POINTS) for x in labels), default=0.0)
    return max(len(labels), 1) if widest <= share else 1


def _words(canvas: Any, cells: Sequence[Cell], room: float) -> list[list[tuple[str, bool]]]:
    """Return for each picture the lines above it, and whether each belongs to the first text."""
    return [
        [
            (line, i == 0)
            for i, text in enumerate(cell.lines)
            for line in in_lines(canvas, text, room, points=TEXT_POINTS)
        ]
        for cell in cells
    ]


def _is_low(cell: Cell, width: float) -> bool:
    """Whether a scale bar would cover a picture that is `width` inches wide."""
    return min(cell.form, _TALLEST) * width < _LOW


def _height(cell: Cell, width: float, style: FigureStyle) -> float:
    """Return the height of a picture and of a scale bar below it, in inches."""
    has_bar = cell.pixels is not None and style.axes and _is_low(cell, width)
    return min(cell.form, _TALLEST) * width + _BELOW * has_bar


def _draw_cell(
    page: Page,
    cell: Cell,
    words: Sequence[tuple[str, bool]],
    style: FigureStyle,
    place: tuple[float, float, float, float],
    letter: str,
) -> None:
    left, down, width, head = place
    indent = _LETTER if letter else 0.0
    if letter:
        page.write(left, down, letter, weight="bold")
    for k, (line, is_first) in enumerate(words):
        colour = style.colours.ink if is_first else style.colours.muted
        page.write(left + indent, down + k * LINE, line, color=colour)
    form = min(cell.form, _TALLEST)
    axes = page.axes(left, down + head, width, width * form)
    cell.draw(axes, width)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.5, color=style.colours.rule)
    if cell.pixels is not None and style.axes:
        _draw_scale_bar(axes, cell, width, style)


def _draw_scale_bar(axes: Axes, cell: Cell, width: float, style: FigureStyle) -> None:
    """Draw a bar of a round number of pixels, about a third of a picture of `width` inches long.

    It is in the picture, or below one that is low.
    """
    from matplotlib.patheffects import Normal, Stroke

    pixels = cell.pixels
    assert pixels is not None
    length = round_length(pixels / 3)
    is_below = _is_low(cell, width)
    ink, paper = (style.colours.ink, style.colours.paper) if is_below else ("black", "white")
    high = min(cell.form, _TALLEST) * width
    at, above = (-0.05 / high, -0.08 / high) if is_below else (0.06, 0.085)
    end = 1.0 if is_below else 0.95
    words = f"{length:g} {cell.samples}"
    canvas: Any = axes.figure.canvas
    half = text_width(canvas, words, points=TEXT_POINTS) / width / 2
    axes.plot(
        (end - length / pixels, end),
        (at, at),
        color=ink,
        linewidth=1.6,
        solid_capstyle="butt",
        transform=axes.transAxes,
        path_effects=[Stroke(linewidth=3.0, foreground=paper), Normal()],
        zorder=9,
        clip_on=False,
    )
    axes.text(
        min(end - length / pixels / 2, end + 0.02 * (not is_below) - half),
        above,
        words,
        ha="center",
        va="top" if is_below else "bottom",
        color=ink,
        transform=axes.transAxes,
        path_effects=[Stroke(linewidth=2.0, foreground=paper), Normal()],
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
