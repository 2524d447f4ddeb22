"""Parameters that a `repeat` multiplies at each turn, as the dilations of a TCN or of WaveNet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, TypeAlias

from rfstudio.core.errors import EditError, OpError
from rfstudio.core.ops import LIMIT, OPS, STEEPEST, Kind, Op, parameters

Scale: TypeAlias = tuple[tuple[str, int], ...]
"""Words of parameters, each with a factor."""

_KINDS = (Kind.SIZES, Kind.PADDING, Kind.INTEGER)


@cache
def growing_words() -> tuple[str, ...]:
    """Return the words of the parameters that can grow: those with whole numbers."""
    found = [x.word for op_type in OPS.values() for x in parameters(op_type) if x.kind in _KINDS]
    return tuple(dict.fromkeys(found))


def factor_fault(factor: object) -> str:
    """Return what a factor would have to be, or an empty text if it is in order."""
    good = isinstance(factor, int) and not isinstance(factor, bool) and 1 <= factor <= STEEPEST
    return "" if good else f"a whole number from 1 to {STEEPEST}"


def times_over(scale: Scale, turn: int, around: Mapping[str, int]) -> dict[str, int]:
    """Return the factors at a turn, counted from 0, times those of the repeats around it.

    None exceeds the limit of whole numbers, which makes any number at it one too many.
    """
    found = dict(around)
    for word, factor in scale:
        # The power of a late turn would have more digits than there is memory.
        power = factor ** min(turn, LIMIT.bit_length())
        found[word] = min(found.get(word, 1) * power, LIMIT)
    return found


@lru_cache(maxsize=4096)
def grown(op: Op, factors: Scale) -> Op:
    """Return an operation with its parameters multiplied: one object, as rules go by identity.

    Raises
    ------
    OpError
        If a number becomes too large.
    """
    words = dict(factors)
    changes = {
        x.name: multiplied
        for x in parameters(type(op))
        if x.kind in _KINDS and x.word in words
        for value in (getattr(op, x.name),)
        if (multiplied := _times(value, words[x.word])) != value
    }
    if not changes:
        return op
    try:
        return replace(op, **changes)
    except OpError as error:
        raise OpError(f"{error}, after the turns of a repeat that multiply it") from None


def _times(value: Any, factor: int) -> Any:
    """Return a number, or all numbers of a nested tuple, times a factor; words stay."""
    if isinstance(value, tuple):
        return tuple([_times(x, factor) for x in value])
    return value * factor if isinstance(value, int) else value


def scale_text(scale: Scale) -> str:
    """Return what grows, as it is written in a file: ``dilation: 2, padding: 2``."""
    return ", ".join(f"{word}: {factor}" for word, factor in scale)


def scale_of_text(text: str) -> Scale:
    """Return what `scale_text` made a text of, or a user wrote in that form.

    Raises
    ------
    EditError
        If an entry is not a word, a colon and a whole number.
    """
    found = []
    for entry in filter(None, (x.strip() for x in text.split(","))):
        word, _, factor = (x.strip() for x in entry.partition(":"))
        if not word or not factor.isdecimal() or len(factor) > len(str(STEEPEST)):
            raise EditError(f"write parameters with their factors as in dilation: 2, not '{entry}'")
        found.append((word, int(factor)))
    return tuple(found)
