"""A unit's position as typed text: reading it, and describing what may be typed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rfstudio.core.errors import UnitError
from rfstudio.core.fields.remarks.diagnostics import AXIS_NAMES

_BETWEEN = re.compile(r"[\s,;×()\[\]]+")

_EMPTY = "the map of this layer is empty: it has no units"


def unit_ranges(size: Sequence[int]) -> str:
    """Return which units a map has: ``y 0…13, x 0…13``."""
    if 0 in size:
        return _EMPTY
    return ", ".join(f"{name} 0…{n - 1}" for name, n in zip(_names(size), size, strict=True))


def unit_of_text(text: str, size: Sequence[int]) -> tuple[int, ...]:
    """Return the position that a text means.

    Parameters
    ----------
    text
        Whole numbers separated by commas, spaces or crosses, in tensor order.
    size
        Size of the map.

    Raises
    ------
    UnitError
        If these are not as many numbers as there are axes, or there is no such unit.
    """
    if 0 in size:
        raise UnitError(_EMPTY)
    names = _names(size)
    words = [x for x in _BETWEEN.split(text) if x]
    if len(words) != len(size) or not all(re.fullmatch(r"\d{1,12}", x) for x in words):
        count = "one number" if len(size) == 1 else f"{len(size)} numbers"
        raise UnitError(f"type {count}: {', '.join(names)}")
    unit = tuple(map(int, words))
    for name, number, n in zip(names, unit, size, strict=True):
        if number >= n:
            raise UnitError(f"{name} goes from 0 to {n - 1}, so there is no unit at {number}")
    return unit


def _names(size: Sequence[int]) -> Sequence[str]:
    return AXIS_NAMES.get(len(size), ("x",) * len(size))
