"""Texts about the layers of a graph: a shape in words, and which layer was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from rfstudio.core.errors import shown
from rfstudio.core.plural import counted


def shape_text(channels: int, size: tuple[int, ...]) -> str:
    """Return a shape in words: ``64 channels of 56×56``."""
    return f"{counted(channels, 'channel')} of " + "×".join(map(str, size))


def unknown_layer_text(path: str, paths: Iterable[str]) -> str:
    """Return that there is no layer of that path, with the nearest one of those that there are."""
    known = list(paths)
    # People often give only the beginning of a layer's path, or only its last name.
    near = (
        [x for x in known if path and x.startswith(path)][:1]
        or get_close_matches(path, known, n=1)
        or [x for x in known if x.rpartition(".")[2] == path][:1]
    )
    return f"there is no layer '{shown(path)}'" + (f"; did you mean '{near[0]}'?" if near else "")
