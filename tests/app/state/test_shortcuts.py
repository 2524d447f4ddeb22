"""Keys that the user gives to commands outlive a run, and none has two commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from pytestqt.qtbot import QtBot

from rfstudio.app.state.settings import Settings
from rfstudio.app.state.shortcuts import Command, KeyTakenError, Shortcuts
from rfstudio.core.errors import RFStudioError


def _made(settings: Settings) -> tuple[Shortcuts, Command, Command]:
    shortcuts = Shortcuts(settings)
    found = []
    for text, keys in (("Save…", "Ctrl+S"), ("Pin", "")):
        action = QAction(text, shortcuts)
        action.setShortcut(keys)
        action.setToolTip(f"{text} ({keys})" if keys else text)
        found.append(shortcuts.add("File", action))
    return shortcuts, found[0], found[1]


def _keys(text: str) -> QKeySequence:
    return QKeySequence(text)


def test_that_a_key_is_remembered_and_named_in_the_tip(qtbot: QtBot, tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.ini")
    shortcuts, save, pin = _made(settings)
    shortcuts.set(save, _keys("Ctrl+Alt+S"))
    shortcuts.set(pin, _keys("Ctrl+S"))
    assert save.action.toolTip() == "Save… (Ctrl+Alt+S)"
    settings.sync()
    again, save, pin = _made(Settings(tmp_path / "settings.ini"))
    assert (save.keys, pin.keys) == (_keys("Ctrl+Alt+S"), _keys("Ctrl+S"))
    again.set(save, QKeySequence())
    assert save.action.toolTip() == "Save…"
    third, taken, _ = _made(Settings(tmp_path / "settings.ini"))
    assert taken.keys.isEmpty()
    again.reset_all()
    assert save.action.toolTip() == "Save… (Ctrl+S)"
    last, *_ = _made(Settings(tmp_path / "settings.ini"))
    assert [x.is_usual for x in last] == [True, True]
    assert [x.is_usual for x in third] == [False, False]


def test_that_a_key_of_another_command_is_only_taken_over(qtbot: QtBot, tmp_path: Path) -> None:
    shortcuts, save, pin = _made(Settings(tmp_path / "settings.ini"))
    with pytest.raises(KeyTakenError, match=r"Ctrl\+S is the key of “Save” \(File\)"):
        shortcuts.set(pin, _keys("Ctrl+S"))
    assert (save.keys, pin.keys) == (_keys("Ctrl+S"), QKeySequence())
    shortcuts.set(pin, _keys("Ctrl+S"), take_over=True)
    assert (save.keys, pin.keys) == (QKeySequence(), _keys("Ctrl+S"))


@pytest.mark.parametrize("keys", ["Left", "Tab", "0", "Esc", "K", "?"])
def test_that_no_command_of_a_window_takes_what_is_typed(
    qtbot: QtBot, tmp_path: Path, keys: str
) -> None:
    shortcuts, save, pin = _made(Settings(tmp_path / "settings.ini"))
    with pytest.raises(RFStudioError, match="with Ctrl or Alt"):
        shortcuts.set(save, _keys(keys))
    shortcuts.set(save, _keys("F7"))
    shortcuts.set(save, _keys("Ins"))
    pin.action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    shortcuts.set(pin, _keys("K"))  # in its panel a letter is typed nowhere
