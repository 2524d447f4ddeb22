"""The last few results of a pure function, remembered by the object that it was called with."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Owner = TypeVar("Owner")
Value = TypeVar("Value")
Default = TypeVar("Default")


class Recent(Generic[Owner, Value]):
    """A small memo whose keys are an immutable object and whatever else counts.

    The object is looked up by identity, since comparing or hashing a whole network costs as much as
    what is remembered.  That is safe as long as such objects never change: the memo keeps them
    alive, so that no other object can take over their identity.

    Parameters
    ----------
    most
        How many results are remembered; the oldest makes room.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: tuple[tuple[Owner, Hashable, Value], ...] = ()

    def get(self, owner: Owner, key: Hashable, default: Default) -> Value | Default:
        """Return the result for an object and the rest of a key, or `default`."""
        for known, rest, value in self._entries:
            if known is owner and rest == key:
                return value
        return default

    def put(self, owner: Owner, key: Hashable, value: Value) -> Value:
        """Remember a result, and return it."""
        # One assignment of a new tuple: a thread that looks at the same time sees either.
        self._entries = ((owner, key, value), *self._entries[: self._most - 1])
        return value

    def clear(self) -> None:
        """Forget everything, as for a measurement of how long the first call takes."""
        self._entries = ()
