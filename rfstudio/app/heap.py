"""Memory of a window that is open for long: what is kept, collected, and given back."""

from __future__ import annotations

import ctypes
import gc
import importlib
import linecache
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from PySide6.QtCore import QEvent, QObject, QTimer, SignalInstance

QUIET = 300
"""Milliseconds without a picture after which nothing happens: less than a cursor takes to blink."""

LONG_QUIET = 10_000
"""Milliseconds without a change after which free memory is given back."""

DUE = 10
"""Collections of what is younger after which a full one is due: as many as Python waits for."""

OVERDUE = 60
"""The same where the window is never quiet: there may be some 400,000 new objects by then."""

_MANY = 50
"""Modules imported since, whose objects are worth exempting as well."""


def leave_sources_unread() -> None:
    """Keep PySide6 from reading the source of every module that is imported from now on.

    It looks for its own name in it, for names in another style, which nothing here asks for.  The
    lines are kept by Python: 24 MiB once the first window is there, and more with each import,
    between objects that live as long as the window.
    """
    with suppress(ImportError):  # another version has it elsewhere
        names = vars(importlib.import_module("shibokensupport.feature"))
        names["feature_imported"] = lambda _module: None
    linecache.clearcache()  # of what was imported with Qt itself


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


def collect_seldom() -> None:
    """Let full collections wait for a quiet moment, which `IdleCollection` notices.

    It comes before any computation in slices: such a one puts full collections off, and gives back
    at its end what it has found, so that it would undo what is set meanwhile.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, OVERDUE)


def begin_collection() -> None:
    """Collect garbage from now on, but look at nothing of what the start has made.

    There is next to no garbage in it, and some 300,000 objects, through which Python would search
    again and again while they are made: 0.15 s of the processor before the first picture.
    `exempt_from_collection` looks at them once, after it.
    """
    gc.freeze()
    gc.enable()


def exempt_from_collection() -> None:
    """Exempt everything that lives as long as the window from garbage collection.

    Most objects belong to modules, widgets and the first network; to search them takes three
    frames, in the middle of an edit.  What draws figures and reads files is imported when it is
    needed first; it is exempted by the first full collection after that.
    """
    gc.unfreeze()
    gc.collect()
    _EXEMPTION.renew()
    if _EXEMPTION.note not in gc.callbacks:
        gc.callbacks.append(_EXEMPTION.note)


class IdleCollection(QObject):
    """Collects all garbage while nothing happens in a window, not in the middle of an edit.

    `collect_seldom` comes before it.  The search through a network of thousands of layers takes two
    frames.  It would come with every second or third edit of a long sequence.

    Parameters
    ----------
    window
        What is watched for pictures; the parent.

    Attributes
    ----------
    quiet
        Ends when nothing has happened for a while.
    """

    def __init__(self, window: QObject) -> None:
        super().__init__(window)
        self.quiet = QTimer(self, singleShot=True, interval=QUIET)
        self.quiet.timeout.connect(self._collect)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Wait anew after each picture."""
        del watched
        if event.type() == QEvent.Type.UpdateRequest:
            self.quiet.start()
        return False

    def _collect(self) -> None:
        if gc.get_threshold()[2] > OVERDUE:  # put off, as long as something is worked out in slices
            self.quiet.start()
        elif gc.get_count()[2] >= DUE:
            gc.collect()


_M_ARENA_MAX = -8
"""The option of `mallopt` for the number of heaps, in malloc.h of the GNU C library."""


def share_one_heap() -> None:
    """Let all threads take their memory from one heap, with the GNU C library; before any begins.

    A thread would have a heap of its own, and what it works out outlives it: after thousands of
    computations half of all heaps is free, and none of it can be given back.  Python lets only one
    of them work at a time, so that they do not wait for each other.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Return free memory to the system, with the GNU C library.

    Of what earlier networks and fields took, much is free between blocks that are in use, and is
    kept otherwise: after thousands of edits a fifth of all memory.  It takes some milliseconds,
    and a twentieth of a second after much was freed.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


class GivingBack(QObject):
    """Gives free memory back when nothing has changed for a while, as no edit waits for it then.

    Parameters
    ----------
    changes
        Signals after which there is something to give back.
    parent
        What owns it.
    quiet
        Milliseconds without any of them.
    """

    def __init__(
        self, changes: Sequence[SignalInstance], parent: QObject, quiet: int = LONG_QUIET
    ) -> None:
        super().__init__(parent)
        self._timer = QTimer(self, singleShot=True, interval=quiet)
        self._timer.timeout.connect(self._end)
        for change in changes:
            change.connect(self._begin)

    def _begin(self) -> None:
        self._timer.start()

    def _end(self) -> None:
        give_back()
