"""Bounds for files of weights in the format of torch before version 1.6.

Many published weights are in that format: pickles, then the numbers one after another.  torch
reserves memory for the sizes that the pickles claim before it reads on, so the claims are added up
here first, by an unpickler that creates no objects from what it reads.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import torch

from rfstudio.engine.process.errors import WeightsError

_MAGIC = 0x1950A86A20F9469CFC6C
"""The magic number at the start of such a file."""

_HEADERS = 3
"""Pickles before that of the weights: the magic number, the protocol, facts of the machine."""

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class _Nothing:
    """Replaces everything that a pickle names; it accepts any call and does nothing."""

    def __init__(self, *_: Any) -> None: ...
    def __setstate__(self, _: Any) -> None: ...
    def __setitem__(self, _: Any, __: Any) -> None: ...
    def append(self, _: Any) -> None: ...
    def extend(self, _: Any) -> None: ...


class _Claims(pickle.Unpickler):
    """Adds up the bytes of the storages that a pickle refers to."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._bytes: dict[str, int] = {}

    @property
    def total(self) -> int:
        return sum(self._bytes.values())

    def find_class(self, module: str, name: str, /) -> Any:
        # The type of a storage gives its size; all other names are replaced.
        return _STORAGES.get(name, _Nothing) if module == "torch" else _Nothing

    def persistent_load(self, reference: Any, /) -> Any:
        match reference:
            case ("storage", torch.dtype() as dtype, str(key), _, int(count), _) if count >= 0:
                self._bytes[key] = count * dtype.itemsize
                return _Nothing()
        raise pickle.UnpicklingError("a reference to something that is not a storage")


def held_by_legacy_file(path: Path) -> int:
    """Return the bytes of weights in a file in torch's old format.

    Raises
    ------
    WeightsError
        If it is not such a file, or claims more than it holds.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            is_ours, claims = _read(file)
    # Damaged bytes can raise any error inside a pickle.
    except Exception as error:
        raise _no_weights(path) from error
    if not is_ours:
        raise _no_weights(path)
    if claims.total > size:
        raise WeightsError(f"{path} claims {claims.total:,} bytes of weights but holds {size:,}")
    return size


def _read(file: BinaryIO) -> tuple[bool, _Claims]:
    """Return whether the file begins like torch's, and the sizes that its weights claim."""
    magic, *_ = (_Claims(file).load() for _ in range(_HEADERS))
    claims = _Claims(file)
    if magic == _MAGIC:
        claims.load()
    return magic == _MAGIC, claims


def _no_weights(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} is not a file of weights written by torch.save, or it is damaged; save the "
        "state_dict again, best as .safetensors"
    )
