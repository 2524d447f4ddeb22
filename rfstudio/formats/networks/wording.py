"""Wording of problems: short renderings of values, and the nearest known word for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from rfstudio.core.ops import Parameter, parameters
from rfstudio.formats.networks.bounded_yaml import Listing, Node, Scalar

_MAX_SHOWN = 60
_MAX_ENTRIES = 6


def parameters_by_word(op_type: Any) -> dict[str, Parameter]:
    """Return the parameters of a type of operation by their keys in a file, in its order."""
    return {x.word: x for x in parameters(op_type)}


def rendered(node: Node) -> str:
    """Return a value as it is written in the file, in one short line."""
    return short(_flow(node, 2))


def short(text: str) -> str:
    """Return `text`, shortened if it would fill the line of a message."""
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


def nearest(word: str, candidates: Iterable[str]) -> str:
    """Return the candidate for which `word` is most likely a typing error, or an empty text."""
    return _nearest(word[:_MAX_SHOWN], tuple(candidates))


def suggestion(word: str, candidates: Iterable[str]) -> str:
    """Return "; did you mean …?" with the nearest candidate, or an empty text."""
    near = nearest(word, candidates)
    return f"; did you mean '{near}'?" if near else ""


@lru_cache(maxsize=256)
def _nearest(word: str, candidates: tuple[str, ...]) -> str:
    folded = {x.lower(): x for x in candidates}
    plain = word.lower().replace("-", "_").replace(" ", "_")
    close = get_close_matches(plain, folded, n=1, cutoff=0.6)
    if close:
        return folded[close[0]]
    # "maxpool2d" for "max_pool", "Conv2d" for "conv": words of torch.nn.
    bare = plain.replace("_", "").removesuffix("1d").removesuffix("2d").removesuffix("3d")
    return next((x for x in candidates if x.replace("_", "") == bare), "")


def _flow(node: Node, depth: int) -> str:
    if isinstance(node, Scalar):
        if isinstance(node.value, str):
            return repr(short(node.value))
        return node.text or "null"
    if isinstance(node, Listing):
        if depth == 0:
            return "[…]"
        entries = [_flow(x, depth - 1) for x in node.items[:_MAX_ENTRIES]]
        if len(node.items) > _MAX_ENTRIES:
            entries.append("…")
        return f"[{', '.join(entries)}]"
    return "a mapping"
