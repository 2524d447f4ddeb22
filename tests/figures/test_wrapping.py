"""Captions broken into lines: as full as they can be, with few measurements of their letters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rfstudio.figures.wrapping import broken

_WIDE = {"W": 0.9, "i": 0.2, " ": 0.3}


class Ruler:
    """Measures letters by a table of widths, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def length(self, line: str) -> float:
        self.asked += 1
        return sum(_WIDE[x] for x in line)


def one_by_one(text: str, width: float) -> list[str]:
    """Return the lines as they are found by trying every number of letters."""
    length = Ruler().length
    if len(text) < 2 or length(text) <= width:
        return [text]
    fitting = max(n for n in range(1, len(text) + 1) if n == 1 or length(text[:n]) <= width)
    space = text.rfind(" ", 1, fitting + 1)
    cut = space if space > 0 else fitting
    return [text[:cut].rstrip(), *one_by_one(text[cut:].lstrip(), width)]


@given(st.text(alphabet=list(_WIDE), max_size=150), st.floats(0.1, 90))
def test_that_lines_are_those_found_by_trying_every_number_of_letters(
    text: str, width: float
) -> None:
    assert broken(text, width, Ruler().length) == one_by_one(text, width)


def test_that_a_long_text_is_broken_with_few_measurements() -> None:
    ruler = Ruler()
    lines = broken("Wii W " * 200, 30.0, ruler.length)
    assert len(lines) == 20
    assert ruler.asked <= 8 * len(lines)  # a bisection of about 64 letters, and its first step
