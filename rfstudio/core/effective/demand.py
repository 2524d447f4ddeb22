"""The time and memory that an effective field takes, estimated before it begins.

A small file may need more than any machine has: eighteen upsamplings make a map of 8 million
samples a side.  The estimate follows the box of samples that the unit reads from map to map, and
adds what the layers store for each axis; it takes microseconds a layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import NamedTuple

from rfstudio.core.axes.axis_rule import AxisRule, Periodic, Window
from rfstudio.core.axes.axis_set import hull_read_back
from rfstudio.core.errors import TooLargeError
from rfstudio.core.memo import Recent
from rfstudio.core.network.graph import Graph
from rfstudio.core.work import at_most

MAX_BYTES = 512 * 2**20
"""Memory that an effective field may take."""

MAX_SECONDS = 20.0
"""Estimated time that an effective field may take; the window allows much less."""

# Measured on one core of a laptop, and rounded up.
_PER_LAYER = 60e-6
_PER_CELL = 8e-9
_PER_READ = 25e-9

_ROUNDED_UP = 3.0
"""How much more work is counted on the way than the time of most networks would suggest."""

_BYTES_A_CELL = 24
"""The map, the one it is made from, and one between."""

_BYTES_A_READ = 20

_BYTES_A_SAMPLE = 16
"""Of each axis of each map: how many samples count, and how large their values are."""


class Demand(NamedTuple):
    """What an effective field takes.

    Attributes
    ----------
    seconds
        Time, roughly.
    bytes
        Memory at the same time, roughly.
    """

    seconds: float
    bytes: int


Span = tuple[int, int]
"""First and last sample."""


def demand_of(graph: Graph, index: int, unit: tuple[int, ...], reference: int = 0) -> Demand:
    """Return what the effective field of a unit takes, before anything is worked out.

    Parameters
    ----------
    graph
        The network.
    index, unit
        Node and position of the unit.
    reference
        Node whose map the field is over.
    """
    reads, most_reads, cells, most_cells, sides = _bounds_of(graph)
    if cells > _FEW_CELLS:
        cells, most_cells = _cells_on_the_way(graph, index, unit, reference)
    # The field itself is over the whole map, and its numbers go over it several times.
    whole = prod(graph.nodes[reference].size)
    cells, most_cells = cells + 12 * whole, max(most_cells, whole)
    seconds = _PER_LAYER * index + _PER_CELL * cells + _PER_READ * reads
    memory = _BYTES_A_CELL * most_cells + _BYTES_A_READ * most_reads + _BYTES_A_SAMPLE * sides
    return Demand(seconds, memory)


def work_in(seconds: float) -> float:
    """Return how much work, as `rfstudio.core.work` counts it, an effective field may take.

    Parameters
    ----------
    seconds
        As for `affordable`.
    """
    return min(_ROUNDED_UP * seconds, MAX_SECONDS) / _PER_CELL


_FEW_CELLS = 3_000_000
"""Samples of all maps up to which it does not matter how many of them a unit reads."""


@contextmanager
def affordable(
    graph: Graph,
    index: int,
    unit: tuple[int, ...],
    reference: int = 0,
    seconds: float = MAX_SECONDS,
) -> Iterator[None]:
    """Refuse an effective field that would fill the memory or take long, before it begins.

    Some of the work shows on the way only, such as how many flows of different channels meet: it
    is counted within the context.

    Parameters
    ----------
    graph, index, unit, reference
        As in `demand_of`.
    seconds
        Time that it may take, on the machine on which `demand_of` was measured.

    Raises
    ------
    TooLargeError
        That says how much it would take.
    """
    demand = demand_of(graph, index, unit, reference)
    name = graph.nodes[index].name
    if demand.bytes <= MAX_BYTES and demand.seconds <= seconds:
        refusal = (
            f"the effective field of '{name}' takes more work than is spent on it, about "
            f"{seconds:g} seconds: too many flows of different channels meet on the way; take a "
            "smaller input, or a layer nearer to it, or measure the field"
        )
        with at_most(work_in(seconds), refusal):
            yield
        return
    what = f"about {demand.bytes / 1e9:,.1f} GB of memory"
    if demand.bytes <= MAX_BYTES:
        what = f"about {demand.seconds:,.0f} seconds"
    raise TooLargeError(
        f"the effective field of '{name}' over "
        f"{'×'.join(map(str, graph.nodes[reference].size))} would take {what}; at most "
        f"{MAX_BYTES / 1e9:.1f} GB and {seconds:g} seconds are allowed; use a smaller input "
        "or an earlier layer"
    )


class _Bounds(NamedTuple):
    """Bounds that hold for all units of a network.

    Attributes
    ----------
    reads, most_reads
        Reads that are listed axis by axis, and the most of one axis.  The copies of a repeat
        share theirs.
    cells, most_cells
        Samples of all maps, and those of the largest.
    sides
        Samples along the axes of all maps.
    """

    reads: int
    most_reads: int
    cells: int
    most_cells: int
    sides: int


def _bounds_of(graph: Graph) -> _Bounds:
    """Return the bounds of a network; the last few are remembered, for the next unit."""
    return _recent.about(graph, None, lambda: _worked_out(graph))


_recent: Recent[Graph, _Bounds] = Recent(3)


def _worked_out(graph: Graph) -> _Bounds:
    by_size: dict[tuple[int, ...], int] = {}
    by_rules: dict[int, tuple[int, int]] = {}
    cells = sides = 0
    for _, _, _, inputs, size, _, _, rules in graph.nodes:
        count = by_size.get(size)
        if count is None:
            count = by_size[size] = prod(size)
        cells += count * len(inputs)
        sides += sum(size)
        if id(rules) not in by_rules:
            reads = [_reads(x) for x in rules]
            by_rules[id(rules)] = sum(reads), max(reads)
    return _Bounds(
        sum(x for x, _ in by_rules.values()),
        max(x for _, x in by_rules.values()),
        cells,
        max(by_size.values()),
        sides,
    )


def _reads(rule: AxisRule) -> int:
    if type(rule) is Window:
        if rule.mode != "zeros":
            return 40 * rule.n_out  # looked up one by one
        return rule.n_out * rule.kernel if rule.kernel > 1 else 0
    if isinstance(rule, Periodic):
        return 4 * (-(-rule.n_out // rule.period) * rule.taps_of_period)
    return rule.n_in


def _cells_on_the_way(
    graph: Graph, index: int, unit: tuple[int, ...], reference: int
) -> tuple[int, int]:
    """Return the samples of all boxes that a unit reads, and those of the largest."""
    nodes = graph.nodes
    boxes: dict[int, tuple[Span, ...]] = {index: tuple([(u, u) for u in unit])}
    total = most = 0
    for i in range(index, reference, -1):
        box = boxes.pop(i, None)
        if box is None:
            continue
        node = nodes[i]
        cells = prod([b - a + 1 for a, b in box])
        for source in node.inputs:
            size = nodes[source].size
            if 0 in size:
                continue
            if len(node.inputs) == 1:
                read = tuple(
                    [hull_read_back(span, rule) for span, rule in zip(box, node.rules, strict=True)]
                )
            else:
                read = tuple(
                    [(min(a, n - 1), min(b, n - 1)) for (a, b), n in zip(box, size, strict=True)]
                )
            known = boxes.get(source)
            if known is not None:
                read = tuple(
                    [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(read, known, strict=True)]
                )
            boxes[source] = read
            cells = max(cells, prod([b - a + 1 for a, b in read]))
        total += cells * len(node.inputs)
        most = max(most, cells)
    return total, most
