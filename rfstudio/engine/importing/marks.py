"""Marks in a graph where calls of submodules end, so that their outputs are known by path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook


def _copy(x: Tensor, path: str) -> Tensor:
    del path
    return x.clone()


# torch gives the functions of its libraries no types.
_LIBRARY: Any = torch.library.Library("rfstudio", "DEF")  # type: ignore[no-untyped-call]
_LIBRARY.define("mark(Tensor x, str path) -> Tensor")
_LIBRARY.impl("mark", _copy, "CompositeExplicitAutograd")


def _like(x: Tensor, path: str) -> Tensor:
    del path
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device)


torch.library.register_fake("rfstudio::mark", _like, lib=_LIBRARY)

MARK: Any = torch.ops.rfstudio.mark.default
"""The operation that leaves a mark; torch knows it only once this is imported."""


@contextmanager
def marked(module: nn.Module) -> Iterator[None]:
    """Have each call of a submodule leave a mark on its output while it is traced."""
    names: dict[int, str] = {}
    for path, part in module.named_modules():
        names.setdefault(id(part), path)

    def mark(part: nn.Module, _arguments: object, output: object) -> Any:
        path = names.get(id(part))
        return _with_mark(output, path) if path else None

    handle = register_module_forward_hook(mark)
    try:
        yield
    finally:
        handle.remove()


def _with_mark(output: Any, path: str) -> Any:
    """Return an output with its first tensor marked; None if it has none that can be."""
    if isinstance(output, Tensor):
        marked: Tensor = MARK(output, path)
        return marked
    if type(output) in (list, tuple):
        for i, x in enumerate(output):
            if isinstance(x, Tensor):
                return type(output)([*output[:i], _with_mark(x, path), *output[i + 1 :]])
    if isinstance(output, dict):
        for key, x in output.items():
            if isinstance(x, Tensor):
                result = output.copy()
                result[key] = _with_mark(x, path)
                return result
            break
    return None
