"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural but for one: ``1 layer``, ``1,024 layers``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
