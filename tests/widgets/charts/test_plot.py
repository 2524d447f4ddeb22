"""What all charts have: axes, whose names fit."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QWidget

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
