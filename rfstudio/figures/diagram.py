"""Draws a network as boxes and arrows, wrapped into lines like a text.

Containers are folded, the innermost first, until few enough boxes are left to be read in print.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfstudio.core.network import folding
from rfstudio.core.network.folding import depth_of, folded_to_depth
from rfstudio.core.network.layout import Layout, layout_of_inputs
from rfstudio.core.network.wrapping import lines_of_width
from rfstudio.core.plural import counted
from rfstudio.figures.page import LINE, MARGIN, Page, inner_width, new_page
from rfstudio.figures.style import TEXT_POINTS, FigureError
from rfstudio.figures.wrapping import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from rfstudio.core.fields.analysis import Analysis, LayerAnalysis
    from rfstudio.figures.panel import Panel
    from rfstudio.figures.style import FigureStyle

_LEAST, _HEIGHT = 0.80, 3 * LINE + 0.09
_APART, _LANE = 0.16, 0.12
_BETWEEN = 0.22
_MOST = 48
"""Boxes of one diagram, if containers can be folded."""

_LIMIT = 400

KINDS = (
    ("convolution", "#0072b2"),
    ("pooling", "#009e73"),
    ("merge", "#cc79a7"),
    ("whole map", "#d55e00"),
    ("other", "#9aa1aa"),
)
"""What the stripe of a box says, besides its words."""


@dataclass(frozen=True, slots=True)
class Box:
    """A layer, or a folded container.

    Attributes
    ----------
    name
        Its path.
    nodes
        Indices of what is in it.
    kind
        One of `KINDS`.
    """

    name: str
    nodes: tuple[int, ...]
    kind: str


def boxes_of(analysis: Analysis, most: int = _MOST) -> tuple[list[Box], list[list[int]]]:
    """Return boxes, and for each of them those that it reads.

    Layers are folded into the containers that hold them, down to the depth at which there are at
    most so many boxes; if even the outermost containers are more, those are drawn.
    """
    graph, joined = analysis.graph, _joined(analysis)
    for depth in range(depth_of(graph) + 1, 0, -1):
        found = folding.boxes_of(graph, folded_to_depth(graph, depth), joined)
        if len(found.boxes) <= most:
            break
    boxes = [_box(analysis, x.container, x.members) for x in found.boxes]
    return boxes, [list(x) for x in found.inputs]


def _joined(analysis: Analysis) -> list[int]:
    """Return for each node the one whose box it shares: what is element-wise joins what it reads.

    Activations and norms do not change a field, and would be half of all boxes.
    """
    found: list[int] = []
    for node in analysis.graph.nodes:
        alone = len(node.inputs) == 1 and node.op is not None and node.inputs[0] > 0
        is_quiet = alone and node.op is not None and node.op.context.name == "POSITION"
        found.append(found[node.inputs[0]] if is_quiet else node.index)
    return found


def _box(analysis: Analysis, name: str, members: Sequence[int]) -> Box:
    nodes = analysis.graph.nodes
    kinds = [_kind_of(analysis.at(x)) for x in members]
    kind = next((x for x, _ in KINDS if x in kinds), "other")
    return Box(name or nodes[members[0]].name, tuple(members), kind)


def _kind_of(layer: LayerAnalysis) -> str:
    op = layer.operation
    if op is None:
        return "other"
    if op.slides:
        return "pooling" if op.is_pool else "convolution"
    context = op.context.name
    return {"MAPS": "merge", "WHOLE": "whole map"}.get(context, "other")


def draw_diagram(panels: Sequence[Panel], style: FigureStyle) -> Figure:
    """Return the whole figure of a network, to be called within `print_settings`.

    Raises
    ------
    FigureError
        If the network has too many layers for a picture.
    """
    from matplotlib.patches import Patch

    panel = panels[0]
    analysis = panel.analysis
    boxes, reads = boxes_of(analysis)
    if len(boxes) > _LIMIT:
        raise FigureError(
            f"{len(boxes)} boxes are too many for a picture; put layers into containers, which are "
            "folded"
        )
    layout = layout_of_inputs(reads)
    wide = inner_width(style)
    columns = max(int((wide + _APART) / (_LEAST + _APART)), 1)
    columns = min(columns, max(layout.columns, 3))
    lines = _Lines(layout, columns, wide)
    colours = dict(KINDS)
    shown = dict.fromkeys(x for x, _ in KINDS if any(y.kind == x for y in boxes))
    handles: list[Any] = [Patch(facecolor=colours[x], linewidth=0, label=x) for x in shown]
    marked = {x.index for x in analysis.misfits}
    if marked:
        frame = Patch(facecolor="none", edgecolor="#d62728", label="branches do not align")
        frame.set_linestyle((0, (4, 2)))
        handles.append(frame)
    network = analysis.architecture
    numbers = [
        f"input {_by(analysis.input_size)}, {counted(network.channels, 'channel')}",
        f"{counted(len(analysis.layers), 'layer')}, element-wise ones in the box that they follow",
        "below each name: output size and field (local where the whole image is seen), in pixels",
    ]
    numbers = [analysis.units.said(x) for x in numbers]
    page = new_page(style, lines.height, title=panel.name, numbers=numbers, handles=handles)
    axes = page.axes(MARGIN, 0.0, wide, lines.height)
    axes.set_xlim(0, wide)
    axes.set_ylim(lines.height, 0)
    axes.set_axis_off()
    for a, b in layout.edges:
        _draw_edge(axes, lines, int(a), int(b), style)
    for i, box in enumerate(boxes):
        _draw_box(
            page, axes, lines, i, box, analysis, style, is_bad=any(x in marked for x in box.nodes)
        )
    return page.figure


class _Lines:
    """Places of boxes in lines (see `rfstudio.core.network.wrapping`), in inches."""

    def __init__(self, layout: Layout, columns: int, width: float) -> None:
        self.layout = layout
        self.width = (width - _APART * (columns - 1)) / columns
        self.step = self.width + _APART
        self._lines = lines_of_width(layout, columns)
        self._line = self._lines.of(layout.column)
        # Each line is as high as its branches need, with room above for what skips layers.
        skips = [0] * len(self._lines.rows)
        for a, b in layout.edges:
            if layout.column[b] - layout.column[a] > 1:
                skips[self._line[a]] = skips[self._line[b]] = 1
        self.tops, down = [], 0.0
        for rows, skip in zip(self._lines.rows.tolist(), skips, strict=True):
            down += _LANE * skip
            self.tops.append(down)
            down += rows * (_HEIGHT + _LANE) - _LANE + _BETWEEN
        self.height = down - _BETWEEN + 0.08

    def line(self, index: int) -> int:
        """Return the number of the line of a box."""
        return int(self._line[index])

    def place(self, index: int) -> tuple[float, float]:
        """Return the upper left corner of a box."""
        line = self.line(index)
        column, row = int(self.layout.column[index]), int(self.layout.row[index])
        left = (column - int(self._lines.first[line])) * self.step
        return left, self.tops[line] + row * (_HEIGHT + _LANE)


def _draw_edge(axes: Any, lines: _Lines, a: int, b: int, style: FigureStyle) -> None:
    """Draw an arrow: straight to the next box, over the boxes between, or into another line."""
    x0, y0 = lines.place(a)
    x1, y1 = lines.place(b)
    start, end = (x0 + lines.width, y0 + _HEIGHT / 2), (x1, y1 + _HEIGHT / 2)
    gap = _APART / 2
    far = int(lines.layout.column[b] - lines.layout.column[a]) > 1
    if lines.line(a) != lines.line(b):
        between = lines.tops[lines.line(b)] - _BETWEEN / 2 - _LANE * far / 2
        points = [
            start,
            (start[0] + 0.06, start[1]),
            (start[0] + 0.06, between),
            (end[0] - 0.06, between),
            (end[0] - 0.06, end[1]),
            end,
        ]
    elif far and y0 == y1:
        over = y0 - 0.6 * _LANE
        points = [
            start,
            (start[0] + 0.35 * gap, start[1]),
            (start[0] + 0.35 * gap, over),
            (end[0] - gap, over),
            (end[0] - gap, end[1]),
            end,
        ]
    elif y0 != y1:
        turn = start[0] + gap if y1 > y0 else end[0] - gap
        points = [start, (turn, start[1]), (turn, end[1]), end]
    else:
        points = [start, end]
    xs, ys = zip(*points, strict=True)
    colour = style.colours.muted
    axes.plot(xs, ys, color=colour, linewidth=0.7, solid_joinstyle="round", clip_on=False)
    axes.annotate(
        "",
        end,
        (end[0] - 0.05, end[1]),
        arrowprops={
            "arrowstyle": "-|>,head_width=0.12,head_length=0.2",
            "color": colour,
            "linewidth": 0.7,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )


def _draw_box(
    page: Page,
    axes: Any,
    lines: _Lines,
    index: int,
    box: Box,
    analysis: Analysis,
    style: FigureStyle,
    *,
    is_bad: bool,
) -> None:
    from matplotlib.patches import Rectangle

    left, top = lines.place(index)
    theme = style.colours
    frame = Rectangle((left, top), lines.width, _HEIGHT, facecolor=theme.paper, zorder=3)
    frame.set(edgecolor=theme.rule, linewidth=0.6, clip_on=False)
    if is_bad:
        frame.set(edgecolor="#d62728", linewidth=1.2, linestyle=(0, (4, 2)))
    stripe = Rectangle((left, top), 0.045, _HEIGHT, facecolor=dict(KINDS)[box.kind], zorder=4)
    stripe.set_linewidth(0)
    axes.add_patch(frame)
    axes.add_patch(stripe)
    for i, text in enumerate(_words(box, analysis)):
        axes.text(
            left + 0.075,
            top + 0.045 + i * LINE,
            shortened(page.figure.canvas, text, lines.width - 0.09, points=TEXT_POINTS),
            va="top",
            color=theme.ink if i == 0 else theme.muted,
            zorder=5,
            parse_math=False,
        )


def _words(box: Box, analysis: Analysis) -> tuple[str, str, str]:
    """Return three short lines: name, what it is or its size, and its field."""
    layer = analysis.at(box.nodes[-1])
    local = layer.local
    sizes = layer.rf_size if local is None else local.rf_size
    known = [x for x in sizes if x is not None]
    field = _by(known) if len(known) == len(sizes) else "all"
    if known and len(set(known)) == 1 and len(known) == len(sizes):
        field = f"{known[0]}"
    if layer.operation is None:
        return ("input", f"{_by(layer.output_size)}", counted(layer.channels, "channel"))
    return box.name, f"{_by(layer.output_size)}", f"field {field}"


def _by(sizes: Sequence[object]) -> str:
    return "×".join(map(str, sizes))
