"""Draws an effective field with its sections through the unit's centre and fitted Gaussians."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rfstudio.core.metrics.section import Section, section
from rfstudio.figures.page import MARGIN, Page, inner_width, new_page
from rfstudio.figures.pictures import draw_blocks, extent_of
from rfstudio.figures.render import DASHED, DOTTED, LOCAL, LOCAL_DASHES, THEORETICAL, draw_frames
from rfstudio.figures.shades import share_map, shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rfstudio.figures.panel import Panel
    from rfstudio.figures.scene import Interval
    from rfstudio.figures.style import FigureStyle

_TICKS_LEFT, _TICKS_BELOW = 0.44, 0.34
_GAP = 0.12
_BAR = 0.44
"""Height of the colour bar with its numbers and its label."""

_HIGHEST = 1.6
"""How far above the peak of a section its Gaussian is drawn."""

_SAME_PEAK = 0.95
"""Share of the field's peak from which that of a section is the same, for a reader."""

_NUMBER = 0.36
"""Inches that a number at an axis takes."""

_FEW = 64
"""Pixels up to which a section is drawn in steps."""


def draw_sections(panels: Sequence[Panel], style: FigureStyle) -> Figure:
    """Return the figure of one unit's effective field, to be called within `print_settings`.

    Raises
    ------
    FigureError
        If it has none.
    """
    panel = panels[0]
    erf = panel.field
    parts = [section(erf.map, panel.centre, axis) for axis in range(erf.map.ndim)]
    page, width, left = _page(panel, parts, style)
    if erf.map.ndim == 1:
        axes = page.axes(MARGIN + left, 0.0, width, 0.5 * width)
        _draw_section(axes, panel, parts[0], -1, style)
        _name(axes, f"position ({panel.samples})", "share of the peak")
        return page.figure
    side = _side(width)
    across, high = width - side - _GAP, (width - side - _GAP) * _form(panel)
    top = page.axes(MARGIN + left, 0.0, across, side)
    _draw_section(top, panel, parts[-1], -1, style)
    _name(top, "", "share")
    top.tick_params(labelbottom=False)
    middle = page.axes(MARGIN + left, side + _GAP, across, high)
    drawn = _draw_map(middle, panel, style)
    _name(middle, f"x ({panel.samples})", f"y ({panel.samples})")
    beside = page.axes(MARGIN + left + across + _GAP, side + _GAP, side, high)
    _draw_section(beside, panel, parts[-2], -2, style, upright=True)
    _name(beside, "share", "")
    beside.tick_params(labelleft=False)
    bar = page.axes(MARGIN + left, side + _GAP + high + _TICKS_BELOW + 0.02, across, 0.06)
    page.figure.colorbar(drawn, cax=bar, orientation="horizontal")
    bar.tick_params(length=2.0, width=0.5)
    is_log = style.scale == "log"
    bar.set_xlabel(
        "share of the peak of the field" + (", three decades" if is_log else ""), labelpad=1.0
    )
    if is_log:
        bar.set_xticks([0, 1 / 3, 2 / 3, 1], ["0.001", "0.01", "0.1", "1"])
    return page.figure


def _page(
    panel: Panel, parts: Sequence[Section | None], style: FigureStyle
) -> tuple[Page, float, float]:
    left = _TICKS_LEFT
    width = inner_width(style) - left
    if len(parts) == 1:
        body = 0.5 * width + _TICKS_BELOW
    else:
        side = _side(width)
        body = side + _GAP + (width - side - _GAP) * _form(panel) + _TICKS_BELOW + _BAR
    numbers = [*panel.caption(style)]
    names = ("z", "y", "x")[-len(parts) :]
    for name, part in zip(names, parts, strict=True):
        if part is not None and part.fit is not None:
            fit = part.fit
            along = f"Gaussian along {name}" if len(parts) > 1 else "Gaussian"
            sigma = f"σ {fit.sigma[0]:.2f} {panel.samples}"
            numbers.append(f"{along}: {sigma}, R² {fit.r_squared:.3f}")
    numbers += _own_peaks(panel, parts)
    page = new_page(style, body, title=panel.title, numbers=numbers, handles=_handles(panel, style))
    return page, width, left


def _own_peaks(panel: Panel, parts: Sequence[Section | None]) -> list[str]:
    """Say how high sections are whose peak is much lower than that of the field."""
    field = panel.field.map
    index = [min(max(round(c), 0), n - 1) for c, n in zip(panel.centre, field.shape, strict=True)]
    highest = float(field.max())
    found = []
    for axis, name in enumerate(("z", "y", "x")[-field.ndim :]):
        if parts[axis] is None or highest <= 0:
            continue
        place: list[Any] = [*index]
        place[axis] = slice(None)
        share = float(field[tuple(place)].max()) / highest
        if share < _SAME_PEAK:
            found.append(f"peak of the section along {name}: {100 * share:.2g} % of the field's")
    return found


def _side(width: float) -> float:
    """Return the height of the section above the map, and the width of that beside it."""
    return min(max(0.26 * width, 0.55), 1.1)


def _form(panel: Panel) -> float:
    """Return the height of the map per width."""
    (top, bottom), (left, right) = view_of(panel)
    return float(np.clip((bottom - top) / (right - left), 0.2, 2.0))


def view_of(panel: Panel) -> tuple[Interval | tuple[float, float], ...]:
    """Return the part of the plane that is drawn: the field with a margin, per axis, (y, x).

    Around the local field where the theoretical one is the whole image.
    """
    view = panel.view
    region = view.local_region or view.theoretical_region
    found = []
    for axis, pixels in enumerate(view.size):
        low, high = (0, pixels - 1) if region is None else region[axis]
        room = 0.5 + max(0.04 * (high - low + 1), 1.0)
        found.append((max(low, -pixels) - room, min(high, 2 * pixels) + room))
    return tuple(found[-2:])


def _draw_map(axes: Axes, panel: Panel, style: FigureStyle) -> Any:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scene = panel.scene
    assert scene.erf is not None
    axes.set_facecolor(style.colours.beyond)
    drawn = ScalarMappable(Normalize(0, 1), share_map(style))
    shaded = drawn.to_rgba(shares(scene.erf, scene.erf_peak, style.scale), bytes=True)
    draw_blocks(axes, shaded, extent_of(scene.input_size), order=0.0)
    draw_frames(axes, scene, style)
    (top, bottom), (left, right) = view_of(panel)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_aspect("auto")
    place = panel.centre[-2:]
    for draw, at in ((axes.axhline, place[0]), (axes.axvline, place[1])):
        draw(at, color=style.colours.muted, linewidth=0.5, linestyle=(0, (1, 2)))
    return drawn


def _draw_section(
    axes: Axes,
    panel: Panel,
    part: Section | None,
    axis: int,
    style: FigureStyle,
    *,
    upright: bool = False,
) -> None:
    """Draw one section over the part of the axis that the map shows."""
    view, theme = panel.view, style.colours
    low, high = view_of(panel)[axis] if len(view.size) > 1 else view_of(panel)[0]

    def line(at: Any, values: Any, **more: Any) -> None:
        axes.plot(*((values, at) if upright else (at, values)), **more)

    if part is not None:
        at = np.arange(part.values.size, dtype=float)
        if high - low <= _FEW:
            steps = np.repeat(np.arange(part.values.size + 1) - 0.5, 2)[1:-1]
            line(steps, np.repeat(part.values, 2), color=theme.field, linewidth=1.0)
        else:
            line(at, part.values, color=theme.field, linewidth=1.0)
        if part.fit is not None:
            fine = np.linspace(low, high, 200)
            bell = part.fit.amplitude * np.exp(
                -((fine - part.fit.center[0]) ** 2) / (2 * part.fit.sigma[0] ** 2)
            )
            line(fine, bell, color=theme.ink, linewidth=0.9, linestyle=DOTTED)
    for region, colour, dashes in (
        (view.theoretical_region, THEORETICAL, "-"),
        (view.local_region, LOCAL, LOCAL_DASHES),
        (view.visible_region, theme.ink, DASHED),
    ):
        if region is None or (colour == LOCAL and region == view.theoretical_region):
            continue
        first, last = region[axis]
        for border in (first - 0.5, last + 0.5):
            draw = axes.axhline if upright else axes.axvline
            draw(border, color=colour, linewidth=0.9, linestyle=dashes)
    fitted = 0.0 if part is None or part.fit is None else min(part.fit.amplitude, _HIGHEST)
    highest = max(1.0, fitted, 1.0 if part is None else float(part.values.max()))
    if style.scale == "log":
        (axes.set_xscale if upright else axes.set_yscale)("log")
        (axes.xaxis if upright else axes.yaxis).set_major_formatter("{x:g}")
        (axes.set_xlim if upright else axes.set_ylim)(1e-3, 1.6 * highest)
        if upright:
            axes.set_xticks([1e-3, 1], ["0.001", "1"])
    else:
        (axes.set_xlim if upright else axes.set_ylim)(0, 1.08 * highest)
        (axes.set_xticks if upright else axes.set_yticks)([0, 0.5, 1], ["0", "½", "1"])
    if upright:
        axes.set_ylim(high, low)
    else:
        axes.set_xlim(low, high)
    axes.spines[["top", "right"]].set_visible(False)


def _name(axes: Axes, across: str, up: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(across, labelpad=1.5, parse_math=False)
    axes.set_ylabel(up, labelpad=1.5, parse_math=False)
    axes.tick_params(length=2.0, width=0.5, pad=2.0)
    place, figure = axes.get_position(), axes.get_figure(root=True)
    assert figure is not None
    sides = place.width * figure.get_figwidth(), place.height * figure.get_figheight()
    for ax, word, side in zip((axes.xaxis, axes.yaxis), (across, up), sides, strict=True):
        if not word.startswith("share"):
            most = max(min(int(side / _NUMBER), 5), 1)
            ax.set_major_locator(MaxNLocator(most, integer=True))


def _handles(panel: Panel, style: FigureStyle) -> list[Any]:
    from matplotlib.lines import Line2D

    theme, view = style.colours, panel.view
    found = [
        Line2D([], [], color=theme.field, lw=1.0, label=panel.erf_label),
        Line2D([], [], color=theme.ink, lw=0.9, ls=DOTTED, label="fitted Gaussian"),
    ]
    if view.theoretical_region is not None:
        found.append(Line2D([], [], color=THEORETICAL, lw=1.0, label="theoretical field"))
    if view.local_region not in (None, view.theoretical_region):
        found.append(Line2D([], [], color=LOCAL, lw=1.0, ls=LOCAL_DASHES, label="local field"))
    if view.visible_region is not None:
        found.append(Line2D([], [], color=theme.ink, lw=0.9, ls=DASHED, label="visible region"))
    return found
