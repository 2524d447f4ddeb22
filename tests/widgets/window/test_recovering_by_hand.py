"""What a crash has left is offered at the next start, and given up by nobody but the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio import gui
from rfstudio.app.files.recovery import Recovery, recovery_folder
from rfstudio.app.state.document import Document
from rfstudio.core.network.architecture import Architecture
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.questions import Questions
from rfstudio.widgets.window.recover_dialog import RecoverDialog
from tests.widgets.conftest import SMALL
from tests.widgets.hands import LEFT, NO_KEYS


def crashed(name: str) -> Path:
    """Leave what a session leaves that is killed."""
    document = Document(Architecture())
    recovery = Recovery(document)
    document.edit("edit", replace(SMALL, name=name))
    recovery.write()
    content = recovery.file.read_bytes()
    recovery.remove()
    recovery.file.write_bytes(content)
    recovery.file.with_suffix(".lock").touch()
    return recovery.file


@pytest.fixture
def window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    monkeypatch.setattr(Questions, "save_changes", lambda *_: "discard")
    made = gui.make_window()
    yield made
    made.close()
    made.deleteLater()


def start(window: MainWindow, *steps: Callable[[RecoverDialog], object]) -> list[str]:
    """Start, with left-overs; do one thing after the other in the dialog; return what it listed."""
    listed: list[str] = []

    def act() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, RecoverDialog)
        rows = [dialog.list.topLevelItem(i) for i in range(dialog.list.topLevelItemCount())]
        listed.extend(x.text(0) for x in rows if x is not None)
        for step in steps:
            step(dialog)

    QTimer.singleShot(0, act)
    gui._keep_recovery(window, Questions())
    return listed


def choose(name: str) -> Callable[[RecoverDialog], None]:
    def click(dialog: RecoverDialog) -> None:
        (row,) = dialog.list.findItems(name, Qt.MatchFlag.MatchExactly)
        at = dialog.list.visualItemRect(row).center()
        QTest.mouseClick(dialog.list.viewport(), LEFT, NO_KEYS, at)

    return click


def press(button: str) -> Callable[[RecoverDialog], None]:
    return lambda dialog: QTest.mouseClick(getattr(dialog, button), LEFT)


def escape(dialog: RecoverDialog) -> None:
    QTest.keyClick(dialog, Qt.Key.Key_Escape)


def test_that_a_left_over_is_opened_with_the_mouse_and_the_others_stay(window: MainWindow) -> None:
    files = {name: crashed(name) for name in ("first", "second", "third")}
    assert sorted(start(window, choose("second"), press("open_button"))) == sorted(files)
    document = window.studio.document
    assert document.architecture.name == "second"
    assert document.is_modified
    assert window.isWindowModified()
    assert window.studio.selection.layer in window.studio.analysis.analysis
    assert [files[x].exists() for x in ("first", "second", "third")] == [True, False, True]
    # The one that is open has a copy of its own, so that a kill now costs nothing.
    assert len(list(recovery_folder().glob("*.yaml"))) == 3


@pytest.mark.parametrize("end", [press("later_button"), escape], ids=["button", "escape"])
def test_that_whoever_decides_later_keeps_everything(
    window: MainWindow, end: Callable[[RecoverDialog], None]
) -> None:
    files = [crashed("first"), crashed("second")]
    before = window.studio.document.architecture
    start(window, end)
    assert window.studio.document.architecture is before
    assert all(x.exists() for x in files)
    assert sorted(start(window, end)) == ["first", "second"]  # the next start asks again


def test_that_what_is_deleted_with_the_mouse_is_gone_and_nothing_else(window: MainWindow) -> None:
    files = {name: crashed(name) for name in ("first", "second", "third")}
    start(window, choose("third"), press("delete_button"), choose("first"), press("later_button"))
    assert [files[x].exists() for x in ("first", "second", "third")] == [True, True, False]


def test_that_a_copy_that_is_garbage_is_listed_with_why_and_cannot_be_opened(
    window: MainWindow,
) -> None:
    good, bad = crashed("good"), crashed("bad")
    bad.write_bytes(b"\x00garbage")

    def look(dialog: RecoverDialog) -> None:
        for i in range(dialog.list.topLevelItemCount()):
            row = dialog.list.topLevelItem(i)
            assert row is not None
            QTest.mouseClick(
                dialog.list.viewport(), LEFT, NO_KEYS, dialog.list.visualItemRect(row).center()
            )
            assert dialog.open_button.isEnabled() == (row.text(0) == "good")

    listed = start(window, look, escape)
    assert len(listed) == 2
    assert good.exists()
    assert bad.exists()
