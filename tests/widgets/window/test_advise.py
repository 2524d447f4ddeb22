"""Advice in the window: typed sizes, boxes drawn on the canvas, and changes that are applied."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.core.fields.analysis import analyze

LEFT = Qt.MouseButton.LeftButton


def _opened(window):
    window.actions_.advise.trigger()
    dialog = window.advice
    assert dialog.isVisible()
    return dialog


@pytest.mark.slow
def test_that_a_proposal_is_applied_with_one_click_and_undone(
    qtbot: QtBot, open_window: Callable
) -> None:
    window = open_window()
    dialog = _opened(window)
    dialog.size_line.setText("20 × 12")
    dialog.task.setCurrentText("Detection")
    qtbot.mouseClick(dialog.ask, LEFT)
    # By hand: six 3×3 layers of stride 1 see 13 pixels.
    assert "covers all objects: no layer" in dialog.answer.text()
    assert dialog.rules.rowCount() == 3
    assert dialog.levels.rowCount() == 1
    assert dialog.proposals.rowCount() > 3
    assert not dialog.apply.isEnabled()
    texts = [dialog.proposals.item(i, 0).text() for i in range(dialog.proposals.rowCount())]
    row = texts.index("dilation 2 in 'head'")
    dialog.proposals.selectRow(row)
    before = window.studio.document.architecture
    qtbot.mouseClick(dialog.apply, LEFT)
    assert analyze(window.studio.document.architecture)["head"].rf_size == (15, 15)
    assert window.studio.document.undo_stack.undoText() == "Apply: dilation 2 in 'head'"
    assert dialog.answer.text().startswith("The network has changed since")
    assert not dialog.apply.isEnabled()
    window.studio.document.undo_stack.undo()
    assert window.studio.document.architecture == before
    dialog.close()


@pytest.mark.slow
def test_that_boxes_drawn_on_the_canvas_are_the_objects(
    qtbot: QtBot, open_window: Callable
) -> None:
    window = open_window()
    canvas = window.canvas
    canvas.view.setFocus()
    qtbot.keyClick(canvas.view, "5")
    viewport = canvas.view.viewport()

    def at(y: float, x: float):
        from PySide6.QtCore import QPointF

        return canvas.view.viewport_point(QPointF(x, y)).toPoint()

    QTest.mousePress(viewport, LEFT, pos=at(4, 5))
    place = at(10, 16).toPointF()
    event = QMouseEvent(
        QMouseEvent.Type.MouseMove,
        place,
        viewport.mapToGlobal(place),
        Qt.MouseButton.NoButton,
        LEFT,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(viewport, event)
    QTest.mouseRelease(viewport, LEFT, pos=at(10, 16))
    assert window.studio.boxes.sizes == ((7, 12),)
    assert len(canvas.view.item.scene_shown.boxes) == 1
    # By hand: the sixth layer of 3×3 is the first that sees 12 pixels.
    assert "7×12&nbsp;px: seen whole from <b>head</b> on" in canvas.caption.text()
    dialog = _opened(window)
    dialog.source.setCurrentIndex(1)
    assert dialog.source.currentText() == "Boxes on the canvas (1)"
    qtbot.mouseClick(dialog.ask, LEFT)
    assert "covers all objects: from head on" in dialog.answer.text()
    dialog.close()
    qtbot.mouseClick(viewport, LEFT, pos=at(7, 8))
    assert window.studio.boxes.boxes == ()
    assert "Drag a box" in canvas.caption.text()


def test_that_what_cannot_be_read_is_said_in_the_dialog(
    qtbot: QtBot, open_window: Callable, tmp_path
) -> None:
    dialog = _opened(open_window())
    dialog.size_line.setText("many")
    qtbot.mouseClick(dialog.ask, LEFT)
    assert "whole number of pixels" in dialog.answer.text()
    assert "24 × 48" in dialog.answer.text()
    dialog.take_path(str(tmp_path))
    qtbot.mouseClick(dialog.ask, LEFT)
    assert "holds no masks with objects" in dialog.answer.text()
    dialog.close()


def test_that_words_are_where_advice_will_be(open_window: Callable) -> None:
    dialog = _opened(open_window())
    assert "press Advise" in dialog.empty.text()
    assert dialog.empty.isVisible()
    assert not dialog.tabs.isVisible()
    dialog.close()
