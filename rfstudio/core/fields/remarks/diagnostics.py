"""Remarks on layers, in words: what is unusual, where, and what can be done about it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRule, Periodic, Whole, Window
from rfstudio.core.axes.axis_set import AxisSet, union
from rfstudio.core.axes.unit_intervals import Track
from rfstudio.core.errors import TooLargeError
from rfstudio.core.fields.backtrace import MAX_WORK, read_by, read_by_all
from rfstudio.core.fields.field import (
    BEYOND,
    MAX_TRACKS,
    MAX_UNITS_BACK,
    AxisField,
    MergeMisfit,
)
from rfstudio.core.fields.reach import cut_off
from rfstudio.core.fields.remarks.merge_remarks import Repairs, misalignments
from rfstudio.core.fields.remarks.misalignment import dominators
from rfstudio.core.fields.remarks.remark import AXIS_NAMES, Diagnostic
from rfstudio.core.fields.remarks.scale import Scale
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import Context
from rfstudio.core.ops.geometry import MAX_SIDE
from rfstudio.core.plural import counted
from rfstudio.core.work import A_CALL, at_most, give_way, spend

__all__ = ["AXIS_NAMES", "Diagnostic", "diagnose"]

_HOLE_CHECKS = 8
"""Layers whose support is walked back to look for holes, at most: each costs one walk."""


def diagnose(
    graph: Graph,
    fields: Sequence[tuple[AxisField, ...]],
    local: Sequence[tuple[AxisField, ...]],
    misfits: Sequence[MergeMisfit],
    reference: int,
    scale: Scale,
    repairs: Repairs | None = None,
) -> tuple[Diagnostic, ...]:
    """Return all remarks on a network, in the order of its layers.

    Parameters
    ----------
    graph
        The network.
    fields
        Field of each node along each axis.
    local
        Local field of each node along each axis.
    misfits
        Merges whose branches do not align.
    reference
        Index of the node with respect to which fields are given.
    scale
        What sizes are given in.
    repairs
        How changed documents are tried; None: remedies are not looked for.
    """
    found: list[tuple[int, Diagnostic]] = []
    found += errors_of(graph)
    found += _without_field(graph, reference)
    found += misalignments(graph, local, misfits, reference, scale, repairs)
    blind: dict[int, int] = {}
    found += _beyond_counting(graph, fields, local, scale)
    found += _sampled_ranges(graph, fields, local)
    with at_most(_MAX_BORDERS, "the borders are too long to count"):
        for node in graph.nodes[1:]:
            give_way()
            assert node.op is not None
            if node.op.context not in _SILENT:
                found += [(node.index, x) for x in _of_layer(node, fields, local, blind, scale)]
    if not graph.faults:
        found += _larger_than_input(graph, fields, reference, scale)
        if _is_quickly_walked(graph):
            # Remarks are not worth the time and memory that longer walks back may take.
            with at_most(_MAX_WALKED, "walking back takes too long"):
                found += _holes(graph, fields, reference, scale)
                found += _dead_pixels(graph, reference, scale)
    return tuple(x for _, x in sorted(found, key=lambda pair: pair[0]))


def errors_of(graph: Graph) -> Iterator[tuple[int, Diagnostic]]:
    """Yield why a network would not run, each with the index of its layer."""
    for fault in sorted(graph.faults, key=lambda x: graph.paths.get(x.node, 0)):
        index = graph.paths.get(fault.node, 0)
        yield index, Diagnostic(fault.node, fault.code, fault.message, "error")


def _sampled_ranges(
    graph: Graph,
    fields: Sequence[tuple[AxisField, ...]],
    local: Sequence[tuple[AxisField, ...]],
) -> Iterator[tuple[int, Diagnostic]]:
    """Remark on the first layer whose map is too long to look at the field of every unit."""
    for node in graph.nodes[1:]:
        if max(node.size) <= MAX_UNITS_BACK:
            continue
        both = (fields[node.index], local[node.index])
        axes = [(x, n) for y in both for x, n in zip(y, node.size, strict=True)]
        most = min([x.most_units for x, n in axes if x.is_sampled(n)], default=0)
        if most:
            yield (
                node.index,
                Diagnostic(
                    node.name,
                    "range_at_ends",
                    f"from '{node.name}' on, where fields differ from unit to unit, their smallest "
                    f"and largest size are those of the first and last {most // 2:,} units of "
                    "an axis: the map is too large to examine all while editing.",
                    "note",
                ),
            )
            return


def _is_quickly_walked(graph: Graph) -> bool:
    """Whether walking back over whole maps takes little time and memory."""
    patterns = {id(x): x.n_out for node in graph.nodes for x in node.rules if type(x) is Periodic}
    return (
        max(max(node.size) for node in graph.nodes) <= MAX_SIDE
        and sum(patterns.values()) <= _MAX_LISTED
    )


_MAX_WALKED = MAX_WORK
"""Work of all walks back for remarks together."""

_MAX_LISTED = 1 << 20
"""Outputs of patterns, along an axis of all maps, that are gone through for a remark."""


def _without_field(graph: Graph, reference: int) -> Iterator[tuple[int, Diagnostic]]:
    """Remark on the first layer with units, after each empty map, that nothing reaches."""
    nodes = graph.nodes
    named: set[int] = set()
    for index, empty in cut_off(graph, reference).items():
        if 0 in nodes[index].size or empty in named:
            continue
        named.add(empty)
        name = nodes[index].name
        yield (
            index,
            Diagnostic(
                name,
                "no_field",
                f"'{name}' has no field: the map of '{nodes[empty].name}' before it is empty, so "
                "nothing reaches it or the layers that read only it.",
            ),
        )


def _beyond_counting(
    graph: Graph,
    fields: Sequence[tuple[AxisField, ...]],
    local: Sequence[tuple[AxisField, ...]],
    scale: Scale,
) -> Iterator[tuple[int, Diagnostic]]:
    """Remark on the first layer whose field reaches further than is counted."""
    for node in graph.nodes[1:]:
        if any(x is BEYOND for x in (*fields[node.index], *local[node.index])):
            yield (
                node.index,
                Diagnostic(
                    node.name,
                    "field_too_large",
                    f"from '{node.name}' on the field is too large to compute: it reaches "
                    f"further than 10^17 {scale.units.many}, joins more than {MAX_TRACKS} branches "
                    "of different strides, or repeats in patterns that are too long; use smaller "
                    "strides, kernels and dilations, the same product of strides in all branches, "
                    "and sizes that divide each other.",
                ),
            )
            return


def _of_layer(
    node: Node,
    fields: Sequence[tuple[AxisField, ...]],
    local: Sequence[tuple[AxisField, ...]],
    blind_by_rules: dict[int, int],
    scale: Scale,
) -> Iterator[Diagnostic]:
    op = node.op
    if isinstance(op, ops.Custom):
        yield _declared(node.name, op)
    if len(node.inputs) == 1:
        before, after = fields[node.inputs[0]], fields[node.index]
        if after is not before and any(
            y.whole and not x.whole and x.tracks for x, y in zip(before, after, strict=True)
        ):
            yield _global(node, after, local[node.index], scale)
        if op is not None and op.context in _MAY_MISS and not isinstance(op, _READS_NOTHING):
            # The copies of a repeat share their rules.
            blind = blind_by_rules.get(id(node.rules))
            if blind is None:
                try:
                    blind = max(_blind_units(rule) for rule in node.rules)
                except TooLargeError:
                    blind = 0  # not worth seconds, either
                blind_by_rules[id(node.rules)] = blind
            if blind:
                yield Diagnostic(
                    node.name,
                    "only_padding",
                    f"{counted(blind, 'row')} of units at the border of '{node.name}' or between "
                    f"its taps {'reads' if blind == 1 else 'read'} nothing but padding: the "
                    "padding is wider than the window reaches, or the stride larger than the "
                    "kernel.",
                )


def _global(
    node: Node, field: tuple[AxisField, ...], local: tuple[AxisField, ...], scale: Scale
) -> Diagnostic:
    whole = [axis for axis, rule in enumerate(node.rules) if type(rule) is Whole]
    read = "" if len(whole) == len(node.rules) else f" along {scale.along(whole)}"
    seen = [axis for axis, x in enumerate(field) if x.whole]
    shown = "" if len(seen) == len(field) else f" along {scale.along(seen)}"
    return Diagnostic(
        node.name,
        "global_op",
        f"'{node.name}' reads its whole input map{read}: each unit here and after it sees the "
        f"whole {scale.units.whole}{shown}. {_locally(node, local, scale)}",
        "note",
    )


def _locally(node: Node, local: tuple[AxisField, ...], scale: Scale) -> str:
    sizes = [x.size_range(n) for x, n in zip(local, node.size, strict=True)]
    if all(x is None for x in sizes):
        return "It leaves no positions: along this path there is no local field any more."
    words = scale.sizes([None if x is None else x[1] for x in sizes])
    return f"The local field, as if it read one position, is {words}."


def _declared(name: str, op: ops.Custom) -> Diagnostic:
    label = op.label or "an operation that the program does not know"
    message = f"'{name}' is a placeholder for {label}; its geometry is as declared by hand."
    if op.whole and (op.kernel_size, op.stride, op.padding, op.dilation) != (1, 1, 0, 1):
        message += (
            " It is global, so each output reads the whole map: its window says how large the "
            "output is, not what is read. Without global it would be read by that window."
        )
    return Diagnostic(name, "custom_op", message, "note")


_SILENT = frozenset({Context.POSITION, Context.MAPS})
"""Contexts of operations on which there is nothing to remark."""

_MAX_BORDERS = 1 << 23
"""Work of looking for outputs that read padding alone, on all maps together."""

_FEW = 16
"""Phases up to which numbers of outputs are counted phase by phase."""

_MAY_MISS = frozenset({Context.WINDOW, Context.PATTERN})
"""Contexts of operations that may read padding alone, or leave out samples."""

_READS_NOTHING = ops.FurtherInput | ops.ExtraTokens
"""Operations whose outputs come from no sample of the map before them, as is meant."""


def _blind_units(rule: AxisRule) -> int:
    """Return the number of outputs along an axis that read no real sample."""
    if isinstance(rule, Periodic):
        if rule.clamped or rule.by_size:
            return 0
        return _blind_in_pattern(rule)
    if not isinstance(rule, Window) or rule.mode != "zeros" or rule.n_out == 0:
        return 0
    reach = rule.dilation * (rule.kernel - 1)
    end = (rule.n_out - 1) * rule.stride - rule.before
    if rule.before <= 0 and end < rule.n_read:
        return 0
    if rule.dilation == 1 and rule.before <= reach and end < rule.n_read:
        return 0
    return _blind_by_count(rule)


def _blind_in_pattern(rule: Periodic) -> int:
    """Count by the turns of the pattern in which some tap of a phase is on the map."""
    period, n, advance = rule.period, rule.n_out, rule.advance
    runs = rule.rising_runs if period <= _FEW else None
    if runs is not None:
        return sum(
            [
                _blind_in_phase(first, last, rule, len(range(phase, n, period)))
                for phase, (first, last) in enumerate(zip(*runs, strict=True))
            ]
        )
    spend(4 * rule.taps_of_period + A_CALL)
    if rule.taps_of_period <= _FEW and advance:
        return n - sum(
            [
                _seeing_in_phase(taps, rule, len(range(phase, n, period)))
                for phase, taps in enumerate(rule.phases)
            ]
        )
    counts, taps = rule.flat_taps
    # How many outputs each phase has.
    turns = np.full(period, n // period)
    turns[: n % period] += 1
    phases = np.repeat(np.arange(period), counts)
    if advance < 0:  # the same seen from the other end of the map, where it runs forwards
        taps = rule.n_in - 1 - taps
    elif advance:
        phases, taps = phases[::-1], taps[::-1]
    if not advance:
        seeing = np.unique(phases[(taps >= 0) & (taps < rule.n_in)])
        return n - int(turns[seeing].sum())
    # A tap is on the map in one run of turns.  Taps of a phase fall here, so both ends of these
    # runs rise, and each run counts from where the one before it ends.
    first = np.maximum(-(taps // abs(advance)), 0)
    stop = np.minimum((rule.n_in - 1 - taps) // abs(advance) + 1, turns[phases])
    is_next = phases[1:] == phases[:-1]
    first[1:][is_next] = np.maximum(first[1:], stop[:-1])[is_next]
    return n - int(np.maximum(stop - first, 0).sum())


def _seeing_in_phase(taps: Sequence[int], rule: Periodic, turns: int) -> int:
    """Return how many outputs of a phase have some tap on the map, counted as below."""
    advance = abs(rule.advance)
    falling = reversed(taps) if rule.advance > 0 else [rule.n_in - 1 - x for x in taps]
    seeing = done = 0
    for tap in falling:
        first = max(-(tap // advance), done, 0)
        done = min((rule.n_in - 1 - tap) // advance + 1, turns)
        seeing += max(done - first, 0)
    return seeing


def _blind_in_phase(first: int, last: int, rule: Periodic, turns: int) -> int:
    """Return how many outputs of a phase are before the map or after it; they move forwards."""
    before = min(max(-(last // rule.advance), 0), turns)
    reached = min(max((rule.n_in - 1 - first) // rule.advance + 1, 0), turns)
    return before + turns - reached


def _blind_by_count(rule: Window) -> int:
    # Counted, not listed: a map may have thousands of millions of samples.
    reach = rule.dilation * (rule.kernel - 1)

    def opening_before(place: int) -> int:
        """Return how many windows have their first tap before `place`."""
        return min(max(-(-(place + rule.before) // rule.stride), 0), rule.n_out)

    outside, inside = opening_before(-reach), opening_before(0)
    blind = outside + rule.n_out - opening_before(rule.n_read)
    if rule.dilation <= rule.n_read:
        return blind
    # The taps of a window that opens before the map may step over all of it: the first tap that
    # is not before the map is at the window's start modulo the dilation.
    count, start = inside - outside, outside * rule.stride - rule.before + reach
    beyond = start + rule.dilation - rule.n_read
    stepped = sum_of_floors(count, rule.dilation, rule.stride, beyond)
    return blind + stepped - sum_of_floors(count, rule.dilation, rule.stride, start)


def sum_of_floors(count: int, divisor: int, step: int, start: int) -> int:
    """Return Σ (step·i + start) // divisor over i = 0 … count − 1, all numbers from 0 on.

    By the steps of Euclid's algorithm on `step` and `divisor`, so that it does not grow with
    `count`.
    """
    if count <= 0:
        return 0
    # Whole multiples of the divisor leave the sum as closed forms.  The rest counts points of a
    # grid below a line: counted by rows instead of columns, it is the same sum with step and
    # divisor exchanged.
    total = count * (count - 1) // 2 * (step // divisor) + count * (start // divisor)
    step, start = step % divisor, start % divisor
    rows, rest = divmod(step * count + start, divisor)
    return total + (sum_of_floors(rows, step, divisor, rest) if rows else 0)


def _larger_than_input(
    graph: Graph, fields: Sequence[tuple[AxisField, ...]], reference: int, scale: Scale
) -> Iterator[tuple[int, Diagnostic]]:
    """Remark on the first layer whose field is larger than the map that it is given for."""
    sizes = graph.nodes[reference].size
    seen: tuple[AxisField, ...] | None = None
    for node in graph.nodes[1:]:
        give_way()
        field = fields[node.index]
        if field is seen:
            continue
        seen = field
        for axis, (x, n) in enumerate(zip(field, sizes, strict=True)):
            found = x.size_range(node.size[axis])
            if found is not None and found[1] > n:
                same = [i for i, y in enumerate(field) if y == x and sizes[i] == n]
                beyond = (
                    "units there see padding as well, and border units see less of it"
                    if any(_pads(y.rules[axis]) for y in graph.nodes[1 : node.index + 1])
                    else "units there would see more than there is"
                )
                yield (
                    node.index,
                    Diagnostic(
                        node.name,
                        "larger_than_input",
                        f"from '{node.name}' on the receptive field along {scale.along(same)}, "
                        f"{scale.length(found[1], axis)}, is larger than "
                        f"{_map(graph, reference)}, {n}: {beyond}. A larger input would show more.",
                        "note",
                    ),
                )
                return


def _pads(rule: AxisRule) -> bool:
    """Whether windows read beyond their map along an axis."""
    if not isinstance(rule, Window):
        return False
    end = (rule.n_out - 1) * rule.stride - rule.before + rule.dilation * (rule.kernel - 1)
    return rule.before > 0 or end >= rule.n_read


def _map(graph: Graph, reference: int) -> str:
    return f"the map of '{graph.nodes[reference].name}'" if reference else "the input"


def _dead_pixels(graph: Graph, reference: int, scale: Scale) -> Iterator[tuple[int, Diagnostic]]:
    last = graph.nodes[-1]
    if last.index == reference or 0 in last.size:
        return
    sizes = graph.nodes[reference].size

    def unread(index: int) -> int:
        give_way()
        return prod(sizes) - read_by_all(graph, index, reference).count

    try:
        dead = unread(last.index)
        if not dead:
            return
        # Layers that are on all paths read no more than those before them.
        above = dominators(graph, reference)
        way = [last.index]
        while way[-1] != above[way[-1]]:
            way.append(above[way[-1]])
        way.reverse()
        place = bisect_left(way, 1, key=unread)
    except TooLargeError:
        return  # a remark is not worth the work
    first = graph.nodes[way[place]]
    alone = way[max(place - 1, 0)] in first.inputs
    yield (
        last.index,
        Diagnostic(
            last.name,
            "dead_pixels",
            f"{dead} of {prod(sizes)} {scale.units.many} of "
            f"{_map(graph, reference)} reach no unit of the last layer '{last.name}', the first "
            f"of them already {'at' if alone else 'before'} '{first.name}': "
            f"{_skipped(first) if alone else _SKIPPED}.",
        ),
    )


_SKIPPED = (
    "windows with a stride larger than their kernel, crops, or rows left over at the end skip them"
)


def _skipped(node: Node) -> str:
    """Return how a layer leaves out samples of its map, as far as it is a window."""
    rules = node.rules
    if not all(isinstance(x, Window) for x in rules):
        return _SKIPPED
    windows = [x for x in rules if isinstance(x, Window)]
    if any(x.before < 0 or x.cropped for x in windows):
        return "it cuts them off"
    if any(x.stride > x.dilation * (x.kernel - 1) + 1 for x in windows):
        return "its stride is larger than its kernel, so that it skips them"
    if any(x.dilation > 1 for x in windows):
        return _SKIPPED
    return "its last window ends before the map does, so that rows are left over"


def _holes(
    graph: Graph, fields: Sequence[tuple[AxisField, ...]], reference: int, scale: Scale
) -> Iterator[tuple[int, Diagnostic]]:
    """Remark on layers where holes in the support begin.

    A cheap test shows most supports to be solid: the taps of a window of jump S leave no gap as
    long as dilation × S is at most the size that one tap sees.  Where it does not, the support of
    the centre unit is walked back, on a few layers at most.
    """
    nodes = graph.nodes
    solid = [True] * len(nodes)
    checks = _HOLE_CHECKS
    for node in nodes[reference + 1 :]:
        give_way()
        inputs = node.inputs
        if not (solid[inputs[0]] if len(inputs) == 1 else all(solid[x] for x in inputs)):
            solid[node.index] = False
            continue
        assert node.op is not None
        if node.op.context not in _MAY_MISS:
            continue
        for x, rule in zip(fields[inputs[0]], node.rules, strict=True):
            if not _stays_solid(x, rule):
                break
        else:
            continue
        if checks == 0 or 0 in node.size:
            continue
        checks -= 1
        share = _hole_share(graph, node, reference)
        if share:
            solid[node.index] = False
            yield (
                node.index,
                Diagnostic(
                    node.name,
                    "holes",
                    f"the support of a unit of '{node.name}' has holes: {share:.0%} of the "
                    f"{scale.units.many} along an axis of its region are never read (gridding).",
                ),
            )


def _stays_solid(field: AxisField, rule: AxisRule) -> bool:
    if field.whole or not field.tracks or not isinstance(rule, Window) or rule.kernel == 1:
        return True
    if len(field.tracks) != 1:
        return False
    track = field.tracks[0]
    least = field.size_range(0)
    if least is None or not isinstance(track, Track):
        return False
    return rule.dilation * track.advance <= least[0] * len(track.first)


def _hole_share(graph: Graph, node: Node, reference: int) -> float:
    unit = tuple(n // 2 for n in node.size)
    region = read_by(graph, node.index, unit, reference).get(reference)
    if region is None or not region.products or region.is_bound:
        return 0.0
    worst = 0.0
    for sets in zip(*region.products, strict=True):
        joined: AxisSet = sets[0]
        for x in sets[1:]:
            joined = union(joined, x)
        worst = max(worst, 1 - joined.length / (joined.stop - joined.start))
    return worst
