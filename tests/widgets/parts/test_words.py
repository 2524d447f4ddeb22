"""A text that quotes names and paths keeps its ends where it is scrolled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rfstudio.widgets.parts.words import Words


@pytest.mark.parametrize("width", [200, 331, 480])
def test_that_the_bar_of_a_long_text_covers_no_ends_of_lines(shown: Callable, width: int) -> None:
    words = shown(Words("as wide as it was for one of three, " * 40), (width, 80))
    bar = words.verticalScrollBar()
    assert bar.isVisible()
    assert words.document().textWidth() <= words.viewport().width() <= words.width() - bar.width()
    words.setText("short")
    assert not bar.isVisible()
    assert words.document().textWidth() == words.width()
