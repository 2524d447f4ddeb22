"""Long computations in slices: they take turns with the window, and end when dropped."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from rfstudio.app.slices import Sliced, Slices
from rfstudio.core.work import give_way, uninterrupted


def _count(steps: int, done: list[int]) -> Callable[[], int]:
    """Return work of so many steps that notes each of them."""

    def work() -> int:
        for step in range(steps):
            done.append(step)
            give_way()
        return steps

    return work


@pytest.fixture
def full_collections() -> Iterator[list[int]]:
    """Return a list to which each full garbage collection adds; they come soon."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            found.append(1)

    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(100, 2, 2)
    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)
    gc.set_threshold(*before)


@pytest.mark.parametrize("ends", ["done", "cancelled", "failed", "dropped"])
def test_that_no_full_collection_comes_until_a_computation_ends(
    full_collections: list[int], ends: str
) -> None:
    kept: list[list[int]] = []

    def work() -> None:
        for step in range(10):
            kept.extend([step] for _ in range(200_000))
            give_way()
        if ends == "failed":
            raise ValueError

    sliced = Sliced(work)
    for _ in range(10):
        sliced.run(0)
    assert not full_collections
    if ends == "cancelled":
        sliced.cancel()
    elif ends == "dropped":
        del sliced
    else:
        sliced.run()
    assert gc.get_threshold()[2] == 2


def test_that_a_slice_of_no_time_is_one_step() -> None:
    done: list[int] = []
    sliced = Sliced(_count(3, done))
    assert [(sliced.run(0), len(done)) for _ in range(4)] == [
        (False, 1),
        (False, 2),
        (False, 3),
        (True, 3),
    ]
    assert sliced.result() == 3


def test_that_nothing_is_done_between_the_slices_nor_after_the_end() -> None:
    done: list[int] = []
    sliced = Sliced(_count(1000, done))
    sliced.run(0)
    assert threading.active_count() > 1
    until = time.monotonic() + 0.02
    while time.monotonic() < until:
        assert len(done) == 1
    sliced.cancel()
    assert len(done) == 1
    assert not [x for x in threading.enumerate() if x.name == "rfstudio-slices"]


def test_that_dropping_the_last_reference_ends_the_work() -> None:
    sliced = Sliced(_count(1000, []))
    sliced.run(0)
    del sliced
    assert not [x for x in threading.enumerate() if x.name == "rfstudio-slices"]


def test_that_work_under_a_lock_is_not_interrupted() -> None:
    done: list[int] = []

    def work() -> None:
        with uninterrupted():
            _count(5, done)()
        give_way()

    sliced = Sliced(work)
    assert not sliced.run(0)
    assert len(done) == 5
    assert sliced.run(0)


def test_that_an_exception_is_raised_where_the_result_is_taken() -> None:
    def work() -> None:
        give_way()
        raise ValueError("no such thing")

    sliced = Sliced(work)
    assert sliced.run()
    with pytest.raises(ValueError, match="no such thing"):
        sliced.result()


def test_that_a_newer_computation_replaces_the_one_before(qtbot: QtBot) -> None:
    slices = Slices()
    found: list[int] = []
    slices.start(_count(10**9, []), found.append)
    with qtbot.waitSignal(slices.paused):
        pass
    slices.start(_count(2, []), found.append)
    qtbot.waitUntil(lambda: bool(found))
    assert found == [2]
    assert not slices.is_busy


def test_that_what_is_done_at_once_is_delivered_at_once() -> None:
    slices = Slices()
    found: list[int] = []
    assert slices.start(_count(2, []), found.append, at_once=True)
    assert found == [2]


def test_that_finishing_does_the_rest_now() -> None:
    slices = Slices()
    found: list[int] = []
    assert not slices.start(_count(5, []), found.append, wait=10_000)
    slices.finish()
    assert found == [5]


def test_that_suspended_work_ends_with_the_object_around_it(qtbot: QtBot) -> None:
    around = QObject()
    slices = Slices(around)
    slices.start(_count(10**9, []), print)
    with qtbot.waitSignal(slices.paused):
        pass
    around.deleteLater()
    qtbot.waitUntil(lambda: not [x for x in threading.enumerate() if x.name == "rfstudio-slices"])


@pytest.mark.parametrize("at_once", [True, False])
def test_that_nothing_of_a_result_is_kept_once_it_is_delivered(qtbot: QtBot, at_once: bool) -> None:
    class Found:
        """A large network, say."""

    made = Slices()
    found: list[weakref.ref[Found]] = []

    def work() -> Found:
        result = Found()
        found.append(weakref.ref(result))
        return result

    made.start(work, lambda _: None, at_once=at_once)
    qtbot.waitUntil(lambda: not made.is_busy)
    assert [x() for x in found] == [None]
