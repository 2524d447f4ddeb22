"""Tiles: an image processed in parts whose results equal those of the whole image.

A tile begins at a multiple of the *period*, so that strides, phases and windows fall on it as on
the whole image; it is cut with an *overlap* before and after, and only the units in the middle
are written.  The overlap is the largest reach of the units of one period of the output beyond
their own output cell: unit u of jump S has the cell [⌊u·S⌋, ⌈(u + 1)·S⌉ − 1].  The reach is taken
at every map on the way, since a crop can hide samples that the input still has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import floor, lcm, prod

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRule, Periodic, Whole, Window
from rfstudio.core.axes.ends import NEVER
from rfstudio.core.axes.unit_intervals import Bounds, Interval, Units
from rfstudio.core.errors import GraphError
from rfstudio.core.fields.local import Fields, is_context, local_rules
from rfstudio.core.fields.projective import nodes_between
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.network.physical import Axis
from rfstudio.core.shown import Shown
from rfstudio.core.work import give_way

MAX_TILES = 1_000_000
"""Tiles that a plan lists."""

_MAX_UNITS = 1 << 20
"""Units in one period of the output, of which each is looked at."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One part of an image.

    Attributes
    ----------
    read
        First and last sample of the input that the network is given, along each axis.
    write
        First and last unit of the layer that are taken from the result, as in the whole map.
    """

    read: tuple[Interval, ...]
    write: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class TilePlan(Shown):
    """How an image may be cut into tiles; all tuples have one entry per axis.

    Attributes
    ----------
    layer
        Path of the layer whose map is put together.
    period
        Tiles start at multiples of it, in samples; their size is that of the image modulo it.
    overlap
        Samples before and after the middle of a tile; None where the layer has no positions.
    exact
        Whether the parts then equal the whole.
    reasons
        Why not, naming layers; then `overlap` is that of the local field.
    tile
        Size of a tile with its overlap; None without a plan.
    plan
        The tiles, row by row; empty where no image was given.
    axes
        What each axis of the input measures; empty: it is not known.
    """

    layer: str
    period: tuple[int, ...]
    overlap: tuple[tuple[int, int] | None, ...]
    exact: bool
    reasons: tuple[str, ...]
    tile: tuple[int, ...] | None = None
    plan: tuple[Tile, ...] = ()
    axes: tuple[Axis, ...] = ()


def tile_plan(
    graph: Graph,
    local: Sequence[Fields],
    index: int,
    *,
    tile: Sequence[int] | None = None,
    with_plan: bool = False,
) -> TilePlan:
    """Return period, overlap and, on demand, the tiles of an image.

    Parameters
    ----------
    graph
        The network, expanded at the size of the image.
    local
        The local field of each node.
    index
        Node whose map is put together.
    tile
        Largest size of a tile with its overlap, in samples; None: the least that has a middle of
        at least its overlap.
    with_plan
        Whether tiles are listed.

    Raises
    ------
    GraphError
        If the network has faults at this size, or a tile of that size has no middle.
    """
    if graph.faults:
        raise GraphError(graph.faults[0].message)
    nodes = [graph.nodes[x] for x in (0, *nodes_between(graph, 0, index))]
    reasons = _reasons(graph, local, nodes)
    axes = range(len(graph.nodes[0].size))
    cut = [_AxisCut.of(graph, local, nodes, index, axis) for axis in axes]
    result = TilePlan(
        graph.nodes[index].name,
        tuple(x.period for x in cut),
        tuple(x.overlap for x in cut),
        not reasons,
        reasons,
    )
    if not with_plan or any(x.overlap is None for x in cut):
        return result
    wanted = [None] * len(cut) if tile is None else list(tile)
    if len(wanted) != len(cut):
        raise GraphError(f"a tile has {len(cut)} sizes, one per axis, not {len(wanted)}")
    sides = [x.side(n) for x, n in zip(cut, wanted, strict=True)]
    along = [list(x.parts(n)) for x, n in zip(cut, sides, strict=True)]
    if prod(map(len, along)) > MAX_TILES:
        raise GraphError(f"that would be more than {MAX_TILES:,} tiles; use larger ones")
    plan = tuple(
        Tile(tuple(x[0] for x in parts), tuple(x[1] for x in parts)) for parts in product(*along)
    )
    return TilePlan(
        result.layer,
        result.period,
        result.overlap,
        result.exact,
        result.reasons,
        tuple(sides),
        plan,
    )


def _reasons(graph: Graph, local: Sequence[Fields], nodes: Sequence[Node]) -> tuple[str, ...]:
    """Return what makes a part of the image differ from the whole, whatever the overlap."""
    found = []
    for node in nodes[1:]:
        op = node.op
        if isinstance(op, ops.FurtherInput):
            found.append(f"'{node.name}' is an input of its own, which is not cut into these tiles")
        elif any(type(x) is Whole for x in node.rules):
            what = "" if is_context(op, node.rules) else " and has no positions"
            found.append(f"'{node.name}' reads the whole map{what}")
        elif isinstance(op, ops.AdaptiveAvgPool | ops.AdaptiveMaxPool) or any(
            isinstance(x, Periodic) and x.by_size for x in node.rules
        ):
            found.append(f"'{node.name}' places its samples by the size of the whole map")
        elif _has_fixed_size(op):
            if node.index in graph.sized_by:
                if any(x.n_out % x.n_in for x in node.rules if x.n_in):
                    found.append(f"'{node.name}' places its samples by the sizes of two maps")
            elif any(x.n_in != x.n_out for x in node.rules):
                found.append(f"'{node.name}' makes a map of a fixed size")
        elif any(isinstance(x, Periodic) and x.advance < 0 for x in node.rules):
            found.append(f"'{node.name}' mirrors the map")
        elif any(isinstance(x, Window) and x.mode == "circular" for x in node.rules):
            found.append(f"'{node.name}' reads the other end of the map at its border")
        elif len(node.inputs) > 1:
            for fields in zip(*(local[x] for x in node.inputs), strict=True):
                jumps = {x.jump for x in fields if x.tracks}
                if len(jumps) > 1 or None in jumps:
                    found.append(f"'{node.name}' joins branches of different stride")
                    break
    return tuple(found)


def _has_fixed_size(op: ops.Op | None) -> bool:
    """Whether the map, or where it starts, is given in samples that do not move with its ends."""
    if isinstance(op, ops.Slice):
        return op.depends_on_size
    return isinstance(op, ops.Upsample | ops.Crop) and op.size is not None


@dataclass(frozen=True, slots=True)
class _AxisCut:
    """How tiles are cut along one axis.

    Attributes
    ----------
    samples, units
        Size of the input and of the layer's map.
    jump
        Jump of the layer.
    period
        See `TilePlan`.
    overlap
        See `TilePlan`.
    """

    samples: int
    units: int
    jump: Fraction
    period: int
    overlap: tuple[int, int] | None

    @classmethod
    def of(
        cls,
        graph: Graph,
        local: Sequence[Fields],
        nodes: Sequence[Node],
        index: int,
        axis: int,
    ) -> _AxisCut:
        samples, units = graph.nodes[0].size[axis], graph.nodes[index].size[axis]
        jump = local[index][axis].jump
        period = _period(local, nodes, axis)
        if jump is None or not jump:
            return cls(samples, units, Fraction(1), period, None)
        overlap = _overlap(graph, local, nodes, index, axis, period)
        return cls(samples, units, Fraction(jump), period, overlap)

    def side(self, wanted: int | None) -> int:
        """Return the size of a tile: of the image modulo the period, and at most as wanted."""
        assert self.overlap is not None
        before, after = self.overlap
        if wanted is None:
            wanted = 2 * (max(before, 0) + max(after, 0)) + 2 * self.period
        if wanted >= self.samples:
            return self.samples
        # As few whole periods less than the image as make it no larger than wanted.
        return self.samples - -(-(self.samples - wanted) // self.period) * self.period

    def parts(self, side: int) -> Iterator[tuple[Interval, Interval]]:
        """Yield what each tile reads, in samples, and writes, in units."""
        assert self.overlap is not None
        before, after = self.overlap
        start, unit = 0, 0
        while True:
            stop = start + side
            last = self.units - 1
            if stop < self.samples:
                last = min(floor((stop - after) / self.jump) - 1, last)
            if last < unit or side < 1:
                raise GraphError(
                    f"a tile of {max(side, 0)} samples has no middle: the overlap is {before} "
                    f"before and {after} after, and tiles start at multiples of {self.period}"
                )
            yield (start, stop - 1), (unit, last)
            if last == self.units - 1:
                return
            unit = last + 1
            following = (floor(unit * self.jump) - before) // self.period * self.period
            following = min(following, self.samples - side)
            start = max(following, start)


def _period(local: Sequence[Fields], nodes: Sequence[Node], axis: int) -> int:
    """Return the samples after which all strides, phases and windows on the way repeat."""
    period = 1
    for node in nodes[1:]:
        rule = local_rules(node.op, node.rules)[axis]
        if type(rule) is Whole:
            continue
        assert isinstance(rule, Window | Periodic)
        advance = rule.stride if isinstance(rule, Window) else rule.advance
        for source in node.inputs:
            field = local[source][axis]
            for track in field.tracks:
                # A whole number of pixels is a multiple of a fraction in lowest terms exactly if it
                # is one of its numerator.
                period = lcm(period, (track.jump * advance).numerator or 1)
    return period


def _floors(units: NDArray[np.int64], jump: Fraction) -> NDArray[np.int64]:
    """Return the whole samples that units are at, or before."""
    if int(np.abs(units).max(initial=0)) * jump.numerator <= NEVER:
        return units * jump.numerator // jump.denominator
    return np.array([floor(u * jump) for u in units.tolist()])


def _overlap(
    graph: Graph,
    local: Sequence[Fields],
    nodes: Sequence[Node],
    index: int,
    axis: int,
    period: int,
) -> tuple[int, int] | None:
    """Return the largest reach before and after of the units of one period."""
    samples = graph.nodes[0].size[axis]
    jump = local[index][axis].jump
    assert jump is not None
    count = max(int(period / Fraction(jump)), 1)
    if count > _MAX_UNITS:
        return None
    rules = [local_rules(x.op, x.rules)[axis] for x in nodes]
    if any(isinstance(x, Periodic) and x.by_size for x in rules):
        count = min(count, graph.nodes[index].size[axis])  # what is by size has no other units
    units = np.arange(count)
    starts = _floors(units, Fraction(jump))
    stops = -_floors(-(units + 1), Fraction(jump))
    needs: dict[int, Bounds] = {index: np.stack([units, units])}
    before, after = -NEVER, -NEVER
    done: tuple[Bounds, Fraction, int] | None = None
    for node, rule in zip(reversed(nodes), reversed(rules), strict=True):
        give_way()
        bounds = needs.pop(node.index, None)
        if bounds is None:
            continue
        # How far the tile's own map of this layer reaches, in samples of the input.
        for track in local[node.index][axis].tracks[:1]:
            if done and done[0] is bounds and done[1:] == (track.jump, node.size[axis]):
                continue  # a map of the same shape, of which the same is read
            done = (bounds, track.jump, node.size[axis])
            found = _reach(bounds, starts, stops, track.jump, samples, node.size[axis])
            before, after = max(before, found[0]), max(after, found[1])
        if node.index == 0 or type(rule) is Whole:
            continue
        read = _read(rule, bounds)
        for source in dict.fromkeys(node.inputs):
            if local[source][axis].tracks:
                known = needs.get(source)
                needs[source] = read if known is None else _hull(known, read)
    return (before, after) if before > -NEVER else (0, 0)


def _reach(
    bounds: Bounds, starts: Bounds, stops: Bounds, step: Fraction, samples: int, size: int
) -> tuple[int, int]:
    """Return how far units read beyond their cells on one map, in samples of the input.

    Parameters
    ----------
    bounds
        First and last place of the map that each unit reads.
    starts, stops
        The cell of each unit, half-open.
    step
        Jump of the map.
    samples, size
        Size of the input and of the map.
    """
    there = bounds[0] <= bounds[1]
    if not there.any():
        return -NEVER, -NEVER
    first, last = bounds[:, there]
    # In whole numbers, since fractions are a hundred times slower; ⌈a/b⌉ is -⌊-a/b⌋.
    up, down = step.numerator, step.denominator
    if abs(up) * int(max(np.abs(first).max(), np.abs(last).max(), size) + size + 1) >= NEVER:
        first, last = first.astype(object), last.astype(object)  # as large as it takes
    before = starts[there] - first * up // down
    after = samples - (size - last - 1) * up // down - stops[there]
    return int(before.max()), int(after.max())


def _hull(a: Bounds, b: Bounds) -> Bounds:
    return np.stack([np.minimum(a[0], b[0]), np.maximum(a[1], b[1])])


def _read(rule: AxisRule, bounds: Bounds) -> Bounds:
    """Return what the outputs of many intervals read by the formula, as intervals."""
    first, last = bounds
    there = first <= last
    if type(rule) is Window:
        read = np.stack(
            [
                first * rule.stride - rule.before,
                last * rule.stride - rule.before + rule.dilation * (rule.kernel - 1),
            ]
        )
    else:
        assert isinstance(rule, Periodic)
        read = _read_by_phases(rule, first, last)
    read[0, ~there] = NEVER
    read[1, ~there] = -NEVER
    return read


def _read_by_phases(rule: Periodic, first: Units, last: Units) -> Bounds:
    numbers, firsts, lasts = rule.outer_taps
    if _rises(firsts, rule.advance) and _rises(lasts, rule.advance):
        return _read_in_order(rule, first, last)
    low, high = np.full(rule.period, NEVER), np.full(rule.period, -NEVER)
    low[numbers], high[numbers] = firsts, lasts
    read = np.repeat([[NEVER], [-NEVER]], len(first), axis=1)
    # Phases need not rise from one to the next: all of one period at either end are looked at.
    widest = int(np.clip(last - first, 0, rule.period - 1).max(initial=0))
    for step in range(widest + 1):
        for units in (np.minimum(first + step, last), np.maximum(last - step, first)):
            turn, phase = np.divmod(units, rule.period)
            for row, table, outer in ((0, low, np.minimum), (1, high, np.maximum)):
                tap = table[phase]
                moved = np.where(abs(tap) < NEVER, tap + turn * rule.advance, tap)
                read[row] = outer(read[row], moved)
    return read


def _rises(taps: Units, advance: int) -> bool:
    """Whether outputs that read anything read further on, the further on they are."""
    return len(taps) > 0 and bool((np.diff(taps) >= 0).all()) and taps[0] + advance >= taps[-1]


def _read_in_order(rule: Periodic, first: Units, last: Units) -> Bounds:
    """Return what runs of outputs read where those at their ends read the outermost samples."""
    numbers, firsts, lasts = rule.outer_taps
    # The first output of a run that reads anything, perhaps in the next period, and the last one.
    turns, phases = np.divmod(first, rule.period)
    place = np.searchsorted(numbers, phases)
    turns, place = turns + place // len(numbers), place % len(numbers)
    there = turns * rule.period + numbers[place] <= last
    low = firsts[place] + turns * rule.advance
    turns, phases = np.divmod(last, rule.period)
    place = np.searchsorted(numbers, phases, "right") - 1
    turns, place = turns + place // len(numbers), place % len(numbers)
    high = lasts[place] + turns * rule.advance
    return np.stack([np.where(there, low, NEVER), np.where(there, high, -NEVER)])
