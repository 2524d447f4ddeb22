"""Files of measurements that are not complete: arrays and a record, read as data alone."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.files import read_bounded

MAX_BYTES = 1 << 30


def state_bytes(arrays: Mapping[str, NDArray[np.float64]], record: Mapping[str, Any]) -> bytes:
    """Return an archive of NumPy of some arrays, and of a record as ``json``."""
    buffer = io.BytesIO()
    text: NDArray[Any] = np.array(json.dumps(record, ensure_ascii=False))
    contents: dict[str, NDArray[Any]] = {**arrays, "json": text}
    np.savez(buffer, **contents)  # type: ignore[arg-type] # its keyword allow_pickle is meant
    return buffer.getvalue()


def read_state(path: Path) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """Return the arrays and the record of such a file.

    Raises
    ------
    RFStudioError
        If it is none.
    FileAccessError
        If it cannot be read.
    """
    data = read_bounded(path, MAX_BYTES)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
        record = dict(json.loads(str(found.pop("json"))))
        return {name: np.asarray(x, np.float64) for name, x in found.items()}, record
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        raise RFStudioError(
            f"'{path}' is no measurement to go on with; name a file that is not there yet, or one "
            "that --resume has written"
        ) from None
