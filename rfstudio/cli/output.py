"""Where a command writes a file, and in which format: a path, or standard output."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rfstudio.cli.usage import UsageError
from rfstudio.cli.words import FORMATS, STREAM
from rfstudio.formats.files import atomic_write

_TEXTS = ("svg", "yaml", "py")


class Output(NamedTuple):
    """A place for a file.

    Attributes
    ----------
    path
        The file; None: standard output.
    suffix
        The format as the ending of a file, such as ``.svg``.
    """

    path: Path | None
    suffix: str

    def write(self, data: bytes) -> None:
        """Write the whole file, or leave an old one unchanged."""
        if self.path is not None:
            atomic_write(self.path, data)
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(data)


def command_of(arguments: argparse.Namespace) -> str:
    """Return the command as it was given, to stand beside what it has found."""
    return shlex.join(["rfstudio", *arguments.argv])


def output_of(arguments: argparse.Namespace, known: Sequence[str], what: str) -> Output | None:
    """Return where to write; None if that is not requested.

    Parameters
    ----------
    arguments
        With `output` and `format`, which may also be the format of what is printed.
    known
        The formats of the file.
    what
        What is written, for messages.

    Raises
    ------
    UsageError
        If the format is not known, or has no meaning here.
    """
    place, word = arguments.output, arguments.format
    form = word if word in known else ""
    if place is None:
        if word is not None and word not in FORMATS:
            raise UsageError(f"--format {word} is for --output")
        return None
    endings = ", ".join(f".{x}" for x in known[:-1]) + f" or .{known[-1]}"
    if place == STREAM:
        if not form:
            raise UsageError(f"--output - needs --format {', '.join(known[:-1])} or {known[-1]}")
        if form not in _TEXTS and sys.stdout.isatty():
            raise UsageError(f"a terminal cannot show {form}; name a file, or redirect the output")
        return Output(None, f".{form}")
    path = Path(place)
    form = form or path.suffix.lower().removeprefix(".")
    form = {"yml": "yaml", "tif": "tiff"}.get(form, form)
    if form not in known:
        raise UsageError(f"{place}: {what} is written as {endings}; or name a --format")
    return Output(path, f".{form}")
