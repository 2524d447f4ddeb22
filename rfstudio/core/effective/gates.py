"""How activations in front of a sum and behind it depend on each other.

Behind a skip both see the same channel and position: z = x + F(x) is mostly positive where x is.
So of what goes back through the skip more gets through than if their slopes were independent, by
c = E[φ′(z)² ψ′(u)²] / (E[φ′(z)²] E[ψ′(u)²]), where x = ψ(u).  Derivation: docs/expected-erf.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from rfstudio.core import ops
from rfstudio.core.effective.activations import (
    slope,
    slope_below,
)
from rfstudio.core.effective.backward import Factors
from rfstudio.core.effective.layer_model import Layer, means_over_runs, side_by_side
from rfstudio.core.effective.moments import Moments, Points
from rfstudio.core.energy.normal import cdf, nodes
from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import Activation, Homogeneous, Op
from rfstudio.core.ops.geometry import Whole


class Skip(NamedTuple):
    """What goes from an activation to a sum without weights on the way.

    Attributes
    ----------
    merge, source
        The sum and the source of it from which it comes.
    gate
        The activation.
    factor
        By what its values are multiplied on the way, as by a mean over several.
    pool
        A max pool on the way; None: there is none.
    """

    merge: int
    source: int
    gate: int
    factor: float
    pool: int | None


class GatedSum(NamedTuple):
    """A sum that is read through one activation alone.

    Attributes
    ----------
    merge
        The sum; terms of it may be sums, which nothing else reads.
    norm
        The batch norm in front of the activation; None: there is none.
    skips
        Those of its terms that come from an activation.
    """

    merge: int
    norm: int | None
    skips: list[Skip]

    def depends_on(self, layers: Sequence[Layer]) -> list[Layer]:
        """Return all that the factors are worked out from."""
        found = [layers[self.merge]]
        for skip in self.skips:
            found += (layers[skip.gate], layers[skip.source])
        return found


class Gates:
    """The sums of a network whose gates depend on those in front of them.

    Attributes
    ----------
    has_sums
        Whether there are any sums.
    ends
        For each activation that alone reads a sum, that sum and the batch norm between them.
    """

    def __init__(self, graph: Graph) -> None:
        self._nodes = graph.nodes
        readers, last = [0] * len(graph.nodes), [0] * len(graph.nodes)
        sums: list[int] = []
        for node in graph.nodes:
            for source in node.inputs:
                readers[source] += 1
                last[source] = node.index
            if type(node.op) is ops.Add:
                sums.append(node.index)
        self.has_sums = bool(sums)
        # Sums that one layer alone reads.
        self._sums = {x for x in sums if readers[x] == 1}
        self.ends: dict[int, tuple[int, int | None]] = {}
        for merge in self._sums:
            index, norm = last[merge], None
            while readers[index] == 1 and self._is_passed(index, norm):
                norm = index if type(graph.nodes[index].op) is ops.BatchNorm else norm
                index = last[index]
            if isinstance(graph.nodes[index].op, Activation):
                self.ends[index] = merge, norm

    def _is_passed(self, index: int, norm: int | None) -> bool:
        """Return whether a layer between a sum and its gate leaves each value for itself."""
        node = self._nodes[index]
        if type(node.op) is ops.BatchNorm:
            return norm is None and not any(isinstance(x, Whole) for x in node.rules)
        return type(node.op) in _NOTHING

    def behind(self, index: int) -> GatedSum | None:
        """Return the sum that an activation, the only one to do so, reads; None: no such sum."""
        found = self.ends.get(index)
        if found is None:
            return None
        skips: list[Skip] = []
        self._add_skips(found[0], skips)
        return GatedSum(*found, skips) if skips else None

    def _add_skips(self, merge: int, skips: list[Skip]) -> None:
        waiting = [merge]
        for parent in waiting:
            for source in self._nodes[parent].inputs:
                if source in self._sums:
                    waiting.append(source)
                elif type(self._nodes[source].op) in _ON_A_SKIP:
                    found = self._skip(parent, source)
                    if found is not None:
                        skips.append(found)

    def _skip(self, merge: int, source: int) -> Skip | None:
        """Return where the values of a term come through an activation, if they do."""
        index, factor, pool = source, 1.0, None
        while True:
            node = self._nodes[index]
            op = node.op
            kind = type(op)
            if isinstance(op, Activation):
                good = pool is None or isinstance(op, Homogeneous)
                return Skip(merge, source, index, factor, pool) if good else None
            if isinstance(op, ops.LayerScale):
                factor *= op.init
            elif kind is ops.MaxPool and pool is None and index == source:
                pool = index
            elif kind not in _PLACED or (isinstance(op, ops.Upsample) and op.mode != "nearest"):
                return None
            index = node.inputs[0]


_NOTHING = frozenset(x for x in ops.OPS.values() if x.does_nothing)
_PLACED = _NOTHING | {ops.Crop, ops.Upsample}
"""Operations that leave the values of a term as they are, and so the gate that they came through;
an interpolation is looked at by its mode."""

_ACTIVATIONS = frozenset(x for x in ops.OPS.values() if issubclass(x, Activation))
_ON_A_SKIP = _ACTIVATIONS | _PLACED | {ops.LayerScale, ops.MaxPool}


def skip_factors(
    found: GatedSum, graph: Graph, layers: Sequence[Layer], op: Op, *, warmed: bool
) -> tuple[Factors, ...]:
    """Return by what the energy of each skip is multiplied, for each run of channels of its term.

    Parameters
    ----------
    found
        The sum and its skips.
    graph, layers
        The network, and its model up to the activation.
    op
        The activation behind the sum.
    warmed
        Whether a batch norm divides by the variance of what comes in.
    """
    eps: float | None = None
    if found.norm is not None and warmed:
        eps = graph.nodes[found.norm].op.eps  # type: ignore[union-attr]
    sums = layers[found.merge].runs
    result: list[Factors] = []
    for skip in found.skips:
        term = layers[skip.gate if skip.pool is None else skip.pool].runs
        source = layers[skip.source].runs
        columns = side_by_side([sums, term, source])
        if not columns:
            result.append(1.0)
            continue
        factors = {(x[0], x[1]): 1.0 for _, x in columns}
        for whole, added in factors:
            factors[whole, added] = _factor(whole, added, skip.factor, op, eps)
        found_runs = [(n, factors[x[0], x[1]]) for n, x in columns]
        result.append(_for_each(found_runs, [n for n, _ in source]))
    return tuple(result)


def _for_each(factors: list[tuple[int, float]], counts: list[int]) -> Factors:
    """Return mean factors over wider runs of channels, or one if they are alike."""
    if len({x for _, x in factors}) == 1:
        return factors[0][1]
    return means_over_runs(factors, counts)


def _factor(whole: Moments, term: Moments, times: float, op: Op, eps: float | None) -> float:
    """Return the factor of some channels of a skip.

    Parameters
    ----------
    whole, term
        The sum, and what comes from the activation in front of it.
    times
        By what that is multiplied on the way to the sum.
    op
        The activation behind the sum.
    eps
        Of a batch norm behind the sum; None: there is none, or it does nothing.
    """
    shift, scale = 0.0, 1.0
    if eps is not None:
        variance = whole.variance if whole.variance > 1e-12 * whole.square else 1.0
        shift, scale = whole.mean, 1 / sqrt(variance + eps)
    mean, square = term.mean * times, term.square * times**2
    rest = (whole.square - whole.mean**2) - (square - mean**2)
    if rest <= 0:
        return 1.0
    law = term.distribution()
    assert law.slopes is not None  # it came through an activation
    points = (law.points * times + (whole.mean - mean - shift)) * scale
    behind = _squared_slope_around(op, points, rest * scale**2)
    second = float(law.weights @ behind)
    if law.slope <= 0 or second <= 0:
        return 1.0
    return float(law.weights @ (law.slopes * behind)) / (law.slope * second)


def _squared_slope_around(op: Op, points: Points, variance: float) -> Points:
    """Return the mean squared slope over normal values of some variance around each point."""
    deviation = sqrt(variance)
    if isinstance(op, Homogeneous):
        above = cdf(points / deviation)
        low = slope_below(op) ** 2
        return above + (1 - above) * low if low else above
    if isinstance(op, ops.Relu6):
        return cdf(points / deviation) - cdf((points - 6.0) / deviation)
    around, weights = nodes(24)
    result: Points = slope(op, points[:, None] + deviation * around) ** 2 @ weights
    return result
