"""Which parts of the window follow a change at once, and which in the frames after it.

The canvas has the first frame; each rank after it has one more, once no other change comes for the
length of a frame.  During a long drag they follow every few frames.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TypeAlias

from PySide6.QtCore import QObject, QTimer

Work: TypeAlias = Callable[[], object]
"""What a part of the window does to follow; asked for twice, it is done once."""

FRAME = 16
"""Milliseconds without a change, before the next rank follows."""

PATIENCE = 6
"""Frames of the first rank after which the others follow although changes keep coming."""


class Rank(IntEnum):
    """The order in which parts of the window follow, after the canvas."""

    NUMBERS = 1
    CHARTS = 2


Later: TypeAlias = Callable[[Rank, Work], object]
"""How a part of the window asks to follow in its rank; `at_once`, or the method of a `Frames`."""


def at_once(_rank: Rank, work: Work) -> None:
    """Follow now: for a part that is shown alone."""
    work()


class Frames(QObject):
    """Lets parts of a window follow a change rank after rank, one each frame."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: dict[Rank, dict[Work, None]] = {}
        self._frames: dict[Rank, int] = {}
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._next)

    @property
    def is_busy(self) -> bool:
        """Whether some part has not followed yet."""
        return bool(self._waiting)

    def later(self, rank: Rank, work: Work) -> None:
        """Do something in a later frame.

        Parameters
        ----------
        rank
            What has its frames before others.
        work
            A method of a widget that lives as long as this object.
        """
        self._waiting.setdefault(rank, {})[work] = None
        self._frames.setdefault(rank, 0)
        self._wait()

    def rest(self) -> None:
        """Let a frame pass from now on: the window was just painted."""
        for rank in self._frames:
            self._frames[rank] += 1
        if self._waiting:
            self._wait()

    def settle(self) -> None:
        """Do all that waits, now."""
        while self._waiting:
            self._do(min(self._waiting))
        self._timer.stop()

    def drop(self) -> None:
        """Do nothing of what waits: the window closes."""
        self._waiting.clear()
        self._frames.clear()
        self._timer.stop()

    def _wait(self) -> None:
        if not self._late():
            self._timer.start(FRAME)
        elif self._timer.remainingTime() > 0 or not self._timer.isActive():
            self._timer.start(0)

    def _late(self) -> list[Rank]:
        """Return the ranks that follow although changes keep coming."""
        return [rank for rank, frames in self._frames.items() if frames >= PATIENCE]

    def _next(self) -> None:
        if self._waiting:
            self._do(min(self._late() or self._waiting))
        if self._waiting:
            self._timer.start(0)

    def _do(self, rank: Rank) -> None:
        del self._frames[rank]
        for work in self._waiting.pop(rank):
            work()
