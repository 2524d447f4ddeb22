"""The difference of a pinned field and that of the chosen unit, on the canvas."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage

from rfstudio.core.metrics.difference import difference_of
from rfstudio.widgets.canvas.colours import ERF, LESS
from rfstudio.widgets.canvas.scene import Layered
from rfstudio.widgets.canvas.shading import shaded_difference
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import present


def test_that_a_difference_is_orange_below_zero_blue_above_and_clear_at_zero() -> None:
    image = shaded_difference(np.array([[-0.4, 0.0, 0.4]]), 1.0, 0.4)
    colours = [QColor.fromRgba(image.pixel(x, 0)) for x in range(3)]
    assert colours[0].rgb() == LESS.rgb()
    assert image.pixelColor(1, 0).alpha() == 0
    assert colours[2].rgb() == ERF.rgb()
    # A symmetric scale: as dense on both sides, also where only one side is reached.
    half = shaded_difference(np.array([[-0.2, 0.2]]), 1.0, 0.4)
    assert half.pixelColor(0, 0).alpha() == half.pixelColor(1, 0).alpha()
    assert shaded_difference(np.zeros((2, 2)), 1.0, 0.0).pixelColor(0, 0).alpha() == 0


def test_that_a_small_picture_of_a_difference_loses_neither_sign() -> None:
    values = np.array([[-3.0, 1.0, 2.0, -1.0]])
    seen: list[np.ndarray] = []

    def draw(given: np.ndarray) -> QImage:
        seen.append(given)
        return shaded_difference(given, 1.0, 3.0)

    Layered(values, draw, QRectF(0, 0, 4, 1), is_signed=True).at(0.5, 1.0)
    assert seen[0].tolist() == [[-3.0, 2.0]]


def test_that_the_pinned_field_minus_that_of_the_chosen_unit_is_drawn_with_its_scale(
    window: MainWindow,
) -> None:
    window.canvas.minus_pin.setChecked(True)
    assert "Nothing is pinned" in window.canvas.caption.text()
    window.studio.selection.select_layer("head", (16, 16))
    window.studio.pins.add()
    window.studio.selection.select_unit((12, 20))
    pin = next(iter(window.studio.pins))
    shown = present(window.studio.erf.shown.field)
    wanted = difference_of(present(pin.field).map, shown.map)
    drawn = present(window.canvas.view.item.scene_shown.erf)
    np.testing.assert_array_equal(drawn.values, wanted.map)
    words = window.canvas.caption.text()
    assert f"{100 * wanted.moved:.3g} % of the field" in words
    assert f"+{wanted.largest:.2g} of the larger peak" in words
    window.canvas.minus_pin.setChecked(False)
    assert window.canvas.difference is None
    assert "minus" not in window.canvas.caption.text()


def test_that_a_pin_over_an_input_of_another_size_is_said_not_to_be_comparable(
    window: MainWindow,
) -> None:
    window.studio.pins.add()
    window.files.open_preset("luo_20_layers")
    window.studio.erf.complete()
    window.canvas.minus_pin.setChecked(True)
    assert "cannot be compared here" in window.canvas.caption.text()
    assert present(window.canvas.difference).found is None
