"""What a window takes, read again and again in one and the same state of it."""

from __future__ import annotations

import gc
import os
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QCoreApplication, QEvent, QObject
from PySide6.QtWidgets import QApplication, QDialog

from rfstudio.app.heap import give_back
from rfstudio.widgets.window.main_window import MainWindow

STEADY = 24
"""MiB by which the memory of one state may grow over 1,000 actions.

Half of it is what the C library cannot give back of pages that are in use: a leak of 80 KiB an
action is three times as much.
"""

MOST_OBJECTS = 400
"""Objects of Qt by which it may grow: a plot that is made when it is needed first has 200."""


class Gauge(NamedTuple):
    """What a window takes.

    Attributes
    ----------
    memory
        Memory of its own in MiB, without what is free and can be given back.
    objects
        Objects of Qt in all windows, and in the state of this one.
    dialogs
        Those of which there is another one of the same kind.
    threads, processes
        Threads of Python, and child processes.
    """

    memory: int
    objects: int
    dialogs: int
    threads: int
    processes: int


def resident() -> int:
    """Return the memory in MiB that is resident or swapped once all that is free was given back.

    Pages of files do not count: they come and go with what else the machine does.
    """
    for _ in range(2):
        gc.collect()
    give_back()
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = dict(x.split(":", 1) for x in lines if x.startswith(("RssAnon", "VmSwap")))
    return sum(int(x.split()[0]) for x in sizes.values()) >> 10


def gauged(window: MainWindow) -> Gauge:
    """Return what a window takes, with its state and its dialogs."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    owners: list[QObject] = [*QApplication.topLevelWidgets(), window.studio]
    kinds = Counter(type(x).__name__ for x in window.findChildren(QDialog))
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    objects = sum(len(x.findChildren(QObject)) for x in owners)
    dialogs = sum(kinds.values()) - len(kinds)
    return Gauge(resident(), objects, dialogs, threading.active_count(), len(children))


def growth(gauges: list[Gauge]) -> list[str]:
    """Return what is not steady, from the second gauge on: until the first, things are imported."""
    found = []
    for before, after in pairwise(gauges):
        if after.memory - before.memory > STEADY:
            found.append(f"the memory is not steady: {before.memory} MiB, {after.memory} MiB")
        if after.objects - before.objects > MOST_OBJECTS:
            found.append(f"objects are left behind: {before.objects}, {after.objects}")
        if any(b > a for a, b in zip(before[2:], after[2:], strict=True)):
            found.append(f"dialogs, threads or processes are left behind: {before}, {after}")
    return found
