"""Pairs of gradients that depend on each other, followed back from a unit place by place.

What they are is in `rfstudio.core.layer_models.gradient_pairs`, what filters make of them in
`rfstudio.core.effective.pairs.filters`.  They are followed where they count, and not too many.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import Energy
from rfstudio.core.effective.fixed_weights import SCALING, amplitudes, is_fixed
from rfstudio.core.effective.flow import Flow, box_within
from rfstudio.core.effective.pairs.filters import FilterPairs
from rfstudio.core.effective.pairs.needs import LEAST, Needs
from rfstudio.core.effective.pairs.value_correlations import Correlations
from rfstudio.core.effective.read_values import fan_in, open_more
from rfstudio.core.layer_models.backward import Backward
from rfstudio.core.layer_models.gradient_pairs import Kind, Pairs, by_lag, diagonal, sum_of
from rfstudio.core.layer_models.pair_tables import (
    Lag,
    Table,
    pair_table,
    through_tables,
    work_of_table,
)
from rfstudio.core.layer_models.spread import Values
from rfstudio.core.memo import Recent
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Activation
from rfstudio.core.ops.convolution import group_count
from rfstudio.core.work import A_CALL, Tally

_MOST = 3_000_000
"""Pairs of all maps on the way above which they are not followed."""

_MOST_BESIDE = 200_000
"""The same where something else on the way is a model anyway."""


_MOST_WEIGHTS = 1 << 23
"""Entries of all matrices of weights above which pairs are ignored: 64 MB."""

_A_WEIGHT = 2
"""Work for an entry of the matrices of a layer, which several questions look at (measured)."""


class Coherence:
    """How pairs of gradients flow back through one network, and what they add to energies.

    Attributes
    ----------
    needs
        Where they count.
    """

    def __init__(self, energy: Energy, needs: Needs, tally: Tally) -> None:
        self.energy, self.needs = energy, needs
        self._tally = tally
        self._nodes = energy.graph.nodes
        self._tables: dict[object, list[Table]] = {}
        self._complete: dict[int, bool] = {}
        values = Correlations(energy, tuple([min(2 * x, 24) for x in needs.reach]), tally)
        self._filters = FilterPairs(energy, values, tally)

    def through(self, index: int, flow: Flow, how: Backward) -> list[Flow]:
        """Return what one layer passes on of a flow."""
        node = self._nodes[index]
        pairs: Pairs | None = flow.pairs
        need = self.needs.of[node.inputs[0]]
        if how.spreads is None:
            passed = flow.times(how.keep)
            if how.places is not None:
                passed = passed.at_places(how.places)
            if how.gate != 1.0 and passed.correlation is not None:
                passed.correlation = passed.correlation.gated(how.gate)
            passed.pairs = None
            if pairs is not None and need.most >= LEAST:
                passed.pairs = self._at_place(node, pairs, how)
            return [passed]
        op = node.op
        # Pairs say exactly what overlaps add up; what autocorrelations say would count twice.
        exact = pairs is not None and flow.correlation is not None and self._has_all(node)
        result = (_uncorrelated(flow) if exact else flow).spread(how)
        if exact and result is not None and how.correlation is not None:
            result.correlation = how.correlation(flow.correlation).correlation
        found = [] if how.keep == 0.0 else [flow.times(how.keep)]
        for x in found:
            x.pairs = None
        if result is None:
            return found
        result.pairs = None
        levelled = result.bits == 0.0 and flow.bits > 0.0
        if not levelled and (pairs is not None or self.needs.makes(node)):
            if is_fixed(op):
                result = self._fixed(node, flow, result, how.factor)
            elif pairs is not None and isinstance(op, ops.Conv | ops.ConvTranspose):
                result = self._weighted(node, pairs, result)
            elif pairs is not None and isinstance(op, ops.PixelShuffle | ops.PixelUnshuffle):
                result.pairs = self._shuffled(node, flow, pairs)
        if result.pairs is not None and not self._is_followed(node.inputs[0]):
            result.pairs = None
        return [result, *found]

    def adds_up(self, index: int) -> bool:
        """Return whether a layer of fixed weights adds up pairs that are followed to it."""
        node = self._nodes[index]
        return self._is_followed(index) and self._has_all(node)

    def _has_all(self, node: Node) -> bool:
        if node.index not in self._complete:
            self._complete[node.index] = is_fixed(node.op) and self.needs.has_all(node)
        return self._complete[node.index]

    def _is_followed(self, index: int) -> bool:
        return self.needs.of[index].most >= LEAST

    def adjust(self, index: int, source: int, flows: list[Flow]) -> list[Flow]:
        """Return what a node passes on to one of its sources."""
        node = self._nodes[index]
        if len(node.inputs) == 1 or all(x.pairs is None for x in flows):
            return flows
        share = 1.0
        if isinstance(node.op, ops.Add):
            squares = [self.energy.moments(i).square for i in node.inputs]
            share = self.energy.moments(source).square / max(sum(squares), 1e-300)
        found = []
        for flow in flows:
            changed = flow.times(1.0)
            changed.pairs = None
            if flow.pairs is not None and isinstance(node.op, ops.Add | ops.Concat):
                pairs = flow.pairs.within(self.needs.of[source].reach)
                changed.pairs = pairs.scaled(share, Kind.RADIAL)
            found.append(changed)
        return found

    def _at_place(self, node: Node, pairs: Pairs, how: Backward) -> Pairs | None:
        keep = how.keep if isinstance(how.keep, float) else float(np.mean(how.keep))
        if keep <= 0:
            return None
        if isinstance(node.op, SCALING):
            return pairs.scaled(keep, Kind.GATED, Kind.OTHER_GATED)
        if not isinstance(node.op, Activation):
            return None
        both, cross, other, other_cross = self._filters.gate(node, pairs.reach, keep)
        parts: dict[Kind, Values] = {}
        same, others = pairs.parts.get(Kind.SAME), pairs.parts.get(Kind.OTHER)
        if same is not None:
            parts[Kind.SAME] = same * by_lag(both, node.size)
            parts[Kind.GATED] = same * by_lag(cross, node.size)
        if others is not None:
            parts[Kind.OTHER] = others * other
            parts[Kind.OTHER_GATED] = others * other_cross
        radial = pairs.parts.get(Kind.RADIAL)
        if radial is not None:
            parts[Kind.RADIAL] = radial
        return Pairs(pairs.reach, parts)

    def _fixed(self, node: Node, flow: Flow, result: Flow, unit: float) -> Flow:
        source = node.inputs[0]
        size = self._nodes[source].size
        pairs: Pairs | None = flow.pairs
        reach = pairs.reach if pairs else (0,) * len(size)
        new = self.needs.of[source].reach if self._is_followed(source) else (0,) * len(size)
        key = ("fixed", node.index, reach, new)
        if key not in self._tables:
            for rule, r, n in zip(node.rules, reach, new, strict=True):
                self._tally.spend(work_of_table(rule, r, n))
            self._tables[key] = [
                pair_table(a, r, n) for a, r, n in zip(amplitudes(node), reach, new, strict=True)
            ]
        parts = dict(pairs.parts) if pairs else {}
        parts[Kind.SAME] = _with_diagonal(flow, node.size, reach, parts.get(Kind.SAME))
        found = Pairs(reach, parts).through(new, self._tables[key], 1 / unit)
        if pairs is not None:
            values = diagonal(found.parts[Kind.SAME], size, new)
            box = box_within(result.start, result.values.shape, (0,) * len(size))
            result = _with_values(result, np.maximum(values[box], 0.0))
        result.pairs = found.scaled(self._own_share(node), Kind.RADIAL)
        return result

    def _shuffled(self, node: Node, flow: Flow, pairs: Pairs) -> Pairs:
        """Return the pairs before a layer that turns channels into places, or places into them.

        Two places that were two channels become pairs of different filters that read the same.
        """
        new = self.needs.of[node.inputs[0]].reach
        linked = self._filters.linked(node, pairs.reach, new)
        result = pairs.through(new, linked)
        channels = self._nodes[node.inputs[0]].channels
        if isinstance(node.op, ops.PixelUnshuffle) or channels < 2:
            return result
        both = self._filters.both(node, pairs.reach, new)
        parts = dict(result.parts)
        for kind, other in ((Kind.SAME, Kind.OTHER), (Kind.GATED, Kind.OTHER_GATED)):
            if kind not in pairs.parts:
                continue
            whole = pairs.parts[kind]
            if kind is Kind.SAME:
                whole = _with_diagonal(flow, node.size, pairs.reach, whole)
            found = (through_tables(whole, both) - through_tables(whole, linked)) / (channels - 1)
            if other in pairs.parts:
                share = (node.channels - 1) / (channels - 1)
                found = found + through_tables(pairs.parts[other], both) * share
            parts[other] = found
        if Kind.RADIAL in parts:
            parts[Kind.RADIAL] = through_tables(pairs.parts[Kind.RADIAL], both) * (
                node.channels / channels
            )
        return Pairs(new, parts)

    def _weighted(self, node: Node, pairs: Pairs, result: Flow) -> Flow:
        source = node.inputs[0]
        size = self._nodes[source].size
        channels = self._nodes[source].channels
        assert isinstance(node.op, ops.Conv | ops.ConvTranspose)
        groups = group_count(node.op, channels)
        filters = node.channels / groups
        fan = fan_in(self.energy.graph, node)
        square = self.energy.moments(node.index).square
        none = (0,) * len(size)
        _, e2 = open_more(self.energy, source)
        gated = pairs.parts.get(Kind.GATED)
        others = pairs.parts.get(Kind.OTHER_GATED)
        radial = pairs.parts.get(Kind.RADIAL)
        more = np.zeros(size)
        if gated is not None:
            more += self._filters.seen_twice(node, pairs.reach, gated) * square
        # What other filters do alone, and together: along the values.
        along: Values | None = None
        if others is not None:
            along = others * (square * (filters - 1) / fan)
        if radial is not None:
            along = sum_of(along, radial * (filters / (fan + 0.6)))
        if along is not None:
            more += e2 * through_tables(along, self._filters.both(node, pairs.reach, none))
        box = box_within(result.start, result.values.shape, none)
        result = _with_values(result, np.maximum(result.values + more[box], 0.0))
        need = self.needs.of[source]
        if not self._is_followed(source):
            return result
        parts: dict[Kind, Values] = {}
        if Kind.SAME in pairs.parts:
            tables = self._filters.linked(node, pairs.reach, need.reach)
            parts[Kind.SAME] = through_tables(pairs.parts[Kind.SAME], tables)
        if need.counts_radial:
            if gated is not None:
                along = sum_of(
                    along, self._filters.radial(node, pairs.reach, gated) * (square / groups)
                )
            if along is not None:
                tables = self._filters.both(node, pairs.reach, need.reach)
                parts[Kind.RADIAL] = through_tables(along, tables)
        result.pairs = Pairs(need.reach, parts)
        return result

    def _own_share(self, node: Node) -> float:
        a = amplitudes(node)
        count = prod([float(x.sum(1).mean()) ** 2 / float((x**2).sum(1).mean()) for x in a])
        x = self.energy.moments(node.inputs[0])
        k = x.mean**2 / max(x.square, 1e-300)
        return (1 + (max(count, 1.0) - 1) * k) / max(count, 1.0)


def _with_diagonal(flow: Flow, size: Lag, reach: Lag, pairs: Values | None) -> Values:
    """Return the pairs of a flow with its own energies at no lag."""
    widths = [2 * r + 1 for r in reach]
    if pairs is None:
        pairs = np.zeros([w * n for w, n in zip(widths, size, strict=True)])
    else:
        pairs = pairs.copy()
    whole = np.zeros(size)
    whole[box_within(flow.start, flow.values.shape, (0,) * len(size))] = flow.values
    pairs[tuple([slice(r * n, (r + 1) * n) for r, n in zip(reach, size, strict=True)])] = whole
    return pairs


def _uncorrelated(flow: Flow) -> Flow:
    result = flow.times(1.0)
    result.correlation = None
    return result


def _with_values(flow: Flow, values: Values) -> Flow:
    return Flow(
        flow.start,
        values,
        flow.factor,
        flow.exponent,
        flow.bits + 1,
        flow.profile,
        flow.correlation,
    )


def carries_pairs(op: ops.Op | None) -> bool:
    """Return whether pairs of gradients are followed through a layer, where they count."""
    return is_fixed(op) or isinstance(op, _CARRIERS)


_CARRIERS = (
    *SCALING,
    Activation,
    ops.Conv,
    ops.ConvTranspose,
    ops.PixelShuffle,
    ops.PixelUnshuffle,
    ops.Add,
    ops.Concat,
)


class Followed(NamedTuple):
    """Whether pairs are followed on the way from a layer.

    Attributes
    ----------
    coherence
        What follows them; None: nothing does.
    left_out
        What they may add without being followed, as a share.
    too_long
        Whether the maps are too long to say what they may add.
    tally
        The work of what is remembered of it.
    """

    coherence: Coherence | None
    left_out: float = 0.0
    too_long: bool = False
    tally: Tally | None = None

    def adds_up(self, index: int) -> bool:
        """Return whether a layer of fixed weights adds up pairs that are followed to it."""
        return self.coherence is not None and self.coherence.adds_up(index)


NOBODY = Followed(None)

_recent: Recent[Energy, Followed] = Recent(12)


def coherence_of(energy: Energy, target: int) -> Followed:
    """Return what follows pairs of gradients on the way from a layer, if they are followed."""
    known = _recent.get(energy, target, None)
    if known is None:
        return _recent.put(energy, target, _worked_out(energy, target))
    if known.tally is not None:
        known.tally.again()
    return known


def _worked_out(energy: Energy, target: int) -> Followed:
    nodes = energy.graph.nodes[: target + 1]
    if not any(type(node.op) in _MEANS for node in nodes):
        return NOBODY
    is_model = any(energy.layers[node.index].remark for node in nodes)
    if is_model and sum(prod(node.size) for node in nodes) > _MOST_BESIDE // 10:
        return NOBODY
    # Needs look at the weights of these layers as matrices, outputs times inputs along each axis.
    matrices = {x for node in nodes if is_fixed(node.op) for x in node.rules}
    if sum(x.n_in * x.n_out for x in matrices) > _MOST_WEIGHTS:
        return Followed(None, too_long=True)
    tally = Tally()
    for node in nodes:
        if is_fixed(node.op):
            tally.spend(sum([A_CALL + _A_WEIGHT * x.n_in * x.n_out for x in node.rules]))
    needs = Needs(energy)
    needs.up_to(target)
    count, most = needs.cost(target)
    if count == 0:
        return Followed(None, tally=tally)
    if count > (_MOST_BESIDE if is_model else _MOST):
        return Followed(None, most, tally=tally)
    return Followed(Coherence(energy, needs, tally), tally=tally)


_MEANS = frozenset(
    {ops.AvgPool, ops.AdaptiveAvgPool, ops.GlobalAvgPool, ops.AxisMean, ops.Upsample}
)
