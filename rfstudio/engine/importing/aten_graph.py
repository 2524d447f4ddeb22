"""A graph of ATen operations, wherever it comes from, and how its nodes are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from rfstudio.core.errors import RFStudioError

_ALIASES = {"divide": "div", "true_divide": "div", "multiply": "mul", "subtract": "sub"}
"""Operations that have two names."""


class ExportError(RFStudioError):
    """A module that torch cannot export; the text says why, in torch's or the module's words."""


@dataclass(frozen=True, slots=True)
class Source:
    """A graph of ATen operations, wherever it comes from.

    Attributes
    ----------
    nodes
        Its nodes in order, with the shapes of values as `torch.export` notes them.
    inputs
        Names of the placeholders that are given when it is called.
    parameters
        For each placeholder of a parameter its name in the state dict.
    given
        Returns the value of any other placeholder.
    compute
        Runs one operation on constants.
    parts
        Returns the tensors of the state dict that are named as parts of weights.
    """

    nodes: Sequence[fx.Node]
    inputs: frozenset[str]
    parameters: Mapping[str, str]
    given: Callable[[str], Any]
    compute: Callable[[fx.Node, tuple[Any, ...], dict[str, Any]], Any]
    parts: Callable[[], Mapping[str, Tensor]]


def word_of(node: fx.Node) -> tuple[str, bool]:
    """Return the name of an operation without overload, and whether it works in place."""
    target = node.target
    if isinstance(target, torch._ops.OpOverload):  # noqa: SLF001 - the type has no public name
        word = str(target._schema.name).partition("::")[2]  # noqa: SLF001 - it has no public name
        in_place = word.endswith("_") and not word.endswith("__")
        word = word[:-1] if in_place and word not in ("detach_",) else word
        return _ALIASES.get(word, word), in_place
    return getattr(target, "__name__", str(target)), False


def arguments_of(node: fx.Node) -> Mapping[str, Any]:
    """Return arguments by name, with those that have a default."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {**{str(i): x for i, x in enumerate(node.args)}, **node.kwargs}
    found: dict[str, Any] = {}
    for i, argument in enumerate(schema.arguments):
        if i < len(node.args):
            found[argument.name] = node.args[i]
        elif argument.name in node.kwargs:
            found[argument.name] = node.kwargs[argument.name]
        elif argument.has_default_value():
            found[argument.name] = argument.default_value
    if "input" in found:
        found.setdefault("self", found["input"])
    return found


def tensors_of(node: fx.Node) -> list[fx.Node]:
    """Return the values that an operation reads, in order, with repetitions."""
    found: list[fx.Node] = []

    def note(x: fx.Node) -> fx.Node:
        found.append(x)
        return x

    fx.node.map_arg(node.args, note)
    fx.node.map_arg(node.kwargs, note)
    return found
