"""The canvas keeps half of the room between toolbar and status bar, unless the user says else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QDockWidget, QWidget
from pytestqt.qtbot import QtBot

from rfstudio.app.files.presets import read_preset
from rfstudio.app.state.settings import Settings
from rfstudio.widgets.parts.theme import apply_scheme, scale_text
from rfstudio.widgets.window.main_window import MainWindow
from tests.measurements import FakeRunner

_SIZES = [(1024, 700), (1280, 800), (1440, 900), (1920, 1080), (3840, 2160)]
_SCALES = [1.0, 1.25, 1.5, 2.0]
_USUAL = {((1024, 700), 1.0), ((1024, 700), 2.0), ((1280, 800), 1.5), ((1440, 900), 1.0)}
"""Those that are tried in every run."""

_GRID = [
    pytest.param(size, scale, marks=[] if (size, scale) in _USUAL else [pytest.mark.slow])
    for size in _SIZES
    for scale in _SCALES
]


@pytest.fixture
def scaled(qapp: QApplication) -> Iterator[Callable[[float], None]]:
    apply_scheme(qapp, "light")
    yield lambda scale: scale_text(qapp, scale)
    scale_text(qapp, 1.0)


def share_of(window: MainWindow) -> float:
    """Return the share of the canvas of the room between the toolbar and the status bar."""
    top = window.canvas.mapTo(window, QPoint(0, 0)).y()
    room = window.width() * (window.status.y() - top)
    return window.canvas.width() * window.canvas.height() / room


def dock_of(window: MainWindow, title: str) -> QDockWidget:
    return next(x for x in window.findChildren(QDockWidget) if x.windowTitle() == title)


def is_in_front(part: QWidget) -> bool:
    """Whether a panel is not behind another tab, as those are outside of the window."""
    window = part.window()
    return part.isVisible() and window.rect().contains(part.mapTo(window, part.rect().center()))


def drag_separator(qtbot: QtBot, window: MainWindow, start: QPoint, end: QPoint) -> None:
    assert window.isSeparator(start)
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(window, left, pos=start)
    qtbot.mouseMove(window, end)
    qtbot.waitUntil(lambda: window.isSeparator(end))
    qtbot.mouseRelease(window, left, pos=end)


@pytest.mark.parametrize(("size", "scale"), _GRID)
def test_that_the_canvas_keeps_half_of_the_room_with_any_tab_in_front(
    open_window: Callable,
    scaled: Callable,
    qtbot: QtBot,
    size: tuple[int, int],
    scale: float,
) -> None:
    scaled(scale)
    window = open_window(read_preset("resnet50"), size, FakeRunner())
    assert share_of(window) >= 0.5, "at the first start"
    for index in range(window.tabs.count()):
        window.tabs.setCurrentIndex(index)
        window.tabs.unfold()
        qtbot.waitUntil(lambda: share_of(window) >= 0.5, timeout=2000)
        assert window.tabs.widget(index).isVisible()
        assert window.size().toTuple() == size
        # A square photo needs both sides.
        assert min(window.canvas.view.size().toTuple()) > 0.4 * size[1]
    window.tabs.fold()
    QApplication.sendPostedEvents()
    assert share_of(window) >= 0.5
    assert dock_of(window, "Layers").isVisible()


@pytest.mark.parametrize("scale", [1.0, pytest.param(2.0, marks=pytest.mark.slow)])
def test_that_a_window_that_is_made_smaller_and_larger_keeps_the_canvas(
    open_window: Callable, scaled: Callable, scale: float
) -> None:
    scaled(scale)
    window = open_window(read_preset("vgg16"), (1920, 1080), FakeRunner())
    window.tabs.unfold()
    QApplication.sendPostedEvents()
    wide = dock_of(window, "Layers").width()
    for size in ((1440, 900), (1024, 700), (960, 700), (1024, 700), (1440, 900), (1920, 1080)):
        window.resize(*size)
        QApplication.sendPostedEvents()
        assert share_of(window) >= 0.5, size
        assert window.size().toTuple() == size
    assert dock_of(window, "Layers").width() == wide
    assert window.table.isVisible()


@pytest.mark.parametrize("is_folded", [True, False])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_that_an_arrangement_of_a_large_screen_is_usable_on_a_small_one(
    open_window: Callable, scaled: Callable, scale: float, is_folded: bool
) -> None:
    large = open_window(read_preset("vgg16"), (1440, 900), FakeRunner())
    if is_folded:
        large.tabs.fold()
    else:
        large.tabs.unfold()
    large.close()
    scaled(scale)
    small = open_window(read_preset("vgg16"), (1024, 700), FakeRunner())
    assert share_of(small) >= 0.5
    assert small.size().toTuple() == (1024, 700)
    assert small.rect().contains(small.status.geometry())
    assert small.tabs.is_folded == is_folded
    small.tabs.unfold()
    QApplication.sendPostedEvents()
    assert share_of(small) >= 0.5


def test_that_a_panel_stays_as_the_user_has_drawn_it(
    open_window: Callable, qtbot: QtBot, settings: Settings
) -> None:
    window = open_window(size=(1440, 900))
    window.tabs.unfold()
    details = dock_of(window, "Details")
    start = QPoint(700, details.y() - 1)
    drag_separator(qtbot, window, start, start - QPoint(0, 200))
    high = details.height()
    share = share_of(window)
    assert share < 0.45
    window.tabs.setCurrentWidget(window.growth)
    window.studio.selection.select_layer("head")
    window.resize(1460, 900)
    window.resize(1440, 900)
    assert details.height() == high
    window.close()
    again = open_window(size=(1440, 900))
    assert dock_of(again, "Details").height() == high
    assert share_of(again) == pytest.approx(share, abs=0.01)
    again.resize(1024, 700)
    QApplication.sendPostedEvents()
    assert share_of(again) >= share - 0.01


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_that_a_larger_canvas_stays_as_the_user_has_drawn_it(
    open_window: Callable, scaled: Callable, qtbot: QtBot, scale: float
) -> None:
    scaled(scale)  # at 2, the details are beside the canvas
    window = open_window(read_preset("vgg16"), (1280, 800) if scale == 1.0 else (1280, 700))
    window.tabs.unfold()
    layers, canvas = dock_of(window, "Layers"), window.canvas
    qtbot.waitUntil(lambda: window.isSeparator(QPoint(canvas.x() - 1, canvas.y() + 100)))
    start = QPoint(canvas.x() - 1, canvas.y() + 100)
    drag_separator(qtbot, window, start, start - QPoint(40, 0))
    wide, share = canvas.width(), share_of(window)
    assert share > 0.51
    window.tabs.setCurrentWidget(window.growth)
    window.resize(window.width() + 20, window.height())
    window.resize(window.width() - 20, window.height())
    QApplication.sendPostedEvents()
    assert canvas.width() == wide
    if scale == 1.0:
        assert layers.width() == canvas.x() - 1
        details = dock_of(window, "Details")
        start = QPoint(600, details.y() - 1)
        drag_separator(qtbot, window, start, start + QPoint(0, 20))
        high = details.height()
        window.tabs.setCurrentWidget(window.table)
        window.resize(window.width() + 20, window.height())
        QApplication.sendPostedEvents()
        assert details.height() == high


def test_that_closed_panels_leave_their_room_to_the_canvas_and_take_it_again(
    open_window: Callable, scaled: Callable, qtbot: QtBot
) -> None:
    scaled(2.0)
    window = open_window(read_preset("vgg16"), (1024, 700), FakeRunner())
    for title in ("Layers", "Inspector"):
        dock_of(window, title).close()
    window.tabs.unfold()
    qtbot.waitUntil(lambda: window.table.isVisible() and share_of(window) >= 0.5)
    for part in (window.stack, window.inspector):
        window._go_to(part)
        qtbot.waitUntil(lambda: share_of(window) >= 0.5)
        # What was opened last is in front.
        qtbot.waitUntil(partial(is_in_front, part))
    dock_of(window, "Details").close()
    qtbot.waitUntil(lambda: share_of(window) >= 0.5)
    window.show_problems()
    qtbot.waitUntil(partial(is_in_front, window.problems))
    qtbot.waitUntil(lambda: share_of(window) >= 0.5)


def is_apart(window: MainWindow) -> bool:
    """Whether layers and inspector are on two sides of the canvas."""
    layers, inspector = dock_of(window, "Layers"), dock_of(window, "Inspector")
    return inspector not in window.tabifiedDockWidgets(layers) and inspector.x() > window.canvas.x()


def _is_now(window: MainWindow, apart: bool) -> bool:
    return is_apart(window) == apart


def test_that_a_larger_window_takes_the_inspector_out_of_its_tab_again(
    open_window: Callable, scaled: Callable, qtbot: QtBot
) -> None:
    scaled(1.0)
    window = open_window(read_preset("vgg16"), (1440, 900), FakeRunner())
    window.tabs.unfold()
    QApplication.sendPostedEvents()
    assert is_apart(window)
    for size, apart in (((1024, 700), False), ((1600, 1000), True), ((1024, 700), False)):
        window.resize(*size)
        qtbot.waitUntil(partial(_is_now, window, apart))
        qtbot.waitUntil(lambda: share_of(window) >= 0.5, timeout=3000)


@pytest.mark.parametrize("size", [(1440, 900), (1024, 700)])
def test_that_panels_are_arranged_anew_as_at_the_first_start(
    open_window: Callable, scaled: Callable, qtbot: QtBot, size: tuple[int, int]
) -> None:
    scaled(1.0)
    window = open_window(read_preset("vgg16"), size, FakeRunner())
    QApplication.sendPostedEvents()
    docks = [dock_of(window, x) for x in ("Layers", "Inspector", "Details")]

    def places() -> list[object]:
        front = [is_in_front(x) for x in (window.stack, window.inspector)]
        area = [window.dockWidgetArea(x) for x in docks[::2]]
        return [*front, *area, window.tabs.is_folded, window.canvas.geometry().getRect()]

    first = places()
    docks[0].setFloating(True)
    docks[1].close()
    window.addDockWidget(Qt.DockWidgetArea.TopDockWidgetArea, docks[2])
    window.tabs.fold() if size == (1440, 900) else window.tabs.unfold()
    QApplication.sendPostedEvents()
    assert places() != first
    window.actions_.arrange.trigger()
    qtbot.waitUntil(lambda: places() == first, timeout=3000)
    assert share_of(window) >= 0.5
    assert window.size().toTuple() == size
