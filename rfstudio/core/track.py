"""The intervals that the units of a map see along one axis, all with one jump."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple, TypeAlias

Interval: TypeAlias = tuple[int, int]
"""First and last sample, both included."""

MAX_PHASES = 4096
"""Longest period that is kept phase by phase.

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
        a phase sees nothing.  The number of phases is the period.
    """

    advance: int
    first: tuple[int | None, ...]
    last: tuple[int | None, ...]

    @property
    def period(self) -> int:
        """Units after which the pattern repeats."""
        return len(self.first)

    @property
    def jump(self) -> Fraction:
        """Pixels from one unit to the next, on average over a period."""
        return Fraction(self.advance, len(self.first))

    @property
    def is_plain(self) -> bool:
        """Whether all units see alike."""
        return len(self.first) == 1 and self.first[0] is not None

    @property
    def is_blind(self) -> bool:
        """Whether no unit sees anything."""
        return all(x is None for x in self.first)

    def interval(self, unit: int) -> Interval | None:
        """Return the first and the last pixel that `unit` sees, or None if it sees nothing."""
        turn, phase = divmod(unit, len(self.first))
        first, last = self.first[phase], self.last[phase]
        if first is None or last is None:
            return None
        return first + turn * self.advance, last + turn * self.advance


class WideTrack:
    """The intervals of units whose pattern repeats only after more than `MAX_PHASES`.

    They are worked out when they are asked for.  Those around the map are asked for at once, so
    that a question never has to go back through many layers.

    Attributes
    ----------
    jump
        Pixels from one unit to the next, on average over a period.
    period
        Units after which the pattern repeats.
    """

    __slots__ = ("_intervals", "_work_out", "jump", "period")

    is_plain = False
    is_blind = False

    _MARGIN = 16

    def __init__(
        self, jump: Fraction, period: int, units: int, work_out: Callable[[int], Interval | None]
    ) -> None:
        self.jump = jump
        self.period = period
        self._work_out = work_out
        self._intervals: dict[int, Interval | None] = {}
        for unit in range(-self._MARGIN, units + self._MARGIN):
            self.interval(unit)

    def interval(self, unit: int) -> Interval | None:
        """Return the first and the last pixel that `unit` sees, or None if it sees nothing."""
        if unit not in self._intervals:
            self._intervals[unit] = self._work_out(unit)
        return self._intervals[unit]


AnyTrack: TypeAlias = Track | WideTrack


def hull_of(intervals: list[Interval | None]) -> Interval | None:
    """Return the smallest interval that holds all of those given; None if there is none."""
    seen = [x for x in intervals if x is not None]
    return (min(x[0] for x in seen), max(x[1] for x in seen)) if seen else None


def reduced(track: Track) -> Track:
    """Return the same track with its least period."""
    advance, first, last = track
    period = len(first)
    for shorter in range(1, period // 2 + 1):
        if period % shorter or advance * shorter % period:
            continue
        step = advance * shorter // period
        if all(
            _moved(first[i], step) == first[i + shorter]
            and _moved(last[i], step) == last[i + shorter]
            for i in range(period - shorter)
        ):
            return Track(step, first[:shorter], last[:shorter])
    return track


def _moved(pixel: int | None, step: int) -> int | None:
    return None if pixel is None else pixel + step


def tabulated(period: int, advance: int, interval: Callable[[int], Interval | None]) -> Track:
    """Return a track by working out each phase of one period."""
    found = [interval(unit) for unit in range(period)]
    first = tuple(None if x is None else x[0] for x in found)
    last = tuple(None if x is None else x[1] for x in found)
    return reduced(Track(advance, first, last))
