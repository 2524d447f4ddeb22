"""The intervals that the units of a map see along one axis, all with one jump."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from math import gcd
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.ends import FEW_PHASES, NEVER, Ends, ends_of
from rfstudio.core.memo import remembered
from rfstudio.core.work import A_CALL, spend

Interval: TypeAlias = tuple[int, int]
"""First and last sample, both included."""

Units: TypeAlias = NDArray[np.int64]
"""Positions of units along the axis."""

Bounds: TypeAlias = NDArray[np.int64]
"""For many units the first (row 0) and the last pixel (row 1); first > last where one sees
nothing, so that minimum and maximum make hulls."""

MAX_PHASES = 4096
"""Longest period that is stored phase by phase.

Chains of adaptive pools and interpolations to sizes without a common factor multiply their
periods; beyond this bound a map of a few hundred units never sees one period whole.
"""


class Track(NamedTuple):
    """The intervals of all units, phase by phase.

    Attributes
    ----------
    advance
        Pixels from a unit to the one a whole period later.
    first, last
        For each phase the first and the last pixel that its unit sees, both included; None where
        a phase sees nothing.  The number of phases is the period.  Of many phases they are `Ends`.
    """

    advance: int
    first: Sequence[int | None]
    last: Sequence[int | None]

    @property
    def period(self) -> int:
        """Units after which the pattern repeats."""
        return len(self.first)

    @property
    def jump(self) -> Fraction:
        """Pixels from one unit to the next, on average over a period."""
        return Fraction(self.advance, len(self.first))

    @property
    def ratio(self) -> tuple[int, int]:
        """The `jump` as two whole numbers: of thousands of merges, fractions take half the time."""
        period = len(self.first)
        common = gcd(self.advance, period)
        return self.advance // common, period // common

    @property
    def is_plain(self) -> bool:
        """Whether all units see the same pattern."""
        return len(self.first) == 1 and self.first[0] is not None

    @property
    def is_blind(self) -> bool:
        """Whether no unit sees anything."""
        return self.first[0] is None and all(x is None for x in self.first)

    @property
    def furthest(self) -> int:
        """Pixels from pixel 0 to the furthest that the first period sees, or to the next period."""
        advance, first, last = self
        if isinstance(first, Ends) and isinstance(last, Ends):
            # A phase that sees nothing has its first pixel behind all, and its last before all.
            low, high = int(first.values.min()), int(last.values.max())
        else:
            # The last pixel of a phase is never before its first one.
            low = min([x for x in first if x is not None], default=0)
            high = max([x for x in last if x is not None], default=0)
        return max(abs(advance), high, -low)

    def interval(self, unit: int) -> Interval | None:
        """Return the first and the last pixel that `unit` sees, or None if it sees nothing."""
        turn, phase = divmod(unit, len(self.first))
        first, last = self.first[phase], self.last[phase]
        if first is None or last is None:
            return None
        return first + turn * self.advance, last + turn * self.advance

    def bounds(self, units: Units) -> Bounds:
        """Return what each of `units` sees."""
        turns, phases = np.divmod(units, len(self.first))
        if isinstance(self.first, Ends) and isinstance(self.last, Ends):
            seen = np.stack([self.first.values[phases], self.last.values[phases]])
        else:
            seen = _table(self.first, self.last)[:, phases]
        found: Bounds = seen + turns * self.advance
        return found


@remembered(128)
def _table(first: Sequence[int | None], last: Sequence[int | None]) -> Bounds:
    """Return the intervals of one period as an array, which a track is asked for many times."""
    if None in first:
        first = [NEVER if x is None else x for x in first]
        last = [-NEVER if x is None else x for x in last]
    table = np.array([first, last], np.int64)
    table.setflags(write=False)
    return table


class WideTrack:
    """The intervals of units whose pattern repeats only after more than `MAX_PHASES`.

    Those of the map and a little around it are worked out at once, so that a look-up hardly ever
    has to go back through many layers.

    Attributes
    ----------
    jump
        Pixels from one unit to the next, on average over a period.
    period
        Units after which the pattern repeats.
    units
        Number of units of the map.
    depth
        Number of tracks before it, in a row, each computed only from the one before it.
    before
        Number of all such tracks before it in a row.
    ranges
        Smallest and largest sizes that were found, for the next look-up.
    work
        Returns about how much work it is to look up so many units in a row.
    """

    __slots__ = (
        "_known",
        "_margin",
        "_work_out",
        "before",
        "depth",
        "jump",
        "period",
        "ranges",
        "units",
        "work",
    )

    is_plain = False
    is_blind = False

    # What is further outside the map is worked out anew each time: it is hardly ever needed.
    _FAR = 1 << 16

    def __init__(
        self,
        jump: Fraction,
        period: int,
        units: int,
        work_out: Callable[[Units], Bounds],
        *,
        ahead: bool = True,
        depth: int = 0,
        before: int = 0,
        work: Callable[[int], float] = float,
    ) -> None:
        self.jump = jump
        self.period = period
        self.units = units
        self.depth = depth
        self.before = before
        self.ranges: dict[int, tuple[int, int]] = {}
        self.work = work if depth else float
        self._work_out = work_out
        self._margin = margin_after(before)
        start, stop = -self._margin, units + self._margin
        if not ahead:
            stop = start  # worked out when it is needed
        spend(stop - start)
        self._known = start, work_out(np.arange(start, stop))

    @property
    def ratio(self) -> tuple[int, int]:
        """The `jump` as two whole numbers."""
        return self.jump.as_integer_ratio()

    def interval(self, unit: int) -> Interval | None:
        """Return the first and the last pixel that `unit` sees, or None if it sees nothing."""
        first, last = self.bounds(np.array([unit])).ravel().tolist()
        return (first, last) if first <= last else None

    def bounds(self, units: Units) -> Bounds:
        """Return what each of `units` sees."""
        if not len(units):
            return np.empty((2, 0), np.int64)
        if self.depth:  # of a long map only what is asked for
            spend(len(units) + A_CALL)
            return self._work_out(units)
        start, known = self._known
        low, high = int(units.min()), int(units.max()) + 1
        if low < start or high > start + known.shape[1]:
            if max(-low, high - self.units) > self._FAR or high - low > 2 * self._FAR:
                spend(len(units) + A_CALL)
                return self._work_out(units)
            start, known = self._widened(low, high)
        found: Bounds = known[:, units - start]
        return found

    def _widened(self, low: int, high: int) -> tuple[int, Bounds]:
        """Work out those of a wider stretch, with some to spare for the layers after it."""
        start, known = self._known
        spend(high - low + A_CALL)
        stop = start + known.shape[1]
        if max(high, stop) - min(low, start) > 2 * self._FAR:
            # Another place of a long map: what is known elsewhere is dropped.
            low, high = low - self._margin, high + self._margin
            self._known = low, self._work_out(np.arange(low, high))
            return self._known
        # Both sides together: each of them goes back through all patterns before this one.
        left = np.arange(low - self._margin if low < start else start, start)
        right = np.arange(stop, high + self._margin if high > stop else stop)
        found = self._work_out(np.concatenate([left, right]))
        parts = (found[:, : len(left)], known, found[:, len(left) :])
        self._known = start - len(left), np.concatenate(parts, axis=1)
        return self._known


_MARGIN = 64
"""Units at either side of a map that are worked out beside it, at least."""

_REACH = 4
"""Units by which a layer usually reads beyond what the layer after it needs, at most."""


def margin_after(before: int) -> int:
    """Return how far beyond its map a track is worked out, of so many in a row before it.

    A layer needs some more units of the layer before it than are needed of its own, so that the
    margin falls from layer to layer, and is large again where their number has doubled.  With one
    margin for all, each new layer would make all before it work out a little more.

    Examples
    --------
    >>> [margin_after(x) for x in (0, 1, 2, 3, 4, 5)]
    [68, 68, 72, 68, 80, 76]
    """
    return _MARGIN + _REACH * ((1 << before.bit_length()) - before)


AnyTrack: TypeAlias = Track | WideTrack


def hull_of(intervals: list[Interval | None]) -> Interval | None:
    """Return the smallest interval that holds all of those given; None if there is none."""
    seen = [x for x in intervals if x is not None]
    return (min(x[0] for x in seen), max(x[1] for x in seen)) if seen else None


def hull_of_units(units: Iterable[tuple[Track, int]]) -> Interval | None:
    """Return the smallest interval that holds what some units of tracks see; None: they see none.

    Short patterns are worked out unit by unit, thousands of times in a network.
    """
    low, high = NEVER, -NEVER
    for (advance, first, last), unit in units:
        turn, phase = divmod(unit, len(first))
        start, stop = first[phase], last[phase]
        if start is None or stop is None:
            continue
        start, stop = start + turn * advance, stop + turn * advance
        low = min(low, start)
        high = max(high, stop)
    return (low, high) if low <= high else None


def hull_of_bounds(bounds: Iterable[Bounds]) -> Bounds:
    """Return for each unit the smallest interval that holds all of those given."""
    (first, last), *others = bounds
    for other in others:
        first, last = np.minimum(first, other[0]), np.maximum(last, other[1])
    return np.stack([first, last])


def sizes_of(bounds: Bounds) -> NDArray[np.int64]:
    """Return how many pixels each interval spans; 0 where nothing is seen."""
    sizes: NDArray[np.int64] = np.maximum(bounds[1] - bounds[0] + 1, 0)
    return sizes


def reduced(track: Track) -> Track:
    """Return the same track with its least period."""
    advance, first, last = track
    if len(first) > FEW_PHASES:
        units = np.arange(len(first))
        return track_of(track.bounds(units), advance)
    for shorter, step in _shorter_periods(len(first), advance):
        # Each phase must be the one a shorter period before it, moved by its share of the advance.
        if all(
            _moved(first[i], step) == first[i + shorter]
            and _moved(last[i], step) == last[i + shorter]
            for i in range(len(first) - shorter)
        ):
            return Track(step, first[:shorter], last[:shorter])
    return track


def _shorter_periods(period: int, advance: int) -> Iterator[tuple[int, int]]:
    """Yield the periods that a track may have as well, rising, with the advance of each."""
    for shorter in range(1, period // 2 + 1):
        if not period % shorter and not advance * shorter % period:
            yield shorter, advance * shorter // period


def _moved(pixel: int | None, step: int) -> int | None:
    return None if pixel is None else pixel + step


def track_of(bounds: Bounds, advance: int) -> Track:
    """Return the track of the bounds of one period of units, with its least period."""
    count = bounds.shape[1]
    if count <= FEW_PHASES:
        ends = zip(*bounds.tolist(), strict=True)
        seen = [(a, b) if a <= b else (None, None) for a, b in ends]
        return reduced(Track(advance, tuple([a for a, _ in seen]), tuple([b for _, b in seen])))
    sees = bounds[0] <= bounds[1]
    first, last = np.where(sees, bounds[0], NEVER), np.where(sees, bounds[1], -NEVER)
    for shorter, step in _shorter_periods(count, advance):
        moved = np.where(sees, bounds + step, [[NEVER], [-NEVER]])[:, :-shorter]
        if np.array_equal(moved[0], first[shorter:]) and np.array_equal(moved[1], last[shorter:]):
            first, last, advance = first[:shorter].copy(), last[:shorter].copy(), step
            break
    starts, stops = Ends(first), Ends(last)
    if len(first) > FEW_PHASES:
        return Track(advance, starts, stops)
    return Track(advance, tuple(starts), tuple(stops))


def tabulated(found: Sequence[Interval | None], advance: int) -> Track:
    """Return the track of the intervals of one period of units."""
    first = ends_of([None if x is None else x[0] for x in found])
    last = ends_of([None if x is None else x[1] for x in found], -NEVER)
    return reduced(Track(advance, first, last))
