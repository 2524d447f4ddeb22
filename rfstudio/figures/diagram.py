"""Draws a network as boxes and arrows, wrapped into lines like a text.

Containers are folded, the innermost first, until few enough boxes are left to be read in print.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from rfstudio.core.network import folding
from rfstudio.core.network.folding import depth_of, folded_to_depth
from rfstudio.core.network.layout import Layout, layout_of_inputs
from rfstudio.core.network.wrapping import lines_of_width
from rfstudio.core.plural import counted
from rfstudio.figures.page import LINE, MARGIN, inner_width, new_page
from rfstudio.figures.style import TEXT_POINTS, FigureError
from rfstudio.figures.wrapping import in_lines, text_width

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

    from rfstudio.core.fields.analysis import Analysis, LayerAnalysis
    from rfstudio.figures.panel import Panel
    from rfstudio.figures.style import FigureStyle

_LEAST, _ROOM = 0.80, 0.09
"""Inches that a box is wide at least, and those around its words."""

_NUMBERS = 2
"""Lines below the name of a box."""

_APART, _LANE = 0.16, 0.12
_BETWEEN = 0.22
_MOST = 48
"""Boxes of one diagram, if containers can be folded."""

_LIMIT = 400

_HIGHEST = 7.5
"""Inches of a diagram; one that would be higher is folded further."""

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


Boxes: TypeAlias = tuple[list[Box], list[list[int]]]
"""Boxes in graph order, and for each of them those that it reads."""


def boxes_of(
    analysis: Analysis, most: int = _MOST, fits: Callable[[Boxes], bool] = lambda _: True
) -> Boxes:
    """Return boxes, and for each of them those that it reads.

    Layers are folded into the containers that hold them, down to the depth at which there are at
    most so many boxes, and they fit; if even the outermost containers are more, those are drawn,
    and if there are far too many, each chain of them as one box.
    """
    graph, joined = analysis.graph, _joined(analysis)
    for depth in range(depth_of(graph) + 1, 0, -1):
        folded = folding.boxes_of(graph, folded_to_depth(graph, depth), joined)
        if len(folded.boxes) > most and depth > 1:
            continue
        boxes = [_box(analysis, x.container, x.members) for x in folded.boxes]
        found = boxes, [list(x) for x in folded.inputs]
        if len(boxes) <= most and fits(found):
            return found
    return found if len(boxes) <= _LIMIT else _chained(*found)


def _chained(boxes: list[Box], inputs: list[list[int]]) -> Boxes:
    """Return boxes with one in place of each chain of several, apart from its two ends."""
    readers = [0] * len(boxes)
    for x in chain.from_iterable(inputs):
        readers[x] += 1

    def goes_on(i: int) -> bool:
        """Whether a box reads the one before it only, and is its only reader."""
        return i < len(boxes) and inputs[i] == [i - 1] and readers[i - 1] == 1

    found: list[Box] = []
    place = [0] * len(boxes)
    first = 0
    while first < len(boxes):
        last = first
        while goes_on(last + 1):
            last += 1
        inner = range(first + 1, last)
        is_long = len(inner) > 1
        for i in range(first, last + 1):
            if is_long and i in inner[1:]:
                place[i] = place[inner[0]]
                continue
            place[i] = len(found)
            found.append(_together(boxes[i:last]) if is_long and i == inner[0] else boxes[i])
        first = last + 1
    reads: list[list[int]] = [[] for _ in found]
    for i, sources in enumerate(inputs):
        reads[place[i]] += [
            place[x] for x in sources if place[x] != place[i] and place[x] not in reads[place[i]]
        ]
    return found, reads


def _together(boxes: Sequence[Box]) -> Box:
    """Return the box of a chain of boxes."""
    kinds = [x.kind for x in boxes]
    kind = next(x for x, _ in KINDS if x in kinds)
    name = f"{boxes[0].name} … {boxes[-1].name}"
    return Box(name, tuple(y for x in boxes for y in x.nodes), kind)


def _joined(analysis: Analysis) -> list[int]:
    """Return for each node the one whose box it shares: what is element-wise joins what it reads.

    Activations and norms do not change a field, and would be half of all boxes.
    """
    quiet = {"POSITION"} if analysis.batch_norm_training else {"POSITION", "STATISTICS"}
    found: list[int] = []
    for node in analysis.graph.nodes:
        alone = len(node.inputs) == 1 and node.op is not None and node.inputs[0] > 0
        is_quiet = alone and node.op is not None and node.op.context.name in quiet
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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    panel = panels[0]
    analysis = panel.analysis
    canvas, wide = FigureCanvasAgg(Figure()), inner_width(style)

    def placed(found: Boxes) -> tuple[_Lines, list[list[str]]]:
        words = [_words(x, analysis) for x in found[0]]
        return _placed(canvas, words, layout_of_inputs(found[1]), wide)

    found = boxes_of(analysis, fits=lambda found: placed(found)[0].height <= _HIGHEST)
    boxes = found[0]
    if len(boxes) > _LIMIT:
        raise FigureError(
            f"{len(boxes)} boxes are too many for a picture; put layers into containers, which are "
            "folded"
        )
    lines, texts = placed(found)
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
    for a, b in lines.layout.edges:
        _draw_edge(axes, lines, int(a), int(b), style)
    for i, box in enumerate(boxes):
        is_bad = any(x in marked for x in box.nodes)
        _draw_box(axes, lines, i, box.kind, texts[i], style, is_bad=is_bad)
    return page.figure


def _placed(
    canvas: Any, words: Sequence[Sequence[str]], layout: Layout, wide: float
) -> tuple[_Lines, list[list[str]]]:
    """Return the places of boxes, and the lines of text in each.

    Columns are so wide that no number is cut; a name goes on in a second line.
    """
    sizes = [text_width(canvas, y, points=TEXT_POINTS) for x in words for y in x[1:]]
    least = min(max(_LEAST, max(sizes) + _ROOM), wide)
    columns = max(int((wide + _APART) / (least + _APART)), 1)
    columns = min(columns, max(layout.columns, 3))
    room = (wide - _APART * (columns - 1)) / columns - _ROOM
    texts = [[*in_lines(canvas, name, room, points=TEXT_POINTS), *rest] for name, *rest in words]
    return _Lines(layout, columns, wide, LINE * max(map(len, texts)) + _ROOM), texts


class _Lines:
    """Places of boxes in lines (see `rfstudio.core.network.wrapping`), in inches."""

    def __init__(self, layout: Layout, columns: int, width: float, high: float) -> None:
        self.layout, self.high = layout, high
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
            down += rows * (high + _LANE) - _LANE + _BETWEEN
        self.height = down - _BETWEEN + 0.08

    def line(self, index: int) -> int:
        """Return the number of the line of a box."""
        return int(self._line[index])

    def place(self, index: int) -> tuple[float, float]:
        """Return the upper left corner of a box."""
        line = self.line(index)
        column, row = int(self.layout.column[index]), int(self.layout.row[index])
        left = (column - int(self._lines.first[line])) * self.step
        return left, self.tops[line] + row * (self.high + _LANE)


def _draw_edge(axes: Any, lines: _Lines, a: int, b: int, style: FigureStyle) -> None:
    """Draw an arrow: straight to the next box, over the boxes between, or into another line."""
    x0, y0 = lines.place(a)
    x1, y1 = lines.place(b)
    start, end = (x0 + lines.width, y0 + lines.high / 2), (x1, y1 + lines.high / 2)
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
    axes: Any,
    lines: _Lines,
    index: int,
    kind: str,
    texts: Sequence[str],
    style: FigureStyle,
    *,
    is_bad: bool,
) -> None:
    from matplotlib.patches import Rectangle

    left, top = lines.place(index)
    theme = style.colours
    frame = Rectangle((left, top), lines.width, lines.high, facecolor=theme.paper, zorder=3)
    frame.set(edgecolor=theme.rule, linewidth=0.6, clip_on=False)
    if is_bad:
        frame.set(edgecolor="#d62728", linewidth=1.2, linestyle=(0, (4, 2)))
    stripe = Rectangle((left, top), 0.045, lines.high, facecolor=dict(KINDS)[kind], zorder=4)
    stripe.set_linewidth(0)
    axes.add_patch(frame)
    axes.add_patch(stripe)
    for i, text in enumerate(texts):
        axes.text(
            left + 0.075,
            top + 0.045 + i * LINE,
            text,
            va="top",
            color=theme.ink if i < len(texts) - _NUMBERS else theme.muted,
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
