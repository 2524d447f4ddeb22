"""Batch edits: one parameter of many layers at once, as in "double all dilations"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal, NamedTuple, TypeAlias

from rfstudio.core.editing.bound_tree import as_layer, called
from rfstudio.core.editing.references import Items
from rfstudio.core.errors import EditError, RFStudioError
from rfstudio.core.network.architecture import (
    Architecture,
    Item,
    Layer,
    Location,
    item_at,
    walk,
    with_bodies,
)
from rfstudio.core.ops import Op, parameters
from rfstudio.core.ops.sliding_window import Windowed
from rfstudio.core.ops.values import Kind, Sizes, padding_per_axis, per_axis

Change: TypeAlias = Literal["set", "multiply", "add"]
"""What is done with a value."""

_NUMBERS = (Kind.INTEGER, Kind.SIZES, Kind.PADDING, Kind.GROUPS)
"""Parameters that are whole numbers, or may be."""


class Changed(NamedTuple):
    """One layer of a batch edit.

    Attributes
    ----------
    location
        The layer.
    name
        What it is called, with the names of the containers around it: many blocks have a
        ``conv1``.
    before, after
        The parameter.
    """

    location: Location
    name: str
    before: Any
    after: Any


def numbers_of(
    architecture: Architecture, locations: Iterable[Location]
) -> dict[str, tuple[str, ...]]:
    """Return the parameters that are numbers of some of the layers, and whose they are.

    The most frequent parameters and operations are the first.

    Parameters
    ----------
    architecture
        The document.
    locations
        Layers, and containers for all layers in them.
    """
    counts: dict[str, Counter[str]] = {}
    for _, layer in _layers(architecture, locations):
        for x in parameters(type(layer.op)):
            if x.kind in _NUMBERS and _is_number(getattr(layer.op, x.name)):
                counts.setdefault(x.name, Counter())[layer.op.keyword] += 1
    ranked = sorted(counts, key=lambda x: -counts[x].total())
    return {x: tuple(keyword for keyword, _ in counts[x].most_common()) for x in ranked}


def change_all(
    architecture: Architecture,
    locations: Iterable[Location],
    name: str,
    change: Change,
    by: Fraction,
    *,
    padding_follows: bool = False,
    keyword: str = "",
) -> tuple[Architecture, tuple[Changed, ...]]:
    """Return the document with one parameter of many layers changed, and what was changed.

    Layers that do not have the parameter, or a word in its place, stay as they are.

    Parameters
    ----------
    architecture
        The document.
    locations
        Layers, and containers for all layers in them.
    name
        The parameter, as in a file: ``dilation``.
    change, by
        Each value is set to the number, multiplied by it, or has it added.
    padding_follows
        Whether the padding of windows grows with them, so that maps keep their sizes.
    keyword
        Change layers of this operation only, as in ``conv``; empty: of all.

    Raises
    ------
    EditError
        If no layer has the parameter, or a new value does not fit its layer.
    """
    found = []
    new: dict[Location, Op] = {}
    # Thousands of layers have few different operations, and checking one takes long.
    known: dict[Op, Op] = {}
    for location, layer in _layers(architecture, locations):
        if keyword not in ("", layer.op.keyword):
            continue
        has_it = any(x.name == name for x in parameters(type(layer.op)))
        before = getattr(layer.op, name) if has_it else None
        if not _is_number(before):
            continue
        op = known.get(layer.op)
        if op is None:
            try:
                values = {name: _new(before, change, by)}
                if padding_follows and isinstance(layer.op, Windowed):
                    values |= _padding(layer.op, values, architecture.axes)
                op = known[layer.op] = replace(layer.op, **values)
            except RFStudioError as error:
                raise EditError(f"{called(layer)}: {error}") from error
        new[location] = op
        found.append(Changed(location, _path_of(architecture, location), before, getattr(op, name)))
    if not found:
        raise EditError(f"no chosen layer has a number as {name.replace('_', ' ')}")
    return replace(architecture, layers=_with_ops(architecture.layers, (), new)), tuple(found)


def _with_ops(items: Items, place: Location, new: Mapping[Location, Op]) -> Items:
    """Return items with other operations; no name changes, since each is of the same kind."""
    made: list[Item] = []
    for i, item in enumerate(items):
        here = (*place, i)
        if here in new:
            made.append(replace(as_layer(item), op=new[here]))
        elif item.bodies:
            bodies = (_with_ops(body, (*here, b), new) for b, body in enumerate(item.bodies))
            made.append(with_bodies(item, tuple(bodies)))
        else:
            made.append(item)
    return tuple(made)


def _layers(
    architecture: Architecture, locations: Iterable[Location]
) -> Iterator[tuple[Location, Layer]]:
    """Yield the layers at some places, and those in containers there, each once."""
    places = set(locations)
    for place in places:
        item_at(architecture, place)
    for location, item in walk(architecture):
        inside = (location[:n] in places for n in range(1, len(location) + 1, 2))
        if isinstance(item, Layer) and any(inside):
            yield location, item


def _is_number(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(map(_is_number, value))
    return isinstance(value, int) and not isinstance(value, bool)


def _new(value: Any, change: Change, by: Fraction) -> Any:
    if isinstance(value, tuple):
        return tuple(_new(x, change, by) for x in value)
    new = {"set": by, "multiply": value * by, "add": value + by}[change]
    if new.denominator != 1:
        raise EditError(f"{value} becomes {float(new):g}, which is no whole number")
    return int(new)


def _padding(op: Windowed, values: Mapping[str, Any], axes: int) -> dict[str, Any]:
    """Return the padding with which a changed window leaves the map as large as it was."""
    has_padding = any(x.name == "padding" for x in parameters(type(op)))
    if not has_padding or isinstance(op.padding, str):
        return {}
    if not values.keys() & {"kernel_size", "dilation"}:
        return {}
    kernel, dilation = (
        values.get("kernel_size", op.kernel_size),
        values.get("dilation", op.dilation),
    )
    olds = _reaches(op.kernel_size, op.dilation, axes)
    news = _reaches(kernel, dilation, axes)
    pairs = tuple(
        _grown(pair, old, new)
        for pair, old, new in zip(padding_per_axis(op.padding, axes), olds, news, strict=True)
    )
    flat = {x for pair in pairs for x in pair}
    return {"padding": flat.pop() if len(flat) == 1 else pairs}


def _reaches(kernel: Sizes, dilation: Sizes, axes: int) -> list[int]:
    sizes = zip(per_axis(kernel, axes), per_axis(dilation, axes), strict=True)
    return [d * (k - 1) for k, d in sizes]


def _grown(pair: tuple[int, int], old: int, new: int) -> tuple[int, int]:
    """Return the padding before and after for a window that reaches further.

    What kept the size of the map still does, on the sides where it was: one that is causal stays
    so.  Else both sides get half of the difference.
    """
    before, after = pair
    if 0 < old == before + after and before * new % old == 0:
        return before * new // old, new - before * new // old
    more = new - old
    return before + more // 2, after + more - more // 2


def _path_of(architecture: Architecture, location: Location) -> str:
    around = [item_at(architecture, location[:end]).name for end in range(1, len(location), 2)]
    outer = ".".join(x for x in around if x)
    item = item_at(architecture, location)
    if not outer:
        return called(item)
    return f"'{outer}.{item.name}'" if item.name else f"{called(item)} in '{outer}'"
