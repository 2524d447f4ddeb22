"""Other numbers for a layer's field that widely read pages and tools have, and why they differ.

Nothing is looked up by the name of a network: each known mistake or other convention is worked
out with the layer's own numbers, and is listed where it leads to another value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Window
from rfstudio.core.fields.closed_form import AxisForm, ClosedForm, Step
from rfstudio.core.fields.field import closed_form
from rfstudio.core.fields.local import Fields
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import Context
from rfstudio.core.ops.convolution import group_count


@dataclass(frozen=True, slots=True)
class OtherNumber:
    """A value that is found elsewhere.

    Attributes
    ----------
    about
        What it is said to be: size, centre, padding, coverage or overlap.
    value
        The value elsewhere, of this very layer.
    reason
        Why it differs, in a sentence.
    """

    about: str
    value: str
    reason: str


class _Layer(NamedTuple):
    """A layer along one axis: its path to the input, and the numbers of its field."""

    graph: Graph
    node: Node
    steps: tuple[Step, ...]
    size: int
    jump: int
    padding: int


def other_numbers_of(
    graph: Graph, fields: Fields, local: Fields, form: ClosedForm, index: int
) -> tuple[OtherNumber, ...]:
    """Return which other numbers are found for a node's field, and why.

    Parameters
    ----------
    graph
        The network.
    fields, local
        The field and the local field of the node along each axis.
    form
        The closed form of its field.
    index
        The node.
    """
    found: dict[OtherNumber, None] = {}
    node = graph.nodes[index]
    for axis, (field, near) in enumerate(zip(fields, local, strict=True)):
        if field.whole and not near.whole and (seen := near.size_range(node.size[axis])):
            found[OtherNumber("size", str(seen[1]), _LOCAL)] = None
    for axis_form in form.axes:
        for other in _of_axis(graph, node, axis_form):
            found[other] = None
    if form.axes and form.axes[0].kind == "walk" and node.size == graph.nodes[0].size:
        found |= dict.fromkeys(_overlaps(local, node))
    return tuple(found)


def _of_axis(graph: Graph, node: Node, form: AxisForm) -> Iterator[OtherNumber]:
    if form.kind != "sums" or not form.steps:
        return
    layer = _Layer(graph, node, form.steps, *closed_form([x.window for x in form.steps]))
    for value_of, reason in _SIZES:
        value = value_of(layer)
        if value is not None and value != layer.size:
            yield OtherNumber("size", str(value), reason.format(right=layer.size))
    centre = (layer.size - 1) / 2 - layer.padding
    yield OtherNumber("centre", _signed(centre + 0.5), _HALF.format(right=_signed(centre)))
    if layer.padding > 0:
        seen = max(layer.size - layer.padding, 0)
        border = (_TURNED if any(_is_circular(graph, x) for x in layer.steps) else _CUT).format(
            seen
        )
        reason = _PADDING.format(size=layer.size, padding=layer.padding, border=border)
        yield OtherNumber("padding", "does not matter", reason)
    if any(_is_same(graph, x) for x in layer.steps):
        size = "×".join(map(str, graph.nodes[0].size))
        yield OtherNumber(
            "padding", "the same everywhere", _SAME.format(padding=layer.padding, size=size)
        )


def _overlaps(local: Fields, node: Node) -> Iterator[OtherNumber]:
    """Yield what is taken for the overlap of tiles of a map as large as the image."""
    seen, padding = local[0].size_range(node.size[0]), local[0].padding
    if seen is None:
        return
    yield OtherNumber("overlap", str(seen[1] // 2), _OVERLAP.format("half the field"))
    if padding is not None:
        yield OtherNumber("overlap", str(padding), _OVERLAP.format("the padding"))


def other_coverages(coverage: float, per_axis: Sequence[float]) -> tuple[OtherNumber, ...]:
    """Return the shares of single sides, which are taken for the share of the image."""
    if len(per_axis) < 2 or not 0 < coverage < 1:
        return ()
    reason = f"the share of one side; of the pixels it is {100 * coverage:.3g} %"
    values = dict.fromkeys(f"{100 * x:.3g} %" for x in per_axis if x < 1)
    return tuple(OtherNumber("coverage", x, reason) for x in values)


# --- sizes by other rules -----------------------------------------------------------------------


def _without_factor(layer: _Layer) -> int:
    size = 1
    for step in layer.steps:
        size += step.reach + 1 - step.stride
    return size


def _backward_forwards(layer: _Layer) -> int:
    size = 1
    for step in layer.steps:
        size = (size - 1) * step.stride + step.reach + 1
    return size


def _one_a_stage(layer: _Layer) -> int | None:
    """Return the size if of each jump only the first convolution counts, and no pooling."""
    nodes = layer.graph.nodes
    if any(len(x.inputs) > 1 for x in nodes[1 : layer.node.index + 1]):
        return None  # such tables are of plain stacks
    pools = 0
    firsts: dict[int, int] = {}
    for step in layer.steps:
        op = nodes[layer.graph.index(step.layer)].op
        if op is not None and op.is_pool:
            pools += 1
        elif step.reach:
            firsts.setdefault(step.jump, step.reach)
    return 1 + sum(jump * reach for jump, reach in firsts.items()) if pools else None


def _without_dilation(layer: _Layer) -> int:
    return closed_form([x._replace(dilation=1).window for x in layer.steps])[0]


def _stride_in_first(layer: _Layer) -> int | None:
    """Return the size with strides moved from a window to the 1×1 convolution right before it."""
    size, moved = layer.size, False
    for step in layer.steps:
        if step.stride > 1 and step.reach and _reads_pointwise(layer.graph, step):
            # The window now slides over a map whose jump is larger by the stride.
            size += step.reach * step.jump * (step.stride - 1)
            moved = True
    return size if moved else None


def _stride_in_second(layer: _Layer) -> int | None:
    """Return the size with strides moved from a 1×1 convolution to the window right after it."""
    size, moved = layer.size, False
    for first, second in zip(layer.steps, layer.steps[1:], strict=False):
        if (
            first.stride > 1
            and not first.reach
            and second.stride == 1
            and second.reach
            and _conv_before(layer.graph, second) == first.layer
        ):
            size -= second.reach * (second.jump - first.jump)
            moved = True
    return size if moved else None


def _reads_pointwise(graph: Graph, step: Step) -> bool:
    """Whether a window reads a 1×1 convolution of stride 1, with at most a norm in between."""
    name = _conv_before(graph, step)
    node = graph.nodes[graph.index(step.layer)]
    if name is None or not isinstance(node.op, ops.Conv):
        return False
    channels = graph.nodes[node.inputs[0]].channels
    if group_count(node.op, channels) == channels > 1:
        return False  # of depthwise convolutions there are no two versions
    op = graph.nodes[graph.index(name)].op
    assert isinstance(op, ops.Conv)
    axes = len(graph.nodes[0].size)
    return all(ops.per_axis(x, axes) == (1,) * axes for x in (op.kernel_size, op.stride))


def _conv_before(graph: Graph, step: Step) -> str | None:
    """Return the convolution that a layer reads, past norms and activations; None: no such."""
    node = graph.nodes[graph.index(step.layer)]
    while len(node.inputs) == 1:
        node = graph.nodes[node.inputs[0]]
        if isinstance(node.op, ops.Conv):
            return node.name
        is_plain = node.op is not None and node.op.context is Context.POSITION
        if not is_plain and not isinstance(node.op, ops.BatchNorm):
            return None
    return None


def _is_same(graph: Graph, step: Step) -> bool:
    op = graph.nodes[graph.index(step.layer)].op
    return step.stride > 1 and getattr(op, "padding", None) == "same"


def _is_circular(graph: Graph, step: Step) -> bool:
    rules = graph.nodes[graph.index(step.layer)].rules
    return any(isinstance(x, Window) and x.mode == "circular" for x in rules)


_Rule: TypeAlias = Callable[[_Layer], int | None]

_SIZES: Sequence[tuple[_Rule, str]] = (
    (
        _without_factor,
        (
            "by R = R + (k − s) for each layer, which is not the forward rule, as it drops the "
            "factor: going back from the output r_in = s·r_out + (k − s), going forward "
            "r_out = r_in + d·(k − 1)·jump, which gives {right}"
        ),
    ),
    (
        _backward_forwards,
        (
            "by (r − 1)·s + k from the first layer to the last: the rule for going back, in "
            "forward order; it holds from the output to the input, and then gives {right}"
        ),
    ),
    (
        _one_a_stage,
        (
            "in tables that count one convolution a stage and no pooling, such as 7, 15, 31, 63 "
            "for VGG-16; with all layers it is {right}"
        ),
    ),
    (_without_dilation, "if dilation is left out; with it a window spans d·(k − 1) + 1 samples"),
    (
        _stride_in_first,
        (
            "with the stride in the first 1×1 convolution of a block, as in ResNet v1 and TF-Slim; "
            "here it is in the window after it (v1.5, torchvision), which gives {right}"
        ),
    ),
    (
        _stride_in_second,
        (
            "with the stride in the window after the 1×1 convolution, as in torchvision's ResNet "
            "(v1.5); here it is in the 1×1 (v1, TF-Slim), which gives {right}"
        ),
    ),
)
"""Rules for other sizes, and why they differ."""

_LOCAL = (
    "of the convolutions alone: most tables leave out gates, norms over the map and attention, "
    "through which a unit sees the whole axis; here it is the local field"
)
_HALF = (
    "in tools that put the centre of the first pixel at 0.5; here pixel i has its centre at i, "
    "which gives {right}"
)
_PADDING = (
    "it does not change the size, {size}, but it moves the region by {padding}, decides whether "
    "branches align, and {border}"
)
_CUT = "unit 0 sees at most {} pixels of the image"
_TURNED = "at the border units see the other end of the image"
_SAME = (
    "the padding of TensorFlow's SAME with a stride depends on the size of the input; {padding} "
    "is that at {size}"
)
_OVERLAP = (
    "{} is often taken for the overlap of tiles; the one with which tiles equal the whole image "
    "is read off the exact regions of all phases: rfstudio tiles, or Tiles on the canvas, has it"
)


def _signed(value: float) -> str:
    return f"{value:.10g}".replace("-", "−")
