"""Writes effective fields as images that measure: 16-bit PNG and TIFF with floating-point numbers.

Both hold the record of the field as JSON, where their formats have a place for a description.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

from rfstudio.core.errors import RFStudioError

_DESCRIPTION = 270
"""Tag of the description in a TIFF file, by TIFF 6.0."""

_WHITE = 65535


def map_png(field: NDArray[np.float64], record: Mapping[str, Any]) -> bytes:
    """Return a field as a gray PNG of 16 bits, linear, from 0 to 65535 at the peak.

    The text ``rfstudio`` in it is the record, with the value of the peak as ``png_peak``.

    Raises
    ------
    RFStudioError
        If the field has three axes, which a PNG has no place for.
    """
    if field.ndim > 2:
        raise RFStudioError("a PNG holds one plane; write a volume as .tiff or .npz")
    peak = float(field.max(initial=0.0))
    shares = field / peak if peak > 0 else np.zeros_like(field)
    image = Image.fromarray((_WHITE * _plane(shares)).round().astype(np.uint16))
    described = PngInfo()
    text = json.dumps({**record, "png_peak": peak}, ensure_ascii=False)
    described.add_itxt("rfstudio", text, zip=True)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", pnginfo=described)
    return buffer.getvalue()


def map_tiff(field: NDArray[np.float64], record: Mapping[str, Any]) -> bytes:
    """Return a field as a TIFF of numbers in single precision; a volume has a page for each slice.

    Its description is the record, in JSON with ASCII letters only, as the format has it.
    """
    slices = field if field.ndim == 3 else field[np.newaxis]
    pages = [Image.fromarray(_plane(x).astype(np.float32)) for x in slices]
    described = TiffImagePlugin.ImageFileDirectory_v2()
    described[_DESCRIPTION] = json.dumps(record)
    buffer = io.BytesIO()
    pages[0].save(
        buffer,
        format="TIFF",
        save_all=True,
        append_images=pages[1:],
        tiffinfo=described,
        compression="tiff_adobe_deflate",
    )
    return buffer.getvalue()


def _plane(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values with two axes: a signal is an image of one row."""
    return values if values.ndim == 2 else values.reshape(1, -1)
