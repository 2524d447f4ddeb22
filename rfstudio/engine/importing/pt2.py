"""Exported programs (``.pt2``) as networks: their graphs are translated as those of modules are.

The JSON of a file becomes the nodes that `torch.export` would make, without running any of them.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError, shown
from rfstudio.core.ops import Op
from rfstudio.engine.importing.aten_graph import Source
from rfstudio.engine.importing.aten_records import records_of
from rfstudio.engine.importing.constants import MAX_VALUES, Unknown, computed
from rfstudio.engine.importing.marks import MARK
from rfstudio.engine.weights.parametrizations import part_of
from rfstudio.engine.weights.pt2_archive import DTYPES, Archive, ArchiveError
from rfstudio.engine.weights.reading import read_weights
from rfstudio.importing.imported import Imported
from rfstudio.importing.report import Remark, Report
from rfstudio.importing.tree import network_of

MAX_NODES = 50_000
"""Operations of a program; the largest networks have some thousands."""

_MAX_VALUES = 2**36
_MAX_DEPTH = 16
_MAX_TEXT = 2_000

_TARGET = re.compile(r"torch\.ops\.(\w+)\.(\w+)\.(\w+)")
_CALLED = re.compile(r"(?:torch\.ops\.\w+\.)?(\w+)")

_ARITHMETIC: Mapping[str, Callable[..., int]] = {
    "Add": lambda *x: sum(x),
    "Mul": lambda *x: math.prod(x),
    "Mod": operator.mod,
    "PythonMod": operator.mod,
    "FloorDiv": operator.floordiv,
    "CleanDiv": operator.floordiv,
    "Max": max,
    "Min": min,
}
_SIGNS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def load_pt2(path: Path) -> Imported:
    """Return an exported program as a network.

    Raises
    ------
    ArchiveError
        If the file cannot be read, or is not of one image.
    """
    try:
        archive = Archive(path)
        found = _Building(archive).imported()
    except ArchiveError as error:
        raise ArchiveError(f"{_said(path)} cannot be read: {error}") from None
    except RFStudioError:
        raise
    except OSError as error:
        raise ArchiveError(f"{_said(path)} cannot be read: {error.strerror}") from error
    # A damaged file can break any assumption about it.
    except Exception as error:
        kind = type(error).__name__
        raise ArchiveError(
            f"{_said(path)} is damaged or not an exported program "
            f"({kind}: {shown(str(error), 200)}); save it again with torch.export.save"
        ) from error
    if archive.has_weights:
        return replace(found, state=partial(read_weights, path.absolute()))
    remark = Remark(
        "dropped",
        "",
        "the numbers of its weights are not in the file in a form that is read: it is measured "
        "with random weights, or with those of another file",
    )
    report = Report((remark, *found.report.remarks), found.report.layers)
    return replace(found, report=report)


def _said(path: Path) -> str:
    return shown(str(path), 200)


class _Call(NamedTuple):
    """One module that an operation lies in: the call's own key, the path, and the class."""

    key: str
    path: str
    kind: str


class _Building:
    """Makes the nodes of a program.

    Parameters
    ----------
    archive
        The file.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._program = archive.graph["graph_module"]
        self._graph = fx.Graph()
        self._symbols: dict[str, int] = {}
        self._count = 0
        self._names: dict[str, str] = {}
        self._marks: dict[str, Op] = {}
        self._kind = "program"

    def imported(self) -> Imported:
        """Return the network."""
        graph = self._program["graph"]
        specs = self._program["signature"]["input_specs"]
        inputs, parameters = self._inputs(graph, specs)
        body = _Body(self, graph, inputs, 0)
        outputs = body.run()
        self._graph.output(tuple(outputs))
        nodes = list(self._graph.nodes)
        user = {
            inputs[x["user_input"]["arg"]["as_tensor"]["name"]].name
            for x in specs
            if "as_tensor" in x.get("user_input", {}).get("arg", {})
        }
        source = Source(nodes, frozenset(user), parameters, self._given, computed, self._parts)
        return network_of(records_of(source, self._kind, self._marks))

    def _parts(self) -> dict[str, Tensor]:
        archive = self._archive
        return {name: archive.tensor(name) for name in archive.names if part_of(name)}

    def _inputs(
        self, graph: Mapping[str, Any], specs: Sequence[Mapping[str, Any]]
    ) -> tuple[dict[str, fx.Node], dict[str, str]]:
        """Make the nodes of all inputs; the first one of the user is the image."""
        image = next(
            (
                x["user_input"]["arg"]["as_tensor"]["name"]
                for x in specs
                if "as_tensor" in x.get("user_input", {}).get("arg", {})
            ),
            None,
        )
        if image is None:
            raise ArchiveError("the program takes no image")
        self._note_symbols(graph["tensor_values"][image]["sizes"])
        nodes: dict[str, fx.Node] = {}
        parameters = {}
        for spec in specs:
            ((kind, facts),) = spec.items()
            argument = facts.get("arg") or {}
            argument = argument.get("as_tensor", argument)
            name = argument.get("name")
            if not isinstance(name, str) or name not in graph["tensor_values"]:
                continue
            node = self.node("placeholder", "", (), {})
            node.target = node.name
            node.meta["val"] = self.tensor(graph["tensor_values"][name])
            nodes[name] = node
            if kind == "parameter":
                parameters[node.name] = str(facts["parameter_name"])
            key = next((v for k, v in facts.items() if k.endswith("_name")), None)
            self._names[node.name] = str(key)
        shape = nodes[image].meta["val"].shape
        if not 3 <= len(shape) <= 5:
            raise ArchiveError(
                f"its first input has the shape {list(shape)}, which is no image (1, channels, …)"
            )
        if shape[0] != 1:
            raise ArchiveError(
                f"it was exported for {shape[0]} images at once; export it for one, or with a "
                "dynamic batch size"
            )
        return nodes, parameters

    def _note_symbols(self, sizes: Sequence[Mapping[str, Any]]) -> None:
        """Give symbols of the image's shape a number: one image, at the size of the example."""
        for i, size in enumerate(sizes):
            if "as_expr" not in size:
                continue
            text = _expression(size["as_expr"])
            symbol = _symbol(text)
            hint = size["as_expr"].get("hint") or {}
            number = 1 if i == 0 else hint.get("as_int")
            if symbol and type(number) is int:
                self._symbols.setdefault(symbol, number)

    def _given(self, name: str) -> Any:
        name = self._names[name]
        if name not in self._archive.names or self._archive.values_of(name) > MAX_VALUES:
            return Unknown()
        return self._archive.tensor(name)

    def node(
        self, op: str, target: Any, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> fx.Node:
        """Add a node; names of the file are not taken over."""
        self._count += 1
        if self._count > MAX_NODES:
            raise ArchiveError(f"it has more than {MAX_NODES:,} operations")
        return self._graph.create_node(op, target, arguments, options, f"value_{self._count}")

    def tensor(self, facts: Mapping[str, Any]) -> Tensor:
        """Return a tensor without numbers that has the shape and type that a file tells."""
        sizes = [self.size(x) for x in facts["sizes"]]
        if math.prod(max(n, 1) for n in sizes) > _MAX_VALUES or len(sizes) > 32:
            raise ArchiveError(f"a value of the shape {sizes[:8]} is too large")
        return torch.empty(sizes, dtype=DTYPES[facts["dtype"]], device="meta")

    def size(self, value: Mapping[str, Any]) -> int:
        """Return a size, which may be arithmetic with symbols; it is not evaluated by Python."""
        if "as_int" in value:
            number = value["as_int"]
        else:
            text = _expression(value["as_expr"])
            number = _Arithmetic(self._symbols, value["as_expr"].get("hint")).value(text)
        if type(number) is not int or not 0 <= number < 2**40:
            raise ArchiveError("it has a size that is no whole number")
        return number

    def note(self, call: _Call, word: str, arguments: Mapping[str, Any]) -> None:
        """Remember what the calls of an operation tell about their modules."""
        if call.path == "" and call.kind:
            self._kind = shown(call.kind.rpartition(".")[2], 100)
        if word == "dropout" and call.kind.startswith("torch.nn.modules.dropout."):
            self._marks[call.path] = ops.Dropout(p=float(arguments.get("p", 0.5)))


class _Body:
    """The operations of a graph, or of a region in it.

    Parameters
    ----------
    building
        The program.
    graph
        JSON of the graph.
    values
        The nodes of its inputs.
    depth
        How many regions it lies in.
    """

    def __init__(
        self, building: _Building, graph: Mapping[str, Any], values: dict[str, fx.Node], depth: int
    ) -> None:
        if depth > _MAX_DEPTH:
            raise ArchiveError(f"its regions are nested more than {_MAX_DEPTH} deep")
        self._building = building
        self._program = graph
        self._values = values
        self._depth = depth
        self._stack: tuple[_Call, ...] = ()
        self._last: dict[str, int] = {}
        self._made: list[list[str]] = []

    def run(self) -> list[Any]:
        """Make all nodes; return the values of the outputs."""
        nodes = self._program["nodes"]
        for i, node in enumerate(nodes):
            for name in _read(node["inputs"]):
                self._last[name] = i
        for name in _read(self._program["outputs"]):
            self._last[name] = len(nodes)
        for i, node in enumerate(nodes):
            stack = _calls(str(node["metadata"].get("nn_module_stack", "")))
            self._leave(stack, i)
            self._call(node, stack)
        self._leave((), len(nodes))
        return [self._argument(x) for x in self._program["outputs"] if "as_tensor" in x]

    # --- calls of modules ------------------------------------------------------------------------

    def _leave(self, stack: tuple[_Call, ...], now: int) -> None:
        """Mark the outputs of modules whose calls have ended: what is read after them."""
        shared = 0
        for a, b in zip(self._stack, stack, strict=False):
            if a.key != b.key:
                break
            shared += 1
        while len(self._made) > shared:
            made = self._made.pop()
            call = self._stack[len(self._made)]
            output = next((x for x in reversed(made) if self._last.get(x, -1) >= now), None)
            if output is not None and call.path:
                self._mark(output, len(self._made))
            if self._made:
                self._made[-1] += made
        self._made += [[] for _ in range(len(stack) - len(self._made))]
        self._stack = stack

    def _mark(self, name: str, place: int) -> None:
        value = self._values[name]
        path = self._stack[place].path
        node = self._building.node("call_function", MARK, (value, path), {})
        node.meta["val"] = value.meta["val"]
        node.meta["nn_module_stack"] = _stack(self._stack[: place + 1])
        self._values[name] = node

    # --- operations ------------------------------------------------------------------------------

    def _call(self, node: Mapping[str, Any], stack: tuple[_Call, ...]) -> None:
        if any("as_graph" in x["arg"] for x in node["inputs"]):
            self._region(node)
            return
        outputs = [_tensors_of(x) for x in node["outputs"]]
        if not any(outputs):
            return  # a size, whose number is in a table, or an assertion
        target = _target(str(node["target"]))
        given = [(str(x["name"]), self._argument(x["arg"])) for x in node["inputs"]]
        for call in (*stack[:1], *stack[-1:]):
            self._building.note(call, _word_of(node), dict(given))
        arguments, options = _placed(target, given)
        made = self._building.node("call_function", target, arguments, options)
        made.meta["nn_module_stack"] = _stack(stack)
        is_one = len(outputs) == 1 and "as_tensor" in node["outputs"][0]
        names = [name for part in outputs for name in part]
        values = [self._building.tensor(self._program["tensor_values"][x]) for x in names]
        made.meta["val"] = values[0] if is_one else values
        if is_one:
            self._enter(names[0], made)
            return
        for i, name in enumerate(names):
            if name not in self._last:
                continue  # such as the statistics beside a norm
            part = self._building.node("call_function", operator.getitem, (made, i), {})
            part.meta["val"] = values[i]
            part.meta["nn_module_stack"] = _stack(stack)
            self._enter(name, part)

    def _enter(self, name: str, node: fx.Node) -> None:
        self._values[name] = node
        if self._made:
            self._made[-1].append(name)

    def _region(self, node: Mapping[str, Any]) -> None:
        """Take over the operations of a region (of autocast, without gradients)."""
        inputs = [x["arg"] for x in node["inputs"]]
        at = next(i for i, x in enumerate(inputs) if "as_graph" in x)
        if not _word_of(node).startswith("wrap_with_"):
            raise ArchiveError(f"it chooses between graphs by '{shown(_word_of(node))}'")
        graph = inputs[at]["as_graph"]["graph"]
        given = [self._argument(x) for x in inputs[at + 1 :]]
        names = [x["as_tensor"]["name"] for x in graph["inputs"]]
        values = dict(zip(names, given, strict=True))
        results = _Body(self._building, graph, values, self._depth + 1).run()
        made = [name for x in node["outputs"] for name in _tensors_of(x)]
        for name, value in zip(made, results, strict=True):
            self._enter(name, value)

    def _argument(self, value: Mapping[str, Any]) -> Any:
        """Return an argument; numbers are numbers, tensors nodes, the rest is left out."""
        ((kind, content),) = value.items()
        if kind.endswith("s") and kind[:-1] in _ARGUMENTS:
            return [_ARGUMENTS[kind[:-1]](self, x) for x in content]
        return _ARGUMENTS[kind](self, content) if kind in _ARGUMENTS else None

    def value(self, name: str) -> fx.Node:
        """Return the node of a value."""
        return self._values[name]

    def symbolic(self, value: Mapping[str, Any]) -> int:
        """Return a number that may be a symbol."""
        if "as_int" in value:
            return int(_plain(self, value["as_int"]))
        return self._building.size(self._program["sym_int_values"][value["as_name"]])


def _plain(_body: _Body, value: object) -> Any:
    if not isinstance(value, int | str | bool):
        raise ArchiveError("an argument is of another kind than it says")
    return value


_ARGUMENTS: Mapping[str, Callable[[_Body, Any], Any]] = {
    "as_tensor": lambda body, x: body.value(x["name"]),
    "as_optional_tensor": lambda body, x: (
        body.value(x["as_tensor"]["name"]) if "as_tensor" in x else None
    ),
    "as_int": _plain,
    "as_bool": _plain,
    "as_string": _plain,
    "as_float": lambda _body, x: float(x),
    "as_sym_int": lambda body, x: body.symbolic(x),
    "as_scalar_type": lambda _body, x: DTYPES.get(x),
}
"""How arguments of each kind are read; those of lists have an s at the end of the kind."""


def _tensors_of(value: Mapping[str, Any]) -> list[str]:
    """Return the names of the tensors of an output or argument."""
    ((kind, content),) = value.items()
    if kind == "as_tensor":
        return [str(content["name"])]
    if kind == "as_tensors":
        return [str(x["name"]) for x in content]
    if kind in ("as_optional_tensors", "as_optional_tensor"):
        parts = content if isinstance(content, list) else [content]
        return [name for x in parts for name in _tensors_of(x)]
    return []


def _read(values: Sequence[Mapping[str, Any]]) -> list[str]:
    return [name for x in values for name in _tensors_of(x.get("arg", x))]


def _calls(text: str) -> tuple[_Call, ...]:
    """Return the modules of an operation, from the outside in."""
    parts = [x.split(",", 2) for x in text.split(";")]
    return tuple(
        _Call(*x) for x in parts if len(x) == 3 and not x[0].startswith("_empty_nn_module")
    )


def _stack(calls: Sequence[_Call]) -> dict[str, tuple[str, str]]:
    return {x.key: (x.path, x.kind) for x in calls}


def _word_of(node: Mapping[str, Any]) -> str:
    found = _CALLED.match(str(node["target"]))
    return found[1] if found else "an operation"


def _target(text: str) -> Any:
    """Return an operation of ATen by its name; of others only the name, so they are unknown."""
    found = _TARGET.fullmatch(text)
    if found and found[1] == "aten":
        packet = getattr(torch.ops.aten, found[2], None)
        overload = getattr(packet, found[3], None)
        if isinstance(overload, torch._ops.OpOverload):  # noqa: SLF001 - the type has no public name
            return overload
    word = (found[2] if found else text.rpartition(".")[2]) or "unknown"

    def stand_in(*_arguments: object, **_options: object) -> None: ...

    stand_in.__name__ = shown(word, 60)
    return stand_in


def _placed(
    target: Any, given: Sequence[tuple[str, Any]]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments by place as far as none is left out, and the others by name."""
    schema = getattr(target, "_schema", None)
    named = dict(given)
    if schema is None:
        return tuple(x for _, x in given), {k: x for k, x in given if k}
    known = {x.name: x for x in schema.arguments}
    arguments = []
    for name, argument in known.items():
        if name not in named or argument.kwarg_only:
            break
        arguments.append(named.pop(name))
    return tuple(arguments), {name: x for name, x in named.items() if name in known}


# --- sizes ---------------------------------------------------------------------------------------


def _expression(value: Mapping[str, Any]) -> ast.expr:
    """Return the tree of an arithmetic expression; nothing is evaluated."""
    text = value["expr_str"]
    if not isinstance(text, str) or len(text) > _MAX_TEXT:
        raise ArchiveError("a size is an expression that is too long")
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ArchiveError(f"a size is '{shown(text)}', which is no arithmetic") from None


def _symbol(tree: ast.expr) -> str:
    """Return the name of a symbol, if an expression is nothing else."""
    match tree:
        case ast.Name(id=name):
            return name
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))]):
            return name
    return ""


class _Arithmetic:
    """Works out sizes from symbols.

    Parameters
    ----------
    symbols
        Their numbers.
    hint
        What the file says that the whole expression was for the example.
    """

    def __init__(self, symbols: Mapping[str, int], hint: Any) -> None:
        self._symbols = symbols
        self._hint = hint.get("as_int") if isinstance(hint, dict) else None

    def value(self, tree: ast.expr) -> int | None:
        """Return the number.

        Raises
        ------
        ArchiveError
            If it is no arithmetic.
        """
        found = self._of(tree)
        if found is None and type(self._hint) is int:
            return self._hint
        if found is None:
            raise ArchiveError("a size depends on values; export the program with fixed sizes")
        return found

    def _of(self, tree: ast.expr) -> int | None:
        if name := _symbol(tree):
            return self._symbols.get(name)
        match tree:
            case ast.Constant(value=int(number)) if not isinstance(number, bool):
                return number
            case ast.Call(func=ast.Name(id="Integer"), args=[inner]):
                return self._of(inner)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                found = self._of(inner)
                return None if found is None else -found
            case ast.BinOp(op=sign, left=a, right=b) if type(sign) in _SIGNS:
                return self._applied(_SIGNS[type(sign)], [a, b])
            case ast.Call(func=ast.Name(id=name), args=parts) if name in _ARITHMETIC:
                return self._applied(_ARITHMETIC[name], parts)
        text = ast.unparse(tree)
        raise ArchiveError(f"a size is '{shown(text)}', which is no arithmetic and is not run")

    def _applied(self, function: Callable[..., int], parts: Sequence[ast.expr]) -> int | None:
        numbers = [self._of(x) for x in parts]
        known = [x for x in numbers if x is not None]
        if len(known) < len(numbers):
            return None
        found = function(*known)
        if abs(found) > 2**60:
            raise ArchiveError("a size is too large")
        return found
