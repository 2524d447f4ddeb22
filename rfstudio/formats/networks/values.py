"""Checks the values of names and parameters in a file, and describes what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rfstudio.core.network.architecture import INPUT
from rfstudio.core.ops import LIMIT, Kind, Parameter, fault
from rfstudio.formats.networks.bounded_yaml import Listing, Mapping, Node, Scalar
from rfstudio.formats.networks.scalars import remark, resolved
from rfstudio.formats.networks.wording import rendered, short, suggestion

_PER_AXIS = (Kind.SIZES, Kind.KEPT_SIZES, Kind.PADDING, Kind.SCALES, Kind.FLAGS)
_FINITE = (Kind.BOOLEAN, Kind.FLAGS, Kind.CHOICE)
_WORDS_OF_KIND = {Kind.PADDING: ("same", "same_lower", "valid"), Kind.GROUPS: ("depthwise",)}


def value_fault(parameter: Parameter, node: Node, axes: int | None) -> str:
    """Return what is wrong with the value of a parameter, or an empty text.

    Parameters
    ----------
    parameter
        The parameter of an operation.
    node
        Its value in the file.
    axes
        Number of spatial axes of the network; None if it is not known.
    """
    word = parameter.word
    value = plain(node)
    expected = fault(parameter, value)
    if expected:
        # A value of the wrong kind needs no range; one of the right kind needs only that.
        if expected.startswith(parameter.kind.value):
            expected = parameter.kind.value
        return f"{word} must be {expected}, not {rendered(node)}{_advice(parameter, node)}"
    if parameter.kind not in _PER_AXIS or not isinstance(value, list):
        return ""
    if axes is None or len(value) == axes:
        return ""
    number = f"{axes} axis" if axes == 1 else f"{axes} axes"
    return f"{word} has {_entries(len(value))}, but the network has {number}"


def name_fault(node: Node) -> str:
    """Return what is wrong with the name of an item, or an empty text."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return f"name must be a text, not {described(node)}{quotes((node,))}"
    if node.value == INPUT:
        return "name must not be 'input'; that is the network's input"
    if "." in node.value:
        return f"name must have no dot, not {rendered(node)}; dots join the names of a path"
    if not node.value:
        return "name must not be empty; leave it out"
    return ""


def plain(node: Node) -> Any:
    """Return what a node holds."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Listing):
        return [plain(x) for x in node.items]
    return {key.text: plain(value) for key, value in node.entries}


def described(node: Node) -> str:
    """Return a description of a node in the file that is not a value."""
    if isinstance(node, Mapping):
        return "an empty mapping" if not node.entries else "a mapping"
    if isinstance(node, Listing):
        return "a list"
    return "nothing" if node.value is None else rendered(node)


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def quotes(nodes: Iterable[Node]) -> str:
    """Return the remedy for a text that reads as a number, a truth value or null."""
    scalars = [x for x in nodes if isinstance(x, Scalar) and not isinstance(x.value, str)]
    return f"; put it in quotes: '{short(scalars[0].text)}'" if scalars and scalars[0].text else ""


def _advice(parameter: Parameter, node: Node) -> str:
    """Return the remedy for a value that does not fit, if there is an obvious one."""
    if parameter.kind in (Kind.TEXT, Kind.LAYER):
        return quotes((node,))
    if parameter.kind not in _FINITE and _is_too_large(node):
        return "; the number is too large"
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return ""
    words = parameter.choices or _WORDS_OF_KIND.get(parameter.kind, ())
    near = suggestion(node.value, words)
    if near or parameter.kind in (Kind.BOOLEAN, Kind.FLAGS):
        return near
    return advice_for_number(node)


def _is_too_large(node: Node) -> bool:
    """Whether a number, or one of a list, is beyond what any size or factor may be."""
    if isinstance(node, Listing):
        return any(map(_is_too_large, node.items))
    value = node.value if isinstance(node, Scalar) else None
    return isinstance(value, int | float) and abs(value) >= LIMIT


def advice_for_number(node: Node) -> str:
    """Return the remedy for a text in the place of a number, if there is one."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return ""
    if not isinstance(resolved(node.text), str):
        return "; write it without quotes"
    hint = remark(node.text)
    return f"; {hint}" if hint else ""
