"""Exports to files and to the clipboard: pictures, tables, networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rfstudio.api.figures import panel_of
from rfstudio.app.effective.shown_fields import ShownFields
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.network.architecture import Architecture
from rfstudio.figures import SUFFIXES, Content, FigureStyle, render_kind
from rfstudio.formats.files import atomic_write
from rfstudio.formats.networks.network_files import write_network_file
from rfstudio.formats.tables.table_formats import TABLE_WRITERS, WRITERS, Writer

_WRITERS: tuple[Writer, ...] = (
    *TABLE_WRITERS,
    *(x for x in WRITERS.values() if x not in TABLE_WRITERS),
)
"""Formats of tables: for people first, then for programs."""

TABLE_KINDS = tuple(x.title for x in _WRITERS)

TABLE_SUFFIXES = {x.suffix: x.title for x in _WRITERS}

TABLE_FILES = ";;".join(f"{x.file_title} (*{x.suffix})" for x in _WRITERS)
"""The same, as a dialog lists them."""


def save_picture(
    path: Path, shown: ShownFields, *, image: Any = None, style: FigureStyle | None = None
) -> None:
    """Write the figure of one unit as PNG, SVG or PDF, by the ending of the path.

    Parameters
    ----------
    path
        The file.
    shown
        Whose fields are drawn, and with which effective field.
    image
        (H, W, 3) bytes, or None.
    style
        Width, resolution and so on.

    Raises
    ------
    RFStudioError
        If the ending is unknown or the file cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise RFStudioError(
            f"a picture is saved as {', '.join(SUFFIXES)}; give the file one of these endings"
        )
    field = shown.field
    panel = panel_of(
        shown.analysis,
        shown.layer,
        shown.unit,
        None if field is None else field.erf,
        image=image,
    )
    used = style or FigureStyle(colour=True)
    atomic_write(path, render_kind("fields", Content(panels=(panel,)), path.suffix, used))


def write_figure(path: Path, draw: Callable[[str], bytes]) -> None:
    """Write a figure as PNG, SVG or PDF, by the ending of the path.

    Raises
    ------
    RFStudioError
        If the ending is unknown, there is nothing to draw, or the file cannot be written.
    """
    atomic_write(path, draw(path.suffix))


def table_text(analysis: Analysis, kind: str) -> str:
    """Return the table of all layers in one of `TABLE_KINDS`."""
    for writer in _WRITERS:
        if writer.title == kind:
            return writer.analysis(analysis)
    raise RFStudioError(f"a table is written as {', '.join(TABLE_KINDS)}, not as {kind}")


def save_table(path: Path, analysis: Analysis) -> None:
    """Write the table of all layers, its kind by the ending of the path.

    Raises
    ------
    RFStudioError
        If the ending is unknown or the file cannot be written.
    """
    kind = TABLE_SUFFIXES.get(path.suffix.lower())
    if kind is None:
        endings = ", ".join(TABLE_SUFFIXES)
        raise RFStudioError(f"a table is saved as {endings}; give the file one of these endings")
    atomic_write(path, table_text(analysis, kind).encode())


def save_network(path: Path, architecture: Architecture) -> None:
    """Write a network as YAML or as PyTorch source, by the ending of the path.

    Raises
    ------
    RFStudioError
        If the ending is unknown or the file cannot be written.
    """
    write_network_file(path, architecture)
