"""Archives of exported programs (``.pt2``), read as data: nothing in them is run.

torch's own reader unpickles the sample inputs and evaluates expressions of a file.  Here the JSON
of the graph and the raw bytes of the weights are read, within bounds, and nothing else.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rfstudio.core.errors import RFStudioError, shown
from rfstudio.engine.weights.safety_scan import contents_of

_MAX_GRAPH = 64 * 2**20
"""Bytes of the JSON of a graph; those of networks with thousands of layers have 10 MB."""

_MAX_TABLE = 16 * 2**20
_MAX_PARTS = 4_000_000
"""Lists and mappings of a JSON text: each takes a hundred bytes of memory, and two of the file."""

_MAX_ENTRIES = 100_000
_MAX_TENSOR = 2**34

_GRAPHS = ("models/model.json", "serialized_exported_program.json")
"""Where the graph is, since torch 2.8 and before."""

_TABLES = {
    "data/weights/": "model_weights_config.json",
    "data/constants/": "model_constants_config.json",
}

DTYPES: Mapping[int, torch.dtype] = dict(
    enumerate(
        (
            *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
            *(torch.float16, torch.float32, torch.float64),
            *(torch.complex32, torch.complex64, torch.complex128, torch.bool, torch.bfloat16),
        ),
        start=1,
    )
)
"""Types of numbers by their number in the file."""


class ArchiveError(RFStudioError):
    """An exported program that cannot be read; the text says why."""


class Archive:
    """One file.

    Parameters
    ----------
    path
        Where it is.

    Attributes
    ----------
    graph
        The JSON of its program.

    Raises
    ------
    ArchiveError
        If it is not such a file, is damaged, or passes a bound.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        size = path.stat().st_size
        entries, length = contents_of(path, size)
        if entries > _MAX_ENTRIES or length > _MAX_TABLE:
            raise ArchiveError(f"its table of contents has {entries:,} entries, {length:,} bytes")
        with zipfile.ZipFile(path) as archive:
            found = archive.infolist()
        if any(x.compress_type != zipfile.ZIP_STORED for x in found):
            raise ArchiveError("it is packed in a way that torch.export.save never uses")
        if sum(x.file_size for x in found) > size:
            raise ArchiveError("its parts overlap, which torch.export.save never does")
        self._entries = {x.filename: x for x in found}
        self._root, name = self._place_of_graph()
        self.graph: Any = self._json(name, _MAX_GRAPH)
        self._tensors: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for folder, table in _TABLES.items():
            self._note_tensors(self._root + folder, table)

    @property
    def has_weights(self) -> bool:
        """Whether the tensors of the program can be read."""
        return bool(self._tensors)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its tensors, as in a state dict."""
        return tuple(self._tensors)

    def values_of(self, name: str) -> int:
        """Return how many numbers a tensor has."""
        return prod(_whole(self._tensors[name][1]["sizes"]))

    def tensor(self, name: str) -> Tensor:
        """Return a tensor of the program.

        Raises
        ------
        ArchiveError
            If there is none, or its bytes do not suffice.
        """
        if name not in self._tensors:
            raise ArchiveError(f"it holds no numbers of '{shown(name)}'")
        entry, facts = self._tensors[name]
        dtype = DTYPES[facts["dtype"]]
        sizes, strides = (_whole(facts[x]) for x in ("sizes", "strides"))
        (start,) = _whole([facts.get("storage_offset", {"as_int": 0})])
        if prod(sizes) == 0:
            return torch.empty(sizes, dtype=dtype)
        data = self._bytes(entry, _MAX_TENSOR)
        last = start + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True))
        count = len(data) // dtype.itemsize
        # More values than bytes: a tensor that is expanded, which would unfold to any size.
        if last >= count or prod(sizes) > 4 * count + 2**16:
            raise ArchiveError(f"'{shown(name)}' claims more numbers than the file holds")
        flat = torch.frombuffer(bytearray(data), dtype=dtype, count=count)
        return flat.as_strided(sizes, strides, start)

    def _place_of_graph(self) -> tuple[str, str]:
        for name in self._entries:
            for place in _GRAPHS:
                root = name.removesuffix(place)
                if root != name and (not root or (root.count("/") == 1 and root.endswith("/"))):
                    return root, name
        raise ArchiveError("it holds no models/model.json")

    def _note_tensors(self, folder: str, table: str) -> None:
        if folder + table not in self._entries:
            return
        for name, facts in self._json(folder + table, _MAX_TABLE)["config"].items():
            # Pickles are not read; the program is known without their numbers.
            if not facts["use_pickle"]:
                self._tensors[name] = folder + facts["path_name"], facts["tensor_meta"]

    def _json(self, name: str, most: int) -> Any:
        data = self._bytes(name, most)
        if data.count(b"[") + data.count(b"{") > _MAX_PARTS:
            raise ArchiveError(f"{name} has more than {_MAX_PARTS:,} parts")
        try:
            return json.loads(data)
        except RecursionError:
            raise ArchiveError(f"{name} is nested too deeply") from None

    def _bytes(self, name: str, most: int) -> bytes:
        entry = self._entries[name]
        if entry.file_size > most:
            raise ArchiveError(f"{name} has {entry.file_size:,} bytes; at most {most:,} are read")
        with zipfile.ZipFile(self._path) as archive, archive.open(entry) as file:
            return file.read(most + 1)


def _whole(values: Any) -> tuple[int, ...]:
    """Return sizes as numbers; symbols have none, so no tensor of a file has them."""
    found = tuple(x["as_int"] for x in values)
    if not all(type(x) is int and 0 <= x < 2**40 for x in found):
        raise ArchiveError("a tensor has sizes that are no whole numbers")
    return found
