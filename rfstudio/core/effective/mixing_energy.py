"""Norms, gates and attention: what they do to the energy of gradients, and to values.

All are models with expected statistics; derivations and floors are in docs/expected-erf.md.  Here
s is the mean square of a value, k the mean product of two distant ones of one channel, m the mean.
"""

from __future__ import annotations

from math import log, prod
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Whole, Window, as_mean
from rfstudio.core.effective.window_energy import Model
from rfstudio.core.energy.backward import Backward, one_or_each, spreading
from rfstudio.core.energy.layer import Layer, Place, Runs, average
from rfstudio.core.energy.moments import Moments, random_sums, scaled, shifted, standardized
from rfstudio.core.energy.normal import nodes
from rfstudio.core.energy.spread import WindowSpread
from rfstudio.core.memo import remembered
from rfstudio.core.ops import Op, per_axis


def norm_over_map(op: Any, place: Place, runs: Runs) -> Layer:
    """Return the layer of a norm whose statistics run over n values of the map.

    (E20) After x̂ = (x − mean)/σ, g_in = (g − mean g − x̂ mean(g x̂))/σ; with independent g this is
    M_in = ((1 − 4/n) M + (2/n) mean M)/σ².

    Channels of other runs have statistics of their own, unless a group holds some of several.
    """
    positions = place.positions_in
    groups = op.num_groups if isinstance(op, ops.GroupNorm) else place.channels
    channels = max(place.channels // max(groups, 1), 1)
    if any(n % channels for n, _ in runs):
        runs = ((place.channels, average(runs)),)
    values = channels * positions
    out = []
    scales: list[float] = []
    for n, x in runs:
        # The mean over the channels of a group holds only a part of what they have of their own.
        centre = x.mean**2 + max(x.shared - x.mean**2, 0.0) / channels
        centre += x.variance / values
        variance = x.square - centre
        vanishes = variance <= 1e-12 * x.square or values < 3
        scales.append(0.0 if vanishes else 1.0 / (variance + op.eps))
        out.append((n, _standard(x, centre, variance)))
    at_place = max(1.0 - 4.0 / values, 0.0)
    keep = one_or_each([scale * at_place for scale in scales])
    mean = sum([n * scale for (n, _), scale in zip(runs, scales, strict=True)])
    each = mean / max(place.channels, 1) * 2.0 / values / positions
    everywhere = tuple([Whole(n, n) for n in place.size_in])
    return Layer(
        spreading(everywhere, each, keep=keep),
        tuple(out),
        "norms over the map are taken with their expected statistics",
        correlates=True,
    )


def _standard(x: Moments, centre: float, variance: float) -> Moments:
    """Return the moments after a norm: distant values have (k − centre)/variance in common."""
    if variance <= 0:
        return Moments(0.0)
    shared = min(max(x.shared - centre, 0.0) / variance, 1.0)
    return Moments(1.0, shared) if x.is_normal else standardized(x)._replace(shared=shared)


def _layer_norm(op: ops.LayerNorm, place: Place, runs: Runs) -> Layer:
    """Return the layer of a norm over the C channels of a position.

    (E21) M_in = (C − 2)/(C − 3) · M/variance: two of the C directions of the gradient are taken
    away, and over C normal values of that variance the mean of one over their own variance is
    C/(C − 3) larger.
    """
    x = average(runs)
    channels = max(place.channels, 1)
    variance = x.square - x.mean**2
    scale = 0.0
    if channels > 2 and variance > 0:
        scale = (channels - 2.0) / max(channels - 3.0, 1.0) / (variance + op.eps)
    backward = Backward(scale)
    if x.profile is not None and x.profile.size == place.size_in and scale > 0:
        # Where padding made values small the norm makes them, and their gradients, large.
        spreads = [WindowSpread(Window(p.size, p.size), 1.0, 1.0 / p) for p in x.profile.axes]
        backward = Backward(0.0, scale, tuple(spreads))
    out: Runs = ((channels, _standard(x, x.mean**2, variance)),)
    if len(runs) > 1 and variance > 0:
        out = tuple([(n, shifted(y, x.mean, variance**-0.5)) for n, y in runs])
    return Layer(backward, out, "layer norm is taken with the expected variance over its channels")


def _response_norm(op: ops.LocalResponseNorm, place: Place, runs: Runs) -> Layer:
    """(E22) Values × f, M_in = f² M, f = (k + α s)^−β with the mean square s of all channels."""
    del place
    factor = (op.k + op.alpha * average(runs).square) ** -op.beta
    return Layer(
        Backward(factor**2),
        tuple([(n, scaled(x, factor)) for n, x in runs]),
        "local response norm is taken with the expected energy of its channels",
    )


def _softmax(op: ops.Softmax, place: Place, runs: Runs) -> Layer:
    """(E23) M_in = mean square of the Jacobian diag(p) − p pᵀ · M, from (E25) over C channels."""
    del op
    channels = max(place.channels, 1)
    peaked, moved = _concentration(channels, average(runs).variance)
    out = Moments(peaked / channels**2, 1.0 / channels**2, 1.0 / channels)
    return Layer(
        Backward(moved / channels**2),
        ((channels, out),),
        "softmax is taken with normal inputs to all channels",
    )


def _layer_scale(op: ops.LayerScale, place: Place, runs: Runs) -> Layer:
    del place
    return Layer(Backward(op.init**2), tuple([(n, scaled(x, op.init)) for n, x in runs]))


def _squeeze_excite(op: ops.SqueezeExcite, place: Place, runs: Runs) -> Layer:
    """Return the layer of a gate from the mean over N positions.

    (E24) M_in = E[gate²] M + 2 E[gate′²] s ΣM/N².  The gate's input has the variance 2 mean²:
    mean → ×2 → rectifier → ×2 → sigmoid.
    """
    positions = place.positions_in
    x = average(runs)
    inside = 2.0 * (x.shared + x.variance / positions)
    z = _quantiles(64) * inside**0.5
    if op.scale_activation == "hardsigmoid":
        gate = (z / 6 + 0.5).clip(0, 1)
        slope_square = float((abs(z) < 3).mean()) / 36
    else:
        gate = 1.0 / (1.0 + np.exp(-z))
        slope_square = float(((gate * (1 - gate)) ** 2).mean())
    open_square = float((gate**2).mean())
    each = 2.0 * slope_square * x.square / positions**2
    return Layer(
        spreading(place.rules, each, keep=open_square),
        tuple([(n, scaled(y, open_square**0.5)) for n, y in runs]),
        "squeeze-and-excite is taken with gates that are independent of what they scale",
        correlates=True,
    )


def _quantiles(count: int) -> NDArray[np.float64]:
    """Return points that cut the normal distribution into equal parts, one in each."""
    unit = NormalDist()
    return np.array([unit.inv_cdf((i + 0.5) / count) for i in range(count)])


@remembered(256)
def _concentration(tokens: float, variance: float, width: int | None = None) -> tuple[float, float]:
    """Return how peaked a softmax a of normal logits of some variance is.

    Parameters
    ----------
    tokens, variance
        Number of logits, and their variance.
    width
        Entries of a query, whose squared length the variance of its logits follows; None: many.

    Returns
    -------
    values, logits
        (E25) E[T Σ_j a_j²] and E[v T Σ_j a_j² ((1 − a_j)² + Σ_{i≠j} a_i²)] with T tokens, by which
        a gradient goes back through the values and through the logits; v is the share of the
        variance that a query has, a mean of `width` squares of normal numbers.
    """
    count = max(tokens, 1.0)
    if width is None:
        peaked, moved = _moments_of_softmax(count, variance)
        return count * peaked, count * moved
    # Wilson and Hilferty: the cube root of a mean of squares is close to normal.
    points, weights = nodes(3)
    shares = (1 - 2 / (9 * width) + points * (2 / (9 * width)) ** 0.5).clip(min=0.05) ** 3
    values = logits = 0.0
    for share, weight in zip(shares.tolist(), weights.tolist(), strict=True):
        peaked, moved = _moments_of_softmax(count, variance * share)
        values += weight * count * peaked
        logits += weight * count * moved * share
    return values, logits


def _moments_of_softmax(count: float, variance: float) -> tuple[float, float]:
    """Return E[Σ a²], and E[Σ a²] − 2 E[Σ a³] + E[(Σ a²)²], of a softmax of normal logits z.

    With 1/S^k as an integral over t of t^(k−1) e^(−tS)/Γ(k), S being a sum of independent e^z, all
    of them are integrals of products of means over one logit.
    """
    deviation = min(variance, 400.0) ** 0.5
    z = np.linspace(-5.5, 5.5, 41 + 2 * round(6 * deviation))
    mass = np.exp(-0.5 * z**2)
    mass /= mass.sum()
    top = 6 * deviation + 4.0
    step = min(0.3, 0.1 + 0.1 * deviation)
    tau = np.arange(-top - log(count) - 8.0, top, step)
    logits = deviation * z
    each = np.exp((tau[:, None] + logits).clip(max=50.0))
    rest = np.exp(-each)
    alone = (rest @ mass) ** (count - 1)
    both = (rest @ mass) ** max(count - 2, 0.0)
    # t^k E[e^(kz) e^(−t e^z)], which stay of a middle size.
    second = (rest := rest * each**2) @ mass
    third = (rest := rest * each) @ mass
    fourth = (rest * each) @ mass
    squares = count * step * float(alone @ second)
    cubes = count * step * float(alone @ third) / 2
    pairs = count * (count - 1) * step * float(both @ second**2) / 6
    return squares, squares - 2 * cubes + count * step * float(alone @ fourth) / 6 + pairs


def _attention(op: ops.Attention | ops.WindowAttention, place: Place, runs: Runs) -> Layer:
    """Return the layer of attention over T tokens, of the whole map or of a window.

    (E26) With logits q·k/√d of variance λ = 4 s (s − k), since q has twice the input's mean square
    and k twice its variance over tokens, and v, l of (E25):
    M_in = 4 λ l/T · M + (4 v + 4 λ l) ΣM/T²; s → 4 (k + (s − k) min(v/T, 1)), k → 4 k.
    """
    x = average(runs)
    tokens = float(place.positions_in)
    factor, rules, power = 1.0 / tokens**2, place.rules, 0
    if isinstance(op, ops.WindowAttention):
        tokens = min(float(prod(per_axis(op.window_size, len(rules)))), tokens)
        factor, rules, power = 1.0, tuple([as_mean(rule) for rule in rules]), 2
    logits = 4.0 * x.square * x.variance
    width = max(place.channels // op.heads, 1)
    peaked, moved = _concentration(tokens, float(f"{logits:.3g}"), width)
    through_logits = 4.0 * logits * moved
    factor *= 4.0 * peaked + through_logits
    mixed = x.shared + x.variance * min(peaked / tokens, 1.0)
    return Layer(
        spreading(rules, factor, power=power, keep=through_logits / tokens),
        ((place.channels, random_sums(Moments(mixed, x.shared), 4.0)),),
        "attention is taken to mix all its tokens alike; after two blocks maps were 5 to 19 % off",
        correlates=True,
    )


MIXING: dict[type[Op], Model] = {
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
