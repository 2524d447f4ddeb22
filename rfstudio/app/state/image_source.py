"""The image that the canvas shows: a sample photo, a file of the user, or none."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal, Slot

from rfstudio import paths
from rfstudio.core.errors import RFStudioError
from rfstudio.formats.images.images import image_info, read_image
from rfstudio.formats.images.shaping import Shape, has_other_shape, shaped
from rfstudio.formats.images.signals import SUFFIXES, as_line, is_signal, read_signal


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
        (H, W, 3) array of bytes, in the image's own size.
    """

    name: str
    path: Path
    pixels: NDArray[np.uint8] = field(repr=False)

    @property
    def is_signal(self) -> bool:
        """Whether it is a signal along one axis, as a picture of one line."""
        return is_signal(self.path)


PhotoShape: TypeAlias = Shape

SIGNAL_SUFFIXES = SUFFIXES
"""Endings of files of signals."""

SHAPES: dict[Shape, str] = {
    "crop": "cropped",
    "pad": "padded",
    "stretch": "stretched",
}
"""What was done to the photo, in a word."""


class ImageSource(QObject):
    """Holds the current picture, or None for a plain plane.

    Signals
    -------
    image_changed
        The new `Picture`, or None.
    opened
        The path of a picture of `open_later`, which is shown now.
    failed
        The path of a picture of `open_later`, and the error that says why it is not shown.
    """

    image_changed = Signal(object)
    opened = Signal(object)
    failed = Signal(object, object)

    _decoded = Signal(int, object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._picture: Picture | None = None
        self._size: tuple[int, ...] = ()
        self._shape: Shape = "crop"
        self._shaped: NDArray[np.uint8] | None = None
        self._number = 0
        self._thread: threading.Thread | None = None
        self._decoded.connect(self._take, Qt.ConnectionType.QueuedConnection)

    @property
    def picture(self) -> Picture | None:
        """The current picture."""
        return self._picture

    @property
    def pixels(self) -> NDArray[np.uint8] | None:
        """The pixels that are shown, (H, W, 3) bytes: views stretch them over the input."""
        return self._shaped

    @property
    def shape(self) -> Shape:
        """How a photo is brought to the shape of the input."""
        return self._shape

    @property
    def change(self) -> str:
        """What was done to the photo or signal to fit the input: "cropped" …; empty: nothing."""
        if self._picture is None or not has_other_shape(self._picture.pixels, self._size):
            return ""
        if len(self._size) == 1 and len(self._picture.pixels) == 1 and self._shape != "stretch":
            # A signal is cut or gets silence at its ends, whichever of the two is chosen.
            return SHAPES["crop" if self._picture.pixels.shape[1] > self._size[0] else "pad"]
        return SHAPES[self._shape]

    def set_size(self, size: tuple[int, ...]) -> None:
        """Set the size of the input, whose proportions the photo takes."""
        if size != self._size:
            self._size = size
            self._reshape()

    def set_shape(self, shape: Shape) -> None:
        """Crop photos of another shape than the input, pad them, or stretch them."""
        if shape != self._shape:
            self._shape = shape
            self._reshape()

    def _reshape(self) -> None:
        picture, before = self._picture, self._shaped
        if picture is None:
            return
        after = self._shaped_for_input(picture)
        if after is before:
            return
        if after is None or before is None or not np.array_equal(after, before):
            self._shaped = after
            self.image_changed.emit(picture)

    def _shaped_for_input(self, picture: Picture) -> NDArray[np.uint8] | None:
        """Return the pixels that are shown; none of a signal on an input of several axes."""
        if picture.is_signal and len(self._size) != 1:
            return None
        return shaped(picture.pixels, self._size, self._shape)

    def open(self, path: Path) -> None:
        """Show an image file.

        Raises
        ------
        RFStudioError
            If the file is not an image, or too large; the old picture stays.
        """
        self._number += 1  # an image that is still being decoded is out of date
        self._set(_read(path))

    def open_later(self, path: Path) -> None:
        """Show an image file once it is decoded; even a large one does not block the window."""
        try:
            if self._is_quick(path):
                self.open(path)
                self.opened.emit(path)
                return
        except RFStudioError as error:
            self.failed.emit(path, error)
            return
        self._number += 1
        self._thread = threading.Thread(
            target=self._decode, args=(self._number, path), name="rfstudio-image", daemon=True
        )
        self._thread.start()

    def _is_quick(self, path: Path) -> bool:
        """Whether a file is read before the next frame."""
        if not is_signal(path):
            info = image_info(path)
            return info.height * info.width <= _AT_ONCE
        if len(self._size) != 1:
            raise RFStudioError(
                f"{', '.join(SUFFIXES)} are read as signals along one axis, and this network has "
                f"{len(self._size)}; behind its fields there can be a photo"
            )
        with suppress(OSError):
            return path.stat().st_size <= _AT_ONCE
        return True  # reading it says why it cannot be read

    def wait(self) -> None:
        """Wait until decoding has ended; its result is dropped."""
        self._number += 1
        if self._thread is not None:
            self._thread.join()

    def _decode(self, number: int, path: Path) -> None:
        """Decode an image; called on a thread of its own."""
        result: Picture | RFStudioError
        try:
            result = _read(path)
        except RFStudioError as error:
            result = error
        except Exception as error:  # noqa: BLE001 - the slot that waits must get it
            result = RFStudioError(f"'{path}' cannot be read: {error}")
        # The window may have been closed meanwhile.
        with suppress(RuntimeError):
            self._decoded.emit(number, path, result)

    @Slot(int, object, object)
    def _take(self, number: int, path: Path, result: Picture | RFStudioError) -> None:
        if number != self._number:
            return  # another one was requested since
        if isinstance(result, RFStudioError):
            self.failed.emit(path, result)
            return
        self._set(result)
        self.opened.emit(path)

    def clear(self) -> None:
        """Show no image."""
        self._set(None)

    def _set(self, picture: Picture | None) -> None:
        self._picture = picture
        self._shaped = None if picture is None else self._shaped_for_input(picture)
        self.image_changed.emit(picture)


_AT_ONCE = 1_000_000
"""Pixels up to which a picture is decoded before the next frame."""


def _read(path: Path) -> Picture:
    pixels = as_line(read_signal(path)) if is_signal(path) else read_image(path)
    return Picture(path.stem.replace("_", " "), path, pixels)


def sample_images() -> list[Path]:
    """Return the sample photos that ship with the program, by name."""
    return sorted(paths.sample_images().glob("*.jpg"))
