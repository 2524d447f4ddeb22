"""Results in the window: nothing is lost when one looks elsewhere, and all are listed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from tests.measurements import FakeRunner, result_of
from tests.narrowing import present


def test_that_looking_elsewhere_costs_nothing_and_every_result_is_listed(
    open_window: Callable, qtbot: QtBot
) -> None:
    runner = FakeRunner()
    window = open_window(runner=runner)
    selection, session = window.studio.selection, present(window.studio.erf_session)
    selection.select_layer("head", (16, 16))
    window.actions_.measure.trigger()
    job = runner.jobs[-1]
    values = np.random.default_rng(0).random((32, 32))
    job.progressed.emit(0.5, result_of("head", (16, 16), values, 16, wanted=32))

    qtbot.keyClick(window.canvas.view, Qt.Key.Key_Right)
    assert selection.unit == (16, 17)
    assert window.status.currentMessage().startswith("Unit (16, 16) of head is still being")
    assert window.status.progress.isVisible()
    assert window.status.progress.text() == "elsewhere, 16 of 32"
    assert window.actions_.cancel.isEnabled()
    assert "expected" in window.inspector.effective._title.text()
    assert not window.measure_panel.run.progress.isVisibleTo(window.measure_panel)
    job.succeeded.emit(result_of("head", (16, 16), values, 32))
    assert "its result is on the shelf" in window.status.currentMessage()
    assert not window.status.progress.isVisible()

    qtbot.keyClick(window.canvas.view, Qt.Key.Key_Left)
    assert "measured (energy, 32 samples)" in window.inspector.effective._title.text()
    assert window.measure_panel.run.line.text().startswith("Measured 32 samples")

    window.studio.edits.set_parameter((0,), "kernel_size", 5)
    assert "expected" in window.inspector.effective._title.text()
    panel = window.results
    window.tabs.setCurrentWidget(panel)
    assert [row[1:5] for row in panel.texts()] == [
        ("head", "16, 16", "32 samples", "energy, noise")
    ]
    assert "before an edit" in panel.texts()[0][5]
    assert panel.show_.isEnabled()  # the only row is chosen
    selection.select_layer("stem")
    qtbot.mouseClick(panel.show_, Qt.MouseButton.LeftButton)
    assert selection.layer == "head"
    assert "measured (energy, 32 samples)" in window.inspector.effective._title.text()
    assert panel.tree.topLevelItem(0).font(0).bold()

    panel.tree.topLevelItem(0).setText(0, "of the paper")
    assert next(iter(session.shelf)).name == "of the paper"
    panel.tree.setFocus()
    qtbot.keyClick(panel.tree, Qt.Key.Key_Delete)
    assert len(session.shelf) == 0
    assert panel.empty.isVisible()
    assert "expected" in window.inspector.effective._title.text()
