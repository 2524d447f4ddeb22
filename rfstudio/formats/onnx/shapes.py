"""Shapes of the results of ONNX operations, by the rules of the package, one node at a time.

The inputs are known with their numbers where these are constant, so that no size stays open.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from rfstudio.formats.onnx.model_file import Model, onnx_package
from rfstudio.formats.onnx.tensors import Constant, value_of

Shape = tuple[int, ...]

_MAX_GIVEN = 4096
"""Values of the largest constant whose numbers a shape may depend on."""


_SAME = frozenset(
    (
        *("Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Sigmoid", "HardSigmoid", "Tanh"),
        *("HardSwish", "Mish", "Softplus", "Softsign", "Identity", "Erf", "Exp", "Log", "Sqrt"),
        *("Neg", "Abs", "Reciprocal", "Floor", "Ceil", "Round", "Softmax", "LogSoftmax", "Clip"),
    )
)
"""Operations whose result has the shape and the type of their first input."""


_BY_SHAPES = frozenset(
    (
        *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"),
        *("BatchNormalization", "InstanceNormalization", "LayerNormalization", "PRelu"),
        *("Add", "Sub", "Mul", "Div", "Pow", "MatMul", "Gemm", "Concat", "Transpose"),
    )
)
"""Operations whose results have shapes that no number of an input decides."""


class Shapes:
    """Works out shapes.

    Parameters
    ----------
    model
        The file.
    """

    def __init__(self, model: Model) -> None:
        self._onnx: Any = onnx_package()
        self._infer: Any = importlib.import_module("onnx.shape_inference").infer_node_outputs
        self._helper: Any = importlib.import_module("onnx.helper")
        self._to_proto: Any = importlib.import_module("onnx.numpy_helper").from_array
        self._folder = model.folder
        self._versions = dict(model.versions)
        self._sets = [self._helper.make_opsetid(k, v) for k, v in self._versions.items()]
        self._known: dict[object, list[tuple[Shape, int] | None]] = {}
        self._stated = {str(x.name): x.type for x in (*model.graph.value_info, *model.graph.output)}

    def of(
        self,
        node: Any,
        inputs: Sequence[str],
        constants: Mapping[str, Constant],
        shapes: Mapping[str, tuple[Shape, int]],
        attributes: Mapping[str, Any],
    ) -> list[tuple[Shape, int] | None] | None:
        """Return shape and type of elements of each result; None where a size stays open."""
        plain = str(node.op_type) in _SAME and str(node.domain) in ("", "ai.onnx")
        if plain and len(node.output) == 1 and inputs[0] in shapes:
            return [shapes[inputs[0]]]
        key = self._key(node, inputs, constants, shapes)
        if key is not None and key in self._known:
            return self._known[key]
        sizes = self._inferred(node, inputs, constants, shapes)
        if attributes.get("ceil_mode") and inputs[0] in shapes:
            return [None if x is None else _pooled(x, shapes[inputs[0]], attributes) for x in sizes]
        if key is not None and all(sizes):
            self._known[key] = sizes
        return sizes

    def _key(
        self,
        node: Any,
        inputs: Sequence[str],
        constants: Mapping[str, Constant],
        shapes: Mapping[str, tuple[Shape, int]],
    ) -> object | None:
        """Return all that the shapes of the results depend on; None: numbers, too."""
        if str(node.op_type) not in _BY_SHAPES:
            return None
        given = [
            (constants[x].shape, constants[x].kind) if x in constants else shapes.get(x)
            for x in inputs
        ]
        options = sorted(x.SerializeToString() for x in node.attribute)
        return (
            str(node.op_type),
            str(node.domain),
            tuple(given),
            tuple(map(bool, inputs)),
            tuple(map(bool, node.output)),
            tuple(options),
        )

    def _inferred(
        self,
        node: Any,
        inputs: Sequence[str],
        constants: Mapping[str, Constant],
        shapes: Mapping[str, tuple[Shape, int]],
    ) -> list[tuple[Shape, int] | None]:
        types: dict[str, Any] = {}
        numbers: dict[str, Any] = {}
        for local, name in zip(map(str, node.input), inputs, strict=True):
            if not name:
                continue
            constant = constants.get(name)
            shape, kind = shapes[name] if constant is None else (constant.shape, constant.kind)
            types[local] = self._helper.make_tensor_type_proto(kind or 1, list(shape))
            if constant is not None and prod(shape) <= _MAX_GIVEN:
                value = value_of(constant, self._folder)
                if value is not None:
                    numbers[local] = self._to_proto(value, local)
        found: Mapping[str, Any] = {}
        # The package raises errors of several kinds, of its own and of C++.
        try:
            version = self._versions.get(str(node.domain), self._versions[""])
            schema = self._onnx.defs.get_schema(node.op_type, version, node.domain)
            found = self._infer(schema, node, types, numbers, opset_imports=self._sets)
        except Exception:  # noqa: BLE001 - then the file's own word is taken, if it has one
            found = {}
        return [
            _size_of(found.get(x)) or _size_of(self._stated.get(x)) for x in map(str, node.output)
        ]


def _pooled(
    stated: tuple[Shape, int], given: tuple[Shape, int], attributes: Mapping[str, Any]
) -> tuple[Shape, int]:
    """Return the size after a pooling that rounds up: no window starts after the image.

    The package counted such windows, until it took over what runtimes and torch do.
    """
    (shape, kind), size = stated, given[0][2:]
    kernel = attributes["kernel_shape"]
    ones = [1] * len(kernel)
    strides, dilations = attributes.get("strides", ones), attributes.get("dilations", ones)
    pads = attributes.get("pads", [0] * 2 * len(kernel))
    if attributes.get("auto_pad", "NOTSET") != "NOTSET":
        return stated
    outs = []
    for i, n in enumerate(size):
        before, after = pads[i], pads[len(kernel) + i]
        reach = dilations[i] * (kernel[i] - 1) + 1
        out = -(-(n + before + after - reach) // strides[i]) + 1
        outs.append(out - 1 if (out - 1) * strides[i] >= n + before else out)
    return (*shape[:2], *outs), kind


def _size_of(kind: Any) -> tuple[Shape, int] | None:
    """Return what a type says, if it leaves nothing open."""
    if kind is None or not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    sizes = []
    for x in kind.tensor_type.shape.dim:
        if not x.HasField("dim_value") or not 0 <= x.dim_value < 2**40:
            return None
        sizes.append(int(x.dim_value))
    return tuple(sizes), int(kind.tensor_type.elem_type)
