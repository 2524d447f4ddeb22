"""Session files: a network with its chosen unit, pins, image and results, as plain data in JSON.

Networks are written as the text of an architecture file, images by their paths, measured results as
numbers (see `rfstudio.formats.networks.saved_results`).  Nothing in a file
is ever run, and a file that is damaged, or of something else, ends in one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rfstudio.core.errors import RFStudioError, shown
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.work import give_way
from rfstudio.formats.files import atomic_write, read_bounded
from rfstudio.formats.networks.bounded_yaml import MAX_BYTES
from rfstudio.formats.networks.saved_results import (
    MOST_DECODED,
    MOST_ENCODED,
    MOST_RESULTS,
    SavedResult,
    read_result,
    result_facts,
)
from rfstudio.formats.networks.yaml_reader import read_draft
from rfstudio.formats.networks.yaml_writer import write_yaml

SUFFIX = ".rfsession"

VERSION = 1

_KIND = "RF Studio session"
_MOST_BYTES = (8 << 20) + MOST_ENCODED
_MOST_VALUES = 1_000_000
"""Commas and opening brackets in a file, in its texts too: JSON makes no more values of it."""

_MOST_PINS = 4
_MOST_AXES = 3
_MOST_TITLE = 200
_MOST_PATH = 4096


class SessionFileError(RFStudioError):
    """A file is not a session that this version can open; the text says why."""


@dataclass(frozen=True)
class SavedUnit:
    """A unit of a network.

    Attributes
    ----------
    network
        The network.
    layer, unit
        The unit's layer and position.
    title
        What it is called.
    source
        The preset or file of the network; empty: it has none.
    """

    network: Architecture
    layer: str
    unit: tuple[int, ...]
    title: str = ""
    source: str = ""


@dataclass(frozen=True)
class SavedSession:
    """All that a session file holds.

    Attributes
    ----------
    chosen
        The open network and the chosen unit; its source is a preset's name.
    path
        The file of the open network, if it has one.
    is_modified
        Whether it had changes that were not saved there.
    pins
        The pins, in the order of their letters.
    image, image_shape
        The image's file, and what is done with one of another shape: "crop", "pad", "stretch".
    results
        Measured results, the oldest first.
    """

    chosen: SavedUnit
    path: Path | None = None
    is_modified: bool = False
    pins: tuple[SavedUnit, ...] = ()
    image: Path | None = None
    image_shape: str = "crop"
    results: tuple[SavedResult, ...] = ()


def write_session(
    path: Path, session: SavedSession, results: Iterable[SavedResult] | None = None
) -> int:
    """Write a session to a file; an old file stays if that fails.

    Parameters
    ----------
    path
        The file.
    session
        What it shall hold.
    results
        Results instead of those of the session, the newest first; they are taken one by one, and
        no more than have room.

    Returns
    -------
    int
        How many results are in it: the newest for which there is room.

    Raises
    ------
    RFStudioError
        If it cannot be written, or is too large to be read.
    """
    chosen, pins = _facts(session.chosen), [_facts(x) for x in session.pins]
    if sum(map(len, {str(x["network"]) for x in (chosen, *pins)})) > MAX_BYTES:
        raise SessionFileError(
            f"its networks have more than {MAX_BYTES:,} characters together; take some pins out"
        )
    newest = reversed(session.results) if results is None else results
    texts = {str(x["network"]) for x in (chosen, *pins)}
    kept = [_json(x) for x in _results_facts(newest, texts)][::-1]
    facts: dict[str, Any] = {
        "kind": _KIND,
        "version": VERSION,
        "chosen": chosen,
        "path": None if session.path is None else str(session.path),
        "is_modified": session.is_modified,
        "pins": pins,
        "image": None if session.image is None else str(session.image),
        "image_shape": session.image_shape,
        "results": [],
    }
    # Part by part, since other threads wait while a large text is made or encoded.
    head, _, tail = _json(facts).rpartition(b"]")
    atomic_write(path, head, *_between(kept, b",\n"), b"]", tail, b"\n")
    return len(kept)


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode()


def _between(parts: Sequence[bytes], separator: bytes) -> Iterator[bytes]:
    for i, part in enumerate(parts):
        if i:
            yield separator
        yield part


def read_session(path: Path) -> SavedSession:
    """Return the session of a file.

    Raises
    ------
    SessionFileError
        If it is damaged, or something else.
    RFStudioError
        If it cannot be read at all.
    """
    data = read_bounded(path, _MOST_BYTES)
    if sum(_counted(data, x) for x in (b",", b"[", b"{")) > _MOST_VALUES:
        raise SessionFileError(_damaged(f"it has more than {_MOST_VALUES:,} values"))
    try:
        facts = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise SessionFileError(_damaged("it is no JSON text; it may have been cut off")) from None
    if not isinstance(facts, dict) or facts.get("kind") != _KIND:
        raise SessionFileError("it is not a session of RF Studio")
    if facts.get("version") != VERSION:
        raise SessionFileError(
            f"it was saved by another version ({shown(str(facts.get('version')), 20)}) of RF Studio"
        )
    pins = facts.get("pins", [])
    if not isinstance(pins, list) or len(pins) > _MOST_PINS:
        raise SessionFileError(_damaged("its pins are no list of at most four"))
    networks = _Networks()
    shape = facts.get("image_shape")
    return SavedSession(
        chosen=_unit(facts.get("chosen"), "the open network", networks),
        path=_path(facts.get("path"), "path"),
        is_modified=facts.get("is_modified") is not False,
        pins=tuple(_unit(x, f"pin {i}", networks) for i, x in enumerate(pins, 1)),
        image=_path(facts.get("image"), "image"),
        image_shape=shape if shape in ("crop", "pad", "stretch") else "crop",
        results=_results(facts.get("results", []), networks),
    )


def _facts(unit: SavedUnit) -> dict[str, object]:
    return {
        "network": write_yaml(unit.network),
        "layer": unit.layer,
        "unit": list(unit.unit),
        "title": unit.title,
        "source": unit.source,
    }


def _counted(data: bytes, sign: bytes) -> int:
    give_way()
    return data.count(sign)


def _results_facts(newest: Iterable[SavedResult], texts: set[str]) -> Iterator[dict[str, object]]:
    """Yield the results that have room beside networks of these texts, the newest first."""
    encoded = decoded = 0
    for count, result in enumerate(newest, 1):
        decoded += result.map.nbytes + result.standard_error.nbytes
        if decoded > MOST_DECODED:
            return
        unit = _facts(SavedUnit(result.network, result.layer, result.unit))
        numbers = result_facts(result)
        encoded += sum(len(str(numbers[x])) for x in ("map", "standard_error"))
        texts = {*texts, str(unit["network"])}
        if encoded > MOST_ENCODED or sum(map(len, texts)) > MAX_BYTES:
            return
        yield unit | numbers
        if count == MOST_RESULTS:
            return


def _results(found: Any, networks: _Networks) -> tuple[SavedResult, ...]:
    if not isinstance(found, list) or len(found) > MOST_RESULTS:
        raise SessionFileError(_damaged(f"its results are no list of at most {MOST_RESULTS}"))
    read: list[SavedResult] = []
    room = MOST_DECODED
    for i, facts in enumerate(found, 1):
        give_way()
        unit = _unit(facts, f"result {i}", networks)
        try:
            read.append(read_result(facts, unit.network, unit.layer, unit.unit, room))
        except RFStudioError as error:
            raise SessionFileError(_damaged(f"result {i}: {error}")) from None
        room -= read[-1].map.nbytes + read[-1].standard_error.nbytes
    return tuple(read)


class _Networks:
    """Reads the networks of one file: each text once, and together no more than one network has."""

    def __init__(self) -> None:
        self._read: dict[str, Architecture] = {}

    def of(self, text: str, what: str) -> Architecture:
        if text not in self._read:
            if sum(map(len, self._read)) + len(text) > MAX_BYTES:
                raise SessionFileError(f"its networks have more than {MAX_BYTES:,} characters")
            try:
                self._read[text] = read_draft(text, what)
            except RFStudioError as error:
                first = str(error).partition("\n")[0]
                raise SessionFileError(_damaged(shown(first, 300))) from None
        return self._read[text]


def _unit(facts: Any, what: str, networks: _Networks) -> SavedUnit:
    if not isinstance(facts, dict):
        raise SessionFileError(_damaged(f"{what} is missing"))
    texts = [facts.get(x, "") for x in ("network", "layer", "title", "source")]
    unit = facts.get("unit", [])
    if not all(isinstance(x, str) for x in texts):
        raise SessionFileError(_damaged(f"{what} has a text that is none"))
    is_position = isinstance(unit, list) and len(unit) <= _MOST_AXES
    if not is_position or not all(type(x) is int and 0 <= x < 2**31 for x in unit):
        raise SessionFileError(_damaged(f"the unit of {what} is no position"))
    network, layer, title, source = texts
    if not source.isprintable() or len(source) > _MOST_PATH:
        raise SessionFileError(_damaged(f"the source of {what} is no name"))
    read = networks.of(network, what)
    return SavedUnit(read, layer, tuple(unit), shown(title, _MOST_TITLE), source)


def _path(value: Any, what: str) -> Path | None:
    if value is None:
        return None
    is_text = isinstance(value, str) and 0 < len(value) <= _MOST_PATH and "\0" not in value
    # Half a surrogate pair is no text, and so no path.
    if not is_text or value.encode(errors="replace").decode() != value:
        raise SessionFileError(_damaged(f"its {what} is no path"))
    return Path(value)


def _damaged(why: str) -> str:
    return f"it is damaged: {why}"
