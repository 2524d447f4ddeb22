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

from rfstudio.app.heap import exempt_from_collection


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
