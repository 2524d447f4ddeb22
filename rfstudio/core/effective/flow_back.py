"""The walk from a unit back to the reference, for energies as for path counts.

What each layer does on the way is in `rfstudio.core.layer_models.backward`, what flows in
`rfstudio.core.effective.flow`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import frexp, isclose, ldexp, log2
from typing import NamedTuple, TypeAlias

import numpy as np

from rfstudio.core import ops
from rfstudio.core.effective.flow import Flow, Profile, box_within, one_unit
from rfstudio.core.effective.pairs.coherence import Coherence
from rfstudio.core.layer_models.backward import Backward, Factors
from rfstudio.core.layer_models.spread import Values
from rfstudio.core.network.graph import Graph
from rfstudio.core.work import A_CALL, give_way, spend

Runs: TypeAlias = Sequence[tuple[int, ...]]
"""For each node the number of channels in each of its runs of equal channels."""

Edges: TypeAlias = Mapping[tuple[int, int], Factors]
"""Factors of what a node (first) passes on to a source (second)."""

Adjust: TypeAlias = Callable[[int, int, list[Flow]], list[Flow]]
"""From a node, one of its sources and what flows there, returns what is to flow there."""


def flow_back(
    graph: Graph,
    index: int,
    unit: tuple[int, ...] | Flow,
    backward: Sequence[Backward] | Callable[[int], Backward],
    *,
    reference: int = 0,
    runs: Runs | None = None,
    edges: Edges | None = None,
    visit: Callable[[int], None] | None = None,
    adjust: Adjust | Coherence | None = None,
) -> list[Flow]:
    """Return what arrives at the reference map, one flow for each profile.

    Parameters
    ----------
    graph
        The network.
    index, unit
        The node of the unit and its position, or what flows into that node's map.
    backward
        What each node does.
    reference
        Node at which to stop; what goes around it does not count.
    runs
        The runs of channels of every node; None: all channels have the same flow everywhere.
    edges
        Factors of what a node (first) passes on to one of its sources (second).
    visit
        Called with every node on the way, the unit's first.
    adjust
        Called with a node, one of its sources and what flows to it; returns what is to flow.  Or
        what follows pairs of gradients, and adds to a flow what they make.
    """
    nodes = graph.nodes
    start = unit if isinstance(unit, Flow) else one_unit(unit)
    arriving: dict[int, list[Flow]] = {index: [start]}
    coherence = adjust if isinstance(adjust, Coherence) else None
    adjusting = adjust.adjust if isinstance(adjust, Coherence) else adjust
    send = _Sending(arriving, edges or {}, adjusting)
    step = backward if callable(backward) else backward.__getitem__
    # What only the node before this one gets, but for a factor: most layers have one
    # reader, the next node, and many only scale.
    handed: list[Flow] | None = None
    scale = 1.0
    for i in range(index, reference, -1):
        flows = handed or arriving.pop(i, None)
        if flows is None:
            continue
        give_way()
        if visit is not None:
            visit(i)
        node = nodes[i]
        if len(node.inputs) == 1 and 0 in nodes[node.inputs[0]].size:
            handed, scale = None, 1.0  # nothing comes through an empty map
            continue
        if not isinstance(node.op, ops.Merge):
            how = step(i)
            if coherence is not None:
                flows = [x for flow in flows for x in coherence.through(i, flow, how)]
            elif how.spreads is None and _is_number(how, flows):
                scale *= how.keep  # type: ignore[operator]
            else:
                flows, scale = _through(flows, how, scale), 1.0
            if len(flows) > _MANY_FLOWS:
                flows = _joined(flows)
            if runs is not None and isinstance(node.op, ops.ChannelSlice):
                wider = runs[node.inputs[0]]
                flows = [x.among(node.op.counts(wider), wider) for x in flows]
        source = node.inputs[0]
        is_next = source == i - 1 and len(node.inputs) == 1
        if is_next and flows and source not in arriving and send.is_plain(i, source):
            handed = flows
            if 1e-100 < scale < 1e100:
                continue
        else:
            handed = None
        if scale != 1.0:
            flows, scale = [x.times(scale) for x in flows], 1.0
        if handed is not None:
            handed = flows
        elif len(node.inputs) == 1:
            send(i, source, flows)
        else:
            _split(send, graph, i, flows, runs)
    if handed is None:
        return arriving.get(reference, [])
    return [x.times(scale) for x in handed]


_MANY_FLOWS = 8192
"""Flows of one map above which those of one profile and correlation are added up."""


def _joined(flows: list[Flow]) -> list[Flow]:
    """Return one flow for all that differ in values alone: gates double them layer by layer."""
    found: dict[tuple[Profile, int], Flow] = {}
    for flow in flows:
        give_way()
        # Those of other correlations stay apart: of their sum these would be a mean.
        key = flow.profile, id(flow.correlation)
        known = found.get(key)
        found[key] = flow if known is None else known.plus(flow)
    return list(found.values())


def _is_number(how: Backward, flows: list[Flow]) -> bool:
    """Return whether a layer of one position each multiplies all of these flows by one number."""
    if type(how.keep) is tuple or how.places is not None:
        return False
    return how.gate == 1.0 or all([x.correlation is None for x in flows])  # noqa: C419 - half the time


class _Sending(NamedTuple):
    """Passes flows on to the sources of nodes."""

    arriving: dict[int, list[Flow]]
    edges: Edges
    adjust: Adjust | None

    def is_plain(self, index: int, source: int) -> bool:
        """Return whether a node passes on to a source what it has, as it is."""
        return self.adjust is None and (index, source) not in self.edges

    def __call__(self, index: int, source: int, flows: list[Flow]) -> None:
        factor = self.edges.get((index, source))
        if factor == 0.0:  # nothing goes there
            return
        if factor is not None:
            flows = [x.times(factor) for x in flows]
        if self.adjust is not None:
            flows = self.adjust(index, source, flows)
        known = self.arriving.get(source)
        if known is None:
            if flows:
                self.arriving[source] = list(flows)
            return
        for flow in flows:
            spend(A_CALL * (1 + len(known) // 8))
            for j, other in enumerate(known):
                if _is_same(flow.profile, other.profile):
                    known[j] = other.plus(flow)
                    break
            else:
                known.append(flow)


def _is_same(a: Profile, b: Profile) -> bool:
    return a is b or (a is not None and b is not None and all(map(isclose, a, b)))


def _through(flows: list[Flow], how: Backward, scale: float) -> list[Flow]:
    """Return what one layer passes on of `scale` times the flows."""
    if how.spreads is None:
        passed = [x.times(how.keep, scale) for x in flows]
        if how.places is not None:
            passed = [x.at_places(how.places) for x in passed]
        if how.gate != 1.0:
            for flow in passed:
                if flow.correlation is not None:
                    flow.correlation = flow.correlation.gated(how.gate)
        return passed
    passed = []
    for flow in flows:
        spreading = flow.spread(how, scale)
        if spreading is not None:
            passed.append(spreading)
        if how.keep != 0.0:
            passed.append(flow.times(how.keep, scale))
    return passed


def _mixed(flows: list[Flow], runs: tuple[int, ...]) -> Flow:
    """Return the mean over channels."""
    total = sum(runs)
    result: Flow | None = None
    for flow in flows:
        give_way()
        if flow.profile is not None:
            mean = sum(n * x for n, x in zip(runs, flow.profile, strict=True)) / total
            flow = flow.with_shares((mean,))
        result = flow if result is None else result.plus(flow)
    assert result is not None
    return result


def _split(send: _Sending, graph: Graph, index: int, flows: list[Flow], runs: Runs | None) -> None:
    """Pass what arrives at a merge on to its sources."""
    nodes = graph.nodes
    node = nodes[index]
    slices = isinstance(node.op, ops.Concat) and runs is not None
    stop = seen = 0
    for source in node.inputs:
        parts = flows
        if runs is not None:
            if slices:
                # The last run of a source may go on in the next one.
                start = stop - (sum(runs[index][:stop]) > seen)
                stop = start + len(runs[source])
                seen += sum(runs[source])
                parts = [x.of_runs(start, stop) for x in flows]
            elif runs[source] != runs[index]:
                parts = [x.into(runs[index], runs[source]) for x in flows]
        if nodes[source].size != node.size:
            parts = [y for x in parts if (y := x.cut(nodes[source].size)) is not None]
        send(index, source, parts)


def total(flows: list[Flow], runs: tuple[int, ...], size: tuple[int, ...]) -> tuple[Values, int]:
    """Return a map of the mean over channels of all flows, and its exponent.

    Values are map · 2^exponent; the exponent is 0 wherever the values fit into a float64.
    """
    if not flows:
        return np.zeros(size), 0
    flow = _mixed(flows, runs)
    flow.level()
    mantissa, exponent = frexp(flow.factor)
    exponent += flow.exponent
    parts = flow.axes or (flow.values,)
    if _MIDDLE <= exponent <= _LARGEST or (exponent < _MIDDLE and _fit(parts, exponent)):
        mantissa, exponent = ldexp(mantissa, exponent), 0
    *lead, last = parts
    shape = tuple([n for x in (*lead, last) for n in x.shape])
    if shape == size and not lead:
        last *= mantissa  # nothing else uses it any more
        return last, exponent
    result = np.zeros(size)
    box = result[box_within(flow.start, shape, (0,) * len(size))]
    if lead:
        np.multiply.outer(reduce(np.multiply.outer, lead) * mantissa, last, out=box)
    else:
        np.multiply(last, mantissa, out=box)
    return result, exponent


_LARGEST = 900
"""Powers of two up to which sums over a map, and over channels, stay in what a float64 holds."""

_MIDDLE = -16
"""Powers of two above which a pixel that is lost is less than 1e-300 of the largest."""


def _fit(parts: tuple[Values, ...], exponent: int) -> bool:
    """Return whether no value of an outer product gets lost when it is that much smaller."""
    smallest = sum([log2(float(x[x > 0].min(initial=1.0))) for x in parts])
    return smallest + exponent > _SMALLEST


_SMALLEST = -1020
"""Powers of two from which on a float64 has all its digits."""
