"""The layout that wraps: rows, and items of other heights in them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

from rfstudio.widgets.parts.flow_layout import FlowLayout


def test_that_lower_items_are_in_the_middle_of_their_row(shown: Callable) -> None:
    bar = QWidget()
    layout = FlowLayout(bar, 4)
    items = [QWidget() for _ in range(3)]
    for item, height in zip(items, (30, 10, 20), strict=True):
        item.setFixedSize(60, height)
        layout.addWidget(item)
    shown(bar, (140, 100))
    places = [(x.x(), x.y()) for x in items]
    assert places == [(4, 4), (68, 14), (4, 38)]
    assert layout.heightForWidth(140) == 4 + 30 + 4 + 20 + 4
    assert layout.heightForWidth(400) == 4 + 30 + 4


def test_that_one_item_takes_the_rest_of_its_row_and_else_a_row_of_its_own(shown: Callable) -> None:
    bar = QWidget()
    layout = FlowLayout(bar, 4, rest=0, least=20)
    words, button = QWidget(), QWidget()
    words.setMinimumHeight(20)
    button.setFixedSize(60, 20)
    for item in (words, button):
        layout.addWidget(item)
    room = 20 * words.fontMetrics().averageCharWidth()
    shown(bar, (room + 200, 100))
    assert (words.x(), button.x() + button.width()) == (4, bar.width() - 4)
    assert words.width() == bar.width() - 60 - 3 * 4
    words.setToolTip("Other words change nothing")
    bar.resize(room + 60, 100)  # 12 points of margins and gaps are missing
    assert (words.width(), button.y()) == (bar.width() - 2 * 4, words.geometry().bottom() + 1 + 4)
