"""Room is scarce: a small window, long names, and texts that were longer before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from rfstudio.app.files.presets import read_preset
from rfstudio.app.jobs import JobRunner
from rfstudio.app.state.settings import Settings
from rfstudio.app.wording.texts import short_name
from rfstudio.core.network.architecture import Architecture, Residual
from rfstudio.widgets.parts.theme import TEXT_SCALE, apply_scheme, scale_text
from rfstudio.widgets.window.dock import Dock
from tests.widgets.conftest import conv

LONG = "a_name_that_nobody_should_give_a_layer_but_somebody_will_do_so_"


def rows_in_sight(area: QWidget, cells: list[QWidget]) -> int:
    """Return how many rows of a form are seen whole."""
    seen = {
        cell.mapTo(area, QPoint(0, 0)).y()
        for cell in cells
        if area.rect().contains(cell.rect().translated(cell.mapTo(area, QPoint(0, 0))))
    }
    return len(seen)


def test_that_a_small_window_shows_five_rows_of_options_and_two_of_switches(
    open_window: Callable, qtbot: QtBot
) -> None:
    window = open_window(read_preset("resnet50"), (1024, 700), JobRunner())
    window.tabs.setCurrentWidget(window.measure_panel)
    window.studio.selection.select_layer("layer3.rest.1.conv2")
    form = window.measure_panel.form
    cells = list(form._cells.values())
    qtbot.waitUntil(lambda: rows_in_sight(form.area.viewport(), cells) >= 5)
    buttons = list(window.canvas.switches._buttons.values())
    assert len({x.y() for x in buttons}) == 2
    # 171: layer3's second block of ResNet-50, as the published tables have it
    assert buttons[0].accessibleName() == "Theoretical 171×171"
    # The inspector is a tab beside the layers, so that the canvas has the width for numbers.
    assert buttons[0].text() == "Theoretical 171×171"
    assert window.size().toTuple() == (1024, 700)


def test_that_a_large_window_shows_the_numbers_beside_the_switches(open_window: Callable) -> None:
    window = open_window(read_preset("resnet50"))
    window.studio.selection.select_layer("layer3.rest.1.conv2")
    assert window.canvas.switches._buttons["theoretical"].text() == "Theoretical 171×171"


def test_that_long_names_push_nothing_out_of_sight(open_window: Callable, qtbot: QtBot) -> None:
    layers = (conv(LONG + "1"), Residual((conv(LONG + "2"), conv(LONG + "3")), (), LONG + "block"))
    window = open_window(Architecture(name="long", input_size=(32, 32), layers=layers), (1024, 700))
    layer = f"{LONG}block.{LONG}3"
    window.studio.selection.select_layer(layer)
    assert window.inspector.title.text() == layer
    body = window.inspector.widget()
    qtbot.waitUntil(lambda: body.width() == window.inspector.viewport().width())
    assert "_so_3" in window.canvas.caption.text()
    window.tabs.setCurrentWidget(window.growth)
    assert "_so_3: size 7×7" in window.growth.readout.text()


@pytest.mark.parametrize(
    ("name", "most", "wanted"), [("abcdef", 6, "abcdef"), ("abcdefg", 6, "ab…efg"), ("", 5, "")]
)
def test_that_a_long_name_loses_its_middle(name: str, most: int, wanted: str) -> None:
    assert short_name(name, most) == wanted


def test_that_another_network_takes_no_room_for_the_texts_of_the_last_one(
    open_window: Callable, qtbot: QtBot
) -> None:
    window = open_window()
    window.canvas.settle()
    caption, bar = window.canvas.caption, window.canvas.switches
    high = caption.height()
    caption.setText("many words " * 60)
    bar.set_detail("theoretical", "123456×123456")
    window.canvas.arrange()
    assert caption.height() > high
    wide = bar._buttons["theoretical"].sizeHint().width()
    window.files.open_preset("alexnet")
    assert caption.height() <= high
    qtbot.waitUntil(lambda: bar._buttons["theoretical"].width() < wide)


def test_that_the_status_bar_cuts_what_is_too_long_and_never_widens_the_window(
    open_window: Callable,
) -> None:
    window = open_window(size=(1024, 700))
    reason = "Not measured: " + "a reason of many words " * 12
    window.status.tell(reason)
    assert window.status.currentMessage().endswith("…")
    assert window.status.toolTip() == reason
    window.status.tell("Saved")
    assert (window.status.currentMessage(), window.status.toolTip()) == ("Saved", "")
    window.status.show_device("cuda:0 of a machine with a name " * 10)
    window.status.show_hover("y 1, x 2 · " * 40)
    assert window.minimumSizeHint().width() < 1024
    assert window.status.device.toolTip().endswith(window.status.device.text())


def test_that_recent_files_of_one_name_are_told_apart(
    open_window: Callable, tmp_path: Path
) -> None:
    window = open_window()
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a&b.yaml").touch()
        window.studio.recent.add(tmp_path / folder / "a&b.yaml")
    menu = QMenu()
    window.actions_._fill_recent(menu)
    texts = [x.text() for x in menu.actions()][:2]
    assert texts == ["a&&b.yaml  –  second", "a&&b.yaml  –  first"]


# 1440×900 at a scale of 150 %, the smallest window that is supported, and two usual laptops.
@pytest.mark.parametrize(
    "size",
    [
        pytest.param((960, 600), marks=pytest.mark.slow),
        (1024, 700),
        pytest.param((1280, 760), marks=pytest.mark.slow),
        pytest.param((1366, 720), marks=pytest.mark.slow),
    ],
)
def test_that_the_canvas_has_half_of_a_small_window(
    open_window: Callable, size: tuple[int, int]
) -> None:
    window = open_window(read_preset("resnet50"), size)
    share = window.canvas.width() * window.canvas.height() / (size[0] * size[1])
    assert share > 0.5
    assert window.stack.isVisible()
    assert window.tabs.isVisible()  # its titles, so that it is seen that there is more
    assert not window.table.isVisible()
    assert window.size().toTuple() == size


def test_that_the_picture_is_the_largest_part_of_a_large_window(
    open_window: Callable, qapp: QApplication
) -> None:
    apply_scheme(qapp, "light")  # the program's own style, which needs less room than others
    window = open_window(read_preset("vgg16"))
    share = window.canvas.width() * window.canvas.height() / (1440 * 900)
    assert share > 0.45
    assert window.table.isVisible()
    assert window.stack.isVisible()
    assert window.inspector.isVisible()


@pytest.mark.slow
def test_that_a_title_unfolds_the_panel_and_an_arrow_folds_it(
    open_window: Callable, qtbot: QtBot, settings: Settings
) -> None:
    window = open_window(size=(1024, 700))
    high = window.canvas.height()
    bar = window.tabs.tabBar()
    # The tab that is chosen already, so that nothing but the click can unfold it.
    qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(0).center())
    assert window.table.isVisible()
    qtbot.waitUntil(lambda: window.canvas.height() < high - 100)
    assert window.table.height() > 100
    window.tabs.fold_button.click()
    assert not window.table.isVisible()
    qtbot.waitUntil(lambda: window.canvas.height() == high)
    window.show_problems()
    assert window.problems.isVisible()
    window.tabs.fold_button.click()
    window.close()
    assert open_window(size=(1024, 700)).tabs.is_folded


def test_that_the_sentence_of_a_network_is_whole_though_its_field_is_short(
    open_window: Callable,
) -> None:
    about = "He et al. 2015, bottleneck blocks with the stride in the 3×3 convolution. " * 2
    window = open_window(Architecture(name="net", description=about, layers=(conv("a"),)))
    window.studio.selection.select_item(None)
    assert about in window.inspector.subtitle.text()
    assert window.inspector.subtitle.wordWrap()
    assert about.strip() in window.inspector.form.editors["description"].toolTip()


def test_that_larger_texts_are_chosen_and_leave_room_for_the_canvas_and_for_names(
    open_window: Callable, settings: Settings, qapp: QApplication
) -> None:
    window = open_window()
    usual = qapp.font().pointSizeF()
    (action,) = [x for x in window.findChildren(QAction) if x.text() == "200 %"]
    action.trigger()
    assert settings.number(TEXT_SCALE, 1.0) == 2.0
    assert "200 %" in window.status.currentMessage()
    try:
        scale_text(qapp, settings.number(TEXT_SCALE, 1.0))
        assert qapp.font().pointSizeF() == pytest.approx(2 * usual)
        large = open_window(read_preset("vgg16"))
        assert large.tabs.is_folded
        name = large.stack.tree.fontMetrics().horizontalAdvance("conv5_3")
        assert large.stack.tree.columnWidth(0) > name + 2 * large.stack.tree.indentation()
        assert large.canvas.width() > large.width() // 2
    finally:
        scale_text(qapp, 1.0)
    assert qapp.font().pointSizeF() == pytest.approx(usual)


def test_that_a_small_window_with_texts_twice_as_large_keeps_its_size_in_every_panel(
    open_window: Callable, qtbot: QtBot, qapp: QApplication
) -> None:
    try:
        apply_scheme(qapp, "light")
        scale_text(qapp, 2.0)
        window = open_window(read_preset("resnet18"), (1024, 700))
        canvas = window.canvas
        line = canvas.caption.fontMetrics().lineSpacing()
        window.tabs.unfold()
        for index in range(window.tabs.count()):
            window.tabs.setCurrentIndex(index)
            qtbot.waitUntil(window.tabs.widget(index).isVisible)
            assert window.minimumSizeHint().width() <= 1024, window.tabs.tabText(index)
            assert window.minimumSizeHint().height() <= 700, window.tabs.tabText(index)
        qtbot.waitUntil(lambda: canvas.caption.height() < 3 * line)
        assert "435×435" in canvas.caption.text()
        assert "can see the" in canvas.caption.toolTip()  # the whole sentence
        buttons = list(canvas.switches._buttons.values())
        assert len({x.y() for x in buttons}) == 1
        assert all(x.toolTip() and x.accessibleName() for x in buttons)  # they are without words
        assert canvas.view.height() > 2 * line
    finally:
        scale_text(qapp, 1.0)


@pytest.mark.parametrize(
    ("network", "scale"), [("mobilenet_v3_large", 1.5), ("vit_b16", 1.0), ("vit_b16", 2.0)]
)
def test_that_the_sentence_above_the_picture_never_takes_more_than_two_lines(
    open_window: Callable, qtbot: QtBot, qapp: QApplication, network: str, scale: float
) -> None:
    try:
        apply_scheme(qapp, "light")
        scale_text(qapp, scale)
        window = open_window(read_preset(network), (1024, 700))
        window.studio.selection.select_item((5,) if network != "vit_b16" else (2, 0, 0))
        caption = window.canvas.caption
        margins = caption.contentsMargins()
        line = caption.fontMetrics().lineSpacing()
        most = 2 * line + margins.top() + margins.bottom() + 2
        qtbot.waitUntil(lambda: QLabel.heightForWidth(caption, caption.width()) <= most)
        qtbot.waitUntil(lambda: caption.height() <= most)
        words = caption.toolTip() or caption.text()
        assert "can see the" in words
        window.resize(2800, 700)  # where there is room, all of it
        qtbot.waitUntil(lambda: "can see the" in caption.text())
        assert not caption.toolTip()
    finally:
        scale_text(qapp, 1.0)


@pytest.mark.parametrize("network", ["", "unet_3d"])
def test_that_unfolding_a_panel_never_makes_a_small_window_grow(
    open_window: Callable, qtbot: QtBot, qapp: QApplication, network: str
) -> None:
    try:
        apply_scheme(qapp, "light")
        scale_text(qapp, 2.0)
        shown = read_preset(network) if network else Architecture()
        window = open_window(shown, (1024, 700), JobRunner())
        window.grab()  # lays out what is hidden as well
        wide = window.canvas.width()
        window.tabs.unfold()
        qtbot.waitUntil(lambda: window.canvas.width() < wide - 50)  # it is beside the canvas
        assert window.size().toTuple() == (1024, 700)
        assert window.canvas.height() >= window.canvas.minimumSizeHint().height()
    finally:
        scale_text(qapp, 1.0)


def test_that_a_panel_without_room_above_it_is_unfolded(open_window: Callable) -> None:
    window = open_window(size=(700, 400))
    window.tabs.fold()
    layers = next(x for x in window.findChildren(Dock) if x.objectName() == "Layers")
    window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, layers)
    layers.widget().setMinimumHeight(2000)  # as with large texts
    window.tabs.unfold()
    assert window.table.isVisible()


def test_that_a_large_screen_with_texts_twice_as_large_shows_names(
    open_window: Callable, qapp: QApplication, settings: Settings
) -> None:
    settings.set(TEXT_SCALE, 2.0)
    try:
        apply_scheme(qapp, "light")
        scale_text(qapp, 2.0)
        window = open_window(read_preset("resnet50"), (3840, 2160))
        tree = window.stack.tree
        assert tree.columnWidth(0) > tree.fontMetrics().horizontalAdvance(
            "maxpool  max_pool 3×3 /2"
        )
        assert window.canvas.width() * window.canvas.height() > 0.54 * 3840 * 2160
    finally:
        scale_text(qapp, 1.0)


def test_that_the_chosen_layer_stays_in_sight_where_the_list_shrinks(
    open_window: Callable, qtbot: QtBot
) -> None:
    window = open_window(read_preset("vgg16"), (1440, 900))
    tree = window.stack.tree

    def is_seen() -> bool:
        place = tree.visualRect(tree.currentIndex())
        return bool(tree.viewport().rect().contains(place))

    window.studio.selection.select_layer("conv5_3")
    assert is_seen()
    high = tree.height()
    window.resize(1024, 500)
    qtbot.waitUntil(lambda: tree.height() < high)
    assert is_seen()
    tree.scrollToTop()
    assert not is_seen()
    window.resize(1024, 480)  # where the user has scrolled away, nothing jumps
    assert tree.verticalScrollBar().value() == 0
    window.stack.filter_line.setText("conv1")
    window.stack.filter_line.clear()  # where the rows are back, it is found again
    assert is_seen()
