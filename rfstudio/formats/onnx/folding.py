"""Constants of ONNX graphs, worked out with numpy within bounds.

Shapes, indices and masks are computed in the graphs of most files, from the size of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from rfstudio.formats.onnx.tensors import MAX_VALUES, Array

Attributes = Mapping[str, Any]
Fold = Callable[[list[Any], Attributes], Any]
"""Computes the first result, or a list of all, from inputs (None: left out) and attributes."""

_DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
}


def folded(op: str, inputs: Sequence[Array | None], attributes: Attributes) -> list[Array] | None:
    """Return the results of an operation on constants; None if it is not worked out."""
    fold = _FOLDS.get(op)
    if fold is None:
        return None
    try:
        with np.errstate(all="ignore"):
            found = fold(list(inputs), attributes)
    # A file may give any operation anything.
    except Exception:  # noqa: BLE001
        return None
    values = found if isinstance(found, list) else [found]
    return [np.asarray(x) for x in values]


def _small(shape: Sequence[int]) -> tuple[int, ...]:
    """Return a shape, if what has it is small enough."""
    found = tuple(int(n) for n in shape)
    if any(n < 0 for n in found) or prod(found) > MAX_VALUES:
        raise ValueError("too large")
    return found


def _pairwise(function: Callable[..., Any]) -> Fold:
    def fold(x: list[Any], _a: Attributes) -> Any:
        _small(np.broadcast_shapes(*[y.shape for y in x]))
        result = x[0]
        for y in x[1:]:
            result = function(result, y)
        return result

    return fold


def _single(function: Callable[[Any], Any]) -> Fold:
    return lambda x, _a: function(x[0]).astype(x[0].dtype)


def _divided(a: Any, b: Any) -> Any:
    if np.issubdtype(a.dtype, np.integer):
        return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)
    return a / b


def _axes_of(x: list[Any], a: Attributes, place: int = 1) -> tuple[int, ...] | None:
    if len(x) > place and x[place] is not None:
        return tuple(int(n) for n in x[place].reshape(-1))
    return tuple(a["axes"]) if "axes" in a else None


def _cast(x: list[Any], a: Attributes) -> Any:
    return x[0].astype(_DTYPES[a["to"]])


def _constant_of_shape(x: list[Any], a: Attributes) -> Any:
    value = a.get("value")
    fill = np.zeros(1, np.float32) if value is None else np.asarray(value).reshape(-1)
    return np.full(_small(x[0].reshape(-1)), fill[0], fill.dtype)


def _range(x: list[Any], _a: Attributes) -> Any:
    start, stop, step = (y.reshape(-1)[0] for y in x)
    _small([max(int(np.ceil((float(stop) - float(start)) / float(step))), 0)])
    return np.arange(start, stop, step, dtype=x[0].dtype)


def _gather(x: list[Any], a: Attributes) -> Any:
    axis = a.get("axis", 0) % x[0].ndim
    _small([*x[0].shape[:axis], *x[1].shape, *x[0].shape[axis + 1 :]])
    return np.take(x[0], x[1], axis)


def _slice(x: list[Any], a: Attributes) -> Any:
    data = x[0]
    if "starts" in a:  # before opset 10
        starts, ends = a["starts"], a["ends"]
        axes, steps = a.get("axes", range(len(starts))), [1] * len(starts)
    else:
        starts, ends = x[1].tolist(), x[2].tolist()
        axes = x[3].tolist() if len(x) > 3 and x[3] is not None else range(len(starts))
        steps = x[4].tolist() if len(x) > 4 and x[4] is not None else [1] * len(starts)
    index = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis] = slice(start, None if step < 0 and end < -data.shape[axis] else end, step)
    return data[tuple(index)]


def _split(x: list[Any], a: Attributes) -> Any:
    axis = a.get("axis", 0)
    lengths = x[1].tolist() if len(x) > 1 and x[1] is not None else a.get("split")
    if lengths is None:
        count = a.get("num_outputs", a.get("outputs", 1))
        size = -(-x[0].shape[axis] // count)
        return np.split(x[0], range(size, x[0].shape[axis], size), axis)
    return np.split(x[0], np.cumsum(lengths)[:-1].tolist(), axis)


def _reshape(x: list[Any], a: Attributes) -> Any:
    wanted = [int(n) for n in (a["shape"] if "shape" in a else x[1])]
    if not a.get("allowzero"):
        wanted = [x[0].shape[i] if n == 0 else n for i, n in enumerate(wanted)]
    return x[0].reshape(wanted)


def _squeeze(x: list[Any], a: Attributes) -> Any:
    axes = _axes_of(x, a)
    return x[0].squeeze() if axes is None else x[0].squeeze(axes)


def _unsqueeze(x: list[Any], a: Attributes) -> Any:
    axes = _axes_of(x, a)
    if axes is None or len(axes) + x[0].ndim > 32:
        raise ValueError("no axes")
    return np.expand_dims(x[0], axes)


def _expand(x: list[Any], _a: Attributes) -> Any:
    shape = _small(np.broadcast_shapes(x[0].shape, tuple(int(n) for n in x[1])))
    return np.broadcast_to(x[0], shape)


def _tile(x: list[Any], _a: Attributes) -> Any:
    _small([n * max(int(t), 0) for n, t in zip(x[0].shape, x[1], strict=True)])
    return np.tile(x[0], x[1])


def _reduced(function: Callable[..., Any]) -> Fold:
    def fold(x: list[Any], a: Attributes) -> Any:
        axes = _axes_of(x, a)
        if axes is None and a.get("noop_with_empty_axes"):
            return x[0]
        return function(x[0], axis=axes, keepdims=bool(a.get("keepdims", 1)))

    return fold


def _transpose(x: list[Any], a: Attributes) -> Any:
    return np.transpose(x[0], a.get("perm"))


def _concat(x: list[Any], a: Attributes) -> Any:
    _small([sum(y.size for y in x)])
    return np.concatenate(x, a["axis"])


def _pad(x: list[Any], a: Attributes) -> Any:
    mode = {"constant": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}
    pads = a["pads"] if "pads" in a else x[1].tolist()
    half = len(pads) // 2
    if half != x[0].ndim or min(pads) < 0:
        raise ValueError("padding of some axes")
    amounts = list(zip(pads[:half], pads[half:], strict=True))
    _small([n + sum(p) for n, p in zip(x[0].shape, amounts, strict=True)])
    word = a.get("mode", "constant")
    if word != "constant":
        return np.pad(x[0], amounts, mode[word])  # type: ignore[call-overload]  # one of numpy's modes
    fill = x[2].reshape(-1)[0] if len(x) > 2 and x[2] is not None else a.get("value", 0)
    return np.pad(x[0], amounts, constant_values=fill)


def _trilu(x: list[Any], a: Attributes) -> Any:
    k = int(x[1].reshape(-1)[0]) if len(x) > 1 and x[1] is not None else 0
    return (np.triu if a.get("upper", 1) else np.tril)(x[0], k)


def _scatter_nd(x: list[Any], a: Attributes) -> Any:
    if a.get("reduction", "none") != "none":
        raise ValueError("a sum")
    result = x[0].copy()
    result[tuple(np.moveaxis(x[1], -1, 0))] = x[2]
    return result


def _one_hot(x: list[Any], a: Attributes) -> Any:
    depth = int(x[1].reshape(-1)[0])
    _small([*x[0].shape, depth])
    hot = (x[0] % depth)[..., None] == np.arange(depth)
    return np.moveaxis(np.where(hot, x[2][1], x[2][0]), -1, a.get("axis", -1))


def _clip(x: list[Any], a: Attributes) -> Any:
    low = x[1] if len(x) > 1 and x[1] is not None else a.get("min")
    high = x[2] if len(x) > 2 and x[2] is not None else a.get("max")
    return np.clip(x[0], low, high).astype(x[0].dtype)


def _where(x: list[Any], _a: Attributes) -> Any:
    _small(np.broadcast_shapes(*[y.shape for y in x]))
    return np.where(x[0], x[1], x[2])


def _cum_sum(x: list[Any], a: Attributes) -> Any:
    if a.get("exclusive") or a.get("reverse"):
        raise ValueError("a rare kind of sum")
    return np.cumsum(x[0], int(x[1].reshape(-1)[0]), dtype=x[0].dtype)


def _softmax(x: list[Any], a: Attributes) -> Any:
    shifted = np.exp(x[0] - x[0].max(a.get("axis", -1), keepdims=True))
    return shifted / shifted.sum(a.get("axis", -1), keepdims=True)


_FOLDS: Mapping[str, Fold] = {
    "Add": _pairwise(np.add),
    "Sub": _pairwise(np.subtract),
    "Mul": _pairwise(np.multiply),
    "Div": _pairwise(_divided),
    "Pow": _pairwise(lambda a, b: np.power(a, b).astype(a.dtype)),
    "Mod": lambda x, a: (np.fmod if a.get("fmod") else np.mod)(x[0], x[1]),
    "Max": _pairwise(np.maximum),
    "Min": _pairwise(np.minimum),
    "Sum": _pairwise(np.add),
    "Equal": _pairwise(np.equal),
    "Less": _pairwise(np.less),
    "LessOrEqual": _pairwise(np.less_equal),
    "Greater": _pairwise(np.greater),
    "GreaterOrEqual": _pairwise(np.greater_equal),
    "And": _pairwise(np.logical_and),
    "Or": _pairwise(np.logical_or),
    "Xor": _pairwise(np.logical_xor),
    "Not": _single(np.logical_not),
    "Neg": _single(np.negative),
    "Abs": _single(np.abs),
    "Floor": _single(np.floor),
    "Ceil": _single(np.ceil),
    "Round": _single(np.round),
    "Sqrt": _single(np.sqrt),
    "Reciprocal": _single(np.reciprocal),
    "Exp": _single(np.exp),
    "Log": _single(np.log),
    "Sin": _single(np.sin),
    "Cos": _single(np.cos),
    "Sign": _single(np.sign),
    "Relu": _single(lambda x: np.maximum(x, 0)),
    "Sigmoid": _single(lambda x: 1 / (1 + np.exp(-x))),
    "Tanh": _single(np.tanh),
    "Identity": lambda x, _a: x[0],
    "Cast": _cast,
    "CastLike": lambda x, _a: x[0].astype(x[1].dtype),
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "Shape": lambda x, a: np.array(x[0].shape[a.get("start", 0) : a.get("end")], np.int64),
    "Size": lambda x, _a: np.array(x[0].size, np.int64),
    "Gather": _gather,
    "Slice": _slice,
    "Split": _split,
    "Concat": _concat,
    "Reshape": _reshape,
    "Flatten": lambda x, a: x[0].reshape(prod(x[0].shape[: a.get("axis", 1)]), -1),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Expand": _expand,
    "Tile": _tile,
    "Transpose": _transpose,
    "Where": _where,
    "Pad": _pad,
    "Trilu": _trilu,
    "ScatterND": _scatter_nd,
    "OneHot": _one_hot,
    "Clip": _clip,
    "CumSum": _cum_sum,
    "Softmax": _softmax,
    "NonZero": lambda x, _a: np.array(np.nonzero(x[0]), np.int64),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceMean": _reduced(np.mean),
}
