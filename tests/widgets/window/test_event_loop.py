"""No slow field holds up the event loop: it arrives after the frame, or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from rfstudio.app import slices
from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.app.files.presets import read_preset
from rfstudio.core.memo import forget
from rfstudio.widgets.window.main_window import MainWindow


def turns_until(qtbot: QtBot, is_over: Callable[[], bool]) -> list[float]:
    """Return the processor time of each turn of the event loop until something has happened."""
    found: list[float] = []
    while not is_over():
        started = time.process_time()
        with qtbot.waitCallback() as turned:
            QTimer.singleShot(0, turned)
        found.append(time.process_time() - started)
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
    assert window.inspector._note.text() == "Being worked out…"
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


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.parametrize("name", ["inception_resnet_v2", "efficientnet_b0", "cyclegan"])
def test_that_no_turn_of_the_event_loop_waits_for_a_slow_field(
    open_window: Callable, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, name: str
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
    window.studio.erf._change()
    assert not _has_field(window)
    turns = turns_until(qtbot, lambda: _has_field(window))
    # The last turn paints the field.
    assert max(turns[1:-1]) < 0.05
    assert len(turns) > 3
