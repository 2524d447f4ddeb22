"""Long computations in slices: they take turns with the window, and end when dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

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
