"""A module of torch as records: exported once, with marks where calls of submodules end."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import Any

import torch
from torch import Tensor, fx, nn

from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.ops import Op
from rfstudio.engine.importing.aten_graph import ExportError, Source
from rfstudio.engine.importing.aten_records import records_of
from rfstudio.engine.importing.marks import marked
from rfstudio.engine.weights.parametrizations import part_of
from rfstudio.importing.records import Program


def exported(module: nn.Module, shape: Sequence[int], name: str = "") -> Program:
    """Return a module as records.

    Parameters
    ----------
    module
        Any module that takes one image (1, channels, *size).
    shape
        Shape of the image.
    name
        What the network is to be called; empty: the module's class.

    Raises
    ------
    ExportError
        If torch cannot export it.
    """
    program = _export(module, shape, name or type(module).__qualname__)
    silent = {path: _silent(part) for path, part in module.named_modules()}
    marks = {path: op for path, op in silent.items() if op is not None}
    return records_of(source_of(program), name or type(module).__name__, marks)


def _silent(part: nn.Module) -> Op | None:
    """Return the operation of a module that leaves nothing in the graph, if it has one."""
    if isinstance(part, nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d):
        return ops.Dropout(p=float(part.p))
    return None


def _export(module: nn.Module, shape: Sequence[int], name: str) -> torch.export.ExportedProgram:
    training = {x: x.training for x in module.modules()}
    like = next(iter(module.parameters()), torch.zeros(()))
    image = torch.zeros(tuple(shape), device=like.device, dtype=_real(like.dtype))
    try:
        module.eval()
        with torch.no_grad(), marked(module), _quiet(), _without_graph():
            return torch.export.export(module, (image,), strict=False)
    except RFStudioError:
        raise
    except Exception as error:
        raise ExportError(export_words(name, module, shape, error)) from error
    finally:
        for part, was in training.items():
            part.training = was


def _real(dtype: torch.dtype) -> torch.dtype:
    return dtype if dtype.is_floating_point else torch.float32


def export_words(name: str, module: nn.Module, shape: Sequence[int], error: Exception) -> str:
    """Return why a module cannot be exported for an image, in the words of what it raised."""
    size = "×".join(map(str, shape[2:]))
    first = str(error).strip().partition("\n")[0]
    hint = ""
    if "GuardOnDataDependent" in type(error).__name__ or "data-dependent" in str(error):
        hint = "; what it does depends on values: import a part of it, such as its backbone"
    elif len(shape) == 3 and any(isinstance(x, nn.Conv2d) for x in module.modules()):
        hint = "; an image has two numbers, its height and its width"
    elif any(n % 32 for n in shape[2:]):
        hint = "; try a size that is a multiple of 32"
    return f"{name} cannot be exported for an input of {size}: {first}{hint}"


@contextmanager
def _without_graph() -> Iterator[None]:
    """Leave out of standard error the graph so far, which torch prints there when it fails."""
    written = StringIO()
    graph: object = None
    try:
        with redirect_stderr(written):
            yield
    except Exception as error:
        graph = getattr(error, "partial_fx_graph", None)
        raise
    finally:
        rest = written.getvalue()
        rest = rest if graph is None else rest.replace(f"{graph}\n", "")
        if rest:
            sys.stderr.write(rest)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's warnings and logs, which are about its own internals."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def source_of(exported: torch.export.ExportedProgram) -> Source:
    """Return the graph of a program that torch exported in this process."""
    signature = exported.graph_signature

    def given(name: str) -> Tensor:
        for table in (signature.inputs_to_parameters, signature.inputs_to_buffers):
            if name in table:
                key, state = table[name], exported.state_dict
                value: Tensor = state[key] if key in state else exported.constants[key]
                return value.detach().clone() if value.numel() < 1 << 22 else value.detach()
        found: Tensor = exported.constants[signature.inputs_to_lifted_tensor_constants[name]]
        return found.clone()

    def compute(node: fx.Node, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return node.target(*arguments, **options)  # type: ignore[operator]  # it is a function

    return Source(
        _flat(exported.graph_module),
        frozenset(map(str, signature.user_inputs)),
        dict(signature.inputs_to_parameters),
        given,
        compute,
        lambda: {k: x.detach() for k, x in exported.state_dict.items() if part_of(k)},
    )


def _flat(module: fx.GraphModule) -> list[fx.Node]:
    """Return all nodes in order, those of regions (of autocast, without gradients) among them."""
    nodes = list(module.graph.nodes)
    if not any(x.op == "call_function" and _is_region(x) for x in nodes):
        return nodes
    graph = fx.Graph()
    taken: dict[fx.Node, Any] = {}
    _copy_into(graph, module, taken, None)
    return list(graph.nodes)


def _copy_into(
    graph: fx.Graph, module: fx.GraphModule, taken: dict[fx.Node, Any], given: Sequence[Any] | None
) -> Any:
    """Copy the nodes of a module; return what it returns."""
    inputs = iter(given or ())
    for node in module.graph.nodes:
        if node.op == "placeholder" and given is not None:
            taken[node] = next(inputs)
        elif node.op == "output" and given is not None:
            return fx.node.map_arg(node.args[0], taken.__getitem__)
        elif node.op == "get_attr" and isinstance(
            part := getattr(module, str(node.target), None), fx.GraphModule
        ):
            taken[node] = part
        elif node.op == "call_function" and _is_region(node):
            arguments = [taken[x] if isinstance(x, fx.Node) else x for x in node.args]
            at = next(i for i, x in enumerate(arguments) if isinstance(x, fx.GraphModule))
            taken[node] = _copy_into(graph, arguments[at], taken, arguments[at + 1 :])
        elif node.op == "call_function" and _is_item_of_region(node, taken):
            parent, which = node.args
            taken[node] = taken[parent][which]
        else:
            taken[node] = graph.node_copy(node, lambda x: taken[x])
    return None


def _is_region(node: fx.Node) -> bool:
    return str(getattr(node.target, "__name__", "")).startswith("wrap_with_")


def _is_item_of_region(node: fx.Node, taken: Mapping[fx.Node, Any]) -> bool:
    parent = node.args[0] if node.args else None
    return (
        getattr(node.target, "__name__", "") == "getitem"
        and isinstance(parent, fx.Node)
        and isinstance(taken.get(parent), tuple | list)
    )
