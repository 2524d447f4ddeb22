"""The shelf of measurements: every result of this session, found again by what was measured.

Results stay in memory up to a limit; then the maps of the oldest go to a folder of temporary files,
and those that would need too much of the disk are dropped.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.measuring_work import Subject
from rfstudio.core.plural import counted
from rfstudio.engine.requests.request import ErfResult
from rfstudio.formats.files import is_folder

Ending: TypeAlias = Literal["done", "cancelled", "replaced", "cut"]
"""How a measurement ended: complete, by Cancel, by another measurement, or by an edit or a
failure."""

MEMORY = 64 << 20
"""Bytes of maps that stay in memory."""

DISK = 1 << 30
"""Bytes of maps in temporary files."""


@dataclass(eq=False)
class Shelved:
    """One result on the shelf.

    Attributes
    ----------
    number
        Counts the results of this session from 1; a continued one keeps its number.
    subject, options
        What was measured, and how.
    image
        Identifies the image of the canvas that was measured on; empty: another input.
    ending
        How the measurement ended.
    samples, wanted, fraction
        How much of it is there.
    name
        What the user calls it; empty: nothing.
    is_aside
        Whether it is shown only on request, since a newer measurement of its unit was begun or
        the network was edited while it ran.
    origin
        The session file that it was read from; empty: it was measured since the start.
    stored
        The result; without its maps while they are on the disk: use `Shelf.result`.
    file
        Where the maps are on the disk; None: in memory.
    """

    number: int
    subject: Subject
    options: ErfOptions
    image: str
    ending: Ending
    samples: int
    wanted: int
    fraction: float
    name: str = ""
    is_aside: bool = False
    origin: str = ""
    stored: ErfResult | None = field(default=None, repr=False)
    file: Path | None = field(default=None, repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether all requested samples are in it."""
        return self.ending == "done"

    @property
    def is_on_disk(self) -> bool:
        """Whether its map has left the memory."""
        return self.file is not None

    @property
    def progress(self) -> str:
        """How much of it is there, in words: ``32 samples``, ``17 of 32 samples``."""
        if self.is_complete:
            return counted(self.samples, "sample")
        return f"{self.samples:,} of {counted(self.wanted, 'sample')}"


class Snapshot(NamedTuple):
    """A result and where its maps were, which any thread may read while the shelf goes on.

    Attributes
    ----------
    shelved
        The result.
    stored, file
        As those of the result.
    """

    shelved: Shelved
    stored: ErfResult
    file: Path | None

    def result(self) -> ErfResult | None:
        """Return it, read from its file if need be; None if it was dropped since."""
        if self.file is None:
            return self.stored
        try:
            return _read(self.file, self.stored)
        except (OSError, ValueError):  # it may have come back into memory
            stored = self.shelved.stored
            return stored if stored is not None and stored.map.size else None


class Shelf:
    """Holds results by network, layer, unit, options and image; the newest is shown first.

    Parameters
    ----------
    memory, disk
        Bytes of maps that stay in memory, and in temporary files.
    """

    def __init__(self, memory: int = MEMORY, disk: int = DISK) -> None:
        self._memory, self._disk = memory, disk
        self._shelved: list[Shelved] = []  # the oldest first
        self._count = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __iter__(self) -> Iterator[Shelved]:
        """Go through all results, the newest first."""
        return reversed(self._shelved.copy())

    def __len__(self) -> int:
        """Return how many results there are."""
        return len(self._shelved)

    def put(
        self,
        subject: Subject,
        options: ErfOptions,
        image: str,
        result: ErfResult,
        *,
        ending: Ending,
        fraction: float = 1.0,
        continues: Shelved | None = None,
    ) -> Shelved:
        """Add a result, in place of the one that it continues or of one of the same measurement."""
        key = (astuple(options), image)
        for old in self:
            if _is_of(old, subject) and (astuple(old.options), old.image) == key:
                continues = continues or old
                self.remove(old)
        if continues is not None:
            self.remove(continues)
        else:
            self._count += 1
        made = Shelved(
            self._count if continues is None else continues.number,
            subject,
            options,
            image,
            ending,
            result.samples,
            result.wanted,
            fraction,
            name="" if continues is None else continues.name,
            is_aside=ending == "cut",
            stored=result,
        )
        self._shelved.append(made)
        self._make_room()
        return made

    def put_back(self, read: Shelved) -> None:
        """Add a result of a session file, unless the same was measured since the start."""
        key = (astuple(read.options), read.image)
        for old in self:
            if _is_of(old, read.subject) and (astuple(old.options), old.image) == key:
                return
        self._count += 1
        read.number = self._count
        self._shelved.append(read)
        self._make_room()

    def of(self, subject: Subject, image: str | None) -> Shelved | None:
        """Return the result to show of a unit; None if there is none.

        Parameters
        ----------
        subject
            Network, layer and unit.
        image
            Identifies the image on the canvas; results on others are not shown.
        """
        for shelved in self:
            is_here = shelved.image in ("", image)
            if not shelved.is_aside and is_here and _is_of(shelved, subject):
                return shelved
        return None

    def has_images(self, subject: Subject) -> bool:
        """Whether a unit has results on an image of the canvas."""
        return any(x.image and _is_of(x, subject) for x in self._shelved)

    def set_aside(self, subject: Subject) -> None:
        """Show the results of a unit on request only."""
        for shelved in self._shelved:
            if _is_of(shelved, subject):
                shelved.is_aside = True

    def bring_forward(self, shelved: Shelved) -> None:
        """Show this result of its unit again, not a newer one."""
        self.set_aside(shelved.subject)
        shelved.is_aside = False

    def snapshots(self) -> list[Snapshot]:
        """Return all results as they are now, the newest first."""
        return [Snapshot(x, x.stored, x.file) for x in self if x.stored is not None]

    def result(self, shelved: Shelved) -> ErfResult | None:
        """Return a result, read from its file if need be; None if the file is gone."""
        result, file = shelved.stored, shelved.file
        if result is None or file is None:
            return result
        try:
            read = _read(file, result)
        except (OSError, ValueError):  # somebody cleared the folder of temporary files
            self.remove(shelved)
            return None
        shelved.stored, shelved.file = read, None
        _delete(file)
        self._make_room(shelved)
        return read

    def remove(self, shelved: Shelved) -> None:
        """Drop a result."""
        if shelved in self._shelved:
            self._shelved.remove(shelved)
        if shelved.file is not None:
            _delete(shelved.file)

    def close(self) -> None:
        """Drop everything, and the temporary files."""
        self._shelved.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _make_room(self, used: Shelved | None = None) -> None:
        """Move the oldest maps to the disk, and drop those for which there is no room."""
        taken = sum(_bytes(x) for x in self._shelved if not x.is_on_disk)
        for shelved in self._shelved[:-1]:
            if taken <= self._memory:
                break
            if shelved is not used and _can_move(shelved):
                taken -= _bytes(shelved)
                self._move_to_disk(shelved)
        on_disk = [x for x in self._shelved if x.file is not None]
        taken = sum(_file_size(x) for x in on_disk)
        for shelved in on_disk:
            if taken <= self._disk:
                break
            taken -= _file_size(shelved)
            self.remove(shelved)

    def _folder_for_files(self) -> Path:
        """Return the folder of temporary files, which the system may have cleared meanwhile."""
        if self._folder is not None and not is_folder(self._folder.name):
            self._folder.cleanup()
            self._folder = None
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(
                prefix="rfstudio-", ignore_cleanup_errors=True
            )
        return Path(self._folder.name)

    def _move_to_disk(self, shelved: Shelved) -> None:
        result = shelved.stored
        if result is None:
            return
        try:
            folder = self._folder_for_files()
            file = folder / f"{shelved.number}-{id(shelved)}.npz"
            with file.open("wb") as stream:
                np.savez(stream, map=result.map, standard_error=result.standard_error)
        except OSError:  # a full disk costs the oldest result, nothing else
            self.remove(shelved)
            return
        empty = np.empty(0)
        shelved.stored = replace(result, map=empty, standard_error=empty)
        shelved.file = file


def _is_of(shelved: Shelved, subject: Subject) -> bool:
    return shelved.subject.is_same(subject)


def _can_move(shelved: Shelved) -> bool:
    # What was stopped within a sample or a draw has more arrays, and is rare.
    result = shelved.stored
    return not shelved.is_on_disk and result is not None and _is_plain(result)


def _is_plain(result: ErfResult) -> bool:
    return result.unfinished is None and result.open_draw is None


def _read(file: Path, result: ErfResult) -> ErfResult:
    """Return a result with the maps of its file; an OSError or ValueError says that it is lost."""
    try:
        # numpy does not close a file of its own that is cut off
        with file.open("rb") as stream, np.load(stream) as arrays:
            return _with_arrays(result, dict(arrays))
    except (BadZipFile, EOFError) as error:
        raise ValueError("the file is cut off") from error


def _delete(file: Path) -> None:
    # While another thread reads it, Windows does not let it go: it stays until the end.
    with suppress(OSError):
        file.unlink(missing_ok=True)


def _with_arrays(result: ErfResult, arrays: Mapping[str, NDArray[np.float64]]) -> ErfResult:
    try:
        return replace(result, map=arrays["map"], standard_error=arrays["standard_error"])
    except KeyError as error:
        raise ValueError("the file holds no map") from error


def _bytes(shelved: Shelved) -> int:
    result = shelved.stored
    if result is None:
        return 0
    more = 0 if result.open_draw is None else result.open_draw.nbytes
    return result.map.nbytes + result.standard_error.nbytes + more


def _file_size(shelved: Shelved) -> int:
    try:
        return 0 if shelved.file is None else shelved.file.stat().st_size
    except OSError:
        return 0
