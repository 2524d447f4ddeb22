"""Draws the other answers of the canvas: tiles of the image, and the units that read a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from rfstudio.core.plural import axes_text, counted, margins_text
from rfstudio.figures.cells import Cell, draw_cells
from rfstudio.figures.pictures import draw_blocks, extent_of, largest_of_blocks
from rfstudio.figures.render import DASHED, THEORETICAL, draw_page, draw_scene, form_of, view_of
from rfstudio.figures.scene import Interval, Scene, plane_of, slice_of
from rfstudio.figures.shades import in_bytes
from rfstudio.figures.style import FigureError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rfstudio.core.fields.analysis import Analysis
    from rfstudio.core.fields.projective import ProjectiveField
    from rfstudio.core.fields.tiles import Tile, TilePlan
    from rfstudio.figures.style import FigureStyle

MOST_DRAWN = 3000
"""Tiles that are drawn."""

_REASONS = 3
"""Layers that are named of those for which tiles differ from the whole."""

_TILE = 0.16
"""Opacity of what a tile reads; where tiles overlap it is more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What is answered about one layer of a network, and the photo below.

    Attributes
    ----------
    analysis, layer
        The network, and a layer of it.
    name
        What the network is called.
    image
        The photo, (h, w) or (h, w, 3) bytes.
    plan
        How the input is cut into tiles; None: the answer is about a pixel.
    chosen
        The tile whose frames are drawn, from 0.
    readers
        The units of the layer that read a sample; None: the answer is about tiles.
    slice_at
        The slice of a volume that is drawn; None: one through the chosen tile.
    """

    analysis: Analysis
    layer: str
    name: str = ""
    image: NDArray[np.uint8] | None = None
    plan: TilePlan | None = None
    chosen: int = 0
    readers: ProjectiveField | None = None
    slice_at: int | None = None


def draw_tiles(answer: Answer | None, style: FigureStyle) -> Figure:
    """Return the figure of the tiles of an image, to be called within `print_settings`.

    Raises
    ------
    FigureError
        If there are no tiles, or no such tile.
    """
    if answer is None or answer.plan is None:
        raise FigureError("there are no tiles to draw; choose a layer")
    plan = answer.plan
    if not plan.plan or plan.tile is None:
        reason = _reasons(plan) or "it has no positions"
        raise FigureError(f"no tiles of {plan.layer} can be put together: {reason}")
    if not 0 <= answer.chosen < len(plan.plan):
        raise FigureError(f"there is no tile {answer.chosen + 1}: they are 1 to {len(plan.plan)}")
    tile = plan.plan[answer.chosen]
    size = answer.analysis.input_size
    index = slice_of(size, tile.read, answer.slice_at)
    through = [x for x in plan.plan if index is None or x.read[0][0] <= index <= x.read[0][1]]
    title = f"{answer.name}, {answer.layer}, {counted(len(plan.plan), 'tile')}"
    scene = _plain(answer, size, title, (*_said(answer, plan, tile), *_slice_text(index, size)))
    shown = through[:MOST_DRAWN]
    if len(shown) < len(through):
        words = f"{len(shown):,} of them are drawn"
        scene = replace(scene, numbers=(*scene.numbers, words))
    cells = _cells_of(answer, tile)
    draw = partial(_draw_tiles, tiles=shown, read=tile.read, written=cells, style=style)
    return draw_page(scene, replace(style, dim=0.0), handles=_handles(style), over=draw)


def _said(answer: Answer, plan: TilePlan, tile: Tile) -> tuple[str, ...]:
    """Return the numbers of tiles for a caption."""
    units = answer.analysis.units
    assert plan.tile is not None
    margins = margins_text(plan.overlap)
    same = f"together equal to the whole map of {plan.layer}"
    if not plan.exact:
        same = f"not equal to the whole, as {_reasons(plan)}"
    return (
        f"tiles of {'×'.join(map(str, plan.tile))} {units.short}",
        f"overlap {margins} {units.short} before and after",
        f"from multiples of {axes_text(plan.period, ' × ')}",
        same,
        f"tile {answer.chosen + 1} reads {_spans(tile.read)}, writes {_spans(tile.write)}",
    )


def _reasons(plan: TilePlan) -> str:
    """Return why tiles differ from the whole; of a deep network there are dozens."""
    more = len(plan.reasons) - _REASONS
    return "; ".join((*plan.reasons[:_REASONS], *((f"and {more} more",) if more > 0 else ())))


def _spans(region: Sequence[Interval]) -> str:
    return " × ".join(f"{first} … {last}" for first, last in region)


def _cells_of(answer: Answer, tile: Tile) -> tuple[Interval, ...]:
    """Return the part of the image that belongs to the units that a tile writes."""
    count = answer.analysis[answer.layer].output_size
    return tuple(
        (a * n // m, max((b + 1) * n // m - 1, a * n // m))
        for (a, b), n, m in zip(tile.write, answer.analysis.input_size, count, strict=True)
    )


def _slice_text(index: int | None, size: Sequence[int]) -> tuple[str, ...]:
    return () if index is None else (f"slice {index} of {size[0]}",)


def _plain(answer: Answer, size: tuple[int, ...], title: str, numbers: tuple[str, ...]) -> Scene:
    """Return the photo without any field."""
    return Scene(
        title=title,
        numbers=numbers,
        input_size=plane_of(size, 1),
        image=answer.image,
        strip=len(size) == 1,
        samples=answer.analysis.units.short,
    )


def _draw_tiles(
    axes: Axes,
    *,
    tiles: Sequence[Tile],
    read: Sequence[Interval],
    written: Sequence[Interval],
    style: FigureStyle,
) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import Normal, Stroke

    def frame(region: Sequence[Interval], **more: Any) -> Rectangle:
        (top, bottom), (left, right) = ((0, 0), *region)[-2:]
        place = (left - 0.5, top - 0.5)
        return Rectangle(place, right - left + 1, bottom - top + 1, **more)

    theme = style.colours
    boxes = [frame(x.read) for x in tiles]
    axes.add_collection(
        PatchCollection(boxes, zorder=3, facecolor=theme.field, alpha=_TILE, linewidth=0.0)
    )
    axes.add_collection(
        PatchCollection(boxes, zorder=3, facecolor="none", edgecolor=theme.paper, linewidth=0.4)
    )
    casing = [Stroke(linewidth=3.0, foreground=theme.paper, alpha=0.8), Normal()]
    for region, colour, dashes, order in (
        (read, THEORETICAL, "-", 5),
        (written, theme.ink, DASHED, 6),
    ):
        box = frame(region, fill=False, edgecolor=colour, linewidth=1.4, linestyle=dashes)
        box.set(path_effects=casing, joinstyle="miter", zorder=order)
        axes.add_patch(box)


def _handles(style: FigureStyle) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    theme = style.colours
    label = "what tiles read, darker where they overlap"
    return [
        Line2D([], [], color=THEORETICAL, lw=1.4, label="what the tile reads"),
        Line2D([], [], color=theme.ink, lw=1.2, ls=DASHED, label="what it writes"),
        Patch(facecolor=theme.field, alpha=2 * _TILE, linewidth=0, label=label),
    ]


def draw_pixel(answer: Answer | None, style: FigureStyle) -> Figure:
    """Return the figure of the units that read a pixel, to be called within `print_settings`.

    Raises
    ------
    FigureError
        If there is no such answer.
    RFStudioError
        If the map of the layer is too large to be drawn.
    """
    if answer is None or answer.readers is None:
        raise FigureError("there is no pixel to draw; choose a layer")
    found, analysis = answer.readers, answer.analysis
    units = analysis.units
    where = f"{units.one} ({', '.join(map(str, found.pixel))})"
    title = f"{answer.name}, {answer.layer}, units that read {where}"
    size = analysis.reference_size
    index = found.pixel[0] if len(size) == 3 else None
    scene = _plain(answer, size, title, ())
    row, column = (0, *found.pixel)[-2:]
    if 0 in found.units.size:
        size_text = "×".join(map(str, found.units.size))
        raise FigureError(
            f"{answer.layer} has no units that could be drawn: its map is {size_text}"
        )
    mask = found.mask()
    shown = np.atleast_2d(mask.any(axis=0) if mask.ndim == 3 else mask)
    across = view_of(scene)[1]
    cells = [
        Cell(
            lines=(where, *_slice_text(index, size)),
            draw=partial(_draw_pixel, scene=scene, place=(row, column), style=style),
            form=form_of(scene),
            pixels=across[1] - across[0],
            samples=units.short,
        ),
        Cell(
            lines=(f"units of {answer.layer}", *(("in any slice",) if mask.ndim == 3 else ())),
            draw=partial(_draw_units, mask=shown, style=style),
            form=max(shown.shape[0] / shown.shape[1], 0.12),
        ),
    ]
    return draw_cells(cells, style, title=title, numbers=_readers(found), columns=2)


def _readers(found: ProjectiveField) -> tuple[str, ...]:
    """Return how many units read a pixel, and where they are, for a caption."""
    total = "×".join(map(str, found.units.size))
    if found.region is None:
        return (f"read by no unit of {total}",)
    sides = [last - first + 1 for first, last in found.region]
    holes = "" if prod(sides) == found.count else ", with holes"
    return (
        f"read by {counted(found.count, 'unit')} of {total}",
        f"{_spans(found.region)} ({'×'.join(map(str, sides))}{holes})",
    )


def _draw_pixel(
    axes: Axes, inches: float, *, scene: Scene, place: tuple[int, int], style: FigureStyle
) -> None:
    from matplotlib.patheffects import Normal, Stroke

    draw_scene(axes, scene, replace(style, dim=0.0), inches)
    row, column = place
    casing = [Stroke(linewidth=3.0, foreground="white"), Normal()]
    look: dict[str, Any] = {
        "color": THEORETICAL,
        "markersize": 9,
        "markeredgewidth": 1.4,
        "zorder": 7,
    }
    axes.plot(column, row, "+", path_effects=casing, clip_on=False, **look)


def _draw_units(axes: Axes, inches: float, *, mask: NDArray[np.bool_], style: FigureStyle) -> None:
    """Draw the map of a layer with the units that read the pixel."""
    from matplotlib.colors import to_rgb

    height, width = mask.shape
    step = max(ceil(width / (style.dpi * inches)), 1)
    share = largest_of_blocks(mask.astype(np.float64), step)[..., np.newaxis]
    theme = style.colours
    colours = share * np.array(to_rgb(theme.field)) + (1 - share) * np.array(to_rgb(theme.beyond))
    extent = extent_of((height, width))
    draw_blocks(axes, in_bytes(colours), extent, order=1, step=step)
    axes.set_xlim(extent[:2])
    axes.set_ylim(extent[2:])
    axes.set_aspect("auto")
