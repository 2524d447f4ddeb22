"""What axes of an input measure, and further inputs, as lines of text that a form edits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf

from rfstudio.core.errors import EditError
from rfstudio.core.network.architecture import Input
from rfstudio.core.network.physical import Axis

_AXIS = re.compile(r"(?:([^:]*):)?\s*([\d.eE+-]+)?\s*([^\W\d]\S*)?\s*(?:window\s+(\S+))?")
_INPUT = re.compile(r"([^:]+):\s*(\d{1,9}(?:\s*[×x]\s*\d{1,9})*)\s*,\s*(\d{1,9})(?:\s+channels?)?")


def axes_text(axes: Sequence[Axis]) -> str:
    """Return what axes measure, ``time: 320 samples window 1024; mel:``; empty: not known."""
    return "; ".join(map(_axis_text, axes))


def _axis_text(axis: Axis) -> str:
    words = [f"{axis.name}:"] if axis.name or not axis.is_measured else []
    if axis.is_measured:
        words.append(f"{axis.spacing:g}")
        words.append(axis.unit)
    if axis.window is not None:
        words.append(f"window {axis.window:g}")
    return " ".join(filter(None, words))


def axes_of_text(text: str, count: int) -> tuple[Axis, ...]:
    """Return what `axes_text` made a text of, or a user wrote in that form.

    Raises
    ------
    EditError
        If there is not one entry for each of `count` axes, or one cannot be read.
    """
    if not text.strip():
        return ()
    entries = text.split(";")
    if len(entries) != count:
        raise EditError(f"write one entry per axis, {count} with ; between them, or nothing")
    return tuple(map(_axis_of, entries))


def _axis_of(entry: str) -> Axis:
    found = _AXIS.fullmatch(entry.strip())
    if found is None:
        raise EditError(f"write a name, a spacing and a unit as in depth: 0.05 mm, not '{entry}'")
    name, spacing, unit, window = found.groups()
    return Axis(
        name=(name or "").strip(),
        unit=unit or "",
        spacing=1 if spacing is None else _positive(spacing, "a spacing"),
        window=None if window is None else _positive(window, "a window"),
    )


def _positive(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < inf:
        raise EditError(f"{what} is a number above 0, not '{text}'")
    return int(value) if value == int(value) else value


def inputs_text(inputs: Sequence[Input]) -> str:
    """Return inputs beside the first one: ``guide: 64×64, 3 channels``."""
    return "; ".join(
        f"{x.name}: {'×'.join(map(str, x.size))}, {x.channels} "
        f"channel{'' if x.channels == 1 else 's'}"
        for x in inputs
    )


def inputs_of_text(text: str) -> tuple[Input, ...]:
    """Return what `inputs_text` made a text of, or a user wrote in that form.

    Raises
    ------
    EditError
        If an entry has no name, size and number of channels.
    """
    found = []
    for entry in filter(None, (x.strip() for x in text.split(";"))):
        match = _INPUT.fullmatch(entry)
        if match is None:
            raise EditError(
                f"write a name, a size and the channels as in guide: 64×64, 3, not '{entry}'"
            )
        name, size, channels = match.groups()
        sides = tuple(int(x) for x in re.split(r"\s*[×x]\s*", size))
        found.append(Input(name.strip(), sides, int(channels)))
    return tuple(found)
