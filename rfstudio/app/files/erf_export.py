"""Export of the effective field that is shown: its map with a record, or its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rfstudio.api.measured import record_of
from rfstudio.app.effective.erf_numbers import (
    NUMBER_SUFFIXES,
    NumberRow,
    number_rows,
    numbers_text,
)
from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.effective.measuring_recipes import followed
from rfstudio.app.effective.shown_fields import EffectiveField, ShownFields
from rfstudio.core.errors import RFStudioError
from rfstudio.formats.files import atomic_write
from rfstudio.formats.images.map_images import map_png, map_tiff
from rfstudio.formats.tables.erf_files import erf_npz, record_json

FIELD_SUFFIXES = (".npz", ".json", ".tiff", ".tif", ".png", *NUMBER_SUFFIXES)
"""Endings of the files that a field is written to; its figures are another matter."""

FIELD_FILES = ";;".join(
    [
        "Map with its record (*.npz)",
        "Map in floating-point numbers (*.tiff *.tif)",
        "Map in 16 bits of gray (*.png)",
        "Record (*.json)",
        *(f"Numbers as {title} (*{suffix})" for suffix, title in NUMBER_SUFFIXES.items()),
    ]
)
"""The same, as a dialog lists them."""


class ErfExport:
    """Writes what is shown of the chosen unit.

    Parameters
    ----------
    view
        The fields that are shown.
    """

    def __init__(self, view: ErfView) -> None:
        self._view = view

    def rows(self) -> tuple[NumberRow, ...]:
        """Return the numbers of the measured and the expected field, where they exist."""
        return _rows(self._view.complete())

    def numbers_text(self, kind: str) -> str:
        """Return these numbers in one of `rfstudio.app.effective.erf_numbers.NUMBER_KINDS`."""
        return _numbers_text(self._view.complete(), kind)

    def record(self) -> dict[str, Any]:
        """Return how the field that is shown came about, as the command line writes it.

        Raises
        ------
        RFStudioError
            If no field is shown.
        """
        return _record(self._view.complete())

    def save(self, path: Path, command: str = "") -> None:
        """Write a file of what is shown, its kind by its ending: the map or, without it, numbers.

        Parameters
        ----------
        path
            The file.
        command
            That of what is shown; empty: there is none.

        Raises
        ------
        RFStudioError
            If no field is shown, the ending is unknown or the file cannot be written.
        """
        save_fields(path, self._view.complete(), command)


def save_fields(path: Path, shown: ShownFields, command: str = "") -> None:
    """Write a file of the fields of one unit, its kind by its ending.

    Parameters
    ----------
    path, command
        As for `ErfExport.save`.
    shown
        The fields.

    Raises
    ------
    RFStudioError
        If there is no field, the ending is unknown or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        atomic_write(path, erf_npz(_field(shown).map, _record(shown, command)))
    elif suffix in (".tiff", ".tif"):
        atomic_write(path, map_tiff(_field(shown).map, _record(shown, command)))
    elif suffix == ".png":
        atomic_write(path, map_png(_field(shown).map, _record(shown, command)))
    elif suffix == ".json":
        atomic_write(path, record_json(_record(shown, command)).encode())
    elif suffix in NUMBER_SUFFIXES:
        _field(shown)
        atomic_write(path, _numbers_text(shown, NUMBER_SUFFIXES[suffix]).encode())
    else:
        endings = ", ".join(FIELD_SUFFIXES)
        raise RFStudioError(f"a field is saved as {endings}; give the file one of these")


def _rows(shown: ShownFields) -> tuple[NumberRow, ...]:
    fields = (shown.measured, shown.expected)
    return number_rows(*(None if x is None else x.metrics for x in fields))


def _numbers_text(shown: ShownFields, kind: str) -> str:
    name = shown.analysis.architecture.name
    unit = ", ".join(map(str, shown.unit))
    caption = f"Effective field of unit ({unit}) of {shown.layer} of {name}."
    return numbers_text(_rows(shown), kind, caption)


def _record(shown: ShownFields, command: str = "") -> dict[str, Any]:
    given = {"command": command} if command else {}
    return given | _record_of(shown)


def _record_of(shown: ShownFields) -> dict[str, Any]:
    field = _field(shown)
    if not field.is_measured:
        return record_of(shown.analysis, field.erf)
    measurement = shown.measurement
    options, far = measurement.options, measurement.progress
    recipe = None if options is None else followed(options, shown.analysis.input_size)
    how = "measured so far:" if measurement.state == "measuring" else "stopped after"
    notes = [f"{how} {far}"] if far else []
    return record_of(shown.analysis, field.erf, recipe=recipe, notes=notes)


def _field(shown: ShownFields) -> EffectiveField:
    if shown.field is None:
        raise RFStudioError(
            "this unit has no effective field to save; choose one that sees the image"
        )
    return shown.field
