"""Spreading a map over outputs back onto the inputs that they read, along one axis.

The transpose of reading.  A value at output i is added to every sample that i reads, times the
weight w of that tap, or a power of it; samples that are not there (padding) get nothing:

(E2) M_in(q) = Σ_i |w(i, q)|^power M_out(i).

With power 0 that is a layer with learned weights (their variance is a factor of the layer), with
power 1 a count of paths, with power 2 the energy before fixed weights.  All sums are of positive
terms, so what no output reads stays exactly 0 and nothing is lost by cancellation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import log2
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.axis_rule import (
    AxisRule,
    AxisRules,
    Periodic,
    Whole,
    Window,
    samples_in_windows,
    source_of_padding,
)
from rfstudio.core.memo import remembered
from rfstudio.core.work import A_CALL, give_way, spend

Values: TypeAlias = NDArray[np.float64]

_PRODUCTS = 45_000
"""Multiplications per tap, plus one, up to which a product with a small matrix is faster
than adding up shifted maps (measured)."""

_ENTRIES = 20_000
"""Entries of a matrix up to which that is so for a map with one axis (measured)."""

_LARGEST = 1 << 20
"""Entries of a matrix above which there is none: windows of very many taps."""

_READINGS = 512
"""Matrices that are remembered for one window."""


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


class WindowSpread:
    """Outputs add to a window of zero-padded inputs, all taps with one weight.

    Attributes
    ----------
    rule
        The window; its mode is "zeros".
    factor
        The weight of the taps of a whole window, which the layer has to multiply with.
    weights
        For each output what its taps weigh more than that; None: nothing.
    is_identity
        Whether every output adds to the input at its place and to nothing else, once.
    """

    def __init__(self, rule: Window, factor: float = 1.0, weights: Values | None = None) -> None:
        self.rule, self.factor = rule, factor
        self.weights = None if weights is None or bool((weights == 1.0).all()) else weights
        is_there = rule.n_in == rule.n_out == rule.n_read
        self.is_identity = self.weights is None and is_there and rule.is_identity
        self._readings: dict[tuple[int, int], _Reading] = {}

    @cached_property
    def bits(self) -> float:
        """Upper bound of log2 of the factor by which a value can grow."""
        bits = float(self.rule.kernel.bit_length())
        if self.weights is not None:
            bits += max(log2(float(self.weights.max(initial=0.0)) + 1e-300), 0.0)
        return bits

    def back(self, values: Values, axis: int, start: int) -> tuple[Values, int]:
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

        Returns
        -------
        values, start
            What each input gets, on a box of the input map, which may be empty, and where it
            starts.
        """
        count = values.shape[axis]
        reading = self._readings.get((start, count)) or self._read_by(start, count)
        is_small = values.ndim > 1 or reading.matrix.size <= _ENTRIES
        if is_small and values.size <= reading.most:
            spend(A_CALL + values.size * self.rule.kernel)
            return _multiplied(values, axis, reading.matrix), reading.low
        return self._tap_by_tap(self.weighted(values, axis, start), axis, start)

    def weighted(self, values: Values, axis: int, start: int) -> Values:
        """Return a box of outputs, each multiplied by the weight of its taps."""
        if self.weights is None:
            return values
        return scaled_along(values, axis, self.weights[start : start + values.shape[axis]])

    def extent(self, start: int, count: int) -> tuple[int, int, int]:
        """Return the first input that a run of outputs would read, and the range on the map."""
        rule = self.rule
        first = start * rule.stride - rule.before
        length = (count - 1) * rule.stride + rule.dilation * (rule.kernel - 1) + 1
        low = max(first, 0)
        return first, low, max(min(first + length, rule.n_read), low)

    def _read_by(self, start: int, count: int) -> _Reading:
        """Return how a run of outputs reads, and remember it."""
        rule = self.rule
        first, low, high = self.extent(start, count)
        length = (count - 1) * rule.stride + rule.dilation * (rule.kernel - 1) + 1
        most = _PRODUCTS * (rule.kernel + 1) / length
        if most < count or length * count > _LARGEST:
            return _Reading(np.zeros((0, 0)), low, -1.0)
        matrix = _reading(count, rule.kernel, rule.stride, rule.dilation)
        matrix = matrix[:, low - first : high - first]
        if self.weights is not None:
            matrix = matrix * self.weights[start : start + count, None]
        if len(self._readings) >= _READINGS:
            self._readings.clear()
        result = self._readings[start, count] = _Reading(matrix, low, most)
        return result

    def _tap_by_tap(self, values: Values, axis: int, start: int) -> tuple[Values, int]:
        """Spread a large map back: its rows are added to where each tap reads."""
        rule = self.rule
        stride = rule.stride
        first, low, high = self.extent(start, values.shape[axis])
        if rule.kernel == stride == 1:
            return values[(*(slice(None),) * axis, slice(low - first, high - first))], low
        shape = list(values.shape)
        shape[axis] = high - low
        result = np.zeros(shape)
        rows, into = np.moveaxis(values, axis, 0), np.moveaxis(result, axis, 0)
        # Of many taps only those that some output has on the map.
        before = low - first - (len(rows) - 1) * stride
        taps = range(
            max(-(-before // rule.dilation), 0),
            min(-((first - high) // rule.dilation), rule.kernel),
        )
        spend(A_CALL + len(taps) * (A_CALL + values.size))
        for tap in taps:
            give_way()
            place = first + tap * rule.dilation - low  # of the first row; it may be off the map
            skipped = max(-(place // stride), 0)
            stop = min(len(rows), (high - low - 1 - place) // stride + 1)
            if skipped < stop:
                places = slice(place + skipped * stride, place + (stop - 1) * stride + 1, stride)
                into[places] += rows[skipped:stop]
        return result, low


class TableSpread:
    """Outputs add to inputs by a list of pairs.

    Attributes
    ----------
    outputs, inputs
        The pairs, sorted by input.
    weights
        Of each pair; None: 1 for all.
    """

    factor, bits, is_identity = 1.0, 64.0, False

    def __init__(
        self, outputs: NDArray[np.intp], inputs: NDArray[np.intp], weights: Values | None = None
    ) -> None:
        order = np.argsort(inputs, kind="stable")
        self.outputs, self.inputs = outputs[order], inputs[order]
        self.weights = None if weights is None else weights[order]

    def back(self, values: Values, axis: int, start: int) -> tuple[Values, int]:
        """Spread a map back along one axis, as `WindowSpread.back` does."""
        outputs, inputs, weights = self.outputs, self.inputs, self.weights
        spend(2 * A_CALL + len(outputs) * (1 + 4 * values.size // max(values.shape[axis], 1)))
        inside = (outputs >= start) & (outputs < start + values.shape[axis])
        if not inside.all():
            outputs, inputs = outputs[inside], inputs[inside]
            weights = None if weights is None else weights[inside]
        shape = list(values.shape)
        if inputs.size == 0:
            shape[axis] = 0
            return np.zeros(shape), 0
        gathered = np.take(values, outputs - start, axis=axis)
        if weights is not None:
            gathered = scaled_along(gathered, axis, weights)
        changes = np.flatnonzero(np.diff(inputs, prepend=inputs[0] - 1))
        sums: Values = np.add.reduceat(gathered, changes, axis=axis)
        hit = inputs[changes]
        low = int(hit[0])
        shape[axis] = int(hit[-1]) + 1 - low
        if hit.size == shape[axis]:
            return sums, low
        result = np.zeros(shape)
        where: Any = (*(slice(None),) * axis, hit - low)
        result[where] = sums
        return result, low


class WholeSpread:
    """Every output adds to every input.

    Attributes
    ----------
    n_in
        Number of inputs.
    weight
        Of every pair.
    """

    factor, bits, is_identity = 1.0, 64.0, False

    def __init__(self, n_in: int, weight: float = 1.0) -> None:
        self.n_in, self.weight = n_in, weight

    def back(self, values: Values, axis: int, start: int) -> tuple[Values, int]:
        """Spread a map back along one axis, as `WindowSpread.back` does."""
        del start
        spend(A_CALL + values.size + values.size // max(values.shape[axis], 1) * self.n_in)
        total = values.sum(axis=axis, keepdims=True)
        if self.weight != 1.0:
            total = total * self.weight
        return np.repeat(total, self.n_in, axis=axis), 0


class SideSpread:
    """Every output adds to all inputs up to its own place, or from there on.

    Attributes
    ----------
    rule
        The rule, of one side.
    power
        Of the weights of its taps, which are 1 over their number if it is a mean.
    """

    factor, bits, is_identity = 1.0, 64.0, False

    def __init__(self, rule: Whole, power: int) -> None:
        self.rule = rule
        counts = np.arange(1.0, rule.n_in + 1)
        if rule.side == "after":
            counts = counts[::-1]
        self.weights = counts**-power if rule.is_mean and power else None

    def back(self, values: Values, axis: int, start: int) -> tuple[Values, int]:
        """Spread a map back along one axis, as `WindowSpread.back` does."""
        count = values.shape[axis]
        if self.weights is not None:
            values = scaled_along(values, axis, self.weights[start : start + count])
        rows = np.moveaxis(values, axis, 0)
        if self.rule.side == "before":
            sums = np.cumsum(rows[::-1], axis=0)[::-1]
            result = np.concatenate([np.repeat(sums[:1], start, axis=0), sums])
            return np.moveaxis(result, 0, axis), 0
        sums = np.cumsum(rows, axis=0)
        rest = self.rule.n_in - start - count
        result = np.concatenate([sums, np.repeat(sums[-1:], rest, axis=0)])
        return np.moveaxis(result, 0, axis), start


AxisSpread: TypeAlias = WindowSpread | TableSpread | WholeSpread | SideSpread

Spreads: TypeAlias = tuple[AxisSpread, ...]


@remembered(4096)
def spread_of(rule: AxisRule, power: int = 0) -> AxisSpread:
    """Return the spread (E2) along what a rule reads, its weights raised to a power."""
    if isinstance(rule, Whole) and rule.side != "both":
        return SideSpread(rule, power)
    if isinstance(rule, Whole):
        return WholeSpread(rule.n_in, 1.0 / rule.n_in**power if rule.is_mean else 1.0)
    if isinstance(rule, Periodic):
        is_plain = power == 0 or not (rule.is_mean or rule.weights)
        return TableSpread(*rule.pairs, None if is_plain else np.abs(rule.amplitudes) ** power)
    if rule.mode == "zeros":
        if rule.counted is None or power == 0:
            return WindowSpread(rule)
        counts = samples_in_windows(rule)
        # A window without any sample puts out 0 and passes nothing back.
        weights = (rule.kernel / counts.clip(min=1.0)) ** power * (counts > 0)
        return WindowSpread(rule, float(rule.kernel) ** -power, weights)
    return _with_real_padding(rule)


def _with_real_padding(rule: Window) -> TableSpread:
    """Return the spread of a window whose padding holds real samples, which get what it gets.

    Taps with weights of their own that read one sample count one by one.
    """
    outputs = np.repeat(np.arange(rule.n_out), rule.kernel)
    taps = np.tile(np.arange(rule.kernel), rule.n_out)
    inputs = outputs * rule.stride - rule.before + taps * rule.dilation
    outside = np.flatnonzero((inputs < 0) | (inputs >= rule.n_in))
    for i in outside:
        source = source_of_padding(int(inputs[i]), rule.n_in, rule.mode)
        inputs[i] = -1 if source is None else source
    places, counts = np.unique(outputs * rule.n_in + inputs, return_counts=True)
    weights = None if bool((counts == 1).all()) else counts.astype(np.float64)
    return TableSpread(*np.divmod(places, max(rule.n_in, 1)), weights)


def spreads_of(rules: AxisRules, power: int = 0) -> Spreads:
    """Return the spreads along all axes."""
    return tuple([spread_of(rule, power) for rule in rules])


def spread_taps(
    values: Values, starts: tuple[int, ...], spreads: Sequence[WindowSpread], gains: Values
) -> tuple[Values, tuple[int, ...]]:
    """Spread a map back through a window whose taps differ, along all axes at once.

    Parameters
    ----------
    values, starts
        What each output carries, on a box of the output map.
    spreads
        The windows along each axis.
    gains
        Weight of each tap, with one axis for each of the map's.
    """
    for axis, how in enumerate(spreads):
        values = how.weighted(values, axis, starts[axis])
    rules = [how.rule for how in spreads]
    spans = [(n - 1) * r.stride + 1 for n, r in zip(values.shape, rules, strict=True)]
    result = np.zeros([n + r.dilation * (r.kernel - 1) for n, r in zip(spans, rules, strict=True)])
    spend(gains.size * (A_CALL + values.size))
    for taps in np.ndindex(*gains.shape):
        places = zip(taps, spans, rules, strict=True)
        where = tuple([slice(t * r.dilation, t * r.dilation + n, r.stride) for t, n, r in places])
        result[where] += values * gains[taps]
    ranges = [x.extent(start, n) for x, start, n in zip(spreads, starts, values.shape, strict=True)]
    cuts = tuple([slice(low - first, high - first) for first, low, high in ranges])
    return result[cuts], tuple([low for _, low, _ in ranges])


def scaled_along(values: Values, axis: int, weights: Values) -> Values:
    """Return a map multiplied by a weight for each index of one axis."""
    shape = [1] * values.ndim
    shape[axis] = -1
    result: Values = values * weights.reshape(shape)
    return result


@remembered(2048)
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
