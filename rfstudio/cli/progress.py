"""The progress of a measurement on standard error, with the time that it will still take.

A terminal has one line, which is rewritten; a file or a pipe gets a line every few seconds.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType

EVERY = 5.0
"""Seconds between two lines where they are not on a terminal."""

_REDRAW = 0.1


class Progress:
    """Receives the fraction done; leaves no line on a terminal when it ends.

    Parameters
    ----------
    clock
        Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._is_terminal = sys.stderr.isatty()
        # Under torchrun, every process measures, and one prints.
        self._is_silent = os.environ.get("RANK", "0") != "0"
        self._start = self._last = clock()
        self._first: tuple[float, float] | None = None
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._width:
            self._redraw("", end="\r")

    def __call__(self, fraction: float, _partial: object) -> None:
        """Show how much is done, unless that was shown just now."""
        now = self._clock()
        left = self._seconds_left(now, fraction)
        pause = _REDRAW if self._is_terminal else EVERY
        is_first = self._is_terminal and not self._width
        if self._is_silent or (now - self._last < pause and not is_first):
            return
        self._last = now
        text = f"measuring {100 * fraction:.0f} %"
        if left is not None:
            text += f", about {duration_text(left)} left"
        if self._is_terminal:
            self._redraw(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def _seconds_left(self, now: float, fraction: float) -> float | None:
        """Return the time that the rest takes at the pace since the first report.

        Before that report torch starts, which says nothing of the rest.
        """
        if self._first is None:
            self._first = (now, fraction)
            spent, done = now - self._start, fraction
        else:
            spent, done = now - self._first[0], fraction - self._first[1]
        return spent / done * (1 - fraction) if done > 0 else None

    def _redraw(self, text: str, end: str = "") -> None:
        print(f"\r{text:<{self._width}}", end=end, file=sys.stderr, flush=True)
        self._width = max(self._width, len(text))


def duration_text(seconds: float) -> str:
    """Return a duration to about two digits: ``8 s``, ``3 min 20 s``, ``2 h 10 min``."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
