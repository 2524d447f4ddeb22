"""Positions of units as people type them."""

from __future__ import annotations

import pytest

from rfstudio.app.wording.unit_text import unit_of_text, unit_ranges
from rfstudio.core.errors import UnitError


@pytest.mark.parametrize("text", ["3, 4", "3 4", "(3, 4)", "3×4", " 3 ;4 ", "[3,4]", "03,04"])
def test_that_a_position_is_understood_however_it_is_written(text: str) -> None:
    assert unit_of_text(text, (14, 14)) == (3, 4)


@pytest.mark.parametrize(
    ("text", "size", "words"),
    [
        ("14, 0", (14, 20), "y goes from 0 to 13, so there is no unit at 14"),
        ("0, 20", (14, 20), "x goes from 0 to 19"),
        ("3", (14, 14), "type 2 numbers: y, x"),
        ("1 2 3", (14, 14), "type 2 numbers"),
        ("1, 2", (8, 8, 8), "type 3 numbers: z, y, x"),
        ("", (9,), "type one number: x"),
        ("-1, 0", (14, 14), "type 2 numbers"),
        ("1.5, 0", (14, 14), "type 2 numbers"),
        ("٣, ٤", (2, 2), "there is no unit"),
        ("9" * 5000 + ", 1", (14, 14), "type 2 numbers"),
        ("0, 0", (0, 3), "the map of this layer is empty"),
    ],
)
def test_that_what_is_no_unit_is_refused_in_words(
    text: str, size: tuple[int, ...], words: str
) -> None:
    with pytest.raises(UnitError, match=words):
        unit_of_text(text, size)


def test_that_the_ranges_are_told_by_axis() -> None:
    assert unit_ranges((14, 20)) == "y 0…13, x 0…19"
    assert unit_ranges((0, 3)).endswith("no units")
