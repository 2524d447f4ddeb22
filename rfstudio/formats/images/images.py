"""Reads image files as arrays, within limits of memory and time even for hostile files."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from math import ceil, sqrt
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.files import read_bounded
from rfstudio.formats.networks.wording import short

Image: TypeAlias = NDArray[np.uint8]
"""An image: (height, width, 3), red, green and blue from 0 to 255, row 0 at the top."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""Pillow's names of the formats that are read; its other decoders are never used."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""Endings of their files, for file dialogs."""

MAX_MEGAPIXELS = 100.0

KEPT_MEGAPIXELS = 8.0
"""Largest picture that is returned in its own size, in millions of pixels."""

_MAX_DECODED = 200 * 2**20
"""Bytes of a picture in memory before it is made smaller."""

_MAX_SIDE = 1_000_000
"""Longest side in pixels; each row of a picture costs time and memory of its own."""

_MAX_BYTES = 1 << 30

_PIXELS = 1 << 18
"""Pixels that are converted at a time."""

# 16 bits a sample; Pillow would clip them at 255 instead of scaling them.
_DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")


# Pillow's own limit is a constant; ours is a parameter, and checked before anything is decoded.
Pillow.MAX_IMAGE_PIXELS = None


class ImageError(RFStudioError):
    """An image file cannot be shown; the text says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """The facts in the header of an image file.

    Attributes
    ----------
    format
        One of `FORMATS`.
    height, width
        Size in pixels as shown: after the orientation that a camera recorded.
    """

    format: str
    height: int
    width: int


def read_image(path: str | Path, *, max_megapixels: float = MAX_MEGAPIXELS) -> Image:
    """Return the (first) picture of a file, made smaller if it is large.

    A picture of more than `KEPT_MEGAPIXELS` is made smaller by an integer factor, a JPEG while it
    is decoded: no image network reads that many pixels, and a small file may hold a hundred
    million.  Transparent parts are blended with white.  Samples of 16 bits are scaled to 8; those
    of 32 bits or in floating point from their least to their greatest.  The orientation that a
    camera recorded is applied.

    Parameters
    ----------
    path
        A PNG, JPEG, WEBP, BMP, TIFF or GIF file.
    max_megapixels
        Largest picture that is decoded, in millions of pixels.

    Raises
    ------
    FileAccessError
        If the file cannot be read.
    ImageError
        If it holds no picture of these formats, is damaged, or is too large.
    """
    with _opened(path, max_megapixels) as picture, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damaged metadata beside the pixels
        try:
            picture = _reduced(picture, path)
            # Pillow leaves the orientation in the metadata; most programs rotate the pixels for
            # display.
            upright = ImageOps.exif_transpose(picture)
            return _rgb(upright)
        except ImageError:
            raise
        except MemoryError:
            raise ImageError(f"there is not enough memory for '{path}'") from None
        except Exception as error:  # noqa: BLE001 - decoders raise whatever a damaged file provokes
            raise ImageError(f"'{path}' is damaged: {short(str(error))}") from None


def image_info(path: str | Path) -> ImageInfo:
    """Return the facts in the header of an image file, without decoding it.

    Raises
    ------
    FileAccessError, ImageError
        As for `read_image`, except for the size.
    """
    with _opened(path, float("inf")) as picture:
        width, height = picture.size
        try:
            turned = picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        except Exception:  # noqa: BLE001 - damaged metadata is no reason to refuse
            turned = False
        if turned:
            width, height = height, width
        return ImageInfo(str(picture.format), height, width)


_ORIENTATION = 0x0112


def _opened(path: str | Path, max_megapixels: float) -> Any:
    """Return the file as opened by Pillow, not yet decoded, after checking its header."""
    # Pillow gets bytes, so that the file cannot change between check and use.
    data = read_bounded(path, _MAX_BYTES)
    if not data:
        raise ImageError(f"'{path}' is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Pillow.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise ImageError(f"'{path}' is not a picture of the formats {known}") from None
    except Exception as error:  # noqa: BLE001 - decoders raise whatever a damaged file provokes
        raise ImageError(f"'{path}' is damaged: {short(str(error))}") from None
    width, height = picture.size
    megapixels = width * height / 1e6
    if megapixels > max_megapixels:
        picture.close()
        raise ImageError(
            f"'{path}' has {width:,} × {height:,} pixels, {megapixels:,.1f} megapixels; at most"
            f" {max_megapixels:g} are read; scale it down"
        )
    return picture


def _reduced(picture: Any, path: str | Path) -> Any:
    """Return a decoded picture; a large one is made smaller before any conversion."""
    width, height = picture.size
    if max(width, height) > _MAX_SIDE:
        raise ImageError(
            f"'{path}' has {width:,} × {height:,} pixels; sides of at most {_MAX_SIDE:,} are read: "
            "cut it into parts"
        )
    factor = ceil(sqrt(width * height / (KEPT_MEGAPIXELS * 1e6)))
    if factor == 1:
        picture.load()
        return picture
    if picture.format == "JPEG":
        picture.draft(None, (-(-width // factor), -(-height // factor)))
        width, height = picture.size
        factor = ceil(sqrt(width * height / (KEPT_MEGAPIXELS * 1e6)))
    # Pillow uses one byte per pixel for one channel, two for 16 bits, four for anything else.
    each = 1 if picture.mode in ("1", "L", "P") else 2 if picture.mode.startswith("I;16") else 4
    needed = width * height * each
    if needed > _MAX_DECODED:
        raise _DecodingError(
            f"'{path}' has {width:,} × {height:,} pixels and would take {needed / 1e6:,.0f} MB to "
            f"decode; at most {_MAX_DECODED / 1e6:,.0f} MB are spent: scale it down"
        )
    picture.load()
    if factor == 1:
        return picture
    size = (max(width // factor, 1), max(height // factor, 1))
    notes, kind = picture.info, picture.getexif()
    if picture.mode in ("L", "RGB", "CMYK", "RGBX"):
        smaller = picture.resize(size, Pillow.Resampling.BOX)
    else:  # palettes and 16 bits are not averaged, transparent colours only in a copy
        smaller = picture.resize(size, Pillow.Resampling.NEAREST)
    smaller.info = notes
    smaller.getexif().update(kind)
    return smaller


class _DecodingError(ImageError):
    """Refused, since it would take too much memory."""


def _rgb(picture: Any) -> Image:
    """Return a decoded picture of any mode as red, green and blue."""
    if picture.mode in _DEEP_MODES:
        return _gray(_scaled_from_16_bits(np.asarray(picture)))
    if picture.mode == "F":
        return _gray(_stretched(np.asarray(picture)))
    if picture.mode == "1":
        return _gray(np.asarray(picture.convert("L")))
    if picture.mode in ("P", "PA", "LA", "La", "RGBA", "RGBa") or "transparency" in picture.info:
        # A palette may hold transparent colours.
        colour = picture.convert("RGBA")
        white = Pillow.new("RGBA", colour.size, "white")
        return _array(Pillow.alpha_composite(white, colour).convert("RGB"))
    # Pillow turns CMYK, YCbCr, Lab and HSV into RGB by formula; a colour profile is not applied.
    return _array(picture.convert("RGB"))


def _array(picture: Any) -> Image:
    return np.array(picture, dtype=np.uint8)


def _gray(values: NDArray[np.uint8]) -> Image:
    result: Image = np.repeat(values[:, :, np.newaxis], 3, axis=2)
    return result


def _scaled_from_16_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.min() < 0 or values.max() > 65535:  # 32 bits, for which the value of white is unknown
        return _stretched(values)
    return _by_rows(values, lambda rows: (rows.astype(np.int32) + 128) // 257)


def _stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    known = values if finite.all() else values[finite]
    least, greatest = float(known.min()), float(known.max())
    span = greatest - least or 1.0

    def stretch(rows: NDArray[Any]) -> NDArray[Any]:
        shares = (rows.astype(np.float64) - least) / span
        scaled: NDArray[Any] = np.rint(np.where(np.isfinite(rows), shares, 0.0) * 255)
        return scaled

    return _by_rows(values, stretch)


def _by_rows(
    values: NDArray[Any], convert: Callable[[NDArray[Any]], NDArray[Any]]
) -> NDArray[np.uint8]:
    """Convert some rows at a time: wide numbers for a large picture would fill the memory."""
    result = np.empty(values.shape, np.uint8)
    rows = max(_PIXELS // values.shape[1], 1)
    for start in range(0, len(values), rows):
        result[start : start + rows] = convert(values[start : start + rows])
    return result
