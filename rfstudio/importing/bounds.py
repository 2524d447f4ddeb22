"""Between which numbers the values of a map are, as far as the operations that make it tell."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from rfstudio.core import ops
from rfstudio.importing.layers import MapNode
from rfstudio.importing.records import Bounds

_BOUNDED: dict[type[ops.Op], Bounds] = {
    ops.Tanh: (-1.0, 1.0),
    ops.Sigmoid: (0.0, 1.0),
    ops.Hardsigmoid: (0.0, 1.0),
    ops.Softmax: (0.0, 1.0),
    ops.Relu6: (0.0, 6.0),
}

_PASSING = (ops.Affine, ops.Concat, ops.ChannelSlice, ops.ChannelShuffle, ops.Dropout, ops.Identity)
"""Operations whose values are those of what they read, but for a factor and a shift."""


def cut(low: float | None, high: float | None) -> tuple[str, dict[str, Any]]:
    """Return kind and options of the record of a cut to a range; None: no limit."""
    if low == 0 and high == 6:
        return "activation", {"op": ops.Relu6()}
    if low == 0 and (high is None or high > 1e30):
        return "activation", {"op": ops.Relu()}
    return "pointwise", {"bounds": (-inf if low is None else low, inf if high is None else high)}


def largest(nodes: Sequence[MapNode], node: int) -> float:
    """Return what no value of a map exceeds in size; infinite: not known."""
    needed = {node: None}
    for x in (waiting := [node]):
        if isinstance(nodes[x].op, _PASSING):
            new = [y for y in nodes[x].sources if y not in needed]
            needed.update(dict.fromkeys(new))
            waiting += new
    found: dict[int, Bounds] = {}
    for x in sorted(needed):
        op = nodes[x].op
        before = [found[y] for y in nodes[x].sources if y in found]
        if not isinstance(op, _PASSING) or not before:
            found[x] = nodes[x].bounds if op is None else _BOUNDED.get(type(op), nodes[x].bounds)
            continue
        low, high = min(a for a, _ in before), max(b for _, b in before)
        if isinstance(op, ops.Affine):
            low, high = sorted((op.factor * low + op.shift, op.factor * high + op.shift))
        found[x] = low, high
    return max(map(abs, found[node]))
