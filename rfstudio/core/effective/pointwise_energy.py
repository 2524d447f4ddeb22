"""Activations, batch norm and merges: what they do to the energy of gradients, and to values.

Derivations are in docs/expected-erf.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeAlias

import numpy as np

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRules, Whole
from rfstudio.core.effective.activations import ACTIVATIONS
from rfstudio.core.effective.curves import curve_of
from rfstudio.core.effective.mixing_energy import MIXING, norm_over_map
from rfstudio.core.effective.window_energy import WINDOWS, Model
from rfstudio.core.energy.backward import PASS, Backward, one_or_each
from rfstudio.core.energy.layer import (
    BatchNormMode,
    Layer,
    Place,
    Runs,
    average,
    concatenated,
    side_by_side,
)
from rfstudio.core.energy.moments import (
    Curve,
    Moments,
    Profile,
    activated,
    added,
    mean_squared_slope,
    open_together,
    scaled,
    standardized,
)
from rfstudio.core.memo import remembered
from rfstudio.core.ops import Op


@remembered(1024)
def _profile_of_sum(terms: tuple[Moments, ...]) -> Profile | None:
    """Return the mean square of a sum by position, along each axis for itself."""
    known = [x.profile for x in terms if x.profile is not None]
    if not known or len({x.size for x in known}) > 1:
        return None
    whole = max(sum(x.square for x in terms), 1e-300)
    axes = []
    for axis, values in enumerate(known[0].axes):
        found = np.zeros(values.size)
        for x in terms:
            found += x.square / whole * (1.0 if x.profile is None else x.profile.axes[axis])
        axes.append(found)
    return Profile(tuple(axes))


@remembered(1024)
def _activated(curve: Curve, x: Moments) -> tuple[float, Moments]:
    """Return the mean squared slope of an activation, and the moments after it."""
    return mean_squared_slope(curve, x), activated(curve, x)


@remembered(1024)
def _opened(curve: Curve, x: Moments) -> float:
    return open_together(curve, x)


def _activation(op: Op, place: Place, runs: Runs) -> Layer:
    """Return the layer of an activation φ: M_in = E[φ′²] M (E8), moments by (E7)."""
    del place
    curve = curve_of(op)
    found = [_activated(curve, x) for _, x in runs]
    remark = ""
    if curve.slope_below is None:
        remark = (
            "slopes of activations are taken at the values of wide layers; with skips, few "
            "channels and no norms a map was 5 % off"
        )
    elif not all(x.is_normal for _, x in runs):
        remark = (
            "gates behind values that are mostly positive are taken from a model of them; after 14 "
            "blocks a map was 3 % off"
        )
    backward = Backward(one_or_each([x for x, _ in found]), gate=_opened(curve, average(runs)))
    out = tuple([(n, x) for (n, _), (_, x) in zip(runs, found, strict=True)])
    if curve.slope_below is not None:  # small values stay as much smaller
        profiles = [x.profile for _, x in runs]
        out = tuple([(n, x._replace(profile=p)) for (n, x), p in zip(out, profiles, strict=True)])
    return Layer(backward, out, remark)


def _batch_norm(op: ops.BatchNorm, place: Place, runs: Runs) -> Layer:
    """Return the layer of a batch norm.

    (E27) Warmed: M_in = M/(s − k + ε), for each run of channels.  Fresh: M_in = M/(1 + ε).
    With statistics from the map it is (E20).
    """
    if place.batch_norm == "train" or any(isinstance(x, Whole) for x in place.rules):
        return norm_over_map(op, place, runs)
    if place.batch_norm == "fresh":
        keep = 1.0 / (1.0 + op.eps)
        return Layer(Backward(keep), tuple([(n, scaled(x, keep**0.5)) for n, x in runs]))
    gains = one_or_each([1.0 / (norm_variance(x) + op.eps) for _, x in runs])
    out: Runs = tuple([(n, standardized(x)) for n, x in runs])
    if all(x == out[0][1] for _, x in out):
        out = ((place.channels, out[0][1]),)  # from here on all channels have the same moments
    remark = "batch norm is taken to divide by the expected variance of its channels"
    return Layer(Backward(gains), out, remark)


def norm_variance(x: Moments) -> float:
    """Return what a warmed batch norm divides squares by, but for its eps.

    A channel without any variance keeps the statistics of a fresh norm.
    """
    return x.variance if x.variance > 1e-12 * x.square else 1.0


def _nothing(op: Op, place: Place, runs: Runs) -> Layer:
    del op, place
    return Layer(PASS, runs)


_MODELS: dict[type[Op], Model] = {
    **WINDOWS,
    **MIXING,
    **dict.fromkeys(ACTIVATIONS, _activation),
    ops.BatchNorm: _batch_norm,
    ops.Identity: _nothing,
    ops.Dropout: _nothing,
}

_SHUFFLED = "a shuffle is taken to read channels that are all alike"


_Found: TypeAlias = tuple[Layer, tuple[int, ...]]
"""A layer, and the number of channels in each of its runs."""


@remembered(8192)
def layer_of(
    op: Op,
    rules: AxisRules,
    channels_in: int,
    channels: int,
    batch_norm: BatchNormMode,
    runs: Runs,
    apart: bool,
) -> _Found:
    """Return the layer of an operation that reads one map.

    Parameters
    ----------
    op
        The operation.
    rules, channels_in, channels, batch_norm
        As in a `Place`.
    runs
        The values that it reads.
    apart
        Whether the channels that a shuffle reads are all of the same places and maps.
    """
    layer = _MODELS[type(op)](op, Place(rules, channels_in, channels, batch_norm), runs)
    layer = layer if apart else layer._replace(remark=_SHUFFLED)
    return layer, tuple([n for n, _ in layer.runs])


# --- merges -------------------------------------------------------------------------------------


@remembered(8192)
def merged(op: Op, sources: tuple[Runs, ...], apart: bool, joined: bool) -> _Found:
    """Return the layer of an operation that reads several maps.

    (E28) A product passes on to a source the mean squares of all others.

    Parameters
    ----------
    op
        A sum, a product or a concat.
    sources
        The values that it reads.
    apart
        Whether the terms of a sum have no origin in common.
    joined
        Whether channels of a concat with the same moments become one run where sources meet.
    """
    edges: tuple[float, ...] = ()
    remark = ""
    if isinstance(op, ops.Concat):
        runs = concatenated(sources) if joined else tuple([x for runs in sources for x in runs])
    else:
        means = [average(runs) for runs in sources]
        channels = sum(n for n, _ in sources[0])
        columns = side_by_side(sources) or [(channels, tuple(means))]
        combine = added if isinstance(op, ops.Add) else _product
        found = {x: combine(x) for x in {x for _, x in columns}}
        joint = [(n, x, found[x]) for n, x in columns]
        runs = tuple([(n, y) for n, _, y in joint])
        if combine is added:
            runs = tuple(
                [
                    (n, y._replace(profile=_profile_of_sum(x)))
                    for (n, y), (_, x) in zip(runs, columns, strict=True)
                ]
            )
            remark = "" if apart else _SAME_SOURCE
        else:
            squares, remark = [x.square for x in means], _INDEPENDENT
            edges = tuple([prod(squares[:k] + squares[k + 1 :]) for k in range(len(squares))])
    return Layer(PASS, runs, remark, edges=edges), tuple([n for n, _ in runs])


_SAME_SOURCE = "sources of a sum that share what they come from are taken to be independent"

_INDEPENDENT = "factors of a product are taken to be independent"


def _product(terms: Sequence[Moments]) -> Moments:
    return Moments(
        prod(x.square for x in terms), prod(x.shared for x in terms), prod(x.mean for x in terms)
    )
