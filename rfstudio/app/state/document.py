"""The document: one architecture, its file, and the undo stack through which all edits go."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from rfstudio.app.state.undo_command import ReplaceArchitecture
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.files import atomic_write, read_bounded
from rfstudio.formats.networks.bounded_yaml import MAX_BYTES
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml

Stamp: TypeAlias = tuple[int, int]
"""What changes when a file does: its time, in nanoseconds, and its size, in bytes."""

STEPS = 1000
"""Edits that can be undone; each keeps the list of the layers of its network."""


class Document(QObject):
    """Holds the architecture; every change goes through the undo stack.

    Signals
    -------
    architecture_changed
        The architecture after an edit, an undo, a redo, or when another network was opened; once,
        however many steps are undone at the same time.
    path_changed
        The file that the document belongs to; None while it has none.
    modified_changed
        Whether there are changes that are not saved.
    """

    architecture_changed = Signal(object)
    path_changed = Signal(object)
    modified_changed = Signal(bool)

    def __init__(
        self,
        architecture: Architecture,
        path: Path | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._architecture = architecture
        self._announced: Architecture | None = architecture
        self._path = path
        self._stamp = _stamp(path)
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(STEPS)
        self.undo_stack.indexChanged.connect(self._announce)
        self.undo_stack.cleanChanged.connect(self._announce_modified)

    @property
    def architecture(self) -> Architecture:
        """The architecture as it is now; a value, safe to keep and to send to a thread."""
        return self._architecture

    @property
    def path(self) -> Path | None:
        """The file that the document was read from or saved to."""
        return self._path

    @property
    def is_modified(self) -> bool:
        """Whether there are changes that are not saved."""
        return not self.undo_stack.isClean()

    @property
    def is_changed_on_disk(self) -> bool:
        """Whether its file was changed since it was read or saved here; False if it is gone."""
        now = _stamp(self._path)
        return now is not None and now != self._stamp

    @property
    def seen(self) -> Stamp | None:
        """What told its file from others when it was read or saved here; None: there was none."""
        return self._stamp

    @seen.setter
    def seen(self, stamp: Stamp | None) -> None:
        self._stamp = stamp

    def before_edit(self) -> tuple[Architecture | None, str]:
        """Return the architecture before the last edit and what the edit did; None: no edit."""
        index = self.undo_stack.index()
        command = self.undo_stack.command(index - 1) if index > 0 else None
        if not isinstance(command, ReplaceArchitecture):
            return None, ""
        return command.before, command.text()

    def edit(self, text: str, architecture: Architecture, *, merge_key: str = "") -> None:
        """Replace the architecture, undoably.

        Parameters
        ----------
        text
            What the edit does, for the undo menu.
        architecture
            The document from now on; nothing happens if it is the same.
        merge_key
            Consecutive edits with one key, such as the ticks of one spin box, undo together.
        """
        if architecture != self._architecture:
            self.undo_stack.push(
                ReplaceArchitecture(text, self._show, self._architecture, architecture, merge_key)
            )

    def replace(
        self,
        architecture: Architecture,
        path: Path | None = None,
        *,
        is_modified: bool = False,
        known_at: float | None = None,
    ) -> None:
        """Show another network, which cannot be undone.

        Parameters
        ----------
        architecture
            The network.
        path
            Its file, if it has one.
        is_modified
            Whether it differs from what is on disk, as a recovered network does.
        known_at
            When its edits were made, in seconds since 1970, if that is a while ago: its file may
            have been changed since, by others.
        """
        self.undo_stack.clear()
        if is_modified:
            self.undo_stack.resetClean()
        self._stamp = _stamp(path)
        if known_at is not None and self._stamp is not None and self._stamp[0] > 1e9 * known_at:
            self._stamp = None
        self._set_path(path)
        self._show(architecture)
        self._announced = None  # even if it is the one that is shown
        self._announce()

    def open(self, path: Path) -> None:
        """Show the network of a file.

        Raises
        ------
        FormatError
            With all problems of the file; what was open stays as it is.
        RFStudioError
            If the file cannot be read.
        """
        architecture = read_network(path)
        self.replace(architecture, path)

    def save(self, path: Path | None = None) -> None:
        """Write the network to a file, its own if none is given.

        Raises
        ------
        RFStudioError
            If there is no file to write to, or it cannot be written; an old file then stays.
        """
        target = path or self._path
        if target is None:
            raise RFStudioError("this network has no file yet; choose one with Save As")
        write_network(target, self._architecture)
        self._stamp = _stamp(target)
        self._set_path(target)
        self.undo_stack.setClean()

    def _set_path(self, path: Path | None) -> None:
        if path != self._path:
            self._path = path
            self.path_changed.emit(path)

    def _show(self, architecture: Architecture) -> None:
        self._architecture = architecture

    def _announce(self) -> None:
        """Announce the architecture after the last of the steps that are done or undone."""
        if self._architecture is not self._announced:
            self._announced = self._architecture
            self.architecture_changed.emit(self._architecture)

    def _announce_modified(self, is_clean: bool) -> None:
        self.modified_changed.emit(not is_clean)


def _stamp(path: Path | None) -> Stamp | None:
    """Return the stamp of a file as it is now; None if there is no file."""
    if path is None:
        return None
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_mtime_ns, known.st_size


def read_network(path: Path) -> Architecture:
    """Return the network of a file.

    Raises
    ------
    FormatError
        With all problems of the file.
    RFStudioError
        If the file cannot be read.
    """
    return read_yaml(read_bounded(path, MAX_BYTES), str(path))


def write_network(path: Path, architecture: Architecture) -> None:
    """Write a network to a file; an old file stays if that fails.

    Raises
    ------
    RFStudioError
        If it cannot be written.
    """
    atomic_write(path, write_yaml(architecture).encode())
