"""Small ONNX files, and what their outputs depend on, found by running them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rfstudio
from rfstudio.core.fields.analysis import Analysis
from rfstudio.formats.onnx.load import load_onnx

onnx = pytest.importorskip("onnx")
onnx.helper = pytest.importorskip("onnx.helper")
onnx.numpy_helper = pytest.importorskip("onnx.numpy_helper")

Interval = tuple[int, int]


def node(op: str, inputs: str, output: str = "", **attributes: Any):
    """Return a node; names are separated by spaces, and a dot is an input that is left out."""
    names = [("" if x == "." else x) for x in inputs.split()]
    return onnx.helper.make_node(op, names, (output or "y").split(), **attributes)


def model(
    nodes: Sequence[object],
    constants: Mapping[str, Any] | None = None,
    *,
    shape: Sequence[int | str] = (1, 2, 12, 10),
    opset: int = 17,
    outputs: Sequence[str] = ("y",),
    **parts: object,
):
    """Return a model with one image `x`."""
    graph = onnx.helper.make_graph(
        list(nodes),
        "test",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, list(shape))],
        [onnx.helper.make_tensor_value_info(x, onnx.TensorProto.FLOAT, None) for x in outputs],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()],
    )
    sets = [onnx.helper.make_opsetid("", opset)]
    return onnx.helper.make_model(graph, opset_imports=sets, ir_version=8, **parts)


def saved(proto, folder: Path) -> Path:
    """Write a model to a file."""
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def weights(*shape: int) -> NDArray[np.float32]:
    """Return weights that are all positive, so that nothing cancels."""
    count = int(np.prod(shape))
    return (0.5 + np.arange(count) % 7 / 7).reshape(shape).astype(np.float32)


def dependence(path: Path, shape: Sequence[int], axis: int) -> NDArray[np.bool_]:
    """Return for each row of the image along an axis which units change with it.

    The file is run by ONNX Runtime, once for each row; units are (row, *size).
    """
    runtime = pytest.importorskip("onnxruntime")
    runtime.set_default_logger_severity(3)
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    image = generator.uniform(0.5, 1, shape).astype(np.float32)
    (before,) = session.run(None, {"x": image})
    found = []
    for row in range(shape[2 + axis]):
        changed = image.copy()
        changed[(slice(None),) * (2 + axis) + (row,)] += generator.uniform(5, 9)
        (after,) = session.run(None, {"x": changed})
        found.append((np.abs(after - before) > 1e-4).any((0, 1)))
    return np.stack(found)


def analysed(path: Path, size: Sequence[int] | None = None) -> tuple[Analysis, str]:
    """Return the analysis of a file, and its last layer."""
    analysis = rfstudio.analyze(load_onnx(path, size))
    return analysis, analysis.layers[-1].name


def assert_fields_are_those_of_the_runtime(path: Path, shape: Sequence[int]) -> None:
    """Hold the region of every unit of the last layer against what changes when it is run."""
    analysis, layer = analysed(path)
    found = [dependence(path, shape, axis) for axis in range(len(shape) - 2)]
    size = analysis[layer].output_size
    assert size == found[0].shape[1:], size
    for unit in np.ndindex(*size):
        seen: list[Interval] | None = []
        for rows in found:
            touched = np.flatnonzero(rows[(slice(None), *unit)])
            if seen is None or not len(touched):
                seen = None
                continue
            seen.append((int(touched[0]), int(touched[-1])))
        expected = None if seen is None else tuple(seen)
        assert analysis.unit(layer, unit).visible_region == expected, unit
