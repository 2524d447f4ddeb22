"""The files that were opened last, newest first."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from rfstudio.app.state.settings import Settings
from rfstudio.formats.files import is_file

MAX_RECENT = 10


class RecentFiles(QObject):
    """Remembers the last network files.

    Signals
    -------
    recent_changed
        The list of paths, newest first.
    """

    recent_changed = Signal(object)

    _KEY = "recent/networks"

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings

    @property
    def paths(self) -> list[Path]:
        """The files that are still there, newest first; those of other windows, too."""
        self._settings.sync()
        paths = map(Path, self._settings.texts(self._KEY)[:MAX_RECENT])
        return [x for x in paths if is_file(x)]

    def add(self, path: Path) -> None:
        """Put a file first."""
        path = path.absolute()
        paths = [path, *(x for x in self.paths if x != path)][:MAX_RECENT]
        self._settings.set(self._KEY, [str(x) for x in paths])
        self.recent_changed.emit(paths)

    def clear(self) -> None:
        """Forget all files."""
        self._settings.set(self._KEY, [])
        self.recent_changed.emit([])
