"""The collector need not search what lives as long as the window, and threads share a heap."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from rfstudio.app import heap
from rfstudio.app.heap import (
    DUE,
    OVERDUE,
    GivingBack,
    IdleCollection,
    begin_collection,
    collect_seldom,
    exempt_from_collection,
)
from rfstudio.app.slices import Sliced
from rfstudio.core.work import give_way


@pytest.fixture
def exempted() -> Iterator[None]:
    """Exempt what there is; until the test ends, the collector comes only when called."""
    callbacks = gc.callbacks.copy()
    gc.disable()
    exempt_from_collection()
    yield
    gc.callbacks[:] = callbacks
    gc.unfreeze()
    gc.enable()


class _Ring(list[object]):
    """Something that only the collector can free, once it is in itself."""


def _import_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(60):
        monkeypatch.setitem(sys.modules, f"late_{i}", ModuleType(f"late_{i}"))


@pytest.mark.usefixtures("exempted")
def test_that_what_is_imported_later_is_exempt_after_one_full_collection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _import_many(monkeypatch)
    held = [[i] for i in range(1000)]
    gc.collect(1)
    assert any(x is held for x in gc.get_objects())
    gc.collect()
    assert not any(x is held for x in gc.get_objects())


@pytest.mark.usefixtures("exempted")
def test_that_what_is_made_without_an_import_is_searched_as_ever() -> None:
    held = [[i] for i in range(1000)]
    gc.collect()
    assert any(x is held for x in gc.get_objects())


@pytest.mark.usefixtures("exempted")
def test_that_garbage_is_not_exempted_with_what_was_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ring = _Ring()
    ring.append(ring)
    gone = weakref.ref(ring)
    del ring
    _import_many(monkeypatch)
    before = gc.get_freeze_count()
    gc.collect()
    assert gc.get_freeze_count() > before
    assert gone() is None


@pytest.fixture
def collected() -> Iterator[list[int]]:
    """Note the generations that are collected; until the test ends, full ones come seldom."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            found.append(info["generation"])

    thresholds = gc.get_threshold()
    collect_seldom()
    gc.collect()
    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)
    gc.set_threshold(*thresholds)


def _make_much() -> list[list[int]]:
    """Make as many objects as let Python search through all of them."""
    made = [[i] for i in range(100)]
    while gc.get_count()[2] < 2 * DUE:
        made += [[i] for i in range(100)]
    return made


def test_that_all_garbage_is_collected_while_nothing_happens(qtbot, collected: list[int]) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    collection = IdleCollection(window)
    window.show()
    qtbot.waitExposed(window)
    held = _make_much()
    assert 2 not in collected  # in the middle of an edit
    window.update()
    qtbot.waitUntil(lambda: 2 in collected)
    assert held
    collected.clear()
    with qtbot.waitSignal(collection.quiet.timeout):
        window.update()
    assert 2 not in collected  # there is little new


def test_that_garbage_is_collected_in_a_window_that_is_never_quiet(
    qtbot, collected: list[int]
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    IdleCollection(window)
    assert gc.get_threshold()[2] == OVERDUE
    made: list[list[int]] = []
    while 2 not in collected:
        made += [[i] for i in range(1000)]
        assert len(made) < 10_000_000


def test_that_nothing_is_collected_between_slices(qtbot, collected: list[int]) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    collection = IdleCollection(window)
    sliced = Sliced(_in_two_steps)
    assert not sliced.run(0)
    held = _make_much()
    with qtbot.waitSignal(collection.quiet.timeout):
        window.show()
    assert 2 not in collected
    assert sliced.run()
    qtbot.waitUntil(lambda: 2 in collected)
    assert held


_LATE = """
import gc
from rfstudio import gui
from rfstudio.app import heap
from rfstudio.app.slices import Sliced
from rfstudio.core.work import give_way
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

sliced = Sliced(give_way)
make_window = gui.make_window

def make(*arguments):
    window = make_window(*arguments)
    sliced.run(0)  # as the first analysis of a large network does
    return window

def end():
    sliced.run()
    if gc.get_threshold()[2] > heap.OVERDUE:  # something else goes on
        QTimer.singleShot(50, end)
        return
    print(gc.get_threshold()[2], flush=True)
    QApplication.quit()

gui.make_window = make
gui.exempt_from_collection = end
gui.run("alexnet")
"""


def test_that_a_computation_of_the_start_leaves_collections_to_quiet_moments() -> None:
    command = [sys.executable, "-c", _LATE]
    folder = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.stdout.splitlines()[:1] == [str(OVERDUE)], done.stdout + done.stderr


def _in_two_steps() -> None:
    give_way()


_ALLOCATE_IN_THREADS = """
import ctypes, sys, threading
from rfstudio.app.heap import share_one_heap

if sys.argv[2] == "shared":
    share_one_heap()
together = threading.Barrier(5)


def allocate():
    held = [bytearray(5000) for _ in range(100)]
    together.wait()
    together.wait()


threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads:
    thread.start()
together.wait()
library = ctypes.CDLL(None)
library.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(library.fopen(sys.argv[1].encode(), b"w"))
library.malloc_info(0, file)
library.fclose(file)
together.wait()
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc",
    reason="only the GNU C library has heaps of threads",
)
@pytest.mark.parametrize(("how", "is_one"), [("shared", True), ("apart", False)])
def test_that_threads_of_the_window_share_one_heap(tmp_path: Path, how: str, is_one: bool) -> None:
    report = tmp_path / "heaps.xml"
    command = [sys.executable, "-c", _ALLOCATE_IN_THREADS, str(report), how]
    subprocess.run(command, check=True)
    assert (report.read_text().count("<heap nr=") == 1) is is_one


_START = """
import gc, sys
from rfstudio.app import heap
from rfstudio.cli import main

def begin():
    was_on = gc.isenabled()
    begun()
    print(was_on, gc.isenabled(), gc.get_freeze_count() > 100_000, flush=True)
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication
    QTimer.singleShot(0, QApplication.quit)

begun, heap.begin_collection = heap.begin_collection, begin
sys.exit(main(["vgg16"]))
"""


def test_that_nothing_is_collected_before_the_window_is_made() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _START],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.stdout.splitlines()[:1] == ["False True True"], done.stdout + done.stderr


_LINES_OF_SOURCE = """
import linecache, sys
from rfstudio.app import heap
from rfstudio.cli import main

def begin():
    import rfstudio.figures.convergence
    print(sum(len(x[2]) for x in linecache.cache.values() if len(x) > 1), flush=True)
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication
    QTimer.singleShot(0, QApplication.quit)

heap.begin_collection = begin
sys.exit(main(["vgg16"]))
"""


def test_that_no_source_is_kept_when_the_window_is_open_and_figures_are_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LINES_OF_SOURCE],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert int(done.stdout.splitlines()[0]) < 1000, done.stdout + done.stderr


@pytest.mark.usefixtures("exempted")
def test_that_garbage_of_the_start_is_collected_once_the_window_is_painted() -> None:
    ring = _Ring()
    ring.append(ring)
    gone = weakref.ref(ring)
    del ring
    begin_collection()
    gc.collect()
    assert gone() is not None
    exempt_from_collection()
    assert gone() is None


_FREE_IN_BETWEEN = """
from pathlib import Path
from rfstudio.app.heap import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

start = resident()
held = [bytearray(20_000) for _ in range(4000)]
held[:-1] = []
before = resident() - start
give_back()
print(before, resident() - start)
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc",
    reason="only the GNU C library is asked to give memory back",
)
def test_that_what_is_free_before_a_block_in_use_is_given_back() -> None:
    command = [sys.executable, "-c", _FREE_IN_BETWEEN]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    before, after = map(int, done.stdout.split())
    assert before > 10_000  # pages of 4 KiB, of the 80 MB that were taken
    assert after < before // 10


class _Changing(QObject):
    changed = Signal(object)


def test_that_memory_is_given_back_once_nothing_changes(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[None] = []
    monkeypatch.setattr(heap, "give_back", lambda: given.append(None))
    owner = _Changing()
    GivingBack([owner.changed], owner, quiet=0)
    for _ in range(3):
        owner.changed.emit(owner)
    assert not given
    qtbot.waitUntil(lambda: bool(given))
    assert len(given) == 1
