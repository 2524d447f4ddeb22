"""Budgets of work: work is counted where it is done, and limited by whoever asks for an answer.

Work is counted in entries of arrays that are gone through, never by a clock, so that a question
that is too large is refused at the same place on every machine.  An answer from a cache counts as
if it were worked out, for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rfstudio.core.errors import TooLargeError

A_CALL = 500
"""Entries that a step of a few numpy calls on small arrays takes as long as."""


class _Budget:
    """What is left of the work for one answer."""

    __slots__ = ("left", "refusal")

    def __init__(self, left: float, refusal: str) -> None:
        self.left, self.refusal = left, refusal


_CURRENT: ContextVar[_Budget | None] = ContextVar("budget of work", default=None)


@contextmanager
def at_most(entries: float, refusal: str) -> Iterator[None]:
    """Limit the work within the context, in this thread; it replaces an outer limit.

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
    token = _CURRENT.set(_Budget(entries, refusal))
    try:
        yield
    finally:
        _CURRENT.reset(token)


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
