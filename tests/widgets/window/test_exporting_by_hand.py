"""Figures of comparisons: chosen in the dialog by keys, seen, and written as they were seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.effective import expected_fields
from rfstudio.widgets.window.figure_dialog import FigureDialog
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.questions import Questions
from tests.widgets.hands import CONTROL, LEFT, Hands


@pytest.fixture
def hands(open_window: Callable[..., MainWindow]) -> Hands:
    hands = Hands(open_window())
    hands.window.files.questions = Questions()
    return hands


@pytest.mark.slow
def test_that_pins_of_two_networks_are_exported_as_small_multiples(
    hands: Hands, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "comparison.svg"
    monkeypatch.setattr(Questions, "path_to_save", lambda *_: path)
    hands.preset("alexnet")
    hands.layer("conv5")
    hands.canvas_key(Qt.Key.Key_P)
    hands.layer("conv2")
    hands.canvas_key(Qt.Key.Key_P)
    hands.preset("vgg11")
    hands.layer("conv3_1")
    seen: list[bytes] = []

    def write_once_seen() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, FigureDialog)
        if not dialog.picture or dialog.chosen.content != "comparison":
            QTimer.singleShot(5, write_once_seen)
            return
        seen.append(dialog.picture)
        QTest.mouseClick(dialog.choose, LEFT)

    def choose_kind() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, FigureDialog)
        at = dialog.content.findData("comparison")
        QTest.keyClick(dialog.content, Qt.Key.Key_Home)
        for _ in range(at):
            QTest.keyClick(dialog.content, Qt.Key.Key_Down)
        assert dialog.chosen.content == "comparison"
        write_once_seen()

    QTimer.singleShot(0, choose_kind)
    with qtbot.waitSignal(hands.window.files.writing.written, timeout=60_000):
        hands.key(Qt.Key.Key_E, CONTROL)
    assert seen[0].startswith(b"\x89PNG")  # what was seen
    text = path.read_text()
    for words in ("AlexNet", "VGG-11", "conv5", "conv2", "conv3_1"):
        assert words in text, words
    assert "Wrote comparison.svg" in hands.status


def test_that_a_field_that_is_too_large_to_show_is_said_in_the_window(
    open_window: Callable[..., MainWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected_fields, "LIVE_LAYERS", 1)
    hands = Hands(open_window())
    hands.layer("head")
    assert "too large to show live; measure it" in hands.caption
    hands.row((0,))
    hands.number("kernel_size", 5)
    assert "too large to show live" in hands.caption
    hands.tab("Profile")
    assert "too large to show live" in hands.window.profile.message.text()
    hands.tab("Numbers")
    assert hands.window.numbers.empty.isVisible()
    hands.canvas_key(Qt.Key.Key_P)
    assert hands.window.studio.pins
    hands.canvas_key(Qt.Key.Key_Right)
    hands.menu("View", "Pin A minus this unit")
    assert "no effective field to subtract" in hands.caption
    hands.menu("View", "Pin A minus this unit")
