"""Reads files within a bound, and replaces files whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from rfstudio.core.errors import RFStudioError

_REMEDIES = {
    errno.ENOENT: "there is no such file or folder",
    errno.EACCES: "it is not allowed; check its permissions",
    errno.EPERM: "it is not allowed; check its permissions",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file is larger than files may be there; choose another folder",
    errno.EISDIR: "it is a folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "its links lead in a circle",
}


class FileAccessError(RFStudioError):
    """A file could not be read or written; the text says which, why, and what helps."""


def read_bounded(path: str | Path, limit: int) -> bytes:
    """Return the content of a file that has at most `limit` bytes.

    Raises
    ------
    FileAccessError
        If it cannot be read, is no regular file, or has more bytes; a device or a pipe is
        refused, since reading it may never end.
    """
    path = Path(path)
    try:
        # Without O_NONBLOCK, opening a pipe waits for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                what = "a folder" if stat.S_ISDIR(status.st_mode) else "no ordinary file"
                raise FileAccessError(f"'{path}' cannot be read: it is {what}")
            # The size may lie (in /proc it is 0), so what is read is bounded, too.
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise FileAccessError(f"'{path}' cannot be read: {_reason(error)}") from None
    if len(data) > limit:
        size = max(status.st_size, len(data))
        raise FileAccessError(f"'{path}' has {size:,} bytes; at most {limit:,} are read")
    return data


def atomic_write(path: str | Path, data: bytes) -> None:
    """Replace the content of a file by `data`, or leave the old one as it is.

    The data goes to a temporary file in the same folder, is forced to the disk, and takes the
    file's place in one step.  The mode of an existing file is kept; a symbolic link stays one, and
    what it leads to is replaced.

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
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".rfstudio-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
        temporary = None
        _sync_folder(target.parent)
    except (OSError, ValueError) as error:
        raise FileAccessError(f"'{path}' cannot be saved: {_reason(error)}") from None
    finally:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink()


_BINARY: int = getattr(os, "O_BINARY", 0)


def _mode_of(target: Path) -> int:
    """Return the mode for a file: that of the one in its place, or what a new file would get."""
    try:
        status = target.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    if not stat.S_ISREG(status.st_mode):  # a file in its place would leave the system without it
        raise OSError("it is a device or a pipe; choose a file")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "is write-protected")
    return stat.S_IMODE(status.st_mode)


def _sync_folder(folder: Path) -> None:
    """Force the new name to the disk, where the system can do that."""
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
