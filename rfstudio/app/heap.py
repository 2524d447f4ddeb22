"""Keeps the garbage collector from searching, again and again, what lives as long as the window."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping

_MANY = 50
"""Modules imported since, whose objects are worth exempting as well."""


class _Exemption:
    """What is exempt, by how many modules were there."""

    def __init__(self) -> None:
        self._modules = 0

    def renew(self) -> None:
        """Exempt what is alive, just after a full collection: nothing of it is garbage."""
        gc.freeze()
        self._modules = len(sys.modules)

    def note(self, phase: str, info: Mapping[str, int]) -> None:
        """Hear of a collection; after a full one, exempt what was imported since."""
        is_over = phase == "stop" and info["generation"] == 2
        if is_over and len(sys.modules) >= self._modules + _MANY:
            self.renew()


_EXEMPTION = _Exemption()


def exempt_from_collection() -> None:
    """Exempt everything that lives as long as the window from garbage collection.

    Most objects belong to modules, widgets and the first network; to search them takes three
    frames, in the middle of an edit.  What draws figures and reads files is imported when it is
    needed first; it is exempted by the first full collection after that.
    """
    gc.collect()
    _EXEMPTION.renew()
    if _EXEMPTION.note not in gc.callbacks:
        gc.callbacks.append(_EXEMPTION.note)
