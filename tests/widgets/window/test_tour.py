"""The tour of the window, by mouse and keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import QApplication, QToolBar, QWidget
from pytestqt.qtbot import QtBot

from rfstudio.app.files.presets import read_preset
from rfstudio.widgets.parts.theme import apply_scheme, scale_text
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.tour import TOUR
from tests.measurements import FakeRunner
from tests.narrowing import present


def test_that_the_tour_goes_through_real_parts_and_ends(window: MainWindow, qtbot: QtBot) -> None:
    window.actions_.tour.trigger()
    tour = present(window.tour)
    parts = []
    while window.tour is not None:
        step = tour.step
        parts.append(step.part)
        place = QRect(step.part.mapTo(window, QPoint(0, 0)), step.part.size())
        assert step.part.isVisible()
        assert tour._mark.geometry() == place.intersected(window.rect())
        assert window.rect().contains(tour.geometry())
        assert tour.text.height() >= tour.text.heightForWidth(tour.text.width())
        qtbot.mouseClick(tour.next, Qt.MouseButton.LeftButton)
    assert parts[:2] == [window.stack, window.canvas]
    assert window.menuBar() in parts


def test_that_escape_ends_it_and_it_is_not_shown_again(window: MainWindow, qtbot: QtBot) -> None:
    assert not window.studio.settings.flag(TOUR, False)
    window.begin_tour()
    tour = present(window.tour)
    qtbot.keyClick(tour, Qt.Key.Key_Right)
    assert tour.step.title == "What one unit sees"
    qtbot.keyClick(tour, Qt.Key.Key_Left)
    assert tour.step.title == "The network"
    qtbot.keyClick(tour, Qt.Key.Key_Escape)
    assert window.tour is None
    assert window.studio.settings.flag(TOUR, False)
    window.actions_.tour.trigger()  # but when it is asked for
    assert window.tour is not None
    present(window.tour).end()


@pytest.mark.slow
def test_that_the_tour_fits_a_small_window(open_window: Callable, qtbot: QtBot) -> None:
    window = open_window(size=(1024, 700))
    window.begin_tour()
    tour = present(window.tour)
    while window.tour is not None:
        assert tour.step.part.isVisible()
        assert window.rect().contains(tour.geometry())
        qtbot.keyClick(tour, Qt.Key.Key_Return)


def test_that_a_button_without_room_is_shown_as_its_bar_and_cards_are_as_high_as_their_texts(
    open_window: Callable, qtbot: QtBot, qapp: QApplication
) -> None:
    try:
        apply_scheme(qapp, "light")
        scale_text(qapp, 2.0)
        window = open_window(read_preset("vgg16"), (1024, 700), FakeRunner())
        bar = present(window.findChild(QToolBar))
        wide = QWidget()
        wide.setMinimumWidth(900)
        bar.insertWidget(bar.actions()[0], wide)  # as in a window that is narrower still
        qtbot.waitUntil(wide.isVisible)
        window.begin_tour()
        tour = present(window.tour)
        titles = []
        while window.tour is not None:
            titles.append(tour.step.title)
            lines = tour.text.height() / tour.text.fontMetrics().lineSpacing()
            letters = tour.text.fontMetrics().horizontalAdvance(tour.step.text)
            assert lines < letters / tour.text.width() + 1.7, tour.step.title
            if tour.step.title == "Measure":
                assert not tour.step.part.isVisible()
                assert tour._mark.geometry() == bar.geometry()
            qtbot.keyClick(tour, Qt.Key.Key_Return)
        assert "Measure" in titles
    finally:
        scale_text(qapp, 1.0)


def test_that_its_buttons_go_on_back_and_out(open_window: Callable, qtbot: QtBot) -> None:
    window = open_window(size=(1024, 700))
    window.begin_tour()
    tour = present(window.tour)
    left = Qt.MouseButton.LeftButton
    assert not tour.back.isEnabled()
    qtbot.mouseClick(tour.next, left)
    qtbot.mouseClick(tour.next, left)
    assert tour.count.text() == "3 of 7"
    qtbot.mouseClick(tour.back, left)
    assert tour.step.title == "What one unit sees"
    qtbot.mouseClick(tour.skip, left)
    assert window.tour is None
    assert window.canvas.view.hasFocus()


def test_that_escape_ends_it_also_after_the_reader_has_tried_something(
    open_window: Callable, qtbot: QtBot
) -> None:
    window = open_window(size=(1024, 700))
    window.begin_tour()
    view, tree = window.canvas.view, window.stack.tree
    qtbot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(60, 30))
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_Right)  # of the canvas, not of the tour
    assert present(window.tour).step.title == "The network"
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert window.tour is None
