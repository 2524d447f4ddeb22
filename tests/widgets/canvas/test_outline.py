"""Outlines of pixels: closed lines along their edges, with holes, checked by filling them."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt

from rfstudio.widgets.canvas.outline import closed_outline


@pytest.mark.parametrize("seed", range(4))
def test_that_an_outline_holds_exactly_its_pixels(seed: int) -> None:
    inside = np.random.default_rng(seed).random((7, 9)) < 0.5
    path = closed_outline(inside)
    assert path is not None
    path.setFillRule(Qt.FillRule.OddEvenFill)
    found = [[path.contains(QPointF(x, y)) for x in range(9)] for y in range(7)]
    assert np.array_equal(found, inside)


def test_that_a_pixel_is_a_square_around_its_middle() -> None:
    inside = np.zeros((3, 3), bool)
    inside[1, 2] = True
    path = closed_outline(inside)
    assert path is not None
    box = path.boundingRect()
    assert (box.left(), box.top(), box.width(), box.height()) == (1.5, 0.5, 1.0, 1.0)


def test_that_nothing_and_noise_have_no_outline() -> None:
    assert closed_outline(np.zeros((3, 3), bool)) is None
    assert closed_outline(np.indices((300, 300)).sum(0) % 2 == 0) is None
