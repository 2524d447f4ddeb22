"""The dependence of activations before a sum on those after it.

Around a skip both see the same channel and position: z = x + F(x) is mostly positive where x is.
So of what goes back through the skip more gets through than if their slopes were independent, by

(E29) c = E[φ′(z)² ψ′(u)²] / (E[φ′(z)²] E[ψ′(u)²]), where x = ψ(u).

Derivation: docs/expected-erf.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Whole
from rfstudio.core.layer_models.backward import Factors
from rfstudio.core.layer_models.layer import Layer, Runs, means_over_runs, side_by_side
from rfstudio.core.layer_models.moments import Moments
from rfstudio.core.memo import remembered
from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import Activation, Homogeneous, Op


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
        The batch norm before the activation; None: there is none.
    skips
        Those of its terms that come from an activation.
    """

    merge: int
    norm: int | None
    skips: list[Skip]


class Gates:
    """The sums of a network whose gates depend on those before them.

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
        # Those that one layer alone reads.
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
        return _does_nothing(node.op)

    def before(self, index: int) -> GatedSum | None:
        """Return the sum, with skips, that an activation of `ends` reads; None: without skips."""
        merge, norm = self.ends[index]
        waiting, skips = [merge], []
        for parent in waiting:
            for source in self._nodes[parent].inputs:
                if source in self._sums:
                    waiting.append(source)
                elif found := self._skip(parent, source):
                    skips.append(found)
        return GatedSum(merge, norm, skips) if skips else None

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
            if isinstance(op, ops.LayerScale | ops.Affine) and _is_factor(op):
                factor *= op.factor
            elif kind is ops.MaxPool and pool is None and index == source:
                pool = index
            elif not _is_placed(op):
                return None
            index = node.inputs[0]


def _is_placed(op: Op | None) -> bool:
    """Return whether an operation leaves the values of a term as they are, and so their gate."""
    if isinstance(op, ops.Upsample):
        return op.mode == "nearest"
    return isinstance(op, ops.Crop) or _does_nothing(op)


def _is_factor(op: ops.LayerScale | ops.Affine) -> bool:
    """Return whether it does no more than multiply by a positive number, before any training."""
    return isinstance(op, ops.LayerScale) or (op.factor > 0 and not op.shift)


def _does_nothing(op: Op | None) -> bool:
    return op is not None and op.does_nothing


def skip_factors(
    found: GatedSum, layers: Sequence[Layer], op: Activation, eps: float | None
) -> list[Factors]:
    """Return by what the energy of each skip is multiplied, for each run of channels of its term.

    Parameters
    ----------
    found
        The sum and its skips.
    layers
        The model up to the activation.
    op
        The activation after the sum.
    eps
        Of a batch norm after the sum; None: there is none, or it does nothing.
    """
    sums = layers[found.merge].runs
    result = []
    for skip in found.skips:
        term = layers[skip.gate if skip.pool is None else skip.pool].runs
        result.append(_factors(sums, term, layers[skip.source].runs, skip.factor, op, eps))
    return result


@remembered(8192)
def _factors(
    sums: Runs, term: Runs, source: Runs, times: float, op: Activation, eps: float | None
) -> Factors:
    """Return the factors of a skip, as means over the runs of its source."""
    columns = side_by_side([sums, term, source])
    if not columns:
        return 1.0
    known = {x[:2]: 1.0 for _, x in columns}
    for whole, added in known:
        known[whole, added] = _factor(whole, added, times, op, eps)
    values = [(n, known[x[:2]]) for n, x in columns]
    if len({x for _, x in values}) == 1:
        return values[0][1]
    return means_over_runs(values, [n for n, _ in source])


def _factor(
    whole: Moments, term: Moments, times: float, op: Activation, eps: float | None
) -> float:
    """Return c of (E29) for some channels of a skip.

    Parameters
    ----------
    whole, term
        The sum, and what comes from the activation before it.
    times
        By what that is multiplied on the way to the sum.
    op, eps
        As for `skip_factors`.
    """
    shift, scale = 0.0, 1.0
    if eps is not None:
        shift, scale = whole.mean, 1 / sqrt(whole.norm_variance + eps)
    mean, square = term.mean * times, term.square * times**2
    rest = (whole.square - whole.mean**2) - (square - mean**2)
    if rest <= 0:
        return 1.0
    law = term.distribution()
    if law.slopes is None:  # the activation has an empty map, through which nothing comes
        return 1.0
    points = (law.points * times + (whole.mean - mean - shift)) * scale
    after = op.squared_slope_around(points, sqrt(rest * scale**2))
    second = float(law.weights @ after)
    if law.slope <= 0 or second <= 0:
        return 1.0
    return float(law.weights @ (law.slopes * after)) / (law.slope * second)
