"""Outlines of pixels: closed lines along their edges, with holes, checked by filling them."""

import weakref
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainterPath

from rfstudio.app.effective.shown_fields import EffectiveField
from rfstudio.core.effective.expected import Erf
from rfstudio.widgets.canvas.outline import closed_outline, outline_above_half, outline_of


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


def lines(path: QPainterPath | None) -> int:
    assert path is not None
    return sum(path.elementAt(i).isMoveTo() for i in range(path.elementCount()))


def test_that_the_grain_of_strides_does_not_break_an_outline() -> None:
    y, x = np.indices((120, 120))
    smooth = np.exp(-((y - 60.0) ** 2 + (x - 60.0) ** 2) / (2 * 20**2))
    grain = smooth * ((y % 8 < 3) & (x % 8 < 3))
    plain, found = (outline_above_half(values, values.max()) for values in (smooth, grain))
    assert plain == closed_outline(smooth >= smooth.max() / 2)
    assert lines(plain) == 1
    # A line around each of the spots without averaging; with it some pixels touch at corners.
    assert lines(closed_outline(grain >= grain.max() / 2)) > 20
    assert lines(found) < 6
    for path in (plain, found):
        # Half of the maximum of a Gaussian is at 1.177 σ.
        assert path is not None
        assert path.boundingRect().width() / 2 == pytest.approx(1.177 * 20, abs=3)


def test_that_an_outline_lives_no_longer_than_its_field() -> None:
    values = np.zeros((5, 5))
    values[1:4, 2] = 1
    field = EffectiveField(cast("Erf", SimpleNamespace(map=values)), "expected", "expected")
    first = outline_of(field)
    assert first == closed_outline(values > 0)
    assert outline_of(field) is first  # worked out once
    gone = weakref.ref(field)
    del field
    assert gone() is None
