"""The image that the canvas shows: a sample photo, a file of the user, or none."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from rfstudio import paths
from rfstudio.formats.images.images import read_image


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One image.

    Attributes
    ----------
    name
        What it is called in the window.
    path
        Its file.
    pixels
        (H, W, 3) array of bytes, in the image's own size; views stretch it over the input.
    """

    name: str
    path: Path
    pixels: NDArray[np.uint8] = field(repr=False)


class ImageSource(QObject):
    """Holds the current picture, or None for a plain plane.

    Signals
    -------
    image_changed
        The new `Picture`, or None.
    """

    image_changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._picture: Picture | None = None

    @property
    def picture(self) -> Picture | None:
        """The current picture."""
        return self._picture

    @property
    def pixels(self) -> NDArray[np.uint8] | None:
        """The pixels of the current picture, (H, W, 3) bytes."""
        return None if self._picture is None else self._picture.pixels

    def open(self, path: Path) -> None:
        """Show an image file.

        Raises
        ------
        RFStudioError
            If the file is no image, or too large; the old picture stays.
        """
        pixels = read_image(path)
        self._set(Picture(path.stem.replace("_", " "), path, pixels))

    def clear(self) -> None:
        """Show no image."""
        self._set(None)

    def _set(self, picture: Picture | None) -> None:
        self._picture = picture
        self.image_changed.emit(picture)


def sample_images() -> list[Path]:
    """Return the sample photos that ship with the program, by name."""
    return sorted(paths.sample_images().glob("*.jpg"))
