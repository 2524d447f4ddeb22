"""What all charts have: axes, whose names fit."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import pytest
from PySide6.QtWidgets import QMenu, QWidget
from pytestqt.qtbot import QtBot

from rfstudio.widgets.charts.plot import Plot


def test_that_a_narrow_plot_says_of_its_axis_what_fits(shown: Callable) -> None:
    holder = QWidget()
    plot = Plot("depth, in layers with weights on the longest path", "pixels", holder)
    shown(holder, (700, 200))
    axis = plot.getPlotItem().getAxis("bottom")
    plot.resize(160, 200)
    assert axis.labelText == "depth"
    plot.resize(700, 200)
    assert axis.labelText.endswith("longest path")
    plot.set_across("time, in samples")
    assert axis.labelText == "time, in samples"


def test_that_no_plot_makes_a_menu_that_nobody_opens(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[QMenu] = []

    def make(_box: object) -> QMenu:
        made.append(QMenu())
        return made[-1]

    # The package has a class of the same name.
    module = import_module("pyqtgraph.graphicsItems.ViewBox.ViewBox")
    monkeypatch.setattr(module, "ViewBoxMenu", make)
    plot = Plot("x", "y")
    qtbot.addWidget(plot)
    assert not made
    assert plot.getPlotItem().getViewBox().menu is None
