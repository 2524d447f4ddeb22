"""A map on the canvas keeps what is a pixel wide, however far it is zoomed out."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from PySide6.QtCore import QRectF

from rfstudio.widgets.canvas.scene import Layered
from rfstudio.widgets.canvas.shading import Shading, shaded

OPAQUE = Shading(opacity=1.0)


def layered(values: np.ndarray) -> Layered:
    height, width = values.shape
    return Layered(values, partial(shaded, shading=OPAQUE), QRectF(-0.5, -0.5, width, height))


def test_that_near_by_every_value_is_a_pixel() -> None:
    map_ = layered(np.eye(5, 7))
    for size in (0.6, 1.0, 20.0):
        image, rect = map_.at(size, size)
        assert (image.width(), image.height()) == (7, 5)
        assert rect == map_.rect


@pytest.mark.parametrize(("size", "block"), [(0.5, 2), (0.3, 2), (0.25, 4), (0.08, 8)])
def test_that_far_away_the_largest_value_of_a_block_counts(size: float, block: int) -> None:
    values = np.zeros((1, 8001))
    values[0, 4321] = 1.0
    image, rect = layered(values).at(size, 90.0)
    columns = -(-8001 // block)
    assert (image.width(), image.height()) == (columns, 1)
    dense = [image.pixelColor(x, 0).alpha() for x in range(columns)]
    assert dense.index(255) == 4321 // block
    assert sum(dense) == 255
    # Blocks lie where their values do; only the last may reach beyond.
    assert rect.left() == -0.5
    assert rect.width() == pytest.approx(columns * block)


def test_that_axes_are_thinned_out_each_for_itself() -> None:
    values = np.zeros((6, 9))
    values[5, 8] = 2.0
    image, rect = layered(values).at(1.0, 0.25)
    assert (image.width(), image.height()) == (9, 2)
    assert image.pixelColor(8, 1).alpha() == 255
    assert rect.height() == 8.0


def test_that_an_empty_map_has_an_empty_picture() -> None:
    image, rect = Layered(np.zeros((0, 4)), partial(shaded, shading=OPAQUE), QRectF()).at(0.1, 0.1)
    assert image.height() == 0
    assert rect.isEmpty()
