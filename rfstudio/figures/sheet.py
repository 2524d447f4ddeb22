"""Draws a sheet of an experiment: curves beside published slopes, and pictures of fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from re import sub
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rfstudio.figures.growth import COLOURS, DASHES, MARKS
from rfstudio.figures.style import FigureStyle, figure_bytes, figure_kind, print_settings
from rfstudio.figures.wrapping import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# In millimetres: heights of parts, and the widths of a letter of the title and of a note.
_PLOT = 58.0
_PICTURE = 24.0
_TITLE = 9.0
_NOTE_LINE = 3.0
_NOTE_LETTER = 1.35
_LETTER = 1.75
_PER_INCH = 25.4


_HARD_SPACE = "\u00a0"
"""At which lines are not broken."""

_CONTRAST = 0.35
"""Share of the contrast that a photo below a field has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points with a line through them, or a line alone.

    Attributes
    ----------
    label
        How the legend calls it.
    xs, ys
        The points.
    colour
        Number of the colour; curves of one series have the same in all plots.
    is_published
        Whether it is a published line, drawn dashed and gray without points.
    law
        The power law through the points, as x and y of its line; None: the points are joined.
    """

    label: str
    xs: Sequence[float]
    ys: Sequence[float]
    colour: int = 0
    is_published: bool = False
    law: tuple[Sequence[float], Sequence[float]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Curves over common axes.

    Attributes
    ----------
    title, x_label, y_label
        Texts.
    log
        Whether both axes are logarithmic.
    curves
        What is drawn.
    """

    title: str
    x_label: str
    y_label: str
    log: bool = False
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A field as shades of gray, or in colours on its photo, scaled to its own largest value.

    Attributes
    ----------
    title
        Written above it.
    map
        The field, (H, W).
    ring
        Radius of a ring that is drawn around the centre unit; None: none.
    photo
        What is below the field, (H, W, 3) bytes; None: nothing.
    """

    title: str
    map: NDArray[np.floating] = field(repr=False)
    ring: float | None = None
    photo: NDArray[np.uint8] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """Plots in a line, and below them lines of pictures.

    Attributes
    ----------
    title
        Above all.
    plots
        The plots.
    pictures
        The name of each line, and its pictures.
    facts, note
        Sentences below all, each on lines of its own.
    """

    title: str
    plots: tuple[Plot, ...] = ()
    pictures: tuple[tuple[str, tuple[Picture, ...]], ...] = ()
    facts: str = ""
    note: str = ""


def render_sheet(sheet: Sheet, suffix: str, style: FigureStyle | None = None) -> bytes:
    """Return a sheet as the bytes of a PNG, SVG or PDF file.

    Raises
    ------
    FigureError
        If `suffix` is none of these.
    """
    kind = figure_kind(suffix)
    style = style or FigureStyle(dpi=200)
    with print_settings():
        from matplotlib.figure import Figure

        columns = max((len(x) for _, x in sheet.pictures), default=0)
        lines = len(sheet.pictures)
        of_title = _LETTER * len(one_line(sheet.title))
        width = max(of_title, 1.25 * _PLOT * len(sheet.plots), _PICTURE * columns + 14)
        heights = ([_PLOT] if sheet.plots else []) + [_PICTURE + 4.0] * lines
        letters = int(width / _NOTE_LETTER)
        notes = [
            *_between_facts(one_line(sheet.facts), letters),
            *wrap(one_line(sheet.note), letters),
        ]
        height = sum(heights) + 2 * _TITLE + _NOTE_LINE * max(len(notes) - 1, 0)
        figure = Figure(
            figsize=(width / _PER_INCH, height / _PER_INCH),
            layout="constrained",
        )
        figure.suptitle(one_line(sheet.title), fontsize=8.5, parse_math=False)
        if heights:
            made = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
            parts = list(np.asarray(made).flat)
            if sheet.plots:
                row = parts.pop(0).subplots(1, len(sheet.plots), squeeze=False)[0]
                for axes, plot in zip(row, sheet.plots, strict=True):
                    _draw_plot(axes, plot)
            for part, (name, pictures) in zip(parts, sheet.pictures, strict=True):
                row = part.subplots(1, columns, squeeze=False)[0]
                for axes in row[len(pictures) :]:
                    axes.set_axis_off()
                for axes, picture in zip(row, pictures, strict=False):
                    _draw_picture(axes, picture)
                row[0].set_ylabel(one_line(name), parse_math=False)
        if notes:
            figure.supxlabel("\n".join(notes), fontsize=6.5, parse_math=False)
        return figure_bytes(figure, kind, style.dpi, sheet.title)


def _draw_plot(axes: Axes, plot: Plot) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator

    for curve in plot.curves:
        colour = "#777777" if curve.is_published else COLOURS[curve.colour % len(COLOURS)]
        if curve.is_published:
            axes.plot(curve.xs, curve.ys, "--", color=colour, linewidth=1.0, label=curve.label)
            continue
        dashes = DASHES[curve.colour // len(COLOURS) % len(DASHES)]
        axes.plot(
            curve.xs,
            curve.ys,
            marker=MARKS[curve.colour % len(MARKS)],
            markersize=3,
            color=colour,
            linewidth=0 if curve.law else 1.0,
            linestyle=dashes,
            label=curve.label,
        )
        if curve.law:
            axes.plot(*curve.law, color=colour, linewidth=1.0)
    if plot.log:
        axes.set_xscale("log")
        axes.set_yscale("log")
        xs = sorted({x for curve in plot.curves for x in curve.xs})
        axes.set_xticks(xs, [f"{x:g}" for x in xs])
        axes.minorticks_off()
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axes.yaxis.set_major_formatter("{x:g}")
    elif all(float(x).is_integer() for curve in plot.curves for x in curve.xs):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(one_line(plot.title), fontsize=7.5, parse_math=False)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2.0, width=0.5)
    if plot.curves:
        for text in axes.legend(frameon=False, fontsize=5.5).get_texts():
            text.set_parse_math(False)


def _between_facts(text: str, letters: int) -> list[str]:
    """Return lines that end between two facts, so that "seed 0" stays together."""
    held = sub(r"(?<![,;:/]) (?!/)", _HARD_SPACE, text)
    if any(len(x) > letters for x in held.split(" ")):
        return wrap(text, letters)
    return [x.replace(_HARD_SPACE, " ") for x in wrap(held, letters)]


def _on_photo(values: NDArray[np.floating], photo: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return a field in colours, the less transparent the larger it is, on a pale gray photo."""
    from matplotlib import colormaps

    peak = float(values.max(initial=0.0))
    # The root, so that what is weak can be seen.
    shares = np.sqrt(np.clip(values / peak, 0, 1)) if peak > 0 else np.zeros(values.shape)
    gray = photo.astype(np.float64).mean(2) / 255 * _CONTRAST + (1 - _CONTRAST) / 2
    weight = np.clip(shares * 1.4, 0, 1)[..., None]
    colours = np.asarray(colormaps["viridis"](shares), np.float64)[..., :3]
    return np.asarray(gray[..., None] * (1 - weight) + colours * weight, np.float64)


def _draw_picture(axes: Axes, picture: Picture) -> None:
    from matplotlib.patches import Circle

    if picture.photo is None:
        axes.imshow(np.asarray(picture.map), cmap="gray", vmin=0, interpolation="nearest")
    else:
        axes.imshow(_on_photo(picture.map, picture.photo), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(one_line(picture.title), fontsize=6.0, parse_math=False)
    if picture.ring is not None:
        height, width = picture.map.shape
        ring = Circle((width // 2, height // 2), picture.ring, fill=False)
        ring.set(edgecolor="#d55e00", linewidth=0.8, linestyle=(0, (3, 2)))
        axes.add_patch(ring)
