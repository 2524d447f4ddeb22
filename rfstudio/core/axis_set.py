"""Sets of samples along one axis, and what a rule reads for such a set.

Most sets are solid runs, for which everything is a few integer operations; a mask is kept only
where there are holes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axis_rule import AxisRule, Periodic, Whole, Window, source_of_padding

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
        """Return the samples in rising order."""
        if self.mask is None:
            return np.arange(self.start, self.stop)
        return np.flatnonzero(self.mask) + self.start

    def dense(self, size: int) -> Mask:
        """Return the set as a mask over a map of `size` samples."""
        result = np.zeros(size, bool)
        result[self.start : self.stop] = True if self.mask is None else self.mask
        return result


NOTHING = AxisSet(0, 0)

_MANY = 1 << 16
"""Reads, from which on they are not listed one by one, or not kept."""


def from_indices(indices: NDArray[np.intp]) -> AxisSet:
    """Return the set of `indices`, in any order and with repeats."""
    if indices.size == 0:
        return NOTHING
    start, stop = int(indices.min()), int(indices.max()) + 1
    mask = np.zeros(stop - start, bool)
    mask[indices - start] = True
    return AxisSet(start, stop) if mask.all() else AxisSet(start, stop, mask)


def same(a: AxisSet, b: AxisSet) -> bool:
    """Whether two sets hold the same samples."""
    if a[:2] != b[:2]:
        return False
    if a.mask is b.mask:
        return True
    return a.mask is not None and b.mask is not None and bool((a.mask == b.mask).all())


def contains(a: AxisSet, b: AxisSet) -> bool:
    """Whether `a` holds every sample of `b`."""
    if b.is_empty:
        return True
    if b.start < a.start or b.stop > a.stop:
        return False
    if a.mask is None:
        return True
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
    if wanted.is_empty:
        return NOTHING
    if type(rule) is Window:
        return _through_window(wanted, rule)
    if type(rule) is Whole:
        return AxisSet(0, rule.n_in)
    assert isinstance(rule, Periodic)
    if rule.n_out > _MANY:
        outputs, inputs = rule.pairs_of(wanted.start, wanted.stop)
    else:
        outputs, inputs = rule.pairs
    low = int(np.searchsorted(outputs, wanted.start, "left"))
    high = int(np.searchsorted(outputs, wanted.stop, "left"))
    inputs = inputs[low:high]
    if wanted.mask is not None:
        inputs = inputs[wanted.mask[outputs[low:high] - wanted.start]]
    return from_indices(inputs)


def _through_window(wanted: AxisSet, rule: Window) -> AxisSet:
    kernel, stride, dilation = rule.kernel, rule.stride, rule.dilation
    before, mode, n = rule.before, rule.mode, rule.n_read
    start, stop, mask = wanted
    first = start * stride - before
    last = (stop - 1) * stride - before + dilation * (kernel - 1)
    if stop - start == 1:
        gapless = kernel == 1 or dilation == 1
    elif dilation == 1 or kernel == 1:
        gapless = stride <= kernel
    else:
        gapless = stride == 1 and stop - start >= dilation
    plain = mode == "zeros" or (first >= 0 and last < n)
    if plain and mask is None and gapless:
        low, high = max(first, 0), min(last + 1, n)
        return AxisSet(low, high) if low < high else NOTHING
    starts = wanted.indices() * stride - before
    if mode == "zeros" and len(starts) * kernel > _MANY:
        return _through_many_taps(starts, rule)
    read = (starts[:, None] + dilation * np.arange(kernel)).ravel()
    outside = (read < 0) | (read >= n)
    if not outside.any():
        return from_indices(read)
    inside = read[~outside]
    if mode != "zeros":
        sources = [source_of_padding(int(x), rule.n_in, mode) for x in np.unique(read[outside])]
        inside = np.concatenate([inside, np.array(sources, np.intp)])
    return from_indices(inside)


def _through_many_taps(starts: NDArray[np.intp], rule: Window) -> AxisSet:
    """Return what windows at `starts` read, in a time that does not grow with their taps.

    Samples of one residue modulo the dilation are neighbours to a window: along these a window
    opens at its first tap and closes behind its last one, and what is open is read.
    """
    dilation, kernel, n = rule.dilation, rule.kernel, rule.n_read
    if dilation == 1 and bool((np.diff(starts) <= kernel).all()):  # no gap between two windows
        low, high = max(int(starts[0]), 0), min(int(starts[-1]) + kernel, n)
        return AxisSet(low, high) if low < high else NOTHING
    skipped = np.maximum(-(starts // dilation), 0)
    first = starts + np.minimum(skipped, kernel) * dilation
    behind = starts + kernel * dilation
    seen = (skipped < kernel) & (first < n)
    if dilation >= n:
        return from_indices(first[seen])  # the next tap of a window lies behind the map
    length = -(-n // dilation) + 1
    opened = np.zeros((length, dilation), np.int64)
    np.add.at(opened, (first[seen] // dilation, first[seen] % dilation), 1)
    rows = np.minimum(behind[seen] // dilation, length - 1)
    np.add.at(opened, (rows, behind[seen] % dilation), -1)
    return from_indices(np.flatnonzero(opened.cumsum(axis=0).ravel()[:n]))
