"""Parts of the inspector that are closed at first."""

from __future__ import annotations

import re

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer


def test_that_a_click_opens_the_closed_form_and_the_next_start_remembers_it(
    qtbot: QtBot, open_window, settings
) -> None:
    window = open_window()
    fold = window.inspector.closed_form
    assert not fold.block.isVisible()
    qtbot.mouseClick(fold.button, Qt.MouseButton.LeftButton)
    assert fold.block.isVisible()
    window.studio.selection.select_layer("head")
    # By hand: six 3×3 layers of stride 1.
    assert fold.block.texts()["size"] == "r = 1 + Σ d·(k − 1)·S = 1 + 1·(6×2) = 13"
    assert settings.flag("inspector/closed_form", False)
    qtbot.keyClick(fold.button, Qt.Key.Key_Space)
    assert not fold.block.isVisible()


def test_that_every_fold_is_in_the_panel_and_follows_the_layer(qtbot: QtBot, open_window) -> None:
    window = open_window()
    inspector = window.inspector
    for fold in (
        inspector.closed_form,
        inspector.other_numbers,
        inspector.paths,
        inspector.other_sizes,
    ):
        assert inspector.widget().isAncestorOf(fold)
        qtbot.mouseClick(fold.button, Qt.MouseButton.LeftButton)
        assert fold.block.isVisible()
    window.studio.selection.select_layer("stem")
    assert inspector.paths.block.texts()["paths"] == "1, 1 layer long in the mean"
    assert "centre" in inspector.other_numbers.block.texts()
    window.studio.selection.select_layer("head")
    # By hand: six 3×3 layers see 13 pixels, and the effective field is smaller.
    assert inspector.other_sizes.block.texts()["ERF size"].startswith("13: the theoretical field")


def test_that_phases_are_a_chart_of_shares_with_a_remark(qtbot: QtBot, open_window) -> None:
    stem = ops.Conv(kernel_size=3, stride=2, padding=1, out_channels=4)
    layers = (Layer(stem, "stem"), Layer(ops.Conv(kernel_size=3, out_channels=4), "b"))
    window = open_window(Architecture(name="n", input_size=(32, 32), layers=layers))
    fold = window.inspector.phases
    assert not fold.grid.isVisible()
    qtbot.mouseClick(fold.button, Qt.MouseButton.LeftButton)
    assert fold.grid.isVisible()
    # By hand: a window of 3 at stride 2 reads one class of rows twice as often as the other, so
    # 4 : 2 : 2 : 1 of the pixels, and the energy of every tap is the same.
    assert fold.grid.tables[0].max() == pytest.approx(4 / 9)
    assert fold.grid.tables[0].sum() == pytest.approx(1)
    assert fold.grid.tables[1].shape == (4, 4)
    assert fold.block.texts()["modulo 2"] == "4"
    assert "times the effect" in fold.block.texts()["remark"]


def test_that_folds_speak_of_samples_on_a_signal(qtbot: QtBot, open_window) -> None:
    causal = ops.Conv(kernel_size=3, padding=((2, 0),), out_channels=4)
    network = Architecture(
        name="n", input_size=(32,), layers=(Layer(causal, "a"), Layer(causal, "b"))
    )
    inspector = open_window(network).inspector
    texts = ""
    for fold in (inspector.closed_form, inspector.other_numbers, inspector.paths):
        fold.button.click()
    qtbot.waitUntil(lambda: "…" not in inspector.paths.block.texts())
    for fold in (inspector.closed_form, inspector.other_numbers, inspector.paths):
        texts += " ".join(fold.block.texts().values())
    assert "sample" in texts
    assert not {"px", "pixel", "pixels", "image"} & set(re.findall(r"\w+", texts))
