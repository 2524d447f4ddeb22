"""The photos of a folder, of which memory holds a part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.images import SUFFIXES, read_image

Photo = NDArray[np.uint8]

_KEPT_BYTES = 2**30
"""Memory of the photos that are read once only; a thousand of a camera would take 36 GB."""


class Photos(Sequence[Photo]):
    """Photos in the order of their names, read when they are asked for.

    Parameters
    ----------
    files
        All are read once at first, so that a damaged one is told before hours of measuring.
    kept_bytes
        Memory for photos that are not read again.

    Raises
    ------
    RFStudioError
        If a file cannot be read; the error names it.
    """

    def __init__(self, files: Sequence[Path], kept_bytes: int = _KEPT_BYTES) -> None:
        self._files = tuple(files)
        self._kept: dict[int, Photo] = {}
        for number, file in enumerate(self._files):
            photo = read_image(file)
            kept_bytes -= photo.nbytes
            if kept_bytes >= 0:
                self._kept[number] = photo

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._files)

    @overload
    def __getitem__(self, number: int) -> Photo: ...
    @overload
    def __getitem__(self, number: slice) -> tuple[Photo, ...]: ...
    def __getitem__(self, number: int | slice) -> Photo | tuple[Photo, ...]:
        """Return a photo (H, W, 3), or several."""
        if isinstance(number, slice):
            return tuple(self[i] for i in range(*number.indices(len(self))))
        if number in self._kept:
            return self._kept[number]
        return read_image(self._files[number])


def photos_of(path: Path | None) -> Sequence[Photo]:
    """Return the photo of a file, or those of a folder; none without a path.

    Raises
    ------
    RFStudioError
        If there are none, or a file cannot be read.
    """
    if path is None:
        return ()
    if not path.is_dir():
        return Photos((path,))
    files = sorted(x for x in path.iterdir() if x.suffix.lower() in SUFFIXES)
    if not files:
        raise RFStudioError(f"{path}: the folder holds no image ({', '.join(SUFFIXES)})")
    return Photos(files)
