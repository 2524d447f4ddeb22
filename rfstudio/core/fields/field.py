"""The receptive field along one axis: the recurrence, the closed form, and merges.

For a plain chain of windows the field of unit u is ``[u·S − P, u·S − P + r − 1]`` with

    size r = 1 + Σ d (k − 1) jump_in,    jump S = Π s,    padding P = Σ p·jump_in          [1]_

Upsampling makes the pattern repeat only after several units, so a field holds the interval of
each *phase*: unit u of phase ``u % q`` sees its phase's interval, moved by ``u // q`` times the
advance.  Branches of different jump have a track each, so that the hull of every unit stays
exact after a stride mismatch.

References
----------
.. [1] Araujo, Norris, Sim, "Computing Receptive Fields of Convolutional Neural
   Networks", Distill, 2019, doi:10.23915/distill.00021.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from fractions import Fraction
from itertools import accumulate
from math import gcd, lcm
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.axis_rule import AxisRule, Periodic, Side, Whole, Window
from rfstudio.core.axes.ends import NEVER, ends_of
from rfstudio.core.axes.unit_intervals import (
    MAX_PHASES,
    AnyTrack,
    Bounds,
    Interval,
    Track,
    Units,
    WideTrack,
    hull_of,
    hull_of_bounds,
    hull_of_units,
    sizes_of,
    tabulated,
    track_of,
)
from rfstudio.core.memo import remembered
from rfstudio.core.work import spend


class Alignment(IntEnum):
    """How the branches of all merges before a layer fit; the larger, the worse."""

    ALIGNED = 0
    CENTRE_OFFSET = 1
    STRIDE_MISMATCH = 2

    @property
    def word(self) -> str:
        """The word of the JSON contract: aligned, centre_offset or stride_mismatch."""
        return self.name.lower()


class OneSided(NamedTuple):
    """How far a field that reads one side of the whole axis reaches to the other side.

    Attributes
    ----------
    side
        What is read without end: "before" the last sample that `tracks` say, or "after" the first.
    tracks
        Intervals whose ends bound what each unit sees.
    """

    side: Side
    tracks: tuple[AnyTrack, ...]

    def bound(self, unit: int) -> int | None:
        """Return the last sample that a unit sees, or of "after" the first; None: it sees none."""
        seen = hull_of([track.interval(unit) for track in self.tracks])
        return None if seen is None else seen[1 if self.side == "before" else 0]


class AxisField(NamedTuple):
    """Receptive field of a feature map along one axis, in pixels of the reference map.

    Attributes
    ----------
    tracks
        One for each jump, by rising jump; several after a stride mismatch, none if the map does
        not read the reference or reads all of the axis.
    whole
        Whether every unit sees the whole axis.
    alignment
        The worst of all merges between the reference and this map.
    by_size
        Whether sizes depend on the place in the map, so that a range is over its units.
    one_sided
        Of a whole axis, how far units see on one side of it; None: to both ends.
    """

    tracks: tuple[AnyTrack, ...]
    whole: bool = False
    alignment: Alignment = Alignment.ALIGNED
    by_size: bool = False
    one_sided: OneSided | None = None

    @property
    def jump(self) -> int | Fraction | None:
        """Effective stride in pixels; None for a whole axis and after a stride mismatch."""
        if len(self.tracks) != 1:
            return None
        track = self.tracks[0]
        if isinstance(track, Track) and len(track.first) == 1:
            return track.advance
        return _simplest(track.jump)

    @property
    def padding(self) -> int | None:
        """How far unit 0 reaches before pixel 0; None where `jump` is None."""
        interval = self.tracks[0].interval(0) if len(self.tracks) == 1 else None
        return None if interval is None else -interval[0]

    @property
    def center(self) -> float | None:
        """Centre of what unit 0 sees, in pixels; None where `jump` is None."""
        interval = self.tracks[0].interval(0) if len(self.tracks) == 1 else None
        return None if interval is None else (interval[0] + interval[1]) / 2

    def interval(self, unit: int) -> Interval | None:
        """Return the hull over all paths of what `unit` sees; it may leave the map.

        None if the unit sees nothing, or the whole axis (see `whole`).
        """
        return hull_of([track.interval(unit) for track in self.tracks])

    def bounds(self, units: Units) -> Bounds:
        """Return the `interval` of many units at once.

        Returns
        -------
        array of int64
            First and last pixels, of shape (2, number of units); of a unit that sees nothing the
            first one is behind the last.
        """
        return hull_of_bounds(track.bounds(units) for track in self.tracks)

    def size_range(self, units: int) -> tuple[int, int] | None:
        """Return the smallest and the largest size over units, in pixels; None if `whole`.

        Parameters
        ----------
        units
            Number of units of the map, over which the range goes where it is not periodic.
        """
        if self.whole:
            return None
        if not self.tracks:
            return 0, 0
        track = self.tracks[0]
        if len(self.tracks) == 1 and isinstance(track, Track) and not (self.by_size and units):
            first, last = track.first, track.last
            if len(first) == 1 and first[0] is not None:
                size = last[0] - first[0] + 1  # type: ignore[operator]
                return size, size
            return _sizes_of_phases(track)
        is_wide = len(self.tracks) == 1 and isinstance(track, WideTrack)
        known = track.ranges if is_wide else {}  # type: ignore[union-attr]  # just checked
        if units not in known:
            looked_at = self._looked_at(units)
            spans = sizes_of(hull_of_bounds(x.bounds(looked_at) for x in self.tracks))
            known[units] = int(spans.min()), int(spans.max())
        return known[units]

    def _looked_at(self, units: int) -> Units:
        """Return the units over which a range of sizes goes: all, or those at both ends."""
        if len(self.tracks) == 1:
            units = min(units, self.tracks[0].period)  # after it sizes come again
        # The maps of a merge in a draft may differ in size.
        there = [x.units for x in self.tracks if isinstance(x, WideTrack)]
        units = min(units, max(there, default=units))
        if units <= self.most_units:
            return np.arange(max(units, 1))
        half = self.most_units // 2
        return np.concatenate([np.arange(half), np.arange(units - half, units)])

    @property
    def most_units(self) -> int:
        """Units up to which a range of sizes looks at all; of more, at half of them at each end."""
        far = [x for x in self.tracks if isinstance(x, WideTrack) and x.depth]
        most = MAX_UNITS_BACK if far else MAX_UNITS
        while far and most > _FEWEST and sum(x.work(most) for x in far) > _MAX_LOOKED_UP:
            most //= 4
        return most

    def is_sampled(self, units: int) -> bool:
        """Whether a range of sizes is over the ends of the map alone, as it is that long."""
        is_plain = len(self.tracks) == 1 and not (self.by_size and units)
        if is_plain or not self.tracks:
            return False
        most = self.most_units
        return units > most and (len(self.tracks) > 1 or self.tracks[0].period > most)


@remembered(128)
def _sizes_of_phases(track: Track) -> tuple[int, int]:
    """Return the smallest and the largest size over the phases of a track."""
    sizes = [
        0 if a is None or b is None else b - a + 1
        for a, b in zip(track.first, track.last, strict=True)
    ]
    return min(sizes), max(sizes)


MAX_TRACKS = 8
"""Different strides of branches that are followed; each copy of a repeat may add one."""

MAX_UNITS = 1 << 14
"""Units of a map that a range of sizes looks at; of a longer one, half of them at either end."""

MAX_UNITS_BACK = 1 << 11
"""The same where each of them is followed back through many long patterns in a row."""

_MAX_LOOKED_UP = 1 << 21
"""Work of following them back, in entries of arrays, from which on there are fewer."""

_FEWEST = 8
"""Units that are looked at in any case."""

_MOST_WORK_BACK = 1 << 23
"""Work of following these back, from which on a field is too large to compute."""

START = AxisField((Track(1, (0,), (0,)),))
"""Field of the reference with respect to itself: each unit sees its own pixel."""

UNSEEN = AxisField(())
"""Field of a map that does not read the reference at all."""

BEYOND = AxisField((), by_size=True)
"""Marks a field that reaches further than positions are counted, in too many different strides at
the same time, or in patterns that are too long to work out; and for all after it."""

MAX_DEPTH = 100
"""Long patterns in a row, on maps too long to work them out ahead, that are followed."""

MAX_REACH = 1 << 58
"""Pixels, from the image to what a field reaches, that are counted; numpy counts to 2^63."""


def _simplest(value: Fraction) -> int | Fraction:
    return value.numerator if value.denominator == 1 else value


def theoretical_region(
    fields: Sequence[AxisField], unit: Sequence[int], size: Sequence[int]
) -> tuple[Interval, ...] | None:
    """Return what a unit sees by the formulas, (first, last) along each axis, unclipped.

    The hull over all paths; the whole axis where it is global; None if no path reaches the unit.
    `size` is that of the reference map.
    """
    intervals = [
        whole_of(x, u, n) if x.whole else x.interval(u)
        for x, u, n in zip(fields, unit, size, strict=True)
    ]
    seen = tuple(x for x in intervals if x is not None)
    return seen if len(seen) == len(intervals) else None


def whole_of(field: AxisField, unit: int, size: int) -> Interval:
    """Return what a unit sees of an axis of which it sees all, or all of one side."""
    bound = None if field.one_sided is None else field.one_sided.bound(unit)
    if field.one_sided is None or bound is None:
        return 0, size - 1
    if field.one_sided.side == "before":
        return min(0, bound), bound
    return bound, max(size - 1, bound)


# --- the recurrence -----------------------------------------------------------------------------


def through(field: AxisField, rule: AxisRule) -> AxisField:
    """Return the field after an operation, given the field before it and its rule.

    Examples
    --------
    >>> through(START, Window(9, 5, kernel=3, stride=2, before=1)).tracks
    (Track(advance=2, first=(-1,), last=(1,)),)
    """
    tracks, whole, alignment, by_size, one_sided = field
    if not tracks and not whole:
        return field
    if type(rule) is Window:
        if whole:
            return field if one_sided is None else _whole_after(field, rule)
        track = tracks[0]
        if len(tracks) == 1 and type(track) is Track and len(track.first) == 1:
            after = _through_window(track, rule)
            if _is_far(after):
                return BEYOND
            return AxisField((after,), False, alignment, by_size)
        return _seeing([_through_pattern(x, rule, 1, rule.stride) for x in tracks], field, False)
    if type(rule) is Whole or whole:
        return _whole_after(field, rule)
    assert isinstance(rule, Periodic)
    track = tracks[0]
    if len(rule.phases) == len(tracks) == 1 and type(track) is Track and len(track.first) == 1:
        # A pattern of one phase is a window, as of a transposed convolution of stride 1.
        moved = _through_phase(track, rule)
        if moved is not None:
            if _is_far(moved):
                return BEYOND
            return AxisField((moved,), False, alignment, by_size or rule.by_size)
    # The turns of a repeat soon come to the same field at the same size again.
    if all(type(x) is Track for x in tracks):
        return _through_periodic_again(field, rule)
    return _through_periodic(field, rule)


def _through_periodic(field: AxisField, rule: Periodic) -> AxisField:
    tracks = field.tracks
    patterns = [_through_pattern(x, rule, rule.period, rule.advance) for x in tracks]
    if not rule.advance and len(patterns) > 1:
        # All units see the same now, whatever the jumps were.
        seeing = [x for x in patterns if not x.is_blind]
        patterns = [_hull(seeing)] if seeing else patterns
    return _seeing(patterns, field, rule.by_size)


_through_periodic_again = remembered(128)(_through_periodic)


def _is_far(track: Track) -> bool:
    """Whether the only phase of a track reaches further than is counted."""
    advance, (first,), (last,) = track
    # A mirrored map advances backwards.
    return abs(advance) > MAX_REACH or -first > MAX_REACH or last > MAX_REACH  # type: ignore[operator]


def _is_beyond(track: AnyTrack) -> bool:
    """Whether a track reaches further than is counted."""
    if isinstance(track, WideTrack):
        is_deep = track.depth > MAX_DEPTH or track.work(_FEWEST) > _MOST_WORK_BACK
        return is_deep or abs(track.jump) * (track.units + 1) > MAX_REACH
    return track.furthest > MAX_REACH


_MAX_BOUNDS = 16
"""Tracks up to which the bound of a field of one side is followed."""


def _whole_after(field: AxisField, rule: AxisRule) -> AxisField:
    """Return the field after a rule that reads the whole axis, or of a map that does."""
    plain = AxisField((), True, field.alignment)
    known = field.one_sided
    side = known.side if known else "both"
    if type(rule) is Whole:
        if rule.side == "both" or (field.whole and side != rule.side):
            return plain
        bounds = [_reaching(x, rule.side) for x in (known.tracks if known else field.tracks)]
        tracks = tuple([x for x in bounds if x is not None])
        if len(tracks) < len(bounds):
            return plain
        return plain._replace(one_sided=OneSided(rule.side, tracks))
    if known is None:
        return plain
    after = through(AxisField(known.tracks), rule)
    if after is BEYOND:
        return plain
    return plain._replace(one_sided=OneSided(known.side, after.tracks))


@remembered(64)  # copies of a layer have the same track
def _reaching(track: AnyTrack, side: Side) -> Track | None:
    """Return the furthest that a unit sees with all before it, or after it; None: not known."""
    if not isinstance(track, Track) or track.advance < 0 or None in track.first:
        return None
    advance = track.advance
    ends = [x for x in (track.last if side == "before" else track.first) if x is not None]
    # Of the phases up to one and of those after it: the latter belong to the turn before.
    if side == "before":
        upto, later = [*accumulate(ends, max)], [*accumulate(reversed(ends), max)][::-1]
        rest = [x - advance for x in later[1:]]
        found = [*map(max, upto, rest), upto[-1]]
    else:
        onward, earlier = [*accumulate(reversed(ends), min)][::-1], [*accumulate(ends, min)]
        rest = [x + advance for x in earlier[:-1]]
        found = [onward[0], *map(min, onward[1:], rest)]
    reached = ends_of(found)
    return Track(advance, reached, reached)


def _joined_sides(fields: Sequence[AxisField]) -> OneSided | None:
    """Return how far a merge reads on one side, where all branches are bounded there."""
    sides = {x.one_sided.side if x.one_sided else "both" for x in fields if x.whole}
    if len(sides) != 1 or "both" in sides:
        return None
    (side,) = sides
    tracks: dict[AnyTrack, None] = {}
    for field in fields:
        tracks |= dict.fromkeys(field.one_sided.tracks if field.one_sided else field.tracks)
    return OneSided(side, tuple(tracks)) if len(tracks) <= _MAX_BOUNDS else None


def _seeing(found: list[AnyTrack], field: AxisField, by_size: bool) -> AxisField:
    """Return the field of those tracks in which some unit sees something; others do not matter."""
    if any(map(_is_beyond, found)):
        return BEYOND
    wide = any(isinstance(x, WideTrack) for x in found)
    tracks = tuple([x for x in found if not x.is_blind])
    return AxisField(tracks, False, field.alignment, field.by_size or by_size or wide)


def _through_window(track: Track, window: Window) -> Track:
    """Apply the recurrence of [1]_ in the plain case, in which all units see the same pattern."""
    jump, (first,), (last,) = track
    start = -window.before * jump
    stop = start + window.dilation * (window.kernel - 1) * jump
    if jump < 0:  # a mirrored map: its last tap is what comes first
        start, stop = stop, start
    return Track(
        jump * window.stride,
        (first + start,),  # type: ignore[operator]
        (last + stop,),  # type: ignore[operator]
    )


def _through_phase(track: Track, rule: Periodic) -> Track | None:
    """Apply the same to a pattern whose units read the same, too; None: they read nothing."""
    jump, (first,), (last,) = track
    (taps,) = rule.phases
    if not taps:
        return None
    start, stop = taps[0] * jump, taps[-1] * jump
    if jump < 0:
        start, stop = stop, start
    return Track(
        jump * rule.advance,
        (first + start,),  # type: ignore[operator]
        (last + stop,),  # type: ignore[operator]
    )


def _through_pattern(
    track: AnyTrack, rule: Window | Periodic, period: int, advance: int
) -> AnyTrack:
    """Apply the recurrence by phases; `period` outputs of the rule move on `advance` inputs."""
    inner = track.period
    # After `turns` periods of the rule its inputs have moved on by whole periods of the track.
    turns = inner // gcd(advance, inner)
    phases, taps_each = period * turns, _taps_each(track, rule)
    # Too many phases for a table: units are computed at once only where that is cheap.
    if isinstance(track, WideTrack) or phases > MAX_PHASES:
        jump = track.jump * Fraction(advance, period)
        ahead = rule.n_out * taps_each <= _AHEAD
        wide = [track] if isinstance(track, WideTrack) else []
        return WideTrack(
            jump,
            phases,
            rule.n_out,
            lambda units: _bounds(track, rule, units, taps_each),
            ahead=ahead,
            depth=0 if ahead else 1 + _depth_of(wide),
            before=_number_before(wide),
            work=lambda units: _work_back(track, rule, units, taps_each, Fraction(advance, period)),
        )
    # Spent here, since a table from the cache counts as if it were worked out.
    spend(_A_TABLE + _A_PHASE * phases)
    if phases * taps_each > _COUNTED:
        spend(_A_READ * phases * taps_each)
    # What is after a pattern is remembered as a whole field.
    find = _table_again if type(rule) is Window else _table
    # Pixels by which a unit a whole period later sees further on.
    return find(track, rule, phases, turns * advance // inner * track.advance)


def _work_back(
    track: AnyTrack, rule: Window | Periodic, units: int, taps_each: int, jump: Fraction
) -> float:
    """Return about how much work it is to look up what so many units in a row see."""
    reads = units * taps_each
    work = float(_A_READ * reads)
    if not isinstance(track, WideTrack):
        return work
    reach = rule.dilation * (rule.kernel - 1) if isinstance(rule, Window) else rule.widest_phase
    # Units in a row read mostly the same.
    return work + track.work(min(reads, int(units * abs(jump)) + reach + 1))


def _depth_of(tracks: Sequence[WideTrack]) -> int:
    return max([x.depth for x in tracks], default=0)


def _number_before(tracks: Sequence[WideTrack]) -> int:
    """Return how many long patterns are before one that is worked out from those given."""
    return max([x.before + 1 for x in tracks], default=0)


def _taps_each(track: AnyTrack, rule: Window | Periodic) -> int:
    """Return how many taps of each unit are looked at."""
    return max(min(rule.most_taps, 2 * min(track.period, _MOST_TAPS)), 1)


def _bounds(track: AnyTrack, rule: Window | Periodic, units: Units, taps_each: int) -> Bounds:
    """Return what units see after a rule; `taps_each` is the work for each of them."""
    spend(_A_READ * len(units) * taps_each)
    return _hulls(track, rule, units)


def _hulls(track: AnyTrack, rule: Window | Periodic, units: Units) -> Bounds:
    # Taps of one residue differ by whole periods: only the outermost can be extremes.
    most = min(track.period, _MOST_TAPS)
    if isinstance(track, Track) and len(units) * min(rule.most_taps, 2 * most) <= _AT_ONE_GO:
        return _hulls_at_one_go(track, *rule.taps_of_each(units, most))
    found = np.empty((2, len(units)), np.int64)
    found[0], found[1] = NEVER, -NEVER
    reads = rule.taps_of_all(units, most)
    if not isinstance(track, WideTrack):
        for taps, there in reads:
            _widen(found, there, track.bounds(taps if there.all() else taps[there]))
        return found
    # A long pattern goes back through the one before it.  Asked tap by tap, it would do so three
    # times for a window of three, and each of these again three times.
    for group in _groups((taps if there.all() else taps[there], there) for taps, there in reads):
        seen = _looked_up(track, [taps for taps, _ in group])
        for (_, there), bounds in zip(group, seen, strict=True):
            _widen(found, there, bounds)
    return found


def _hulls_at_one_go(track: Track, taps: Units, there: NDArray[np.bool_] | None) -> Bounds:
    """Return what units see, given the taps of each in a row, and which of these it has."""
    first, last = track.bounds(taps)
    if there is not None:
        first, last = np.where(there, first, NEVER), np.where(there, last, -NEVER)
    found = np.empty((2, len(taps)), np.int64)
    first.min(axis=1, initial=NEVER, out=found[0])
    last.max(axis=1, initial=-NEVER, out=found[1])
    return found


def _widen(found: Bounds, there: NDArray[np.bool_], seen: Bounds) -> None:
    """Let what some units have seen so far reach over what they see as well."""
    if there.all():
        np.minimum(found[0], seen[0], out=found[0])
        np.maximum(found[1], seen[1], out=found[1])
        return
    found[0, there] = np.minimum(found[0, there], seen[0])
    found[1, there] = np.maximum(found[1, there], seen[1])


Read: TypeAlias = tuple[Units, NDArray[np.bool_]]
"""Samples that units read with one of their taps, and which of the units have it."""


def _groups(reads: Iterable[Read]) -> Iterator[list[Read]]:
    """Yield reads together, as many as are looked up at the same time."""
    group: list[Read] = []
    count = 0
    for read in reads:
        group.append(read)
        count += len(read[0])
        if count >= _AT_ONCE:
            yield group
            group, count = [], 0
    if group:
        yield group


def _looked_up(track: WideTrack, reads: Sequence[Units]) -> list[Bounds]:
    """Return what each of several rows of units sees; each unit is worked out once."""
    taps = reads[0] if len(reads) == 1 else np.concatenate(reads)
    units, at = _distinct(taps)
    bounds = track.bounds(units)
    stops = np.cumsum([len(x) for x in reads]).tolist()
    return [bounds[:, at[stop - len(x) : stop]] for x, stop in zip(reads, stops, strict=True)]


def _distinct(values: Units) -> tuple[Units, Units]:
    """Return the different values in rising order, and the place of each given one in them."""
    if not len(values):
        return values, values
    low, high = int(values.min()), int(values.max()) + 1
    if high - low > 4 * len(values):
        found, at = np.unique(values, return_inverse=True)
        return found, at
    there = np.zeros(high - low, bool)
    there[values - low] = True
    return np.flatnonzero(there) + low, (np.cumsum(there) - 1)[values - low]


def _table(track: Track, rule: Window | Periodic, phases: int, moved_on: int) -> Track:
    """Return the track after a rule, each phase worked out."""
    if phases * _taps_each(track, rule) > _ONE_BY_ONE:
        return track_of(_hulls(track, rule, np.arange(phases)), moved_on)
    inner = track.period
    found = []
    for unit in range(phases):
        taps = rule.taps(unit)
        if len(taps) > 2 * inner:
            taps = (*taps[:inner], *taps[-inner:])
        found.append(hull_of_units([(track, x) for x in taps]))
    return tabulated(found, moved_on)


_table_again = remembered(128)(_table)  # copies of a block come here again

_A_READ = 3
"""Entries of arrays that a read of a unit counts as."""

_A_PHASE = 24
"""Entries of arrays that a phase of a table counts as."""

_MOST_TAPS = 2048
"""Taps at either end of a window that are looked at where a pattern is longer than that."""

_A_TABLE = 400
"""Entries of arrays that a table counts as beside its phases."""

_COUNTED = 1 << 10
"""Reads of a period beyond which they count beside its phases."""

_ONE_BY_ONE = 1 << 5
"""Reads of a period up to which it is worked out unit by unit; more at once are quicker."""

_AT_ONE_GO = 1 << 14
"""Reads up to which all taps of all units are looked up in a single step, which is the quickest
for short patterns, of which a network may have thousands."""

_AHEAD = 1 << 18
"""Reads of a map up to which a long pattern is worked out in advance."""

_AT_ONCE = 1 << 18
"""Reads of a long pattern that are looked up at the same time, which takes memory for each."""


def closed_form(windows: Iterable[Window]) -> tuple[int, int, int]:
    """Return (size, jump, padding) of a chain of windows by the sums of [1]_, in pixels.

    The same numbers as the recurrence, by another way; shown next to it and tested against it.
    """
    chain = list(windows)
    jumps = [1]
    for window in chain:
        jumps.append(jumps[-1] * window.stride)
    size = 1 + sum(w.dilation * (w.kernel - 1) * s for w, s in zip(chain, jumps, strict=False))
    padding = sum(w.before * s for w, s in zip(chain, jumps, strict=False))
    return size, jumps[-1], padding


# --- merges -------------------------------------------------------------------------------------


class Misfit(NamedTuple):
    """Why two branches of a merge do not align along one axis.

    Attributes
    ----------
    alignment
        Centre offset or stride mismatch.
    branches
        Which two of the merged fields, by their index.
    offset
        Largest distance of the two centres over all units, in pixels; 0 for a stride mismatch.
    drift
        Mean distance with its sign, in pixels: 0 where the offset only alternates with the phase
        of the unit, as after upsampling.
    jumps
        The jumps of the two branches, in pixels.
    """

    alignment: Alignment
    branches: tuple[int, int]
    offset: Fraction
    drift: Fraction
    jumps: tuple[int | Fraction, int | Fraction]


class MergeMisfit(NamedTuple):
    """A merge whose branches do not align: the node's index, and what differs by axis."""

    index: int  # type: ignore[assignment]  # hides a method of tuples that nobody needs
    by_axis: Mapping[int, Misfit]


def merge(fields: Sequence[AxisField], *, local: bool = False) -> tuple[AxisField, Misfit | None]:
    """Return the hull of branches that meet, and their misfit, if they do not align.

    Branches that do not read the reference are ignored.  One that reads the whole axis makes the
    result the whole axis; with `local` it is ignored beside one that does not.  A branch all of
    whose units see the same, as of a broadcast, is part of the hull, but cannot be misaligned.
    """
    head = fields[0]
    if all(x is head for x in fields):
        return head, None
    if all(map(_is_plain, fields)):
        found = _merged_plain(fields)
        if found is not None:
            return found
    seen = [(i, x) for i, x in enumerate(fields) if x.tracks or x.whole]
    if not seen:
        return next((x for x in fields if x is BEYOND), head), None
    if local and any(x.tracks for _, x in seen):
        seen = [(i, x) for i, x in seen if x.tracks]
    worst = max(x.alignment for _, x in seen)
    tracked = [(i, x) for i, x in seen if x.tracks]
    misfit = _misfit([(i, y) for i, x in tracked if (y := _moving(x)).tracks] or tracked)
    if misfit is not None and misfit.alignment > worst:
        worst = misfit.alignment
    if any(x.whole for _, x in seen):
        beyond = any(x is BEYOND for x in fields)
        sides = None if beyond else _joined_sides([x for _, x in seen])
        return AxisField((), True, worst, False, sides), misfit
    if any(x is BEYOND for x in fields):
        return BEYOND, misfit
    by_size = any(x.by_size for _, x in seen)
    groups: dict[tuple[int, int], list[AnyTrack]] = {}
    for _, field in seen:
        for track in field.tracks:
            groups.setdefault(track.ratio, []).append(track)
    if len(groups) > MAX_TRACKS:
        return BEYOND, misfit
    ratios = sorted(groups, key=lambda x: Fraction(*x)) if len(groups) > 1 else groups
    tracks = tuple([_hull(groups[x]) for x in ratios])
    if any(isinstance(x, WideTrack) and _is_beyond(x) for x in tracks):
        return BEYOND, misfit
    by_size = by_size or len(tracks) > 1 or any(isinstance(x, WideTrack) for x in tracks)
    return AxisField(tracks, False, worst, by_size), misfit


def _moving(field: AxisField) -> AxisField:
    """Return a field without the paths on which all units see the same, as of a broadcast."""
    if all(x.ratio[0] for x in field.tracks):
        return field
    return field._replace(tracks=tuple([x for x in field.tracks if x.ratio[0]]))


def _is_plain(field: AxisField) -> bool:
    """Whether all units see the same pattern: one track of one phase."""
    tracks = field.tracks
    if len(tracks) != 1 or field.by_size:
        return False
    track = tracks[0]
    return type(track) is Track and len(track.first) == 1 and track.first[0] is not None


def _merged_plain(fields: Sequence[AxisField]) -> tuple[AxisField, Misfit | None] | None:
    """Return the same as `merge` of plain branches of one jump: the usual case, in whole numbers.

    None if their jumps differ.
    """
    jump, (first,), (last,) = fields[0].tracks[0]  # type: ignore[misc]
    low, high = first, last
    worst, apart, which = fields[0].alignment, 0, 0
    for branch, other in enumerate(fields[1:], 1):
        other_jump, (other_first,), (other_last,) = other.tracks[0]  # type: ignore[misc]
        if other_jump != jump:
            return None
        # Twice the distance of the centres.
        distance = (other_first + other_last) - (first + last)  # type: ignore[operator]
        if abs(distance) > abs(apart):
            apart, which = distance, branch
        low, high = min(low, other_first), max(high, other_last)  # type: ignore[type-var]
        worst = max(worst, other.alignment)
    misfit = None
    if apart:
        ends = Fraction(abs(apart), 2), Fraction(-apart, 2)
        misfit = Misfit(Alignment.CENTRE_OFFSET, (0, which), *ends, (jump, jump))
        worst = max(worst, Alignment.CENTRE_OFFSET)
    hull = Track(jump, (low,), (high,))
    same = next((x for x in fields if x.tracks[0] == hull and x.alignment == worst), None)
    return same or AxisField((hull,), False, worst), misfit


def _misfit(seen: list[tuple[int, AxisField]]) -> Misfit | None:
    """Return the worst misfit between the first branch and the others."""
    if len(seen) < 2:
        return None
    (a, first), *others = seen
    worst: Misfit | None = None
    for b, other in others:
        if [x.ratio for x in first.tracks] != [x.ratio for x in other.tracks]:
            pair = (_simplest(first.tracks[0].jump), _simplest(other.tracks[0].jump))
            return Misfit(Alignment.STRIDE_MISMATCH, (a, b), Fraction(0), Fraction(0), pair)
        offset, drift = max(
            _centre_distance(x, y) for x, y in zip(first.tracks, other.tracks, strict=True)
        )
        if offset and (worst is None or offset > worst.offset):
            pair = (_simplest(first.tracks[0].jump), _simplest(other.tracks[0].jump))
            worst = Misfit(Alignment.CENTRE_OFFSET, (a, b), offset, drift, pair)
    return worst


def distance_of_plain(a: AnyTrack, b: AnyTrack) -> Fraction | None:
    """Return how far the centre of `b` is after that of `a`; None: it is not the same for all."""
    if not isinstance(a, Track) or not isinstance(b, Track) or a.period > 1 or b.period > 1:
        return None
    ends = a.interval(0), b.interval(0)
    if ends[0] is None or ends[1] is None:
        return None
    return Fraction(sum(ends[1]) - sum(ends[0]), 2)


def _centre_distance(a: AnyTrack, b: AnyTrack) -> tuple[Fraction, Fraction]:
    """Return largest and mean distance of the centres of two tracks of one jump, over units."""
    distance = distance_of_plain(a, b)
    if distance is not None:
        return abs(distance), -distance
    period = lcm(a.period, b.period)
    spend(_A_TABLE + _A_READ * min(period, MAX_PHASES))
    if period <= _ONE_BY_ONE and isinstance(a, Track) and isinstance(b, Track):
        pairs = [(a.interval(unit), b.interval(unit)) for unit in range(period)]
        apart = [sum(x) - sum(y) for x, y in pairs if x is not None and y is not None]
        if not apart:
            return Fraction(0), Fraction(0)
        return Fraction(max(map(abs, apart)), 2), Fraction(sum(apart), 2 * len(apart))
    units = np.arange(min(period, MAX_PHASES))
    one, other = a.bounds(units), b.bounds(units)
    both = (one[0] <= one[1]) & (other[0] <= other[1])
    if not both.any():
        return Fraction(0), Fraction(0)
    # First plus last pixel is twice the centre: whole numbers until the division at the end.
    twice = (one.sum(axis=0) - other.sum(axis=0))[both]
    return Fraction(int(abs(twice).max()), 2), Fraction(int(twice.sum()), 2 * len(twice))


def _hull(tracks: Sequence[AnyTrack]) -> AnyTrack:
    """Return the hull of tracks of one jump."""
    if len(tracks) == 1:
        return tracks[0]
    period = lcm(*[x.period for x in tracks])
    wide = [x for x in tracks if isinstance(x, WideTrack)]
    if period > MAX_PHASES or wide:
        count = max([x.units for x in wide], default=0)
        ahead = count * len(tracks) <= _AHEAD
        return WideTrack(
            tracks[0].jump,
            period,
            count,
            lambda units: hull_of_bounds(x.bounds(units) for x in tracks),
            ahead=ahead,
            depth=0 if ahead else 1 + _depth_of(wide),
            before=_number_before(wide),
            work=lambda units: float(
                sum(x.work(units) if isinstance(x, WideTrack) else units for x in tracks)
            ),
        )
    spend(_A_TABLE + _A_PHASE * period)
    advance, over = tracks[0].ratio
    moved_on = advance * (period // over)
    if period * len(tracks) > _ONE_BY_ONE:
        units = np.arange(period)
        return track_of(hull_of_bounds(x.bounds(units) for x in tracks), moved_on)
    short = [x for x in tracks if isinstance(x, Track)]
    each = [hull_of_units([(x, unit) for x in short]) for unit in range(period)]
    return tabulated(each, moved_on)
