"""Texts about the layers of a graph: a shape in words, and which layer was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

from rfstudio.core.errors import shown
from rfstudio.core.plural import counted

MAX_CHANNELS = 1 << 31
"""Channels of a map; PyTorch's own limit, and far beyond any network."""


def excess_of_channels(channels: int) -> str:
    """Return that a map has too many channels, or an empty text."""
    if channels <= MAX_CHANNELS:
        return ""
    return f"its map would have {channels:,} channels; at most {MAX_CHANNELS:,} are counted"


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


_NEAR = 0.6
"""Likeness from which on a name may be a slip of another one, as `difflib` has it."""


def nearest(wanted: str, names: Iterable[str], known: dict[str, float]) -> str | None:
    """Return what `get_close_matches` returns first, or None.

    Parameters
    ----------
    wanted
        The name that is not there.
    names
        Those that it may be a slip of.
    known
        Their likeness to `wanted`, as far as it was worked out before; it is added to.
    """
    matcher = SequenceMatcher(b=wanted)
    best = (_NEAR, "")
    for name in names:
        likeness = known.get(name)
        if likeness is None:
            matcher.set_seq1(name)
            may_be = matcher.real_quick_ratio() >= _NEAR and matcher.quick_ratio() >= _NEAR
            likeness = known[name] = matcher.ratio() if may_be else 0.0
        best = max(best, (likeness, name))
    return best[1] or None
