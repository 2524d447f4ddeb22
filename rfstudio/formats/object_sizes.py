"""Sizes of objects from a file of annotations."""

from __future__ import annotations

import json
import math
from pathlib import Path

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.files import read_bounded

MAX_BYTES = 1 << 30
"""Largest file of annotations that is read; that of COCO's training images has 450 MB."""


def object_sizes(path: Path) -> list[tuple[int, int]]:
    """Return (height, width) of the boxes of a COCO file, in pixels of their images, rounded up.

    Raises
    ------
    RFStudioError
        If the file cannot be read or holds no boxes.
    """
    try:
        record = json.loads(read_bounded(path, MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise RFStudioError(f"{path} is not a JSON file: {error}") from None
    listed = record.get("annotations") if isinstance(record, dict) else None
    sizes = []
    for annotation in listed if isinstance(listed, list) else []:
        box = annotation.get("bbox") if isinstance(annotation, dict) else None
        if not isinstance(box, list) or len(box) != 4:
            continue
        width, height = box[2:]
        if all(isinstance(x, int | float) and 0 < x < 1e9 for x in (width, height)):
            sizes.append((math.ceil(height), math.ceil(width)))
    if not sizes:
        raise RFStudioError(
            f"{path} holds no boxes: a COCO file has annotations with bbox [x, y, width, height]"
        )
    return sizes
