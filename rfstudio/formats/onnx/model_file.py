"""Reads an ONNX file into its parts: graph, functions, metadata; nothing of it is run."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from rfstudio.core.errors import RFStudioError, shown
from rfstudio.formats.files import read_bounded
from rfstudio.formats.onnx.tensors import TensorError, declared, value_of

MAX_BYTES = 1 << 31
"""Size of the largest file, as the format itself has it."""

OLDEST = 7
"""The oldest set of operations that is read."""


class OnnxError(RFStudioError):
    """An ONNX file that cannot be read; the text says why."""


class SizeUnknownError(OnnxError):
    """A file that takes images of any size, so that one has to be named."""


@dataclass(frozen=True, slots=True)
class Model:
    """An ONNX file.

    Attributes
    ----------
    graph
        Its graph, as the package has it.
    functions
        Functions of the file, by domain and name.
    versions
        Versions of the sets of operations, by domain.
    folder
        Where its other files may be.
    name
        What it is called.
    """

    graph: Any
    functions: Mapping[tuple[str, str], Any]
    versions: Mapping[str, int]
    folder: Path
    name: str


def onnx_package() -> ModuleType:
    """Return the package that reads the files.

    Raises
    ------
    OnnxError
        If it is missing or broken.
    """
    try:
        found = importlib.import_module("onnx")
        importlib.import_module("onnx.shape_inference")
        importlib.import_module("onnx.helper")
    # Half an installation raises anything.
    except Exception as error:  # noqa: BLE001
        kind = type(error).__name__
        raise OnnxError(
            f"ONNX files are read with the package onnx, which cannot be used here ({kind}: "
            f"{shown(str(error), 200)}); pip install 'rfstudio[onnx]' adds it"
        ) from None
    return found


def read_model(path: Path) -> Model:
    """Return the parts of a file.

    Raises
    ------
    OnnxError
        If it is no ONNX file, or too old.
    FileAccessError
        If it cannot be read.
    """
    onnx = onnx_package()
    data = read_bounded(path, MAX_BYTES)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    # The parser has errors of its own, which differ between its versions.
    except Exception as error:  # noqa: BLE001
        raise OnnxError(f"it is damaged or no ONNX file ({shown(str(error), 200)})") from None
    if not proto.HasField("graph") or not proto.graph.node:
        raise OnnxError("it is no ONNX file, or has an empty graph")
    versions = {str(x.domain): int(x.version) for x in proto.opset_import}
    versions.setdefault("", versions.get("ai.onnx", 1))
    if versions[""] < OLDEST:
        raise OnnxError(
            f"it has operations of version {versions['']}; files from version {OLDEST} on are "
            "read: convert it with onnx.version_converter"
        )
    functions = {(str(x.domain), str(x.name)): x for x in proto.functions}
    name = shown(str(proto.graph.name), 60)
    generic = name in ("", "main_graph", "torch-jit-export", "torch_jit", "tf2onnx")
    return Model(proto.graph, functions, versions, path.parent, path.stem if generic else name)


def attributes_of(node: Any, outer: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the attributes of a node as plain values; tensors as arrays, graphs as they are.

    Parameters
    ----------
    node
        The node.
    outer
        Attributes of the function that it is in.
    folder
        Where other files may be.
    """
    found: dict[str, Any] = {}
    for x in node.attribute:
        if x.ref_attr_name:
            if x.ref_attr_name in outer:
                found[str(x.name)] = outer[x.ref_attr_name]
            continue
        found[str(x.name)] = _plain(x, folder)
    return found


def _plain(x: Any, folder: Path) -> Any:
    match int(x.type):
        case 1:
            return float(x.f)
        case 2:
            return int(x.i)
        case 3:
            return x.s.decode("utf-8", "replace")
        case 4:
            return _tensor(x.t, folder)
        case 5:
            return x.g
        case 6:
            return [float(y) for y in x.floats]
        case 7:
            return [int(y) for y in x.ints]
        case 8:
            return [y.decode("utf-8", "replace") for y in x.strings]
    return None


def _tensor(proto: Any, folder: Path) -> Any:
    """Return the numbers of a tensor; where they are not known, its constant without numbers."""
    try:
        constant = declared(proto)
    except TensorError as error:
        raise OnnxError(f"a tensor of an attribute {error}") from None
    value = value_of(constant, folder)
    return constant if value is None else np.asarray(value)
