"""Every control of the window and of its dialogs has a name that is read out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QGraphicsView,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QTextEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from rfstudio.app.files.presets import read_preset
from rfstudio.widgets.stack.batch_dialog import BatchDialog
from rfstudio.widgets.window.crash_dialog import CrashDialog
from tests.measurements import FakeRunner

_CONTROLS = (
    QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox,
    QGraphicsView, QKeySequenceEdit, QLineEdit, QPlainTextEdit, QTextEdit,
)  # fmt: skip
_INNER = QAbstractSpinBox, QComboBox, QKeySequenceEdit
"""What has parts of its own, which are read out as the whole."""


def _controls(root: QWidget) -> Iterator[QWidget]:
    for widget in root.findChildren(QWidget):
        around = [widget.parent(), getattr(widget.parent(), "parent", lambda: None)()]
        is_part = isinstance(widget, QScrollBar | QHeaderView) or any(
            isinstance(x, _INNER) for x in around
        )
        can_be_reached = widget.focusPolicy() != Qt.FocusPolicy.NoFocus
        is_qt_own = widget.objectName().startswith("qt_") or widget.isHidden()
        if isinstance(widget, _CONTROLS) and can_be_reached and not is_part and not is_qt_own:
            yield widget


def _name(widget: QWidget) -> str:
    if widget.accessibleName():
        return widget.accessibleName()
    labels = (x.text() for x in widget.window().findChildren(QLabel) if x.buddy() is widget)
    text = widget.text() if isinstance(widget, QAbstractButton) else next(labels, "")
    return text if any(x.isalpha() for x in text) else ""


def _is_of_charts(widget: QWidget) -> bool:
    """Whether it is in a menu that the library of charts makes, and that is switched off."""
    around: QWidget | None = widget
    while around is not None and around.metaObject().className() != "QMenu":
        around = around.parentWidget()
    return around is not None and not around.accessibleName()


@pytest.mark.slow
def test_that_every_control_has_a_name(open_window: Callable, qtbot: QtBot) -> None:
    window = open_window(read_preset("unet"), runner=FakeRunner())
    for number in range(window.tabs.count()):
        window.tabs.setCurrentIndex(number)
    for item in (None, *((x,) for x in range(6))):
        window.studio.selection.select_item(item)
        nameless = [x for x in _controls(window.inspector) if not _name(x)]
        assert nameless == []
    actions = window.actions_
    for action in (
        actions.advise, actions.keys, actions.history, actions.about, actions.documentation,
        actions.experiments, actions.train, actions.anything,
    ):  # fmt: skip
        action.trigger()
    dialogs = [CrashDialog("a traceback", window), BatchDialog(window.studio.edits, [(0,)], window)]
    tops = [x for x in QApplication.topLevelWidgets() if x.isVisible()]
    found = [x for top in (*tops, *dialogs) for x in _controls(top) if not _is_of_charts(x)]
    assert len(found) > 150
    assert [
        f"{type(x).__name__} in {type(x.parent()).__name__}" for x in found if not _name(x)
    ] == []
    for top in (*tops, *dialogs):
        if top is not window:
            top.close()
