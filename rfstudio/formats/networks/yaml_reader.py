"""Reads an architecture file, format 1, and reports every problem with its line and column."""

from __future__ import annotations

from typing import Any

from rfstudio.core.network.architecture import INPUT, Architecture, Input, Item
from rfstudio.core.network.physical import Axis
from rfstudio.core.network.weight_names import MAX_PATTERNS, WeightNames, pattern_fault
from rfstudio.formats.networks.bounded_yaml import Listing, Mapping, Node, Problems, Scalar, parse
from rfstudio.formats.networks.graph_problems import add_graph_problems
from rfstudio.formats.networks.item_reader import ItemReader
from rfstudio.formats.networks.values import advice_for_number, name_fault
from rfstudio.formats.networks.wording import rendered, short, suggestion

FORMAT = 1
"""The version of the format that is read and written."""

CLIPBOARD = "<clipboard>"

_KEYS = ("format", "name", "description", "reference", "input", "inputs", "weight_names", "layers")
_TEXTS = ("name", "description", "reference")
_INPUT_KEYS = ("size", "channels", "axes")
_AXIS_KEYS = ("name", "unit", "spacing", "window")
_MAX_AXES = 3
_MOST_INPUTS = 64
_MAX_INTEGER = 2**31 - 1


def read_yaml(data: str | bytes, path: str = "<text>") -> Architecture:
    """Return the network that an architecture file describes.

    Parameters
    ----------
    data
        The file's content; it may come from anywhere.
    path
        The file's name, for the problems.

    Raises
    ------
    FormatError
        With all problems of the file, in reading order; no other error is raised.
    """
    architecture, reader, problems = _read(data, path)
    add_graph_problems(architecture, reader, problems)
    problems.raise_if_any()
    return architecture


def read_draft(data: str | bytes, path: str = "<text>") -> Architecture:
    """Return a network whose layers need not fit together, such as one that is being edited.

    Like `read_yaml`, but names, shapes and numbers of layers are not checked.

    Raises
    ------
    FormatError
        If the text itself is not in the format.
    """
    architecture, _, problems = _read(data, path)
    problems.raise_if_any()
    return architecture


def read_items(data: str | bytes, axes: int | None = None) -> tuple[Item, ...]:
    """Return the items of a list of layers, such as a clipboard holds.

    Parameters
    ----------
    data
        The text of the list.
    axes
        Number of spatial axes that sizes must have; None if that does not matter.

    Raises
    ------
    FormatError
        With all problems of the text; whether names and shapes fit is not checked.
    """
    problems = Problems(CLIPBOARD)
    node = parse(data, problems)
    items = ItemReader(problems, axes).items(node)
    problems.raise_if_any()
    return items


def network_of(root: Node, problems: Problems) -> Architecture:
    """Return the network that a node of some file describes, as `read_yaml` does that of a file.

    What is wrong with it is added to `problems`; the network that is returned then means nothing.
    """
    architecture, reader = _network(root, problems)
    add_graph_problems(architecture, reader, problems)
    return architecture


def _read(data: str | bytes, path: str) -> tuple[Architecture, ItemReader, Problems]:
    problems = Problems(path)
    return *_network(parse(data, problems), problems), problems


def _network(root: Node, problems: Problems) -> tuple[Architecture, ItemReader]:
    fields = _top_level(root, problems)
    texts = {key: _text(fields[key], key, problems) for key in _TEXTS if key in fields}
    size: tuple[int, ...] = ()
    channels = 1
    name, further = "", tuple[Input, ...]()
    if "input" in fields:
        size, channels = _input(fields["input"], problems)
    elif "inputs" in fields:
        found = _inputs(fields["inputs"], problems)
        if found:
            (name, size, channels), *others = found
            further = tuple([Input(*x) for x in others])
    axes = _axes_of_first(fields, len(size), problems)
    reader = ItemReader(problems, len(size) or None)
    layers = reader.items(fields["layers"]) if "layers" in fields else ()
    architecture = Architecture(
        **texts,
        input_size=size,
        channels=channels,
        layers=layers,
        input_name=name,
        further_inputs=further,
        input_axes=axes,
        weight_names=_weight_names(fields["weight_names"], problems)
        if "weight_names" in fields
        else (),
    )
    return architecture, reader


# --- the head of the file ------------------------------------------------------------------------


def _top_level(root: Node, problems: Problems) -> dict[str, Node]:
    if not isinstance(root, Mapping):
        expected = "a network must be a mapping that starts with format: 1"
        raise problems.stop(root.mark, f"{expected}, not {rendered(root)}")
    fields = {key.text: node for key, node in root.entries}
    if "format" in fields:
        _check_format(fields["format"], problems)
    for key, _ in root.entries:
        if key.text not in _KEYS:
            near = suggestion(key.text, _KEYS) or f"; it has {', '.join(_KEYS)}"
            problems.add(key.mark, f"a network has no '{short(key.text)}'{near}")
    for required, example in (
        ("format", "format: 1"),
        ("input", "input: {size: [224, 224], channels: 3}"),
        ("layers", "layers: []"),
    ):
        if required not in fields and not (required == "input" and "inputs" in fields):
            problems.add(root.mark, f"{required} is missing; write {example}")
    if "input" in fields and "inputs" in fields:
        problems.add(fields["inputs"].mark, "a network has either input or inputs, not both")
    return fields


def _check_format(node: Node, problems: Problems) -> None:
    value = node.value if isinstance(node, Scalar) else None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        problems.add(node.mark, f"format must be {FORMAT}, not {rendered(node)}")
    elif value > FORMAT:
        raise problems.stop(
            node.mark,
            f"the file has format {value}, which is newer than this program reads ({FORMAT});"
            " update RF Studio",
        )


def _text(node: Node, key: str, problems: Problems) -> str:
    if isinstance(node, Scalar):
        if isinstance(node.value, str):
            return node.value
        if node.value is None:
            return ""
    quotes = f"; put it in quotes: '{short(node.text)}'" if isinstance(node, Scalar) else ""
    problems.add(node.mark, f"{key} must be a text, not {rendered(node)}{quotes}")
    return ""


def _inputs(node: Node, problems: Problems) -> list[tuple[str, tuple[int, ...], int]]:
    """Return the name, the size and the channels of each of several inputs."""
    if not isinstance(node, Mapping) or not node.entries:
        expected = "inputs must be names, each with {size: [224, 224], channels: 3}"
        problems.add(node.mark, f"{expected}, not {rendered(node)}")
        return []
    if len(node.entries) > _MOST_INPUTS:
        problems.add(node.mark, f"a network has at most {_MOST_INPUTS} inputs")
        return []
    found: list[tuple[str, tuple[int, ...], int]] = []
    for key, value in node.entries:
        # A name of an input follows the rules of a name of a layer, but may be "input".
        message = "" if key.text == INPUT and not found else name_fault(key)
        if message:
            problems.add(key.mark, message)
        size, channels = _input(value, problems)
        if found and size and found[0][1] and len(size) != len(found[0][1]):
            problems.add(value.mark, "all inputs of a network have the same number of axes")
            size = found[0][1]
        found.append((key.text, size or (found[0][1] if found else ()), channels))
    return found


def _input(node: Node, problems: Problems) -> tuple[tuple[int, ...], int]:
    if not isinstance(node, Mapping):
        expected = "input must be a mapping, as in {size: [224, 224], channels: 3}"
        problems.add(node.mark, f"{expected}, not {rendered(node)}")
        return (), 1
    fields = {key.text: value for key, value in node.entries}
    for key, _ in node.entries:
        if key.text not in _INPUT_KEYS:
            near = suggestion(key.text, _INPUT_KEYS) or f"; it has {', '.join(_INPUT_KEYS)}"
            problems.add(key.mark, f"input has no '{short(key.text)}'{near}")
    for required in ("size", "channels"):
        if required not in fields:
            problems.add(node.mark, f"input needs {required}")
    size = _size(fields["size"], problems) if "size" in fields else ()
    channels = 1
    if "channels" in fields:
        channels = _positive(fields["channels"])
        if not channels:
            _note_number(fields["channels"], "channels", problems)
    return size, channels or 1


def _axes_of_first(fields: dict[str, Node], count: int, problems: Problems) -> tuple[Axis, ...]:
    """Return what the axes of the first input measure."""
    node = fields.get("input")
    if node is None:
        inputs = fields.get("inputs")
        if not isinstance(inputs, Mapping) or not inputs.entries:
            return ()
        (_, node), *others = inputs.entries
        for _, other in others:
            for key, _ in other.entries if isinstance(other, Mapping) else ():
                if key.text == "axes":
                    problems.add(key.mark, "only the first input has axes")
    entries = node.entries if isinstance(node, Mapping) else ()
    given = next((value for key, value in entries if key.text == "axes"), None)
    if given is None:
        return ()
    if not isinstance(given, Listing) or (count and len(given.items) != count):
        expected = "axes must be a list with {name, unit, spacing, window} for each axis"
        problems.add(given.mark, f"{expected}, not {rendered(given)}")
        return ()
    return tuple([_axis(x, problems) for x in given.items])


def _axis(node: Node, problems: Problems) -> Axis:
    if not isinstance(node, Mapping):
        expected = "an axis must be a mapping, as in {name: time, unit: ms, spacing: 20}"
        problems.add(node.mark, f"{expected}, not {rendered(node)}")
        return Axis()
    found: dict[str, Any] = {}
    for key, value in node.entries:
        content = value.value if isinstance(value, Scalar) else None
        if key.text not in _AXIS_KEYS:
            near = suggestion(key.text, _AXIS_KEYS) or f"; it has {', '.join(_AXIS_KEYS)}"
            problems.add(key.mark, f"an axis has no '{short(key.text)}'{near}")
        elif key.text in ("name", "unit"):
            found[key.text] = _text(value, key.text, problems)
        elif isinstance(content, int | float) and not isinstance(content, bool):
            if 0 < content < _MAX_INTEGER:
                found[key.text] = content
            else:
                problems.add(value.mark, f"{key.text} must be above 0, and below 2^31")
        else:
            problems.add(value.mark, f"{key.text} must be a number, not {rendered(value)}")
    return Axis(**found)


def _weight_names(node: Node, problems: Problems) -> WeightNames:
    """Return the names that files of weights have for layers, by patterns of paths."""
    if not isinstance(node, Mapping):
        expected = "weight_names must be paths of layers, each with its name in files of weights"
        problems.add(node.mark, f"{expected}, not {rendered(node)}")
        return ()
    if len(node.entries) > MAX_PATTERNS:
        problems.add(node.mark, f"weight_names has at most {MAX_PATTERNS} entries")
        return ()
    found = []
    for key, value in node.entries:
        name = _text(value, f"the name of {short(key.text)}", problems)
        if not name and isinstance(value, Scalar) and value.value is None:
            problems.add(value.mark, f"{short(key.text)} has no name")
        elif name and (message := pattern_fault(key.text, name)):
            problems.add(key.mark, f"{short(key.text)}: {message}")
        elif name:
            found.append((key.text, name))
    return tuple(found)


def _size(node: Node, problems: Problems) -> tuple[int, ...]:
    if isinstance(node, Listing) and 1 <= len(node.items) <= _MAX_AXES:
        sizes = tuple(_positive(x) for x in node.items)
        for entry, size in zip(node.items, sizes, strict=True):
            if not size:
                _note_number(entry, "size", problems)
        # The number of axes is known even if an entry is wrong.
        return tuple(x or 1 for x in sizes)
    expected = "size must be a list of one to three whole numbers, as in [224, 224]"
    problems.add(node.mark, f"{expected}, not {rendered(node)}")
    return ()


def _positive(node: Node) -> int:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MAX_INTEGER:
        return value
    return 0


def _note_number(node: Node, key: str, problems: Problems) -> None:
    expected = f"{key} must be a whole number from 1 to {_MAX_INTEGER}"
    problems.add(node.mark, f"{expected}, not {rendered(node)}{advice_for_number(node)}")
