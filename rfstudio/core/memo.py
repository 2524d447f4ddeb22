"""Caches of earlier results, looked up by the values from which they were computed.

All of them are bounded and may be cleared at any time: they save time and change no result.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any, Generic, ParamSpec, TypeVar, cast
from weakref import WeakSet

P = ParamSpec("P")
R = TypeVar("R")
Owner = TypeVar("Owner")
Default = TypeVar("Default")

_DROPS: list[Callable[[], None]] = []


def remembered(size: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator of pure functions of hashable values, which remembers the last answers."""

    def decorated(work: Callable[P, R]) -> Callable[P, R]:
        found = lru_cache(maxsize=size)(work)
        _DROPS.append(found.cache_clear)
        return cast("Callable[P, R]", found)

    return decorated


class Recent(Generic[Owner, R]):
    """The last few answers about immutable objects too large to be hashed.

    An object is looked up by identity, since comparing or hashing a network costs as much as
    computing the answer.  That is safe as long as such objects never change: the memo keeps them
    alive, so that no other object can take over their identity.

    Parameters
    ----------
    size
        How many answers are remembered; then the oldest is dropped.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._answers: tuple[tuple[Owner, Hashable, R], ...] = ()
        _RECENT.add(self)

    def get(self, owner: Owner, key: Hashable, default: Default) -> R | Default:
        """Return the answer about an object for the rest of a key, or `default`."""
        for known, rest, answer in self._answers:
            if known is owner and rest == key:
                return answer
        return default

    def put(self, owner: Owner, key: Hashable, answer: R) -> R:
        """Remember an answer, and return it."""
        # One assignment of a new tuple: a thread that reads at the same time sees the old or the
        # new one.
        self._answers = ((owner, key, answer), *self._answers[: self._size - 1])
        return answer

    def about(self, owner: Owner, key: Hashable, work_out: Callable[[], R]) -> R:
        """Return the answer about `owner` for a key, computed if it is not known."""
        for known, rest, answer in self._answers:
            if known is owner and rest == key:
                return answer
        return self.put(owner, key, work_out())

    def clear(self) -> None:
        """Drop all answers."""
        self._answers = ()


_RECENT: WeakSet[Recent[Any, Any]] = WeakSet()


def forget() -> None:
    """Drop all answers, everywhere: for benchmarks without cached results."""
    for drop in _DROPS:
        drop()
    for recent in _RECENT:
        recent.clear()
