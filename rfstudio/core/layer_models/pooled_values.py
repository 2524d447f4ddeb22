"""Shared parts of models of windows: their share on the map, and what pools do to values.

Derivations are in docs/expected-erf.md.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from rfstudio.core.axes.axis_rule import (
    AxisRule,
    AxisRules,
    Periodic,
    Window,
    as_mean,
    samples_in_windows,
    shares_of_taps,
)
from rfstudio.core.layer_models.autocorrelation import Rule, pooled, strided, weighted
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import Moments, Profile, averaged, largest, scaled
from rfstudio.core.layer_models.pair_tables import reads
from rfstudio.core.memo import remembered


@remembered(4096)
def shares_on_map(rules: AxisRules) -> tuple[float, float, Profile | None]:
    """Return what padding leaves of mean squares and of shared products, and the former's profile.

    (E13) s → f̄ s, k → mean of f² over taps · k.  A tap is on the map at a share f of all
    positions; two distant values have it in common at f² of all pairs.  So padding makes a
    channel's mean depend on the position, which a norm counts as variance.
    """
    first = second = 1.0
    profile: list[Any] = []
    for rule in rules:
        if isinstance(rule, Window) and rule.n_out and rule.mode != "zeros":
            profile.append(np.ones(rule.n_out))
        elif isinstance(rule, Window) and rule.n_out:
            shares, counts = shares_of_taps(rule), samples_in_windows(rule)
            first *= float(shares.mean())
            second *= float((shares**2).mean())
            if counts.min() > 0:  # otherwise some output reads padding alone
                profile.append(counts / counts.mean())
    known = len(profile) == len(rules) and any(bool((p != 1).any()) for p in profile)
    return first, second, Profile(tuple(profile)) if known else None


def shares_of_unequal_taps(rules: AxisRules, taps: Any) -> tuple[float, float]:
    """Return what padding leaves of mean squares and of shared products, as `shares_on_map` does.

    Here each tap counts as much as its mean square, given over the mean of all.
    """
    first = second = taps / taps.size
    for rule in rules:  # contracts the first axis that is left
        shares: Any = np.ones(len(first))
        if isinstance(rule, Window) and rule.n_out and rule.mode == "zeros":
            shares = shares_of_taps(rule)
        first = np.tensordot(shares, first, axes=(0, 0))
        second = np.tensordot(shares**2, second, axes=(0, 0))
    return float(first), float(second)


def profile_of_unequal_taps(
    rules: AxisRules, taps: Any, before: Profile | None
) -> tuple[Profile | None, float]:
    """Return what `profile_after` and `more_than_shares` do for a convolution whose taps differ.

    (E41) v(i) = Σ_t m(t) u(i, t) along each axis, u what tap t reads there and m(t) the mean square
    of that tap over the mean of all, averaged over the taps along all other axes.  That is the
    middle of the other axes, where no tap reads padding; for weights at the corners, whose mean
    squares are a product over the axes, it holds at every position.

    Parameters
    ----------
    rules
        Windows with zeros around the map.
    taps
        Mean square of each tap over the mean of all.
    before
        Of the values that are read; None: they are equally large everywhere.
    """
    found: list[Any] = []
    more = 1.0
    for axis, rule in enumerate(rules):
        if not isinstance(rule, Window) or not rule.n_out or rule.mode != "zeros":
            return None, 1.0
        weights = taps.mean(tuple(x for x in range(taps.ndim) if x != axis))
        values = np.ones(rule.n_in) if before is None else before.axes[axis]
        sums = _summed_by_taps(rule, values, weights)
        if sums.min() <= 0:
            return None, 1.0
        more *= float(sums.mean()) / max(float(weights @ shares_of_taps(rule)), 1e-300)
        found.append(sums / sums.mean())
    is_level = all(bool((x == 1).all()) for x in found)
    return None if is_level else Profile(tuple(found)), more


@remembered(1024)
def profile_after(rules: AxisRules, before: Profile) -> Profile | None:
    """Return the mean square by position of sums over windows of what has a profile itself."""
    found: list[Any] = []
    for rule, values in zip(rules, before.axes, strict=True):
        if not isinstance(rule, Window) or not rule.n_out:
            return None
        sums = _summed(rule, values)
        if sums.min() <= 0:
            return None
        found.append(sums / sums.mean())
    return Profile(tuple(found))


@remembered(1024)
def more_than_shares(rules: AxisRules, before: Profile) -> float:
    """Return by how much larger sums over windows are in the mean than `shares_on_map` says.

    That takes values near the border, which fewer windows read, to be as large as others.
    """
    more = 1.0
    for rule, values in zip(rules, before.axes, strict=True):
        if isinstance(rule, Window) and rule.n_out:
            share = float(shares_of_taps(rule).mean()) if rule.mode == "zeros" else 1.0
            more *= float(_summed(rule, values).mean()) / (rule.kernel * max(share, 1e-300))
    return more


def _summed(rule: Window, values: Any) -> Any:
    """Return the sums of what the outputs of a window read of values along an axis."""
    if rule.n_in * rule.n_out <= _MOST_WEIGHTS or rule.mode != "zeros":
        return reads(rule) @ values
    # A matrix of a long signal would fill the memory; its windows are short.
    return _summed_by_taps(rule, values, np.ones(rule.kernel))


def _summed_by_taps(rule: Window, values: Any, weights: Any) -> Any:
    """Return the sums of what the outputs of a zero-padded window read, each tap by its weight."""
    starts = np.arange(rule.n_out) * rule.stride - rule.before
    sums = np.zeros(rule.n_out)
    for tap, weight in enumerate(weights):
        read = starts + rule.dilation * tap
        there = (read >= 0) & (read < rule.n_read)
        sums[there] += weight * values[read[there]]
    return sums


_MOST_WEIGHTS = 1 << 20
"""Entries of a matrix of weights up to which it is the quickest way."""


def strides(rules: AxisRules) -> tuple[int, ...]:
    """Return the stride along each axis; 1 where the rule is no window."""
    return tuple([rule.stride if isinstance(rule, Window) else 1 for rule in rules])


def _overlaps(rules: AxisRules) -> bool:
    return any(x.overlaps for x in rules)


def _reads(rules: AxisRules) -> float:
    """Return the mean number of real samples that one output reads."""
    return prod([x.mean_reads for x in rules])


def maximum(place: Place, runs: Runs) -> Layer:
    """Return the layer of a pool that takes one sample of n.

    (E17) M_in = o Tᵀ(M/n), each real sample of a window with equal chance, o by how much the gate
    before it is more often open at the largest sample (E11).
    """
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
        "max pooling is assumed to choose each sample of its window equally often, "
        "whatever the gradient",
        sums=_overlaps(rules),
        open=gate,
    )


def mean(rules: AxisRules, place: Place, runs: Runs) -> Layer:
    """Return the layer of a mean, `rules` with its divisors n.

    (E18) M_in = Σ M/n² over the outputs that read a sample; values by (E6).
    """
    count = _reads(place.rules)
    return Layer(
        spreading(rules, power=2, correlation=pooled(rules)),
        tuple([(n, averaged(x, count)) for n, x in runs]),
        correlates=count > 1,
        sums=_overlaps(rules),
    )


def mean_of_channels(taps: int, place: Place, runs: Runs) -> Layer:
    """Return the layer of what is modelled as a mean over taps and, if need be, channels."""
    share, out = _of_all_channels(place, tuple([(n, averaged(x, taps)) for n, x in runs]))
    factor = share / max(taps, 1) ** 2
    correlation = pooled(tuple([as_mean(x) for x in place.rules]))
    return Layer(
        spreading(place.rules, factor, correlation=correlation), out, correlates=True, sums=True
    )


def mean_of_groups(place: Place, runs: Runs) -> Layer:
    """Return the layer of what is modelled as a mean over groups of positions, as of (E18).

    With another number of channels, each of them gets the mean over all as well.
    """
    count = _reads(place.rules)
    share, out = _of_all_channels(place, tuple([(n, averaged(x, count)) for n, x in runs]))
    means = tuple([as_mean(x) for x in place.rules])
    return Layer(
        spreading(means, share, power=2, correlation=listed(means) or pooled(means)),
        out,
        correlates=count > 1,
        sums=_overlaps(place.rules),
    )


def _of_all_channels(place: Place, runs: Runs) -> tuple[float, Runs]:
    """Return factor of energy and values where another number of channels get the mean of all."""
    if place.channels == place.channels_in:
        return 1.0, runs
    whole = average(runs)
    square = whole.mean**2 + (whole.square - whole.mean**2) / max(place.channels_in, 1)
    out = ((place.channels, Moments(square, square, whole.mean)),)
    return place.channels / max(place.channels_in, 1) ** 2, out


def moved(place: Place, runs: Runs) -> Layer:
    """Return the layer of what copies each value to one place or to several."""
    sums = any(x.n_out > x.n_in for x in place.rules)
    return Layer(spreading(place.rules, correlation=_moved(place.rules)), runs, sums=sums)


def _moved(rules: AxisRules) -> Rule | None:
    """Return the rule of correlations of (E3) where each output reads one input."""
    if all(isinstance(x, Window) for x in rules):
        return strided(strides(rules))
    return listed(rules)


def listed(rules: AxisRules) -> Rule | None:
    """Return (E3) of rules that are lists of reads or do nothing; None: there are others."""
    tables = [_listed(x) for x in rules]
    found = tuple([x for x in tables if x is not None])
    return weighted(found) if len(found) == len(rules) else None


def _listed(rule: AxisRule) -> Periodic | None:
    if isinstance(rule, Periodic):
        return rule
    if isinstance(rule, Window) and rule.is_identity:
        return Periodic(rule.n_in, rule.n_out, 1, ((0,),))
    return None


def placed(place: Place, runs: Runs, *, repeats: bool) -> Layer:
    """Return the layer of a padding or a cropping: zeros take their share off the moments."""
    share = 1.0
    if not repeats:
        share = prod([min(x.n_in / x.n_out, 1.0) for x in place.rules if x.n_out])
    out = tuple([(n, x if share == 1 else scaled(x, share**0.5)) for n, x in runs])
    return Layer(spreading(place.rules), out, sums=repeats)
