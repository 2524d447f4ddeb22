"""Reads files up to a size limit, and replaces files completely or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from rfstudio.core.errors import RFStudioError, shown

_REMEDIES = {
    errno.ENOENT: "there is no such file or folder",
    errno.EACCES: "it is not allowed; check its permissions",
    errno.EPERM: "it is not allowed; check its permissions",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file is larger than the file system allows; choose another folder",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "its links lead in a circle",
}


class FileAccessError(RFStudioError):
    """A file could not be read or written; the text says which, why, and what to do."""


def _quoted(path: Path | str) -> str:
    """Return a path as messages quote it: a name may be very long, or hold control characters."""
    return f"'{shown(str(path), 300)}'"


def read_bounded(path: str | Path, limit: int) -> bytes:
    """Return the content of a file that has at most `limit` bytes.

    Raises
    ------
    FileAccessError
        If it cannot be read, is not a regular file, or has more bytes; devices and pipes are
        refused, since reading them may never end.
    """
    path = Path(path)
    try:
        # Without O_NONBLOCK, opening a pipe waits for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
                raise FileAccessError(f"{_quoted(path)} cannot be read: it is {what}")
            size, data = status.st_size, b""
            if size <= limit:  # else nothing of it is read
                data = _read(file, size, limit)
                size = max(size, len(data))
    except (OSError, ValueError) as error:
        raise FileAccessError(f"{_quoted(path)} cannot be read: {_reason(error)}") from None
    if size > limit:
        raise FileAccessError(f"{_quoted(path)} has {size:,} bytes; at most {limit:,} are read")
    return data


def _read(file: BinaryIO, size: int, limit: int) -> bytes:
    """Return at most `limit` + 1 bytes of a file that claims to have `size`.

    The claimed size may be wrong (in /proc it is 0), so the number of bytes read is limited, too.
    But `read` reserves memory for the full limit at once, which is more than some processes have.
    """
    data = file.read(min(size, limit) + 1)
    while size < len(data) <= limit:
        more = file.read(min(_PIECE, limit + 1 - len(data)))
        if not more:
            break
        data += more
    return data


def is_there(path: str | Path) -> bool:
    """Whether there is a file or folder; False if that cannot be found out.

    As for a name that is too long, or one in a folder that may not be read, where `Path.exists`
    raises an error.
    """
    return _status(path) is not None


def is_file(path: str | Path) -> bool:
    """Whether there is a file, and not a folder or device; False if that cannot be found out."""
    status = _status(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def is_folder(path: str | Path) -> bool:
    """Whether there is a folder; False if that cannot be found out."""
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def _status(path: str | Path) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except (OSError, ValueError):  # the latter of a null character in the name
        return None


def make_folder(folder: Path) -> None:
    """Make a folder and those around it, unless they are there.

    Raises
    ------
    FileAccessError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise FileAccessError(f"{_quoted(folder)} cannot be made: {_reason(error)}") from None


def atomic_write(path: str | Path, *data: bytes) -> None:
    """Replace the content of a file by `data`, part after part, or leave the old one unchanged.

    The data goes to a temporary file in the same folder, is flushed to the disk, and takes the
    file's place in one step.  A process killed in between leaves the temporary file, ``.rfstudio-``
    and eight letters; a write to the same folder removes it when it is a day old.  The mode of an
    existing file is preserved; a symbolic link stays one, and its target is replaced.

    Raises
    ------
    FileAccessError
        If the file cannot be written; the old content is then untouched.
    """
    target = Path(path)
    temporary: str | None = None
    try:
        target = Path(os.path.realpath(target))
        mode = _mode_of(target)
        _remove_left_over(target.parent)
        # Its name is known before the file exists, so that an interrupt leaves none behind.
        temporary = str(target.parent / f".rfstudio-{secrets.token_hex(4)}")
        with os.fdopen(_new(temporary), "wb") as file:
            file.writelines(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
        temporary = None
        _sync_folder(target.parent)
    except (OSError, ValueError) as error:
        raise FileAccessError(f"{_quoted(path)} cannot be saved: {_reason(error)}") from None
    finally:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink()


def _new(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)


def _remove_left_over(folder: Path) -> None:
    """Remove our temporary files that a killed process or a power failure left there days ago."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_if_old(entry)


def _remove_if_old(entry: os.DirEntry[str]) -> None:
    status = entry.stat(follow_symlinks=False)
    is_ours = stat.S_ISREG(status.st_mode) and (_USER is None or status.st_uid == _USER())
    if is_ours and status.st_mtime < time.time() - _LEFT_OVER_AFTER:
        Path(entry).unlink()


_TEMPORARY = re.compile(r"\.rfstudio-[a-z0-9_]{8}")
_LEFT_OVER_AFTER = 24 * 60 * 60  # seconds; no write takes that long
_USER = getattr(os, "getuid", None)

_PIECE = 1 << 20

_BINARY: int = getattr(os, "O_BINARY", 0)


def _mode_of(target: Path) -> int:
    """Return the mode for a file: that of the existing one, or what a new file would get."""
    try:
        status = target.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    if not stat.S_ISREG(status.st_mode):  # replacing it by a file would take it from the system
        raise OSError("it is a device or a pipe; choose a file")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "is write-protected")
    return stat.S_IMODE(status.st_mode)


def _sync_folder(folder: Path) -> None:
    """Flush the new name to the disk, if the system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):  # for example a null character in the path
        return "its name is not one that a file can have"
    return _REMEDIES.get(error.errno or 0, error.strerror or str(error))
