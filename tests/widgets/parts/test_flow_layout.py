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
