"""The photos of a folder: which, in what order, and when they are read."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.images.photos import Photos, photos_of


def _save(path: Path, value: int) -> None:
    Image.fromarray(np.full((4, 5, 3), value, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(["b ä.png", "a\nline.png", "c.PNG"]):
        _save(tmp_path / name, number)
    (tmp_path / "._c.png").write_bytes(b"notes of another system")
    (tmp_path / "read me.txt").write_text("no photo")
    return tmp_path


def test_that_photos_come_by_name_whatever_the_name_is_and_hidden_files_do_not(
    folder: Path,
) -> None:
    photos = photos_of(folder)
    assert [int(x[0, 0, 0]) for x in photos] == [1, 0, 2]
    assert [int(x[0, 0, 0]) for x in photos[1:]] == [0, 2]
    assert photos[0].shape == (4, 5, 3)


def test_that_a_photo_is_read_only_when_it_is_asked_for(folder: Path) -> None:
    (folder / "b ä.png").write_bytes(b"")
    photos = photos_of(folder)
    assert len(photos) == 3
    assert int(photos[2][0, 0, 0]) == 2
    with pytest.raises(RFStudioError, match="b ä.png' is empty"):
        photos[1]


def test_that_the_key_changes_with_the_files_alone(folder: Path) -> None:
    before = photos_of(folder).key
    assert photos_of(folder).key == before
    assert photos_of(folder)[:2].key != before
    os.utime(folder / "c.PNG", ns=(1, 1))
    assert photos_of(folder).key != before


def test_that_a_file_is_one_photo_and_a_missing_one_is_told_when_it_is_read(tmp_path: Path) -> None:
    _save(tmp_path / "one.png", 7)
    assert len(photos_of(tmp_path / "one.png")) == 1
    missing = photos_of(tmp_path / "none.png")
    with pytest.raises(RFStudioError, match="there is no such file"):
        missing[0]


def test_that_a_folder_without_photos_and_one_that_is_forbidden_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RFStudioError, match="holds no image"):
        photos_of(tmp_path)

    def forbidden(_self: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    with pytest.raises(RFStudioError, match="cannot be read: Permission denied; check its"):
        photos_of(tmp_path)


def test_that_nothing_is_read_to_tell_how_many_there_are(folder: Path) -> None:
    photos = Photos(sorted(folder.glob("*.png")))
    for path in folder.glob("*.png"):
        path.unlink()
    assert len(photos) == 3
