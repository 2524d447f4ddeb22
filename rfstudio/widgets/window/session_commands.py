"""The commands for session files: everything that is open, in one file."""

from __future__ import annotations

from collections import deque
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject

from rfstudio.app.files.writing import Writing
from rfstudio.app.sessions import (
    SUFFIX,
    SavedSession,
    SessionToSave,
    changed_at,
    is_as_saved,
    read_session,
    restore_choice,
)
from rfstudio.app.slices import answer_or_error
from rfstudio.app.studio import Studio
from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.window.file_commands import FileCommands

_SESSIONS = f"Sessions (*{SUFFIX});;All files (*)"


class SessionCommands(QObject):
    """Saves and opens sessions.

    Attributes
    ----------
    writing
        Writes them beside the window.
    """

    def __init__(self, studio: Studio, files: FileCommands) -> None:
        super().__init__(files)
        self._studio = studio
        self._files = files
        self._saving: deque[SessionToSave] = deque()
        self.writing = Writing(self)
        self.writing.written.connect(self._tell_saved)
        self.writing.failed.connect(self._report)
        files.session_dropped.connect(self.open_path)

    def save_as(self) -> None:
        """Ask for a file and write the session to it."""
        files = self._files
        suggestion = files.suggested("network", SUFFIX)
        path = files.ask_where_to_save("Save session", suggestion, _SESSIONS)
        if path is None:
            return
        path = path if path.suffix else path.with_suffix(SUFFIX)
        saving = SessionToSave(self._studio, files.preset)
        self._saving.append(saving)  # they are written one after the other
        self.writing.start(path, saving.write)

    def _tell_saved(self, path: Path) -> None:
        left_out = self._saving.popleft().left_out
        more = f", without its {left_out} oldest results, which are too large" if left_out else ""
        self._files.announced.emit(f"Saved the session {path.name}{more}")

    def _report(self, path: Path, error: RFStudioError) -> None:
        self._saving.popleft()
        self._files.report(f"“{path.name}” was not saved.", str(error))

    def open(self) -> None:
        """Ask for a session file and open it."""
        path = self._files.ask_what_to_open("Open session", "network", _SESSIONS)
        if path is not None:
            self.open_path(path)

    def open_path(self, path: Path) -> None:
        """Open a session file; a damaged one changes nothing, and a sentence says so."""
        work = partial(_read_or_error, path)
        deliver = partial(self._show, path)
        if not self._files.reading.start(work, deliver, at_once=True):
            self._files.announced.emit(f"Reading {path.name} …")

    def _show(self, path: Path, found: _Read | RFStudioError) -> None:
        if isinstance(found, RFStudioError):
            self._files.report(f"“{path.name}” was not opened.", f"{found}.".replace("..", "."))
            return
        session, is_modified, written = found
        chosen = session.chosen
        if self._files.open_saved(
            chosen.network, session.path, chosen.source, is_modified, known_at=written
        ):
            self._studio.analysis.once_known(partial(self._restore, path, session))

    def _restore(self, path: Path, session: SavedSession) -> None:
        restore_choice(self._studio, session, path.name, partial(self._tell_opened, path))

    def _tell_opened(self, path: Path, lost: list[str]) -> None:
        more = f"; but {', and '.join(lost)}" if lost else ""
        self._files.announced.emit(f"Opened the session {path.name}{more}")


class _Read(NamedTuple):
    """A session, whether its network differs from its file, and when it was written."""

    session: SavedSession
    is_modified: bool
    written: float


def _read_or_error(path: Path) -> _Read | RFStudioError:
    """Return a session; or why it cannot be read."""
    written = changed_at(path)
    session = answer_or_error(read_session, path)
    if isinstance(session, RFStudioError):
        return session
    return _Read(session, not is_as_saved(session), written)
