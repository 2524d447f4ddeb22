"""Layers as text for the clipboard, so that they travel between windows and editors."""

from __future__ import annotations

from collections.abc import Sequence

from rfstudio.core.network.architecture import Item
from rfstudio.formats.networks.yaml_reader import read_draft, read_items
from rfstudio.formats.networks.yaml_writer import write_items


def text_of_items(items: Sequence[Item]) -> str:
    """Return items as a YAML list."""
    return write_items(items)


def items_of_text(text: str, axes: int | None = None) -> tuple[Item, ...]:
    """Return the items of a YAML list, or of a whole network file.

    Raises
    ------
    FormatError
        With all problems of the text.
    """
    if text.lstrip().startswith("format:"):
        return read_draft(text, "<clipboard>").layers
    return read_items(text, axes)
