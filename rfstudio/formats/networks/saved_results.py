"""Measured results in session files: numbers and short texts, with bounds on all of them."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError, shown
from rfstudio.core.network.architecture import Architecture

MOST_RESULTS = 64
"""Results in one file."""

MOST_ENCODED = 32 << 20
"""Characters of all maps in one file."""

MOST_DECODED = 64 << 20
"""Bytes of all maps of one file, unpacked."""

_ENDINGS = ("done", "cancelled", "replaced", "cut")
_LONGEST = 1000
_MOST_TEXTS = 40
_MOST_COUNT = 10**9
_BYTES = np.dtype("<f8").itemsize


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedResult:
    """A measured effective field and how it was measured.

    Attributes
    ----------
    network, layer, unit
        What was measured.
    map, standard_error
        Over the whole input.
    box
        The part of the input, half-open along each axis, outside which both are 0; () for all.
    options
        Of the measurement, as texts by name.
    image, name, ending, fraction, is_aside
        As in `rfstudio.app.effective.shelf.Shelved`.
    samples, wanted, seconds, device, versions, notes
        As in `rfstudio.engine.requests.request.ErfResult`.
    """

    network: Architecture
    layer: str
    unit: tuple[int, ...]
    map: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    options: Mapping[str, str]
    samples: int
    wanted: int
    fraction: float = 1.0
    ending: str = "done"
    is_aside: bool = False
    image: str = ""
    name: str = ""
    seconds: float = 0.0
    device: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    box: tuple[tuple[int, int], ...] = ()


def result_facts(result: SavedResult) -> dict[str, object]:
    """Return a result as JSON has it, without what says of which unit it is."""
    part = tuple(slice(*x) for x in result.box)
    return {
        "options": dict(result.options),
        "samples": result.samples,
        "wanted": result.wanted,
        "fraction": result.fraction,
        "ending": result.ending,
        "is_aside": result.is_aside,
        "image": result.image,
        "name": result.name,
        "seconds": result.seconds,
        "device": result.device,
        "versions": dict(result.versions),
        "notes": list(result.notes),
        "box": [list(x) for x in result.box],
        "map": _encoded(result.map[part]),
        "standard_error": _encoded(result.standard_error[part]),
    }


def read_result(
    facts: Mapping[str, Any], network: Architecture, layer: str, unit: tuple[int, ...], room: int
) -> SavedResult:
    """Return the result that JSON describes.

    Parameters
    ----------
    facts
        What `result_facts` has written, or anything else.
    network, layer, unit
        Of which unit it is said to be.
    room
        How many bytes its maps may have.

    Raises
    ------
    RFStudioError
        That says what is wrong with it.
    """
    size = network.input_size
    if 2 * _BYTES * math.prod(size) > room:
        raise RFStudioError("its maps are too large together")
    box = _box(facts.get("box"), size)
    values = _over(size, box, _decoded(facts.get("map"), size, box))
    errors = _over(size, box, _decoded(facts.get("standard_error"), size, box))
    if not np.isfinite(values).all() or np.isinf(errors).any():
        raise RFStudioError("its map has values that are no numbers")
    samples, wanted = (_count(facts.get(x), x) for x in ("samples", "wanted"))
    if samples > wanted:
        raise RFStudioError("it has more samples than were wanted")
    ending = facts.get("ending")
    if ending not in _ENDINGS:
        raise RFStudioError("it does not say how it ended")
    fraction, seconds = (_number(facts.get(x), x) for x in ("fraction", "seconds"))
    notes = facts.get("notes", [])
    if not isinstance(notes, list) or len(notes) > _MOST_TEXTS:
        raise RFStudioError("its notes are no list of short texts")
    return SavedResult(
        network=network,
        layer=layer,
        unit=unit,
        map=values,
        standard_error=errors,
        options=_texts(facts.get("options"), "options"),
        samples=samples,
        wanted=wanted,
        fraction=min(fraction, 1.0),
        ending=ending,
        is_aside=facts.get("is_aside") is True,
        image=_text(facts.get("image", ""), "image"),
        name=_text(facts.get("name", ""), "name"),
        seconds=seconds,
        device=_text(facts.get("device", ""), "device"),
        versions=_texts(facts.get("versions"), "versions"),
        notes=tuple(_text(x, "notes") for x in notes),
        box=box,
    )


def _encoded(values: NDArray[np.float64]) -> str:
    # The digits of measured values hardly shrink: packing is for the zeros, and must be fast.
    packed = zlib.compress(np.ascontiguousarray(values, "<f8").tobytes(), 1)
    return base64.b64encode(packed).decode()


def _decoded(text: Any, size: Sequence[int], box: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the values of a text, which never unpacks to more than its box holds."""
    shape = [b - a for a, b in box] if box else list(size)
    expected = _BYTES * math.prod(shape)
    try:
        packed = base64.b64decode(text, validate=True)
        data = zlib.decompressobj().decompress(packed, expected + 1)
    except (TypeError, ValueError, binascii.Error, zlib.error):
        raise RFStudioError("its map cannot be read; it may have been cut off") from None
    if len(data) != expected:
        raise RFStudioError("its map is of another size than its network's input")
    return np.frombuffer(data, "<f8").astype(np.float64).reshape(shape)


def _over(
    size: Sequence[int], box: Sequence[tuple[int, int]], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    whole = np.zeros(size)
    whole[tuple(slice(*x) for x in box)] = values
    return whole


def _box(value: Any, size: Sequence[int]) -> tuple[tuple[int, int], ...]:
    if value == []:
        return ()
    found = []
    if isinstance(value, list) and len(value) == len(size):
        for pair, n in zip(value, size, strict=True):
            if not isinstance(pair, list) or [type(x) for x in pair] != [int, int]:
                break
            if not 0 <= pair[0] < pair[1] <= n:
                break
            found.append((pair[0], pair[1]))
    if len(found) != len(size):
        raise RFStudioError("the part of the input that was measured is none")
    return tuple(found)


def _count(value: Any, what: str) -> int:
    if type(value) is not int or not 1 <= value <= _MOST_COUNT:
        raise RFStudioError(f"its number of {what} is none")
    return value


def _number(value: Any, what: str) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise RFStudioError(f"its {what} is no number")
    return float(value)


def _texts(value: Any, what: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _MOST_TEXTS:
        raise RFStudioError(f"its {what} are missing")
    return {_text(key, what): _text(x, what) for key, x in value.items()}


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise RFStudioError(f"its {what} has a text that is none")
    return shown(value, _LONGEST)
