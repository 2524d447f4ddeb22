"""Convolutions, pools and resampling: what they do to the energy of gradients, and to values.

Derivations are in docs/expected-erf.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from rfstudio.core import ops
from rfstudio.core.effective import autocorrelation as lags
from rfstudio.core.effective.autocorrelation import LagRule
from rfstudio.core.effective.backward import (
    Backward,
    Spreads,
    equal_chances,
    even,
    interpolation,
    mean_over_window,
    spreads_of_ones,
)
from rfstudio.core.effective.interpolation import tables
from rfstudio.core.effective.layer_model import Layer, Run, average
from rfstudio.core.effective.moments import Moments, Profile, averaged, pooled, scaled
from rfstudio.core.effective.spread import (
    TableSpread,
    Values,
    ones,
    samples_in_windows,
    shares_of_taps,
)
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Op, per_axis
from rfstudio.core.ops.convolution import group_count
from rfstudio.core.ops.geometry import AxisRules, Periodic, Whole, Window, axis_rules


def _normal(x: Moments, factor: float) -> Moments:
    """Return the moments of random sums of values."""
    return Moments(factor * x.square, factor * x.shared)


@lru_cache(maxsize=4096)
def _share_of_padding(rules: AxisRules) -> tuple[float, float, Profile | None]:
    """Return what padding leaves of mean squares and of shared products, and the former's profile.

    A tap is on the map at a share f of all positions.  Squares grow with the mean of f over
    taps; the product of two distant values with that of f², since both must have the tap.  So
    padding makes a channel's mean depend on the position, which a norm takes for variance.
    """
    first = second = 1.0
    profile: list[Values] = []
    for rule in rules:
        if isinstance(rule, Window) and rule.n_out:
            mean, squares, counts = _share_along(rule)
            first *= mean
            second *= squares
            if counts is not None:
                profile.append(counts)
    known = len(profile) == len(rules) and any(bool((p != 1).any()) for p in profile)
    return first, second, Profile(tuple(profile)) if known else None


@lru_cache(maxsize=4096)
def _share_along(rule: Window) -> tuple[float, float, Values | None]:
    """Return the mean share of taps and of its squares, and the counts of outputs over their mean.

    None: some output reads padding alone.
    """
    shares, counts = shares_of_taps(rule), samples_in_windows(rule)
    relative = counts / counts.mean() if counts.min() > 0 else None
    return float(shares.mean()), float((shares**2).mean()), relative


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


class _ConvModel(NamedTuple):
    """What a convolution does, whatever the channels and the values are.

    Attributes
    ----------
    spreads, lag
        Of its `Backward`.
    taps
        Number of its taps.
    square, shared
        By how much it multiplies these moments.
    profile
        The mean square by position behind it.
    remark
        Why it is an approximation.
    """

    spreads: Spreads
    lag: LagRule
    taps: int
    square: float
    shared: float
    profile: Profile | None
    remark: str


@lru_cache(maxsize=4096)
def conv_model(op: ops.Conv | ops.DeformConv, rules: AxisRules) -> _ConvModel:
    """Return what a convolution does."""
    remark = ""
    if isinstance(op, ops.DeformConv):
        plain = ops.Conv(
            kernel_size=op.kernel_size,
            stride=op.stride,
            padding=op.padding,
            dilation=op.dilation,
        )
        rules = axis_rules(plain, tuple([rule.n_in for rule in rules]))
        remark = "deformable convolutions are taken with offsets of 0, as before any training"
    square, shared, profile = _share_of_padding(rules)
    return _ConvModel(
        tuple([ones(rule) for rule in rules]),
        lags.strided(_strides(rules)),
        prod(per_axis(op.kernel_size, len(rules))),
        2.0 * square,
        2.0 * shared,
        profile,
        remark,
    )


def _conv(node: Node, source: Node, runs: list[Run]) -> Layer:
    op: Any = node.op
    how = conv_model(op, node.rules)
    channels = max(source.channels, 1)
    factor = 2.0 * node.channels / (channels * how.taps)
    backward = Backward(0.0, factor, how.spreads, 1.0, how.lag)
    if node.channels % channels == 0 and group_count(op, channels) == channels:
        times = node.channels // channels  # of a depthwise one, channels keep their own values
    else:
        runs, times = [(1, average(runs))], node.channels
    out = [
        (n * times, Moments(how.square * x.square, how.shared * x.shared, profile=how.profile))
        for n, x in runs
    ]
    return Layer(backward, out, how.remark)


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
    x, gain = average(runs), variance * source.channels / groups * pairs
    # Distant values have a weight in common where both are of one phase of the stride.
    out = Moments(gain * x.square, gain * x.shared / prod(per_axis(op.stride, axes)))
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


def _mean(node: Node, source: Node, runs: list[Run]) -> Layer:
    del source
    factor, spreads = 1.0, tuple([even(rule, 2) for rule in node.rules])
    if isinstance(node.op, ops.AvgPool):
        factor, spreads = mean_over_window(node.op, node, 2)
    count = _taps(node.rules)
    out = [(n, averaged(x, count)) for n, x in runs]
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
    out = [(n, averaged(x, taps)) for n, x in runs]
    if node.channels != source.channels:
        out, share = _one_for_all(node, source, out)
        factor *= share
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
    out = [(n, averaged(x, 1 / squares) if blends else x) for n, x in runs]
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
    x = average(runs)
    # What was a channel is a phase now, so distant values seldom come from one channel.
    shared = x.mean**2 + (x.shared - x.mean**2) * factor
    out = [(node.channels, x._replace(shared=shared))]
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


def _moved(node: Node, source: Node, runs: list[Run]) -> Layer:
    """Return the layer of an operation that copies positions elsewhere."""
    repeats = prod(node.size) > prod(source.size)
    return Layer(Backward(0.0, 1.0, spreads_of_ones(node)), runs, correlates=repeats, sums=repeats)


def _grouped(node: Node, source: Node, runs: list[Run]) -> Layer:
    """Return the layer of a mixing within blocks or grids, taken for the mean over them."""
    taps = _taps(node.rules)
    out, factor = [(n, averaged(x, taps)) for n, x in runs], 1.0
    if node.channels != source.channels:
        out, factor = _one_for_all(node, source, out)
    spreads = tuple([even(rule, 2) for rule in node.rules])
    return Layer(
        Backward(0.0, factor, spreads),
        out,
        "mixing in blocks is taken for the mean over them",
        correlates=True,
        sums=True,
    )


def _one_for_all(node: Node, source: Node, runs: list[Run]) -> tuple[list[Run], float]:
    """Return runs and factor of energy where each output channel gets the mean over all."""
    whole = average(runs)
    square = whole.mean**2 + (whole.square - whole.mean**2) / max(source.channels, 1)
    out = [(node.channels, Moments(square, square, whole.mean))]
    return out, node.channels / max(source.channels, 1) ** 2


WINDOWS: dict[type[Op], Callable[[Node, Node, list[Run]], Layer]] = {
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
    ops.Slice: _moved,
    ops.Roll: _moved,
    ops.Flip: _moved,
    ops.Tile: _moved,
    ops.BlockMix: _grouped,
    ops.GridMix: _grouped,
}
"""How the operations of this module are modelled."""
