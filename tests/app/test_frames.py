"""Parts of a window follow a change rank after rank, also while changes keep coming."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from rfstudio.app.frames import PATIENCE, Frames, Rank, Work, at_once


def test_that_without_frames_a_part_follows_at_once() -> None:
    done: list[str] = []
    at_once(Rank.CHARTS, partial(done.append, "chart"))
    assert done == ["chart"]


def test_that_numbers_follow_before_charts_and_each_once(qtbot: QtBot) -> None:
    frames = Frames()
    done: list[str] = []
    chart = partial(done.append, "chart")

    def number() -> None:
        done.append("number")
        QTimer.singleShot(0, partial(done.append, "other events"))

    charts: tuple[Rank, Work] = Rank.CHARTS, chart
    for rank, work in (charts, (Rank.NUMBERS, number), charts):
        frames.later(rank, work)
    assert frames.is_busy
    assert not done
    qtbot.waitUntil(lambda: not frames.is_busy)
    assert done == ["number", "other events", "chart"]  # the charts have a frame of their own


def test_that_all_follow_while_changes_keep_coming(qtbot: QtBot) -> None:
    frames = Frames()
    done: list[str] = []
    chart, number = partial(done.append, "chart"), partial(done.append, "number")
    for _ in range(3 * PATIENCE):
        frames.later(Rank.NUMBERS, number)
        frames.later(Rank.CHARTS, chart)
        frames.rest()
        qtbot.wait(1)
    assert {"number", "chart"} <= set(done)
    assert len(done) < 3 * PATIENCE


def test_that_settling_leaves_nothing_to_wait_for(qtbot: QtBot) -> None:
    frames = Frames()
    done: list[str] = []

    def ask_for_more() -> None:
        done.append("number")
        frames.later(Rank.CHARTS, partial(done.append, "asked for by a number"))

    frames.later(Rank.NUMBERS, ask_for_more)
    frames.settle()
    assert done == ["number", "asked for by a number"]
    qtbot.wait(30)
    assert len(done) == 2
