"""Writes an architecture file, format 1, in its one canonical form.

The keys have a fixed order, a layer takes one line, and values equal to the default are left out.
Reading gives an equal architecture; writing that again gives the same text.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

from rfstudio.core.errors import FormatError, RFStudioError, shown
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Item,
    Layer,
    Parallel,
    Repeat,
    Residual,
    Sequence,
)
from rfstudio.core.network.growth import scale_text
from rfstudio.core.network.physical import Axis
from rfstudio.core.ops import Custom, Op, words_of_source
from rfstudio.formats.networks.bounded_yaml import Problems, parse
from rfstudio.formats.networks.scalars import is_text_everywhere
from rfstudio.formats.networks.wording import parameters_by_word
from rfstudio.formats.networks.yaml_reader import FORMAT

_WIDTH = 100
# Unquoted only if no YAML reader can take it for anything else; flow style has more signs.
_PLAIN_IN_FLOW = re.compile(r"[^\W\d][\w./-]*( [\w./-]+)*")
_PLAIN_IN_BLOCK = re.compile(r"[^\W\d]([\w ,;.()/+='–:-]*[\w.);])?")
_PLAIN_PATH = re.compile(r"[^\W\d][\w.{}+-]*")
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def write_yaml(architecture: Architecture) -> str:
    """Return the file of a network.

    Raises
    ------
    RFStudioError
        If the network exceeds the format: too large, nested too deeply, or with a text that no file
        can hold.
    """
    lines = [
        f"format: {FORMAT}",
        *_text_lines("name", architecture.name),
        *(_text_lines("description", architecture.description) if architecture.description else ()),
        *(_text_lines("reference", architecture.reference) if architecture.reference else ()),
        *_input_lines(architecture),
        *_weight_lines(architecture),
        *_body_lines("layers", architecture.layers, 0),
    ]
    return _checked(lines)


def _input_lines(architecture: Architecture) -> Iterator[str]:
    first = _input(architecture.input_size, architecture.channels, architecture.input_axes)
    if not architecture.input_name:
        yield f"input: {first}"
        return
    yield "inputs:"
    yield f"  {_plain_or_quoted(architecture.input_name, _PLAIN_IN_FLOW)}: {first}"
    for x in architecture.further_inputs:
        yield f"  {_plain_or_quoted(x.name, _PLAIN_IN_FLOW)}: {_input(x.size, x.channels)}"


def _weight_lines(architecture: Architecture) -> Iterator[str]:
    if not architecture.weight_names:
        return
    yield "weight_names:"
    for pattern, name in architecture.weight_names:
        texts = [_plain_or_quoted(x, _PLAIN_PATH) for x in (pattern, name)]
        yield f"  {texts[0]}: {texts[1]}"


def _input(size: tuple[int, ...], channels: int, axes: tuple[Axis, ...] = ()) -> str:
    measured = f", axes: [{', '.join(map(_axis, axes))}]" if axes else ""
    return f"{{size: [{', '.join(map(str, size))}], channels: {channels}{measured}}}"


def _axis(axis: Axis) -> str:
    entries = {x.name: (getattr(axis, x.name), x.default) for x in fields(Axis)}
    given = [f"{key}: {_value(value)}" for key, (value, usual) in entries.items() if value != usual]
    return f"{{{', '.join(given)}}}"


def write_items(items: Iterable[Item]) -> str:
    """Return items as the text of a list, for a clipboard.

    Raises
    ------
    RFStudioError
        As `write_yaml`.
    """
    lines = list(_item_lines(tuple(items), 0))
    return _checked(lines or ["[]"])


def _checked(lines: list[str]) -> str:
    text = "\n".join(lines) + "\n"
    try:
        parse(text, Problems(""))
    except FormatError as error:
        first = error.problems[0]
        place = shown(lines[first.line - 1].strip()) if first.line <= len(lines) else "its end"
        raise RFStudioError(
            f"this network cannot be saved as a file: {first.message}, at {place}"
        ) from None
    return text


# --- items ---------------------------------------------------------------------------------------


def _body_lines(key: str, items: tuple[Item, ...], indent: int) -> Iterator[str]:
    """Yield the lines of a key whose value is a list of items."""
    if not items:
        yield f"{' ' * indent}{key}: []"
        return
    yield f"{' ' * indent}{key}:"
    yield from _item_lines(items, indent + 2)


def _item_lines(items: tuple[Item, ...], indent: int) -> Iterator[str]:
    for item in items:
        if isinstance(item, Layer):
            yield f"{' ' * indent}- {_layer(item)}"
        else:
            yield f"{' ' * indent}- {item.keyword}:"
            yield from _container_lines(item, indent + 4)


def _container_lines(item: Sequence | Residual | Parallel | Repeat, indent: int) -> Iterator[str]:
    pad = " " * indent
    if item.name:
        yield f"{pad}name: {_plain_or_quoted(item.name, _PLAIN_IN_FLOW)}"
    match item:
        case Sequence():
            yield from _body_lines("layers", item.layers, indent)
        case Residual():
            yield from _body_lines("layers", item.layers, indent)
            if item.shortcut:
                yield from _body_lines("shortcut", item.shortcut, indent)
        case Repeat():
            yield f"{pad}times: {item.times}"
            if item.scale:
                yield f"{pad}scale: {{{scale_text(item.scale)}}}"
            yield from _body_lines("layers", item.layers, indent)
        case Parallel():
            if item.merge != "concat":
                yield f"{pad}merge: {item.merge}"
            yield f"{pad}branches:" if item.branches else f"{pad}branches: []"
            for branch in item.branches:
                yield from _branch_lines(branch, indent + 2)


def _branch_lines(branch: Branch, indent: int) -> Iterator[str]:
    pad = " " * indent
    body = list(_body_lines("layers", branch.layers, indent + 2))
    if branch.name:
        yield f"{pad}- name: {_plain_or_quoted(branch.name, _PLAIN_IN_FLOW)}"
        yield from body
    else:
        yield f"{pad}- {body[0].strip()}"
        yield from body[1:]


def _layer(layer: Layer) -> str:
    entries = []
    if layer.name:
        entries.append(f"name: {_value(layer.name)}")
    if len(layer.inputs) == 1:
        entries.append(f"from: {_value(layer.inputs[0])}")
    elif layer.inputs:
        entries.append(f"from: {_value(layer.inputs)}")
    if layer.weights_of:
        entries.append(f"weights_of: {_value(layer.weights_of)}")
    entries.extend(f"{key}: {_value(value)}" for key, value in _given(layer.op))
    keyword = layer.op.keyword
    return f"{keyword}: {{{', '.join(entries)}}}" if entries else keyword


def _given(op: Op) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of an operation that are not at their default."""
    for key, parameter in parameters_by_word(type(op)).items():
        value = getattr(op, parameter.name)
        if parameter.required or value != parameter.default:
            yield key, value


# --- values --------------------------------------------------------------------------------------


def _value(value: Any) -> str:
    """Return a value in flow style."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return _plain_or_quoted(value, _PLAIN_IN_FLOW)
    if isinstance(value, Custom):
        entries = [f"{key}: {_value(x)}" for key, x in words_of_source(value).items()]
        return f"{{{', '.join(entries)}}}"
    return f"[{', '.join(map(_value, value))}]"


def _float(value: float) -> str:
    """Return a number with a point, since YAML 1.1 reads 1e-5 as a text."""
    text = repr(value)
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else text


def _plain_or_quoted(text: str, plain: re.Pattern[str]) -> str:
    is_plain = plain.fullmatch(text) and ": " not in text and " #" not in text
    if is_plain and text.isprintable() and is_text_everywhere(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _text_lines(key: str, text: str) -> Iterator[str]:
    """Yield the lines of a text about the network, as a block if it is long."""
    if _is_block(text):
        keep = "|" if text.endswith("\n") else "|-"
        yield f"{key}: {keep}"
        yield from (f"  {line}" if line else "" for line in text.removesuffix("\n").split("\n"))
    elif len(text) > _WIDTH - len(key) - 4 and _is_foldable(text):
        yield f"{key}: >-"
        width = _WIDTH - 2
        lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
        yield from (f"  {line}" for line in lines)
    else:
        yield f"{key}: {_plain_or_quoted(text, _PLAIN_IN_BLOCK)}"


def _is_block(text: str) -> bool:
    lines = text.removesuffix("\n").split("\n")
    return (
        "\n" in text
        and all(x.isprintable() and x == x.rstrip() for x in lines)
        and bool(lines[0])
        and not lines[0].startswith(" ")
        and bool(lines[-1])
    )


def _is_foldable(text: str) -> bool:
    return text.isprintable() and " ".join(text.split(" ")) == " ".join(text.split())
