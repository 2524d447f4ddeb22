"""Pictures of the window: small ones at once, large ones beside it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image as Pillow
from pytestqt.qtbot import QtBot

from rfstudio.app.state.image_source import ImageSource, sample_images


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
    assert source.picture.path == path
    source.open_later(path)
    source.open(sample_images()[0])
    source.wait()
    assert source.picture.path == sample_images()[0]


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
