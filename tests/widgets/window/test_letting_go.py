"""Panels that are hidden let go of the networks that they have shown."""

from __future__ import annotations

import gc
import weakref

import pytest
from PySide6.QtWidgets import QDockWidget

from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.memo import forget
from tests.widgets.window.monkey import turn_event_loop


@pytest.mark.parametrize("hidden_by", ["another tab", "the panel"])
def test_that_hidden_panels_let_go_of_earlier_networks(window, answers, hidden_by: str) -> None:
    """One of 5,000 layers is 35 MiB, which each of them kept until it was seen again."""
    studio, tabs = window.studio, window.tabs
    tabs.setCurrentWidget(window.growth)  # the graph keeps its place by the network before
    studio.edits.set_parameter((0,), "kernel_size", 5)
    shown: weakref.ref[Analysis] = weakref.ref(studio.analysis.analysis)
    for tab in range(tabs.count()):
        if tabs.widget(tab) is not window.graph:
            tabs.setCurrentIndex(tab)
            turn_event_loop()
    studio.boxes.add(((3, 9), (3, 9)))
    for mode in reversed(window.canvas.mode_button.actions_by_key.values()):
        mode.trigger()
        for _ in range(9):
            turn_event_loop()
    if hidden_by == "the panel":
        next(x for x in window.findChildren(QDockWidget) if x.isAncestorOf(tabs)).close()
    answers.save = "discard"
    window.files.open_preset("alexnet")
    for _ in range(40):
        turn_event_loop()
    forget()
    gc.collect()
    assert shown() is None
