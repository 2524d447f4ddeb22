"""The toolbar: its icons follow the size of texts, and its words give way in a narrow window."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QToolBar, QToolButton
from pytestqt.qtbot import QtBot

from rfstudio.app.jobs import JobRunner
from rfstudio.widgets.parts.theme import apply_scheme, scale_text
from tests.widgets.hands import Hands, plain


@pytest.fixture
def scaled(qapp: QApplication) -> Iterator[Callable[[float], None]]:
    apply_scheme(qapp, "light")
    yield lambda scale: scale_text(qapp, scale)
    scale_text(qapp, 1.0)


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_that_all_buttons_of_the_toolbar_are_seen_in_a_small_window(
    open_window: Callable, scaled: Callable, scale: float
) -> None:
    scaled(scale)
    window = open_window(size=(1024, 700), runner=JobRunner())
    bar = window.findChild(QToolBar, "toolbar")
    QApplication.sendPostedEvents()
    more = bar.findChild(QToolButton, "qt_toolbar_ext_button")
    assert not more.isVisible()
    shown = [bar.widgetForAction(x) for x in bar.actions() if not x.isSeparator()]
    places = [x.geometry() for x in shown]
    assert all(bar.rect().contains(x) for x in places)
    assert places == sorted(places, key=lambda x: x.x())
    for button in shown:
        name = button.accessibleName() or button.text()
        assert button.toolTip(), name  # also where its words are left out
    measure = bar.widgetForAction(window.actions_.measure)
    assert measure.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonTextBesideIcon


def test_that_icons_become_larger_with_texts(open_window: Callable, scaled: Callable) -> None:
    sides = []
    for scale in (1.0, 2.0):
        scaled(scale)
        window = open_window(size=(1440, 900))
        bar = window.findChild(QToolBar, "toolbar")
        legend = window.canvas.switches._buttons["theoretical"]
        line = window.fontMetrics().height()
        assert bar.iconSize().height() >= line
        sides.append((bar.iconSize().height(), legend.iconSize().height()))
    assert [b / a for a, b in zip(*sides, strict=True)] == [1.5, 1.5]


def test_that_what_is_behind_the_sign_of_the_toolbar_is_reached_with_keys(
    open_window: Callable, scaled: Callable, qtbot: QtBot
) -> None:
    scaled(2.0)
    window = open_window(size=(600, 700))
    bar = window.findChild(QToolBar, "toolbar")
    more = bar.findChild(QToolButton, "qt_toolbar_ext_button")
    qtbot.waitUntil(more.isVisible)
    assert more.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert more.accessibleName()
    hidden = bar.widgetForAction(bar.actions()[-1])
    assert not hidden.isVisible()
    more.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(more, Qt.Key.Key_Space)
    qtbot.waitUntil(hidden.isVisible, timeout=5000)


def test_that_a_network_with_one_axis_is_offered_signals_and_no_photos(
    open_window: Callable,
) -> None:
    window = open_window(size=(1440, 900))
    hands = Hands(window)
    menu = window.actions_.images
    photos = [x.text() for x in menu.actions() if x.isVisible()]
    assert {"Astronaut", "Open image…", "Stretch photos over the input"} <= set(photos)
    hands.preset("wavenet")
    signals = [plain(x.text()) for x in menu.actions() if x.isVisible() and x.text()]
    assert signals[:3] == ["Open signal", "Paste signal", "No signal"]
    assert signals[3:5] == [f"{x} signals to the length of the input" for x in ("Crop", "Pad")]
    assert signals[5:] == ["Stretch signals over the input"]
    names = [x.text() for x in window.findChild(QToolBar, "toolbar").findChildren(QToolButton)]
    assert "Signal ▾" in names
    hands.preset("vgg16")
    assert [x.text() for x in menu.actions() if x.isVisible()] == photos
