"""Blocks: the input that a run of units of a layer needs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import floor

import numpy as np

from rfstudio.core.axes.axis_set import AxisSet
from rfstudio.core.axes.unit_intervals import AnyTrack, Interval, Units, hull_of, hull_of_bounds
from rfstudio.core.errors import UnitError
from rfstudio.core.fields.backtrace import MAX_WORK, Region, check_unit, walk_back
from rfstudio.core.fields.field import AxisField, whole_of
from rfstudio.core.fields.local import Fields
from rfstudio.core.network.graph import Graph
from rfstudio.core.work import at_most


@dataclass(frozen=True)
class Block:
    """What the units from `first` to `last` of a layer need of the reference map.

    Attributes
    ----------
    layer
        Path of the layer.
    first, last
        The outermost units, both included.
    theoretical_region
        Hull of what they see by the formulas, (first, last) along each axis, unclipped.
    context
        Samples before and after the units' own cells along each axis; None where the whole axis
        is needed.
    region
        Exactly what reaches them.
    """

    layer: str
    first: tuple[int, ...]
    last: tuple[int, ...]
    theoretical_region: tuple[Interval, ...] | None
    context: tuple[tuple[int, int] | None, ...]
    region: Region = field(repr=False)

    @property
    def visible_region(self) -> tuple[Interval, ...] | None:
        """Hull of the samples that really reach the units; None if none does."""
        return self.region.hull


def block_of(
    graph: Graph,
    fields: Sequence[Fields],
    index: int,
    first: tuple[int, ...],
    last: tuple[int, ...],
    reference: int = 0,
) -> Block:
    """Return what the units from `first` to `last` of a node need of the reference map.

    Raises
    ------
    UnitError
        If there are no such units.
    """
    check_unit(graph, index, first)
    check_unit(graph, index, last)
    if any(a > b for a, b in zip(first, last, strict=True)):
        raise UnitError(f"the first unit of a block, {first}, is after the last, {last}")
    start = {index: [tuple([AxisSet(a, b + 1) for a, b in zip(first, last, strict=True)])]}
    refusal = f"what these units of '{graph.nodes[index].name}' read is too much to follow"
    with at_most(MAX_WORK, f"{refusal}; take a smaller block or input"):
        found = walk_back(graph, start, reference, only_reference=True)
    size = graph.nodes[reference].size
    seen = [
        _whole_over(x, a, b, n) if x.whole else _hull_over(x, a, b)
        for x, a, b, n in zip(fields[index], first, last, size, strict=True)
    ]
    theoretical = tuple(x for x in seen if x is not None)
    context = tuple(
        None if interval is None else _context(x, interval, a, b)
        for x, interval, a, b in zip(fields[index], seen, first, last, strict=True)
    )
    return Block(
        graph.nodes[index].name,
        first,
        last,
        theoretical if len(theoretical) == len(seen) else None,
        context,
        Region(size, tuple(found.get(reference, ()))),
    )


def _outermost(tracks: Sequence[AnyTrack], first: int, last: int) -> Units:
    """Return the units that see the furthest: those of one period at either end."""
    period = max((x.period for x in tracks), default=1)
    if last - first < 2 * period:
        return np.arange(first, last + 1)
    return np.concatenate(
        [np.arange(first, first + period), np.arange(last - period + 1, last + 1)]
    )


def _whole_over(axis: AxisField, first: int, last: int, size: int) -> Interval | None:
    """Return the hull of what units see of an axis that they read whole, or one side of it."""
    tracks = () if axis.one_sided is None else axis.one_sided.tracks
    units = _outermost(tracks, first, last).tolist()
    return hull_of([whole_of(axis, unit, size) for unit in units])


def _hull_over(axis: AxisField, first: int, last: int) -> Interval | None:
    """Return the hull of what units see."""
    units = _outermost(axis.tracks, first, last)
    if not axis.tracks:
        return None
    low, high = hull_of_bounds(x.bounds(units) for x in axis.tracks)
    there = low <= high
    if not there.any():
        return None
    return hull_of([(int(low[there].min()), int(high[there].max()))])


def _context(axis: AxisField, interval: Interval, first: int, last: int) -> tuple[int, int] | None:
    jump = axis.jump
    if jump is None:
        return None
    return floor(first * jump) - interval[0], interval[1] - (-floor(-(last + 1) * jump) - 1)
