"""Images from the clipboard: each becomes a file, so that it is there at the next start."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import platformdirs
from PySide6.QtCore import QBuffer, QIODevice, QMimeData
from PySide6.QtGui import QImage

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.files import atomic_write, is_there

MOST = 20
"""Pasted images that are remembered as files; the oldest goes."""

_NO_IMAGE = "the clipboard holds no image"


def pasted_images() -> Path:
    """Return the folder of the files."""
    return platformdirs.user_cache_path("rfstudio", appauthor=False) / "pasted"


def pasted_image(clipboard: QMimeData | None) -> Path:
    """Return the file of what is on the clipboard: an image, or a copied file.

    Raises
    ------
    RFStudioError
        If it is neither, or the image cannot be written.
    """
    if clipboard is None:  # as of an empty one on some platforms
        raise RFStudioError(_NO_IMAGE)
    files = [Path(x.toLocalFile()) for x in clipboard.urls() if x.isLocalFile()]
    if files:
        return files[0]
    picture = clipboard.imageData() if clipboard.hasImage() else None
    if not isinstance(picture, QImage) or picture.isNull():
        raise RFStudioError(_NO_IMAGE)
    buffer = QBuffer()  # with bytes of its own: it does not own those that it is given
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    picture.save(buffer, "PNG")  # type: ignore[call-overload] # the stubs know bytes only
    data = bytes(buffer.data().data())
    path = pasted_images() / f"pasted {hashlib.blake2b(data, digest_size=6).hexdigest()}.png"
    if not is_there(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RFStudioError(f"the image cannot be stored: {error.strerror}") from error
        atomic_write(path, data)
        _forget_oldest()
    return path


def _forget_oldest() -> None:
    with suppress(OSError):
        files = sorted(pasted_images().glob("*.png"), key=lambda x: x.stat().st_mtime)
        for old in files[:-MOST]:
            old.unlink()
