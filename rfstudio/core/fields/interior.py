"""The interior of a map: the units that no padding reaches.

A unit is interior if what it reads by the formulas stays inside every map on the way, so that
neither padding of any mode nor a clamped border affects its value.
"""

from __future__ import annotations

from rfstudio.core.axes.axis_rule import AxisRule, Periodic, Whole, Window
from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import FurtherInput
from rfstudio.core.work import give_way

_NONE: Interval = (0, -1)


def interiors_of(graph: Graph, reference: int = 0) -> list[tuple[Interval | None, ...]]:
    """Return for each node the first and last interior unit along each axis.

    None along an axis without one, and for nodes that do not read the reference.  Where some
    units of a transposed convolution with gaps read nothing, the run in the middle is meant.
    """
    nodes = graph.nodes
    axes = len(nodes[0].size)
    found: list[tuple[Interval, ...] | None] = [None] * len(nodes)
    found[reference] = tuple((0, n - 1) for n in nodes[reference].size)
    known: dict[tuple[Interval, int], Interval] = {}  # copies of a repeated layer share its rules

    def inside(interval: Interval, rule: AxisRule) -> Interval:
        if type(rule) is Window:
            return _inside(interval, rule)
        key = (interval, id(rule))
        if key not in known:
            known[key] = _inside(interval, rule)
        return known[key]

    for node in nodes[reference + 1 :]:
        give_way()
        if isinstance(node.op, FurtherInput):
            continue
        sources = [found[x] for x in node.inputs]
        live = [x for x in sources if x is not None]
        if not live:
            continue
        here = live[0]
        if len(live) > 1:
            here = tuple(
                [
                    (max(x[0] for x in axis), min(x[1] for x in axis))
                    for axis in zip(*live, strict=True)
                ]
            )
        rules = node.rules
        first = inside(here[0], rules[0])
        intervals = [first]
        for interval, rule in zip(here[1:], rules[1:], strict=True):
            # Both axes are the same in most networks.  Long patterns are known by identity.
            same = interval == here[0] and type(rule) is Window and rule == rules[0]
            intervals.append(first if same else inside(interval, rule))
        found[node.index] = tuple(intervals)
    return [
        (None,) * axes if x is None else tuple([y if y[0] <= y[1] else None for y in x])
        for x in found
    ]


def _inside(source: Interval, rule: AxisRule) -> Interval:
    """Return the outputs all of whose taps are interior units of the source."""
    low, high = source
    if type(rule) is Window:
        if rule.is_identity:
            return low, min(high, rule.n_out - 1)
        reach = rule.dilation * (rule.kernel - 1)
        first = -(-(low + rule.before) // rule.stride)
        last = (min(high, rule.n_read - 1) + rule.before - reach) // rule.stride
        return max(first, 0), min(last, rule.n_out - 1)
    if type(rule) is Whole and rule.side == "before":
        return (0, high) if low <= 0 else _NONE
    if type(rule) is Whole and rule.side == "after":
        return (low, rule.n_out - 1) if high >= rule.n_in - 1 else _NONE
    if type(rule) is Whole:
        return (0, rule.n_out - 1) if low <= 0 and high >= rule.n_in - 1 else _NONE
    assert not isinstance(rule, Window | Whole)
    if rule.advance < 0:
        return _inside_mirrored(source, rule)
    if rule.period <= _FEW:
        return _inside_of_few(source, rule)
    phases, leftmost, rightmost = rule.outer_taps
    if not phases.size:
        return 0, rule.n_out - 1
    if not rule.advance:
        is_inside = leftmost.min() >= low and rightmost.max() <= high
        return (0, rule.n_out - 1) if is_inside else _NONE
    # Of each phase the last unit that reaches before the interior, and the first one that reaches
    # beyond it.
    before = (-(-(low - leftmost) // rule.advance) - 1) * rule.period + phases
    beyond = ((high - rightmost) // rule.advance + 1) * rule.period + phases
    first = max(int(before.max()) + 1, 0)
    last = min(int(beyond.min()) - 1, rule.n_out - 1)
    return (first, last) if first <= last else _NONE


_FEW = 16
"""Phases up to which they are gone through one by one; thousands of layers may have a pattern."""


def _inside_of_few(source: Interval, rule: Periodic) -> Interval:
    """Return the same for a short pattern."""
    low, high = source
    period, advance = rule.period, rule.advance
    first, last = 0, rule.n_out - 1
    for phase, taps in enumerate(rule.phases):
        if not taps:
            continue
        if not advance:
            if taps[0] < low or taps[-1] > high:
                return _NONE
            continue
        before = (-(-(low - taps[0]) // advance) - 1) * period + phase
        beyond = ((high - taps[-1]) // advance + 1) * period + phase
        first, last = max(first, before + 1), min(last, beyond - 1)
    return (first, last) if first <= last else _NONE


def _inside_mirrored(source: Interval, rule: Periodic) -> Interval:
    """Return the same for a rule that runs backwards: that of its mirror image, mirrored."""
    count = -(-rule.n_out // rule.period) * rule.period
    phases = tuple(rule.taps(count - 1 - i) for i in range(rule.period))
    forwards = Periodic(rule.n_in, count, -rule.advance, phases)
    first, last = _inside(source, forwards)
    first, last = count - 1 - last, count - 1 - first
    return (max(first, 0), min(last, rule.n_out - 1)) if first <= last else _NONE
