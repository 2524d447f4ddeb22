"""Writes a network as readable PyTorch source: one `nn.Module`, one line per operation."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Iterator

from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import FurtherInput, Split
from rfstudio.formats.pytorch.ops import Written, written, written_to_size
from rfstudio.formats.pytorch.parts import PARTS

# Names that `nn.Module` and the source itself use; a test compares them with the installed torch.
_RESERVED = frozenset(
    (
        *(
            "F",
            "T_destination",
            "add_module",
            "apply",
            "bfloat16",
            "buffers",
            "call_super_init",
            "children",
            "compile",
            "cpu",
        ),
        *(
            "cuda",
            "double",
            "dump_patches",
            "eval",
            "extra_repr",
            "float",
            "forward",
            "get_buffer",
            "get_extra_state",
        ),
        *(
            "get_parameter",
            "get_submodule",
            "half",
            "image",
            "ipu",
            "load_state_dict",
            "math",
            "modules",
            "mtia",
            "named_buffers",
        ),
        *(
            "named_children",
            "named_modules",
            "named_parameters",
            "nn",
            "parameters",
            "register_backward_hook",
        ),
        *("register_buffer", "register_forward_hook", "register_forward_pre_hook"),
        *("register_full_backward_hook", "register_full_backward_pre_hook"),
        *(
            "register_load_state_dict_post_hook",
            "register_load_state_dict_pre_hook",
            "register_module",
        ),
        *("register_parameter", "register_state_dict_post_hook", "register_state_dict_pre_hook"),
        *(
            "requires_grad_",
            "self",
            "set_extra_state",
            "set_submodule",
            "share_memory",
            "state_dict",
            "super",
            "to",
        ),
        *("to_empty", "torch", "train", "training", "type", "x", "xpu", "zero_grad"),
    )
)
_WIDTH = 100


def write_pytorch(architecture: Architecture) -> str:
    """Return the source of a network.

    The module takes images (N, C, ...) and returns the map of the last layer, or, if there are
    several layers that no other reads, all of their maps; a vector is a map of one position.
    Padding that depends on the input's size is written for the network's own input size.

    Raises
    ------
    RFStudioError
        If the network has faults, or an operation has no counterpart in PyTorch.
    """
    graph = expand(architecture)
    if graph.faults:
        raise RFStudioError(
            f"this network cannot be written as PyTorch source: {graph.faults[0].message}"
        )
    operations = {
        node.index: written(node, [graph.nodes[i] for i in node.inputs]) for node in graph.nodes[1:]
    }
    operations |= {index: written_to_size(graph.nodes[index]) for index in graph.sized_by}
    body = [*_class_lines(architecture, graph, operations)]
    parts = dict.fromkeys(x for operation in operations.values() for x in operation.parts)
    helpers = "".join(f"\n{PARTS[name]}" for name in parts)
    text = "\n".join(body)
    imports = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
    if "math." in helpers + text:
        imports = f"import math\n\n{imports}"
    head = "\n".join(_comment_lines(architecture))
    return f"{head}\n\n{imports}{helpers}\n\n{text}\n"


def _comment_lines(architecture: Architecture) -> Iterator[str]:
    size = " × ".join(map(str, architecture.input_size))
    yield from _wrapped(architecture.name)
    for text in (architecture.description, architecture.reference):
        yield from _wrapped(text)
    yield from _wrapped(f"Written by RF Studio for images of {size} pixels.")


def _wrapped(text: str) -> Iterator[str]:
    """Yield the lines of a comment; nothing in `text` can end it."""
    for line in text.splitlines():
        printable = "".join(c if c.isprintable() else " " for c in line)
        yield from (f"# {x}" for x in textwrap.wrap(printable, _WIDTH - 2))


def _class_lines(
    architecture: Architecture, graph: Graph, operations: dict[int, Written]
) -> Iterator[str]:
    names = _identifiers(graph)
    yield f"class {_class_name(architecture.name)}(nn.Module):"
    yield "    def __init__(self):"
    yield "        super().__init__()"
    for index, operation in operations.items():
        if operation.module and index not in graph.weights_of:
            yield f"        self.{names[index]} = {operation.module}"
    yield ""
    variables = _variables(graph, names, operations)
    further = [names[i] for i in range(len(names)) if _is_input(graph.nodes[i]) and i]
    yield f"    def forward({', '.join(['self', 'x', *further])}):"
    if variables[0] != "x":
        yield f"        {variables[0]} = x"
    for index, operation in operations.items():
        sources = [variables[i] for i in _variables_read(graph, index)]
        if _is_passed(graph.nodes[index], operation):
            continue
        owner = names[graph.weights_of.get(index, index)]
        call = operation.call.format(*sources, self=f"self.{owner}")
        if call != variables[index]:
            yield f"        {variables[index]} = {call}"
    yield f"        return {', '.join(variables[x] for x in _outputs(graph))}"


def _variables_read(graph: Graph, index: int) -> tuple[int, ...]:
    """Return the nodes that a line reads: those of its data, then that of its size, if any."""
    model = graph.sized_by.get(index)
    inputs = graph.nodes[index].inputs
    return inputs if model is None else (*inputs, model)


def _outputs(graph: Graph) -> tuple[int, ...]:
    """Return the nodes that no other reads; the last node is always one of them."""
    read = {x for node in graph.nodes if not _is_input(node) for x in node.inputs}
    last = len(graph.nodes) - 1
    inputs = {x.index for x in graph.nodes if _is_input(x)}
    return tuple(x for x in range(last + 1) if x == last or x not in inputs | read)


def _is_input(node: Node) -> bool:
    return node.op is None or isinstance(node.op, FurtherInput)


def _is_passed(node: Node, operation: Written) -> bool:
    """Whether a node is what it reads, of no interest to a reader of the source."""
    return _is_input(node) or (
        operation.call == "{0}" and (node.location is None or isinstance(node.op, Split))
    )


def _variables(graph: Graph, names: list[str], operations: dict[int, Written]) -> list[str]:
    """Return the variable of every node: `x`, unless it is used after the next node."""
    last = len(graph.nodes) - 1
    # For each node the one whose variable it has: its own, unless it is passed on as it is.
    held_by = list(range(last + 1))
    needed_until = list(range(last + 1))
    for node in graph.nodes:
        if _is_input(node):
            continue
        if _is_passed(node, operations[node.index]):
            held_by[node.index] = held_by[node.inputs[0]]
            continue
        for source in _variables_read(graph, node.index):
            needed_until[held_by[source]] = node.index
    for index in _outputs(graph):
        if index < last:
            needed_until[held_by[index]] = last + 1
    # For each node the next one that has a line.
    following = [last + 1] * (last + 1)
    for index in range(last, 0, -1):
        has_line = held_by[index] == index and not _is_input(graph.nodes[index])
        following[index - 1] = index if has_line else following[index]
    named = [
        "x" if until <= after and not isinstance(node.op, FurtherInput) else name
        for until, after, name, node in zip(
            needed_until, following, names, graph.nodes, strict=True
        )
    ]
    return [named[x] for x in held_by]


def _identifiers(graph: Graph) -> list[str]:
    """Return a unique Python name for every node, close to its path."""
    taken = set(_RESERVED)
    names = []
    for node in graph.nodes:
        base = "image_" if node.index == 0 else re.sub(r"\W", "_", node.name, flags=re.ASCII)
        if base[0].isdigit() or base.startswith("_"):
            base = f"layer{'' if base.startswith('_') else '_'}{base}"
        name = f"{base}_" if keyword.iskeyword(base) or base in taken else base
        number = 2
        while name in taken:
            name = f"{base}_{number}"
            number += 1
        taken.add(name)
        names.append(name)
    return names


def _class_name(title: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", title)
    name = "".join(x[0].upper() + x[1:] for x in words)
    if not name or name[0].isdigit() or name in {*PARTS, "F"} or keyword.iskeyword(name):
        return f"Network{name}"
    return name
