"""Fonts of PDF files: what readers of a PDF never look at is left out of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

_LAYOUT = ("GDEF", "GPOS", "GSUB")
"""Tables of a font by which letters are joined and moved; a PDF has each letter at its place."""

_DROPPED = "_drop_tables_default"


@contextmanager
def plain_fonts() -> Iterator[None]:
    """Let matplotlib embed fonts without their tables of layout while the context lasts.

    Reading and cutting down these tables is most of the time that a small PDF takes, and drawn
    letters do not depend on them.  The setting is of the whole process: use it within
    `rfstudio.figures.style.print_settings`, which lets one thread draw at a time.
    """
    options = import_module("fontTools.subset").Options  # matplotlib needs it for every PDF
    dropped = getattr(options, _DROPPED, None)
    if dropped is None:  # another version of it: slower, nothing else
        yield
        return
    setattr(options, _DROPPED, [*dropped, *_LAYOUT])
    try:
        yield
    finally:
        setattr(options, _DROPPED, dropped)
