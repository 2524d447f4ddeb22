"""The ledger of an experiment: every row is on disk as soon as it is known.

A ledger is a text file of JSON values, one a line.  The first line says which experiment it is;
then come rows, and after the rows of each item a line that says that it is complete.  A stopped
experiment goes on after the last complete item; a line that was cut off by a crash is dropped.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.files import FileAccessError, atomic_write, is_folder, read_bounded

MAX_BYTES = 1 << 28

_LONGEST_HEAD = 1 << 16

Cell: TypeAlias = "str | int | float | bool | None"


class LedgerError(RFStudioError):
    """A ledger belongs to another experiment, or cannot be read."""


@dataclass(frozen=True, eq=False)
class Row:
    """One row of an experiment.

    Attributes
    ----------
    item
        Number of the item of the recipe that it belongs to.
    cells
        The value of each column.
    map
        The field, in single precision; None: the row has none.
    """

    item: int
    cells: Mapping[str, Cell]
    map: NDArray[np.float32] | None = field(default=None, repr=False)


def read_rows(path: Path) -> list[Row]:
    """Return all rows of complete items in the ledger of a run, or of the only one in a folder.

    Raises
    ------
    LedgerError
        If it is none, or a folder has several.
    FileAccessError
        If it cannot be read.
    """
    if is_folder(path):
        found = sorted(path.glob("*.jsonl"))
        if len(found) != 1:
            names = ", ".join(x.name for x in found) or "none"
            raise LedgerError(f"'{path}' has not one ledger (*.jsonl) but {names}; name a file")
        path = found[0]
    _, rows = _sorted_out(path, read_bounded(path, MAX_BYTES))
    return [x for found in rows.values() for x in found]


def complete_in(path: Path, head: Mapping[str, Any]) -> int:
    """Return how many items are complete in the ledger of a run; 0: it has none, or is of another.

    Parameters
    ----------
    path
        Of the ledger.
    head
        What identifies the run.
    """
    try:
        with path.open("rb") as file:
            found = parsed_line(file.readline(_LONGEST_HEAD))
            if found is None or any(found.get(x) != y for x, y in head.items()):
                return 0
            return len({x for x in file if x.startswith(b'{"complete"')})
    except OSError:
        return 0


class Ledger:
    """The rows of one run of an experiment, in memory and, if it has a file, on disk.

    Parameters
    ----------
    head
        What identifies the run: recipe, seed and so on.
    path
        The file; None: there is none.
    resume
        Whether rows of complete items in an existing file are taken over; otherwise it is replaced.
    facts
        What else the first line says, such as the command; a run with others goes on all the same.

    Attributes
    ----------
    rows
        All rows, in the order of the recipe.
    complete
        Numbers of the items that are complete.

    Raises
    ------
    LedgerError
        If the file to resume is of another run.
    FileAccessError
        If it cannot be read or written.
    """

    def __init__(
        self,
        head: Mapping[str, Any],
        path: Path | None = None,
        *,
        resume: bool = False,
        facts: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.rows: list[Row] = []
        self.complete: set[int] = set()
        self._path = path
        self._head = dict(head)
        if path is None:
            return
        if resume and path.exists():
            self._read(path, read_bounded(path, MAX_BYTES))
        # Also without the rows of an item that was not complete, and without a line cut off.
        lines = [self._head | dict(facts)]
        for item in sorted(self.complete):
            lines += [line_of(x) for x in self.rows if x.item == item]
            lines.append({"complete": item})
        atomic_write(path, "".join(map(line_text, lines)).encode())

    def add(self, row: Row) -> None:
        """Add a row, and put it on the disk."""
        self.rows.append(row)
        self._append([line_of(row)])

    def finish(self, item: int) -> None:
        """Note that all rows of an item are there."""
        self.complete.add(item)
        self._append([{"complete": item}])

    def of(self, item: int) -> list[Row]:
        """Return the rows of one item."""
        return [x for x in self.rows if x.item == item]

    def _append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        if self._path is None:
            return
        try:
            with self._path.open("ab") as file:
                file.write("".join(map(line_text, lines)).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise FileAccessError(f"'{self._path}' cannot be saved: {error.strerror}") from None

    def _read(self, path: Path, data: bytes) -> None:
        head, rows = _sorted_out(path, data)
        for key, value in self._head.items():
            if head.get(key) != value:
                raise LedgerError(
                    f"'{path}' has rows of another run ({key}: {head.get(key)!r}, not "
                    f"{value!r}); run without resuming to replace them, or choose another folder"
                )
        for item, found in rows.items():
            self.complete.add(item)
            self.rows += found


def _sorted_out(path: Path, data: bytes) -> tuple[dict[str, Any], dict[int, list[Row]]]:
    """Return the head of a ledger, and the rows of its complete items."""
    lines = [parsed_line(x) for x in data.splitlines()]
    if not lines or lines[0] is None:
        raise LedgerError(f"'{path}' is not a ledger; run without resuming to replace it")
    rows: dict[int, list[Row]] = {}
    complete: dict[int, list[Row]] = {}
    for line in lines[1:]:
        if line is None:
            continue
        if "complete" in line:
            item = int(line["complete"])
            complete[item] = [*complete.get(item, []), *rows.pop(item, [])]
        elif "item" in line and isinstance(line.get("cells"), dict):
            item = int(line["item"])
            rows.setdefault(item, []).append(Row(item, line["cells"], map_of(line)))
    return lines[0], complete


def parsed_line(text: bytes) -> dict[str, Any] | None:
    """Return the value of a line; None if it is cut off."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def line_text(line: Mapping[str, Any]) -> str:
    """Return a JSON value as a line."""
    return json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"


def line_of(row: Row) -> dict[str, Any]:
    """Return a row as a JSON value."""
    line: dict[str, Any] = {"item": row.item, "cells": dict(row.cells)}
    if row.map is not None:
        data = np.ascontiguousarray(row.map, dtype="<f4").tobytes()
        line["map"] = {"shape": list(row.map.shape), "float32": base64.b64encode(data).decode()}
    return line


def map_of(line: Mapping[str, Any]) -> NDArray[np.float32] | None:
    """Return the field in the JSON value of a row; None: it has none.

    Raises
    ------
    LedgerError
        If it cannot be read.
    """
    entry = line.get("map")
    if entry is None:
        return None
    try:
        values = np.frombuffer(base64.b64decode(entry["float32"]), dtype="<f4")
        return values.reshape(entry["shape"]).astype(np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"a field in the ledger cannot be read: {error}") from None
