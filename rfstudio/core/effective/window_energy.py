"""Convolutions, pools and resampling: what they do to the energy of gradients, and to values.

Derivations are in docs/expected-erf.md.  Here f is the share of the taps of a layer that are on
the map, s the mean square of a value and k the mean product of two distant ones of one channel.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import (
    AxisRules,
    Periodic,
    Window,
    as_mean,
    samples_in_windows,
    shares_of_taps,
)
from rfstudio.core.energy.autocorrelation import compressed, dropped, pooled, strided, weighted
from rfstudio.core.energy.backward import Backward, spreading
from rfstudio.core.energy.layer import Layer, Place, Runs, average
from rfstudio.core.energy.moments import Moments, Profile, averaged, largest, random_sums, scaled
from rfstudio.core.energy.pair_tables import reads
from rfstudio.core.memo import remembered
from rfstudio.core.ops import Op, per_axis
from rfstudio.core.ops.channels import group_count
from rfstudio.core.ops.geometry import axis_rules, resolved_padding

Model = Callable[[Any, Place, Runs], Layer]
"""Of an operation, where it is and what it reads, returns the layer."""


# --- weighted layers ----------------------------------------------------------------------------


@remembered(4096)
def _shares_on_map(rules: AxisRules) -> tuple[float, float, Profile | None]:
    """Return what padding leaves of mean squares and of shared products, and the former's profile.

    (E13) s → f̄ s, k → mean of f² over taps · k.  A tap is on the map at a share f of all
    positions; two distant values have it in common at f² of all pairs.  So padding makes a
    channel's mean depend on the position, which a norm takes for variance.
    """
    first = second = 1.0
    profile: list[Any] = []
    for rule in rules:
        if isinstance(rule, Window) and rule.n_out:
            shares, counts = shares_of_taps(rule), samples_in_windows(rule)
            first *= float(shares.mean())
            second *= float((shares**2).mean())
            if counts.min() > 0:  # otherwise some output reads padding alone
                profile.append(counts / counts.mean())
    known = len(profile) == len(rules) and any(bool((p != 1).any()) for p in profile)
    return first, second, Profile(tuple(profile)) if known else None


@remembered(1024)
def _profile_after(rules: AxisRules, before: Profile) -> Profile | None:
    """Return the mean square by position of sums over windows of what has a profile itself."""
    found: list[Any] = []
    for rule, values in zip(rules, before.axes, strict=True):
        if not isinstance(rule, Window) or not rule.n_out:
            return None
        sums = reads(rule) @ values
        if sums.min() <= 0:
            return None
        found.append(sums / sums.mean())
    return Profile(tuple(found))


def _strides(rules: AxisRules) -> tuple[int, ...]:
    return tuple([rule.stride if isinstance(rule, Window) else 1 for rule in rules])


def _conv(op: ops.Conv | ops.DeformConv, place: Place, runs: Runs) -> Layer:
    """Return the layer of a convolution with weights of variance v = 2/(C_in · taps).

    (E14) M_in = 2 C_out/(C_in · taps) · Tᵀ M, T the window of ones; s → 2 f̄ s, k → 2 f₂ k (E13).
    """
    rules, remark = place.rules, ""
    if isinstance(op, ops.DeformConv):
        plain = ops.Conv(
            kernel_size=op.kernel_size, stride=op.stride, padding=op.padding, dilation=op.dilation
        )
        rules = axis_rules(plain, place.size_in)
        remark = "deformable convolutions are taken with offsets of 0, as before any training"
    channels = max(place.channels_in, 1)
    factor = 2.0 * place.channels / (channels * prod(per_axis(op.kernel_size, len(rules))))
    backward = spreading(rules, factor, correlation=strided(_strides(rules)))
    if place.channels % channels == 0 and group_count(op, channels) == channels:
        times = place.channels // channels  # of a depthwise one, channels keep their own values
    else:
        runs, times = ((1, average(runs)),), place.channels
    square, shared, profile = _shares_on_map(rules)
    before = runs[0][1].profile if len(runs) == 1 else None
    if before is not None and before.size == tuple([x.n_in for x in rules]):
        profile = _profile_after(rules, before)
    out = [
        (n * times, random_sums(x, 2.0 * square, 2.0 * shared)._replace(profile=profile))
        for n, x in runs
    ]
    return Layer(backward, tuple(out), remark)


def _conv_transpose(op: ops.ConvTranspose, place: Place, runs: Runs) -> Layer:
    """Return the layer of a transposed convolution.

    (E15) With variance v of the weights, by the fan-in of an output: M_in = v C_out/groups · Tᵀ M,
    s → v C_in/groups · (mean taps of an output) · s, k → that of s over Π strides, since distant
    values have a weight in common where both are of one phase of the stride.
    """
    axes = len(place.rules)
    groups = group_count(op, place.channels_in)
    strides = per_axis(op.stride, axes)
    taps = prod(per_axis(op.kernel_size, axes)) / prod(strides)
    variance = 2.0 / max(round(place.channels_in // groups * taps), 1)
    pairs = prod([x.mean_reads for x in place.rules if isinstance(x, Periodic) and x.n_out])
    gain = variance * place.channels_in / groups * pairs
    out = random_sums(average(runs), gain, gain / prod(strides))
    factor = variance * place.channels / groups
    backward = spreading(place.rules, factor, correlation=compressed(strides))
    return Layer(backward, ((place.channels, out),))


def _linear(op: ops.Linear, place: Place, runs: Runs) -> Layer:
    """(E16) M_in = 2 C_out/(C_in N) Σ M at all N positions; s → 2 s, k → 2 k."""
    del op
    factor = 2.0 * place.channels / max(place.channels_in * prod(place.size_in), 1)
    out = random_sums(average(runs), 2.0)
    return Layer(spreading(place.rules, factor, correlation=dropped), ((place.channels, out),))


def _flatten(op: ops.Flatten, place: Place, runs: Runs) -> Layer:
    del op
    out = [(n * place.positions_in, x) for n, x in runs]
    return Layer(spreading(place.rules, correlation=dropped), tuple(out))


# --- pools --------------------------------------------------------------------------------------


def _overlaps(rules: AxisRules) -> bool:
    return any(x.overlaps for x in rules)


def _reads(rules: AxisRules) -> float:
    """Return the mean number of real samples that one output reads."""
    return prod([x.mean_reads for x in rules])


def _max_pool(op: Op, place: Place, runs: Runs) -> Layer:
    """Return the layer of a pool that takes one sample of n.

    (E17) M_in = o Tᵀ(M/n), each real sample of a window with equal chance, o by how much the gate
    before it is more often open at the largest sample (E11).
    """
    del op
    rules = place.rules
    equal_chances = spreading(tuple([as_mean(x) for x in rules]), power=1)
    count = max(round(_reads(rules)), 1)
    if count == 1:
        return Layer(equal_chances, runs, sums=_overlaps(rules))
    found = [(n, *largest(x, count)) for n, x in runs]
    total = sum(n for n, *_ in found)
    gate = sum(n * more for n, _, more in found) / max(total, 1)
    backward = equal_chances._replace(
        factor=equal_chances.factor * gate, correlation=pooled(rules, largest=True)
    )
    return Layer(
        backward,
        tuple([(n, x) for n, x, _ in found]),
        "max pooling is taken to choose each sample of its window equally often, "
        "whatever the gradient",
        sums=_overlaps(rules),
        open=gate,
    )


def means(op: Op, rules: AxisRules) -> AxisRules:
    """Return how a pool of means reads; the divisor is PyTorch's.

    Padding counts or not; a window that leaves even the padding counts what is left of it.
    """
    if not isinstance(op, ops.AvgPool) or not op.count_include_pad:
        return tuple([as_mean(x) for x in rules])
    pads = resolved_padding(op, tuple([x.n_in for x in rules]))
    return tuple(
        [
            as_mean(x, (-max(before, 0), x.n_in + after))
            for x, (before, after) in zip(rules, pads, strict=True)
        ]
    )


def _mean(op: Op, place: Place, runs: Runs) -> Layer:
    """(E18) M_in = Σ M/n² over the outputs that read a sample, n their divisor; values by (E6)."""
    count = _reads(place.rules)
    rules = means(op, place.rules)
    return Layer(
        spreading(rules, power=2, correlation=pooled(rules)),
        tuple([(n, averaged(x, count)) for n, x in runs]),
        correlates=count > 1,
        sums=_overlaps(rules),
    )


def _custom(op: ops.Custom, place: Place, runs: Runs) -> Layer:
    taps = prod(place.size_in) if op.whole else prod(per_axis(op.kernel_size, len(place.rules)))
    factor = 1.0 / max(taps, 1) ** 2
    out = tuple([(n, averaged(x, taps)) for n, x in runs])
    if place.channels != place.channels_in:
        factor *= place.channels / max(place.channels_in, 1) ** 2
        whole = average(out)
        square = whole.mean**2 + (whole.square - whole.mean**2) / max(place.channels_in, 1)
        out = ((place.channels, Moments(square, square, whole.mean)),)
    correlation = pooled(tuple([as_mean(x) for x in place.rules]))
    return Layer(
        spreading(place.rules, factor, correlation=correlation),
        out,
        "a custom operation is taken for the mean over its window",
        correlates=True,
        sums=True,
    )


# --- resampling ---------------------------------------------------------------------------------


def _upsample(op: ops.Upsample, place: Place, runs: Runs) -> Layer:
    """(E19) M_in = Σ w² M over the outputs that read a sample; values as means of 1/Σw² samples."""
    rules = tuple([_with_weights(x) for x in place.rules])
    squares = prod([float((x.amplitudes**2).sum()) / max(x.n_out, 1) for x in rules])
    blends = squares < 1 - 1e-9
    return Layer(
        spreading(rules, power=2, correlation=weighted(rules)),
        tuple([(n, averaged(x, 1 / squares) if blends else x) for n, x in runs]),
        correlates=op.mode != "nearest",
        sums=True,
    )


def _with_weights(rule: Any) -> Periodic:
    """Return the rule of an interpolation, which copies an axis that keeps its size."""
    if isinstance(rule, Periodic):
        return rule
    return Periodic(rule.n_in, rule.n_out, 1, ((0,),))


def _pixel_shuffle(op: ops.PixelShuffle, place: Place, runs: Runs) -> Layer:
    factor = place.channels / max(place.channels_in, 1)
    x = average(runs)
    # What was a channel is a phase now, so distant values seldom come from one channel.
    shared = x.mean**2 + (x.shared - x.mean**2) * factor
    correlation = compressed((op.upscale_factor,) * len(place.rules))
    out = ((place.channels, x._replace(shared=shared)),)
    return Layer(spreading(place.rules, factor, correlation=correlation), out)


def _pixel_unshuffle(op: ops.PixelUnshuffle, place: Place, runs: Runs) -> Layer:
    del op
    times = place.channels // max(place.channels_in, 1)
    backward = spreading(place.rules, correlation=strided(_strides(place.rules)))
    return Layer(backward, tuple([(n * times, x) for n, x in runs]))


def _placed(op: ops.Pad | ops.Crop, place: Place, runs: Runs) -> Layer:
    """Return the layer of a padding or a cropping: zeros take their share off the moments."""
    repeats = isinstance(op, ops.Pad) and op.mode != "zeros"
    share = 1.0
    if not repeats:
        share = prod([min(x.n_in / x.n_out, 1.0) for x in place.rules if x.n_out])
    out = tuple([(n, x if share == 1 else scaled(x, share**0.5)) for n, x in runs])
    return Layer(spreading(place.rules), out, correlates=repeats, sums=repeats)


WINDOWS: dict[type[Op], Model] = {
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
}
"""How the operations of this module are modelled."""


# --- path counts --------------------------------------------------------------------------------


def counting(op: Op, rules: AxisRules, *, keep_means: bool = True) -> Backward:
    """Return what counts paths: learned weights are 1, activations and norms do nothing.

    Parameters
    ----------
    op, rules
        The layer.
    keep_means
        Whether means and interpolations keep their own weights (of which the absolute value
        counts); otherwise all taps of all layers count 1.
    """
    power = 0
    if keep_means and isinstance(op, ops.AvgPool | ops.AdaptiveAvgPool | ops.GlobalAvgPool):
        rules, power = means(op, rules), 1
    elif keep_means and isinstance(op, ops.Upsample):
        power = 1
    how = spreading(rules, power=power)
    return Backward() if all(x.is_identity for x in how.spreads or ()) else how
