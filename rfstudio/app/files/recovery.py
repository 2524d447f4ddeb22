"""Recovery files: copies of what is not saved, so that a crash costs seconds of work.

Each session of the window has a name of its own and writes ``<session>.yaml`` while there are
unsaved changes.  Beside it the session holds a lock for as long as it runs.  The operating system
ties the lock to the process, so that another process with the same number is not mistaken for it.
A copy whose lock nobody holds was left over by a crash.  It is deleted only when the user says so,
and other users cannot read it.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import stat
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from PySide6.QtCore import QLockFile, QObject, Qt, QTimer, Signal

if sys.platform != "win32":
    import fcntl

from rfstudio.app.state.document import Document
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture, walk
from rfstudio.formats.files import atomic_write, read_bounded
from rfstudio.formats.networks.bounded_yaml import MAX_BYTES
from rfstudio.formats.networks.yaml_reader import read_draft, read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml

MAX_AGE = 900
"""Milliseconds from the first edit that is not yet in a copy to the next copy; with the time of
writing, at most 2 s of work are lost."""

MIN_AGE = 200
"""The same where the last copy took long to write, such as on a machine that is busy."""

MAX_LOST = 1800
"""Milliseconds from that edit to the end of writing, which may take twice as long as the last."""

_ORIGIN = "# from "
"""Begins the comment that names the file that was open, on the first line of a copy."""


def recovery_folder() -> Path:
    """Return the folder of the copies."""
    return platformdirs.user_state_path("rfstudio", appauthor=False) / "recovery"


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A copy that a session left over when it crashed.

    Attributes
    ----------
    path
        The copy.
    written
        When it was written, in seconds since 1970.
    architecture
        The network; None: the copy cannot be read.
    origin
        The file that was open; None: the network had none.
    trouble
        Why it cannot be read; empty: it can.
    """

    path: Path
    written: float
    architecture: Architecture | None = None
    origin: Path | None = None
    trouble: str = ""

    @property
    def name(self) -> str:
        """What the network is called."""
        if self.architecture is None:
            return self.path.name
        return self.origin.name if self.origin is not None else self.architecture.name

    def age(self, now: float | None = None) -> str:
        """Return how long ago it was written, in words."""
        seconds = max((time.time() if now is None else now) - self.written, 0)
        for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
            count = int(seconds // length)
            if count:
                return f"{count} {unit}{'s' if count > 1 else ''} ago"
        return "less than a minute ago"

    def changes(self) -> str:
        """Return in words what differs from the file that was open."""
        if self.architecture is None:
            return self.trouble
        mine = [x for _, x in walk(self.architecture)]
        count = f"{len(mine)} item{'' if len(mine) == 1 else 's'}"
        if self.origin is None:
            return f"never saved; {count}"
        try:
            saved = read_yaml(read_bounded(self.origin, MAX_BYTES), self.origin.name)
        except RFStudioError:
            return f"its file is gone or has changed; {count}"
        theirs = [x for _, x in walk(saved)]
        if saved == self.architecture:
            return "the same as its file"
        if len(mine) != len(theirs):
            more = len(mine) - len(theirs)
            return (
                f"{abs(more)} item{'' if abs(more) == 1 else 's'} {'more' if more > 0 else 'fewer'}"
            )
        changed = sum(a != b for a, b in zip(mine, theirs, strict=True))
        return f"{changed} of {count} changed" if changed else "input or texts changed"


class Recovery(QObject):
    """Keeps a copy of the document while it has changes that are not saved.

    Parameters
    ----------
    document
        What is saved.
    folder
        Where; the user's own folder if None.

    Signals
    -------
    failed
        Why there is no copy of unsaved work, in a sentence; once, until there is one again.
    """

    failed = Signal(str)

    def __init__(
        self, document: Document, folder: Path | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._folder = folder or recovery_folder()
        session = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
        self._file = self._folder / f"{session}.yaml"
        self._lock = SessionLock(_lock_of(self._file))
        self._timer = QTimer(self, singleShot=True, interval=MAX_AGE)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.write)
        self._first = 0.0
        self._has_failed = False
        document.architecture_changed.connect(self._wait)
        document.modified_changed.connect(self._wait)

    @property
    def file(self) -> Path:
        """Where the copy of this session is, while there is one."""
        return self._file

    def write(self) -> None:
        """Write the copy now, or remove it if nothing is unsaved."""
        self._timer.stop()
        if not self._document.is_modified:
            self.remove()
            return
        started = time.monotonic()
        origin = self._document.path
        # The comment must be one line, so a name that would break it is left out.
        head = f"{_ORIGIN}{origin.absolute()}\n" if origin and str(origin).isprintable() else ""
        # A full disk must not disturb the work that the copy is there to protect.
        try:
            _make_private(self._folder)
            self._lock.take()
            atomic_write(self._file, (head + write_yaml(self._document.architecture)).encode())
            self._file.chmod(0o600)
            self._has_failed = False
        except (RFStudioError, OSError, ValueError) as error:
            logging.getLogger(__name__).warning("no copy of unsaved work", exc_info=True)
            if not self._has_failed:
                self._has_failed = True
                self.failed.emit(f"Unsaved work is not secured against a crash: {error}")
        # An edit is lost until its copy is complete: where writing takes long, it begins earlier.
        taken = int(1000 * (time.monotonic() - started))
        self._timer.setInterval(min(max(MAX_LOST - 2 * taken, MIN_AGE), MAX_AGE))

    def remove(self) -> None:
        """Remove the copy: everything is saved or given up."""
        self._timer.stop()
        with suppress(OSError):
            self._file.unlink(missing_ok=True)
        self._lock.give_back()

    def left_over(self) -> tuple[LeftOver, ...]:
        """Return the copies that crashed sessions left over, newest first; none is deleted."""
        try:
            paths = [x for x in self._folder.glob("*.yaml") if x != self._file]
        except OSError:
            return ()
        found = [_read(x) for x in paths if _is_regular(x) and not _is_held(x)]
        return tuple(sorted((x for x in found if x), key=lambda x: x.written, reverse=True))

    def discard(self, left: LeftOver) -> None:
        """Delete a copy that was left over: it was restored, or the user does not want it."""
        if left.path.parent != self._folder or _is_held(left.path):
            return
        for path in (left.path, _lock_of(left.path)):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _wait(self) -> None:
        # The next edit does not restart the timer: steady work is copied in time, too.  Where the
        # event loop is too busy to come to the timer, the next edit makes the copy.
        if not self._timer.isActive():
            self._first = time.monotonic()
            self._timer.start()
        elif time.monotonic() - self._first > MAX_AGE / 1000:
            self.write()


def _make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(OSError):
        folder.chmod(0o700)


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


class SessionLock:
    """A lock that ends with the process that holds it, however it ends.

    Where the system can lock open files, that is used.  `QLockFile` goes by the number of a process
    there, and in a container a restarted program gets the same number again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1
        self._file: QLockFile | None = None

    def take(self) -> None:
        """Hold the lock from now on.

        Raises
        ------
        OSError
            If its file cannot be made.
        """
        if self._handle >= 0 or self._file is not None:
            return
        if sys.platform == "win32":
            self._file = QLockFile(str(self._path))
            self._file.tryLock(0)
            return
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)  # others hold it for a moment only, to test it

    def give_back(self) -> None:
        """Let go of the lock, and remove its file."""
        if self._file is not None:
            self._file.unlock()
            self._file = None
        if self._handle >= 0:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = -1

    @property
    def is_held_by_another(self) -> bool:
        """Whether another running session holds it."""
        if sys.platform == "win32":
            file = QLockFile(str(self._path))
            if not file.tryLock(0):
                return True
            file.unlock()
            return False
        try:
            handle = os.open(self._path, os.O_RDONLY)
        except OSError:
            return False  # there is none
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False


def _is_held(path: Path) -> bool:
    """Whether the session that wrote a copy still runs."""
    return SessionLock(_lock_of(path)).is_held_by_another


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _read(path: Path) -> LeftOver | None:
    """Return a copy as it is on disk; None if it has disappeared meanwhile."""
    try:
        written = path.stat().st_mtime
    except OSError:
        return None
    try:
        data = read_bounded(path, MAX_BYTES)
        architecture = read_draft(data, path.name)
    except RFStudioError as error:
        first = str(error).partition("\n")[0]
        return LeftOver(path, written, trouble=f"cannot be read: {first[:300]}")
    return LeftOver(path, written, architecture, _origin(data))


def _origin(data: bytes) -> Path | None:
    line = data.partition(b"\n")[0].decode(errors="replace")
    name = line.removeprefix(_ORIGIN)
    if name == line or not re.fullmatch(r"[^\0]{1,4000}", name):
        return None
    path = Path(name)
    return path if path.is_absolute() else None
