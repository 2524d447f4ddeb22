"""Notes on fields whose gradients depend on each other: by how much they may be off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import Energy
from rfstudio.core.effective.fixed_weights import SCALING, blends, is_fixed
from rfstudio.core.effective.pairs.coherence import Followed
from rfstudio.core.effective.pairs.needs import LEAST, Needs
from rfstudio.core.effective.read_values import fan_in, open_more
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Activation

_RESOLUTION = 0.005
"""Share of all energy below which a field is called exact."""

_LEFT_AT_FIRST, _LEFT_LATER, _LEFT_OF_OVERLAPS = 0.02, 0.06, 0.13
"""Shares of what pairs add that the first order in 1/n leaves out: where a convolution reads noise;
where it reads values that were rectified (sampled with 2 to 48 inputs); and where overlapping
windows add these up once more, or what it reads was interpolated (0.07 to 0.14 in samples)."""

_FIRST_ORDER = (
    "A mean over rectified values gives neighbours one gradient, and their gates look at the same "
    "samples: that adds {:.0%}, of which about {:.1%} are not modelled."
)

_PARTED = (
    "What the sources of a sum under a mean have in common is left out, about {1:.0%} ('{0}')."
)

_LEFT_OUT = (
    "A mean over rectified values gives neighbours one gradient, and their gates look at the same "
    "samples: that may add up to {:.0%}, which is left out."
)

_TOO_LONG = (
    "A mean over rectified values may give neighbours one gradient; what that adds is left out, as "
    "the maps are too long to look at."
)

_SUM_OF_RECTIFIED = (
    "Rectified sources of a sum look at the same samples, which adds about {:.1%} that are left "
    "out ('{}')."
)


def notes_of_pairs(
    energy: Energy, visited: Sequence[int], followed: Followed, added: float
) -> tuple[str, ...]:
    """Return notes on gradients that depend on each other on a way and are not modelled.

    Parameters
    ----------
    energy, visited
        The model, and the nodes on the way.
    followed
        What followed pairs, and where.
    added
        What these add, as a share of all energy.
    """
    found: tuple[str, ...] = ()
    if followed.coherence is not None:
        found = _of_pairs(energy, visited, followed.coherence.needs, added)
    elif followed.left_out > _RESOLUTION:
        found = (_LEFT_OUT.format(followed.left_out),)
    elif followed.too_long:
        found = (_TOO_LONG,)
    return found + _of_sums(energy, visited)


def _of_pairs(
    energy: Energy, visited: Sequence[int], needs: Needs, added: float
) -> tuple[str, ...]:
    """Return notes on pairs on a way that are not modelled, and add a share of all energy."""
    made, gated, order, parted = False, False, 0.0, ""
    for i in visited:
        node = energy.graph.nodes[i]
        made = made or needs.makes(node)
        if not made:
            continue
        gated = gated or isinstance(node.op, Activation)
        if gated and isinstance(node.op, _WEIGHTED) and needs.of[i].gated >= LEAST:
            is_first = open_more(energy, node.inputs[0])[1] == 1.0
            overlaps = needs.of[node.inputs[0]].sums >= LEAST
            if _depends_on_place(energy, node) or (overlaps and not is_first):
                left = _LEFT_OF_OVERLAPS
            else:
                left = _LEFT_AT_FIRST if is_first else _LEFT_LATER
            order = max(order, left)
        if isinstance(node.op, ops.Add):
            count = sum(needs.of[x].most >= LEAST for x in node.inputs)
            parted = node.name if count > 1 else parted
    found = []
    if order * added > _RESOLUTION:
        found.append(_FIRST_ORDER.format(added, order * added))
    if parted and 2 * added > _RESOLUTION:
        found.append(_PARTED.format(parted, 2 * added))
    return tuple(found)


_WEIGHTED = ops.Conv | ops.ConvTranspose


def _depends_on_place(energy: Energy, node: Node) -> bool:
    """Return whether neighbours of a layer's map have more in common in some places than others.

    That is so after an interpolation and the like; gates are modelled by the distance alone.
    """
    nodes = energy.graph.nodes
    source = nodes[node.inputs[0]]
    while isinstance(source.op, (*SCALING, ops.Pad, ops.Crop)):
        source = nodes[source.inputs[0]]
    blended = is_fixed(source.op) and blends(source)
    transposed = isinstance(node.op, ops.ConvTranspose) and blended
    return transposed or (blended and isinstance(source.op, ops.Upsample | ops.AdaptiveAvgPool))


def _of_sums(energy: Energy, visited: Sequence[int]) -> tuple[str, ...]:
    """Return which sums on a way have sources that have more in common than is modelled.

    Where x and φ(w·h) are added up, E[w φ′(w·h)] is not 0: along h, it depends on the sign of h, so
    gradients through both sources are of one sign where x is positive, or rectified itself.
    """
    nodes = energy.graph.nodes
    most, where = 0.0, ""
    for i in visited:
        node = nodes[i]
        if not isinstance(node.op, ops.Add):
            continue
        fans = [_fan_before_gate(energy, x) for x in node.inputs]
        gated = [x for x in fans if x is not None]
        if not gated:
            continue
        plain = [
            energy.moments(x).mean
            for x, fan in zip(node.inputs, fans, strict=True)
            if fan is None and energy.moments(x).mean > 0
        ]
        share = 0.0
        if len(gated) > 1:
            share = (len(gated) - 1) / (np.pi * min(gated))
        if plain:
            share = max(share, 1.5 / min(gated))
        if share > most:
            most, where = share, node.name
    if most <= _RESOLUTION:
        return ()
    return (_SUM_OF_RECTIFIED.format(most, where),)


def _fan_before_gate(energy: Energy, index: int) -> float | None:
    """Return the fan-in of the convolution whose values, rectified, a map holds; None: of none."""
    nodes = energy.graph.nodes
    gate = False
    while True:
        node = nodes[index]
        op = node.op
        if isinstance(op, ops.Conv | ops.ConvTranspose):
            return fan_in(energy.graph, node) if gate else None
        if isinstance(op, Activation):
            gate = True
        elif len(node.inputs) != 1 or not (isinstance(op, SCALING) or is_fixed(op)):
            return None
        index = node.inputs[0]
