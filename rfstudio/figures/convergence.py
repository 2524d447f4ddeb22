"""Draws how a measured effective field tends to the expected one, sample by sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfstudio.core.metrics.distance import RATE
from rfstudio.figures.growth import COLOURS, MARKS
from rfstudio.figures.page import MARGIN, inner_width, new_page
from rfstudio.figures.style import FigureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from rfstudio.figures.style import FigureStyle

_LEFT, _BELOW = 0.46, 0.36


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """One measurement.

    Attributes
    ----------
    name
        How the legend calls it.
    samples, distances
        Number of samples, and the relative L1 distance of their mean from the expected field.
    is_exact
        Whether it tends to the expected field exactly, so that the distance falls as 1/√N.
    """

    name: str
    samples: tuple[int, ...]
    distances: tuple[float, ...]
    is_exact: bool = True


def draw_convergence(curves: Sequence[Convergence], style: FigureStyle) -> Figure:
    """Return the whole figure, to be called within `print_settings`.

    Raises
    ------
    FigureError
        If no curve has a point.
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import LogLocator, NullFormatter

    if not any(x.samples for x in curves):
        raise FigureError(
            "nothing was measured yet whose distance could be drawn: the estimator energy or rms "
            "with random weights, noise and all channels"
        )
    theme = style.colours
    width = inner_width(style) - _LEFT
    handles = []
    for i, curve in enumerate(curves):
        last = (
            f", {curve.distances[-1]:.3g} at {curve.samples[-1]} samples" if curve.samples else ""
        )
        colour = COLOURS[i % (len(COLOURS) - 1)]
        mark = MARKS[i % len(MARKS)]
        handles.append(
            Line2D([], [], color=colour, lw=1.0, marker=mark, ms=3.2, label=curve.name + last)
        )
    is_exact = any(x.is_exact for x in curves)
    if is_exact:
        handles.append(Line2D([], [], color=theme.ink, lw=0.9, ls=(0, (5, 3)), label=f"{RATE}/√N"))
    sentence = "relative L1 distance of the mean of N samples from the expected field"
    page = new_page(
        style, 0.6 * width + _BELOW, title="Convergence", numbers=(sentence,), handles=handles
    )
    axes = page.axes(MARGIN + _LEFT, 0.0, width, 0.6 * width)
    for curve, line in zip(curves, handles, strict=False):
        axes.plot(
            curve.samples,
            curve.distances,
            color=line.get_color(),
            linewidth=1.0,
            marker=line.get_marker(),
            markersize=3.2,
        )
    most = max(max(x.samples, default=1) for x in curves)
    if is_exact:
        axes.plot(
            (1, most),
            (RATE, RATE / most**0.5),
            color=theme.ink,
            linewidth=0.9,
            linestyle=(0, (5, 3)),
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("samples N", labelpad=1.5)
    axes.set_ylabel("distance", labelpad=1.5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2.0, width=0.5, pad=2.0)
    return page.figure
