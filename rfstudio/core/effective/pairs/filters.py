"""Gradients at two places of a map that depend on each other, place by place.

A mean gives neighbouring samples the same gradient.  After a convolution of random weights
two such gradients are independent, since they pass through different weights; but a rectifier
before the mean (in graph order: between the convolution and the mean) depends on the weights as
well.  With u = w·h and v = w·h′ the values of one filter at two places, whose windows
both read the sample x of the map before, with the weights w_t and w_t′,

    (E30) E[w_t w_t′ φ′(u) φ′(v)] = σ² V/T · E[z φ′(z)]² / (T √(1 − ρ²)) · N/n,
          N = e₂ + c(2s) − 2 e₁ ρ c(s)

to first order in 1/n (integrate over w by parts, the inputs being fixed).  Here n is the fan-in,
σ² the variance of a weight, V and T the mean squares of what the convolution puts out and of what
the activation gets (the same number, unless something is added between), ρ the correlation of u
and v, c(s) that of two samples before at lag s, the places being s apart; e₁ and e₂ say how much
larger x and x² are where the gate of the activation that made x is open (2 after a rectifier).
Of rectified white noise this is σ² / (2π (n + 2)), to be compared with σ² / 2 of one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import Energy
from rfstudio.core.effective.fixed_weights import strides_of
from rfstudio.core.effective.pairs.value_correlations import Correlations
from rfstudio.core.effective.read_values import fan_in, kurtosis, open_more, scaled_from
from rfstudio.core.layer_models.gradient_pairs import by_lag
from rfstudio.core.layer_models.moments import Law, normal_law, open_together, shifted
from rfstudio.core.layer_models.pair_tables import (
    Lag,
    Table,
    pair_table,
    read_by_both,
    reads,
    through_tables,
    work_of_table,
)
from rfstudio.core.layer_models.spread import Values
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Activation, per_axis
from rfstudio.core.ops.convolution import group_count
from rfstudio.core.work import Tally

_A_GATE = 2500
"""Work for how two gates depend on each other, in entries of an array (measured)."""


class FilterPairs:
    """What pairs of gradients through one filter, or through several, make of each other."""

    def __init__(self, energy: Energy, values: Correlations, tally: Tally) -> None:
        self._energy, self._values, self._tally = energy, values, tally
        self._nodes = energy.graph.nodes
        self._tables: dict[object, list[Table]] = {}
        self._factors: dict[object, tuple[Values, Values]] = {}
        self._gates: dict[object, tuple[Values, Values, float, float]] = {}

    def gate(self, node: Node, reach: Lag, keep: float) -> tuple[Values, Values, float, float]:
        """Return what an activation leaves of pairs, and what these say of weights.

        First for each lag of one channel, then for two channels.
        """
        key = (node.index, reach, keep)
        if key not in self._gates:
            self._tally.spend(_A_GATE * prod([2 * r + 1 for r in reach]))
            op = node.op
            assert isinstance(op, Activation)
            x = self._energy.moments(node.inputs[0])
            square = max(x.square, 1e-300)
            rho = self._values.lags(node.inputs[0], reach, (1,) * len(reach)).clip(-0.999, 0.999)
            both = np.empty_like(rho)
            for where in np.ndindex(*rho.shape):
                both[where] = open_together(op, x._replace(shared=float(rho[where]) * square))
            # A constant that is added moves the gate and says nothing of the weights.
            shift = scaled_from(self._energy, node.inputs[0]).shift
            own = max(shifted(x, shift, 1.0).square, 1e-300)
            rho = (1 - (1 - rho) * square / own).clip(-0.999, 0.999)
            bend = _with_slopes(op, own, shift) ** 2 / own
            cross = bend / keep / own
            none = open_together(op, x._replace(shared=x.mean**2))
            self._gates[key] = both, cross / np.sqrt(1 - rho**2), none, cross
        return self._gates[key]

    def seen_twice(self, node: Node, reach: Lag, gated: Values) -> Values:
        """Return what two outputs of one filter add at each sample that both read.

        That is over the mean square of the outputs.
        """
        axes = len(node.size)
        source = node.inputs[0]
        size = self._nodes[source].size
        key = ("twice", node.index, reach)
        if key not in self._factors:
            sides = zip(reach, size, strict=True)
            self._tally.spend(12 * prod([(2 * r + 1) * n for r, n in sides]))
            self._factors[key] = self._factors_twice(node, reach)
        before, after = self._factors[key]
        tables = [self._apart(node, axis, r) for axis, r in enumerate(reach)]
        found = through_tables(gated * before, tables) * after
        shape = [x for r, n in zip(reach, size, strict=True) for x in (2 * r + 1, n)]
        result: Values = found.reshape(shape).sum(axis=tuple(range(0, 2 * axes, 2)))
        return result

    def _apart(self, node: Node, axis: int, reach: int) -> Table:
        """Return to which samples two outputs add that both read, lag by lag."""
        key = ("apart", node.index, axis, reach)
        if key not in self._tables:
            rule = node.rules[axis]
            self._tally.spend(work_of_table(rule, reach))
            self._tables[key] = [read_by_both(reads(rule), reach)]
        return self._tables[key][0]

    def _factors_twice(self, node: Node, reach: Lag) -> tuple[Values, Values]:
        """Return factors of pairs of outputs, and of samples that both read, by lag."""
        op: Any = node.op
        source = node.inputs[0]
        channels = self._nodes[source].channels
        fan = channels / group_count(op, channels)
        first, second, reading = _taps_of_pairs(node, reach)
        inputs = np.maximum(fan * reading, 1.0)
        e1, e2 = open_more(self._energy, source, fan_in(self._energy.graph, node))
        # Next order in 1/n: with noise exactly n + 2, where the other value is on the map; with
        # values that are rectified as sampled (3 to 48 inputs).
        less, scale = (1.0, 0.96) if e2 > 1 else (2.0, 1.0)
        rho = self._values.lags(node.index, reach, (1,) * len(reach)).clip(-0.999, 0.999)
        after = np.zeros((*rho.shape, *inputs.shape))
        for where in np.ndindex(*rho.shape):
            lag = [x - r for x, r in zip(where, reach, strict=True)]
            if not any(lag):
                continue
            there = _lag_of_inputs(op, lag)
            if there is None:
                after[where] = e2  # other weights: two filters that read one sample
                continue
            once = self._values.at(source, there)
            twice = self._values.at(source, tuple([2 * x for x in there]))
            low, high = _on_map(inputs.shape, there)
            value = e2 + twice * low * high - e1 * rho[where] * once * (low + high)
            value *= scale / np.sqrt((1 + less * low / inputs) * (1 + less * high / inputs))
            if abs(once) < 0.1 and isinstance(op, ops.Conv):
                value *= _of_arcsine(op, there, fan)
            after[where] = value
        axes = len(reach)
        order = [x for i in range(axes) for x in (i, axes + i)]
        shape = [(2 * r + 1) * n for r, n in zip(reach, inputs.shape, strict=True)]
        before = 1.0 / (fan * np.sqrt(np.maximum(first * second, 1.0)))
        return before, after.transpose(order).reshape(shape)

    def radial(self, node: Node, reach: Lag, gated: Values) -> Values:
        """Return what pairs of one filter make of pairs along the values.

        (E31) 1 + c² − 2 ρ c times (E30) without N, over the kurtosis less 1 more than n; c is the
        squared mean of what the filter reads over its mean square.
        """
        source = node.inputs[0]
        rho = self._values.lags(node.index, reach, (1,) * len(reach)).clip(-0.999, 0.999)
        x = self._energy.moments(source)
        c = x.mean**2 / max(x.square, 1e-300)
        factors = (1 + c**2 - 2 * rho * c) / (
            fan_in(self._energy.graph, node) + kurtosis(self._energy, source) - 1
        )
        factors[reach] = 0.0
        return gated * by_lag(factors, node.size)

    def linked(self, node: Node, reach: Lag, new: Lag) -> list[Table]:
        """Return how pairs of equal weights add to pairs."""
        key = ("linked", node.index, reach, new)
        if key not in self._tables:
            op: Any = node.op
            axes = len(node.size)
            if isinstance(op, ops.ConvTranspose):
                links = [(1, s) for s in per_axis(op.stride, axes)]
            elif isinstance(op, ops.PixelShuffle):
                links = [(1, op.upscale_factor)] * axes
            else:
                links = [(s, 1) for s in strides_of(op, axes)]
            for rule, r in zip(node.rules, reach, strict=True):
                self._tally.spend(work_of_table(rule, r))
            self._tables[key] = [
                pair_table(reads(rule), r, n, link)
                for rule, r, n, link in zip(node.rules, reach, new, links, strict=True)
            ]
        return self._tables[key]

    def both(self, node: Node, reach: Lag, new: Lag) -> list[Table]:
        """Return how pairs add to pairs of inputs, whatever the weights."""
        key = ("both", node.index, reach, new)
        if key not in self._tables:
            for rule, r, n in zip(node.rules, reach, new, strict=True):
                self._tally.spend(work_of_table(rule, r, n))
            self._tables[key] = [
                pair_table(reads(rule), r, n)
                for rule, r, n in zip(node.rules, reach, new, strict=True)
            ]
        return self._tables[key]


def _with_slopes(op: Activation, square: float, shift: float) -> float:
    """Return E[z φ′(z + shift)] of normal values z of that mean square."""
    law = normal_law(square)
    moved = Law(law.points + shift, law.weights)
    low = op.slope_below
    slopes = op.slope(moved.points) if low is None else low + (1 - low) * moved.above
    return float(law.weights @ (law.points * slopes))


def _taps_of_pairs(node: Node, reach: Lag) -> tuple[Values, Values, Values]:
    """Return how many taps are on the map.

    Those of the first and of the second output of all pairs, and for each sample the mean of the
    outputs that read it.
    """
    first = second = reading = readers = np.ones(())
    for rule, r in zip(node.rules, reach, strict=True):
        a = reads(rule)
        taps = a.sum(axis=1)
        n = len(taps)
        apart = np.arange(n) + np.arange(-r, r + 1)[:, None]
        other = np.where((apart >= 0) & (apart < n), taps[apart.clip(0, n - 1)], 1.0)
        first = np.multiply.outer(first, np.tile(taps, 2 * r + 1))
        second = np.multiply.outer(second, other.ravel())
        reading = np.multiply.outer(reading, taps @ a)
        readers = np.multiply.outer(readers, a.sum(axis=0))
    return first, second, reading / np.maximum(readers, 1.0)


def _lag_of_inputs(op: ops.Conv | ops.ConvTranspose, lag: Sequence[int]) -> Lag | None:
    """Return for each sample whether the one a lag before it, and after it, is on the map."""
    stride = per_axis(op.stride, len(lag))
    if isinstance(op, ops.Conv):
        return tuple([x * s for x, s in zip(lag, stride, strict=True)])
    if any(x % s for x, s in zip(lag, stride, strict=True)):
        return None
    return tuple([x // s for x, s in zip(lag, stride, strict=True)])


def _on_map(size: Lag, lag: Lag) -> tuple[Values, Values]:
    """Return for each sample whether the one that a lag before it, and after it, is on the map."""
    low = high = np.ones(size)
    for place, x, n in zip(np.indices(size), lag, size, strict=True):
        low = low * ((place - x >= 0) & (place - x < n))
        high = high * ((place + x >= 0) & (place + x < n))
    return low, high


def _of_arcsine(op: ops.Conv, lag: Lag, channels: float) -> float:
    """Return (E33) 1 + E[w_t w_t′ r³]/(6 E[w_t w_t′ r]), the next term of the arcsine.

    r is the correlation of two values of one filter: the sum of products of weights that are a lag
    apart over their squares, weights being normal.
    """
    kernel, dilation = per_axis(op.kernel_size, len(lag)), per_axis(op.dilation, len(lag))
    fan = channels * prod(kernel)

    def ways(times: int) -> float:
        count = channels
        for k, d, x in zip(kernel, dilation, lag, strict=True):
            count *= max(k - abs(times * x) // d, 0) if times * x % d == 0 else 0
        return count

    once = ways(1)
    if once < 1:
        return 1.0
    # Products of three pairs: three times the same; the same and another twice, which may share a
    # weight with it (3 for its fourth power), in 3 orders.
    sharing = 2 * ways(2) / once
    cubes = 9 + 9 * sharing + 3 * max(once - 1 - sharing, 0.0)
    return 1 + cubes / (6 * (fan + 4) * (fan + 6))
