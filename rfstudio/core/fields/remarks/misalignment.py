"""Why the branches of a merge do not align, and what was tried and would align them.

Branches are judged with respect to the map at which they part (the *fork*): what went wrong
before it is the same for all of them.  There the centre of a branch is moved by a constant, which
a padding, a crop or another kernel may undo, or by an amount that depends on the unit, which
nothing can.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import lcm
from typing import Literal, NamedTuple

import numpy as np

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRules, Window
from rfstudio.core.axes.unit_intervals import MAX_PHASES
from rfstudio.core.editing.edits import set_op
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.field import START, AxisField, distance_of_plain
from rfstudio.core.fields.local import Fields, local_rules
from rfstudio.core.fields.recurrence import behind, merged
from rfstudio.core.fields.remarks.remark import Remedy
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import Op
from rfstudio.core.ops.geometry import identity_rules, resolved_padding
from rfstudio.core.work import A_CALL, spend

Reason = Literal["inherited", "earlier", "causal", "windows", "alternating", "constant", "strides"]
"""Why branches do not align; only of a constant offset a remedy can exist."""


class Spread(NamedTuple):
    """Distances of the centres of two branches along one axis over all units, in samples."""

    least: Fraction
    greatest: Fraction
    mean: Fraction


class Cause(NamedTuple):
    """Why the branches of one merge do not align.

    Attributes
    ----------
    reason
        See `Reason`.
    earlier
        Index of the first merge between fork and merge that does not align, if there is one.
    """

    reason: Reason
    earlier: int | None = None


Try = Callable[[Architecture], tuple[Graph, frozenset[int]]]
"""Returns the graph of a changed document and the indices of the merges that do not align."""


# --- forks --------------------------------------------------------------------------------------


def dominators(graph: Graph, reference: int = 0) -> list[int]:
    """Return for each node the last one before it that is on all paths from the reference."""
    nodes = graph.nodes
    above = [-1] * len(nodes)
    depth = [0] * len(nodes)
    above[reference] = reference
    for node in nodes[reference + 1 :]:
        sources = [x for x in node.inputs if above[x] >= 0]
        if not sources:
            continue
        common = sources[0]
        # Nodes come in graph order, so those above all sources are known: of two of them the one
        # with more nodes above it goes up by one until both are the same node.
        for other in sources[1:]:
            while common != other:
                if depth[common] >= depth[other]:
                    common = above[common]
                else:
                    other = above[other]
        above[node.index] = common
        depth[node.index] = depth[common] + 1
    return above


def _between(graph: Graph, fork: int, index: int) -> list[Node]:
    """Return the nodes after `fork` that a node reads through others, and itself, in order."""
    needed, found = {index}, []
    for node in graph.nodes[index:fork:-1]:
        if node[0] in needed:
            found.append(node)
            needed.update(node[3])
    return found[::-1]


class Relatives:
    """Local fields with respect to the maps at which branches part, each worked out once.

    Parameters
    ----------
    graph
        The network.
    bad
        Indices of all merges that do not align.
    """

    def __init__(self, graph: Graph, bad: frozenset[int] = frozenset()) -> None:
        self._graph = graph
        self._known: dict[tuple[int, bool], dict[int, Fields]] = {}
        self._done: dict[tuple[int, bool], int] = {}
        self.bad = bad
        self.causes: dict[Hashable, Cause] = {}

    @cached_property
    def kinds(self) -> list[int]:
        """For each node a number, the same for nodes that differ in nothing that a cause goes by.

        Operations and rules take long to compare, and a node is between many forks and merges.
        """
        by_object: dict[tuple[int, int, bool], int] = {}
        by_value: dict[tuple[Op | None, AxisRules, bool], int] = {}
        found = []
        for node in self._graph.nodes:
            is_bad = node.index in self.bad
            key = id(node.op), id(node.rules), is_bad
            kind = by_object.get(key)
            if kind is None:
                value = node.op, node.rules, is_bad
                kind = by_object[key] = by_value.setdefault(value, len(by_value))
            found.append(kind)
        return found

    def fields(self, fork: int, index: int, *, windows: bool = True) -> dict[int, Fields]:
        """Return the fields of the nodes from `fork` to before `index` that read the fork.

        Without `windows` as if attention windows held one unit each.
        """
        key = (fork, windows)
        if key not in self._known:
            self._known[key] = {fork: (START,) * len(self._graph.nodes[0].size)}
        fields = self._known[key]
        for node in self._graph.nodes[self._done.get(key, fork) + 1 : index]:
            sources = [fields[x] for x in node.inputs if x in fields]
            if not sources:
                continue
            spend(_A_FIELD)
            if len(node.inputs) > 1:
                fields[node.index] = merged(sources)[0]
                continue
            rules: AxisRules = local_rules(node.op, node.rules)
            if not windows and isinstance(node.op, ops.WindowAttention):
                rules = identity_rules(self._graph.nodes[node.inputs[0]].size)
            fields[node.index] = behind(sources[0], rules)
        self._done[key] = max(self._done.get(key, fork), index - 1)
        return fields


# --- causes -------------------------------------------------------------------------------------


_A_FIELD = 128
"""Work that the field of a node counts as, beside that of long patterns, in entries of arrays."""

_A_UNIT = 8
"""Work that comparing what one unit sees through two branches counts as."""


def cause_of(graph: Graph, index: int, fork: int, relatives: Relatives) -> Cause:
    """Return why the branches of a merge do not align, with respect to their fork.

    Parameters
    ----------
    graph
        The network.
    index, fork
        The merge, and the map at which its branches part.
    relatives
        Stores what was worked out, for the next merge.
    """
    nodes, kinds = _between(graph, fork, index), relatives.kinds
    # The turns of a repeat differ in nothing that a cause goes by.
    key = tuple(
        [
            (kinds[x[0]], x[3][0] - fork) if len(x[3]) == 1 else (kinds[x[0]], *_apart(x[3], fork))
            for x in nodes
        ]
    )
    known = relatives.causes.get(key)
    if known is None:
        known = _worked_out(graph, index, fork, nodes, relatives)
        relatives.causes[key] = known
    return known if known.earlier is None else known._replace(earlier=known.earlier + fork)


def _apart(indices: tuple[int, ...], fork: int) -> Iterator[int]:
    return (x - fork for x in indices)


def _worked_out(
    graph: Graph, index: int, fork: int, nodes: Sequence[Node], relatives: Relatives
) -> Cause:
    """Return the cause, with the earlier merge counted from the fork."""
    fields = relatives.fields(fork, index)
    branches = [fields[x] for x in graph.nodes[index].inputs if x in fields]
    _, misfits = merged(branches)
    if not misfits:
        return Cause("inherited")
    if any(isinstance(x.op, ops.WindowAttention) for x in nodes):
        plain = relatives.fields(fork, index, windows=False)
        if not merged([plain[x] for x in graph.nodes[index].inputs if x in plain])[1]:
            return Cause("windows")
    along = [[x[axis] for x in branches if x[axis].tracks] for axis in misfits]
    if any(len({t.jump for x in fields_ for t in x.tracks}) > 1 for fields_ in along):
        return Cause("strides")
    if all(_causal(fields_, alone=len(branches[0]) == 1) for fields_ in along):
        return Cause("causal")
    spreads = [spread_of(fields_[0], x) for fields_ in along for x in fields_[1:]]
    varying = any(x is not None and x.least != x.greatest for x in spreads)
    earlier = next((x.index for x in nodes[:-1] if x.index in relatives.bad), None)
    if earlier is not None and not varying:
        return Cause("earlier", earlier - fork)
    return Cause("alternating" if varying else "constant")


def spread_of(one: AxisField, other: AxisField) -> Spread | None:
    """Return how far the centres of two fields of one jump are apart, over all units."""
    a, b = one.tracks[0], other.tracks[0]
    distance = distance_of_plain(a, b)
    if distance is not None:
        return Spread(distance, distance, distance)
    units = np.arange(min(lcm(a.period, b.period), MAX_PHASES))
    spend(A_CALL + _A_UNIT * len(units))
    first, second = a.bounds(units), b.bounds(units)
    both = (first[0] <= first[1]) & (second[0] <= second[1])
    if not both.any():
        return None
    twice = (second.sum(axis=0) - first.sum(axis=0))[both]
    return Spread(
        Fraction(int(twice.min()), 2),
        Fraction(int(twice.max()), 2),
        Fraction(int(twice.sum()), 2 * len(twice)),
    )


def _causal(fields: Sequence[AxisField], *, alone: bool) -> bool:
    """Whether no branch reads anything after the unit, as networks over time do.

    On a signal (`alone` on its axis) it is enough that all branches end with the same sample:
    without padding a causal unit has a later place than what it reads.
    """
    jump = fields[0].jump
    if jump is None:
        return False
    period = lcm(*(x.tracks[0].period for x in fields))
    units = np.arange(min(period, MAX_PHASES))
    spend(A_CALL + _A_UNIT * len(units))
    own = np.array([int(u * Fraction(jump) // 1) for u in units.tolist()])
    bounds = [x.tracks[0].bounds(units) for x in fields]
    if all(bool((x[1] <= own).all()) for x in bounds):
        return True
    return alone and all(bool((x[1] == bounds[0][1]).all()) for x in bounds)


# --- remedies -----------------------------------------------------------------------------------

MAX_TRIES = 8
"""Changed documents that are analysed for one merge."""


def remedy_of(
    architecture: Architecture,
    graph: Graph,
    index: int,
    fork: int,
    old: frozenset[int],
    attempt: Try,
) -> Remedy | None:
    """Return the smallest change that was tried and aligns a merge, or None if none does.

    Tried are other paddings, kernels with one tap more or less, and other crops, of one layer on
    each branch that has to move.  A change counts if it aligns the merge, spoils no other one,
    and preserves the size of every map.

    Parameters
    ----------
    architecture, graph
        The document and its graph.
    index, fork
        The merge, and the map at which its branches part.
    old
        Indices of all merges that do not align now.
    attempt
        Analyses a changed document.
    """
    sizes = [x.size for x in graph.nodes]
    for _, edits in zip(range(MAX_TRIES), _candidates(graph, index, fork), strict=False):
        if any(node.index in graph.grown for node, _ in edits):
            continue  # what one turn of a repeat needs is not what all of them have
        try:
            changed = architecture
            for node, op in edits:
                assert node.location is not None
                changed = set_op(changed, node.location, op)
            there, bad = attempt(changed)
        except RFStudioError:
            continue
        if (
            len(there.faults) == len(graph.faults)
            and [x.size for x in there.nodes] == sizes
            and index not in bad
            and bad <= old
        ):
            text = " and ".join(_words(node, op) for node, op in edits)
            return Remedy(text, changed)
    return None


Edits = list[tuple[Node, Op]]


def _candidates(graph: Graph, index: int, fork: int) -> Iterator[Edits]:
    """Yield sets of edits by which all branches would have one centre, smallest sets first."""
    merge = graph.nodes[index]
    nodes = _between(graph, fork, index)
    fields = Relatives(graph).fields(fork, index)
    sources = [x for x in dict.fromkeys(merge.inputs) if x in fields]
    axes = range(len(merge.size))
    shifts: list[list[Fraction | None]] = []
    for source in sources:
        row = []
        for axis in axes:
            one, other = fields[sources[0]][axis], fields[source][axis]
            spread = spread_of(one, other) if one.tracks and other.tracks else None
            row.append(None if spread is None else spread.least)
        shifts.append(row)
    own = _exclusive(graph, nodes, sources)
    wanted = [
        {
            branch: by
            for branch, row in enumerate(shifts)
            if any(by := [_between_of(*x) for x in zip(row, shifts[target], strict=True)])
        }
        for target in range(len(sources))
    ]
    # There may be as many sets as there are tuples of edits: none is made before it is tried.
    for moved in sorted(wanted, key=len):
        moves = [_moves(fields, own[branch], by)[:MAX_TRIES] for branch, by in moved.items()]
        if all(moves):
            yield from map(list, product(*moves))


def _between_of(shift: Fraction | None, goal: Fraction | None) -> Fraction:
    """Return by how much a branch has to move; not at all where that is unknown."""
    return Fraction(0) if shift is None or goal is None else goal - shift


def _exclusive(graph: Graph, nodes: Sequence[Node], sources: Sequence[int]) -> list[list[Node]]:
    """Return for each branch the layers that only it has, the nearest to the merge first."""
    of_branch = []
    inside = {x.index for x in nodes}
    for source in sources:
        needed = {source} & inside
        for node in graph.nodes[source : min(inside) - 1 : -1]:
            if node.index in needed:
                needed.update(x for x in node.inputs if x in inside)
        of_branch.append(needed)
    return [
        [
            x
            for x in reversed(nodes)
            # A map that takes its size from another one is not given numbers instead.
            if x.index in mine
            and x.index not in graph.sized_by
            and not any(x.index in y for y in of_branch if y is not mine)
        ]
        for mine in of_branch
    ]


def _moves(
    fields: Mapping[int, Fields], nodes: Sequence[Node], wanted: Sequence[Fraction]
) -> list[tuple[Node, Op]]:
    """Return single edits that move the centre of a branch by so many samples of the fork."""
    plain: list[tuple[Node, Op]] = []
    odd: list[tuple[Node, Op]] = []
    for node in nodes:
        if len(node.inputs) > 1 or not all(type(x) is Window for x in node.rules):
            continue
        jumps = [x.jump for x in fields[node.inputs[0]]]
        if any(x is None or not x for x in jumps):
            continue
        steps = [a / Fraction(b or 1) for a, b in zip(wanted, jumps, strict=True)]
        op = node.op
        if isinstance(op, ops.Conv | ops.MaxPool | ops.AvgPool | ops.DeformConv | ops.Custom):
            plain += [(node, x) for x in _repadded(op, node, steps, (0,) * len(steps))]
            growth = tuple(0 if x.denominator == 1 else 1 for x in steps)
            if any(growth):
                smaller = tuple(-x for x in growth)
                odd += [(node, x) for x in _repadded(op, node, steps, growth)]
                odd += [(node, x) for x in _repadded(op, node, steps, smaller)]
        elif isinstance(op, ops.Pad | ops.Crop):
            plain += [(node, x) for x in _recropped(op, node, steps)]
    return plain + odd


def _repadded(
    op: ops.Windowed, node: Node, steps: Sequence[Fraction], growth: Sequence[int]
) -> Iterator[Op]:
    """Yield the window moved by `steps` input samples, with `growth` more taps on each axis."""
    sizes = tuple(x.n_in for x in node.rules)
    now = resolved_padding(op, sizes)
    kernels, choices = [], []
    for rule, (before, after), step, more in zip(node.rules, now, steps, growth, strict=True):
        assert isinstance(rule, Window)
        kernel = rule.kernel + more
        moved = before + Fraction(rule.dilation * more, 2) - step
        if kernel < 1 or moved.denominator != 1 or moved < 0:
            return
        total = before + after + rule.dilation * more
        first = int(moved)
        kernels.append(kernel)
        # The same total preserves the size; with a stride a little more may do so, too.
        spare = _nearest(first, max(total - first, 0), total - first + rule.stride)
        if step == 0 and not more:
            spare = [after]
        choices.append([(first, x) for x in spare])
    for pads in product(*choices):
        changed: dict[str, object] = {"padding": tuple(pads)}
        if any(growth):
            changed["kernel_size"] = tuple(kernels)
        try:
            yield replace(op, **changed)
        except RFStudioError:
            continue


_MAX_SPARE = 16
"""Paddings after the map that are tried with one before it: a stride may be very long."""


def _nearest(wanted: int, start: int, stop: int) -> list[int]:
    """Return the numbers from `start` to before `stop` nearest to `wanted`, and not too many."""
    middle = min(max(wanted, start), stop - 1)
    around = range(max(middle - _MAX_SPARE, start), min(middle + _MAX_SPARE + 1, stop))
    return sorted(around, key=lambda x: abs(x - wanted))[:_MAX_SPARE]


def _recropped(op: ops.Pad | ops.Crop, node: Node, steps: Sequence[Fraction]) -> Iterator[Op]:
    """Yield the padding or crop with samples moved from one side to the other."""
    if any(x.denominator != 1 for x in steps):
        return
    pads = []
    for rule, step in zip(node.rules, steps, strict=True):
        assert isinstance(rule, Window)
        before = rule.before - int(step)
        pads.append((before, rule.n_out - rule.n_in - before))
    if isinstance(op, ops.Pad):
        yield replace(op, padding=tuple(pads))
    elif all(a <= 0 and b <= 0 for a, b in pads):
        yield ops.Crop(margins=tuple((-a, -b) for a, b in pads))


def _words(node: Node, op: Op) -> str:
    words = []
    for name in ("kernel_size", "padding", "margins"):
        value = getattr(op, name, None)
        if value is not None and value != getattr(node.op, name, None):
            words.append(f"{name} {_yaml(value)}")
    return f"{' and '.join(words)} in '{node.name}'"


def _yaml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    return str(value)
