"""Sizes of objects from a file of annotations, or from a folder of masks."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.files import is_folder, read_bounded
from rfstudio.formats.images.images import read_image

MAX_BYTES = 1 << 30
"""Largest file of annotations that is read; that of COCO's training images has 450 MB."""


def object_sizes(path: Path) -> list[tuple[int, int]]:
    """Return (height, width) of the objects of a COCO file or of a folder of masks.

    Boxes are rounded up.  In a mask connected pixels of one colour, but black, are an object.

    Raises
    ------
    RFStudioError
        If the file cannot be read or holds no boxes, or the folder holds no masks.
    """
    if is_folder(path):
        return _sizes_in_masks(path)
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


MAX_MASKS = 10_000
"""Masks of a folder that are read."""

_SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff", ".gif", ".webp"})


def _sizes_in_masks(folder: Path) -> list[tuple[int, int]]:
    files = sorted(x for x in folder.iterdir() if x.suffix.lower() in _SUFFIXES)
    sizes = [size for file in files[:MAX_MASKS] for size in mask_sizes(read_image(file))]
    if not sizes:
        kinds = ", ".join(sorted(_SUFFIXES))
        raise RFStudioError(
            f"{folder} holds no masks with objects: pictures ({kinds}), black around the objects"
        )
    return sizes


def mask_sizes(mask: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Return (height, width) of each group of connected pixels of one colour, but black.

    Parameters
    ----------
    mask
        (H, W, 3) picture; pixels that touch at a corner are connected.
    """
    colours = mask.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    boxes: list[list[int]] = []  # first row, last row, first column, last column
    parent: list[int] = []

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    # Runs of one colour, row by row; a run is joined to those of its colour that touch it above.
    above: list[tuple[int, int, int, int]] = []
    for row, line in enumerate(colours):
        edges = np.flatnonzero(np.diff(line)) + 1
        starts, stops = [0, *edges.tolist()], [*edges.tolist(), len(line)]
        here: list[tuple[int, int, int, int]] = []
        behind = 0
        for start, stop in zip(starts, stops, strict=True):
            colour = int(line[start])
            if not colour:
                continue
            number = len(parent)
            parent.append(number)
            boxes.append([row, row, start, stop - 1])
            while behind < len(above) and above[behind][1] < start:
                behind += 1
            for first, last, other, label in above[behind:]:
                if first > stop:
                    break
                if other == colour and last >= start:
                    _join(parent, boxes, root(label), root(number))
            here.append((start, stop, colour, number))
        above = here
    tops = {root(x) for x in range(len(parent))}
    return [
        (bottom - top + 1, right - left + 1)
        for top, bottom, left, right in (boxes[x] for x in sorted(tops))
    ]


def _join(parent: list[int], boxes: list[list[int]], a: int, b: int) -> None:
    if a == b:
        return
    parent[b] = a
    for place, pick in enumerate((min, max, min, max)):
        boxes[a][place] = pick(boxes[a][place], boxes[b][place])
