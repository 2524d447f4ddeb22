"""The expected effective receptive field of a unit in closed form, and its path counts.

One walk from the unit back to the input (`rfstudio.core.effective.flow_back`), in numpy alone, for
any network.  The expected field is E[Σ_i g²] of the gradient g of all the unit's channels, over
random weights and images: what the measured `energy` tends to (Luo et al. [1]_, section 2).  The
result says where that is exact and where it is a model; docs/expected-erf.md derives both.

References
----------
.. [1] Luo, Li, Urtasun, Zemel, "Understanding the effective receptive field in deep convolutional
   neural networks", NIPS 2016, arXiv:1701.04128.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRules
from rfstudio.core.effective.calibration import with_gains
from rfstudio.core.effective.demand import MAX_SECONDS, affordable
from rfstudio.core.effective.energy_flow import Energy, Gains, energy_of
from rfstudio.core.effective.fixed_weights import is_fixed, most_added
from rfstudio.core.effective.flow_back import flow_back, total
from rfstudio.core.effective.pairs.coherence import NOBODY, Followed, carries_pairs, coherence_of
from rfstudio.core.effective.pairs.notes import notes_of_pairs
from rfstudio.core.fields.backtrace import check_unit
from rfstudio.core.fields.reach import check_reached, field_of
from rfstudio.core.fields.unit_frame import UnitFrame
from rfstudio.core.initialisations import DEFAULT, initialisation
from rfstudio.core.layer_models.backward import Backward, spreading
from rfstudio.core.layer_models.layer import BatchNormMode
from rfstudio.core.metrics.metrics import Frame, Metrics
from rfstudio.core.network.graph import Graph
from rfstudio.core.shown import Pictured


@dataclass(frozen=True, eq=False, repr=False)
class Erf(Pictured):
    """An effective receptive field: how strongly each pixel moves one unit.

    Attributes
    ----------
    map
        One value a pixel, in the order of the image's axes, not negative; 0 where the unit reads
        nothing.
    layer, unit
        Whose field it is: the layer's path and the position in its map.
    estimator
        What the values are: "expected", "path count" or a measured one.
    exact
        Whether the map is what its estimator tends to, or a model in some places.
    notes
        Why it is not exact, and what else a reader of the numbers should know; sentences.
    options
        What it was computed with, as plain values.
    exponent
        The true values are map · 2^exponent; 0 wherever they fit into a float64.
    frame
        The theoretical field and visible region that `metrics` compare it with.
    """

    map: NDArray[np.float64]
    layer: str
    unit: tuple[int, ...]
    estimator: str = "expected"
    exact: bool = True
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    exponent: int = 0
    frame: Frame | None = field(default=None, repr=False)

    @cached_property
    def metrics(self) -> Metrics:
        """Size, form and place of the field in numbers."""
        return Metrics(self.map, self.frame)

    def __repr__(self) -> str:
        unit, size = ", ".join(map(str, self.unit)), "×".join(map(str, self.map.shape))
        how = "exact" if self.exact else "approximate"
        what = f"{type(self).__name__} of '{self.layer}' ({unit})"
        return f"<{what}: {self.estimator}, {size}, {how}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the map, so that numpy can use the field as an array."""
        return np.array(self.map, dtype=dtype, copy=bool(copy))


def expected_erf(
    graph: Graph,
    index: int,
    unit: tuple[int, ...],
    *,
    reference: int = 0,
    gains: Gains | None = None,
    batch_norm: BatchNormMode = "warmed",
    init: str = DEFAULT,
    seconds: float = MAX_SECONDS,
) -> Erf:
    """Return the expected energy E[Σ_i g²] of a unit's gradient, for random weights.

    Weights are drawn by `init`, biases are 0, the input is noise of mean 0 and variance 1: what a
    measurement with random weights has by default.

    Parameters
    ----------
    graph
        The network.
    index
        Node of the unit.
    unit
        Its position; all its channels count, with random signs.
    reference
        Node whose map the field is over.
    gains
        Measured factors that replace modelled ones.  For the index of an activation or of a norm
        that does not mix positions: its mean squared slope; of a max pool: how much more often the
        gate before it is open at the largest sample; of another layer: how much more energy
        it passes on than modelled.  For a pair (merge, source): the factor of that edge.  A tuple
        holds a factor for each run of like channels, an array one for each tap of a convolution.
    batch_norm
        "warmed": batch norm divides by the variance of what comes in, as after a few images;
        "fresh": by 1; "train": by the variance over the map itself, as for a graph that was
        expanded with `batch_norm_training`.
    init
        The law of the weights, as `rfstudio.core.initialisations.initialisation` takes it.
    seconds
        Time that it may take, roughly: work is counted, not measured, so that what is refused does
        not depend on the machine.

    Raises
    ------
    UnitError
        If there is no such unit, or nothing leads to it from the reference.
    TooLargeError
        If it would take more time or memory than is allowed.
    RFStudioError
        If there is no such `batch_norm` or `init`, or values of random weights before the unit are
        too large for numbers.
    """
    check_unit(graph, index, unit)
    check_reached(graph, index, reference)
    with field_of(graph, index), affordable(graph, index, unit, reference, seconds):
        return _expected(graph, index, unit, reference, gains, batch_norm, init)


def _expected(
    graph: Graph,
    index: int,
    unit: tuple[int, ...],
    reference: int,
    gains: Gains | None,
    batch_norm: BatchNormMode,
    init: str,
) -> Erf:
    # Gains were measured layer by layer; and a chain of max pools may go past the reference.
    chains = not gains and type(graph.nodes[reference].op) is not ops.MaxPool
    law = initialisation(init)
    energy = energy_of(graph, batch_norm, index, init=law, joined=chains)
    gained = with_gains(energy, gains, index, reference)
    visited: list[int] = []
    walk = partial(
        flow_back,
        energy.graph,
        index,
        unit,
        gained.backward,
        reference=reference,
        runs=energy.runs,
        edges=gained.edges,
    )
    # What is measured layer by layer has in it what pairs add.
    followed = NOBODY if gains else coherence_of(energy, index)
    flows = walk(visit=visited.append, adjust=followed.coherence)
    origin = graph.nodes[reference]
    values, exponent = total(flows, energy.runs[reference], origin.size)
    values *= origin.channels
    notes = _reasons(energy, visited, gains or {}, followed)
    if not gains:
        added = 0.0
        if followed.coherence is not None:
            alone, _ = total(walk(), energy.runs[reference], origin.size)
            added = float(values.sum()) / max(float(alone.sum()) * origin.channels, 1e-300) - 1
        notes += notes_of_pairs(energy, visited, followed, added)
    return Erf(
        values,
        graph.nodes[index].name,
        tuple(unit),
        "expected",
        not notes,
        notes,
        {"batch_norm": batch_norm, "init": law.text, "gains": "measured" if gains else "modelled"},
        exponent,
        UnitFrame(graph, index, tuple(unit), reference),
    )


def source_of_same_field(graph: Graph, index: int) -> int | None:
    """Return the node whose units have the same expected fields, but for a factor.

    That is what a layer reads which only scales what flows back, all channels by one factor: to get
    the sizes of all fields, this one need not be worked out.  None: there is no such node.
    """
    node, energy = graph.nodes[index], energy_of(graph, target=index, joined=True)
    how = energy.layers[index].backward
    spreads = how.spreads is not None or how.places is not None
    if len(node.inputs) != 1 or spreads or isinstance(how.keep, tuple):
        return None
    source = node.inputs[0]
    if energy.is_gate(index):
        return None  # this rectifier and those of the sum's sources are open together
    return source if how.keep > 0 and graph.nodes[source].size == node.size else None


def _reasons(
    energy: Energy, visited: Sequence[int], gains: Gains, followed: Followed
) -> tuple[str, ...]:
    """Return why the result is approximate: each reason once, with the layers it is about."""
    nodes = energy.graph.nodes
    edges = {key[0] for key in gains if isinstance(key, tuple)}
    found: dict[str, list[str]] = {}
    correlated: set[int] = set()
    more: list[float | None] = []
    # Those of them about whose gradients no pairs say all that they have in common.
    unknown: set[int] = set()
    for i in visited:
        layer = energy.layers[i]
        is_model = layer.backward.spreads is not None or (i not in gains and i not in edges)
        if layer.remark and is_model:
            found.setdefault(layer.remark, []).append(nodes[i].name)
        if layer.sums and (i in unknown or (i in correlated and not followed.adds_up(i))):
            found.setdefault(_CORRELATED, []).append(nodes[i].name)
            more.append(most_added(nodes[i]))
        if i in correlated and isinstance(nodes[i].op, ops.AxisLinear):
            # Its weights decide on the gates through which those gradients came.
            found.setdefault(_CORRELATED, []).append(nodes[i].name)
            more.append(None)
        if layer.correlates or i in correlated:
            correlated.update(nodes[i].inputs)
            made = layer.correlates and not is_fixed(nodes[i].op)
            if made or i in unknown or not carries_pairs(nodes[i].op):
                unknown.update(nodes[i].inputs)
    reasons = tuple(
        _sentence(reason, names) + (_at_most(more) if reason == _CORRELATED else "")
        for reason, names in found.items()
    )
    return (_MEASURED, *reasons) if gains else reasons


_MEASURED = (
    "What layers pass on is measured, in the mean over channels and positions; where it goes is "
    "modelled with weights that are independent of each other, which trained ones are not."
)

_CORRELATED = "gradients that overlapping windows add up are assumed to be independent"


def _at_most(more: Sequence[float | None]) -> str:
    """Return what gradients that are not independent may add at such layers, if it is known."""
    if any(x is None for x in more):
        return ""
    added = prod([1 + x for x in more if x is not None]) - 1
    return f" That may add up to {added:.0%}." if added < _NO_BOUND else ""


_NO_BOUND = 10.0
"""Share from which on a bound says nothing."""


def _sentence(reason: str, names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{reason[0].upper()}{reason[1:]} ('{names[-1]}'{more})."


def path_counts(
    graph: Graph,
    index: int,
    unit: tuple[int, ...],
    *,
    reference: int = 0,
    means: bool = True,
) -> Erf:
    """Return the number of paths from each pixel to a unit.

    That is the gradient of the same network with one channel a layer, all learned weights 1,
    activations and norms left out, and max pooling that adds up its window.

    Parameters
    ----------
    graph
        The network.
    index, unit
        Node and position of the unit.
    reference
        Node whose map the counts are over.
    means
        Whether means and interpolations have their own weights (of which the absolute value
        counts), so that a path through an average pool counts 1 over its taps; otherwise all
        paths count 1 and the values are whole numbers.

    Returns
    -------
    Erf
        `exponent` is not 0 where counts do not fit into a float64.

    Raises
    ------
    UnitError
        If there is no such unit, or nothing leads to it from the reference.
    TooLargeError
        If it would take more time or memory than is spent on it.
    """
    check_unit(graph, index, unit)
    check_reached(graph, index, reference)
    nodes = graph.nodes

    def back(i: int) -> Backward:
        node = nodes[i]
        assert node.op is not None
        return counting(node.op, node.rules, keep_means=means)

    with field_of(graph, index), affordable(graph, index, unit, reference):
        flows = flow_back(graph, index, unit, back, reference=reference)
        values, exponent = total(flows, (1,), nodes[reference].size)
    return Erf(
        values,
        nodes[index].name,
        tuple(unit),
        "path count",
        options={"means": means},
        exponent=exponent,
        frame=UnitFrame(graph, index, tuple(unit), reference),
    )


def counting(op: ops.Op, rules: AxisRules, *, keep_means: bool = True) -> Backward:
    """Return what counts paths: learned weights are 1, activations and norms do nothing.

    Parameters
    ----------
    op, rules
        The layer.
    keep_means
        Whether means and interpolations have their own weights (of which the absolute value
        counts); otherwise all taps of all layers count 1.
    """
    if keep_means and op.keeps_weights:
        how = spreading(op.fixed_rules(rules), power=1)
    else:
        how = spreading(rules)
    return Backward() if all(x.is_identity for x in how.spreads or ()) else how
