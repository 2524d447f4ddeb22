"""The photos of a file or folder, read one at a time."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.files import FileAccessError, is_folder
from rfstudio.formats.images.images import SUFFIXES, read_image

Photo = NDArray[np.uint8]


class Photos(Sequence[Photo]):
    """Photos in the order of their files, each read whenever it is accessed.

    A thousand photos of a camera would fill 36 GB; callers that need them again cache what they
    make of them, which is smaller.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)

    @cached_property
    def key(self) -> Hashable:
        """Equal only for the same files, unchanged; looked at when it is first needed."""
        return tuple(map(_state_of, self._files))

    @property
    def files(self) -> tuple[Path, ...]:
        """Their files."""
        return self._files

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._files)

    @overload
    def __getitem__(self, number: int) -> Photo: ...
    @overload
    def __getitem__(self, number: slice) -> Photos: ...
    def __getitem__(self, number: int | slice) -> Photo | Photos:
        """Return a photo (H, W, 3), or a part of all, unread.

        Raises
        ------
        RFStudioError
            If the file cannot be read, or is damaged; the error names it.
        """
        if isinstance(number, slice):
            return Photos(self._files[number])
        return read_image(self._files[number])


def photos_of(path: Path) -> Photos:
    """Return the photo of a file, or those of a folder by name; hidden files are left out.

    Raises
    ------
    RFStudioError
        If the folder cannot be read, or holds none.
    """
    if not is_folder(path):
        return Photos((path,))
    try:
        files = sorted(x for x in path.iterdir() if _is_photo(x))
    except OSError as error:
        raise FileAccessError(
            f"the folder '{path}' cannot be read: {error.strerror}; check its permissions, or "
            "choose another one"
        ) from None
    if not files:
        raise RFStudioError(f"{path}: the folder holds no image ({', '.join(SUFFIXES)})")
    return Photos(files)


def _is_photo(path: Path) -> bool:
    # Some systems store metadata in files beside the others, such as ._photo.jpg.
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _state_of(path: Path) -> Hashable:
    """Return what changes when a file does."""
    try:
        status = path.stat()
    except OSError:
        return (str(path), None)  # reading it will report that
    return (str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
