"""The projective field: the units of a layer that read a sample of a map before it.

The reverse of the walk back from a unit: forwards through the graph, with the same unions of
products of axis sets, so that a unit is in the projective field of a pixel exactly if the pixel
is in the support of the unit.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.axis_rule import (
    AxisRule,
    Periodic,
    Whole,
    Window,
    source_of_padding,
)
from rfstudio.core.axes.axis_set import (
    MAX_LISTED,
    NOTHING,
    AxisSet,
    Mask,
    from_indices,
    from_mask,
)
from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.errors import UnitError
from rfstudio.core.fields.backtrace import Product, Region, check_unit, united
from rfstudio.core.network.graph import Graph
from rfstudio.core.work import give_way


@dataclass(frozen=True)
class ProjectiveField:
    """The units of one layer that read one sample of the reference map.

    Attributes
    ----------
    layer
        Path of the layer.
    pixel
        Position of the sample in the reference map.
    reference
        Path of the layer of that map.
    units
        Exactly the units that read it.
    """

    layer: str
    pixel: tuple[int, ...]
    reference: str
    units: Region = field(repr=False)

    @property
    def region(self) -> tuple[Interval, ...] | None:
        """First and last unit along each axis, both included; None if no unit reads it."""
        return self.units.hull

    def mask(self) -> NDArray[np.bool_]:
        """Return which units read the sample, as a boolean array of the layer's size."""
        return self.units.mask()

    @property
    def count(self) -> int:
        """Number of units that read the sample."""
        return self.units.count


def readers_of(graph: Graph, index: int, pixel: tuple[int, ...], reference: int = 0) -> Region:
    """Return the units of node `index` that read one sample of the reference map.

    Raises
    ------
    UnitError
        If the reference map has no such sample.
    """
    check_unit(graph, reference, pixel)
    nodes = graph.nodes
    on_the_way = nodes_between(graph, reference, index)
    found: dict[int, list[Product]] = {reference: [tuple([AxisSet(x, x + 1) for x in pixel])]}
    for i in on_the_way:
        give_way()
        node = nodes[i]
        products = [
            tuple([forwards(x, rule) for x, rule in zip(product, node.rules, strict=True)])
            for source in dict.fromkeys(node.inputs)
            for product in found.get(source, ())
        ]
        live = [x for x in products if not any(y.is_empty for y in x)]
        found[i] = united(live, node.size) if len(live) > 1 else live
    return Region(nodes[index].size, tuple(found.get(index, ())))


def nodes_between(graph: Graph, reference: int, index: int) -> list[int]:
    """Return the nodes on some path from the reference to a node, in order, without the first."""
    needed = {index}
    for node in graph.nodes[index:reference:-1]:
        if node.index in needed:
            needed.update(x for x in node.inputs if x >= reference)
    return sorted(x for x in needed if x > reference)


def forwards(read: AxisSet, rule: AxisRule) -> AxisSet:
    """Return the outputs that read at least one of the input samples `read`, really there."""
    read = read.below(rule.n_in)  # a merge of maps of different sizes, as in a draft, has one rule
    if read.is_empty:
        return NOTHING
    if type(rule) is Whole:
        first = read.start if rule.side == "before" else 0
        return AxisSet(first, read.stop if rule.side == "after" else rule.n_out)
    if type(rule) is Window:
        return _through_window(read, rule)
    assert isinstance(rule, Periodic)
    return _through_pattern(read, rule)


def _through_window(read: AxisSet, rule: Window) -> AxisSet:
    if rule.is_identity and rule.n_out >= rule.n_in:
        return read
    if rule.mode != "zeros":
        read, rule = _padded(read, rule)
    start, stop, mask = read
    stop = min(stop, rule.n_read)
    if stop <= start:
        return NOTHING
    reach = rule.dilation * (rule.kernel - 1)
    first = max(-(-(start + rule.before - reach) // rule.stride), 0)
    last = min((stop - 1 + rule.before) // rule.stride, rule.n_out - 1)
    if first > last:
        return NOTHING
    solid = mask is None and (
        rule.kernel == 1 or rule.dilation == 1 or stop - start >= rule.dilation
    )
    if solid:
        return AxisSet(first, last + 1)
    return from_mask(first, _touched(read, rule, first, last))


def _touched(read: AxisSet, rule: Window, first: int, last: int) -> Mask:
    """Return for the outputs `first` … `last` whether one of their taps is in the set."""
    count = last - first + 1
    if count > MAX_LISTED:
        raise UnitError(
            f"{count:,} units may read this sample, at places with gaps; at most {MAX_LISTED:,} "
            "are searched; use a smaller input"
        )
    starts = np.arange(first, last + 1) * rule.stride - rule.before
    touched = np.zeros(count, bool)
    for tap in range(rule.kernel):
        places = starts + rule.dilation * tap
        inside = (places >= read.start) & (places < min(read.stop, rule.n_read))
        if read.mask is not None:
            inside[inside] = read.mask[places[inside] - read.start]
        touched |= inside
    return touched


def _padded(read: AxisSet, rule: Window) -> tuple[AxisSet, Window]:
    """Return the set with the samples that are read for padding, on a map that has them."""
    reach = rule.dilation * (rule.kernel - 1)
    front = max(rule.before, 0)
    back = max((rule.n_out - 1) * rule.stride - rule.before + reach - (rule.n_in - 1), 0)
    there = read.dense(rule.n_in)
    places = [*range(-front, 0), *range(rule.n_in, rule.n_in + back)]
    sources = [source_of_padding(x, rule.n_in, rule.mode) for x in places]
    added = np.array([x is not None and there[x] for x in sources], bool)
    full = np.concatenate([added[:front], there, added[front:]])
    wider = Window(
        len(full),
        rule.n_out,
        rule.kernel,
        rule.stride,
        rule.dilation,
        rule.before - front if rule.before < 0 else 0,
    )
    return from_mask(0, full), wider


def _through_pattern(read: AxisSet, rule: Periodic) -> AxisSet:
    start, stop, mask = read
    if rule.taps_of_period == 0 or rule.n_out == 0:
        return NOTHING
    if mask is None and rule.rising_runs is not None:
        return _through_runs(read, rule, *rule.rising_runs)
    # Outputs whose turn may reach the samples; at a clamped border all those beyond it.
    low, high = 0, rule.n_out
    if rule.advance > 0:
        first = -(-(start - rule.greatest_tap) // rule.advance) * rule.period
        last = ((stop - 1 - rule.least_tap) // rule.advance + 1) * rule.period
        low = min(max(first, 0), rule.n_out)
        high = min(max(last, 0), rule.n_out)
        if rule.clamped and start == 0:
            low = 0
        if rule.clamped and stop == rule.n_in:
            high = rule.n_out
    if low >= high:
        return NOTHING
    if (high - low) * rule.taps_of_period // rule.period > MAX_LISTED:
        raise UnitError("too many units may read this sample; use a smaller input")
    outputs, inputs = rule.pairs_of(low, high)
    inside = (inputs >= start) & (inputs < stop)
    if mask is not None:
        inside[inside] = mask[inputs[inside] - start]
    return from_indices(outputs[inside])


def _through_runs(
    read: AxisSet, rule: Periodic, first: Sequence[int], last: Sequence[int]
) -> AxisSet:
    """Return the outputs that read a run of samples, where each of them reads a run.

    Both ends of what an output reads rise with it, so these outputs are a run as well: from the
    first whose last sample is not before the run, to the last whose first one is not after it.
    """
    low, high = 0, rule.n_out
    if not (rule.clamped and read.start == 0):
        turn = -(-(read.start - last[-1]) // rule.advance)
        low = turn * rule.period + bisect_left(last, read.start - turn * rule.advance)
    if not (rule.clamped and read.stop == rule.n_in):
        turn = (read.stop - 1 - first[0]) // rule.advance
        high = turn * rule.period + bisect_right(first, read.stop - 1 - turn * rule.advance)
    low, high = max(low, 0), min(high, rule.n_out)
    return AxisSet(low, high) if low < high else NOTHING
