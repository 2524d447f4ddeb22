"""The command palette beside the menus that it lists."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from rfstudio.app.files.presets import preset_sentence, read_preset
from rfstudio.widgets.window.destinations import additions, matching
from rfstudio.widgets.window.keys_dialog import KeysDialog
from rfstudio.widgets.window.main_window import MainWindow

_CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


def test_that_menus_survive_being_listed(window: MainWindow, qtbot: QtBot) -> None:
    """Fresh settings, Ctrl+Shift+P, Escape, File › Open recent: that was a crash."""
    palette = window.palette_
    for _ in range(2):
        qtbot.keyClick(window, Qt.Key.Key_P, _CTRL_SHIFT)
        assert palette.isVisible()
        assert palette.list.count() > 50
        qtbot.keyClick(palette.search, Qt.Key.Key_Escape)
        assert not palette.isVisible()
        window.actions_.keys.trigger()
        for dialog in window.findChildren(KeysDialog):
            dialog.close()
        gc.collect()
        file_menu = QMenu.menuInAction(window.menuBar().actions()[0])
        file_menu.popup(window.mapToGlobal(QPoint(0, 20)))
        recent = next(
            QMenu.menuInAction(x) for x in file_menu.actions() if x.text() == "Open recent"
        )
        recent.popup(window.mapToGlobal(QPoint(60, 40)))
        assert [x.text() for x in recent.actions()] == ["No files yet"]
        recent.close()
        file_menu.close()


@pytest.fixture
def deep(open_window: Callable[..., MainWindow]) -> MainWindow:
    return open_window(read_preset("resnet152"))


def test_that_filter_and_go_to_anything_find_copies_of_a_repeat_by_their_paths(
    deep: MainWindow, qtbot: QtBot
) -> None:
    panel, selection = deep.stack, deep.studio.selection
    for words in ("20.conv2", "layer3.rest.20.conv2"):
        selection.select_layer("conv1")
        panel.filter_line.setText(words)
        assert not panel._empty.isVisible()
        qtbot.keyClick(panel.filter_line, Qt.Key.Key_Return)
        assert selection.layer == "layer3.rest.20.conv2"
    panel.filter_line.setText("layer3.rest.20")
    assert not panel._empty.isVisible()
    panel.filter_line.clear()

    selection.select_layer("conv1")
    palette = deep.palette_
    qtbot.keyClick(deep, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert palette.isVisible()
    qtbot.keyClicks(palette.search, "rest.20.conv2")
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert not palette.isVisible()
    assert selection.layer == "layer3.rest.20.conv2"


def test_that_go_to_anything_adds_by_other_names_opens_presets_and_switches(
    window: MainWindow, qtbot: QtBot
) -> None:
    palette = window.palette_

    def go(words: str) -> None:
        qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
        qtbot.keyClicks(palette.search, words)
        qtbot.keyClick(palette.search, Qt.Key.Key_Return)

    window.studio.selection.select_layer("stem")
    go("batchnorm")
    assert window.studio.selection.layer == "batch_norm1"
    nested = window.canvas.switches.is_on("nested")
    go("all layers")
    assert window.canvas.switches.is_on("nested") is not nested
    window.actions_.undo.trigger()
    go("long et al.")  # a part of the sentence of presets
    assert window.studio.document.architecture.name.startswith("FCN")
    qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClicks(palette.search, "no such thing")
    assert palette.empty.isVisible()
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    qtbot.keyClick(palette.search, Qt.Key.Key_Escape)
    assert not palette.isVisible()


# What a user types, and what must be among the first three.
TYPED = {
    "growth": "Growth",
    "section": "Profile",
    "graph": "Graph",
    "metrics": "Numbers",
    "warnings": "Problems",
    "dark mode": "Dark",
    "undo": "Undo",
    "screenshot": "Copy picture",
    "shortcuts": "Keys",
    "glossary": "Documentation",
    "onnx": "Open model",
    "kernel size": "kernel size of head",
    "closed form": "Closed form",
    "zoom": "Fit the field",
    "reference": "Fields",
    "advise": "Advise",
    "tiles": "Tiles",
    "atrous": "Add conv",
    "theoretical": "Theoretical",
    "vgg16": "vgg16",
}


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("pixelshuffle", "pixel_shuffle"),
        ("PixelUnshuffle", "pixel_unshuffle"),
        ("layernorm", "layer_norm"),
        ("upconv", "conv_transpose"),
        ("pixel shuffle", "pixel_shuffle"),
    ],
)
def test_that_what_can_be_added_is_found_by_its_name_in_one_word(words: str, kind: str) -> None:
    found = matching(additions(lambda _keyword: None), words)
    assert f"Add {kind}" in [x.text for x in found]


def test_that_go_to_anything_finds_what_the_window_shows(window: MainWindow) -> None:
    window.studio.selection.select_layer("head")
    palette = window.palette_
    palette.go_to_anything()
    for words, wanted in TYPED.items():
        palette.search.setText(words)
        assert any(wanted in x for x in palette.texts()[:3]), (words, palette.texts()[:5])
    palette.hide()


def test_that_no_two_things_that_can_be_set_have_one_name(window: MainWindow) -> None:
    window.studio.selection.select_layer("head")
    palette = window.palette_
    palette.go_to_anything()
    palette.search.setText("set head")
    texts = [x for x in palette.texts() if x.endswith("of head")]
    assert len(texts) > 10
    assert len(set(texts)) == len(texts)
    assert "weights of head" in texts
    assert "stride, one value per axis of head" in texts
    palette.hide()


def test_that_go_to_anything_shows_panels_and_moves_into_fields(
    window: MainWindow, qtbot: QtBot
) -> None:
    palette = window.palette_

    def go(words: str) -> None:
        palette.go_to_anything()
        palette.search.setText(words)
        qtbot.keyClick(palette.search, Qt.Key.Key_Return)

    window.studio.selection.select_layer("head")
    window.tabs.fold()
    go("growth")
    assert window.growth.isVisible()
    go("closed form")
    assert window.inspector.closed_form.block.isVisible()
    go("kernel size")
    focus = window.focusWidget()
    assert focus is not None
    assert window.inspector.form.isAncestorOf(focus)


def test_that_the_sentences_of_presets_are_those_of_their_files() -> None:
    for name in ("vgg16", "wavenet"):
        network = read_preset(name)
        assert preset_sentence(name).startswith(f"{network.name}: ")
        assert preset_sentence(name).split(": ", 1)[1] in network.description
