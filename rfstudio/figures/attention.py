"""Draws measured attention: where one query looks, by head or by layer, and how far heads look."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rfstudio.core.metrics.registry import digits_text
from rfstudio.figures.cells import MOST, Cell, Chart, draw_cells
from rfstudio.figures.growth import COLOURS
from rfstudio.figures.page import LINE, MARGIN, inner_width
from rfstudio.figures.pictures import draw_blocks, draw_photo, extent_of
from rfstudio.figures.shades import (
    DENSEST,
    LOG_DECADES,
    in_bytes,
    shading_map,
    shares,
    three_channels,
)
from rfstudio.figures.style import TEXT_POINTS, FigureError
from rfstudio.figures.wrapping import in_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rfstudio.core.metrics.attention import LayerAttention
    from rfstudio.figures.page import Page
    from rfstudio.figures.style import FigureStyle

_MOST_HEADS = 64
"""Maps of heads in one figure; where there would be more, each layer has only its mean map."""

_LEFT, _BELOW, _TALL = 0.42, 0.36, 1.25
"""Inches: room for the numbers beside and below the chart of distances, and its height."""

_QUERY = "#e08a00"

_NOISE = ("sample of noise", "samples of noise")


NO_ATTENTION = "no attention was measured yet; the tab Attention does it"


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionView:
    """Measured attention, and the picture below its maps.

    Attributes
    ----------
    name
        What the network is called.
    layers
        What was measured, in graph order.
    image
        The photo, (h, w) or (h, w, 3) bytes, stretched over the input; None: an empty plane.
    form
        Height of the input per width, for a photo of any size.
    samples
        What the samples of the input are called, in which distances are given.
    """

    name: str = "network"
    layers: tuple[LayerAttention, ...] = ()
    image: NDArray[np.uint8] | None = field(default=None, repr=False)
    form: float | None = None
    samples: str = "px"

    @property
    def title(self) -> str:
        """Network, and the layer if there is one."""
        names = [x.layer for x in self.layers]
        return f"{self.name}, {names[0]}" if len(names) == 1 else f"Attention of {self.name}"


def draw_attention(view: AttentionView | None, style: FigureStyle) -> Figure:
    """Return the whole figure, to be called within `print_settings`.

    Raises
    ------
    FigureError
        If nothing was measured.
    """
    if view is None or not view.layers:
        raise FigureError(NO_ATTENTION)
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.lines import Line2D

    layers = view.layers
    words = short_names([x.layer for x in layers])
    has_heads = len(layers) == 1 or sum(x.heads for x in layers) <= _MOST_HEADS
    cells = []
    for layer, word in zip(layers, words, strict=True):
        cells.append(_cell(view, layer, None, "" if len(layers) == 1 else word, style))
        if has_heads:
            named = "" if len(layers) == 1 else word
            cells += [_cell(view, layer, x, named, style) for x in range(layer.heads)]
    cells = _spread_out(cells)
    ticks = [(0.0, "0"), (0.5, "½"), (1.0, "1")]
    if style.scale == "log":
        ticks = [(x / LOG_DECADES, f"{10 ** (x - LOG_DECADES):g}") for x in (0, 1, 2, 3)]
    scale = ScalarMappable(Normalize(0, 1), shading_map(style))
    query = Line2D(
        [], [], color=_QUERY, lw=0, marker="s", ms=4, mfc="none", mew=1.2, label=_query_words(view)
    )
    has_query = any(_has_place(x) for x in layers)
    chart = None
    if any(x.distances is not None for x in layers):
        label = _label_below(view, style)
        draw = partial(_draw_chart, view=view, words=words, label=label, style=style)
        chart = Chart(height=_TALL + _BELOW + LINE * (len(label) - 1), draw=draw)
    return draw_cells(
        cells,
        style,
        title=view.title,
        numbers=_numbers(view, len(cells)),
        handles=[query] if has_query else [],
        bars=[(scale, "attention of the query, share of the peak of its map", ticks)]
        if style.legend
        else [],
        chart=chart,
    )


def short_names(names: Sequence[str]) -> list[str]:
    """Return paths without the parts at their ends that all of them share.

    Examples
    --------
    >>> short_names(["encoder.0.attention", "encoder.11.attention"])
    ['encoder.0', 'encoder.11']
    """
    parts = [x.split(".") for x in names]
    while len(parts) > 1 and len({x[-1] for x in parts}) == 1 and min(map(len, parts)) > 1:
        parts = [x[:-1] for x in parts]
    return [".".join(x) for x in parts]


def plane(values: NDArray[np.float64], unit: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the part of a map that can be drawn: of a volume, the slice of the query."""
    while values.ndim > 2:
        first, *unit_rest = unit if len(unit) == values.ndim else (values.shape[0] // 2, *unit)
        values, unit = values[min(first, len(values) - 1)], tuple(unit_rest)
    return values.reshape(-1, values.shape[-1])


def _spread_out(cells: list[Cell]) -> list[Cell]:
    """Return as many pictures as a figure has, the first and the last among them."""
    if len(cells) <= MOST:
        return cells
    return [cells[round(i * (len(cells) - 1) / (MOST - 1))] for i in range(MOST)]


def _has_place(layer: LayerAttention) -> bool:
    """Whether the query is a position of the map, and not a token beside it."""
    return not layer.layer.endswith(".extra") and len(layer.unit) == len(layer.size)


def _query_words(view: AttentionView) -> str:
    units = {x.unit for x in view.layers if _has_place(x)}
    if len(units) != 1:
        return "query"
    return f"query ({', '.join(map(str, units.pop()))})"


def _numbers(view: AttentionView, drawn: int) -> list[str]:
    layers = view.layers
    options = layers[0].options
    found = []
    if len(layers) == 1:
        mean = layers[0].mean_distance
        if mean is not None:
            found.append(f"mean distance {digits_text(mean, 3)} {view.samples}")
        tokens = float(layers[0].to_tokens.mean())
        if tokens > 0:
            found.append(f"{100 * tokens:.3g} % to tokens without a position")
    weights, samples = options.get("weights"), options.get("samples")
    if weights is not None:
        found.append(f"weights {Path(str(weights)).name}")
    if samples is not None:
        one, many = ("image", "images") if options.get("images") else _NOISE
        found.append(f"{samples} {one if samples == 1 else many}")
    if drawn == MOST and len(layers) > MOST:
        found.append(f"{MOST} of {len(layers)} layers are drawn")
    return found


def _cell(
    view: AttentionView, layer: LayerAttention, head: int | None, word: str, style: FigureStyle
) -> Cell:
    far = layer.distance
    value = None if far is None else layer.mean_distance if head is None else float(far[head])
    name = "mean" if head is None else f"head {head}"
    lines = [*([word] if word else []), name]
    if value is not None:
        lines[-1] += f", {digits_text(value, 3)}"
        if view.samples == "px":  # other words are too long for a column; the chart has them
            lines[-1] += " px"
    values = plane(layer.map if head is None else layer.maps[head], layer.unit)
    height, width = values.shape
    form = height / width if view.form is None else view.form
    return Cell(
        lines=tuple(lines),
        draw=partial(_draw_map, view=view, layer=layer, values=values, style=style),
        form=max(form, 0.15),
    )


def _draw_map(
    axes: Axes,
    inches: float,
    *,
    view: AttentionView,
    layer: LayerAttention,
    values: NDArray[np.float64],
    style: FigureStyle,
) -> None:
    """Draw a map over the photo, both as large as the input."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import Normal, Stroke

    height, width = values.shape
    extent = extent_of((height, width))
    if view.image is not None:
        photo = three_channels(view.image, colour=style.colour)
        # Paler, or what the query attends to would not be seen on dark parts.
        pale = 0.45 * photo / 255 + 0.55 * np.array(to_rgb(style.colours.paper))
        dots = style.dpi * inches / width
        draw_photo(axes, in_bytes(pale), extent, order=0.0, dots=dots)
    shaded = np.empty((height, width, 4))
    shaded[..., :3] = to_rgb(style.colours.field)
    shaded[..., 3] = DENSEST * shares(values, None, style.scale)
    draw_blocks(axes, in_bytes(shaded), extent, order=0.1)
    axes.set_xlim(extent[:2])
    axes.set_ylim(extent[2:])
    axes.set_aspect("auto")
    if _has_place(layer):
        row, column = (0, *layer.unit)[-2:]
        casing = [Stroke(linewidth=2.4, foreground="white"), Normal()]
        axes.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5),
                1,
                1,
                fill=False,
                edgecolor=_QUERY,
                linewidth=1.2,
                joinstyle="miter",
                path_effects=casing,
                zorder=5,
            )
        )


def _label_below(view: AttentionView, style: FigureStyle) -> list[str]:
    """Return the lines of what is said below the chart of distances."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    text = "layer; each point is a head, the line their mean"
    if len(view.layers) == 1:
        text = "head; the dashed line is the mean"
        distances = view.layers[0].distances
        if distances is not None and len(distances) > 1:
            text += ", whiskers are ± over images"
    room = inner_width(style) - _LEFT
    return in_lines(FigureCanvasAgg(Figure()), text, room, points=TEXT_POINTS)


def _draw_chart(
    page: Page,
    *,
    view: AttentionView,
    words: Sequence[str],
    label: Sequence[str],
    style: FigureStyle,
) -> None:
    """Draw distances by head: bars of one layer, or points over the layers."""
    layers = view.layers
    axes = page.axes(MARGIN + _LEFT, 0.0, inner_width(style) - _LEFT - 0.03, _TALL)
    theme = style.colours
    if len(layers) == 1:
        _draw_bars(axes, layers[0], style)
    else:
        placed = [(i, x.distance) for i, x in enumerate(layers)]
        known = [(i, x) for i, x in placed if x is not None]
        for i, far in known:
            axes.plot([i] * len(far), far, "o", color=COLOURS[0], ms=3.0, alpha=0.55, mew=0)
        xs, means = [i for i, _ in known], [float(x.mean()) for _, x in known]
        axes.plot(xs, means, color=theme.ink, linewidth=1.1, marker="_", ms=7, mew=1.3)
        axes.set_xlim(-0.6, len(layers) - 0.4)
        _label_layers(axes, words, inner_width(style) - _LEFT)
    axes.set_xlabel("\n".join(label), labelpad=1.5)
    # Room for half a point above the farthest head, however near the others are.
    axes.set_ylim(0.0, axes.dataLim.y1 * 1.06 or 1.0)
    axes.set_ylabel(f"attention distance ({view.samples})", labelpad=2.0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2.0, width=0.5, pad=2.0)


def _draw_bars(axes: Axes, layer: LayerAttention, style: FigureStyle) -> None:
    from matplotlib.ticker import MaxNLocator

    distances = layer.distances
    assert distances is not None
    heads = np.arange(layer.heads)
    spread: Any = distances.std(0, ddof=1) if len(distances) > 1 else None
    axes.bar(
        heads,
        distances.mean(0),
        width=0.7,
        color=COLOURS[0],
        yerr=spread,
        error_kw={"ecolor": style.colours.ink, "elinewidth": 0.8, "capsize": 1.5},
    )
    mean = float(distances.mean())
    axes.axhline(mean, color=style.colours.ink, linewidth=0.9, linestyle=(0, (5, 3)))
    axes.set_xlim(-0.6, layer.heads - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(16, integer=True))


def _label_layers(axes: Axes, words: Sequence[str], room: float) -> None:
    """Name the layers below the axis by their paths if there is room, by their numbers if not."""
    letters = room / len(words) / 0.075
    if max(map(len, words)) <= letters:
        axes.set_xticks(range(len(words)), list(words))
        return
    step = max(round(len(words) * 0.22 / room), 1)
    shown = range(0, len(words), step)
    axes.set_xticks(list(shown), [str(i + 1) for i in shown])
