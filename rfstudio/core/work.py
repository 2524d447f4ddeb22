"""Long work: how much of it an answer may take, and where it gives way to something else.

Work is counted in entries of arrays that are gone through, never by a clock, so that a question
that is too large is refused at the same place on every machine.  An answer from a cache counts as
if it were worked out, for the same reason.

Between two steps of long work, `give_way` lets whoever asked for the answer do something else, such
as paint a window, and give up the work by raising an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rfstudio.core.errors import TooLargeError

A_CALL = 500
"""Entries that a step of a few numpy calls on small arrays takes as long as."""


class Budget:
    """What is left of the work for one answer."""

    __slots__ = ("_most", "left", "refusal")

    def __init__(self, most: float, refusal: str) -> None:
        self._most = self.left = most
        self.refusal = refusal

    @property
    def spent(self) -> float:
        """The work that was counted; more than all of it where it was not enough."""
        return self._most - self.left


_CURRENT: ContextVar[Budget | None] = ContextVar("budget of work", default=None)


@contextmanager
def at_most(entries: float, refusal: str) -> Iterator[Budget]:
    """Limit the work within the context, in this thread; it counts for an outer limit, too.

    The context is what is left of it.

    Parameters
    ----------
    entries
        Entries of arrays that may be gone through.
    refusal
        What the error says if that is not enough.

    Raises
    ------
    TooLargeError
        From `spend`, within the context.
    """
    outer = _CURRENT.get()
    most = entries if outer is None else min(entries, outer.left)
    budget = Budget(most, refusal)
    token = _CURRENT.set(budget)
    try:
        yield budget
    finally:
        _CURRENT.reset(token)
        if outer is not None:
            outer.left -= most - max(budget.left, 0)


def spend(entries: float) -> None:
    """Count work that is about to be done.

    Raises
    ------
    TooLargeError
        If there is a limit, and this goes beyond it.
    """
    budget = _CURRENT.get()
    if budget is not None:
        budget.left -= entries
        if budget.left < 0:
            raise TooLargeError(budget.refusal)


@contextmanager
def uncounted() -> Iterator[None]:
    """Count nothing within the context: whoever asks has counted it."""
    token = _CURRENT.set(None)
    try:
        yield
    finally:
        _CURRENT.reset(token)


class Tally:
    """Work on something that is remembered, to be counted for every answer that it serves."""

    __slots__ = ("_spent",)

    def __init__(self) -> None:
        self._spent = 0.0

    def spend(self, entries: float) -> None:
        """Count work that is about to be done, now and each time that its result is used."""
        self._spent += entries
        spend(entries)

    def again(self) -> None:
        """Count all of it for another answer."""
        spend(self._spent)


_BETWEEN_STEPS: ContextVar[Callable[[], None] | None] = ContextVar("between steps", default=None)


@contextmanager
def giving_way(between_steps: Callable[[], None]) -> Iterator[None]:
    """Call a function between the steps of long work within the context, in this thread.

    Parameters
    ----------
    between_steps
        What it raises ends the work.
    """
    token = _BETWEEN_STEPS.set(between_steps)
    try:
        yield
    finally:
        _BETWEEN_STEPS.reset(token)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Give way to nobody within the context: a lock is held."""
    token = _BETWEEN_STEPS.set(None)
    try:
        yield
    finally:
        _BETWEEN_STEPS.reset(token)


def give_way() -> None:
    """Let whoever asked for an answer do something else.

    Called between steps of long work that take milliseconds at most; never while a lock is held or
    something shared is half changed, since the work may stay here for long, or end here.
    """
    between_steps = _BETWEEN_STEPS.get()
    if between_steps is not None:
        between_steps()
