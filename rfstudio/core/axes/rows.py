"""Rows of numbers of different lengths, in arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


class Rows(Sequence[tuple[Any, ...]]):
    """Rows of numbers, as a tuple of tuples is, which would take ten times the memory and time.

    Parameters
    ----------
    counts
        Length of each row.
    values
        All rows, one after the other.
    """

    __slots__ = ("_hash", "_stops", "counts", "values")

    def __init__(self, counts: NDArray[np.int64], values: NDArray[Any]) -> None:
        self.counts = counts
        self.values = values
        self._stops = np.cumsum(counts)
        ends = *values[:8].tolist(), *values[-8:].tolist()
        self._hash = hash((len(counts), len(values), ends))

    @classmethod
    def of_one(cls, values: NDArray[Any]) -> Rows:
        """Return rows of one number each."""
        return cls(np.ones(len(values), np.int64), values)

    def __len__(self) -> int:
        return len(self.counts)

    @overload
    def __getitem__(self, index: int) -> tuple[Any, ...]: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[Any, ...], ...]: ...

    def __getitem__(self, index: int | slice) -> tuple[Any, ...]:
        if isinstance(index, slice):
            return tuple([self[i] for i in range(*index.indices(len(self)))])
        stop = int(self._stops[index])
        return tuple(self.values[stop - int(self.counts[index]) : stop].tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rows):
            return NotImplemented
        return self is other or (
            self._hash == other._hash
            and np.array_equal(self.counts, other.counts)
            and np.array_equal(self.values, other.values)
        )

    def __hash__(self) -> int:
        """Return a hash of a few numbers, worked out once: there may be a million."""
        return self._hash


def numbers_in(rows: Sequence[Sequence[Any]]) -> int:
    """Return how many numbers all of some rows have together."""
    return len(rows.values) if isinstance(rows, Rows) else sum(map(len, rows))


def flat(rows: Sequence[Sequence[Any]], kind: type[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the length of each of some rows, and all of them in a row."""
    if isinstance(rows, Rows):
        return rows.counts, rows.values
    counts = np.fromiter(map(len, rows), np.int64, len(rows))
    values: Iterable[Any] = chain.from_iterable(rows)
    return counts, np.fromiter(values, kind, int(counts.sum()))
