"""Numbers with their nouns, and numbers of several axes."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural but for one: ``1 layer``, ``1,024 layers``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def axes_text(values: Sequence[object], between: str = "×") -> str:
    """Return one value per axis, once if all are equal.

    Examples
    --------
    >>> axes_text((4, 4)), axes_text((2, 4, 4))
    ('4', '2×4×4')
    """
    texts = [str(x) for x in values]
    return texts[0] if len(set(texts)) == 1 else between.join(texts)


def margins_text(margins: Sequence[tuple[int, int] | None]) -> str:
    """Return what is before and after along each axis that has any, once if it is the same.

    Examples
    --------
    >>> margins_text([(3, 4), (3, 4)]), margins_text([(1, 2), (0, 2)])
    ('3 + 4', '1 + 2 × 0 + 2')
    """
    return axes_text([f"{x[0]} + {x[1]}" for x in margins if x], " × ")
