"""The ends of what the units of one period see, in an array once there are many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

NEVER = 1 << 60
"""First pixel, and with a minus the last one, of a unit that sees nothing."""

FEW_PHASES = 64
"""Phases up to which their ends are tuples, which are the quickest one by one."""


class Ends(Sequence[int | None]):
    """Pixels, one for each phase, as a tuple of numbers is, which takes six times the memory.

    A network of a hundred layers behind a resize has half a million of them, which would be as
    many objects: the pages between them are not given back while one of each lives.

    Parameters
    ----------
    values
        The pixels; `NEVER` or its negative stands for None.  They must not change from now on.
    """

    __slots__ = ("_hash", "values")

    def __init__(self, values: NDArray[np.int64]) -> None:
        values.setflags(write=False)
        self.values = values
        self._hash = hash((len(values), *values[:8].tolist(), *values[-8:].tolist()))

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> int | None: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[int | None, ...]: ...

    def __getitem__(self, index: int | slice) -> int | tuple[int | None, ...] | None:
        if isinstance(index, slice):
            return tuple([_pixel(x) for x in self.values[index].tolist()])
        return _pixel(int(self.values[index]))

    def __iter__(self) -> Iterator[int | None]:
        return map(_pixel, self.values.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ends):
            return NotImplemented
        return self is other or (
            self._hash == other._hash and np.array_equal(self.values, other.values)
        )

    def __hash__(self) -> int:
        """Return a hash of a few pixels, worked out once: there may be thousands."""
        return self._hash


def _pixel(value: int) -> int | None:
    return None if abs(value) == NEVER else value


def ends_of(pixels: Sequence[int | None], never: int = NEVER) -> Sequence[int | None]:
    """Return pixels as they are stored, by how many there are.

    Parameters
    ----------
    pixels
        One for each phase; None where a phase sees nothing.
    never
        What stands for None in an array: `NEVER` for first pixels, with a minus for last ones.
    """
    if len(pixels) <= FEW_PHASES:
        return tuple(pixels)
    return Ends(np.array([never if x is None else x for x in pixels], np.int64))
