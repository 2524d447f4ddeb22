"""Constants of a graph from a file, such as masks and indices, worked out within bounds.

A file may name any operation with any arguments, so only harmless ones are run, each after its
result was found to be small.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

MAX_VALUES = 1 << 24
"""Values of the largest constant that is worked out."""

_MAX_PRODUCTS = 1 << 30
"""Products of numbers that a product of matrices may take."""

_HARMLESS = frozenset(
    (
        *("arange", "full", "zeros", "ones", "empty", "scalar_tensor", "linspace", "eye"),
        *("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"),
        *("view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "expand", "expand_as"),
        *("permute", "transpose", "t", "movedim", "contiguous", "clone", "alias", "detach", "to"),
        *("_to_copy", "lift_fresh_copy", "type_as", "slice", "select", "narrow", "index", "copy"),
        *("fill", "masked_fill", "where", "cat", "stack", "repeat", "roll", "flip", "meshgrid"),
        *("add", "sub", "rsub", "mul", "div", "floor_divide", "remainder", "fmod", "neg", "abs"),
        *("eq", "ne", "lt", "le", "gt", "ge", "logical_not", "logical_and", "logical_or"),
        *("bitwise_not", "bitwise_and", "bitwise_or", "tril", "triu", "clamp", "round", "floor"),
        *("exp", "log", "log2", "sqrt", "rsqrt", "sin", "cos", "pow", "sigmoid", "reciprocal"),
        *("sign", "sum", "mean", "cumsum", "softmax", "unbind", "split", "chunk", "index_select"),
        *("var", "var_mean", "std", "std_mean", "linalg_vector_norm", "norm", "norm_except_dim"),
        *("_weight_norm", "mv", "dot", "vdot", "mm", "matmul"),
    )
)
"""Operations that read nothing but their arguments, write nothing else, and take little time."""


class Unknown:
    """Takes the place of a constant that is not worked out."""


def computed(node: fx.Node, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return the result of one operation on constants; `Unknown` if it is not to be run.

    Raises
    ------
    ValueError
        If what it would write into is then unknown, and all views of it.
    """
    try:
        return _result(node, arguments, options)
    except Exception as error:
        schema = getattr(node.target, "_schema", None)
        if schema is not None and schema.is_mutable:
            raise ValueError("a constant is written by something that is not run") from error
        return Unknown()


def _result(node: fx.Node, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    target = node.target
    if getattr(target, "__name__", "") == "getitem":
        return arguments[0][arguments[1]]
    if not isinstance(target, torch._ops.OpOverload):  # noqa: SLF001 - the type has no public name
        raise ValueError("not an operation of torch")  # noqa: TRY004 - of a file, not of a caller
    schema = target._schema  # noqa: SLF001 - it has no public name
    space, _, word = schema.name.partition("::")
    word = word[:-1] if word.endswith("_") else word
    if schema.name == "rfstudio::mark":  # where a module ends, which changes nothing
        return arguments[0]
    if space != "aten" or word not in _HARMLESS or "out" in options:
        raise ValueError(f"{word} is not run")
    # Tensors without numbers show how large the result is before any memory is taken.
    tried = {name: _emptied(x) for name, x in options.items()}
    if any(x.name == "device" for x in schema.arguments):
        options = {**options, "device": torch.device("cpu")}
        tried["device"] = torch.device("meta")
    for x in _tensors(target(*_emptied(arguments), **tried)):
        if x.numel() > MAX_VALUES:
            raise ValueError("a constant is too large")
        if word in ("mm", "matmul") and x.numel() * arguments[0].shape[-1] > _MAX_PRODUCTS:
            raise ValueError("a product of matrices takes too long")
    return target(*arguments, **options)


def _emptied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.to("meta")
    if isinstance(value, list | tuple):
        return type(value)(map(_emptied, value))
    return value


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [x for part in value for x in _tensors(part)] if isinstance(value, list | tuple) else []
