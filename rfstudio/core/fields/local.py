"""The local field: what a unit sees where operations that read a whole axis read one position.

Squeeze-and-excite, instance and group norm and attention have one output for each input position,
yet each output reads the whole axis, so every field after them is the whole image.  In the *local*
network such a context operation reads its own position only, and a branch that has no positions
(a map pooled to one cell, spread again) adds nothing where it meets branches that have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRules, Whole
from rfstudio.core.fields.field import AxisField
from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import Op

Fields = tuple[AxisField, ...]
"""Field of a map along each axis."""

_TYPES: tuple[type[Op], ...] = (*ops.OPS.values(), ops.DeformTaps)

CONTEXT: frozenset[type[Op]] = frozenset(
    x for x in _TYPES if x.local_rules is not ops.Operation.local_rules
)
"""Operations that may read a whole axis and yet have a position for each position they read."""


def local_rules(op: Op | None, rules: AxisRules) -> AxisRules:
    """Return the rules of an operation in the local network; `rules` itself if they are the same.

    An unbounded deformable convolution reads its window as if no tap were moved.
    """
    return rules if op is None else op.local_rules(rules)


def is_context(op: Op | None, rules: AxisRules) -> bool:
    """Whether an operation reads a whole axis and preserves its positions."""
    return local_rules(op, rules) is not rules


@dataclass(frozen=True, slots=True)
class LocalField:
    """The local field of a layer; all tuples have one entry per axis, None without positions.

    Attributes
    ----------
    fields
        The field along each axis; `whole` where the layer has no positions.
    size
        Size of the layer's map along each axis, in samples.
    """

    fields: Fields
    size: tuple[int, ...]

    @property
    def rf_size(self) -> tuple[int | None, ...]:
        """Largest size over units, in pixels."""
        return tuple(None if x is None else x[1] for x in self.rf_size_range)

    @property
    def rf_size_range(self) -> tuple[tuple[int, int] | None, ...]:
        """Smallest and largest size over units, in pixels."""
        return tuple(x.size_range(n) for x, n in zip(self.fields, self.size, strict=True))

    @property
    def jump(self) -> tuple[int | Fraction | None, ...]:
        """Effective stride, in pixels; None after a stride mismatch as well."""
        return tuple(x.jump for x in self.fields)

    @property
    def padding(self) -> tuple[int | Fraction | None, ...]:
        """Effective padding, in pixels; None after a stride mismatch as well."""
        return tuple(x.padding for x in self.fields)

    @property
    def center(self) -> tuple[float | None, ...]:
        """Centre of the field of unit 0, in pixels; None where `jump` is None."""
        return tuple(x.center for x in self.fields)

    @property
    def alignment(self) -> tuple[str | None, ...]:
        """How all paths to the layer fit: aligned, centre_offset or stride_mismatch."""
        return tuple(None if x.whole else x.alignment.word for x in self.fields)


def contexts_of(
    graph: Graph, local: Sequence[Fields], reference: int = 0
) -> tuple[tuple[int, ...], list[int]]:
    """Return which operations on the way to each node read a whole axis.

    Returns
    -------
    nodes
        Indices of all nodes that are such operations, in order.
    sets
        For each node a set of them as the bits of a number, bit b for ``nodes[b]``: its context
        operations, and those at which branches lost their positions that add nothing here.
    """
    nodes = graph.nodes
    bits: list[int] = []
    context = [0] * len(nodes)
    # Where a node has no positions (any more), what removed them: it counts once the branch
    # meets one that has positions.
    pooled = [0] * len(nodes)
    for node in nodes[reference + 1 :]:
        index, inputs = node.index, node.inputs
        fields = local[index]
        reads = any(type(x) is Whole for x in node.rules)
        if len(inputs) == 1 and not reads:
            context[index], pooled[index] = context[inputs[0]], pooled[inputs[0]]
            continue
        seen, lost = 0, 0
        for source in inputs:
            seen |= context[source]
            lost |= pooled[source]
        if reads and any(x.tracks or x.whole for x in local[inputs[0]]):
            bit = 1 << len(bits)
            bits.append(index)
            if is_context(node.op, node.rules):
                seen |= bit
            else:
                lost |= bit
        elif len(inputs) > 1:
            for source in inputs:
                if any(x.whole and not y.whole for x, y in zip(local[source], fields, strict=True)):
                    seen |= pooled[source]
        context[index], pooled[index] = seen, lost
    return tuple(bits), context


def names_of(graph: Graph, nodes: Sequence[int], bits: int) -> tuple[str, ...]:
    """Return the names of the nodes whose bits are set, in the order of the network."""
    names = []
    while bits:
        lowest = bits & -bits
        names.append(graph.nodes[nodes[lowest.bit_length() - 1]].name)
        bits ^= lowest
    return tuple(names)
