"""The canvas of a whole window: what people open, choose, crop, drag and zoom, all by hand."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from rfstudio.app.files.presets import read_preset
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import present
from tests.widgets.conftest import Answers, conv
from tests.widgets.hands import CONTROL, LEFT, NO_KEYS, SHIFT, Hands, turn

OpenWindow = Callable[..., MainWindow]


def slowly(*values: object) -> object:
    """Return parameters of a test that only long runs make."""
    return pytest.param(*values, marks=pytest.mark.slow)


# Where each preset opens, as the layer at its end; the cases named branches and gates.
ENDS = {
    "inception_v3": "Mixed_7c.concat",
    "efficientnet_b0": "head",
    "resnet50": "layer4.rest.1.conv3",
    "wavenet": "post2",
}


@pytest.mark.parametrize(
    "name",
    ["inception_v3", "efficientnet_b0", slowly("resnet50"), slowly("wavenet")],
)
def test_that_a_preset_of_the_menu_opens_on_its_end_with_its_row_and_its_frame_in_sight(
    open_window: OpenWindow, name: str
) -> None:
    hands = Hands(open_window())
    window = hands.window
    hands.preset(name)
    assert window.studio.selection.layer == ENDS[name]
    tree = window.stack.tree
    row = tree.visualRect(tree.currentIndex())
    assert not row.isEmpty()
    assert tree.viewport().rect().contains(row.center())
    assert window.inspector.title.text() == ENDS[name]
    view, scene = window.canvas.view, window.canvas.view.item.scene_shown
    assert view.box.viewRect().contains(present(scene.local or scene.theoretical))


@pytest.mark.parametrize("size", [3, slowly(10), slowly(61), slowly(1247), 1451])
def test_that_a_field_of_any_size_is_seen_and_fitted_with_f(
    open_window: OpenWindow, size: int
) -> None:
    op = ops.Conv(kernel_size=size, padding=size // 2, out_channels=3)
    layers = (conv("first"), Layer(op, "large"))
    hands = Hands(open_window(Architecture(name="n", input_size=(224, 224), layers=layers)))
    hands.layer("large")
    view, item = hands.window.canvas.view, hands.window.canvas.view.item
    frame = present(item.scene_shown.theoretical)
    assert frame.width() == size + 2
    assert view.box.viewRect().contains(frame)
    inset = item.inset(item.deviceTransform(view.viewportTransform()))
    if size == 3:  # it would be hidden under the cross
        place, part = present(inset)
        assert part.contains(frame)
        assert place.width() > 10 * frame.width()
    hands.canvas_key(Qt.Key.Key_F)
    shown = view.box.viewRect()
    assert shown.contains(frame)
    assert min(shown.width(), shown.height()) < 1.5 * frame.width() + 8
    hands.canvas_key(Qt.Key.Key_0)
    assert view.box.viewRect().contains(item.scene_shown.area)
    hands.menu("View", "Fit the field")
    assert min(view.box.viewRect().width(), view.box.viewRect().height()) < 2 * frame.width() + 8


def saved_image(folder: Path, width: int, height: int) -> Path:
    """Save an image whose left half is red and whose right half is green."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = pixels[:, width // 2 :, 1] = 200
    path = folder / "wide.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(("width", "height"), [(320, 180), slowly(180, 320)])
def test_that_a_photo_is_cropped_padded_or_stretched_as_the_menu_says_and_the_window_tells(
    open_window: OpenWindow, answers: Answers, qtbot: QtBot, tmp_path: Path, width: int, height: int
) -> None:
    hands = Hands(open_window())
    images = hands.window.studio.images
    answers.path = saved_image(tmp_path, width, height)
    with qtbot.waitSignal(images.opened):
        hands.menu("File", "Image", "Open image")
    assert f"“wide”, {width}×{height}, is cropped" in hands.status
    seen = {}
    shapes = hands.window.actions_.shapes
    for shape, word in (("pad", "padded"), ("stretch", "stretched"), ("crop", "cropped")):
        title = next(x.text() for name, x in shapes.items() if name == shape)
        hands.menu("File", "Image", title)
        assert f"is {word}" in hands.status
        photo = present(hands.window.canvas.view.item.scene_shown.photo)
        assert (photo.width(), photo.height()) == (32, 32)
        # The corner is red but where the photo is padded.
        seen[word] = photo.pixelColor(0, 0).red()
    assert seen["stretched"] > 150
    assert seen["cropped"] > 150
    assert seen["padded"] < 150
    again = Hands(open_window())
    assert again.window.studio.images.shape == "crop"


def signal_of(folder: Path, ending: str) -> Path:
    values = np.sin(np.arange(900) / 9)
    path = folder / f"tone{ending}"
    if ending == ".npy":
        np.save(path, values)
    elif ending == ".csv":
        path.write_text("\n".join(f"{x:.4f}" for x in values))
    else:
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes((9999 * values).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize("ending", [".wav", slowly(".npy"), slowly(".csv")])
def test_that_an_own_signal_is_opened_drawn_and_read_under_the_pointer(
    open_window: OpenWindow, answers: Answers, qtbot: QtBot, tmp_path: Path, ending: str
) -> None:
    hands = Hands(open_window(read_preset("tcn_1d")))
    images, canvas = hands.window.studio.images, hands.window.canvas
    answers.path = signal_of(tmp_path, ending)
    with qtbot.waitSignal(images.opened):
        hands.menu("File", "Signal", "Open signal")
    assert "“tone”, 900 samples, is cropped to the length of the input, 784" in hands.status
    assert canvas.view.item.scene_shown.signal is not None
    hands.canvas_key(Qt.Key.Key_L, CONTROL)
    hands.write(canvas.unit_line.line, "700")
    hands.come_back()
    at = canvas.view.viewport_point(QPointF(700, 0)).toPoint()
    for step in (40, 20, 0):
        QTest.mouseMove(canvas.view.viewport(), at - QPoint(step, 0))
        turn()
    assert "value " in hands.window.status.hover.text()
    assert "RGB" not in hands.window.status.hover.text()
    for text in (hands.caption, *hands.window.inspector.field.texts().values()):
        assert "px" not in text
    # A causal network: the unit is at the end of what it sees.
    scene = canvas.view.item.scene_shown
    assert present(scene.theoretical).right() == 700.5
    assert present(scene.marker).x() == 700
    hands.menu("File", "Signal", "No signal")
    assert canvas.view.item.scene_shown.signal is None


@pytest.mark.parametrize(
    ("preset", "title", "size"),
    [
        ("tcn_1d", "1024", (1024,)),
        slowly("alexnet", "512×1024", (512, 1024)),
        slowly("c3d", "32×224×224", (32, 224, 224)),
    ],
)
def test_that_the_size_of_the_input_is_chosen_in_the_toolbar_on_any_number_of_axes(
    open_window: OpenWindow, preset: str, title: str, size: tuple[int, ...]
) -> None:
    hands = Hands(open_window(read_preset(preset)))
    document, sizes = hands.window.studio.document, hands.window.actions_.input_sizes
    before = document.architecture
    hands.menu_of(sizes.button, title)
    assert document.architecture.input_size == size
    assert sizes.button.text() == f"{title} ▾"
    assert hands.window.canvas.view.item.scene_shown.area.width() == size[-1]
    hands.key(Qt.Key.Key_Z, CONTROL)
    assert document.architecture == before


def test_that_a_size_at_which_the_network_does_not_work_is_refused_in_the_toolbar(
    open_window: OpenWindow,
) -> None:
    hands = Hands(open_window(read_preset("vgg16")))
    sizes = hands.window.actions_.input_sizes
    hands.menu_of(sizes.button, "28×28")
    assert "does not work at 28 × 28" in hands.status
    assert sizes.button.text() == "224×224 ▾"


def test_that_fields_over_a_layer_are_in_words_without_pixels_everywhere(
    open_window: OpenWindow,
) -> None:
    hands = Hands(open_window())
    for preset, below, above in (("vgg16", "pool1", "conv4_1"), ("tcn_1d", None, None)):
        hands.preset(preset)
        layers = hands.window.studio.analysis.analysis.layers
        hands.layer(below or layers[2].name)
        hands.menu("View", "Fields relative to this layer")
        hands.layer(above or layers[-2].name)
        inspector = hands.window.inspector
        assert "none" not in inspector.field.texts()["size"]
        texts = [*inspector.field.texts().values(), *inspector.effective.texts().values()]
        for text in (hands.caption, *texts):
            assert " px" not in text, text
            assert "of the image" not in text, text
        hands.tab("Growth")
        assert "pixel" not in hands.window.growth.plot.getPlotItem().getAxis("left").labelText
        hands.menu("View", "Fields relative to the input")


def test_that_a_reference_behind_the_chosen_layer_is_said_and_breaks_nothing(
    open_window: OpenWindow,
) -> None:
    hands = Hands(open_window(read_preset("vgg16")))
    hands.layer("conv4_1")
    hands.menu("View", "Fields relative to this layer")
    hands.layer("pool1")
    hands.menu("View", "Batch norm as in training")
    assert "conv4_1" in hands.window.canvas.empty.text()
    for title in ("Growth", "Profile", "Numbers", "Compare", "Graph"):
        hands.tab(title)
    hands.canvas_key(Qt.Key.Key_Right)
    hands.canvas_key(Qt.Key.Key_P)
    hands.menu("View", "Batch norm as in training")
    hands.menu("View", "Fields relative to the input")
    assert not hands.window.canvas.empty.isVisible()


def test_that_a_volume_is_gone_through_by_slider_keys_and_the_map_of_its_units(
    open_window: OpenWindow,
) -> None:
    hands = Hands(open_window(read_preset("unet_3d")))
    canvas, selection = hands.window.canvas, hands.window.studio.selection
    slider = canvas.slices.slider
    at, unit = slider.value(), selection.unit
    slider.setFocus()
    hands.key(Qt.Key.Key_Right)
    assert slider.value() == at + 1
    assert selection.unit == unit
    assert canvas.slices.text.startswith(f"Slice z {at + 1} of")
    hands.canvas_key(Qt.Key.Key_PageDown)
    assert selection.unit[0] == unit[0] + 1
    inset = canvas.inset
    QTest.mouseClick(inset, LEFT, NO_KEYS, inset.point_of((*selection.unit[:1], 2, 3)).toPoint())
    assert selection.unit[1:] == (2, 3)
    hands.canvas_key(Qt.Key.Key_End, CONTROL)
    size = hands.window.studio.analysis.analysis[selection.layer].output_size
    assert selection.unit == tuple(n - 1 for n in size)


def test_that_nested_frames_have_labels_and_the_shading_a_scale_that_switches_hide(
    open_window: OpenWindow, qtbot: QtBot
) -> None:
    hands = Hands(open_window(read_preset("alexnet")))
    switches, item = hands.window.canvas.switches, hands.window.canvas.view.item
    hands.layer("conv5")
    qtbot.waitUntil(lambda: item.scene_shown.erf is not None)  # late on a busy machine
    for key, part in (("nested", "nested"), ("erf", "erf"), ("theoretical", "theoretical")):
        before = bool(getattr(item.scene_shown, part))
        hands.press(switches._buttons[key])
        assert bool(getattr(item.scene_shown, part)) is not before, key
        hands.press(switches._buttons[key])
        assert bool(getattr(item.scene_shown, part)) is before, key


def test_that_the_unit_follows_a_drag_over_the_picture_and_over_the_map_in_every_view(
    open_window: OpenWindow,
) -> None:
    hands = Hands(open_window())
    canvas, selection = hands.window.canvas, hands.window.studio.selection
    hands.layer("head")
    hands.tab("Profile")
    view = canvas.view.viewport()

    def over(x: int) -> QPoint:
        return canvas.view.viewport_point(QPointF(x, 10)).toPoint()

    hands.unit(10, 4)
    QTest.mousePress(view, LEFT, NO_KEYS, over(4))
    seen = []
    for x in (5, 9, 14, 20):
        QTest.mouseMove(view, over(x))
        turn(1)
        frame = present(canvas.view.item.scene_shown.theoretical)
        seen.append((selection.unit, frame.center().x()))
    QTest.mouseRelease(view, LEFT, NO_KEYS, over(20))
    assert seen == [((10, x), float(x)) for x in (5, 9, 14, 20)]
    inset = canvas.inset
    QTest.mousePress(inset, LEFT, NO_KEYS, inset.point_of((4, 4)).toPoint())
    QTest.mouseMove(inset, inset.point_of((25, 6)).toPoint())
    QTest.mouseRelease(inset, LEFT, NO_KEYS, inset.point_of((25, 6)).toPoint())
    assert selection.unit == (25, 6)
    assert hands.window.inspector.unit.texts()
    hands.canvas_key(Qt.Key.Key_Left, SHIFT)
    assert selection.unit == (25, 0)
