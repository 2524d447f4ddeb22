"""An edit paints every panel once and lays nothing out anew; slow fields do not hold it up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.core.editing.edits import set_op
from rfstudio.core.ops import Conv
from rfstudio.widgets.inspector.numbers import ValueLabel
from rfstudio.widgets.window.main_window import MainWindow

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


def edit(window: MainWindow, qtbot: QtBot, dilation: int) -> None:
    """Edit the first layer, and wait until all is painted."""
    op = Conv(kernel_size=3, dilation=dilation, padding=dilation, out_channels=3)
    document = window.studio.document
    with qtbot.waitCallback() as painted:
        document.edit("dilate", set_op(document.architecture, (0,), op))
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
