"""Every word of the window leads to its entry of the glossary, by mouse and by keyboard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QTableView, QToolTip, QTreeView, QWidget
from pytestqt.qtbot import QtBot

from rfstudio.app.files.help_pages import glossary_entries
from rfstudio.app.wording.terms import FIELDS, HINT, LABELS, entry_of_label
from rfstudio.core.metrics.registry import BY_NAME
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.widgets.charts.plot import Plot
from rfstudio.widgets.help.help_window import HelpWindow
from rfstudio.widgets.inspector.fold import Fold
from rfstudio.widgets.inspector.numbers import NumberBlock, TermLabel
from rfstudio.widgets.parts.explaining import questions_at, questions_in
from rfstudio.widgets.window.main_window import MainWindow
from tests.measurements import FakeRunner
from tests.narrowing import instance, present

ENTRIES = dict(glossary_entries())


_NETWORK = """\
format: 1
name: every word
input: {size: [32, 32], channels: 3}
layers:
  - conv: {name: first, kernel_size: 3, padding: 1, out_channels: 8}
  - residual:
      name: block
      layers:
        - conv: {name: inner, kernel_size: 3, padding: 1, out_channels: 8}
        - squeeze_excite: {name: gate, reduction: 4}
  - conv: {name: last, kernel_size: 3, stride: 2, padding: 1, out_channels: 8}
"""


@pytest.fixture
def full(open_window: Callable, qtbot: QtBot) -> Iterator[MainWindow]:
    """Yield a window in which as much as possible is shown."""
    window = open_window(read_yaml(_NETWORK))
    window.studio.selection.select_layer("last")
    window.studio.pins.add()
    for fold in window.findChildren(Fold):
        fold.button.setChecked(True)
    window.growth.erf.setChecked(True)
    qtbot.waitUntil(_nothing_is_worked_out)
    yield window
    qtbot.waitUntil(_nothing_is_worked_out)


def _nothing_is_worked_out() -> bool:
    return not any(x.name == "rfstudio-slices" for x in threading.enumerate())


def _right_click(widget: QWidget, place: QPoint) -> None:
    reason = QContextMenuEvent.Reason.Mouse
    event = QContextMenuEvent(reason, place, widget.mapToGlobal(place))
    QApplication.sendEvent(widget, event)


def _press_menu_key(widget: QWidget) -> None:
    place = widget.rect().center()
    reason = QContextMenuEvent.Reason.Keyboard
    QApplication.sendEvent(widget, QContextMenuEvent(reason, place, widget.mapToGlobal(place)))


def _ask(menu: QMenu) -> Iterator[str]:
    """Yield the questions of a menu."""
    for action in menu.actions():
        inner = QMenu.menuInAction(action)
        if isinstance(inner, QMenu):
            yield from _ask(inner)
        elif action.text().startswith("What is"):
            yield action.text()


def _popup() -> QMenu:
    return instance(QMenu, QApplication.activePopupWidget())


def _close_popup() -> None:
    popup = QApplication.activePopupWidget()
    if popup is not None:
        popup.close()


def _shown_entry(window: MainWindow) -> str:
    shown = instance(HelpWindow, window.findChild(HelpWindow))
    return shown.page.textCursor().block().text().partition(":")[0]


def _close_help(window: MainWindow) -> None:
    instance(HelpWindow, window.findChild(HelpWindow)).close()


def test_that_every_label_has_an_entry() -> None:
    assert {x for x in (*LABELS.values(), *FIELDS.values()) if x not in ENTRIES} == set()


def test_that_names_are_found_with_what_stands_beside_them() -> None:
    names = ("σ (px)", "sigma.y", "pin B", "Field C", "2 notes", "depth, in layers with weights")
    entries = [entry_of_label(x) for x in names]
    assert entries == [
        "Standard deviation (σ)",
        "Standard deviation (σ)",
        "Pin",
        "Receptive field, theoretical (TRF)",
        "Remark",
        "Depth",
    ]
    assert entry_of_label("stem.conv1") == ""
    assert entry_of_label("t, in samples") == "Pixel"


def test_that_every_number_of_files_has_an_entry() -> None:
    assert [x for x in BY_NAME if not entry_of_label(x)] == []


def test_that_every_number_of_the_inspector_is_asked_by_mouse_and_by_keys(
    full: MainWindow, qtbot: QtBot
) -> None:
    asked = 0
    for block in full.inspector.findChildren(NumberBlock):
        if not block.isVisible() or not block.texts():
            continue
        labels = [x for x in block.findChildren(TermLabel) if x.isVisibleTo(block)]
        heard: list[str] = []
        block.term_wanted.connect(heard.append)
        block.setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.keyClick(block, Qt.Key.Key_Home)
        for label in labels:
            assert label.entry in ENTRIES, label.text()
            assert HINT in label.toolTip()
            qtbot.mouseClick(label, Qt.MouseButton.LeftButton)
            assert label.font().underline()
            qtbot.keyClick(block, Qt.Key.Key_Return)
            qtbot.keyClick(block, Qt.Key.Key_Down)
            assert heard[-2:] == [label.entry] * 2
            _right_click(label, QPoint(2, 2))
            assert list(_ask(_popup())) == [f"What is “{label.text()}”?"]
            _close_popup()
            asked += 1
        assert HINT in block.accessibleDescription() or labels[-1].text() in (
            block.accessibleDescription()
        )
    assert asked > 30
    _close_help(full)


def test_that_the_menu_of_a_number_copies_it_and_opens_the_glossary(
    full: MainWindow, qtbot: QtBot
) -> None:
    block = full.inspector.costs
    block.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(block, Qt.Key.Key_End)
    _press_menu_key(block)
    copy, _, ask = _popup().actions()
    assert copy.text() == "Copy MACs"
    copy.trigger()
    assert QApplication.clipboard().text() == block.texts()["MACs"]
    ask.trigger()
    _close_popup()
    assert _shown_entry(full) == "MACs"
    _close_help(full)


def test_that_every_field_of_a_layer_that_the_glossary_knows_is_asked(full: MainWindow) -> None:
    full.studio.selection.select_layer(full.studio.analysis.analysis.layers[0].name)
    labels = [x for x in full.inspector.form.findChildren(QLabel) if x.text() in FIELDS]
    assert len(labels) >= 5
    for label in labels:
        place = label.mapToGlobal(QPoint(2, 2))
        assert questions_at(label, place)[0].entry == FIELDS[label.text()]


@pytest.mark.parametrize("part", ["table", "tree", "numbers", "comparison"])
def test_that_every_title_of_a_table_is_asked(full: MainWindow, qtbot: QtBot, part: str) -> None:
    views: dict[str, QTableView | QTreeView] = {
        "table": full.table,
        "tree": full.stack.tree,
        "numbers": full.numbers.table,
        "comparison": full.comparison.table,
    }
    view = views[part]
    for panel in (full.table, full.numbers, full.comparison):
        if panel is view or panel.isAncestorOf(view):
            full.tabs.setCurrentWidget(panel)
    headers = [view.header()] if isinstance(view, QTreeView) else [view.horizontalHeader()]
    if part == "comparison":
        headers.append(instance(QTableView, view).verticalHeader())
    for header in headers:
        for section in range(header.count()):
            title = str(header.model().headerData(section, header.orientation()))
            assert entry_of_label(title) in ENTRIES, title
            at = header.sectionViewportPosition(section) + 3
            is_across = header.orientation() == Qt.Orientation.Horizontal
            place = QPoint(at, 3) if is_across else QPoint(3, at)
            if not header.viewport().rect().contains(place) or header.isSectionHidden(section):
                continue
            _right_click(header.viewport(), place)
            assert len(list(_ask(_popup()))) == 1, title
            _close_popup()
    view.setFocus()
    if part in {"numbers", "comparison"}:
        view.selectionModel().setCurrentIndex(
            view.model().index(3, 1), view.selectionModel().SelectionFlag.ClearAndSelect
        )
        by_keys = [x.entry for x in questions_in(view)]
        row = str(view.model().headerData(3, Qt.Orientation.Vertical))
        assert by_keys[0] == entry_of_label(row)
    else:
        by_keys = [x.entry for x in questions_in(headers[0])]
        titles = [
            str(headers[0].model().headerData(i, Qt.Orientation.Horizontal))
            for i in range(headers[0].count())
            if not headers[0].isSectionHidden(i)
        ]
        assert {entry_of_label(x) for x in titles} == set(by_keys)


def test_that_every_row_of_numbers_is_asked(full: MainWindow) -> None:
    full.tabs.setCurrentWidget(full.numbers)
    full.numbers.refresh()
    rows = full.numbers.numbers.rows
    assert len(rows) > 20
    table = full.numbers.table
    for i, row in enumerate(rows):
        index = table.model().index(i, 0)
        table.scrollTo(index)
        place = table.visualRect(index).center()
        _right_click(table.viewport(), place)
        first = next(_ask(_popup()))
        _close_popup()
        assert first == f"What is “{row.name}”?"
        assert HINT in index.data(Qt.ItemDataRole.ToolTipRole)


def _is_laid_out(plot: Plot) -> bool:
    around = instance(QWidget, plot.parentWidget())
    axis = plot.getPlotItem().getAxis("bottom")
    place = plot.mapFromScene(axis.sceneBoundingRect().center())
    return bool(around.rect().contains(plot.geometry()) and plot.viewport().rect().contains(place))


def test_that_axes_and_legends_of_charts_are_asked(full: MainWindow, qtbot: QtBot) -> None:
    asked = set()
    for chart in (full.growth, full.profile):
        full.tabs.setCurrentWidget(chart)
        for plot in chart.findChildren(Plot):
            qtbot.waitUntil(partial(_is_laid_out, plot))
            titles = [*plot._texts.values()]
            legend = plot.getPlotItem().legend
            curves = [] if legend is None else [x.text for _, x in legend.items]
            names = {full.studio.analysis.analysis.architecture.name}
            known = [*titles, *(x for x in curves if x not in names)]
            assert [x for x in known if entry_of_label(x) not in ENTRIES] == []
            by_keys = {x.entry for x in questions_in(plot)}
            assert {entry_of_label(x) for x in known} == by_keys
            axis = plot.getPlotItem().getAxis("bottom")
            on_view = plot.mapFromScene(axis.sceneBoundingRect().center())
            _right_click(plot.viewport(), on_view)
            (text,) = _ask(_popup())
            asked.add(text)
            _close_popup()
    assert asked == {
        "What is “depth, in layers with weights on the longest path”?",
        "What is “x, in pixels”?",
        "What is “y, in pixels”?",
    }
    legend = full.profile.legend
    entries = {x.entry for x in questions_at(legend, legend.mapToGlobal(QPoint(3, 3)))}
    assert {"Gaussian, fitted", "Local field", "Visible region"} <= entries
    assert entries <= set(ENTRIES)


def test_that_every_switch_of_the_canvas_is_asked(full: MainWindow, qtbot: QtBot) -> None:
    bar = full.canvas.switches
    for button in bar._buttons.values():
        at = questions_at(button, button.mapToGlobal(QPoint(3, 3)))
        assert [x.entry in ENTRIES for x in at] == [True]
        if not button.isEnabled():
            continue  # it takes no clicks; the canvas asks for all
        _right_click(button, QPoint(3, 3))
        (text,) = _ask(_popup())
        _popup().actions()[0].trigger()
        _close_popup()
        assert _shown_entry(full) in ENTRIES, text
        assert HINT in button.toolTip()
        button.setFocus(Qt.FocusReason.TabFocusReason)
        full.explanations.explain()  # Shift+F1
        assert _shown_entry(full) in ENTRIES
    _close_help(full)
    full.canvas.view.menu_wanted.emit(full.canvas.mapToGlobal(QPoint(30, 30)))
    asked = list(_ask(_popup()))
    assert {"What is “Support”?", "What is “unit”?", "What is “ERF”?"} <= set(asked)
    _close_popup()


def test_that_the_status_line_is_asked(full: MainWindow) -> None:
    for part, entry in ((full.status.remarks, "Remark"), (full.status.hover, "Pixel")):
        found = questions_at(part, part.mapToGlobal(QPoint(2, 2)))
        assert [x.entry for x in found] == [entry]
    full.status.show_device("cpu")
    assert [x.entry for x in questions_in(full.status.device)] == ["Device"]
    assert ENTRIES.keys() >= {"Remark", "Pixel", "Device"}


def test_that_titles_of_attention_and_of_images_have_entries(full: MainWindow) -> None:
    from rfstudio.widgets.attention import panel as attention
    from rfstudio.widgets.spread import panel as spread

    titles = (*attention._TITLES.values(), *spread._TITLES.values(), "layer", "head", "heads")
    assert [x for x in titles if entry_of_label(x) not in ENTRIES] == []


def test_that_go_to_anything_finds_every_entry_by_its_name(full: MainWindow, qtbot: QtBot) -> None:
    palette = full.palette_
    palette.go_to_anything()
    for entry in ENTRIES:
        palette.search.setText(entry)
        assert f"What is “{entry}”?" in palette.texts()
    palette.search.setText("what is phase contrast")
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert _shown_entry(full) == "Phase contrast"
    _close_help(full)


def test_that_the_focus_on_a_number_is_explained_by_the_key(full: MainWindow, qtbot: QtBot) -> None:
    block = full.inspector.effective
    block.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(block, Qt.Key.Key_Home)
    assert not QToolTip.isVisible()
    full.actions_.documentation.trigger()
    assert _shown_entry(full) == "Effective size"
    _close_help(full)
    full.canvas.view.setFocus()
    full.actions_.documentation.trigger()  # nothing single has the focus
    shown = present(full.findChild(HelpWindow))
    assert shown.isVisible()
    _close_help(full)


@pytest.mark.parametrize("part", ["spread", "attention"])
def test_that_titles_of_panels_that_measure_are_asked(
    open_window: Callable, qtbot: QtBot, part: str
) -> None:
    window = open_window(read_yaml(_NETWORK), runner=FakeRunner())
    panel = getattr(window, part)
    titles = ["σ (px)", "strength"] if part == "spread" else ["head", "to tokens"]
    window.tabs.setCurrentWidget(panel)
    panel.table.setColumnCount(len(titles))
    panel.table.setHorizontalHeaderLabels(titles)
    panel.table.show()
    header = panel.table.horizontalHeader()
    qtbot.waitUntil(lambda: header.viewport().isVisible() and header.width() > 100)
    for section, title in enumerate(titles):
        place = QPoint(header.sectionViewportPosition(section) + 3, 3)
        _right_click(header.viewport(), place)
        assert list(_ask(_popup())) == [f"What is “{title}”?"]
        _close_popup()


@pytest.mark.parametrize("part", ["tree", "table"])
def test_that_the_menu_of_a_row_asks_for_its_columns(full: MainWindow, part: str) -> None:
    view = full.stack.tree if part == "tree" else full.table
    asked: list[str] = []

    def look() -> None:
        asked.extend(_ask(_popup()))
        _close_popup()

    full.tabs.setCurrentWidget(full.table)
    QTimer.singleShot(0, look)
    _press_menu_key(view.viewport())
    assert {"What is “Layer”?", "What is “Field”?", "What is “Jump”?"} <= set(asked)
