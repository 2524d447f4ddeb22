"""Results in the window: nothing is lost when one looks elsewhere, and all are listed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.measuring_work import Subject
from rfstudio.app.effective.shelf import Shelf
from rfstudio.app.state.image_source import sample_images
from rfstudio.core.network.architecture import Architecture
from rfstudio.widgets.window.main_window import MainWindow
from tests.measurements import FakeRunner, result_of
from tests.narrowing import present
from tests.widgets.conftest import SMALL, Answers, conv

VALUES = np.random.default_rng(0).random((32, 32))
OTHER = Architecture(name="other", input_size=(24, 24), layers=(conv("head"),))


def shelved(
    window: MainWindow,
    layer: str = "head",
    unit: tuple[int, ...] = (16, 16),
    *,
    network: Architecture = SMALL,
    values: np.ndarray = VALUES,
    image: str = "",
) -> None:
    """Put a result on the shelf, as a session file may have it."""
    session = present(window.studio.erf_session)
    options = ErfOptions(inputs="image" if image else "noise")
    result = result_of(layer, unit, values)
    session.shelf.put(Subject(network, layer, unit), options, image, result, ending="done")
    session.shelf_changed.emit()
    window.tabs.setCurrentWidget(window.results)
    window.results.tree.setCurrentItem(present(window.results.tree.topLevelItem(0)))


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
    assert "its result is in Results" in window.status.currentMessage()
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


HIDDEN = [
    ({"layer": "gone"}, "no layer 'gone'"),
    ({"layer": "gone", "network": OTHER}, "no layer 'gone'"),
    ({"unit": (16, 99)}, "coordinates go from 0…31, 0…31"),
    ({"unit": (16,)}, "has 2 coordinates, not 1"),
    ({"values": np.ones((31, 32))}, "another size of its input"),
    ({"image": "of another photo"}, "another image than the one on the canvas"),
]
"""Results that cannot be shown, and why."""


@pytest.mark.parametrize(("result", "why"), HIDDEN, ids=range(len(HIDDEN)))
def test_that_show_says_why_a_result_is_not_shown(
    open_window: Callable, answers: Answers, result, why
) -> None:
    window = open_window(runner=FakeRunner())
    chosen = window.studio.selection.value
    shelved(window, **result)
    window.results.show_.click()
    told = window.status.toolTip() or window.status.currentMessage()
    assert told.startswith("“result 1” is not shown: ")
    assert why in told
    assert "expected" in window.inspector.effective._title.text()
    if "image" not in result and "network" not in result:
        assert window.studio.selection.value == chosen
    assert not answers.reports


def test_that_show_says_that_the_unit_is_being_measured_and_that_a_map_is_gone(
    open_window: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(runner=FakeRunner())
    panel, session = window.results, present(window.studio.erf_session)
    window.studio.selection.select_layer("head", (16, 16))
    session.measure()
    shelved(window)
    panel.show_.click()
    assert "its unit is being measured" in window.status.currentMessage()
    session.cancel()
    panel.show_.click()
    assert "measured" in window.inspector.effective._title.text()

    def lost(self: Shelf, result) -> None:
        self.remove(result)

    monkeypatch.setattr(Shelf, "result", lost)
    shelved(window, unit=(3, 3))
    panel.show_.click()
    assert "gone from the folder of temporary files" in window.status.currentMessage()
    assert len(panel.texts()) == 1


def test_that_fields_over_another_layer_are_a_reason_too(open_window: Callable) -> None:
    window = open_window(runner=FakeRunner())
    shelved(window)
    window.studio.analysis.set_reference("stem")
    window.results.show_.click()
    assert "over the input, and fields are given over stem" in window.status.currentMessage()


@pytest.mark.parametrize("result", [x for x, _ in HIDDEN[:5]], ids=range(5))
def test_that_save_says_why_a_result_cannot_be_saved_and_asks_for_no_file(
    open_window: Callable, answers: Answers, tmp_path, result
) -> None:
    window = open_window(runner=FakeRunner())
    answers.path = tmp_path / "field.npz"
    shelved(window, **result)
    window.results.save.click()
    ((what, why),) = answers.reports
    assert what == "This result cannot be saved."
    assert why.endswith(".")
    assert not list(tmp_path.glob("*.npz"))


def test_that_save_writes_the_chosen_result_whatever_is_shown(
    open_window: Callable, answers: Answers, tmp_path
) -> None:
    window = open_window(runner=FakeRunner())
    window.studio.images.open(sample_images()[0])
    window.studio.selection.select_layer("stem", (2, 2))
    answers.path = tmp_path / "field.npz"
    shelved(window, image="of another photo")
    window.results.save.click()
    assert not answers.reports
    with np.load(answers.path) as file:
        np.testing.assert_array_equal(file["map"], VALUES)
        assert '"layer": "head"' in str(file["json"])
    answers.path = tmp_path / "numbers.csv"
    window.results.save.click()
    assert answers.path.read_text().startswith("number,unit,measured")


def test_that_rows_of_results_are_as_high_as_their_texts_and_stand_below_their_titles(
    open_window: Callable,
) -> None:
    window = open_window(runner=FakeRunner())
    shelved(window)
    tree = window.results.tree
    row = present(tree.topLevelItem(0))
    lines = tree.visualItemRect(row).height() / tree.fontMetrics().height()
    assert lines > 1.3
    ink = tree.viewport().grab(tree.visualItemRect(row)).toImage()
    ground = ink.pixelColor(2, 2)
    first = next(
        x
        for x in range(ink.width())
        if any(ink.pixelColor(x, y) != ground for y in range(3, ink.height() - 3))
    )
    assert first >= 6  # the margin of titles


def test_that_large_counts_are_grouped_and_not_cut(open_window: Callable) -> None:
    window = open_window(runner=FakeRunner())
    session = present(window.studio.erf_session)
    result = result_of("head", (16, 16), VALUES, 4, wanted=100_000)
    subject = Subject(SMALL, "head", (16, 16))
    session.shelf.put(subject, ErfOptions(), "", result, ending="cancelled", fraction=4e-5)
    session.shelf_changed.emit()
    tree = window.results.tree
    text = present(tree.topLevelItem(0)).text(3)
    assert text == "4 of 100,000 samples"
    wide = tree.fontMetrics().horizontalAdvance
    assert wide(text) < tree.columnWidth(3) - 12
    assert wide("128, 128, 128") < tree.columnWidth(2) - 12
