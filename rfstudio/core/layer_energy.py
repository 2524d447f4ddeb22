"""Layer by layer: what it does to the energy of gradients, and to the moments of values.

Everything that is not done at one position: convolutions, pools, resampling, norms over the map,
attention.  Derivations are in docs/expected-erf.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import exp, prod
from statistics import NormalDist
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from rfstudio.core import lags, ops
from rfstudio.core.backward import (
    Backward,
    equal_chances,
    even,
    interpolation,
    mean_over_window,
    spreads_of_ones,
)
from rfstudio.core.channels import group_count
from rfstudio.core.geometry import AxisRules, Periodic, Whole, Window, axis_rules
from rfstudio.core.graph import Node
from rfstudio.core.interpolation import tables
from rfstudio.core.lags import LagRule
from rfstudio.core.moments import Moments, pooled, scaled, standardized
from rfstudio.core.ops import Op, per_axis
from rfstudio.core.spread import (
    TableSpread,
    Values,
    WholeSpread,
    WindowSpread,
    ones,
    samples_in_windows,
    shares_of_taps,
)

Run: TypeAlias = tuple[int, Moments]
"""A number of channels that are alike, and the moments of their values."""


class Layer(NamedTuple):
    """One layer of the model.

    Attributes
    ----------
    backward
        What it does to the energy of gradients.
    runs
        Channels and moments of its map.
    remark
        Why it is an approximation; empty: it is exact.
    correlates
        Whether it makes the gradients at different positions depend on each other.
    sums
        Whether gradients of different outputs add up at one input with fixed weights, which is
        right only where they are independent.
    open
        Of a max pool, by how much the gate in front of it is more often open at the largest
        sample than elsewhere; included in `backward`.
    """

    backward: Backward
    runs: list[Run]
    remark: str = ""
    correlates: bool = False
    sums: bool = False
    open: float = 1.0


def average(runs: list[Run]) -> Moments:
    """Return the moments over all channels, as of normal values."""
    if len(runs) == 1:
        return runs[0][1]
    total = max(sum(n for n, _ in runs), 1)
    return Moments(
        sum(n * x.square for n, x in runs) / total,
        sum(n * x.shared for n, x in runs) / total,
        sum(n * x.mean for n, x in runs) / total,
    )


def _normal(x: Moments, factor: float) -> Moments:
    """Return the moments of random sums of values."""
    return Moments(factor * x.square, factor * x.shared)


def _behind_conv(x: Moments, rules: AxisRules) -> Moments:
    """Return the moments behind a convolution whose padding adds nothing.

    A tap is on the map at a share f of all positions.  Squares grow with the mean of f over
    taps; the product of two distant values with that of f², since both must have the tap.  So
    padding makes a channel's mean depend on the position, which a norm takes for variance.
    """
    first = second = 1.0
    profile: list[Values] = []
    for rule in rules:
        if isinstance(rule, Window) and rule.n_out:
            shares = shares_of_taps(rule)
            first *= float(shares.mean())
            second *= float((shares**2).mean())
            counts = samples_in_windows(rule)
            if counts.min() > 0:
                profile.append(counts / counts.mean())
    known = len(profile) == len(rules) and any(bool((p != 1).any()) for p in profile)
    return Moments(
        2.0 * first * x.square,
        2.0 * second * x.shared,
        profile=tuple(profile) if known else None,
    )


def _strides(rules: AxisRules) -> list[int]:
    return [rule.stride if isinstance(rule, Window) else 1 for rule in rules]


def _lags_of_windows(rules: AxisRules, *, largest: bool) -> LagRule | None:
    """Return what a pool does to correlations by lag."""
    found = [x for x in rules if isinstance(x, Window)]
    if len(found) == len(rules):
        return lags.windows(
            [x.kernel for x in found],
            [x.stride for x in found],
            [x.dilation for x in found],
            largest=largest,
        )
    if largest:
        return lags.dropped if all(isinstance(x, Whole) for x in rules) else None
    spreads = [even(x, 1) for x in rules]
    pairs = [x for x in spreads if isinstance(x, TableSpread)]
    if len(pairs) == len(rules):
        return lags.tables(pairs, [rule.n_in for rule in rules])
    return partial(lags.everywhere, axes=len(rules))


# --- weighted layers ----------------------------------------------------------------------------


def _conv(node: Node, source: Node, runs: list[Run]) -> Layer:
    op: Any = node.op
    rules, remark = node.rules, ""
    if isinstance(op, ops.DeformConv):
        plain = ops.Conv(
            kernel_size=op.kernel_size,
            stride=op.stride,
            padding=op.padding,
            dilation=op.dilation,
        )
        rules = axis_rules(plain, source.size)
        remark = "deformable convolutions are taken with offsets of 0, as before any training"
    taps = prod(per_axis(op.kernel_size, len(node.size)))
    channels = max(source.channels, 1)
    groups = group_count(op, channels)
    factor = 2.0 * node.channels / (channels * taps)
    spreads = tuple([ones(rule) for rule in rules])
    backward = Backward(0.0, factor, spreads, lag=lags.strided(_strides(rules)))
    if groups == channels and node.channels % channels == 0:
        times = node.channels // channels
        out = [(n * times, _behind_conv(x, rules)) for n, x in runs]
        return Layer(backward, out, remark)
    out = [(node.channels, _behind_conv(average(runs), rules))]
    return Layer(backward, out, remark)


def _conv_transpose(node: Node, source: Node, runs: list[Run]) -> Layer:
    op: Any = node.op
    axes = len(node.size)
    groups = group_count(op, source.channels)
    taps = prod(per_axis(op.kernel_size, axes)) / prod(per_axis(op.stride, axes))
    variance = 2.0 / max(round(source.channels // groups * taps), 1)
    pairs = 1.0
    for rule in node.rules:
        if isinstance(rule, Periodic) and rule.n_out:
            pairs *= len(rule.pairs[0]) / rule.n_out
    out = _normal(average(runs), variance * source.channels / groups * pairs)
    factor = variance * node.channels / groups
    lag = lags.compressed(per_axis(op.stride, axes))
    return Layer(Backward(0.0, factor, spreads_of_ones(node), lag=lag), [(node.channels, out)])


def _linear(node: Node, source: Node, runs: list[Run]) -> Layer:
    factor = 2.0 * node.channels / max(source.channels * prod(source.size), 1)
    out = [(node.channels, _normal(average(runs), 2.0))]
    return Layer(Backward(0.0, factor, spreads_of_ones(node), lag=lags.dropped), out)


def _flatten(node: Node, source: Node, runs: list[Run]) -> Layer:
    positions = max(prod(source.size), 1)
    out = [(n * positions, x) for n, x in runs]
    return Layer(Backward(0.0, 1.0, spreads_of_ones(node), lag=lags.dropped), out)


# --- pools --------------------------------------------------------------------------------------


def _overlaps(rules: AxisRules) -> bool:
    for rule in rules:
        if isinstance(rule, Window):
            if rule.kernel > 1 and rule.stride < rule.dilation * (rule.kernel - 1) + 1:
                return True
        elif isinstance(rule, Periodic):
            inputs = rule.pairs[1]
            if np.unique(inputs).size < inputs.size:
                return True
        elif rule.n_out > 1:
            return True
    return False


def _taps(rules: AxisRules) -> float:
    """Return the mean number of real samples that one output reads."""
    count = 1.0
    for rule in rules:
        if isinstance(rule, Window):
            count *= float(samples_in_windows(rule).mean()) if rule.n_out else 1.0
        elif isinstance(rule, Periodic):
            count *= len(rule.pairs[0]) / max(rule.n_out, 1)
        else:
            count *= rule.n_in
    return count


def _max_pool(node: Node, source: Node, runs: list[Run]) -> Layer:
    del source
    factor, spreads = equal_chances(node)
    count = max(round(_taps(node.rules)), 1)
    if count == 1:
        return Layer(Backward(0.0, factor, spreads), runs, sums=_overlaps(node.rules))
    found = [(n, *pooled(x, count)) for n, x in runs]
    total = sum(n for n, *_ in found)
    gate = sum(n * more for n, _, more in found) / max(total, 1)
    return Layer(
        Backward(0.0, factor * gate, spreads, lag=_lags_of_windows(node.rules, largest=True)),
        [(n, x) for n, x, _ in found],
        "max pooling is taken to choose each sample of its window equally often, "
        "whatever the gradient",
        sums=_overlaps(node.rules),
        open=gate,
    )


def _averaged(x: Moments, count: float) -> Moments:
    """Return the moments of the mean of that many values of one channel."""
    variance = x.variance / max(count, 1.0)
    square = x.shared + variance
    if x.is_normal:
        return Moments(square, x.shared)
    if x.square <= x.mean**2:
        return x
    # The distribution keeps its form around its mean, which is enough to tell signs.
    law = x.distribution()
    shrink = ((square - x.mean**2) / (x.square - x.mean**2)) ** 0.5
    points = law.mean + (law.points - law.mean) * shrink
    return Moments(square, x.shared, x.mean, type(law)(points, law.weights))


def _mean(node: Node, source: Node, runs: list[Run]) -> Layer:
    del source
    factor, spreads = 1.0, tuple([even(rule, 2) for rule in node.rules])
    if isinstance(node.op, ops.AvgPool):
        factor, spreads = mean_over_window(node.op, node, 2)
    count = _taps(node.rules)
    out = [(n, _averaged(x, count)) for n, x in runs]
    return Layer(
        Backward(0.0, factor, spreads, lag=_lags_of_windows(node.rules, largest=False)),
        out,
        correlates=count > 1,
        sums=_overlaps(node.rules),
    )


def _custom(node: Node, source: Node, runs: list[Run]) -> Layer:
    op: Any = node.op
    taps = prod(source.size) if op.whole else prod(per_axis(op.kernel_size, len(node.size)))
    factor = 1.0 / max(taps, 1) ** 2
    out = [(n, _averaged(x, taps)) for n, x in runs]
    same = node.channels == source.channels
    if not same:
        factor *= node.channels / max(source.channels, 1) ** 2
        whole = average(out)
        square = whole.mean**2 + (whole.square - whole.mean**2) / max(source.channels, 1)
        out = [(node.channels, Moments(square, square, whole.mean))]
    spreads = spreads_of_ones(node)
    return Layer(
        Backward(0.0, factor, spreads, lag=_lags_of_windows(node.rules, largest=False)),
        out,
        "a custom operation is taken for the mean over its window",
        correlates=True,
        sums=True,
    )


# --- resampling ---------------------------------------------------------------------------------


def _upsample(node: Node, source: Node, runs: list[Run]) -> Layer:
    op: Any = node.op
    squares = 1.0
    for n, table in zip(node.size, tables(op, node.rules), strict=True):
        squares *= float((table[:, 2] ** 2).sum()) / max(n, 1)
    blends = squares < 1 - 1e-9
    out = [(n, _averaged(x, 1 / squares) if blends else x) for n, x in runs]
    pairs = [x for x in interpolation(op, node, 1) if isinstance(x, TableSpread)]
    lag = lags.tables(pairs, source.size)
    return Layer(
        Backward(0.0, 1.0, interpolation(op, node, 2), lag=lag),
        out,
        correlates=op.mode != "nearest",
        sums=True,
    )


def _pixel_shuffle(node: Node, source: Node, runs: list[Run]) -> Layer:
    factor = node.channels / max(source.channels, 1)
    out = [(node.channels, average(runs))]
    lag = lags.compressed([node.op.upscale_factor] * len(node.size))  # type: ignore[union-attr]
    return Layer(Backward(0.0, factor, spreads_of_ones(node), lag=lag), out)


def _pixel_unshuffle(node: Node, source: Node, runs: list[Run]) -> Layer:
    times = node.channels // max(source.channels, 1)
    lag = lags.strided(_strides(node.rules))
    return Layer(
        Backward(0.0, 1.0, spreads_of_ones(node), lag=lag), [(n * times, x) for n, x in runs]
    )


def _placed(node: Node, source: Node, runs: list[Run]) -> Layer:
    """Return the layer of a padding or a cropping."""
    op = node.op
    repeats = isinstance(op, ops.Pad) and op.mode != "zeros"
    share = 1.0
    if not repeats:
        for n, m in zip(source.size, node.size, strict=True):
            share *= min(n / m, 1.0) if m else 1.0
    out = [(n, x if share == 1 else scaled(x, share**0.5)) for n, x in runs]
    return Layer(Backward(0.0, 1.0, spreads_of_ones(node)), out, correlates=repeats, sums=repeats)


# --- norms and attention ------------------------------------------------------------------------


def norm_over_map(node: Node, source: Node, runs: list[Run]) -> Layer:
    """Return the layer of a norm whose statistics run over the map.

    Behind x̂ = (x − mean)/σ over n values, g_in = (g − mean g − x̂ mean(g x̂))/σ.  With independent
    g this is (1 − 4/n) M at a position and 2/n of the mean of M everywhere, over σ².
    """
    op: Any = node.op
    positions = max(prod(source.size), 1)
    groups = op.num_groups if isinstance(op, ops.GroupNorm) else node.channels
    channels = max(node.channels // max(groups, 1), 1)
    x = average(runs)
    # The mean over the channels of a group keeps only a part of what they have of their own.
    centre = x.mean**2 + max(x.shared - x.mean**2, 0.0) / channels
    centre += x.variance / (channels * positions)
    variance = x.square - centre
    values = channels * positions
    vanishes = variance <= 1e-12 * x.square or values < 3
    scale = 0.0 if vanishes else 1.0 / (variance + op.eps)
    keep = scale * max(1.0 - 4.0 / values, 0.0)
    each = scale * 2.0 / values / positions
    out = [(node.channels, _standard(x, centre, variance))]
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
        spreads = [WindowSpread(Window(p.size, p.size), 1.0 / p) for p in x.profile]
        backward = Backward(0.0, scale, tuple(spreads))
    return Layer(
        backward,
        [(channels, _standard(x, x.mean**2, x.square - x.mean**2))],
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
    spread = min(exp(min(x.variance, 50.0)), channels)
    # The Jacobian of p is diag(p) − p pᵀ; its mean square over inputs and outputs.
    keep = spread / channels**2 * max(1.0 - 1.0 / channels, 0.0)
    out = Moments(spread / channels**2, 1.0 / channels**2, 1.0 / channels)
    return Layer(
        Backward(keep),
        [(channels, out)],
        "softmax is taken with normal inputs to all channels",
    )


def _squeeze_excite(node: Node, source: Node, runs: list[Run]) -> Layer:
    positions = max(prod(source.size), 1)
    x = average(runs)
    # mean → ×2 → relu → ×2 → sigmoid: the gate's input has four times half the mean's square.
    inside = 2.0 * (x.shared + x.variance / positions)
    unit = NormalDist()
    quantiles = np.array([unit.inv_cdf((i + 0.5) / 64) for i in range(64)]) * inside**0.5
    gate = 1.0 / (1.0 + np.exp(-quantiles))
    open_square = float((gate**2).mean())
    slope_square = float(((gate * (1 - gate)) ** 2).mean())
    each = 2.0 * slope_square * x.square / positions**2
    return Layer(
        Backward(open_square, each, spreads_of_ones(node)),
        [(node.channels, scaled(x, open_square**0.5))],
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


LAYERS: dict[type[Op], Callable[[Node, Node, list[Run]], Layer]] = {
    ops.Conv: _conv,
    ops.DeformConv: _conv,
    ops.ConvTranspose: _conv_transpose,
    ops.Linear: _linear,
    ops.Flatten: _flatten,
    ops.MaxPool: _max_pool,
    ops.AdaptiveMaxPool: _max_pool,
    ops.GlobalMaxPool: _max_pool,
    ops.AvgPool: _mean,
    ops.AdaptiveAvgPool: _mean,
    ops.GlobalAvgPool: _mean,
    ops.Custom: _custom,
    ops.Upsample: _upsample,
    ops.PixelShuffle: _pixel_shuffle,
    ops.PixelUnshuffle: _pixel_unshuffle,
    ops.Pad: _placed,
    ops.Crop: _placed,
    ops.InstanceNorm: norm_over_map,
    ops.GroupNorm: norm_over_map,
    ops.LayerNorm: _layer_norm,
    ops.LocalResponseNorm: _response_norm,
    ops.Softmax: _softmax,
    ops.SqueezeExcite: _squeeze_excite,
    ops.Attention: _attention,
    ops.WindowAttention: _attention,
}
"""How each operation is modelled that is no activation, batch norm or merge."""
