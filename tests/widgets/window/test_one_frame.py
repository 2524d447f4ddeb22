"""An edit paints every panel once and lays nothing out anew; slow fields do not hold it up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.app.frames import Frames
from rfstudio.core import ops
from rfstudio.core.editing.edits import set_op
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.ops import Conv
from rfstudio.widgets.inspector.numbers import ValueLabel
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import present
from tests.widgets.conftest import conv

PAINT, LAYOUT = QEvent.Type.Paint, QEvent.Type.LayoutRequest

# One layout asks for the next, the last of a first edit in the fourth turn of the event loop.  On a
# busy machine all turns of 40 ms may be one.
TURNS = 20


class Counted(QObject):
    """Counts events of widgets."""

    def __init__(self, **watched: QWidget) -> None:
        super().__init__()
        self.counts: Counter[tuple[str, QEvent.Type]] = Counter()
        self._names = {widget: name for name, widget in watched.items()}
        for widget in watched.values():
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if watched in self._names:
            self.counts[self._names[watched], event.type()] += 1
        return False


def dilated(architecture: Architecture, dilation: int) -> Architecture:
    """Return a network with another dilation of its first layer."""
    op = Conv(kernel_size=3, dilation=dilation, padding=dilation, out_channels=3)
    return set_op(architecture, (0,), op)


def edit(window: MainWindow, qtbot: QtBot, dilation: int) -> None:
    """Edit the first layer, and wait until all is painted."""
    document = window.studio.document
    with qtbot.waitCallback() as painted:
        document.edit("dilate", dilated(document.architecture, dilation))
        QTimer.singleShot(40, painted)
    for _ in range(TURNS):
        with qtbot.waitCallback() as turned:
            QTimer.singleShot(0, turned)


@pytest.mark.timed
@pytest.mark.parametrize("panel", ["table", "growth", "profile", "graph"])
def test_that_an_edit_paints_every_panel_once_and_lays_nothing_out(
    window: MainWindow, qtbot: QtBot, panel: str
) -> None:
    window.tabs.setCurrentWidget(getattr(window, panel))
    for dilation in (2, 3):  # the longest words and numbers have their room from then on
        edit(window, qtbot, dilation)
    parts: dict[str, Sequence[Any]] = {
        "table": [window.table],
        "growth": [window.growth.plot],
        "profile": window.profile.plots,
        "graph": [window.graph],
    }
    shown = parts[panel][0].viewport()
    counted = Counted(
        window=window,
        canvas=window.canvas.view.viewport(),
        tree=window.stack.tree.viewport(),
        panel=shown,
    )
    edit(window, qtbot, 2)
    assert counted.counts["window", LAYOUT] == 0
    assert {x: counted.counts[x, PAINT] for x in ("canvas", "tree", "panel")} == {
        "canvas": 1,
        "tree": 1,
        "panel": 1,
    }


def test_that_a_move_of_the_unit_does_not_repaint_the_graph(
    window: MainWindow, qtbot: QtBot
) -> None:
    window.tabs.setCurrentWidget(window.graph)
    edit(window, qtbot, 2)
    counted = Counted(graph=window.graph.viewport(), canvas=window.canvas.view.viewport())
    with qtbot.waitCallback() as painted:
        window.studio.selection.select_unit((1, 1))
        QTimer.singleShot(40, painted)
    assert counted.counts["canvas", PAINT] >= 1
    assert counted.counts["graph", PAINT] == 0


def test_that_the_inspector_waits_with_a_field_that_takes_long(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EXPECTED, "seconds", 1.0)  # as if the last one had taken a second
    window.studio.selection.select_unit((1, 2))
    assert window.inspector.effective.texts() == {}
    qtbot.waitUntil(lambda: "size" in window.inspector.effective.texts())


def texts_of(window: MainWindow) -> list[object]:
    """Return what the parts of a window show that follow in later frames."""
    inspector, tree = window.inspector, window.stack
    blocks = (inspector.field, inspector.unit, inspector.effective, inspector.costs)
    return [
        inspector.title.text(),
        inspector.subtitle.text(),
        *(x.texts() for x in blocks),
        [x.text() for x in inspector.form.findChildren(QLineEdit)],
        [tree.model.text_of(tree.model.index_of((i,), 2)) for i in range(2)],
        [window.table.layers.texts_of(i) for i in range(window.table.layers.rowCount())],
        window.growth.readout.text(),
        [window.problems.list.item(i).text() for i in range(window.problems.list.count())],
        window.status.remarks.text(),
    ]


@pytest.mark.parametrize("panel", ["table", "growth", "profile", "graph"])
def test_that_numbers_and_charts_follow_in_later_frames(
    open_window: Callable[..., MainWindow], qtbot: QtBot, panel: str
) -> None:
    frames = Frames()
    late, at_once = open_window(frames=frames), open_window()
    changed = dilated(late.studio.document.architecture, 40)  # wider than the map: a remark
    for window in (late, at_once):
        window.tabs.setCurrentWidget(getattr(window, panel))
        window.studio.selection.select_layer("stem")
    frames.settle()
    assert texts_of(late) == texts_of(at_once)
    before = late.inspector.field.texts()
    for window in (late, at_once):
        window.studio.document.edit("dilate", changed)
    drawn = [x.canvas.view.item.scene_shown for x in (late, at_once)]
    assert drawn[0].theoretical is not None
    assert drawn[0].theoretical == drawn[1].theoretical
    assert drawn[0].visible == drawn[1].visible
    assert late.inspector.field.texts() == before != at_once.inspector.field.texts()
    qtbot.waitUntil(lambda: not frames.is_busy)
    assert texts_of(late) == texts_of(at_once)


def test_that_a_key_finds_every_part_as_it_is_now(
    open_window: Callable[..., MainWindow], qtbot: QtBot
) -> None:
    frames = Frames()
    window = open_window(frames=frames)
    frames.settle()
    window.studio.selection.select_layer("stem")
    assert window.inspector.title.text() == "head"
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_Shift)
    assert window.inspector.title.text() == "stem"


def test_that_a_form_that_is_late_edits_neither_its_own_item_nor_the_chosen_one(
    open_window: Callable[..., MainWindow],
) -> None:
    frames = Frames()
    window = open_window(frames=frames)
    window.studio.selection.select_layer("stem")
    frames.settle()
    before = window.studio.document.architecture
    spin = window.inspector.form.findChildren(QSpinBox)[0]
    for place in ((2,), None):
        window.studio.selection.select_item(place)
        QTest.keyClick(spin, Qt.Key.Key_Up)  # at the field, past the window that settles
        assert window.studio.document.architecture is before


@pytest.mark.parametrize(
    ("after", "editor"),
    [
        (conv("b", kernel_size=5), "kernel_size"),
        (Layer(ops.BlockMix(size=2), "mix"), "size"),  # its `groups` is a method
    ],
)
def test_that_a_form_that_is_late_does_not_edit_what_took_the_place_of_its_item(
    open_window: Callable[..., MainWindow], after: Layer, editor: str
) -> None:
    frames = Frames()
    layers = (conv("a"), after, conv("c"))
    window = open_window(Architecture(input_size=(32, 32), layers=layers), frames=frames)
    document, form = window.studio.document, window.inspector.form
    window.studio.selection.select_layer("a")
    frames.settle()
    window.stack.actions_.cut.trigger()
    assert window.studio.selection.layer == after.name
    before = document.architecture
    for spin in form.findChildren(QSpinBox):
        QTest.keyClick(spin, Qt.Key.Key_Up)  # at the field, past the window that settles
    assert document.architecture is before
    frames.settle()
    spin = present(form.editors[editor].findChild(QSpinBox))
    for _ in range(2):  # a second step does not wait for the form to follow the first
        step, document_before = spin.value(), document.architecture
        QTest.keyClick(spin, Qt.Key.Key_Up)
        assert spin.value() == step + 1
        assert document.architecture is not document_before


def test_that_a_number_can_be_selected_where_the_pointer_is(
    window: MainWindow, qtbot: QtBot
) -> None:
    size = next(
        x for x in window.inspector.field.findChildren(ValueLabel) if x.text().endswith("px")
    )
    qtbot.mouseMove(window.inspector, QPoint(1, 1))
    qtbot.mouseMove(size, QPoint(3, 5))
    qtbot.mouseDClick(size, Qt.MouseButton.LeftButton, pos=QPoint(3, 5))
    assert size.hasSelectedText()
