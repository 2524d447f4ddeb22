"""Fields for numbers: what they show of numbers that Qt cannot hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtWidgets import QSpinBox

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Item, Layer, Repeat
from rfstudio.widgets.parts.fields import LARGEST, Spin
from tests.narrowing import instance


@pytest.mark.parametrize("number", [2**31, 10**20, -(2**31), -(10**20)])
def test_that_a_number_beyond_32_bits_is_shown_as_the_nearest_that_can_be(
    qtbot: object, number: int
) -> None:
    spin = Spin()
    spin.setRange(-abs(number), abs(number))
    spin.setValue(number)
    assert spin.value() == (LARGEST if number > 0 else -LARGEST)


def test_that_more_copies_than_32_bits_count_can_be_chosen_from(open_window: Callable) -> None:
    inner: Item = Repeat(100_000, (Layer(ops.Relu(), "r"),))
    window = open_window(Architecture(input_size=(8, 8), layers=(Repeat(100_000, (inner,)),)))
    window.studio.selection.select_item((0, 0, 0, 0, 0))
    assert window.stack.copies.copy.maximum() == LARGEST
    assert "10,000,000,000" in window.stack.copies.note.text()


def test_that_the_channels_of_an_input_are_those_of_the_file(open_window: Callable) -> None:
    window = open_window(Architecture(input_size=(8, 8), channels=200_000))
    window.studio.selection.select_item(None)
    channels = instance(QSpinBox, window.inspector.form.editors["channels"])
    assert channels.value() == 200_000
