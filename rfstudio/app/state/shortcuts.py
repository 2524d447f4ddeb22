"""Keys of commands: those that they begin with, and those that the user gave them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QKeyCombination, QObject, Qt
from PySide6.QtGui import QAction, QKeySequence

from rfstudio.app.state.settings import Settings
from rfstudio.core.errors import RFStudioError

_NONE = "none"
"""What is remembered for a command whose key was taken away."""

_OF_PANELS = (
    *(Qt.Key(x) for x in range(Qt.Key.Key_0, Qt.Key.Key_9 + 1)),
    Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down,
    Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown,
    Qt.Key.Key_Plus, Qt.Key.Key_Minus, Qt.Key.Key_Space, Qt.Key.Key_Tab, Qt.Key.Key_Backtab,
    Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape, Qt.Key.Key_Backspace,
)  # fmt: skip
"""Keys that move, zoom and type; alone or with Shift, no command takes them."""

_PLAIN = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier


class KeyTakenError(RFStudioError):
    """Another command has the key."""


@dataclass(frozen=True, eq=False)
class Command:
    """A command that may have a key.

    Attributes
    ----------
    place
        Where it is found: the title of a menu, or a part of the window.
    name
        What it does, in words.
    action
        The command.
    usual
        The key that it begins with.
    setting
        Under what its key is remembered.
    is_in_tip
        Whether its tip ends with its key.
    """

    place: str
    name: str
    action: QAction
    usual: QKeySequence
    setting: str
    is_in_tip: bool

    @property
    def keys(self) -> QKeySequence:
        """Its key now."""
        return self.action.shortcut()

    @property
    def is_usual(self) -> bool:
        """Whether it has the key that it begins with."""
        return self.keys == self.usual


class Shortcuts(QObject):
    """Holds all commands with their keys, gives them others, and remembers that."""

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._commands: list[Command] = []

    def __iter__(self) -> Iterator[Command]:
        """Go through all commands, as they were added."""
        return iter(self._commands)

    def add(self, place: str, action: QAction, name: str = "") -> Command:
        """Add a command, and give it the key that is remembered for it."""
        name = name or action.objectName() or plain_text(action)
        setting = f"keys/{place}/{name}".replace("\\", "|")
        usual = action.shortcut()
        is_in_tip = not usual.isEmpty() and action.toolTip().endswith(_in_tip(usual))
        command = Command(place, name, action, usual, setting, is_in_tip)
        self._commands.append(command)
        remembered = self._settings.text(setting)
        if remembered:
            text = "" if remembered == _NONE else remembered
            self._show(command, QKeySequence(text, QKeySequence.SequenceFormat.PortableText))
        return command

    def owner(self, keys: QKeySequence, *, but: Command) -> Command | None:
        """Return the other command that has a key, if there is one."""
        if keys.isEmpty():
            return None
        return next((x for x in self._commands if x is not but and x.keys == keys), None)

    def fault(self, keys: QKeySequence, command: Command) -> str:
        """Return why a command cannot have a key, in a sentence; empty: it can."""
        if keys.isEmpty() or keys == command.usual:
            return ""
        # Qt's stubs do not know that it has items.
        pressed: QKeyCombination = keys[0]  # type: ignore[index]
        is_plain = pressed.keyboardModifiers() in _PLAIN
        text = keys.toString(QKeySequence.SequenceFormat.NativeText)
        if is_plain and pressed.key() in _OF_PANELS:
            return f"{text} moves, zooms or types in the panels; use it with Ctrl or Alt."
        is_everywhere = command.action.shortcutContext() == Qt.ShortcutContext.WindowShortcut
        if is_everywhere and is_plain and pressed.key() < Qt.Key.Key_Escape:  # letters and signs
            return f"{text} alone is typed into fields; use it with Ctrl or Alt."
        return ""

    def set(self, command: Command, keys: QKeySequence, *, take_over: bool = False) -> None:
        """Give a command a key; an empty one takes its key away.

        Parameters
        ----------
        command, keys
            The command and its key.
        take_over
            Whether another command that has the key loses it.

        Raises
        ------
        KeyTakenError
            If another command has the key, and it is not taken over.
        RFStudioError
            If no command can have this key.
        """
        if fault := self.fault(keys, command):
            raise RFStudioError(fault)
        owner = self.owner(keys, but=command)
        if owner is not None:
            if not take_over:
                raise KeyTakenError(
                    f"{keys.toString(QKeySequence.SequenceFormat.NativeText)} is the key of "
                    f"“{owner.name}” ({owner.place})."
                )
            self._give(owner, QKeySequence())
        self._give(command, keys)

    def reset_all(self) -> None:
        """Give all commands the keys that they began with."""
        for command in self._commands:
            self._give(command, command.usual)

    def _give(self, command: Command, keys: QKeySequence) -> None:
        self._show(command, keys)
        if command.is_usual:
            self._settings.forget(command.setting)
        else:
            text = keys.toString(QKeySequence.SequenceFormat.PortableText)
            self._settings.set(command.setting, text or _NONE)

    @staticmethod
    def _show(command: Command, keys: QKeySequence) -> None:
        """Set the key, and name it in the tip in place of the old one."""
        action = command.action
        if command.is_in_tip:
            without = action.toolTip().removesuffix(_in_tip(action.shortcut()))
            action.setToolTip(f"{without}{_in_tip(keys)}")
        action.setShortcut(keys)


def _in_tip(keys: QKeySequence) -> str:
    return "" if keys.isEmpty() else f" ({keys.toString()})"


def plain_text(action: QAction) -> str:
    """Return the text of a command without marks for menus."""
    return action.text().replace("&", "").replace("…", "")
