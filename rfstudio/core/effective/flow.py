"""What flows from one unit back through a network: positive maps over the boxes that it reaches.

One walk from the unit to the reference, whatever the numbers mean: see
`rfstudio.core.effective.backward`.
A flow is kept as a box of values, a factor and a power of two, so that a layer that only scales
costs one multiplication, and no depth overflows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import frexp, isclose, ldexp, log2
from operator import mul
from typing import NamedTuple, TypeAlias

import numpy as np

from rfstudio.core import ops
from rfstudio.core.effective.backward import Backward, Factors, Spreads
from rfstudio.core.effective.lags import Lags, blended
from rfstudio.core.effective.pairs import spread_pairs
from rfstudio.core.effective.spread import Values, WindowSpread, spread, spread_taps
from rfstudio.core.graph import Graph

Profile: TypeAlias = tuple[float, ...] | None
"""For each run of channels its share of a flow, the first being 1; None: all are alike."""

_MANY_TAPS = 64
"""Taps of a window above which they are not told apart where gradients depend on each other."""

_LARGE = 400.0
"""Bits from which on values or factors are brought back to a middle size."""


class Flow:
    """Something positive that arrives at one map, per channel.

    Attributes
    ----------
    start
        First sample of the box along each axis; outside the box the flow is exactly 0.
    values
        The values in the box, without factor and exponent; never changed once they are here.
    factor, exponent
        What the values are multiplied with: factor · 2^exponent.
    bits
        Upper bound of log2 of the values.
    profile
        Shares of the channels.
    lags
        How gradients at different positions depend on each other; None: they do not.
    """

    __slots__ = ("bits", "exponent", "factor", "lags", "profile", "start", "values")

    def __init__(
        self,
        start: tuple[int, ...],
        values: Values,
        factor: float = 1.0,
        exponent: int = 0,
        bits: float = 0.0,
        profile: Profile = None,
        lags: Lags | None = None,
    ) -> None:
        self.start = start
        self.values = values
        self.factor = factor
        self.exponent = exponent
        self.bits = bits
        self.profile = profile
        self.lags = lags

    def times(self, factors: Factors) -> Flow:
        """Return the flow with the channels multiplied by a factor, or by one for each run."""
        if type(factors) is tuple:
            shares = factors
            if self.profile is not None:
                shares = tuple(map(mul, self.profile, factors))
            first, profile = _normalized(shares)
            factor = self.factor * first
        else:
            factor, profile = self.factor * factors, self.profile  # type: ignore[operator]
        exponent = self.exponent
        if not 1e-60 < factor < 1e60 and factor > 0:
            factor, more = frexp(factor)
            exponent += more
        return Flow(self.start, self.values, factor, exponent, self.bits, profile, self.lags)

    def with_profile(self, factor: float, profile: Profile) -> Flow:
        """Return the flow with other shares, multiplied by `factor`."""
        result = self.times(factor)
        result.profile = profile
        return result

    def spread(self, how: Backward) -> Flow | None:
        """Return what of the flow spreads back; None if it goes nowhere."""
        spreads = how.spreads
        assert spreads is not None
        if how.lag is None and how.taps is None:
            return self._spread(spreads, how.factor)
        lags, gain, pairs = (self.lags, None, None) if how.lag is None else how.lag(self.lags)
        if how.taps is not None:
            taps = how.taps if gain is None else how.taps * gain
            result = self._spread_taps(spreads, taps, how.factor)
        elif gain is None:
            result = self._spread(spreads, how.factor)
        elif isinstance(gain, float):
            result = self._spread(spreads, how.factor * gain)
        elif gain.size > _MANY_TAPS:
            result = self._spread(spreads, how.factor * float(gain.mean()))
        else:
            result = self._spread_taps(spreads, gain, how.factor, pairs)
        if result is not None:
            result.lags = lags
        return result

    @property
    def amount(self) -> float:
        """All of it, summed over positions, of a channel whose share is 1."""
        return ldexp(float(self.values.sum()) * self.factor, self.exponent)

    def _spread_taps(
        self, spreads: Spreads, gains: Values, factor: float, pairs: Values | None = None
    ) -> Flow | None:
        windows = tuple([x for x in spreads if isinstance(x, WindowSpread)])
        if pairs is None:
            values, start = spread_taps(self.values, self.start, windows, gains)
        else:
            values, start = spread_pairs(self.values, self.start, windows, pairs)
        if values.size == 0:
            return None
        # Weights of taps have a mean of 1 each for themselves, pairs are no more than taps squared.
        bits = self.bits + 3 * sum([how.bits for how in windows])
        result = Flow(start, values, self.factor, self.exponent, bits, self.profile)
        if bits > _LARGE:
            result.level()
        return result.times(factor)

    def _spread(self, spreads: Spreads, factor: float) -> Flow | None:
        """Return the flow spread back along all axes."""
        values, bits = self.values, self.bits
        starts = list(self.start)
        for axis, how in enumerate(spreads):
            if type(how) is WindowSpread:
                if how.is_identity:
                    continue
                bits += how.bits
            else:
                bits += 64.0
            values, starts[axis] = spread(values, axis, starts[axis], how)
            if values.shape[axis] == 0:
                return None
        factor, exponent = self.factor * factor, self.exponent
        if not 1e-60 < factor < 1e60 and factor > 0:
            factor, more = frexp(factor)
            exponent += more
        result = Flow(tuple(starts), values, factor, exponent, bits, self.profile, self.lags)
        if bits > _LARGE:
            result.level()
        return result

    def level(self) -> None:
        """Move the size of the values into the exponent."""
        largest = float(self.values.max())
        if largest > 0:
            shift = max(-1000, min(frexp(largest)[1], 1000))
            if shift:
                self.values = self.values * ldexp(1.0, -shift)
                self.exponent += shift
        self.bits = 0.0

    def plus(self, other: Flow) -> Flow:
        """Return the sum of two flows of one profile into one map."""
        a, b = (self, other) if self._size() >= other._size() else (other, self)
        if a.factor == 0:
            return b
        ratio = ldexp(b.factor / a.factor, max(b.exponent - a.exponent, -3000))
        values = b.values if ratio == 1.0 else b.values * ratio
        bits = max(a.bits, b.bits) + 1
        lags = None
        if a.lags is not None or b.lags is not None:
            first, second = float(a.values.sum()), float(values.sum())
            lags = blended(a.lags, first / max(first + second, 1e-300), b.lags)
        if a.start == b.start and a.values.shape == values.shape:
            return Flow(a.start, a.values + values, a.factor, a.exponent, bits, a.profile, lags)
        low = tuple([min(x, y) for x, y in zip(a.start, b.start, strict=True)])
        shape = [
            max(x + n, y + m) - z
            for x, n, y, m, z in zip(
                a.start, a.values.shape, b.start, values.shape, low, strict=True
            )
        ]
        result = np.zeros(shape)
        result[_box(a.start, a.values.shape, low)] = a.values
        result[_box(b.start, values.shape, low)] += values
        return Flow(low, result, a.factor, a.exponent, bits, a.profile, lags)

    def _size(self) -> float:
        return -1e300 if self.factor <= 0 else log2(self.factor) + self.exponent


def _box(start: tuple[int, ...], shape: tuple[int, ...], low: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple([slice(x - z, x - z + n) for x, n, z in zip(start, shape, low, strict=True)])


def _normalized(shares: tuple[float, ...]) -> tuple[float, Profile]:
    """Return the first share and the shares over it; no profile if all are alike."""
    first = shares[0]
    if first <= 0:
        return first, None
    nearly = 1e-12 * first
    if abs(shares[-1] - first) <= nearly and max(shares) - min(shares) <= nearly:
        return first, None
    return first, tuple([x / first for x in shares])


def one_unit(unit: tuple[int, ...]) -> Flow:
    """Return the flow at its start: 1 at the unit."""
    return Flow(unit, np.ones((1,) * len(unit)))


Runs: TypeAlias = Sequence[tuple[int, ...]]
"""For each node the number of channels in each of its runs of like channels."""

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
    adjust: Adjust | None = None,
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
        The runs of channels of every node; None: all channels are alike everywhere.
    edges
        Factors of what a node (first) passes on to one of its sources (second).
    visit
        Called with every node on the way, the unit's first.
    adjust
        Called with a node, one of its sources and what flows to it; returns what is to flow.
    """
    nodes = graph.nodes
    start = unit if isinstance(unit, Flow) else one_unit(unit)
    arriving: dict[int, list[Flow]] = {index: [start]}
    send = _Sending(arriving, edges or {}, adjust)
    step = backward if callable(backward) else backward.__getitem__
    for i in range(index, reference, -1):
        flows = arriving.pop(i, None)
        if flows is None:
            continue
        if visit is not None:
            visit(i)
        node = nodes[i]
        if not isinstance(node.op, ops.MERGES):
            flows = _through(flows, step(i))
        if len(node.inputs) == 1:
            send(i, node.inputs[0], flows)
        else:
            _split(send, graph, i, flows, runs)
    return arriving.get(reference, [])


class _Sending(NamedTuple):
    """Passes flows on to the sources of nodes."""

    arriving: dict[int, list[Flow]]
    edges: Edges
    adjust: Adjust | None

    def __call__(self, index: int, source: int, flows: list[Flow]) -> None:
        factor = self.edges.get((index, source))
        if factor is not None:
            flows = [x.times(factor) for x in flows]
        if self.adjust is not None:
            flows = self.adjust(index, source, flows)
        _arrive(self.arriving, source, flows)


def _arrive(arriving: dict[int, list[Flow]], source: int, flows: list[Flow]) -> None:
    known = arriving.get(source)
    if known is None:
        if flows:
            arriving[source] = list(flows)
        return
    for flow in flows:
        for j, other in enumerate(known):
            if _alike(flow.profile, other.profile):
                known[j] = other.plus(flow)
                break
        else:
            known.append(flow)


def _alike(a: Profile, b: Profile) -> bool:
    if a is b:
        return True
    if a is None or b is None:
        return False
    return all(map(isclose, a, b))


def _through(flows: list[Flow], how: Backward) -> list[Flow]:
    """Return what one layer passes on."""
    if how.spreads is None:
        if how.keep == 1.0:
            return flows
        passed = [x.times(how.keep) for x in flows]
        if how.gate != 1.0:
            for flow in passed:
                if flow.lags is not None:
                    flow.lags = flow.lags.gated(how.gate)
        return passed
    passed = []
    for flow in flows:
        spreading = flow.spread(how)
        if spreading is not None:
            passed.append(spreading)
        if how.keep != 0.0:
            passed.append(flow.times(how.keep))
    return passed


def _mixed(flows: list[Flow], runs: tuple[int, ...]) -> Flow:
    """Return the mean over channels."""
    total = sum(runs)
    result: Flow | None = None
    for flow in flows:
        if flow.profile is not None:
            mean = sum(n * x for n, x in zip(runs, flow.profile, strict=True)) / total
            flow = flow.with_profile(mean, None)
        result = flow if result is None else result.plus(flow)
    assert result is not None
    return result


def _split(send: _Sending, graph: Graph, index: int, flows: list[Flow], runs: Runs | None) -> None:
    """Pass what arrives at a merge on to its sources."""
    nodes = graph.nodes
    node = nodes[index]
    slices = isinstance(node.op, ops.Concat) and runs is not None
    done = 0
    for source in node.inputs:
        parts = flows
        if runs is not None:
            count = len(runs[source])
            if slices:
                parts = [_slice(x, done, done + count) for x in flows]
                done += count
            elif runs[source] != runs[index]:
                parts = [_mixed(flows, runs[index])]
        if nodes[source].size != node.size:
            parts = [y for x in parts if (y := _cut(x, nodes[source].size)) is not None]
        send(index, source, parts)


def _slice(flow: Flow, start: int, stop: int) -> Flow:
    if flow.profile is None:
        return flow
    first, profile = _normalized(flow.profile[start:stop])
    return flow.with_profile(first, profile)


def _cut(flow: Flow, size: tuple[int, ...]) -> Flow | None:
    """Cut off what a source of a faulty merge does not have."""
    slices = tuple([slice(0, max(n - x, 0)) for x, n in zip(flow.start, size, strict=True)])
    values = flow.values[slices]
    if values.size == 0:
        return None
    return Flow(flow.start, values, flow.factor, flow.exponent, flow.bits, flow.profile, flow.lags)


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
    if abs(exponent) < 1000:
        mantissa, exponent = ldexp(mantissa, exponent), 0
    if flow.values.shape == size:
        flow.values *= mantissa  # nobody else has it any more
        return flow.values, exponent
    box = _box(flow.start, flow.values.shape, (0,) * len(size))
    result = np.zeros(size)
    np.multiply(flow.values, mantissa, out=result[box])
    return result, exponent
