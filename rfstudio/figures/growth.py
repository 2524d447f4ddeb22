"""Draws how receptive fields grow with depth, for one network or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rfstudio.core.metrics.power_law import PowerLaw, fit_power_law
from rfstudio.core.network.physical import extents
from rfstudio.figures.page import LINE, MARGIN, inner_width, new_page, room_for_numbers
from rfstudio.figures.style import (
    TEXT_POINTS,
    FigureError,
    FigureStyle,
    figure_bytes,
    figure_kind,
    print_settings,
)
from rfstudio.figures.wrapping import one_line, text_width, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from rfstudio.core.fields.analysis import Analysis

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colours, which the colour-blind can distinguish."""

DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
"""Patterns of lines, for more curves than colours."""

MARKS = ("o", "s", "^", "D", "v", "P", "X")
"""Marks of points, one for each colour, so that curves differ without colours too."""

_SPOTS = 8
"""Points of a long curve that are marked, about."""


TITLE = "Growth of receptive fields"

_DEPTH = "depth (layers with weights on the longest path)"

_CURVE = "growth"
"""Marks the lines of networks among all lines of a figure, with the unit of their sizes."""

_LEAST_POINTS = 3

_LEFT, _BELOW = 0.46, 0.36
"""Inches for the numbers and names of the axes."""

_NUMBER, _MOST_NUMBERS = 0.36, 8
"""Inches that a number below a chart takes, and how many there are at most."""

_ERF_DASHES = (0, (5, 2))

_WIDE = 6
"""How many times one curve may end above another before both need a logarithmic axis."""


@dataclass(frozen=True, slots=True)
class Growth:
    """One curve.

    Attributes
    ----------
    name
        How the legend calls the network.
    depths
        For each point the depth of its layer: the number of layers with weights on the longest
        path to it, itself included; the same as in tables and in the window.
    sizes
        For each point the size of the (local) theoretical field, in pixels, of its larger side.
    input_size
        The larger side of the input, in pixels.
    word
        What sizes count: "px", "samples".
    unit
        The physical unit of all axes of the input; empty: they have none, or several.
    extents
        For each point the largest size in that unit; empty without one.
    input_extent
        The largest side of the input in that unit.
    erf_sizes
        For each point the size of the effective field, in pixels; NaN where it is not known;
        empty: none is drawn.
    """

    name: str
    depths: tuple[int, ...]
    sizes: tuple[int, ...]
    input_size: int
    word: str = "px"
    unit: str = ""
    extents: tuple[float, ...] = ()
    input_extent: float = 0.0
    erf_sizes: tuple[float, ...] = ()

    def side(self, unit: str) -> float:
        """Return the larger side of the input in the physical unit; in samples without one."""
        return self.input_extent if unit else self.input_size

    def in_unit(self, sizes: Sequence[float], unit: str) -> tuple[float, ...]:
        """Return sizes at the points, which are in samples, in the physical unit if there is one.

        Where axes are sampled differently, as much larger as the theoretical size is there.
        """
        if not unit:
            return tuple(sizes)
        parts = zip(sizes, self.extents, self.sizes, strict=True)
        return tuple(size * extent / samples if samples else 0.0 for size, extent, samples in parts)

    def law(self, sizes: Sequence[float], unit: str = "") -> PowerLaw | None:
        """Return the power law through the points whose field is inside the input.

        None if there are fewer than three such points; a slope through two says nothing.
        """
        points = [
            (depth, size)
            for depth, reach, size in zip(
                self.depths, self.sizes, self.in_unit(sizes, unit), strict=True
            )
            if depth > 0 and reach <= self.input_size and size > 0
        ]
        if len({x for x, _ in points}) < _LEAST_POINTS:
            return None
        xs, ys = zip(*points, strict=True)
        return fit_power_law(xs, ys)


def growth_of(
    name: str, analysis: Analysis, erf_size: Callable[[str], float] | None = None
) -> Growth:
    """Return how the field of a network grows; where it is the whole image, the local field.

    Layers without positions are left out.

    Parameters
    ----------
    name
        How the legend calls the network.
    analysis
        The network.
    erf_size
        Returns the size of the effective field of a layer's centre unit, NaN where there is none;
        it is called once a depth, for the layer with the largest field there.  None: only
        theoretical fields are drawn.
    """
    nodes = analysis.graph.nodes
    axes = analysis.axes
    units = {x.unit for x in axes}
    unit = units.pop() if len(units) == 1 else ""
    largest: dict[int, int] = {}
    widest: dict[int, float] = {}
    layers: dict[int, str] = {}
    for node in nodes[1:]:
        layer = analysis.at(node.index)
        local = layer.local
        found = layer.rf_size if local is None else local.rf_size
        sizes = [x for x in found if x is not None]
        depth = layer.depth
        if depth is not None and len(sizes) == len(node.size):
            if max(sizes) > largest.get(depth, 0):
                largest[depth], layers[depth] = max(sizes), node.name
            if unit:
                measured = [x or 0.0 for x in extents(axes, sizes)]
                widest[depth] = max(widest.get(depth, 0.0), *measured)
    points = sorted(largest.items())
    whole = extents(axes, analysis.input_size) if unit else (0.0,)
    return Growth(
        name,
        tuple(depth for depth, _ in points),
        tuple(size for _, size in points),
        max(analysis.input_size),
        analysis.units.short,
        unit,
        tuple(widest[depth] for depth, _ in points) if unit else (),
        max(x or 0.0 for x in whole),
        erf_sizes=() if erf_size is None else tuple(erf_size(layers[x]) for x, _ in points),
    )


def render_growth(curves: Sequence[Growth], suffix: str, style: FigureStyle | None = None) -> bytes:
    """Return the figure of some curves as the bytes of a PNG, SVG or PDF file.

    Raises
    ------
    FigureError
        If `suffix` is none of these.
    """
    kind = figure_kind(suffix)
    style = style or FigureStyle()
    with print_settings(style):
        return figure_bytes(draw_growth_page(curves, style), kind, style.dpi, TITLE)


def draw_growth_page(curves: Sequence[Growth], style: FigureStyle) -> Figure:
    """Return the whole figure of some curves, to be called within `print_settings`.

    Parameters
    ----------
    curves
        The networks.
    style
        How wide it is, and in which colours; with the scale "log" both axes are logarithmic, and
        slopes are fitted.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    log = style.scale == "log"
    figure = Figure(figsize=(style.width_mm / 25.4, style.width_mm / 25.4))
    canvas, scratch = FigureCanvasAgg(figure), figure.add_subplot()
    _draw_either(scratch, curves, style, log=log)  # for the room that its texts take
    left = max(room_for_numbers(scratch, canvas), _LEFT)
    width = inner_width(style) - left
    name = wrapped(canvas, (_DEPTH,), width + left, points=TEXT_POINTS)
    below = _BELOW + LINE * (len(name) - 1)
    # The name of the upright axis must fit beside it.
    high = max(0.62 * width, text_width(canvas, scratch.get_ylabel(), points=TEXT_POINTS))
    page = new_page(
        style,
        high + below,
        title=TITLE,
        handles=_named(scratch.get_lines()),
        numbers=_remarks(curves, log=log),
    )
    axes = page.axes(MARGIN + left, 0.03, width, high)
    _draw_either(axes, curves, style, log=log)
    if not log:
        most = min(int(width / _NUMBER), _MOST_NUMBERS)
        axes.xaxis.set_major_locator(MaxNLocator(max(most, 1), integer=True))
    axes.set_xlabel("\n".join(name))
    if len(name) > 1:  # centred below the page, not below the chart, for which it is too wide
        axes.xaxis.set_label_coords(0.5 - left / width / 2, -0.22 / high)
        axes.xaxis.label.set_verticalalignment("top")
    return page.figure


def _draw_either(axes: Axes, curves: Sequence[Growth], style: FigureStyle, *, log: bool) -> None:
    if log:
        _draw_laws(axes, curves, style)
    else:
        draw_growth(axes, curves)
    if (legend := axes.get_legend()) is not None:
        legend.remove()


def _remarks(curves: Sequence[Growth], *, log: bool) -> list[str]:
    found = []
    if any(x.erf_sizes for x in curves):
        found.append("effective: expected size of the field of the layer's centre unit")
    if log:
        found.append("slopes: power laws through all points whose field is inside the input")
    return found


def _draw_laws(axes: Axes, curves: Sequence[Growth], style: FigureStyle) -> None:
    """Draw points over two logarithmic axes, with the power law through those of each curve."""
    from matplotlib.ticker import LogLocator, NullFormatter

    unit = _common_unit(curves)
    word = unit or _samples_word(curves)
    for i, curve in enumerate(curves):
        colour = COLOURS[i % len(COLOURS)]
        if colour == "#000000":
            colour = style.colours.ink
        name = one_line(curve.name)
        kinds: list[tuple[Sequence[float], str, str, str]]
        kinds = [(curve.sizes, name, MARKS[i % len(MARKS)], "-")]
        if curve.erf_sizes:
            kinds.append((curve.erf_sizes, f"{name}, effective", MARKS[i % len(MARKS)], "--"))
        for sizes, label, mark, line in kinds:
            law = curve.law(sizes, unit)
            text = label if law is None else f"{label}: slope {law.exponent:.2f}"
            drawn = zip(curve.depths, curve.in_unit(sizes, unit), strict=True)
            points = [(x, y) for x, y in drawn if x and y > 0]
            xs, ys = zip(*points, strict=True) if points else ((), ())
            fill = colour if line == "-" else "none"
            marks: dict[str, Any] = {"marker": mark, "markersize": 3.2, "markerfacecolor": fill}
            axes.plot(xs, ys, color=colour, linewidth=0, markeredgewidth=0.8, **marks)
            ends = np.array([min(xs), max(xs)]) if law else np.array([])
            fitted = [law.at(float(x)) for x in ends] if law else []
            axes.plot(
                ends,
                fitted,
                color=colour,
                linewidth=1.0,
                linestyle=line,
                label=text,
                **marks,
                markevery=[],
                markeredgewidth=0.8,
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    sides = sorted({curve.side(unit) for curve in curves})
    dotted = _draw_input_sizes(axes, sides)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(_DEPTH)
    axes.set_ylabel(f"field ({word})")
    _name_input_sizes(axes, dotted, sides, word)
    _finish(axes, axes.get_lines())


def _common_unit(curves: Sequence[Growth]) -> str:
    """Return the physical unit that all curves have; empty if they have none, or several."""
    units = {x.unit for x in curves}
    return units.pop() if len(units) == 1 else ""


def _samples_word(curves: Sequence[Growth]) -> str:
    return " or ".join(dict.fromkeys(x.word for x in curves)) or "px"


def draw_growth(axes: Axes, curves: Sequence[Growth]) -> None:
    """Draw some curves into the axes of any figure, after those that are there.

    Sizes are in physical units if all networks have the same one.

    Raises
    ------
    FigureError
        If the axes are in physical units already, and a network has not the same one.
    """
    from matplotlib.ticker import MaxNLocator

    unit = _common_unit(curves)
    mark = f"{_CURVE} {unit}"
    there = [x for x in axes.get_lines() if str(x.get_gid()).startswith(_CURVE)]
    drawn_in = {str(x.get_gid()) for x in there}
    if drawn_in == {f"{_CURVE} "}:
        mark, unit = f"{_CURVE} ", ""  # networks without units are there already
    elif drawn_in and drawn_in != {mark}:
        raise FigureError(f"{axes.get_ylabel()} is what these axes show: draw into other ones")
    word = unit or _samples_word(curves)
    lines = [
        axes.plot(
            curve.depths,
            curve.in_unit(curve.sizes, unit),
            drawstyle="steps-post",
            color=COLOURS[i % len(COLOURS)],
            linestyle=DASHES[i // len(COLOURS) % len(DASHES)],
            linewidth=1.2,
            marker=MARKS[i % len(MARKS)],
            markersize=3.2,
            # Each curve in other places, since curves of similar networks lie on one another.
            markevery=_spots(len(curve.depths), i),
            label=one_line(curve.name),
            gid=mark,
        )[0]
        for i, curve in enumerate(curves, len(there))
    ]
    for line, curve in zip(lines, curves, strict=True):
        if curve.erf_sizes:
            lines = [
                *lines,
                *axes.plot(
                    curve.depths,
                    curve.in_unit(curve.erf_sizes, unit),
                    color=line.get_color(),
                    linestyle=_ERF_DASHES,
                    linewidth=1.2,
                    label=f"{one_line(curve.name)}, effective",
                    gid=_CURVE,
                ),
            ]
    sides = sorted({curve.side(unit) for curve in curves})
    dotted = _draw_input_sizes(axes, sides)
    axes.set_xlabel(_DEPTH)
    if not there:
        axes.set_ylabel(f"theoretical field ({word})")
    axes.set_xlim(0, max(axes.get_xlim()[1], 1.0))
    drawn = [*there, *lines]
    ends = [max(map(float, np.ravel(x.get_ydata())), default=1) for x in drawn]
    if max(ends, default=1) > _WIDE * min(ends, default=1):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    else:
        axes.set_ylim(bottom=0)
        if not unit:
            axes.yaxis.set_major_locator(
                MaxNLocator("auto", integer=True, steps=[1, 2, 2.5, 5, 10])
            )
    axes.xaxis.set_major_locator(MaxNLocator(_MOST_NUMBERS, integer=True))
    _name_input_sizes(axes, dotted, sides, word)
    _finish(axes, [*drawn, *dotted])


def _named(lines: Sequence[Line2D]) -> list[Line2D]:
    """Return the lines that a legend has."""
    return [x for x in lines if not str(x.get_label()).startswith("_")]


def _finish(axes: Axes, lines: Sequence[Line2D]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2.0, width=0.5)
    named = _named(lines)
    if named:
        legend = axes.legend(named, [str(x.get_label()) for x in named], frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)


def _draw_input_sizes(axes: Axes, sizes: Sequence[float]) -> list[Line2D]:
    """Draw where a field is as large as the input."""
    look: dict[str, Any] = {"color": "#999999", "linestyle": ":", "linewidth": 0.8, "zorder": 0}
    return [axes.axhline(size, **look) for size in sizes]


def _name_input_sizes(
    axes: Axes, lines: Sequence[Line2D], sizes: Sequence[float], word: str
) -> None:
    """Name these lines, with one text for all, as they may overlap: where no curve is, if anywhere.

    Else the legend names them.
    """
    if not sizes:
        return
    from matplotlib import rcParams

    text = f"input {', '.join(f'{x:.6g}' for x in sizes)} {word}"
    side = next((x for x in (0, 1) if _is_free(axes, sizes[-1], x)), None)
    if side is None:
        lines[-1].set_label(text)
        return
    colour = rcParams["ytick.labelcolor"]
    axes.annotate(
        text,
        (side, sizes[-1]),
        xycoords=("axes fraction", "data"),
        xytext=(-3 if side else 3, 2),
        textcoords="offset points",
        color=rcParams["ytick.color"] if colour == "inherit" else colour,
        fontsize=TEXT_POINTS,
        ha="right" if side else "left",
        parse_math=False,
    )


_NAMED = 0.45, 0.09
"""Width and height of the name of an input's size, as shares of a narrow chart."""


def _is_free(axes: Axes, size: float, side: int) -> bool:
    """Return whether no curve is above a height, at the left (0) or the right (1) of a chart."""
    place = axes.transAxes.inverted()
    width, height = _NAMED
    bottom = float(place.transform(axes.transData.transform((1.0, size)))[1])
    first = side * (1 - width)
    for line in axes.get_lines():
        points = np.column_stack([np.asarray(x, float) for x in line.get_data()])
        points = points[np.isfinite(points).all(1) & (points > 0).all(1)]
        if len(points) < 2 or line.get_linestyle() == ":":
            continue
        xs, ys = place.transform(axes.transData.transform(points)).T
        fine = np.linspace(first, first + width, 60)
        heights = np.interp(fine, xs, ys, left=-1.0, right=-1.0)
        if ((heights > bottom - 0.01) & (heights < bottom + height)).any():
            return False
        # Where it rises past the text between two of these places.
        if (np.diff(heights > bottom)).any() and heights.min() > -1.0:
            return False
    return True


def _spots(points: int, number: int) -> tuple[int, int]:
    """Return which points of a curve are marked: the first, and from one to the next."""
    step = max(points // _SPOTS, 1)
    return number * (step // len(MARKS)) % step, step
