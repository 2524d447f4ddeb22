"""Names that files of weights have for the layers of a network, in place of their paths.

A network may say how the code that its weights come from calls its layers, by patterns of paths::

    layer{s}.rest.{n}: layer{s}.{n+1}

What is in braces stands for any name or part of one; in the name it may be a number with whom one
can count, as in ``{n+1}`` and ``{2n+1}``.  A pattern says how a path begins, and the rest of the
path follows unchanged; the first that fits is used.  A path with the name of one of the layer's
weights, such as ``tokens.position_embedding``, may be given a whole name as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeAlias

WeightNames: TypeAlias = tuple[tuple[str, str], ...]
"""Patterns of paths, each with the name that files have for what it fits, in their order."""

MAX_PATTERNS = 1000
MAX_LENGTH = 300

_VARIABLE = re.compile(r"\{([a-z]+)\}")
_TERM = re.compile(r"\{(\d{0,4})([a-z]+)(?:([+-])(\d{1,4}))?\}")


def pattern_fault(pattern: str, name: str) -> str:
    """Return what is wrong with a pattern of paths and the name for it; empty: nothing."""
    if max(len(pattern), len(name)) > MAX_LENGTH:
        return f"a pattern and a name have at most {MAX_LENGTH} characters"
    parts = pattern.split(".")
    variables = _VARIABLE.findall(pattern)
    if len(set(variables)) < len(variables):
        return "each part in braces needs a letter of its own, as in layer{s}.{n}"
    if not all(parts) or any(len(_VARIABLE.findall(x)) > 1 for x in parts):
        return "names between dots have characters, and at most one part in braces"
    if re.search("[{}]", _VARIABLE.sub("", pattern)):
        return "a part in braces is a word of small letters, as in layer{s}.{n}"
    if not all(name.split(".")):
        return "names between dots have characters"
    if re.search("[{}]", _TERM.sub("", name)):
        return "what is in braces is one of the pattern's, and may be counted with, as in {2n+1}"
    unknown = [x for _, x, _, _ in _TERM.findall(name) if x not in variables]
    return f"the pattern has no {{{unknown[0]}}}" if unknown else ""


def names_in_files(patterns: WeightNames, paths: Mapping[str, str]) -> dict[str, str]:
    """Return for each weight of a network the name that files have for it; {} if none is known.

    Parameters
    ----------
    patterns
        The names that the network knows.
    paths
        The path of the layer and the name there of each weight.
    """
    if not patterns:
        return {}
    rewriting = [_rewriting(*x) for x in patterns]
    found = {}
    for weight, path in paths.items():
        names = (rewrite(path) for rewrite in rewriting)
        found[weight] = next((x for x in names if x is not None), path)
    return found


@lru_cache(maxsize=1024)
def _rewriting(pattern: str, name: str) -> Callable[[str], str | None]:
    """Return what gives the name of a path that the pattern fits, or None."""
    counted = {x for factor, x, _, term in _TERM.findall(name) if factor or term}
    pieces = _VARIABLE.split(pattern)
    fitting = re.compile(
        "".join(
            (rf"(?P<{x}>\d{{1,6}})" if x in counted else rf"(?P<{x}>[^.]+)")
            if i % 2
            else re.escape(x)
            for i, x in enumerate(pieces)
        )
        + r"(?=\.|$)"
    )

    def rewrite(path: str) -> str | None:
        found = fitting.match(path)
        if found is None:
            return None

        def term(part: re.Match[str]) -> str:
            factor, variable, sign, added = part.groups()
            value = found[variable]
            if factor or added:
                return str(int(factor or 1) * int(value) + int(f"{sign or ''}{added or 0}"))
            return value

        return _TERM.sub(term, name) + path[found.end() :]

    return rewrite
