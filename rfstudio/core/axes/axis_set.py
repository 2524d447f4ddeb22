"""Sets of samples along one axis, and what a rule reads for such a set.

Most sets are solid runs, for which everything is a few integer operations; there is a mask only
where there are holes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.axis_rule import AxisRule, Periodic, Whole, Window, sources_of_padding
from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.errors import TooLargeError
from rfstudio.core.work import A_CALL, spend

Mask = NDArray[np.bool_]


class AxisSet(NamedTuple):
    """Samples along one axis.

    Attributes
    ----------
    start, stop
        Half-open hull of the set; equal where the set is empty.
    mask
        For each sample of the hull whether it is in the set, its ends being True; None: all are.
    """

    start: int
    stop: int
    mask: Mask | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no sample in the set."""
        return self.stop <= self.start

    @property
    def length(self) -> int:
        """Number of samples in the set."""
        return self.stop - self.start if self.mask is None else int(np.count_nonzero(self.mask))

    def indices(self) -> NDArray[np.intp]:
        """Return the samples in rising order.

        Raises
        ------
        TooLargeError
            If there are more than `MAX_LISTED`.
        """
        if self.length > MAX_LISTED:
            raise _too_many(self.length, MAX_LISTED)
        if self.mask is None:
            return np.arange(self.start, self.stop)
        return np.flatnonzero(self.mask) + self.start

    def below(self, size: int) -> AxisSet:
        """Return what a map of `size` samples has of the set."""
        if self.stop <= size:
            return self
        if self.start >= size:
            return NOTHING
        if self.mask is None:
            return AxisSet(self.start, size)
        return from_mask(self.start, self.mask[: size - self.start])

    def dense(self, size: int) -> Mask:
        """Return the set as a mask over a map of `size` samples."""
        result = np.zeros(size, bool)
        result[self.start : self.stop] = True if self.mask is None else self.mask
        return result


NOTHING = AxisSet(0, 0)

MAX_SPAN = 1 << 28
"""Samples from the first to the last of a set with holes: one byte each, for each map."""

MAX_LISTED = 1 << 26
"""Samples that are listed, with eight bytes each."""

_BLOCK = 1 << 22
"""Samples that are gone through at once, where all together would take more memory."""

_A_READ = 8
"""Work for a read that is listed, in entries of a mask (measured)."""

_A_RUN = 5 * A_CALL
"""Work of working out a run that a pattern reads: entries of a mask are quicker than others."""

_A_LISTING = 40 * A_CALL
"""Work of listing what a pattern reads, beside that of its reads; and a half for a window."""

_MANY = 1 << 16
"""Reads, from which on they are not listed one by one."""

_FEW = 1 << 12
"""Reads of a map up to which they are remembered; there may be thousands of maps."""


def from_indices(indices: NDArray[np.intp]) -> AxisSet:
    """Return the set of `indices`, in any order and with repeats."""
    if indices.size == 0:
        return NOTHING
    start, stop = int(indices.min()), int(indices.max()) + 1
    mask = _nothing_of(stop - start)
    mask[indices - start] = True
    return AxisSet(start, stop) if mask.all() else AxisSet(start, stop, mask)


def from_mask(start: int, mask: Mask) -> AxisSet:
    """Return the set of the samples that `mask`, which begins at `start`, says are in it."""
    if not mask.any():
        return NOTHING
    low, high = int(mask.argmax()), len(mask) - int(mask[::-1].argmax())
    inside = mask[low:high]
    return AxisSet(start + low, start + high, None if inside.all() else inside)


def _nothing_of(span: int) -> Mask:
    """Return a mask of so many samples, none of which is in it yet.

    Raises
    ------
    TooLargeError
        If that would fill the memory.
    """
    if span > MAX_SPAN:
        raise _too_many(span, MAX_SPAN)
    spend(span)
    return np.zeros(span, bool)


def _too_many(span: int, most: int) -> TooLargeError:
    return TooLargeError(
        f"what this unit reads has holes and spans {span:,} samples along an axis; at most "
        f"{most:,} are searched; use a smaller input or an earlier layer"
    )


def same(a: AxisSet, b: AxisSet) -> bool:
    """Whether two sets hold the same samples."""
    if a[:2] != b[:2]:
        return False
    if a.mask is b.mask:
        return True
    spend(a.stop - a.start)
    return a.mask is not None and b.mask is not None and bool((a.mask == b.mask).all())


def contains(a: AxisSet, b: AxisSet) -> bool:
    """Whether `a` holds every sample of `b`."""
    if b.is_empty:
        return True
    if b.start < a.start or b.stop > a.stop:
        return False
    if a.mask is None:
        return True
    spend(b.stop - b.start)
    part = a.mask[b.start - a.start : b.stop - a.start]
    return bool(part.all()) if b.mask is None else bool((part >= b.mask).all())


def union(a: AxisSet, b: AxisSet) -> AxisSet:
    """Return the samples of both sets."""
    if contains(a, b):
        return a
    if contains(b, a):
        return b
    if a.mask is None and b.mask is None and a.start <= b.stop and b.start <= a.stop:
        return AxisSet(min(a.start, b.start), max(a.stop, b.stop))
    return from_indices(np.concatenate([a.indices(), b.indices()]))


def read_back(wanted: AxisSet, rule: AxisRule) -> AxisSet:
    """Return the input samples, of those that are really there, that the outputs `wanted` read."""
    if wanted.is_empty or not rule.n_in:
        return NOTHING
    if type(rule) is Window:
        return _through_window(wanted, rule)
    if type(rule) is Whole:
        first = wanted.start if rule.side == "after" else 0
        return AxisSet(first, wanted.stop if rule.side == "before" else rule.n_in)
    assert isinstance(rule, Periodic)
    if wanted.mask is None and rule.reads_in_runs:
        spend(_A_RUN)
        return _run_read_back(wanted, rule)
    span = wanted.stop - wanted.start
    spend(_A_LISTING + _A_READ * (span * rule.taps_of_period // rule.period + rule.taps_of_period))
    if span > _BLOCK:
        return _through_long_pattern(wanted, rule)
    if rule.n_out * (1 + rule.taps_of_period // rule.period) > _FEW:
        outputs, inputs = rule.pairs_of(wanted.start, wanted.stop)
    else:
        outputs, inputs = rule.pairs
    low = int(np.searchsorted(outputs, wanted.start, "left"))
    high = int(np.searchsorted(outputs, wanted.stop, "left"))
    inputs = inputs[low:high]
    if wanted.mask is not None:
        inputs = inputs[wanted.mask[outputs[low:high] - wanted.start]]
    return from_indices(inputs)


def _run_read_back(wanted: AxisSet, rule: Periodic) -> AxisSet:
    """Return what outputs in a row read of a rule of which that is a run."""
    low, high = rule.taps(wanted.start)[0], rule.taps(wanted.stop - 1)[-1]
    n = rule.n_in
    if rule.clamped:
        low, high = min(max(low, 0), n - 1), min(max(high, 0), n - 1)
    low, stop = max(low, 0), min(high + 1, n)
    return AxisSet(low, stop) if low < stop else NOTHING


def hull_read_back(span: Interval, rule: AxisRule) -> Interval:
    """Return first and last sample of what a run of outputs reads at most, cut to the map."""
    last = rule.n_in - 1
    if isinstance(rule, Whole):
        return 0, last
    if isinstance(rule, Window):
        low = span[0] * rule.stride - rule.before
        high = span[1] * rule.stride - rule.before + rule.dilation * (rule.kernel - 1)
        if rule.mode in ("reflect", "circular") and (low < 0 or high > last):
            return 0, last
    else:
        turns = sorted(x // rule.period * rule.advance for x in span)
        low, high = turns[0] + rule.least_tap, turns[1] + rule.greatest_tap
    return min(max(low, 0), last), min(max(high, 0), last)


def _through_long_pattern(wanted: AxisSet, rule: Periodic) -> AxisSet:
    """Return the same, block by block."""
    read = _nothing_of(rule.n_in)
    for start in range(wanted.start, wanted.stop, _BLOCK):
        outputs, inputs = rule.pairs_of(start, min(start + _BLOCK, wanted.stop))
        if wanted.mask is not None:
            inputs = inputs[wanted.mask[outputs - wanted.start]]
        read[inputs] = True
    return from_mask(0, read)


def is_gapless(outputs: int, kernel: int, stride: int, dilation: int) -> bool:
    """Whether so many windows in a row read all samples from their first tap to their last."""
    if outputs == 1:
        return kernel == 1 or dilation == 1
    if dilation == 1 or kernel == 1:
        return stride <= kernel
    return stride == 1 and outputs >= dilation


def _through_window(wanted: AxisSet, rule: Window) -> AxisSet:
    kernel, stride, dilation = rule.kernel, rule.stride, rule.dilation
    before, mode, n = rule.before, rule.mode, rule.n_read
    start, stop, mask = wanted
    first = start * stride - before
    last = (stop - 1) * stride - before + dilation * (kernel - 1)
    gapless = is_gapless(stop - start, kernel, stride, dilation)
    plain = mode == "zeros" or (first >= 0 and last < n)
    if plain and mask is None and gapless:
        low, high = max(first, 0), min(last + 1, n)
        return AxisSet(low, high) if low < high else NOTHING
    spend(_A_LISTING // 2 + stop - start)
    count = wanted.length
    if mode == "zeros" and count * kernel > _MANY:
        return _through_many_taps(wanted, rule)
    if count * kernel > MAX_LISTED:
        raise _too_many(count * kernel, MAX_LISTED)
    spend(_A_READ * count * kernel)
    starts = wanted.indices() * stride - before
    read = (starts[:, None] + dilation * np.arange(kernel)).ravel()
    outside = (read < 0) | (read >= n)
    if not outside.any():
        return from_indices(read)
    inside = read[~outside]
    if mode != "zeros":
        sources = sources_of_padding(read[outside], rule.n_in, mode)
        inside = np.concatenate([inside, sources])
    return from_indices(inside)


def _through_many_taps(wanted: AxisSet, rule: Window) -> AxisSet:
    """Return what windows read, in a time and memory that do not grow with their taps.

    Windows of 2 taps are those of 1 tap and the same moved on by the dilation; those of 4 taps
    are these and the same moved on by twice the dilation; and so on.
    """
    dilation, kernel, stride, n = rule.dilation, rule.kernel, rule.stride, rule.n_read
    start, stop, mask = wanted
    origin = start * stride - rule.before
    if dilation == 1 and stride * (1 + _widest_gap(mask)) <= kernel:  # no gap between two windows
        low, high = max(origin, 0), min((stop - 1) * stride - rule.before + kernel, n)
        return AxisSet(low, high) if low < high else NOTHING
    if dilation >= n:
        return _through_single_taps(wanted, rule)
    low = max(origin, 0)
    high = min((stop - 1) * stride - rule.before + dilation * (kernel - 1) + 1, n)
    read = _nothing_of(max(high - low, 0))
    # Windows that begin before the map are moved on by whole dilations, with as many taps less.
    split = min(max(-(origin // stride), 0), stop - start)
    end = min(max(-((origin - n) // stride), split), stop - start)
    for first, last in ((0, split), (split, end)):
        if first == last:
            continue
        skipped = max(-(origin + stride * (last - 1)), 0) // dilation
        if skipped < kernel:
            part = None if mask is None else mask[first:last]
            _paint(read, part, last - first, origin - low + stride * first, skipped, rule)
    return from_mask(low, read)


def _paint(
    read: Mask, which: Mask | None, count: int, origin: int, skipped: int, rule: Window
) -> None:
    """Add what `count` windows read, or of these `which`; the first is at `origin` of `read`."""
    dilation, kernel = rule.dilation, rule.kernel - skipped
    origin += skipped * dilation
    end = min(origin + rule.stride * (count - 1) + dilation * (kernel - 1) + 1, len(read))
    if end <= max(origin, 0):
        return
    found = _nothing_of(end - origin)
    if which is None:
        found[: rule.stride * (count - 1) + 1 : rule.stride] = True
    else:
        room = len(range(0, len(found), rule.stride))
        found[:: rule.stride][:count] = which[:room]
    # `found` holds the first tap of each window, then the first two, four and so on.
    width = 1
    while width < kernel:
        step = min(width, kernel - width)
        if step * dilation >= len(found):
            break
        spend(len(found))
        _add_moved(found, step * dilation)
        width += step
    low = max(origin, 0)
    read[low:end] |= found[low - origin :]


def _add_moved(mask: Mask, by: int) -> None:
    """Add to a set the same set moved on, without another one in memory."""
    for stop in range(len(mask), by, -_BLOCK):
        start = max(stop - _BLOCK, by)
        mask[start:stop] |= mask[start - by : stop - by]


def _through_single_taps(wanted: AxisSet, rule: Window) -> AxisSet:
    """Return what windows read that have one tap on the map at most."""
    starts = wanted.indices() * rule.stride - rule.before
    skipped = np.maximum(-(starts // rule.dilation), 0)
    taps = starts + np.minimum(skipped, rule.kernel) * rule.dilation
    return from_indices(taps[(skipped < rule.kernel) & (taps < rule.n_read)])


def _widest_gap(mask: Mask | None) -> int:
    """Return how many samples are missing between two of a set, at most."""
    if mask is None:
        return 0
    widest, last = 0, 0
    for start in range(0, len(mask), _BLOCK):
        there = np.flatnonzero(mask[start : start + _BLOCK]) + start
        if there.size:
            widest = max(widest, int(np.diff(there, prepend=last).max()) - 1)
            last = int(there[-1])
    return widest
