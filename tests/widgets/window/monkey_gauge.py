"""What a window takes, read again and again in one and the same state of it."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QCoreApplication, QEvent, QObject
from PySide6.QtWidgets import QApplication

from rfstudio.widgets.window.main_window import MainWindow

STEADY = 24
"""MiB by which the memory of one state may grow over 1,000 actions.

Half of it is what the C library cannot give back of pages that are in use: a leak of 80 KiB an
action is three times as much.
"""

MOST_OBJECTS = 60
"""Objects of Qt by which it may grow: dialogs are made when they are opened first."""


class Gauge(NamedTuple):
    """What a window takes.

    Attributes
    ----------
    memory
        Resident memory in MiB, without what is free and can be given back.
    objects
        Objects of Qt in all windows, and in the state of this one.
    threads, processes
        Threads of Python, and child processes.
    """

    memory: int
    objects: int
    threads: int
    processes: int


def resident() -> int:
    """Return the resident memory in MiB once all that is free was given back."""
    for _ in range(2):
        gc.collect()
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) // 256


def gauged(window: MainWindow) -> Gauge:
    """Return what a window takes, with its state and its dialogs."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    owners: list[QObject] = [*QApplication.topLevelWidgets(), window.studio]
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    objects = sum(len(x.findChildren(QObject)) for x in owners)
    return Gauge(resident(), objects, threading.active_count(), len(children))


def growth(gauges: list[Gauge]) -> list[str]:
    """Return what is not steady, from the second gauge on: until the first, things are imported."""
    found = []
    for before, after in pairwise(gauges):
        if after.memory - before.memory > STEADY:
            found.append(f"the memory is not steady: {before.memory} MiB, {after.memory} MiB")
        if after.objects - before.objects > MOST_OBJECTS:
            found.append(f"objects are left behind: {before.objects}, {after.objects}")
        if (after.threads, after.processes) > (before.threads, before.processes):
            found.append(f"threads or processes are left behind: {before}, {after}")
    return found
