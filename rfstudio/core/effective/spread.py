"""Along one axis: how a map over outputs is spread back onto the inputs that they read.

The transpose of reading.  A value at output i is added to every sample that i reads, times the
weight of that tap; samples that are not there (padding) get nothing.  All sums are of positive
terms, so what no output reads stays exactly 0 and nothing is lost by cancellation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import product
from math import log2, prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.ops.geometry import AxisRule, Periodic, Whole, Window, source_of_padding

Values: TypeAlias = NDArray[np.float64]

_PRODUCTS = 45_000
"""Multiplications for each tap and one more, up to which a product with a small matrix is faster
than adding up shifted maps (measured)."""

_ENTRIES = 20_000
"""Entries of a matrix up to which that is so for a map with one axis (measured)."""

_FEW_TAPS = 7
"""Taps up to which adding them to whole rows one by one is faster than adding up doubled sums
(measured)."""

_READINGS_KEPT = 512

_BLOCK = 3 << 12
"""Values of a large map that are worked on at once."""


class _Reading(NamedTuple):
    """How a run of outputs reads.

    Attributes
    ----------
    matrix
        A row for each output, a column for each input that they read.
    low
        The first of these inputs.
    most
        Number of values up to which multiplying with the matrix is the faster way.
    """

    matrix: Values
    low: int
    most: float


@dataclass(frozen=True, eq=False)
class WindowSpread:
    """Outputs add to a window of zero-padded inputs, all taps alike.

    Attributes
    ----------
    rule
        The window; its mode is "zeros".
    weights
        For each output the weight of its taps; None: 1 for all.
    readings
        By start and length of a box of outputs, the matrix that spreads it; kept for the next.
    """

    rule: Window
    weights: Values | None = None
    readings: dict[tuple[int, int], _Reading] = field(default_factory=dict, repr=False)

    @cached_property
    def is_identity(self) -> bool:
        """Whether every output adds to the input at its place and to nothing else, once."""
        rule = self.rule
        is_there = rule.n_in == rule.n_out == rule.n_read
        return self.weights is None and is_there and rule.is_identity

    @cached_property
    def bits(self) -> float:
        """Upper bound of log2 of the factor by which a value can grow."""
        bits = float(self.rule.kernel.bit_length())
        if self.weights is not None:
            bits += max(log2(float(self.weights.max(initial=0.0)) + 1e-300), 0.0)
        return bits


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
        box = start, values.shape[axis]
        reading = how.readings.get(box) or _read_by(how, *box)
        is_small = values.ndim > 1 or reading.matrix.size <= _ENTRIES
        if is_small and values.size <= reading.most:
            return _multiplied(values, axis, reading.matrix), reading.low
        if how.weights is not None:
            values = scaled_along(values, axis, how.weights[start : start + values.shape[axis]])
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
            values = scaled_along(values, axis, how.weights[start : start + values.shape[axis]])
    rules = [how.rule for how in hows]
    spans = [(n - 1) * r.stride + 1 for n, r in zip(values.shape, rules, strict=True)]
    result = np.zeros([n + r.dilation * (r.kernel - 1) for n, r in zip(spans, rules, strict=True)])
    # Along the last axis all taps at once, along the others one after the other.
    for taps in product(*[range(n) for n in gains.shape[:-1]]):
        where = tuple(
            [
                slice(t * r.dilation, t * r.dilation + n, r.stride)
                for t, n, r in zip(taps, spans[:-1], rules[:-1], strict=True)
            ]
        )
        result[where] += _along_last(values, gains[taps], rules[-1])
    cuts, lows = [], []
    for start, n, rule in zip(starts, result.shape, rules, strict=True):
        first = start * rule.stride - rule.before
        low, high = max(first, 0), min(first + n, rule.n_read)
        cuts.append(slice(low - first, max(high, low) - first))
        lows.append(low)
    return result[tuple(cuts)], tuple(lows)


def _along_last(values: Values, gains: Values, rule: Window) -> Values:
    """Return a map spread back along its last axis through a window whose taps differ."""
    kernel, stride, dilation = rule.kernel, rule.stride, rule.dilation
    count = values.shape[-1]
    span = (count - 1) * stride + 1
    length = span + dilation * (kernel - 1)
    if values.size * length <= _PRODUCTS * (kernel + 1):
        taps = _reading_by_tap(count, kernel, stride, dilation)
        matrix = gains.dot(taps).reshape(count, length)
        return _multiplied(values, values.ndim - 1, matrix)
    result = np.zeros((*values.shape[:-1], length))
    for tap, gain in enumerate(gains.tolist()):
        first = tap * dilation
        result[..., first : first + span : stride] += values * gain
    return result


@lru_cache(maxsize=256)
def _reading_by_tap(count: int, kernel: int, stride: int, dilation: int) -> Values:
    """Return for each tap the matrix of `_reading` with that tap alone, flat."""
    place = stride * np.arange(count) + dilation * np.arange(kernel)[:, None]
    length = (count - 1) * stride + dilation * (kernel - 1) + 1
    result: Values = (place[..., None] == np.arange(length)).astype(np.float64)
    return result.reshape(kernel, -1)


def scaled_along(values: Values, axis: int, weights: Values) -> Values:
    """Return a map multiplied by a weight for each index of one axis."""
    shape = [1] * values.ndim
    shape[axis] = -1
    result: Values = values * weights.reshape(shape)
    return result


def _extent(rule: Window, start: int, count: int) -> tuple[int, int, slice]:
    """Return how far a run of outputs reaches, its first input on the map, and what is on it."""
    first = start * rule.stride - rule.before
    length = (count - 1) * rule.stride + rule.dilation * (rule.kernel - 1) + 1
    low, high = max(first, 0), min(first + length, rule.n_read)
    return length, low, slice(low - first, max(high, low) - first)


def _read_by(how: WindowSpread, start: int, count: int) -> _Reading:
    """Return how a run of outputs reads, and keep it."""
    rule = how.rule
    length, low, inside = _extent(rule, start, count)
    most = _PRODUCTS * (rule.kernel + 1) / length
    if most < count:
        return _Reading(np.zeros((0, 0)), low, -1.0)
    matrix = _reading(count, rule.kernel, rule.stride, rule.dilation)[:, inside]
    if how.weights is not None:
        matrix = matrix * how.weights[start : start + count, None]
    if len(how.readings) >= _READINGS_KEPT:
        how.readings.clear()
    result = how.readings[start, count] = _Reading(matrix, low, most)
    return result


def _through_window(values: Values, axis: int, start: int, rule: Window) -> tuple[Values, int]:
    """Spread a large map back along one axis, all taps with the weight 1."""
    length, low, inside = _extent(rule, start, values.shape[axis])
    if rule.dilation == 1 and rule.stride == rule.kernel:
        values = np.repeat(values, rule.kernel, axis=axis)
    elif rule.kernel > 1 or rule.stride > 1:
        return _in_blocks(values, axis, rule, length, inside), low
    if inside != slice(0, length):
        values = values[(*(slice(None),) * axis, inside)]
    return values, low


@lru_cache(maxsize=2048)
def _reading(count: int, kernel: int, stride: int, dilation: int) -> Values:
    """Return a matrix of a row for each output, a column for each input, 1 where it is read."""
    apart = np.arange((count - 1) * stride + dilation * (kernel - 1) + 1)
    apart = apart - stride * np.arange(count)[:, None]
    read = (apart >= 0) & (apart <= dilation * (kernel - 1)) & (apart % dilation == 0)
    matrix: Values = read.astype(np.float64)
    return matrix


def _multiplied(values: Values, axis: int, matrix: Values) -> Values:
    """Return the values with an axis summed over the rows of a matrix."""
    result: Values
    if axis == values.ndim - 1:
        result = values.dot(matrix)
    elif values.ndim == 2:
        result = matrix.T.dot(values)
    else:
        moved = np.moveaxis(values, axis, -1).dot(matrix)
        result = np.ascontiguousarray(np.moveaxis(moved, -1, axis))
    return result


def _in_blocks(values: Values, axis: int, rule: Window, length: int, inside: slice) -> Values:
    """Return the sums over windows of a large map, worked out in parts that stay near at hand.

    Fresh memory of a whole map costs more than the sums.
    """
    others = [n if i != axis else 0 for i, n in enumerate(values.shape)]
    across = others.index(max(others))
    size = max(_BLOCK * values.shape[across] * values.shape[axis] // (values.size * length), 1)
    if across == axis or size >= values.shape[across]:
        return _sums(values, axis, rule, length, inside)
    shape = list(values.shape)
    shape[axis] = inside.stop - inside.start
    result = np.empty(shape)
    for start in range(0, values.shape[across], size):
        block = (*(slice(None),) * across, slice(start, start + size))
        result[block] = _sums(values[block], axis, rule, length, inside)
    return result


def _sums(values: Values, axis: int, rule: Window, length: int, inside: slice) -> Values:
    """Return the sums over windows of a part of a map, cut to what is on the map."""
    if rule.kernel <= _FEW_TAPS and axis < values.ndim - 1:
        return _tap_by_tap(values, axis, rule, inside)
    lead = (slice(None),) * axis
    return _shifted_sums(values, axis, rule, length)[(*lead, inside)]


def _tap_by_tap(values: Values, axis: int, rule: Window, inside: slice) -> Values:
    """Return the sums over windows: whole rows are added to where each tap reads."""
    stride, last = rule.stride, inside.stop - inside.start - 1
    shape = list(values.shape)
    shape[axis] = last + 1
    result = np.zeros(shape)
    rows, into = np.moveaxis(values, axis, 0), np.moveaxis(result, axis, 0)
    for tap in range(rule.kernel):
        place = tap * rule.dilation - inside.start
        first = max(-(place // stride), 0)
        stop = min(len(rows), (last - place) // stride + 1)
        if first < stop:
            low = place + first * stride
            into[low : low + (stop - first - 1) * stride + 1 : stride] += rows[first:stop]
    return result


def _shifted_sums(values: Values, axis: int, rule: Window, length: int) -> Values:
    """Return the sums over windows: placed between zeros and added up, shifted tap by tap.

    Shifts are of the flat memory.  What they carry over the end of the axis are the zeros behind
    the last placement.  Sums over 1, 2, 4 … taps make up the window.
    """
    shape = list(values.shape)
    shape[axis] = length
    placed = np.zeros(shape)
    lead = (slice(None),) * axis
    placed[(*lead, slice(0, (values.shape[axis] - 1) * rule.stride + 1, rule.stride))] = values
    step = rule.dilation * prod(shape[axis + 1 :])
    sums, width = placed.ravel(), 1
    parts = [(sums, width)] if rule.kernel & 1 else []
    while 2 * width <= rule.kernel:
        shift = width * step
        doubled = np.empty_like(sums)
        doubled[:shift] = sums[:shift]
        np.add(sums[shift:], sums[:-shift], out=doubled[shift:])
        sums, width = doubled, 2 * width
        if rule.kernel & width:
            parts.append((sums, width))
    result, done = parts.pop()
    for part, taps in parts:
        result[done * step :] += part[: -done * step]
        done += taps
    return result.reshape(shape)


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
        gathered = scaled_along(gathered, axis, weights)
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
