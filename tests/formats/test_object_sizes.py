"""Sizes of objects from masks; those of COCO files are tested with the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.object_sizes import mask_sizes, object_sizes


def _mask(*rows: str) -> np.ndarray:
    colours = {".": (0, 0, 0), "a": (255, 255, 255), "b": (10, 0, 0)}
    return np.array([[colours[x] for x in row] for row in rows], np.uint8)


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        (("....", "...."), []),
        (("aa..", "aa.a"), [(2, 2), (1, 1)]),
        (("a.a.", "aaa."), [(2, 3)]),  # a U: two runs that meet later
        (("a..b", ".a.b"), [(2, 2), (2, 1)]),  # corners connect, colours do not
        (("aab.", "..b."), [(1, 2), (2, 1)]),
        (("aaaa", "b..b", "bbbb"), [(1, 4), (2, 4)]),
    ],
)
def test_that_connected_pixels_of_a_colour_are_an_object(rows, sizes) -> None:
    assert sorted(mask_sizes(_mask(*rows))) == sorted(sizes)


def test_that_random_masks_have_the_objects_of_a_flood(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        values = (rng.random((12, 15)) < 0.45).astype(np.uint8)
        mask = np.repeat(values[..., None] * 255, 3, axis=2)
        assert sorted(mask_sizes(mask)) == sorted(_flooded(values))


def _flooded(values: np.ndarray) -> list[tuple[int, int]]:
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(values), strict=True)}
    sizes = []
    while left:
        waiting, found = [left.pop()], []
        while waiting:
            y, x = waiting.pop()
            found.append((y, x))
            near = {(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            waiting += near
        rows, columns = zip(*found, strict=True)
        sizes.append((max(rows) - min(rows) + 1, max(columns) - min(columns) + 1))
    return sizes


def test_that_a_folder_of_masks_is_read(tmp_path: Path) -> None:
    Image.fromarray(_mask("aa.", "aa.", "..b")).save(tmp_path / "one.png")
    (tmp_path / "notes.txt").write_text("no picture")
    assert sorted(object_sizes(tmp_path)) == [(1, 1), (2, 2)]
    with pytest.raises(RFStudioError, match="holds no masks with objects"):
        object_sizes(tmp_path / "..")
