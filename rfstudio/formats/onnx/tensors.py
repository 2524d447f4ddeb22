"""Constants of ONNX files as arrays, within bounds: what a file declares is not what it holds."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import shown

Array = NDArray[np.generic]

MAX_VALUES = 1 << 22
"""Values of the largest constant that is looked into; weights are only counted."""

_EXTERNAL = 1

_TYPES = {
    1: ("float32", "float_data"),
    2: ("uint8", "int32_data"),
    3: ("int8", "int32_data"),
    4: ("uint16", "int32_data"),
    5: ("int16", "int32_data"),
    6: ("int32", "int32_data"),
    7: ("int64", "int64_data"),
    9: ("bool", "int32_data"),
    10: ("float16", "int32_data"),
    11: ("float64", "double_data"),
    12: ("uint32", "uint64_data"),
    13: ("uint64", "uint64_data"),
}
"""For each type of element its name in numpy, and the field that holds values one by one."""

FLOATS = (1, 10, 11, 16)
"""Types of elements that are real numbers."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant.

    Attributes
    ----------
    shape
        Its shape.
    kind
        Number of its type of elements.
    proto
        What the file has; None: it was worked out.
    value
        Its numbers, if they were worked out.
    """

    shape: tuple[int, ...]
    kind: int
    proto: Any = None
    value: Array | None = None


class TensorError(ValueError):
    """A tensor that a file does not hold as it says; the text goes on from its name."""


def declared(proto: Any) -> Constant:
    """Return a constant by what a file says about it; its numbers are not touched.

    Raises
    ------
    TensorError
        If it has a shape that no tensor has.
    """
    shape = tuple(int(n) for n in proto.dims)
    if any(n < 0 for n in shape) or len(shape) > 32 or prod(max(n, 1) for n in shape) > 2**40:
        raise TensorError(f"has the shape {shown(str(list(shape)))}, which no tensor has")
    return Constant(shape, int(proto.data_type), proto)


def value_of(constant: Constant, folder: Path | None, most: int = MAX_VALUES) -> Array | None:
    """Return the numbers of a constant; None if they are not there, too many, or of a rare type.

    Parameters
    ----------
    constant
        The constant.
    folder
        Where files with more numbers may be; None: nowhere.
    most
        How many values are too many.
    """
    if constant.value is not None or constant.proto is None:
        return constant.value
    count = prod(constant.shape)
    if count > most or constant.kind not in _TYPES:
        return None
    name, field = _TYPES[constant.kind]
    dtype = np.dtype(name).newbyteorder("<")
    proto = constant.proto
    if proto.data_location == _EXTERNAL:
        data = _beside(proto, folder, count * dtype.itemsize)
    elif proto.HasField("raw_data"):
        data = proto.raw_data
    else:
        return _one_by_one(getattr(proto, field), constant.shape, name)
    if data is None or len(data) != count * dtype.itemsize:
        return None
    return np.frombuffer(data, dtype).astype(name).reshape(constant.shape)


def _one_by_one(values: Any, shape: tuple[int, ...], name: str) -> Array | None:
    if len(values) != prod(shape):
        return None
    if name == "float16":  # stored as the bits
        return np.array(values, np.uint16).view(np.float16).reshape(shape)
    return np.array(values).astype(name).reshape(shape)


def entries_of(proto: Any) -> dict[str, str]:
    """Return what a tensor says about the other file that holds its numbers."""
    return {str(x.key): str(x.value) for x in proto.external_data}


def is_plain_name(name: str) -> bool:
    """Whether a name is that of a file in the same folder, and of nothing else."""
    plain = name not in ("", ".", "..") and not any(x in name for x in "/\\:\0")
    return plain and len(name) < 256


def _beside(proto: Any, folder: Path | None, size: int) -> bytes | None:
    """Return bytes of a file in the same folder, if its name is plain and it has them."""
    entries = entries_of(proto)
    name = entries.get("location", "")
    if folder is None or not is_plain_name(name):
        return None
    start = _whole(entries.get("offset", "0"))
    length = _whole(entries.get("length", str(size)))
    if start is None or length != size:
        return None
    try:
        # No link is followed, which could lead anywhere, and no pipe is waited for.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(folder / name, flags | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or start + size > status.st_size:
                return None
            file.seek(start)
            return file.read(size)
    except (OSError, ValueError, OverflowError):
        return None


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def outside(protos: Iterator[Any]) -> Iterator[str]:
    """Yield the names of files that tensors name and that are not read, once each."""
    found = set()
    for proto in protos:
        name = entries_of(proto).get("location", "")
        if proto.data_location == _EXTERNAL and not is_plain_name(name) and name not in found:
            found.add(name)
            yield name
