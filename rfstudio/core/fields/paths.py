"""Fields of single paths: the least and the greatest over all paths to a layer, and what follows.

Along one path the field is 1 + Σ d (k − 1)·jump.  Of all paths to a layer those with the least
and with the greatest field are found in one pass in graph order, without listing paths.

References
----------
.. [1] Richter, Byttner, Krumnack, Wiedenroth, Schallner, Shenk, "(Input) Size Matters for CNN
   Classifiers", ICANN 2021; Richter, Shenk, Byttner, Arpteg, Huss, "Feature Space Saturation
   during Training", arXiv:2006.08679; the code receptive_field_analysis_toolbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Literal, NamedTuple, TypeAlias

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic, Whole, Window
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.work import give_way

Size: TypeAlias = int | Fraction

Revision = Literal["first", "later"]
"""Which border layers: those of the papers, or also layers whose map is no larger than their
kernel, as later revisions of the reference code have them."""

MAX_STATES = 64
"""Pairs of size and jump that are followed at once; networks with more strides that differ get
bounds of the size instead of the exact one."""

MAX_FOLLOWED = 100_000
"""Such pairs of all layers together, after which each layer has one."""

MAX_SIZE = 1 << 1000
"""Samples up to which the field of a path is counted, as many as a float holds; a wider one reads
the whole axis."""

MAX_PARTS = 1 << 128
"""Parts of a sample in which states are whole numbers, at most: each resize may multiply them."""


class _State(NamedTuple):
    """The state of a path: the size of its field and its jump, in parts of a sample."""

    size: int
    jump: int


@dataclass(frozen=True, slots=True)
class PathFields:
    """The least and the greatest field over paths to a layer, one entry per axis, in samples.

    Attributes
    ----------
    min
        None where every path reads the whole axis, or where no path leads to the layer.  A path
        whose field or jump is beyond `MAX_SIZE` samples counts as one that reads all of it.
    max
        None where some path reads the whole axis, or where no path leads to the layer.
    """

    min: tuple[Size | None, ...]
    max: tuple[Size | None, ...]


class _Axis(NamedTuple):
    """All paths to one node along one axis: the states that can become the least and greatest.

    After upsampling jumps are fractions.  All states of an axis are in whole numbers of the same
    part of a sample, since fractions take ten times as long.
    """

    low: tuple[_State, ...] = ()
    high: tuple[_State, ...] = ()
    whole: bool = False
    parts: int = 1


_START = (_State(1, 1),)


def path_fields_of(
    graph: Graph, reference: int = 0, *, ignore_gates: bool = False
) -> list[PathFields]:
    """Return for each node the least and the greatest field over all paths from the reference.

    Parameters
    ----------
    graph
        The network.
    reference
        Node at which paths begin.
    ignore_gates
        Whether context operations read their own position only, and branches without positions
        add nothing where they meet others.
    """
    nodes = graph.nodes
    axes = len(nodes[0].size)
    nothing = (_Axis(),) * axes
    found: list[tuple[_Axis, ...]] = [nothing] * len(nodes)
    found[reference] = (_Axis(_START, _START),) * axes
    result = [_summary(nothing)] * len(nodes)
    result[reference] = _summary(found[reference])
    left = MAX_FOLLOWED
    for node in nodes[reference + 1 :]:
        give_way()
        index, _, op, inputs, _, _, _, rules = node
        source = found[inputs[0]]
        if len(inputs) > 1:
            most = MAX_STATES if left > 0 else 1
            source = _joined([found[x] for x in inputs], ignore_gates, most)
        if ignore_gates and op is not None:
            rules = op.local_rules(rules)
        here = source if _leaves_all(rules) else _through(source, rules)
        found[index] = here
        left -= sum([len(x.low) + len(x.high) - 2 for x in here])
        result[index] = result[inputs[0]] if here is found[inputs[0]] else _summary(here)
    return result


def _leaves_all(rules: AxisRules) -> bool:
    for rule in rules:
        if type(rule) is not Window or rule.kernel != 1 or rule.stride != 1:
            return False
    return True


def _joined(sources: list[tuple[_Axis, ...]], ignore_gates: bool, most: int) -> tuple[_Axis, ...]:
    head = sources[0]
    if all(x is head for x in sources):
        return head
    joined: list[_Axis] = []
    for axis, branches in enumerate(zip(*sources, strict=True)):
        if axis and all(x[axis] is x[0] for x in sources):
            joined.append(joined[0])
            continue
        parts = lcm(*[x.parts for x in branches])
        if parts > MAX_PARTS:
            parts = max(x.parts for x in branches)
        same = [_in_parts(x, parts) for x in branches]
        low = [state for x in same for state in x.low]
        high = [state for x in same for state in x.high]
        whole = any(x.whole for x in same) and not (ignore_gates and low)
        fronts = _front(low, most, least=True), _front(high, most, least=False)
        joined.append(_Axis(*fronts, whole, parts))
    return tuple(joined)


def _in_parts(axis: _Axis, parts: int) -> _Axis:
    """Return the same states in other parts of a sample, rounded down where those are larger."""
    have = axis.parts
    if parts == have:
        return axis
    low, high = (
        tuple([_State(size * parts // have, jump * parts // have) for size, jump in x])
        for x in axis[:2]
    )
    return _Axis(low, high, axis.whole, parts)


def _front(states: Iterable[_State], most: int, *, least: bool) -> tuple[_State, ...]:
    """Return the states that can still become the least, or the greatest, further on.

    Growth is proportional to the jump, so one state rules another out if both its size and its
    jump are on the right side.  More than `most` become one that is a bound of them.
    """
    ordered = sorted(set(states), reverse=not least)
    front: list[_State] = []
    for state in ordered:
        if not front or (state.jump < front[-1].jump if least else state.jump > front[-1].jump):
            front.append(state)
    if len(front) > most:
        extreme = min if least else max
        bound = _State(front[0].size, extreme(x.jump for x in front))
        return (bound,)
    return tuple(front)


def _through(source: tuple[_Axis, ...], rules: AxisRules) -> tuple[_Axis, ...]:
    first = _along(source[0], rules[0])
    result = [first]
    for axis, rule in zip(source[1:], rules[1:], strict=True):
        # Both axes are the same in most networks: then they share their states.
        same = axis is source[0] and rule == rules[0]
        result.append(first if same else _along(axis, rule))
    return tuple(result)


def _along(source: _Axis, rule: AxisRule) -> _Axis:
    if type(rule) is Whole:
        return _Axis(whole=source.whole or bool(source.low))
    if isinstance(rule, Periodic) and not rule.taps_of_period:
        return _Axis()
    reach, factor = reach_and_factor(rule)
    times, over = (factor, 1) if type(factor) is int else factor.as_integer_ratio()
    parts = source.parts * over
    is_finer = over > 1 and any(x.jump * times % over for x in (*source.low, *source.high))
    if is_finer and parts <= MAX_PARTS:
        source = _in_parts(source, parts)
    low, high, whole, parts = source
    least = tuple([_State(size + reach * jump, jump * times // over) for size, jump in low])
    most = least
    if high is not low and high != low:
        most = tuple([_State(size + reach * jump, jump * times // over) for size, jump in high])
    furthest = max([max(size, abs(jump)) for size, jump in (*least, *most)], default=0)
    if furthest > MAX_SIZE * parts:
        return _beyond(_Axis(least, most, whole, parts))
    return _Axis(least, most, whole, parts)


def _beyond(axis: _Axis) -> _Axis:
    """Return the same without paths that reach further than is counted: they read the whole axis.

    Else thousands of strides make numbers of thousands of digits, which Python does not write.
    """
    most = MAX_SIZE * axis.parts
    low, high = (
        tuple([x for x in states if x.size <= most and abs(x.jump) <= most]) for states in axis[:2]
    )
    return _Axis(low, high, True, axis.parts)


def reach_and_factor(rule: AxisRule) -> tuple[int, Size]:
    """Return d (k − 1), the distance of the outermost taps, and the stride; mirrored or not."""
    if type(rule) is Window:
        return rule.dilation * (rule.kernel - 1), rule.stride
    assert isinstance(rule, Periodic)
    return rule.widest_phase, _quotient(abs(rule.advance), rule.period)


def _summary(axes: tuple[_Axis, ...]) -> PathFields:
    return PathFields(
        tuple([_quotient(min(x.low).size, x.parts) if x.low else None for x in axes]),
        tuple(
            [None if x.whole or not x.high else _quotient(max(x.high).size, x.parts) for x in axes]
        ),
    )


def _quotient(value: int, parts: int) -> Size:
    """Return a quotient, a whole number as such, which takes a fraction of a `Fraction`'s time."""
    whole, rest = divmod(value, parts)
    return Fraction(value, parts) if rest else whole


def plain(value: Size) -> Size:
    """Return a whole number as such."""
    return value.numerator if type(value) is Fraction and value.denominator == 1 else value


# --- layers and input sizes ---------------------------------------------------------------------


def is_window_layer(node: Node) -> bool:
    """Whether a node slides a window over its map: a convolution, also of size 1, or a pool."""
    return hasattr(node.op, "kernel_size") and not any(type(x) is Whole for x in node.rules)


def critical_layers(graph: Graph, paths: Sequence[PathFields], size: Sequence[int]) -> list[int]:
    """Return the window layers whose least field is larger than the input along every axis [1]_.

    Parameters
    ----------
    graph
        The network.
    paths
        What `path_fields_of` returns.
    size
        Size of the input along each axis, in pixels.
    """
    return [
        node.index
        for node in graph.nodes[1:]
        if is_window_layer(node)
        and all(
            low is not None and low > n for low, n in zip(paths[node.index].min, size, strict=True)
        )
    ]


def border_layers(
    graph: Graph, paths: Sequence[PathFields], size: Sequence[int], revision: Revision = "first"
) -> list[int]:
    """Return the window layers that are expected to add nothing at an input size [1]_.

    Their own least field and that of each of their inputs is at least as large as the input.

    Parameters
    ----------
    graph
        The network, expanded at that size.
    paths
        What `path_fields_of` returns.
    size
        Size of the input along each axis, in pixels.
    revision
        "later" adds layers whose input map is no larger than their kernel.
    """
    found = []
    for node in graph.nodes[1:]:
        if not is_window_layer(node):
            continue
        fields = [paths[x].min for x in (*node.inputs, node.index)]
        covered = all(
            low is not None and low >= n
            for least in fields
            for low, n in zip(least, size, strict=True)
        )
        small = revision == "later" and all(
            type(x) is Window and x.n_in <= x.dilation * (x.kernel - 1) + 1 for x in node.rules
        )
        if covered or small:
            found.append(node.index)
    return found


def input_range(graph: Graph, paths: Sequence[PathFields]) -> tuple[tuple[Size, Size] | None, ...]:
    """Return for each axis the input sizes that a network can use [1]_.

    From the largest least field of the inputs of window layers, below which some layer adds
    nothing, to the largest greatest field, beyond which no layer sees all of the input.  None
    for an axis along which there is no window layer.
    """
    layers = [node for node in graph.nodes[1:] if is_window_layer(node)]
    result: list[tuple[Size, Size] | None] = []
    for axis in range(len(graph.nodes[0].size)):
        lows = [paths[x].min[axis] for node in layers for x in node.inputs]
        highs = [paths[node.index].max[axis] for node in layers]
        low = [x for x in lows if x is not None]
        high = [x for x in highs if x is not None]
        result.append((max(low), max(high)) if low and high else None)
    return tuple(result)
