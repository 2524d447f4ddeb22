"""Pictures of the window: small ones at once, large ones beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from pytestqt.qtbot import QtBot

from rfstudio.app.state.image_source import SHAPES, ImageSource, sample_images
from tests.narrowing import present


def test_that_a_small_picture_is_shown_at_once(qtbot: QtBot) -> None:
    source = ImageSource()
    with qtbot.waitSignal(source.opened):
        source.open_later(sample_images()[0])
    assert source.picture is not None


def test_that_a_large_picture_is_decoded_beside_the_window(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "large.gif"
    Pillow.new("P", (9000, 9000)).save(path)
    source = ImageSource()
    with qtbot.waitSignal(source.opened) as shown:
        source.open_later(path)
        assert source.picture is None
    assert shown.args == [path]
    assert present(source.picture).path == path
    source.open_later(path)
    source.open(sample_images()[0])
    source.wait()
    assert present(source.picture).path == sample_images()[0]


def test_that_what_cannot_be_decoded_is_told(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    Pillow.effect_noise((1500, 1500), 9).save(path)
    path.write_bytes(path.read_bytes()[:9000])
    source = ImageSource()
    with qtbot.waitSignal(source.failed) as told:
        source.open_later(path)
    assert told.args[0] == path
    assert "damaged" in str(told.args[1])
    source.wait()
    with qtbot.waitSignal(source.failed):
        source.open_later(tmp_path / "none.png")


def test_that_a_wide_photo_is_cropped_padded_or_stretched_to_the_input(
    qtbot: QtBot, tmp_path: Path
) -> None:
    # A red square in the middle of a 16:9 photo stays a square, unless it is stretched.
    pixels = np.zeros((90, 160, 3), np.uint8)
    pixels[40:50, 75:85] = (255, 0, 0)
    path = tmp_path / "wide.png"
    Pillow.fromarray(pixels).save(path)
    source = ImageSource()
    source.set_size((32, 32))
    source.open(path)
    assert source.change == "cropped"
    assert np.array_equal(present(source.pixels), pixels[:, 35:125])
    with qtbot.waitSignal(source.image_changed):
        source.set_shape("pad")
    padded = present(source.pixels)
    assert padded.shape == (160, 160, 3)
    assert np.array_equal(padded[35:125], pixels)
    assert not np.array_equal(padded[0, 0], (0, 0, 0))
    source.set_shape("stretch")
    assert np.array_equal(present(source.pixels), pixels)
    assert source.change == "stretched"
    source.set_shape("crop")
    source.set_size((90, 160))
    assert source.change == ""
    assert np.array_equal(present(source.pixels), pixels)
    source.set_size((64, 16))  # a tall input
    assert present(source.pixels).shape == (90, 22, 3)
    source.set_size((100,))  # a signal takes the photo as it is
    assert np.array_equal(present(source.pixels), pixels)


def test_that_what_is_done_to_a_signal_is_told_as_it_is(tmp_path: Path) -> None:
    for samples, words in ((20, ["cropped"] * 2), (4, ["padded"] * 2)):
        np.save(tmp_path / "signal.npy", np.arange(samples, dtype=float))
        source = ImageSource()
        source.set_size((8,))
        source.open(tmp_path / "signal.npy")
        found = []
        for shape in SHAPES:
            source.set_shape(shape)
            found.append(source.change)
        assert found == [*words, "stretched"]
