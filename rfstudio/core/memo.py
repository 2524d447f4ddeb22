"""Answers that were worked out before, known by the values that they were worked out from.

All of them are bounded and may be dropped at any time: they save time and change no result.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

_DROPS: list[Callable[[], None]] = []


def remembered(size: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator of pure functions of hashable values, which remembers the last answers."""

    def decorated(work: Callable[P, R]) -> Callable[P, R]:
        found = lru_cache(maxsize=size)(work)
        _DROPS.append(found.cache_clear)
        return cast("Callable[P, R]", found)

    return decorated


class Recent(Generic[R]):
    """The last few answers about objects too large to be hashed: which object it is is the key."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._answers: tuple[tuple[object, Hashable, R], ...] = ()
        _DROPS.append(self._drop)

    def about(self, owner: object, key: Hashable, work_out: Callable[[], R]) -> R:
        """Return the answer about `owner` for a key, worked out if it is not known."""
        for known, its_key, answer in self._answers:
            if known is owner and its_key == key:
                return answer
        answer = work_out()
        self._answers = ((owner, key, answer), *self._answers[: self._size - 1])
        return answer

    def _drop(self) -> None:
        self._answers = ()


def forget() -> None:
    """Drop all answers, everywhere: for benchmarks of work that is done anew."""
    for drop in _DROPS:
        drop()
