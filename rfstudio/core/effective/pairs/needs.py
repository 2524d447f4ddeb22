"""The need for pairs of gradients: where they still count on their way back, and to which lag."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import Energy
from rfstudio.core.effective.fixed_weights import SCALING, amplitudes, blends, extent, is_fixed
from rfstudio.core.effective.read_values import fan_in, open_more
from rfstudio.core.layer_models.pair_tables import Lag
from rfstudio.core.layer_models.spread import Values
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Activation, per_axis

LEAST = 0.002
"""Share of the energy at a pixel below which what two places have in common is left out."""

_MOST_REACH = 6
"""Largest lag along each axis."""

_RADIAL = 0.3
"""About what pairs of one filter make of those along the values, over their number."""


class Need(NamedTuple):
    """What pairs of gradients into a map can still do on their way to the image.

    Attributes
    ----------
    reach
        Largest lag along each axis that counts.
    open
        About which share of a pixel's energy they add there, of gradients that passed no gate
        since the last convolution.
    gated
        The same of those that did.
    radial
        The same of pairs along the values, over their number.
    sums
        By how much more overlapping windows of fixed weights add up, at most, of equal gradients
        than of independent ones.
    """

    reach: Lag
    open: float
    gated: float
    radial: float
    sums: float = 0.0

    @property
    def most(self) -> float:
        """About the largest share that they add."""
        return max(self.of_gates, self.sums)

    @property
    def of_gates(self) -> float:
        """About the largest share that they add since gates read the same samples."""
        return max(self.open, self.gated, _RADIAL * self.radial)

    @property
    def counts_radial(self) -> bool:
        """Whether pairs along the values count."""
        return _RADIAL * self.radial >= LEAST


class Needs:
    """What pairs of gradients into each map of a network can still do.

    Attributes
    ----------
    of
        For each node up to the last one that was wanted.
    """

    def __init__(self, energy: Energy) -> None:
        self.of: list[Need] = []
        self._energy = energy
        self._nodes = energy.graph.nodes
        self._makers: dict[int, bool] = {}

    def up_to(self, target: int) -> None:
        """Work out the nodes up to this one."""
        for node in self._nodes[len(self.of) : target + 1]:
            self.of.append(self._need(node))

    @property
    def reach(self) -> Lag:
        """Largest lag of all along each axis."""
        return tuple([max(x) for x in zip(*[need.reach for need in self.of], strict=True)])

    def makes(self, node: Node) -> bool:
        """Return whether a layer gives several samples one gradient, and pairs of them count."""
        if not is_fixed(node.op) or isinstance(node.op, ops.Pad | ops.Crop):
            return False
        if self.of[node.inputs[0]].most < LEAST:
            return False
        if node.index not in self._makers:
            self._makers[node.index] = blends(node)
        return self._makers[node.index]

    def has_all(self, node: Node) -> bool:
        """Return whether pairs are followed to all lags that a fixed layer adds up."""
        reach = self.of[node.index].reach
        return all(extent(a.T) <= r for a, r in zip(amplitudes(node), reach, strict=True))

    def cost(self, target: int) -> tuple[int, float]:
        """Return how many pairs are followed on the way from a layer, and what they may add.

        The latter is a share of the energy at a pixel, roughly, and at most.
        """
        self.up_to(target)
        seen, followed = {target}, set()
        count, most = 0, 0.0
        for i in range(target, 0, -1):
            if i not in seen:
                continue
            node = self._nodes[i]
            seen.update(node.inputs)
            made = self.makes(node)
            if made or i in followed:
                for source in node.inputs:
                    need = self.of[source]
                    if need.most < LEAST:
                        continue
                    if made:
                        most = max(most, need.of_gates)
                    if source not in followed:
                        followed.add(source)
                        sides = zip(need.reach, self._nodes[source].size, strict=True)
                        count += prod([(2 * r + 1) * n for r, n in sides])
        return count, 2.5 * most

    def _need(self, node: Node) -> Need:
        op: Any = node.op
        axes = len(node.size)
        none = Need((0,) * axes, 0.0, 0.0, 0.0)
        if op is None or not all(node.size):
            return none
        sources = [self.of[i] for i in node.inputs]
        if len(node.inputs) > 1:
            reach = tuple([max(x) for x in zip(*[s.reach for s in sources], strict=True)])
            return Need(
                reach,
                max(s.open for s in sources),
                max(s.gated for s in sources),
                max(s.radial for s in sources),
                max(s.sums for s in sources),
            )
        below = sources[0]
        if isinstance(op, Activation):
            x = self._energy.moments(node.inputs[0])
            passed = 0.6 * below.open
            most = max(passed, below.gated if x.square > 0 else 0.0)
            return Need(below.reach, most, 0.0, below.radial, below.sums)
        if isinstance(op, ops.Conv | ops.ConvTranspose):
            return self._need_of_weights(node, below)
        if isinstance(op, ops.PixelShuffle):
            r = op.upscale_factor
            return below._replace(reach=tuple([x * r for x in below.reach]))
        if isinstance(op, ops.PixelUnshuffle):
            r = op.downscale_factor
            return below._replace(reach=tuple([x // r for x in below.reach]))
        if is_fixed(op):
            matrices = amplitudes(node)
            more = prod([_most_sum(a) for a in matrices]) - 1
            # Copies that are farther apart than any lag are left to autocorrelations.
            near = max([extent(a.T) for a in matrices], default=0) <= _MOST_REACH
            sums = max(more if near else 0.0, below.sums)
            if max(below.most, sums) < LEAST:
                return none
            found: list[int] = []
            for a, far, rule in zip(matrices, below.reach, node.rules, strict=True):
                step = max(rule.n_in / max(rule.n_out, 1), 1e-9)
                apart = max(int((far + extent(a)) / step) + 1, extent(a.T) if near else 0)
                found.append(min(apart, _MOST_REACH, rule.n_out - 1))
            return Need(tuple(found), below.open, below.gated, below.radial, sums)
        if isinstance(op, SCALING):
            return below
        return none

    def _need_of_weights(self, node: Node, below: Need) -> Need:
        op: Any = node.op
        axes = len(node.size)
        kernel, stride = per_axis(op.kernel_size, axes), per_axis(op.stride, axes)
        dilation = per_axis(op.dilation, axes)
        apart = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        forward = isinstance(op, ops.Conv)
        wide = below.radial > LEAST or below.sums > LEAST
        reach = []
        for far, r, s, n in zip(apart, below.reach, stride, node.size, strict=True):
            more = r + far if wide else r
            own = max(far, more) // s if forward else max(far, more * s)
            reach.append(min(own, _MOST_REACH, n - 1))
        fan = fan_in(self._energy.graph, node)
        _, e2 = open_more(self._energy, node.inputs[0])
        shared = prod(kernel) / (prod(stride) if forward else 1)
        gated = max((shared - 1) * e2 / (np.pi * (fan + 2)), _RADIAL * below.radial)
        spread_out = 2 / max(prod(kernel), 2)
        radial = max(1 / fan, below.radial * spread_out)
        return Need(tuple(reach), below.open, gated, radial, below.sums)


def _most_sum(a: Values) -> float:
    """Return how many times what independent gradients add equal ones do, at most."""
    squares = (a**2).sum(axis=0)
    return float((np.abs(a).sum(axis=0) ** 2 / np.where(squares > 0, squares, 1.0)).max(initial=0))
