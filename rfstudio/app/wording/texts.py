"""Numbers and layers as short texts, the same in the tree, the table and the inspector."""

from __future__ import annotations

from collections.abc import Sequence

from rfstudio.core.network.architecture import Item, Layer, Parallel, Repeat, Residual
from rfstudio.formats.tables.analysis_tables import (
    alignment_text,
    field_text,
    field_with_local_text,
    local_text,
    number_text,
    sizes_text,
    steps_text,
)

__all__ = [
    "alignment_text",
    "amount_text",
    "field_text",
    "field_with_local_text",
    "item_text",
    "local_text",
    "number_text",
    "short_name",
    "sizes_text",
    "some_names",
    "square_text",
    "steps_text",
]

_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))
_MINUS = "\N{MINUS SIGN}"


def short_name(name: str, most: int = 44) -> str:
    """Return a name with … in its middle if it is longer than `most` characters.

    Names that begin the same way usually differ at their ends.
    """
    if len(name) <= most:
        return name
    head = (most - 1) // 2
    return f"{name[:head]}…{name[len(name) - (most - 1 - head) :]}"


def some_names(names: Sequence[str], most: int, length: int = 44) -> str:
    """Return the first of several names, and how many more there are: "a, b and 3 more"."""
    shown = names if len(names) <= most else names[:most]
    first = ", ".join(short_name(x, length) for x in shown)
    return f"{first} and {len(names) - most} more" if len(names) > most else first


def amount_text(number: int) -> str:
    """Return a large number in three digits and a unit: ``138 M``."""
    for size, unit in _UNITS:
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def item_text(item: Item, axes: int) -> str:
    """Return what an item is, in a few words: ``conv 3×3 /2``, ``repeat ×4``."""
    match item:
        case Layer(op=op):
            return op.text(axes)
        case Repeat():
            growing = "".join(f", {word} ×{factor}" for word, factor in item.scale)
            return f"repeat ×{item.times}{growing}"
        case Parallel():
            return f"parallel, {item.merge}"
        case Residual():
            return "residual"
        case _:
            return item.keyword


def square_text(text: str) -> str:
    """Return ``43`` for ``43×43``: columns and boxes are narrow."""
    sides = text.split("×")
    return sides[0] if len(sides) > 1 and len(set(sides)) == 1 else text


def signed(text: str) -> str:
    """Return a number's text with a minus sign instead of a hyphen."""
    return text.replace("-", _MINUS)
