"""Paths of modules that ONNX files have in the names and metadata of their nodes."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from rfstudio.importing.records import Scope

_NAMES = "pkg.torch.onnx.name_scopes"
"""Metadata of torch's newer exporter: paths of the modules from the outside in, then the node."""

_MAX_TEXT = 4_000
_MAX_DEPTH = 30
_OTHER = re.compile(r"[^\w@+-]")


def scope_of(name: str, metadata: Mapping[str, str]) -> Scope:
    """Return the names of the modules that a node is in, from the outside in.

    Examples
    --------
    >>> scope_of("/layer1/layer1.0/conv1/Conv", {})
    ('layer1', '0', 'conv1')
    >>> scope_of("Conv_0", {})
    ()
    """
    text = metadata.get(_NAMES, "")
    if text:
        return _tidy(_relative(_texts(text)[:-1]))
    parts = name[:_MAX_TEXT].split("/")
    return _tidy(_relative([x for x in parts[:-1] if x]))


def _texts(text: str) -> list[str]:
    if len(text) > _MAX_TEXT:
        return []
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return []
    return [x for x in found if isinstance(x, str)] if isinstance(found, list) else []


def _relative(paths: Sequence[str]) -> list[str]:
    """Return paths of modules, each without the path of the one before, as lists of names."""
    found: list[str] = []
    before = ""
    for path in paths:
        if not path:
            continue
        own = path.removeprefix(before + ".") if before else path
        found += own.split(".")
        before = path
    return found


def _tidy(names: Sequence[str]) -> Scope:
    """Return names without characters that names of layers may not have."""
    found = tuple(_OTHER.sub("_", x)[:100] for x in names if x)
    return tuple("input_" if x == "input" else x for x in found) if len(found) < _MAX_DEPTH else ()


def without_common(scopes: Sequence[Scope]) -> int:
    """Return how many names all scopes of a graph begin with, which say nothing."""
    named = [x for x in scopes if x]
    if len(named) < 2:
        return 0
    first, last = min(named), max(named)
    count = 0
    while count < min(len(first), len(last)) - 1 and first[count] == last[count]:
        count += 1
    return count
