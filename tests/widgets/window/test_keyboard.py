"""The keyboard alone: where it goes with Tab, what undoes what, and what is said of each place."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDockWidget,
    QLabel,
    QLineEdit,
    QSpinBox,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from rfstudio.app.jobs import JobRunner
from rfstudio.core.network.architecture import item_at
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.widgets.inspector.editors import PaddingEditor
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.window.keys_dialog import KeysDialog
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import conv_at, instance, present
from tests.widgets.window.test_main_window import choose, names, spin


def test_that_undoing_a_wrap_leaves_the_wrapped_layer_chosen_in_every_view(
    window: MainWindow, qtbot: QtBot
) -> None:
    for wrap in window.stack.actions_.wraps:
        choose(window, qtbot, (2,))
        wrap.trigger()
        window.actions_.undo.trigger()
        assert window.studio.selection.layer == "head"
        assert window.stack.tree.currentIndex().data() == "head"
        window.actions_.redo.trigger()
        assert window.stack.chosen() == [(2,)]
        window.actions_.undo.trigger()


def test_that_an_edit_is_undone_where_the_keyboard_made_it(
    window: MainWindow, qtbot: QtBot
) -> None:
    control = Qt.KeyboardModifier.ControlModifier
    choose(window, qtbot, (0,))
    box = spin(window, "kernel_size")
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Up)
    assert conv_at(window.studio.document.architecture, (0,)).kernel_size == 4
    qtbot.keyClick(box, Qt.Key.Key_Z, control)
    assert box.value() == 3
    assert box.hasFocus()
    qtbot.keyClick(box, Qt.Key.Key_Y, control)
    assert box.value() == 4
    qtbot.keyClicks(box, "5")  # typed, not taken over yet: the line undoes its own
    qtbot.keyClick(box, Qt.Key.Key_Z, control)
    assert conv_at(window.studio.document.architecture, (0,)).kernel_size == 4

    line = instance(QLineEdit, window.inspector.form.editors["name"])
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, "first")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert names(window)[0] == "first"
    qtbot.keyClick(line, Qt.Key.Key_Z, control)
    assert names(window)[0] == "stem"


def stops(window: MainWindow, qtbot: QtBot) -> list[QWidget]:
    """Return where Tab leads from the canvas until it is there again."""
    window.canvas.view.setFocus()
    found: list[QWidget] = []
    while QApplication.focusWidget() not in found:
        found.append(present(QApplication.focusWidget()))
        assert len(found) < 200
        qtbot.keyClick(found[-1], Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is window.canvas.view
    return found


def can_be_stopped_at(widget: QWidget) -> bool:
    return (
        bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
        and widget.focusProxy() is None
        and widget.isVisible()
        and widget.isEnabled()
    )


def spoken_name(widget: QWidget) -> str:
    """Return what a screen reader says: the widget's name, or that of the label at its side."""
    label = next(
        (x for x in widget.window().findChildren(QLabel) if x.buddy() is widget and x.text()), None
    )
    tab = widget.tabText(widget.currentIndex()) if isinstance(widget, QTabBar) else ""
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return widget.accessibleName() or (label.text() if label else "") or tab or text


def test_that_tab_goes_through_everything_in_the_order_of_the_window(
    open_window: Callable, qtbot: QtBot
) -> None:
    window = open_window(runner=JobRunner())
    for layer in ("stage.0.relu1", "stem"):  # so that the form is not the first one
        window.studio.selection.select_layer(layer)
    kernel = window.inspector.form.editors["kernel_size"]
    kernel.apart.click()
    qtbot.waitUntil(kernel.spins[1].isVisible)
    parts = (window.stack, window.canvas, window.inspector, window.tabs, window.status)
    for tab in range(window.tabs.count()):
        window.tabs.setCurrentIndex(tab)
        found = stops(window, qtbot)
        wanted = {x for x in window.findChildren(QWidget) if can_be_stopped_at(x)}
        assert wanted - set(found) == set(), window.tabs.tabText(tab)
        assert [x for x in found if not spoken_name(x)] == []
        places = [i for x in found for i, part in enumerate(parts) if part.isAncestorOf(x)]
        start = places.index(0)
        assert places[start:] + places[:start] == sorted(places)
    form = [x for x in found if window.inspector.form.isAncestorOf(x)]
    for one, next_one in pairwise(form):
        apart = next_one.mapTo(window, QPoint(0, 0)) - one.mapTo(window, QPoint(0, 0))
        assert apart.y() > 8 or (abs(apart.y()) <= 8 and apart.x() > 0), spoken_name(next_one)
    assert len(form) > 8


def test_that_it_is_seen_where_the_keyboard_is(open_window: Callable, qtbot: QtBot) -> None:
    window = open_window(runner=JobRunner())
    parts = {
        0: window.table,
        1: window.growth.plot,
        2: window.profile,
        3: window.graph,
        4: window.measure_panel.run.area,
    }
    for tab, part in (*parts.items(), (0, window.inspector), (0, window.stack.tree)):
        window.tabs.setCurrentIndex(tab)
        shown = part.plots[0] if part is window.profile else part
        ring = next(x for x in shown.children() if isinstance(x, FocusRing))
        shown.setFocus(Qt.FocusReason.MouseFocusReason)
        assert not ring.isVisible()
        shown.clearFocus()
        shown.setFocus(Qt.FocusReason.TabFocusReason)
        assert ring.isVisible()
        assert ring.size() == shown.size()
        shown.clearFocus()
        assert not ring.isVisible()


def test_that_a_closed_panel_opens_when_the_keyboard_or_a_problem_goes_there(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    docks = {x.objectName(): x for x in window.findChildren(QDockWidget)}
    targets = {"1": "Layers", "2": "Layers", "4": "Inspector", "5": "Details"}
    for key, name in targets.items():
        docks[name].hide()
        window.canvas.view.setFocus()
        qtbot.keyClick(window, Qt.Key(ord(key)), Qt.KeyboardModifier.ControlModifier)
        assert docks[name].isVisible()
        assert docks[name].isAncestorOf(present(QApplication.focusWidget()))
    broken = tmp_path / "broken.yaml"
    broken.write_text("format: 1\nlayers: [konv]\n")
    for show in (window.status.remarks.click, lambda: window.files.open_path(broken)):
        docks["Details"].hide()
        show()
        assert window.problems.isVisible()


def test_that_the_wheel_over_the_form_scrolls_it_and_edits_nothing(
    window: MainWindow, qtbot: QtBot
) -> None:
    choose(window, qtbot, (0,))
    form = window.inspector.form
    before = window.studio.document.architecture
    for field in (
        spin(window, "kernel_size"),
        spin(window, "groups"),
        instance(PaddingEditor, form.editors["padding"]).mode,
    ):
        turn(field)
        assert not field.hasFocus()
    assert window.studio.document.architecture is before
    spin(window, "kernel_size").setFocus()
    turn(spin(window, "kernel_size"))
    assert conv_at(window.studio.document.architecture, (0,)).kernel_size == 4


def turn(field: QWidget) -> None:
    """Turn the wheel by one notch away from the user."""
    at, none = QPointF(field.rect().center()), Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(
        at, field.mapToGlobal(at), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, none,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(field, event)


def test_that_a_unit_is_chosen_by_typing_its_position(window: MainWindow, qtbot: QtBot) -> None:
    window.studio.selection.select_layer("head", (16, 16))
    window.canvas.view.setFocus()
    qtbot.keyClick(window.canvas.view, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    line = window.canvas.unit_line
    assert line.isVisible()
    assert line.line.text() == "16, 16"
    assert line.hint.text() == "y 0…31, x 0…31"
    qtbot.keyClicks(line.line, "32, 0")
    qtbot.keyClick(line.line, Qt.Key.Key_Return)
    assert line.hint.text() == "Y goes from 0 to 31, so there is no unit at 32"
    assert window.studio.selection.unit == (16, 16)
    qtbot.keyClicks(line.line, "31, 0")
    qtbot.keyClick(line.line, Qt.Key.Key_Return)
    assert not line.isVisible()
    assert window.studio.selection.unit == (31, 0)
    window.canvas.go_to_unit.trigger()
    qtbot.keyClicks(line.line, "1, 1")
    qtbot.keyClick(line.line, Qt.Key.Key_Escape)
    assert not line.isVisible()
    assert window.studio.selection.unit == (31, 0)


def test_that_what_is_typed_counts_for_whatever_is_done_next(
    open_window: Callable, qtbot: QtBot, answers, tmp_path: Path
) -> None:
    window = open_window(runner=JobRunner())
    control = Qt.KeyboardModifier.ControlModifier
    choose(window, qtbot, (0,))
    answers.path = tmp_path / "typed.yaml"
    kernel = spin(window, "kernel_size")
    kernel.setFocus()
    kernel.selectAll()
    qtbot.keyClicks(kernel, "7")
    qtbot.keyClick(kernel, Qt.Key.Key_S, control)
    assert conv_at(read_yaml(answers.path.read_bytes()), (0,)).kernel_size == 7
    assert kernel.hasFocus()

    window.tabs.setCurrentWidget(window.measure_panel)
    samples = window.measure_panel.form.editor("samples").input
    samples.setFocus()
    samples.selectAll()
    qtbot.keyClicks(samples, "5")
    qtbot.keyClick(samples, Qt.Key.Key_M, control)
    assert window.studio.erf_session.measurement.options.samples == 5
    window.actions_.cancel.trigger()

    name = window.inspector.form.editors["name"]
    name.setFocus()
    name.selectAll()
    qtbot.keyClicks(name, "first")
    answers.save = "cancel"
    assert not window.close()
    assert names(window)[0] == "first"


def test_that_one_layer_after_the_other_is_deleted_by_the_same_key(
    window: MainWindow, qtbot: QtBot
) -> None:
    choose(window, qtbot, (0,))
    for left in (["stage", "head"], ["head"], []):
        qtbot.keyClick(window.stack.tree, Qt.Key.Key_Delete)
        assert names(window) == left
    window.actions_.undo.trigger()
    assert window.stack.chosen() == [(0,)]
    choose_inside = (0, 0, 0, 0, 0)
    window.actions_.undo.trigger()
    choose(window, qtbot, choose_inside)  # the first of the residual block in the repeat
    for _ in range(2):
        qtbot.keyClick(window.stack.tree, Qt.Key.Key_X, Qt.KeyboardModifier.ControlModifier)
    assert item_at(window.studio.document.architecture, (0, 0, 0)).bodies[0] == ()


def test_that_escape_takes_back_what_is_typed(window: MainWindow, qtbot: QtBot) -> None:
    choose(window, qtbot, (0,))
    before = window.studio.document.architecture
    name = instance(QLineEdit, window.inspector.form.editors["name"])
    fields: list[tuple[QLineEdit | QSpinBox, str]]
    fields = [(name, "other"), (spin(window, "kernel_size"), "9")]
    for field, text in fields:
        field.setFocus()
        shown = field.text()
        field.selectAll()
        qtbot.keyClicks(field, text)
        assert field.text() == text
        qtbot.keyClick(field, Qt.Key.Key_Escape)
        assert field.text() == shown
        window.canvas.view.setFocus()
        assert window.studio.document.architecture is before


def test_that_f1_lists_the_keys_of_menus_canvas_graph_and_charts(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.canvas.view.setFocus()
    qtbot.keyClick(window.canvas.view, Qt.Key.Key_F1)
    dialog = present(window.findChild(KeysDialog))
    texts = dialog.texts()
    assert texts["File"]["Ctrl+S"] == "Save"
    assert texts["Edit"]["Ins"] == "Add layer"
    assert texts["View"]["Ctrl+L"] == "Go to unit"
    assert texts["Canvas"]["R"] == "Show or hide: Theoretical"
    assert "Arrow keys" in texts["Graph"]
    known = {x for place in texts.values() for x in place}
    assert {"Ctrl+M", "Ctrl+Shift+P", "F1", "0", "1"} <= known
    dialog.close()


def test_that_the_filter_leads_to_its_first_match_or_says_that_there_is_none(
    window: MainWindow, qtbot: QtBot
) -> None:
    panel = window.stack
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Return):
        choose(window, qtbot, (2,))
        panel.filter_line.setFocus()
        panel.filter_line.selectAll()
        qtbot.keyClicks(panel.filter_line, "relu")
        qtbot.keyClick(panel.filter_line, key)
        assert panel.tree.hasFocus()
        assert window.studio.selection.layer == "stage.1.relu1"
        panel.filter_line.clear()
    panel.filter_line.setText("attention")
    assert "No layer matches" in panel._empty.text()
    assert panel._empty.isVisible()
    panel.filter_line.clear()
    assert not panel._empty.isVisible()
