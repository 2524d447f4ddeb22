"""The share of energy that takes each edge, drawn on the graph."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from rfstudio.widgets.graph_view.graph_item import percent_text


def test_that_a_click_draws_the_share_of_each_branch_and_skip(qtbot, open_window) -> None:
    window = open_window()
    window.tabs.setCurrentWidget(window.graph)
    item, button = window.graph.item, window.graph.shares_button
    assert not item.shares
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(item.shares))
    forks = {k: x.at_fork for k, x in item.shares.items() if x.at_fork is not None}
    # Each of the two blocks has a branch and a skip, and nothing else is read twice.
    assert len(forks) == 4
    assert all(0 < x < 1 for x in forks.values())
    by_source: dict[int, float] = {}
    for (_, source), share in forks.items():
        by_source[source] = by_source.get(source, 0) + share
    assert list(by_source.values()) == pytest.approx([1, 1])


@pytest.mark.slow
def test_that_shares_follow_the_chosen_layer_and_go_with_a_key(qtbot, open_window) -> None:
    window = open_window()
    window.tabs.setCurrentWidget(window.graph)
    item = window.graph.item
    qtbot.mouseClick(window.graph.shares_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(item.shares))
    before = item.shares
    window.studio.selection.select_layer("stem")
    qtbot.waitUntil(lambda: item.shares is not before)
    assert [x.of_all for x in item.shares.values()] == [1.0]
    window.graph.setFocus()
    qtbot.keyClick(window.graph, Qt.Key.Key_S)
    assert not item.shares


def test_that_a_share_of_nearly_all_is_neither_all_nor_an_exponent() -> None:
    shares = (0.0, 0.0004, 0.003, 0.5, 0.985, 0.997, 1.0)
    assert [percent_text(x) for x in shares] == ["0", "< 0.1", "0.3", "50", "98", "> 99", "100"]
