"""Draws a `Scene` as PNG, SVG or PDF, ready for print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rfstudio.figures.page import MARGIN, inner_width, new_page
from rfstudio.figures.pictures import (
    draw_blocks,
    draw_photo,
    draw_rectangles,
    extent_of,
    largest_of_blocks,
)
from rfstudio.figures.scene import Interval, Region, Scene
from rfstudio.figures.shades import DENSEST, in_bytes, shares, three_channels
from rfstudio.figures.strips import draw_signal
from rfstudio.figures.style import (
    RESOLUTIONS,
    TEXT_POINTS,
    FigureError,
    FigureStyle,
    figure_bytes,
    figure_kind,
    print_settings,
)
from rfstudio.figures.wrapping import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

THEORETICAL = "#d62728"
LOCAL = "#8c3fd1"
SUPPORT = "#00a6a6"
LOCAL_DASHES = (0, (7, 2.5, 1.5, 2.5))
DASHED = (0, (4, 2.5))
DOTTED = (0, (1, 1.5))

View: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""The part of the plane that is drawn, per axis, in pixels."""

_TICKS_LEFT, _TICKS_BELOW = 0.46, 0.34
_APART = (0.22, 0.36)
"""Inches from one number beside or below the plane to the next, at least."""

_TALLEST = 2.5
"""Height of the plane per width, at most."""

_MAX_DOTS = 4000

_FAINT = 0.4
"""Opacity of the frame of a field that a slice does not go through."""

_TINY = 0.16
"""Size of a field on paper, in inches, below which it is drawn again, magnified."""

_INSET, _AROUND, _FROM_BORDER = 0.34, 1.6, 0.025
"""Side of the magnified part as a share of the plane, side of what it shows as a multiple of the
field, and its distance from the border of the plane."""


def render(scene: Scene, suffix: str, style: FigureStyle | None = None) -> bytes:
    """Return the figure as the bytes of a file.

    Parameters
    ----------
    scene
        What to draw.
    suffix
        ".png", ".svg" or ".pdf"; upper case is fine.
    style
        How to draw it.

    Raises
    ------
    FigureError
        If `suffix` is none of these.

    Notes
    -----
    The same scene and style give the same bytes: no date is written.
    """
    kind = figure_kind(suffix)
    style = style or FigureStyle()
    with print_settings(style):
        figure = draw_page(scene, style)
        return figure_bytes(figure, kind, style.dpi, scene.title)


def draw_page(
    scene: Scene,
    style: FigureStyle,
    *,
    handles: Sequence[Any] | None = None,
    over: Callable[[Axes], object] | None = None,
) -> Figure:
    """Return the whole figure of a scene, to be called within `print_settings`.

    Parameters
    ----------
    scene
        What is drawn.
    style
        How.
    handles
        Entries of the legend; None: those of the scene.
    over
        Draws more over the plane.
    """
    left = _TICKS_LEFT if style.axes and not scene.strip else 0.0
    plot_width = inner_width(style) - left
    plot_height = min(form_of(scene), _TALLEST) * plot_width
    page = new_page(
        style,
        plot_height + (_TICKS_BELOW if style.axes else 0.0),
        title=scene.title,
        numbers=scene.numbers,
        handles=scene_handles(scene, style) if handles is None else handles,
    )
    axes = page.axes(MARGIN + left, 0.0, plot_width, plot_height)
    part = _tiny_part(scene, plot_width)
    draw_scene(axes, scene, style, plot_width, has_centre=part is None)
    if part is not None:
        _draw_inset(axes, scene, style, part, plot_width)
    if over is not None:
        over(axes)
    if style.axes:
        across = f"position ({scene.samples})" if scene.strip else f"x ({scene.samples})"
        axes.set_xlabel(across, labelpad=1.5, parse_math=False)
        if not scene.strip:
            axes.set_ylabel(f"y ({scene.samples})", labelpad=1.5, parse_math=False)
    return page.figure


def _tiny_part(scene: Scene, width: float) -> View | None:
    """Return what is drawn magnified of a plane that is `width` inches wide; None: nothing is."""
    field = scene.local or scene.theoretical
    if field is None or scene.strip:
        return None
    ends = view_of(scene)
    side = _AROUND * max(last - first + 1 for first, last in field)
    spans = [high - low for low, high in ends]
    per_inch = spans[1] / width if spans[0] <= _TALLEST * spans[1] else spans[0] / width / _TALLEST
    is_tiny = side / _AROUND < _TINY * per_inch and side < _INSET * min(spans)
    middles = [(first + last) / 2 for first, last in field]
    is_seen = all(low < x < high for x, (low, high) in zip(middles, ends, strict=True))
    if not is_tiny or not is_seen:
        return None
    around = [(x - side / 2, x + side / 2) for x in middles]
    return around[0], around[1]


def _draw_inset(axes: Axes, scene: Scene, style: FigureStyle, part: View, width: float) -> None:
    """Draw a tiny field again, magnified, in the corner that is farthest from it."""
    vertical, horizontal = view_of(scene)
    spans = vertical[1] - vertical[0], horizontal[1] - horizontal[0]
    side = _INSET * min(spans)
    high, across = side / spans[0], side / spans[1]
    rim = _FROM_BORDER * min(spans)
    is_left = sum(part[1]) > sum(horizontal)
    is_below = sum(part[0]) < sum(vertical)
    left = rim / spans[1] if is_left else 1 - across - rim / spans[1]
    bottom = rim / spans[0] if is_below else 1 - high - rim / spans[0]
    inset = axes.inset_axes((left, bottom, across, high), zorder=8)
    per_pixel = 72 * width * across / (part[1][1] - part[1][0])
    _draw_plane(inset, scene, style, points_per_pixel=per_pixel)
    _draw_marks(inset, scene, style, points_per_pixel=per_pixel)
    inset.set_xlim(part[1])
    inset.set_ylim(part[0][1], part[0][0])
    inset.set_aspect("auto")
    inset.set_xticks([])
    inset.set_yticks([])
    for spine in inset.spines.values():
        spine.set(visible=True, linewidth=0.8, color=style.colours.ink)
    axes.indicate_inset_zoom(inset, edgecolor=style.colours.ink, linewidth=0.6, alpha=1.0)


def draw(axes: Axes, scene: Scene, style: FigureStyle | None = None) -> None:
    """Draw a scene into the axes of any figure, with its title and the key to the lines."""
    figure = axes.figure.get_figure(root=True)
    dpi = int(np.clip(figure.dpi, *RESOLUTIONS))
    style = replace(style or FigureStyle(), dpi=dpi)
    width = axes.get_position().width * figure.get_figwidth()
    draw_scene(axes, scene, style, width)
    if style.caption:
        axes.set_title(one_line(scene.title), fontsize=TEXT_POINTS + 1, parse_math=False)
    if style.legend and (handles := scene_handles(scene, style)):
        axes.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.06),
            ncols=2,
            frameon=False,
            fontsize=TEXT_POINTS,
        )


def draw_scene(
    axes: Axes, scene: Scene, style: FigureStyle, width: float, *, has_centre: bool = True
) -> None:
    """Draw everything on the plane of the image; `width` is that of the axes, in inches.

    Without a centre there is no cross in the middle of the field, which would cover a tiny one.
    """
    vertical, horizontal = view_of(scene)
    per_pixel = 72 * width / (horizontal[1] - horizontal[0])
    _draw_plane(axes, scene, style, points_per_pixel=per_pixel)
    _draw_marks(axes, scene, style, points_per_pixel=per_pixel, has_centre=has_centre)
    axes.set_xlim(horizontal)
    axes.set_ylim(vertical[1], vertical[0])
    axes.set_aspect("auto" if scene.strip else "equal")
    _draw_ticks(axes, scene, style, width)


def _draw_plane(axes: Axes, scene: Scene, style: FigureStyle, points_per_pixel: float) -> None:
    """Draw the image, fade what the unit does not see, and shade its effective field."""
    from matplotlib.patches import Rectangle

    # Pictures are below the axes, which are at 1.5: so SVG and PDF hold one of all.
    height, width = scene.input_size
    extent = extent_of(scene.input_size)
    dots = style.dpi * points_per_pixel / 72
    axes.set_facecolor(style.colours.beyond)
    if scene.strip and scene.image is not None:
        draw_blocks(axes, _plain(style), extent, order=1)
        draw_signal(axes, scene.image, width, style)
    else:
        draw_photo(axes, _photo(scene, style), extent, order=1, dots=dots)
    if scene.image is None or scene.strip:
        axes.add_patch(
            Rectangle(
                (-0.5, -0.5),
                width,
                height,
                fill=False,
                edgecolor=style.colours.rule,
                linewidth=0.5,
                zorder=2,
            )
        )
    if scene.image is not None and style.dim > 0:
        draw_veil(axes, scene, style)
    if scene.erf is not None:
        step = max(ceil(1 / dots), 1)
        shading = _shading(scene.erf, scene.erf_peak, style, step)
        draw_blocks(axes, shading, extent, order=1.3, step=step)


def draw_veil(axes: Axes, scene: Scene, style: FigureStyle) -> None:
    """Fade what the unit does not see, with the colour of the paper."""
    from matplotlib.colors import to_rgb

    faded = in_bytes(np.array([*to_rgb(style.colours.paper), style.dim]))
    seen = scene.visible
    if seen is not None and scene.has_holes:
        veil = np.empty((*scene.input_size, 4), np.uint8)
        veil[...] = faded
        (top, bottom), (left, right) = seen
        box = slice(top, bottom + 1), slice(left, right + 1)
        veil[(*box, 3)] = 0
        veil[(*box, 3)][~_read(scene)[box]] = round(255 * 0.7 * style.dim)
        draw_blocks(axes, veil, extent_of(scene.input_size), order=1.2)
        return
    # Few cells, however many pixels there are: all around what is seen, and that.
    rows, columns = (
        _borders(n, x) for n, x in zip(scene.input_size, seen or ((), ()), strict=True)
    )
    veil = np.empty((len(rows) - 1, len(columns) - 1, 4), np.uint8)
    veil[...] = faded
    if seen is not None:
        (top, _), (left, _) = seen
        veil[rows.searchsorted(top) - 1, columns.searchsorted(left) - 1, 3] = 0
    draw_rectangles(axes, veil, (rows, columns), order=1.2)


def _borders(size: int, ends: Sequence[int]) -> NDArray[np.float64]:
    """Return the ends of an axis, and those of the pixels between two of it, if there are any."""
    first_to_last = [ends[0] - 0.5, ends[1] + 0.5] if ends else []
    return np.unique([-0.5, *first_to_last, size - 0.5])


def _read(scene: Scene) -> NDArray[np.bool_]:
    return np.ones(scene.input_size, np.bool_) if scene.support is None else scene.support


def _photo(scene: Scene, style: FigureStyle) -> NDArray[np.uint8]:
    if scene.image is None:
        return _plain(style)
    return three_channels(scene.image, colour=style.colour)


def _plain(style: FigureStyle) -> NDArray[np.uint8]:
    from matplotlib.colors import to_rgb

    return np.full((1, 1, 3), np.multiply(to_rgb(style.colours.paper), 255).round(), np.uint8)


def _shading(
    erf: NDArray[np.floating[Any]], peak: float | None, style: FigureStyle, step: int
) -> NDArray[np.uint8]:
    """Return an RGBA image: blue whose opacity is the share of the peak.

    Where `step` pixels along an axis share a dot of the paper, it has the strongest of them: fields
    with holes, and of signals, would be lost.
    """
    from matplotlib.colors import to_rgb

    share = largest_of_blocks(shares(erf, peak, style.scale), step)
    shaded = np.empty((*share.shape, 4))
    shaded[..., :3] = to_rgb(style.colours.field)
    shaded[..., 3] = DENSEST * share
    return in_bytes(shaded)


def _draw_marks(
    axes: Axes,
    scene: Scene,
    style: FigureStyle,
    points_per_pixel: float,
    *,
    has_centre: bool = True,
) -> None:
    """Draw the frames, the dots of a support with holes, and the centre."""
    if scene.has_holes and scene.support is not None:
        rows, columns = np.nonzero(scene.support)
        size = float(np.clip(0.8 * points_per_pixel, 0.4, 4.0))
        axes.scatter(
            columns,
            rows,
            s=size**2,
            c=SUPPORT,
            linewidths=0,
            zorder=4,
            rasterized=len(rows) > _MAX_DOTS,
        )
    draw_frames(axes, scene, style, has_centre=has_centre)


def draw_frames(axes: Axes, scene: Scene, style: FigureStyle, *, has_centre: bool = True) -> None:
    """Draw the frames of the regions, and the centre."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import Normal, Stroke

    casing = [Stroke(linewidth=2.6, foreground=style.colours.paper, alpha=0.8), Normal()]
    for region, colour, dashes, order in (
        (scene.theoretical, THEORETICAL, "-", 5),
        (scene.local, LOCAL, LOCAL_DASHES, 5),
        (scene.visible, style.colours.ink, DASHED, 6),
    ):
        if region is not None:
            (top, bottom), (left, right) = region
            axes.add_patch(
                Rectangle(
                    (left - 0.5, top - 0.5),
                    right - left + 1,
                    bottom - top + 1,
                    fill=False,
                    edgecolor=colour,
                    linewidth=1.2,
                    linestyle=dashes,
                    alpha=1.0 if scene.other_slices is None else _FAINT,
                    joinstyle="miter",
                    path_effects=casing if order == 5 else None,
                    zorder=order,
                )
            )
    is_through = scene.other_slices is None
    if has_centre and is_through and scene.theoretical is not None and not scene.strip:
        (top, bottom), (left, right) = scene.theoretical
        axes.plot(
            (left + right) / 2,
            (top + bottom) / 2,
            "+",
            color=THEORETICAL,
            markersize=5,
            markeredgewidth=1.0,
            path_effects=casing,
            zorder=7,
        )


def _draw_ticks(axes: Axes, scene: Scene, style: FigureStyle, width: float) -> None:
    """Write numbers of pixels along both axes, as many as there is room for."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not style.axes:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    from matplotlib.ticker import MaxNLocator

    form = form_of(scene)
    height = min(form, _TALLEST) * width
    sides = height, min(height / form, width)
    for axis, side, apart in zip((axes.yaxis, axes.xaxis), sides, _APART, strict=True):
        most = min(int(side / apart), 6)
        if most:
            axis.set_major_locator(MaxNLocator(most, integer=True, min_n_ticks=1))
        else:
            axis.set_ticks([0])
    if scene.strip:
        axes.set_yticks([])
    axes.tick_params(length=2.0, width=0.5, pad=2.0, labelsize=TEXT_POINTS)


def scene_handles(scene: Scene, style: FigureStyle) -> list[Any]:
    """Return the entries of a legend for what is drawn of a scene."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    ink, blue = style.colours.ink, style.colours.field
    handles: list[Any] = []
    if scene.theoretical is not None:
        label = "theoretical field"
        if scene.other_slices is not None:
            label += f", in slices {scene.other_slices[0]} … {scene.other_slices[1]}"
        elif not _has_frame_in_view(scene, scene.theoretical):
            label += ", beyond the picture"
        handles.append(Line2D([], [], color=THEORETICAL, lw=1.2, label=label))
    if scene.local is not None:
        handles.append(Line2D([], [], color=LOCAL, lw=1.2, ls=LOCAL_DASHES, label="local field"))
    if scene.visible is not None:
        handles.append(Line2D([], [], color=ink, lw=1.2, ls=DASHED, label="visible region"))
    if scene.has_holes:
        handles.append(
            Line2D([], [], color=SUPPORT, lw=0, marker="o", ms=3, mew=0, label="pixels read")
        )
    if scene.erf is not None:
        handles.append(Patch(facecolor=blue, alpha=0.7, linewidth=0, label=scene.erf_label))
    return handles


def _has_frame_in_view(scene: Scene, region: Region) -> bool:
    """Whether any border of a region is in the part of the plane that is drawn."""
    along = region[1:] if scene.strip else region
    ends = view_of(scene)[-len(along) :]
    return any(
        low <= border <= high
        for (low, high), (first, last) in zip(ends, along, strict=True)
        for border in (first - 0.5, last + 0.5)
    )


def view_of(scene: Scene) -> View:
    """Return the part of the plane that is drawn, per axis, in pixels.

    The image and the whole theoretical region, but at most one image beyond a border: a huge
    region would make the image tiny.  A region that extends further is drawn as an open frame.

    Raises
    ------
    FigureError
        If the map has no pixels, as that of a layer of a draft.
    """
    if 0 in scene.input_size:
        size = "×".join(map(str, scene.input_size))
        raise FigureError(f"a map of {size} has no pixels that could be drawn")
    regions: Region | tuple[None, None] = scene.theoretical or (None, None)
    return (
        _view_along(scene.input_size[0], None if scene.strip else regions[0]),
        _view_along(scene.input_size[1], regions[1]),
    )


def form_of(scene: Scene) -> float:
    """Return the height of the plane per width."""
    vertical, horizontal = view_of(scene)
    if scene.strip:
        return 0.12
    return (vertical[1] - vertical[0]) / (horizontal[1] - horizontal[0])


def _view_along(size: int, region: Interval | None) -> tuple[float, float]:
    first, last = region or (0, size - 1)
    # A frame on the border of the image must not be cut in half.
    room = 0.5 + 0.012 * size + 0.04 * (size == 1)
    return max(min(0, first), -size) - room, min(max(size, last + 1), 2 * size) - 1 + room
