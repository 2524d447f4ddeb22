"""Draws how receptive fields grow with depth, for one network or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rfstudio.core.network.physical import extents
from rfstudio.figures.style import (
    FigureError,
    FigureStyle,
    figure_bytes,
    figure_kind,
    print_settings,
)
from rfstudio.figures.wrapping import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from rfstudio.core.fields.analysis import Analysis

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colours, which the colour-blind can distinguish."""

DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
"""Patterns of lines, for more curves than colours."""


_CURVE = "growth"
"""Marks the lines of networks among all lines of a figure, with the unit of their sizes."""

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
        For each point the number of windows (convolutions, pools) on the longest path to it.
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
    """

    name: str
    depths: tuple[int, ...]
    sizes: tuple[int, ...]
    input_size: int
    word: str = "px"
    unit: str = ""
    extents: tuple[float, ...] = ()
    input_extent: float = 0.0


def growth_of(name: str, analysis: Analysis) -> Growth:
    """Return how the field of a network grows; where it is the whole image, the local field.

    Layers without positions are left out.
    """
    nodes = analysis.graph.nodes
    axes = analysis.axes
    units = {x.unit for x in axes}
    unit = units.pop() if len(units) == 1 else ""
    depths = [0] * len(nodes)
    largest: dict[int, int] = {}
    widest: dict[int, float] = {}
    for node in nodes[1:]:
        windowed = node.op is not None and node.op.slides
        depths[node.index] = max(depths[x] for x in node.inputs) + windowed
        layer = analysis.at(node.index)
        local = layer.local
        found = layer.rf_size if local is None else local.rf_size
        sizes = [x for x in found if x is not None]
        if len(sizes) == len(node.size):
            depth = depths[node.index]
            largest[depth] = max(largest.get(depth, 0), *sizes)
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
    with print_settings():
        from matplotlib.figure import Figure

        width = style.width_mm / 25.4
        figure = Figure(figsize=(width, 0.62 * width), layout="constrained")
        draw_growth(figure.add_subplot(), curves)
        return figure_bytes(figure, kind, style.dpi, "Growth of receptive fields")


def draw_growth(axes: Axes, curves: Sequence[Growth]) -> None:
    """Draw some curves into the axes of any figure, after those that are there.

    Sizes are in physical units if all networks have the same one.

    Raises
    ------
    FigureError
        If the axes are in physical units already, and a network has not the same one.
    """
    from matplotlib.ticker import MaxNLocator

    marks = {f"{_CURVE} {curve.unit}": curve.unit for curve in curves}
    mark, unit = next(iter(marks.items())) if len(marks) == 1 else (f"{_CURVE} ", "")
    there = [x for x in axes.get_lines() if str(x.get_gid()).startswith(_CURVE)]
    drawn_in = {str(x.get_gid()) for x in there}
    if drawn_in == {f"{_CURVE} "}:
        mark, unit = f"{_CURVE} ", ""  # networks without units are there already
    elif drawn_in and drawn_in != {mark}:
        raise FigureError(f"{axes.get_ylabel()} is what these axes show: draw into other ones")
    word = unit or " or ".join(dict.fromkeys(curve.word for curve in curves)) or "px"
    lines = [
        axes.plot(
            curve.depths,
            curve.extents if unit else curve.sizes,
            drawstyle="steps-post",
            color=COLOURS[i % len(COLOURS)],
            linestyle=DASHES[i // len(COLOURS) % len(DASHES)],
            linewidth=1.2,
            label=one_line(curve.name),
            gid=mark,
        )[0]
        for i, curve in enumerate(curves, len(there))
    ]
    sides = {curve.input_extent if unit else curve.input_size for curve in curves}
    _draw_input_sizes(axes, sorted(sides), word)
    axes.set_xlabel("depth (convolutions and pools on the longest path)")
    if not there:
        axes.set_ylabel(f"theoretical field ({word})")
    axes.set_xlim(left=0)
    drawn = [*there, *lines]
    ends = [max(map(float, np.ravel(x.get_ydata())), default=1) for x in drawn]
    if max(ends, default=1) > _WIDE * min(ends, default=1):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    else:
        axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2.0, width=0.5)
    if drawn:
        legend = axes.legend(drawn, [str(x.get_label()) for x in drawn], frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)


def _draw_input_sizes(axes: Axes, sizes: list[float], word: str) -> None:
    """Draw where a field is as large as the input; one label for all, as they may overlap."""
    for size in sizes:
        axes.axhline(size, color="#999999", linestyle=":", linewidth=0.8, zorder=0)
    if sizes:
        axes.annotate(
            f"input {', '.join(f'{x:.6g}' for x in sizes)} {word}",
            (1.0, sizes[-1]),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 2),
            textcoords="offset points",
            color="#666666",
            fontsize=6.5,
            ha="right",
        )
