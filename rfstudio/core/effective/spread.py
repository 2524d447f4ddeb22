"""Along one axis: how a map over outputs is spread back onto the inputs that they read.

The transpose of reading.  A value at output i is added to every sample that i reads, times the
weight of that tap; samples that are not there (padding) get nothing.  All sums are of positive
terms, so what no output reads stays exactly 0 and nothing is lost by cancellation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.geometry import AxisRule, Periodic, Whole, Window, source_of_padding

Values: TypeAlias = NDArray[np.float64]

_MANY_TAPS = 6
"""Taps above which sums are doubled (1, 2, 4 … taps) instead of added one by one."""


@dataclass(frozen=True, eq=False)
class WindowSpread:
    """Outputs add to a window of zero-padded inputs, all taps alike.

    Attributes
    ----------
    rule
        The window; its mode is "zeros".
    weights
        For each output the weight of its taps; None: 1 for all.
    """

    rule: Window
    weights: Values | None = None


@dataclass(frozen=True, eq=False)
class TableSpread:
    """Outputs add to inputs by a list of pairs.

    Attributes
    ----------
    outputs, inputs
        The pairs, sorted by input.
    weights
        Of each pair; None: 1 for all.
    """

    outputs: NDArray[np.intp]
    inputs: NDArray[np.intp]
    weights: Values | None = None


@dataclass(frozen=True, eq=False)
class WholeSpread:
    """Every output adds to every input.

    Attributes
    ----------
    n_in
        Number of inputs.
    weight
        Of every pair.
    """

    n_in: int
    weight: float = 1.0


AxisSpread: TypeAlias = WindowSpread | TableSpread | WholeSpread


def spread(values: Values, axis: int, start: int, how: AxisSpread) -> tuple[Values, int]:
    """Spread a map back along one axis.

    Parameters
    ----------
    values
        What each output carries, on a box of the output map; not changed, but the result may
        share its memory.
    axis
        The axis.
    start
        Index of the first output of the box along that axis.
    how
        What the outputs read.

    Returns
    -------
    values, start
        What each input gets, on a box of the input map, which may be empty, and where it starts.
    """
    if type(how) is WindowSpread:
        if how.weights is not None:
            values = _scaled(values, axis, how.weights[start : start + values.shape[axis]])
        return _through_window(values, axis, start, how.rule)
    if type(how) is WholeSpread:
        total = values.sum(axis=axis, keepdims=True)
        if how.weight != 1.0:
            total = total * how.weight
        return np.repeat(total, how.n_in, axis=axis), 0
    assert type(how) is TableSpread
    return _through_table(values, axis, start, how)


def spread_taps(
    values: Values, starts: tuple[int, ...], hows: tuple[WindowSpread, ...], gains: Values
) -> tuple[Values, tuple[int, ...]]:
    """Spread a map back through a window whose taps differ, along all axes at once.

    Parameters
    ----------
    values, starts
        What each output carries, on a box of the output map.
    hows
        The windows along each axis.
    gains
        Weight of each tap, with one axis for each of the map's.
    """
    for axis, how in enumerate(hows):
        if how.weights is not None:
            start = starts[axis]
            values = _scaled(values, axis, how.weights[start : start + values.shape[axis]])
    rules = [how.rule for how in hows]
    spans = [(n - 1) * r.stride + 1 for n, r in zip(values.shape, rules, strict=True)]
    result = np.zeros([n + r.dilation * (r.kernel - 1) for n, r in zip(spans, rules, strict=True)])
    for taps in np.ndindex(gains.shape):
        where = tuple(
            slice(t * r.dilation, t * r.dilation + n, r.stride)
            for t, n, r in zip(taps, spans, rules, strict=True)
        )
        result[where] += values * gains[taps]
    cuts, lows = [], []
    for start, n, rule in zip(starts, result.shape, rules, strict=True):
        first = start * rule.stride - rule.before
        low, high = max(first, 0), min(first + n, rule.n_read)
        cuts.append(slice(low - first, max(high, low) - first))
        lows.append(low)
    return result[tuple(cuts)], tuple(lows)


def _scaled(values: Values, axis: int, weights: Values) -> Values:
    shape = [1] * values.ndim
    shape[axis] = -1
    result: Values = values * weights.reshape(shape)
    return result


def _through_window(values: Values, axis: int, start: int, rule: Window) -> tuple[Values, int]:
    kernel, stride, dilation = rule.kernel, rule.stride, rule.dilation
    count = values.shape[axis]
    first = start * stride - rule.before
    lead = (slice(None),) * axis
    if kernel > 1 and dilation == 1 and stride == kernel:
        values = np.repeat(values, kernel, axis=axis)
    elif kernel > _MANY_TAPS and stride == 1:
        values = _doubled(values, axis, kernel, dilation)
    elif kernel > 1 or stride > 1:
        span = (count - 1) * stride + 1
        shape = list(values.shape)
        shape[axis] = span + dilation * (kernel - 1)
        result = np.zeros(shape)
        for shift in range(0, dilation * kernel, dilation):
            result[(*lead, slice(shift, shift + span, stride))] += values
        values = result
    low, high = max(first, 0), min(first + values.shape[axis], rule.n_read)
    if low != first or high != first + values.shape[axis]:
        values = values[(*lead, slice(low - first, max(high, low) - first))]
    return values, low


def _doubled(values: Values, axis: int, kernel: int, dilation: int) -> Values:
    """Return the sums over a long window of stride 1, from sums over 1, 2, 4 … taps."""
    reach = dilation * (kernel - 1)
    margins = [(0, 0)] * values.ndim
    margins[axis] = (reach, reach)
    sums = np.pad(values, margins)
    length = values.shape[axis] + reach
    lead = (slice(None),) * axis
    result: Values | None = None
    done, width = 0, 1
    while True:
        if kernel & width:
            part = sums[(*lead, slice(done * dilation, done * dilation + length))]
            result = part.copy() if result is None else result + part
            done += width
        if done == kernel:
            return result  # type: ignore[return-value]  # a kernel has at least one bit
        step = width * dilation
        sums = sums[(*lead, slice(None, -step))] + sums[(*lead, slice(step, None))]
        width *= 2


def _through_table(values: Values, axis: int, start: int, table: TableSpread) -> tuple[Values, int]:
    outputs, inputs, weights = table.outputs, table.inputs, table.weights
    stop = start + values.shape[axis]
    inside = (outputs >= start) & (outputs < stop)
    if not inside.all():
        outputs, inputs = outputs[inside], inputs[inside]
        weights = None if weights is None else weights[inside]
    if inputs.size == 0:
        shape = list(values.shape)
        shape[axis] = 0
        return np.zeros(shape), 0
    gathered = np.take(values, outputs - start, axis=axis)
    if weights is not None:
        gathered = _scaled(gathered, axis, weights)
    changes = np.flatnonzero(np.diff(inputs, prepend=inputs[0] - 1))
    sums: Values = np.add.reduceat(gathered, changes, axis=axis)
    hit = inputs[changes]
    low, high = int(hit[0]), int(hit[-1]) + 1
    if hit.size == high - low:
        return sums, low
    shape = list(sums.shape)
    shape[axis] = high - low
    result = np.zeros(shape)
    where: Any = (*(slice(None),) * axis, hit - low)
    result[where] = sums
    return result, low


def table_from(
    outputs: NDArray[np.intp], inputs: NDArray[np.intp], weights: Values | None = None
) -> TableSpread:
    """Return the spread along given pairs, in any order."""
    order = np.argsort(inputs, kind="stable")
    return TableSpread(outputs[order], inputs[order], None if weights is None else weights[order])


@lru_cache(maxsize=4096)
def ones(rule: AxisRule) -> AxisSpread:
    """Return the spread that gives every tap of a rule the weight 1."""
    if isinstance(rule, Whole):
        return WholeSpread(rule.n_in)
    if isinstance(rule, Periodic):
        return table_from(*rule.pairs)
    if rule.mode == "zeros":
        return WindowSpread(rule)
    # Padding that holds real samples adds to them.
    outputs = np.arange(rule.n_out)
    found = [source_of_padding(i - rule.before, rule.n_in, rule.mode) for i in range(rule.n_out)]
    return table_from(outputs, np.array(found, np.intp))


def weighted(rule: Window, weights: Values) -> WindowSpread:
    """Return a window's spread with the given weight of every output's taps."""
    if bool((weights == 1.0).all()):
        return WindowSpread(rule)
    return WindowSpread(rule, weights)


@lru_cache(maxsize=4096)
def samples_in_windows(rule: Window, after: int | None = None) -> Values:
    """Return for each output how many samples of its window count.

    Parameters
    ----------
    rule
        The window.
    after
        None: only samples of the map count; a number: padding counts as well, of which there is
        so much behind the map (and a window that leaves even that counts what is left).
    """
    read = np.arange(rule.n_out)[:, None] * rule.stride - rule.before
    read = read + rule.dilation * np.arange(rule.kernel)
    inside = read < (rule.n_read if after is None else rule.n_in + after)
    if after is None:
        inside &= read >= 0
    counts: Values = inside.sum(axis=1).astype(np.float64)
    return counts


@lru_cache(maxsize=4096)
def shares_of_taps(rule: Window) -> Values:
    """Return for each tap of a window the share of its placements that are on the map."""
    read = np.arange(rule.n_out)[:, None] * rule.stride - rule.before
    read = read + rule.dilation * np.arange(rule.kernel)
    shares: Values = ((read >= 0) & (read < rule.n_read)).mean(axis=0)
    return shares
