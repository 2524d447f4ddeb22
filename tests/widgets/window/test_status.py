"""The status bar follows the colours of the window."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.widgets.parts.theme import apply_scheme
from rfstudio.widgets.window.status import Status


def test_that_the_sign_of_the_remarks_has_the_colours_of_the_scheme(
    qtbot: QtBot, qapp: QApplication
) -> None:
    def picture(status: Status) -> bytes:
        image = status.remarks.icon().pixmap(16, 16).toImage()
        return bytes(image.constBits())

    apply_scheme(qapp, "light")
    status = Status()
    qtbot.addWidget(status)
    status.show_remarks("1 note", "note")
    light = picture(status)
    apply_scheme(qapp, "dark")
    dark = picture(status)
    assert dark != light
    status.show_remarks("1 note", "note")
    assert picture(status) == dark
    apply_scheme(qapp, "light")
    assert picture(status) == light
