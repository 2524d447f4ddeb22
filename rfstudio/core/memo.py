"""Caches of earlier results, looked up by the values from which they were computed.

All of them are bounded, by answers and together by bytes, and may be cleared at any time: they
save time and change no result.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Hashable
from enum import Enum
from functools import lru_cache, wraps
from threading import RLock
from types import CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar, cast
from weakref import WeakSet

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")
Owner = TypeVar("Owner")
Default = TypeVar("Default")

MOST_BYTES = 64 << 20
"""What the answers of all functions together may take; then all of them are dropped.

An array counts in each answer that holds it.  Questions are not counted: what is large in them is
an answer to another one.  So nothing may outlast the rest, or it would keep what others have
dropped: three times as much as the answers, after thousands of edits of a long signal.

A few versions of a network on a long signal need 10 MiB, of VGG-16 one.
"""


class _Cache:
    """What the answers of one function take at most; those dropped by their number count, too."""

    all_bytes: ClassVar[int] = 0

    def __init__(self) -> None:
        self.bytes = 0
        self.drop: Callable[[], None] = lambda: None

    def hold(self, more: int) -> None:
        """Count an answer, for which all others make room."""
        with _COUNTING:
            if _Cache.all_bytes and _Cache.all_bytes + more > MOST_BYTES:
                for cache in _CACHES:
                    cache.clear()
            self.bytes += more
            _Cache.all_bytes += more

    def clear(self) -> None:
        """Drop all answers."""
        with _COUNTING:
            self.drop()
            _Cache.all_bytes -= self.bytes
            self.bytes = 0


_CACHES: list[_Cache] = []

_COUNTING = RLock()


def remembered(size: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator of pure functions of hashable values, which remembers the last answers.

    Parameters
    ----------
    size
        How many answers are remembered at most; fewer if they are large.
    """

    def decorated(work: Callable[P, R]) -> Callable[P, R]:
        cache = _Cache()

        @wraps(work)
        def counted(*args: P.args, **options: P.kwargs) -> R:
            answer = work(*args, **options)
            cache.hold(bytes_of(answer))
            return answer

        found = lru_cache(maxsize=size)(counted)
        cache.drop = found.cache_clear
        _CACHES.append(cache)
        return cast("Callable[P, R]", found)

    return decorated


_NOT_OF_AN_ANSWER = {type(None), bool, int, float, str, CodeType, MappingProxyType, ModuleType}


def bytes_of(answer: object) -> int:
    """Return roughly how many bytes an answer takes: its arrays, whole, and what holds them."""
    seen: set[int] = set()
    total, rest = 0, [answer]
    while rest:
        one = rest.pop()
        kind = type(one)
        if kind in _NOT_OF_AN_ANSWER or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, tuple):
            # Thousands of answers are tuples of numbers, which need not be looked at one by one.
            total += _OF_A_TUPLE + _OF_AN_ENTRY * len(one)
            if _NOT_OF_AN_ANSWER.issuperset(map(type, one)):
                continue
            if len(one) <= _MANY:
                rest += one
                continue
            # Of a million taps, each in a tuple of its own, a sample says how large they are.
            sample = one[:: len(one) // _MANY + 1]
            of_sample = bytes_of(sample) - _OF_A_TUPLE - _OF_AN_ENTRY * len(sample)
            total += of_sample * len(one) // len(sample)
        elif kind is np.ndarray:
            base = cast("np.ndarray[Any, Any]", one).base
            if base is None:
                total += cast("np.ndarray[Any, Any]", one).nbytes
            else:
                rest.append(base)  # a view keeps all of it
        elif kind is FunctionType:
            # Not its module; a rule keeps its tables in what it encloses.
            rest.extend(cast("FunctionType", one).__closure__ or ())
        elif not isinstance(one, _SHARED):
            total += sys.getsizeof(one)
            rest.extend(gc.get_referents(one))
    return total


_SHARED = (type, Enum)

_MANY = 1 << 10
"""Entries of a tuple up to which all are counted."""

_OF_A_TUPLE, _OF_AN_ENTRY = sys.getsizeof(()), sys.getsizeof((0,)) - sys.getsizeof(())


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
    for cache in _CACHES:
        cache.clear()
    for recent in _RECENT:
        recent.clear()
