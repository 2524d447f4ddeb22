"""No slow field holds up the event loop: it arrives after the frame, or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from rfstudio.app import slices
from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.app.files.presets import read_preset
from rfstudio.core import work
from rfstudio.core.memo import forget
from rfstudio.widgets.window.main_window import MainWindow


def turns_until(
    qtbot: QtBot, is_over: Callable[[], bool], clock: Callable[[], float] = time.process_time
) -> list[float]:
    """Return the time of each turn of the event loop until something has happened.

    It is that of the processor, unless there is another clock.
    """
    found: list[float] = []
    while not is_over():
        started = clock()
        with qtbot.waitCallback() as turned:
            QTimer.singleShot(0, turned)
        found.append(clock() - started)
        assert len(found) < 5000
    return found


def _has_field(window: MainWindow) -> bool:
    return window.canvas.effective_field is not None


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slow field be late, as it is in the program."""
    monkeypatch.setattr(slices, "AT_ONCE", 0.0001)
    monkeypatch.setattr(EXPECTED, "seconds", 0.0)
    forget()


@pytest.mark.usefixtures("hurried")
def test_that_a_field_that_is_late_is_drawn_whole_after_the_frame(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.studio.selection.select_unit((1, 2))
    assert not _has_field(window)
    assert "being worked out…" in window.inspector._note.text()
    qtbot.waitUntil(lambda: _has_field(window))
    assert "size" in window.inspector.effective.texts()


@pytest.mark.usefixtures("hurried")
def test_that_the_field_of_a_unit_that_was_left_is_given_up(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.studio.selection.select_unit((1, 2))
    window.studio.selection.select_unit((2, 1))
    qtbot.waitUntil(lambda: _has_field(window))
    analysis, chosen = window.studio.selection.shown
    assert chosen.unit == (2, 1)
    assert not EXPECTED.knows(analysis, chosen.layer, (1, 2))


class _WorkClock:
    """A clock that goes on with what the threads of slices do, alike on every machine.

    An entry of an array that is counted, and a call, take as long as on a fast laptop.
    """

    _PER_ENTRY = 1e-9
    _PER_CALL = 5e-7

    def __init__(self) -> None:
        self.seconds = 0.0
        self._budget: work.Budget | None = None
        self._spent = 0.0

    def thread_time(self) -> float:
        """Return the time."""
        budget = work._CURRENT.get()
        if budget is not None:
            before = self._spent if budget is self._budget else 0.0
            self._budget, self._spent = budget, budget.spent
            self.seconds += self._PER_ENTRY * (budget.spent - before)
        return self.seconds

    def note_call(self, _frame: object, event: str, _of: object) -> None:
        """Go on by what a call takes, as a profiler."""
        self.seconds += self._PER_CALL * (event in ("call", "c_call"))


@pytest.fixture
def work_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[_WorkClock]:
    """Let slices be as long as this clock says."""
    clock = _WorkClock()
    monkeypatch.setattr(slices, "time", clock)
    threading.setprofile(clock.note_call)
    yield clock
    threading.setprofile(None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inception_resnet_v2", "efficientnet_b0", "cyclegan"])
def test_that_no_turn_of_the_event_loop_waits_for_a_slow_field(
    open_window: Callable,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    work_clock: _WorkClock,
    name: str,
) -> None:
    window = open_window(read_preset(name))
    window.studio.selection.select_layer(window.studio.analysis.analysis.layers[-1].name)
    turns_until(qtbot, lambda: _has_field(window))
    analysis = window.studio.analysis
    monkeypatch.setattr(slices, "AT_ONCE", 0.03)
    monkeypatch.setattr(EXPECTED, "seconds", 0.0)
    forget()
    # The same network, all of whose caches are empty: nothing else is to be painted or laid out.
    analysis._views.clear()
    begun = work_clock.seconds
    window.studio.erf._change()
    assert not _has_field(window)
    assert work_clock.seconds - begun < 0.05
    turns = turns_until(qtbot, lambda: _has_field(window), work_clock.thread_time)
    assert max(turns) < 0.03
    assert len(turns) > 3
