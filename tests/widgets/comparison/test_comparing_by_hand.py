"""Networks, layers, units and edits held beside each other, with the mouse and the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.files.figure_settings import FigureSettings
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.importing.imported import Imported
from rfstudio.widgets.window.main_window import MainWindow
from tests.measurements import FakeRunner, result_of
from tests.narrowing import present
from tests.widgets.conftest import Answers, conv
from tests.widgets.hands import CONTROL, SHIFT, Hands

NETWORK = (
    "format: 1\nname: {name}\ninput: {{size: [32, 32], channels: 3}}\nlayers:\n"
    "  - conv: {{name: one, kernel_size: {kernel}, padding: {padding}, out_channels: 4}}\n"
)


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner()


@pytest.fixture
def hands(open_window: Callable[..., MainWindow], runner: FakeRunner) -> Hands:
    return Hands(open_window(runner=runner))


def network_file(folder: Path, name: str, kernel: int) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(NETWORK.format(name=name, kernel=kernel, padding=kernel // 2))
    return path


def pins(hands: Hands) -> list[str]:
    return [x.text for x in hands.window.studio.pins]


def frames(hands: Hands) -> dict[str, float]:
    """The letters of the pins on the picture, and the widths of their frames."""
    return {x.letter: x.rect.width() for x in hands.window.canvas.view.item.scene_shown.pins}


def networks(hands: Hands) -> tuple[str, ...]:
    return hands.window.growth.networks


def compared(hands: Hands, row: str) -> list[str]:
    hands.tab("Compare")
    return hands.window.comparison.texts()[row]


def curve(hands: Hands, network: str, kind: str = "size") -> list[float]:
    found: list[float] = hands.window.growth._curves[network, kind].y.tolist()
    return found


# --- before and after an edit --------------------------------------------------------------------


def test_that_a_pin_is_held_against_the_network_that_is_edited_later(hands: Hands) -> None:
    hands.tab("Growth")
    hands.layer("head")
    hands.canvas_key(Qt.Key.Key_P)
    hands.tab("Growth")
    assert not networks(hands)  # it is the network that is drawn
    hands.row((0,))
    hands.number("kernel_size", 7)
    hands.layer("head")
    # 7 + 4 · 2 + 2 = 17 pixels beside 3 + 4 · 2 + 2 = 13.
    assert compared(hands, "field size") == ["17×17", "13×13   (−4)"]
    assert frames(hands) == {"A": 13}
    assert "17×17 px\nA  13×13 px  ▼" in hands.window.inspector.field.texts()["size"]
    assert "Field A" in [x.title for x in hands.window.table.layers.columns]
    hands.tab("Profile")
    assert "pin A" in hands.window.profile._plots[0].values
    hands.tab("Growth")
    (name,) = networks(hands)
    assert name in hands.legend
    assert curve(hands, name)[:2] == [3, 5]
    assert curve(hands, "")[:2] == [7, 9]
    hands.key(Qt.Key.Key_Z, CONTROL)
    assert not networks(hands)
    assert name not in hands.legend


def test_that_figures_have_the_curve_of_a_pin_while_the_chart_is_hidden(hands: Hands) -> None:
    hands.tab("Table")
    hands.canvas_key(Qt.Key.Key_P)
    hands.row((0,))
    hands.number("kernel_size", 5)
    text = hands.window.files.drawing(FigureSettings("growth"))(".svg").decode()
    assert "A: head" in text


@pytest.mark.parametrize("way", ["key", "menu", "chart"])
def test_that_before_my_edit_is_one_step_from_keys_menu_and_chart(hands: Hands, way: str) -> None:
    hands.row((0,))
    hands.number("kernel_size", 9)
    if way == "key":
        hands.canvas_key(Qt.Key.Key_P, SHIFT)
    elif way == "menu":
        hands.menu("View", "Pin the network before my edit")
    else:
        hands.tab("Growth")
        hands.menu_of(hands.window.growth.compare, "The network before my edit")
    assert pins(hands)[0].startswith("A: stem")
    assert compared(hands, "field size") == ["9×9", "3×3   (−6)"]
    hands.tab("Growth")
    assert len(hands.window.growth.networks) == 1
    assert frames(hands) == {"A": 3}
    hands.menu("View", "Remove all pins")
    assert frames(hands) == {}
    assert not networks(hands)


def test_that_a_pin_outlives_its_layer_and_its_network(hands: Hands) -> None:
    hands.row((0,))
    hands.canvas_key(Qt.Key.Key_P)
    hands.tree_key(Qt.Key.Key_Delete)
    hands.layer("head")
    assert frames(hands) == {"A": 3}
    assert compared(hands, "layer") == ["head", "stem"]
    hands.row((1,))  # what was behind the stem's stage
    hands.canvas_key(Qt.Key.Key_P, SHIFT)
    assert compared(hands, "layer")[2] == "head"
    hands.key(Qt.Key.Key_Z, CONTROL)
    hands.row((0,))
    hands.tree_key(Qt.Key.Key_Insert)
    hands.write(hands.window.stack.picker.search, "conv")
    hands.canvas_key(Qt.Key.Key_P, SHIFT)
    assert "was not there before the last edit" in hands.status
    for title in ("Table", "Growth", "Profile", "Compare", "Numbers", "Graph"):
        hands.tab(title)
    assert [x[0] for x in pins(hands)] == ["A", "B"]


# --- expected and measured -----------------------------------------------------------------------


def test_that_measured_minus_expected_is_shown_everywhere(hands: Hands, runner: FakeRunner) -> None:
    hands.layer("head")
    hands.unit(16, 16)
    hands.canvas_key(Qt.Key.Key_P)
    hands.canvas_key(Qt.Key.Key_M, CONTROL)
    values = np.random.default_rng(0).random((32, 32))
    runner.jobs[-1].succeeded.emit(result_of("head", (16, 16), values))
    hands.menu("View", "Pin A minus this unit")
    assert "pin A (expected) minus the chosen unit (measured)" in hands.caption
    assert present(hands.window.canvas.view.item.scene_shown.erf).is_signed
    own, pin = compared(hands, "effective field")
    assert (own, pin.split()[0]) == ("measured (energy, 8 samples)", "expected")
    hands.tab("Profile")
    assert {"expected", "measured", "pin A"} <= set(hands.window.profile._plots[0].values)
    hands.canvas_key(Qt.Key.Key_Right)
    assert "minus the chosen unit (expected)" in hands.caption
    hands.canvas_key(Qt.Key.Key_Left)
    assert "minus the chosen unit (measured)" in hands.caption
    hands.menu("View", "Pin A minus this unit")
    assert "minus" not in hands.caption


# --- networks of all kinds -----------------------------------------------------------------------


def test_that_two_presets_are_held_beside_each_other(hands: Hands) -> None:
    hands.preset("alexnet")
    hands.layer("conv5")
    hands.canvas_key(Qt.Key.Key_P)
    hands.preset("vgg16")
    hands.layer("conv3_1")
    # 163 and 24 pixels, as published.
    assert compared(hands, "field size") == ["24×24", "163×163   (+139)"]
    assert frames(hands) == {"A": 163}
    (column,) = [x for x in hands.window.table.layers.columns if x.title == "Field A"]
    assert "at the same depth" in column.meaning
    hands.tab("Growth")
    (name,) = networks(hands)
    assert curve(hands, name)[0] == 19  # conv1 of 11 and a pool of 3 at jump 4: 11 + 2 · 4
    hands.press(hands.window.growth.log)
    slopes = [x for x in hands.legend if "slope" in x]
    assert [x.split(":")[0] for x in slopes] == ["VGG-16", "A"]


def test_that_the_effective_sizes_of_all_networks_are_drawn_with_their_slopes(
    hands: Hands, answers: Answers, qtbot: QtBot, tmp_path: Path
) -> None:
    growth = hands.window.growth
    hands.tab("Growth")
    hands.press(growth.erf)
    hands.press(growth.log)
    for folder in ("one", "two"):
        answers.path = network_file(tmp_path / folder, "net", 3 if folder == "one" else 9)
        hands.menu_of(growth.compare, "A file")
    assert networks(hands) == ("net", "net (2)")  # neither takes the place of the other
    qtbot.waitUntil(lambda: all(growth._sizes_of.get(x) for x in growth.networks))
    # A kernel alone: all its pixels alike.
    assert [growth._sizes_of[x][1] for x in growth.networks] == pytest.approx([3, 9])
    assert np.isfinite(curve(hands, "net (2)", "erf")).any()
    hands.menu_of(growth.compare, "A file")
    assert networks(hands) == ("net", "net (2)")  # the same file once more
    hands.menu_of(growth.compare, "Nothing")
    assert not networks(hands)
    hands.press(growth.log)
    hands.press(growth.erf)


def test_that_a_file_that_is_called_as_a_preset_is_not_taken_for_it(
    hands: Hands, answers: Answers, tmp_path: Path
) -> None:
    growth = hands.window.growth
    answers.path = network_file(tmp_path, "alexnet", 5)
    hands.tab("Growth")
    hands.menu_of(growth.compare, "A file")
    said = hands.window.files.copy_figure(FigureSettings("growth"), "python")
    assert "copied" in said
    text = QGuiApplication.clipboard().text()
    assert "name: alexnet" in text  # the network of the file itself
    assert "kernel_size: 5" in text
    hands.menu_of(growth.compare, "VGG and AlexNet", "alexnet")
    assert networks(hands) == ("alexnet", "alexnet (2)")
    hands.menu_of(growth.compare, "VGG and AlexNet", "alexnet")
    assert networks(hands) == ("alexnet",)
    assert curve(hands, "alexnet") == [5]


def test_that_an_imported_model_is_compared_with_without_being_opened(
    hands: Hands, answers: Answers, runner: FakeRunner, tmp_path: Path
) -> None:
    growth = hands.window.growth
    answers.path = tmp_path / "model.onnx"
    answers.path.touch()
    hands.tab("Growth")
    hands.menu_of(growth.compare, "A file")
    imported = Imported("model", "", "", (32, 32), 3, (conv("one", 5),))
    runner.jobs[-1].succeeded.emit(imported)
    runner.jobs[-1].finished.emit()
    hands.come_back()
    assert networks(hands) == ("model",)
    assert hands.window.studio.document.architecture.name == "small"
    assert curve(hands, "model") == [5]
    # One that fails says why, and the next one that is opened is opened.
    hands.menu_of(growth.compare, "A file")
    runner.jobs[-1].failed.emit(RFStudioError("it is no model"))
    runner.jobs[-1].finished.emit()
    hands.come_back()
    assert answers.reports[-1] == ("“model.onnx” was not imported.", "it is no model")
    hands.key(Qt.Key.Key_O, CONTROL)
    runner.jobs[-1].succeeded.emit(imported)
    runner.jobs[-1].finished.emit()
    hands.come_back()
    assert hands.window.studio.document.architecture.name == "model"
    assert networks(hands) == ("model",)


def test_that_a_pinned_image_beside_a_signal_has_words_and_no_difference(hands: Hands) -> None:
    hands.canvas_key(Qt.Key.Key_P)
    hands.preset("tcn_1d")
    assert compared(hands, "fields in") == ["samples of the signal", "pixels of the image"]
    for row in ("field size", "jump", "effective size"):
        assert "(" not in "".join(compared(hands, row))
    # The pinned padding is less, but of pixels.
    assert hands.window.inspector.field.texts()["padding"] == "3060 samples\nA  6 px  ≠"
    assert frames(hands) == {}
    hands.menu("View", "Pin A minus this unit")
    assert "its field is over the image, that of the chosen unit over the signal" in hands.caption
    hands.menu("View", "Pin A minus this unit")
    hands.tab("Growth")
    assert len(hands.window.growth.networks) == 1


def test_that_fields_over_a_layer_are_not_held_against_those_over_the_image(hands: Hands) -> None:
    hands.layer("head")
    hands.canvas_key(Qt.Key.Key_P)
    assert "fields in" not in hands.window.comparison.texts()
    hands.layer("stem")
    hands.menu("View", "Fields relative to this layer")  # its map has the size of the image
    hands.layer("head")
    hands.unit(10, 10)
    assert frames(hands) == {}
    hands.menu("View", "Pin A minus this unit")
    assert "its field is over the image" in hands.caption
    assert "over the map of stem" in hands.caption
    hands.menu("View", "Pin A minus this unit")
    hands.tab("Profile")
    assert "pin A" not in hands.window.profile._plots[0].values
    assert compared(hands, "fields in") == ["samples of the map of stem", "pixels of the image"]
    assert compared(hands, "field size") == ["11×11", "13×13"]
    with pytest.raises(RFStudioError, match="over the image, the other over the map of stem"):
        hands.window.files.drawing(FigureSettings("difference"))(".svg")
    hands.canvas_key(Qt.Key.Key_P)
    assert frames(hands) == {"B": 11}
    hands.menu("View", "Fields relative to the input")
    assert frames(hands) == {"A": 13}


def test_that_four_pins_have_four_places_and_a_fifth_is_refused(
    open_window: Callable[..., MainWindow],
) -> None:
    layers = (conv("a"), conv("b"), conv("c"), conv("d"), conv("e"))
    network = Architecture(name="five", input_size=(32, 32), layers=layers)
    hands = Hands(open_window(network))
    for name in "abcde":
        hands.layer(name)
        hands.canvas_key(Qt.Key.Key_P)
    assert "four units are pinned already" in hands.status.lower()
    assert frames(hands) == {"A": 3, "B": 5, "C": 7, "D": 9}
    assert compared(hands, "layer") == ["e", "a", "b", "c", "d"]
    places = {x.place for x in hands.window.canvas.view.item.scene_shown.pins}
    assert len(places) == 4
    hands.press(hands.window.comparison.clear)
    assert frames(hands) == {}
