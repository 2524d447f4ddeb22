"""Correlations of the values of a map at two places of one channel, lag by lag."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import Energy
from rfstudio.core.effective.fixed_weights import amplitudes, is_fixed, strides_of
from rfstudio.core.layer_models.moments import Moments, activated
from rfstudio.core.layer_models.pair_tables import Lag
from rfstudio.core.layer_models.spread import Values
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Activation, per_axis
from rfstudio.core.work import A_CALL, Tally

_A_LAG = 400
"""Work for the correlation at one lag, in entries of an array (measured)."""

_AN_ACTIVATED = 4000
"""The same after an activation, where no other lag has that correlation."""

_A_PRODUCT = 0.05
"""The same for a product of two weights, of the many that are added up for one lag."""


class Correlations:
    """Correlations of the values of each map by lag: E[x(q) x(q + s)] / E[x²], on average."""

    def __init__(self, energy: Energy, reach: Lag, tally: Tally) -> None:
        self._energy, self._reach, self._tally = energy, reach, tally
        self._found: dict[int, tuple[Values, float]] = {}

    def at(self, index: int, lag: Lag) -> float:
        """Return the correlation of two values of a node's map that are a lag apart."""
        values, far = self._of(index)
        if any(abs(x) > r for x, r in zip(lag, self._reach, strict=True)):
            return far
        return float(values[tuple([x + r for x, r in zip(lag, self._reach, strict=True)])])

    def lags(self, index: int, reach: Lag, step: Sequence[int]) -> Values:
        """Return the correlations at multiples of `step` up to `reach` times it."""
        result = np.empty([2 * r + 1 for r in reach])
        for where in np.ndindex(*result.shape):
            lag = [(x - r) * s for x, r, s in zip(where, reach, step, strict=True)]
            result[where] = self.at(index, tuple(lag))
        return result

    def _of(self, index: int) -> tuple[Values, float]:
        found = self._found.get(index)
        if found is None:
            found = self._found[index] = self._worked_out(index)
        return found

    def _unit(self) -> Values:
        values = np.zeros([2 * r + 1 for r in self._reach])
        values[self._reach] = 1.0
        return values

    def _worked_out(self, index: int) -> tuple[Values, float]:
        node = self._energy.graph.nodes[index]
        op = node.op
        if op is None:
            return self._unit(), 0.0
        if len(node.inputs) > 1:
            return self._merged(node)
        source = node.inputs[0]
        values, far = self._of(source)
        x = self._energy.moments(source)
        axes = len(node.size)
        if isinstance(op, Activation):
            return self._activated(op, x, values, far)
        if isinstance(op, ops.Conv | ops.PixelUnshuffle):
            steps = strides_of(op, axes)
            return self._picked(source, [(s, 1) for s in steps]), far
        if isinstance(op, ops.ConvTranspose | ops.PixelShuffle):
            steps = (
                per_axis(op.stride, axes)
                if isinstance(op, ops.ConvTranspose)
                else (op.upscale_factor,) * axes
            )
            found = self._picked(source, [(1, s) for s in steps])
            out = self._energy.moments(index)
            return found, out.shared / max(out.square, 1e-300)
        if is_fixed(op):
            return self._averaged(node, values, far)
        if isinstance(op, ops.BatchNorm) and self._energy.batch_norm != "fresh":
            off = x.shared / max(x.square, 1e-300)
            if off >= 1:
                return values, far
            return (values - off) / (1 - off), (far - off) / (1 - off)
        if isinstance(op, ops.Affine) and op.shift:
            # What is added to all of them is in every product, whatever the lag.
            whole = max(self._energy.moments(index).square, 1e-300)
            kept = op.factor**2 * x.square / whole
            return 1 + kept * (values - 1), 1 + kept * (far - 1)
        return values, far

    def _picked(self, source: int, ratios: list[tuple[int, int]]) -> Values:
        result = np.zeros([2 * r + 1 for r in self._reach])
        self._tally.spend(_A_LAG * result.size)
        for where in np.ndindex(*result.shape):
            lag = [x - r for x, r in zip(where, self._reach, strict=True)]
            if all(x * a % b == 0 for x, (a, b) in zip(lag, ratios, strict=True)):
                there = tuple([x * a // b for x, (a, b) in zip(lag, ratios, strict=True)])
                result[where] = self.at(source, there)
        return result

    def _activated(
        self, op: Activation, x: Moments, values: Values, far: float
    ) -> tuple[Values, float]:
        known: dict[float, float] = {}

        def after(rho: float) -> float:
            rho = round(min(max(rho, -1.0), 1.0), 5)
            if rho not in known:
                self._tally.spend(_AN_ACTIVATED)
                y = activated(op, x._replace(shared=rho * x.square))
                known[rho] = y.shared / max(y.square, 1e-300)
            return known[rho]

        result = np.array([after(v) for v in values.ravel().tolist()]).reshape(values.shape)
        result[self._reach] = 1.0
        return result, after(far)

    def _merged(self, node: Node) -> tuple[Values, float]:
        layers = self._energy
        total, total_far, whole = 0.0 * self._unit(), 0.0, 0.0
        is_sum = isinstance(node.op, ops.Add)
        means = 0.0
        for i in node.inputs:
            x = layers.moments(i)
            values, far = self._of(i)
            share = x.square * (1 if is_sum else layers.graph.nodes[i].channels)
            off = x.mean**2 if is_sum else 0.0
            means += x.mean if is_sum else 0.0
            total = total + share * values - off
            total_far += share * far - off
            whole += share - off
        whole = max(whole + means**2, 1e-300)
        return (total + means**2) / whole, (total_far + means**2) / whole

    def _averaged(self, node: Node, values: Values, far: float) -> tuple[Values, float]:
        for rule, r in zip(node.rules, self._reach, strict=True):
            once = A_CALL + _A_PRODUCT * rule.n_in**2
            self._tally.spend((2 * r + 1) * min(rule.n_out, 16) * once)
        matrices = amplitudes(node)
        for axis, (a, r) in enumerate(zip(matrices, self._reach, strict=True)):
            values = np.moveaxis(
                np.tensordot(_ways(a, r), _widened(values, axis, far, a.shape[1], r), (1, axis)),
                0,
                axis,
            )
        middle = float(values[self._reach])
        if middle <= 0:
            return self._unit(), 0.0
        reach = prod([float(a.sum(1).mean()) for a in matrices]) ** 2
        return values / middle, min(far * reach / middle, 1.0)


def _ways(a: Values, reach: int) -> Values:
    """Return for output lags (rows) the products of weights at input lags, over a few outputs."""
    n, m = a.shape
    middle = range(max(n // 2 - 8, 0), min(n // 2 + 8, n))
    result = np.zeros((2 * reach + 1, 2 * m - 1))
    for lag in range(-reach, reach + 1):
        places = [q for q in middle if 0 <= q + lag < n]
        for q in places:
            result[lag + reach] += np.correlate(a[q + lag], a[q], "full") / len(places)
    return result


def _widened(values: Values, axis: int, far: float, size: int, reach: int) -> Values:
    """Return correlations along an axis for lags −size + 1 … size − 1."""
    shape = list(values.shape)
    shape[axis] = 2 * size - 1
    result = np.full(shape, far)
    less = min(size - 1, reach)
    into: Any = (*(slice(None),) * axis, slice(size - 1 - less, size + less))
    taken: Any = (*(slice(None),) * axis, slice(reach - less, reach + less + 1))
    result[into] = values[taken]
    return result
