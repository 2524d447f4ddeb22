"""The one undo command: a document is a value, so undoing is showing the earlier one."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QUndoCommand

from rfstudio.core.network.architecture import Architecture


class ReplaceArchitecture(QUndoCommand):
    """Shows one architecture on redo and another on undo.

    Parameters
    ----------
    text
        What the edit did, for the undo menu: "Set stride of conv1".
    show
        Receives the architecture that is to be shown.
    before, after
        The architectures on either side of the edit.
    merge_key
        Consecutive commands with one key that is not empty become one.
    """

    _ID = 1

    def __init__(
        self,
        text: str,
        show: Callable[[Architecture], None],
        before: Architecture,
        after: Architecture,
        merge_key: str = "",
    ) -> None:
        super().__init__(text)
        self._show = show
        self._before = before
        self._after = after
        self._merge_key = merge_key

    @property
    def before(self) -> Architecture:
        """The architecture before the edit."""
        return self._before

    def redo(self) -> None:
        """Show the architecture after the edit."""
        self._show(self._after)

    def undo(self) -> None:
        """Show the architecture before the edit."""
        self._show(self._before)

    def id(self) -> int:
        """Return the kind of this command; Qt only merges commands of one kind."""
        return self._ID

    def mergeWith(self, other: QUndoCommand) -> bool:  # noqa: N802 - Qt's name
        """Merge a later command with the same key into this one."""
        if not isinstance(other, ReplaceArchitecture):
            return False
        if not self._merge_key or other._merge_key != self._merge_key:
            return False
        self._after = other._after
        self.setObsolete(self._after == self._before)
        return True
