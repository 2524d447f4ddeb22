"""Norms, gates and attention: what they do to the energy of gradients, and to values.

All are models with expected statistics; derivations and floors are in docs/expected-erf.md.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from statistics import NormalDist
from typing import Any

import numpy as np

from rfstudio.core import ops
from rfstudio.core.effective.backward import Backward, even, one_or_each, spreads_of_ones
from rfstudio.core.effective.layer_model import Layer, Run, average
from rfstudio.core.effective.moments import Moments, scaled, shifted, standardized
from rfstudio.core.effective.spread import WholeSpread, WindowSpread
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Op, per_axis
from rfstudio.core.ops.geometry import Window


def norm_over_map(node: Node, source: Node, runs: list[Run]) -> Layer:
    """Return the layer of a norm whose statistics run over the map.

    Behind x̂ = (x − mean)/σ over n values, g_in = (g − mean g − x̂ mean(g x̂))/σ.  With independent
    g this is (1 − 4/n) M at a position and 2/n of the mean of M everywhere, over σ².  Channels of
    other runs have statistics of their own, unless a group holds some of several.
    """
    op: Any = node.op
    positions = max(prod(source.size), 1)
    groups = op.num_groups if isinstance(op, ops.GroupNorm) else node.channels
    channels = max(node.channels // max(groups, 1), 1)
    if any(n % channels for n, _ in runs):
        runs = [(node.channels, average(runs))]
    values = channels * positions
    out: list[Run] = []
    scales: list[float] = []
    for n, x in runs:
        # The mean over the channels of a group keeps only a part of what they have of their own.
        centre = x.mean**2 + max(x.shared - x.mean**2, 0.0) / channels
        centre += x.variance / values
        variance = x.square - centre
        vanishes = variance <= 1e-12 * x.square or values < 3
        scales.append(0.0 if vanishes else 1.0 / (variance + op.eps))
        out.append((n, _standard(x, centre, variance)))
    at_place = max(1.0 - 4.0 / values, 0.0)
    keep = one_or_each([scale * at_place for scale in scales])
    mean = sum([n * scale for (n, _), scale in zip(runs, scales, strict=True)])
    each = mean / max(node.channels, 1) * 2.0 / values / positions
    return Layer(
        Backward(keep, each, tuple([WholeSpread(n) for n in source.size])),
        out,
        "norms over the map are taken with their expected statistics",
        correlates=True,
    )


def _standard(x: Moments, centre: float, variance: float) -> Moments:
    if variance <= 0:
        return Moments(0.0)
    shared = max(x.shared - centre, 0.0) / variance
    if x.is_normal:
        return Moments(1.0, min(shared, 1.0))
    return standardized(x)._replace(shared=min(shared, 1.0))


def _layer_norm(node: Node, source: Node, runs: list[Run]) -> Layer:
    del source
    op: Any = node.op
    x = average(runs)
    channels = max(node.channels, 1)
    variance = x.square - x.mean**2
    # Two of the C directions of the gradient are taken away; and over C normal values of that
    # variance the mean of one over their own variance is C/(C − 3) larger.
    scale = 0.0
    if channels > 2 and variance > 0:
        scale = (channels - 2.0) / max(channels - 3.0, 1.0) / (variance + op.eps)
    backward = Backward(scale)
    if x.profile is not None and scale > 0:
        # Where padding made values small the norm makes them, and their gradients, large.
        spreads = [WindowSpread(Window(p.size, p.size), 1.0 / p) for p in x.profile.axes]
        backward = Backward(0.0, scale, tuple(spreads))
    out = [(channels, _standard(x, x.mean**2, variance))]
    if len(runs) > 1 and variance > 0:
        out = [(n, shifted(y, x.mean, variance**-0.5)) for n, y in runs]
    return Layer(
        backward,
        out,
        "layer norm is taken with the expected variance over its channels",
    )


def _response_norm(node: Node, source: Node, runs: list[Run]) -> Layer:
    del source
    op: Any = node.op
    # The mean square over the window of channels, of which some are missing at the ends.
    factor = (op.k + op.alpha * average(runs).square) ** -op.beta
    return Layer(
        Backward(factor**2),
        [(n, scaled(x, factor)) for n, x in runs],
        "local response norm is taken with the expected energy of its channels",
    )


def _softmax(node: Node, source: Node, runs: list[Run]) -> Layer:
    del source
    x = average(runs)
    channels = max(node.channels, 1)
    # The Jacobian of p is diag(p) − p pᵀ; `moved` is its mean square over inputs and outputs.
    peaked, moved = _concentration(channels, x.variance)
    out = Moments(peaked / channels**2, 1.0 / channels**2, 1.0 / channels)
    return Layer(
        Backward(moved / channels**2),
        [(channels, out)],
        "softmax is taken with normal inputs to all channels",
    )


def _layer_scale(node: Node, _: Node, runs: list[Run]) -> Layer:
    op: Any = node.op
    return Layer(Backward(op.init**2), [(n, scaled(x, op.init)) for n, x in runs])


def _squeeze_excite(node: Node, source: Node, runs: list[Run]) -> Layer:
    positions = max(prod(source.size), 1)
    x = average(runs)
    # mean → ×2 → relu → ×2 → sigmoid: the gate's input has four times half the mean's square.
    inside = 2.0 * (x.shared + x.variance / positions)
    unit = NormalDist()
    quantiles = np.array([unit.inv_cdf((i + 0.5) / 64) for i in range(64)]) * inside**0.5
    op: Any = node.op
    if op.scale_activation == "hardsigmoid":
        gate = (quantiles / 6 + 0.5).clip(0, 1)
        slope_square = float((abs(quantiles) < 3).mean()) / 36
    else:
        gate = 1.0 / (1.0 + np.exp(-quantiles))
        slope_square = float(((gate * (1 - gate)) ** 2).mean())
    open_square = float((gate**2).mean())
    each = 2.0 * slope_square * x.square / positions**2
    return Layer(
        Backward(open_square, each, spreads_of_ones(node)),
        [(n, scaled(y, open_square**0.5)) for n, y in runs],
        "squeeze-and-excite is taken with gates that are independent of what they scale",
        correlates=True,
    )


def _concentration(tokens: float, variance: float) -> tuple[float, float]:
    """Return how peaked a softmax a of normal logits of some variance is.

    Returns
    -------
    values, logits
        tokens · Σ_j a_j², and tokens · Σ_j a_j² ((1 − a_j)² + Σ_{m≠j} a_m²), by which a gradient
        goes back through the values and through the logits.
    """
    count = int(min(max(tokens, 1.0), 512.0))
    unit = NormalDist()
    z = np.array([unit.inv_cdf((i + 0.5) / count) for i in range(count)])
    weights = np.exp(z * min(variance, 400.0) ** 0.5)
    weights /= weights.sum()
    squares = weights**2
    moved = (1 - weights) ** 2 + squares.sum() - squares
    return float(count * squares.sum()), float(count * (squares * moved).sum())


def _attention(node: Node, source: Node, runs: list[Run]) -> Layer:
    x = average(runs)
    if isinstance(node.op, ops.WindowAttention):
        axes = len(node.size)
        tokens = float(prod(per_axis(node.op.window_size, axes)))
        tokens = min(tokens, float(max(prod(source.size), 1)))
        factor, spreads = 1.0, tuple([even(rule, 2) for rule in node.rules])
    else:
        tokens = float(max(prod(source.size), 1))
        factor, spreads = 1.0 / tokens**2, spreads_of_ones(node)
    # Logits q·k/√d: q has twice the input's mean square, k twice its variance over tokens.
    logits = 4.0 * x.square * x.variance
    peaked, moved = _concentration(tokens, logits)
    through_values = 4.0 * peaked
    through_logits = 4.0 * logits * moved
    mixed = x.shared + x.variance * min(peaked / tokens, 1.0)
    return Layer(
        Backward(through_logits / tokens, factor * (through_values + through_logits), spreads),
        [(node.channels, Moments(4.0 * mixed, 4.0 * x.shared))],
        "attention is taken to mix all its tokens alike",
        correlates=True,
    )


MIXING: dict[type[Op], Callable[[Node, Node, list[Run]], Layer]] = {
    ops.InstanceNorm: norm_over_map,
    ops.GroupNorm: norm_over_map,
    ops.LayerNorm: _layer_norm,
    ops.LocalResponseNorm: _response_norm,
    ops.Softmax: _softmax,
    ops.LayerScale: _layer_scale,
    ops.SqueezeExcite: _squeeze_excite,
    ops.Attention: _attention,
    ops.WindowAttention: _attention,
}
"""How the operations of this module are modelled."""
