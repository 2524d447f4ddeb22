"""Arrays turned into pictures, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF

from rfstudio.widgets.canvas.colours import ERF
from rfstudio.widgets.canvas.shading import (
    COLOUR_MAPS,
    Shading,
    dimmed,
    levels,
    marked,
    outline,
    photo,
    shaded,
)


def test_that_linear_levels_are_shares_of_the_peak() -> None:
    assert levels(np.array([[0.0, 1.0, 2.0]]), "linear", 2.0).tolist() == [[0, 128, 255]]


def test_that_logarithmic_levels_span_three_decades() -> None:
    values = np.array([[0.0, 1e-4, 1e-3, 10**-1.5, 1.0]])
    assert levels(values, "log", 1.0).tolist() == [[0, 0, 0, 128, 255]]


@pytest.mark.parametrize("peak", [0.0, float("nan"), float("inf")])
def test_that_a_field_without_a_peak_is_clear(peak: float) -> None:
    assert not levels(np.ones((3, 3)), "linear", peak).any()


@pytest.mark.parametrize("colours", COLOUR_MAPS)
def test_that_zero_is_clear_and_the_peak_as_dense_as_chosen(colours: str) -> None:
    image = shaded(np.array([[0.0, 1.0]]), Shading(colours=colours, opacity=0.6))
    assert image.pixelColor(0, 0).alpha() == 0
    assert image.pixelColor(1, 0).alpha() == pytest.approx(0.6 * 255, abs=1)


def test_that_the_blue_is_the_one_of_the_legend() -> None:
    colour = shaded(np.ones((1, 1)), Shading(opacity=1.0)).pixelColor(0, 0)
    assert colour.name() == ERF.name()


def test_that_shading_keeps_rows_and_columns_apart() -> None:
    values = np.zeros((3, 5))
    values[2, 1] = 1
    image = shaded(values, Shading())
    assert (image.width(), image.height()) == (5, 3)
    assert image.pixelColor(1, 2).alpha() > 0
    assert image.pixelColor(2, 1).alpha() == 0


def test_that_a_mask_is_marked_where_it_is_set() -> None:
    image = marked(np.array([[True, False]]), 0xFF00A6A6)
    assert image.pixelColor(0, 0).name() == "#00a6a6"
    assert image.pixelColor(1, 0).alpha() == 0


def test_that_a_photo_is_made_smaller_by_means_and_larger_by_interpolation() -> None:
    stripes = np.zeros((8, 8, 3), np.uint8)
    stripes[:, ::2] = 200
    small = photo(stripes, (4, 4), gray=False)
    values = {small.pixelColor(x, y).red() for x in range(4) for y in range(4)}
    assert all(abs(v - 100) <= 2 for v in values)
    step = np.zeros((2, 2, 3), np.uint8)
    step[:, 1] = 200
    large = photo(step, (20, 20), gray=False)
    row = [large.pixelColor(x, 10).red() for x in range(20)]
    assert row == sorted(row)
    assert len(set(row)) > 4


def test_that_a_gray_photo_has_no_colour() -> None:
    pixels = np.full((4, 4, 3), (200, 40, 10), np.uint8)
    colour = photo(pixels, (4, 4), gray=True).pixelColor(2, 2)
    assert colour.red() == colour.green() == colour.blue()


def test_that_a_photo_outlives_the_array_it_was_made_from() -> None:
    pixels = np.full((16, 16, 3), 77, np.uint8)
    image = photo(pixels, (16, 16), gray=False)
    pixels[:] = 0
    assert image.pixelColor(8, 8).red() == 77


def test_that_the_dimmed_photo_is_another_one() -> None:
    image = photo(np.full((4, 4, 3), 200, np.uint8), (4, 4), gray=False)
    dark = dimmed(image)
    assert image.pixelColor(1, 1).red() == 200
    assert 60 < dark.pixelColor(1, 1).red() < 110


def test_that_an_outline_goes_around_each_pixel_that_is_set() -> None:
    mask = np.zeros((5, 6), bool)
    mask[1:3, 2:5] = True
    path = outline(mask)
    rect = path.boundingRect()
    assert (rect.left(), rect.right(), rect.top(), rect.bottom()) == (1.5, 4.5, 0.5, 2.5)
    # 2·(2 + 3) edges of two points each.
    assert path.elementCount() == 20
    assert outline(np.zeros((3, 3), bool)).isEmpty()
    whole = outline(np.ones((3, 4), bool)).boundingRect()
    assert whole.topLeft() == QPointF(-0.5, -0.5)
    assert whole.bottomRight() == QPointF(3.5, 2.5)
