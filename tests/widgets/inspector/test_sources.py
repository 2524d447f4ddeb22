"""The layers that a layer reads are chosen in a menu."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QMenu, QToolButton
from pytestqt.qtbot import QtBot

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from tests.narrowing import instance
from tests.widgets.conftest import conv

NETWORK = Architecture(
    input_size=(16, 16), layers=(conv("a"), conv("b"), Layer(ops.Add(), "sum", ("a", "b")))
)


def test_that_a_source_is_taken_out_and_in_again(open_window: Callable, qtbot: QtBot) -> None:
    window = open_window(NETWORK)
    window.studio.selection.select_layer("sum")
    found = window.inspector.findChildren(QToolButton)
    button = next(x for x in found if x.accessibleName() == "Choose the layers that it reads")

    def choose() -> None:
        menu = instance(QMenu, QApplication.activePopupWidget())
        next(x for x in menu.actions() if x.text() == "a").trigger()
        menu.close()

    for inputs in (("b",), ("b", "a")):
        QTimer.singleShot(0, choose)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert window.studio.document.architecture.layers[2].inputs == inputs
