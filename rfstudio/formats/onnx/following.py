"""Follows the image through an ONNX graph: constants are worked out, the rest becomes records."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import shown
from rfstudio.formats.onnx.folding import folded
from rfstudio.formats.onnx.model_file import Model, OnnxError, attributes_of
from rfstudio.formats.onnx.op_names import RULES
from rfstudio.formats.onnx.op_rules import Call, Shape, Step, Steps
from rfstudio.formats.onnx.scopes import scope_of, without_common
from rfstudio.formats.onnx.shapes import Shapes
from rfstudio.formats.onnx.tensors import (
    FLOATS,
    Array,
    Constant,
    TensorError,
    declared,
    value_of,
)
from rfstudio.importing.records import Record, Scope
from rfstudio.importing.report import Remark

MAX_NODES = 50_000
"""Operations of a graph, those of its functions and branches included."""

_TOO_MANY = f"it has more than {MAX_NODES:,} operations"

_MAX_DEPTH = 16
_MAX_FOLDED = 1 << 26
"""Values of all constants that are worked out, together."""

_MAX_CHAIN = 64
"""Operations by which a class token or an embedding is made of a learned tensor."""

_STANDARD = ("", "ai.onnx")

_LEARNED: Mapping[str, Mapping[int, str]] = {
    "Conv": {1: "weight", 2: "bias"},
    "ConvTranspose": {1: "weight", 2: "bias"},
    "DeformConv": {1: "weight", 3: "bias"},
    "Gemm": {1: "weight", 2: "bias"},
    "MatMul": {1: "weight"},
    "PRelu": {1: "weight"},
    "Mul": {0: "scale", 1: "scale"},
    "BatchNormalization": {1: "weight", 2: "bias", 3: "running_mean", 4: "running_var"},
    "LayerNormalization": {1: "weight", 2: "bias"},
    "InstanceNormalization": {1: "weight", 2: "bias"},
    "GroupNormalization": {1: "weight", 2: "bias"},
}
"""What the inputs of operations are called as tensors of a layer; files may call them anything."""

Names = MutableMapping[str, str]
"""For each name in a graph the name of its value in the whole file."""


class Following:
    """Turns nodes into records.

    Parameters
    ----------
    model
        The file.

    Attributes
    ----------
    records
        The records.
    constants
        Values that do not depend on the image.
    shapes
        Shapes of values that do, and the numbers of their types of elements.
    remarks
        What was left out.
    tensors
        Learned tensors of layers by the names that records have for them: which constant each is,
        and whether that is a matrix with the inputs as rows.
    """

    def __init__(self, model: Model) -> None:
        self.records: list[Record] = []
        self.constants: dict[str, Constant] = {}
        self.shapes: dict[str, tuple[Shape, int]] = {}
        self.remarks: list[Remark] = []
        self.tensors: dict[str, tuple[str, bool]] = {}
        self._model = model
        self._infer = Shapes(model)
        self._unknown: set[str] = set()
        self._learned: dict[str, tuple[tuple[str, ...], int]] = {}
        self._worked_out: dict[str, tuple[str, list[str], dict[str, Any], int]] = {}
        self._marked: set[str] = set()
        self._slices: dict[str, tuple[str, int, int, int]] = {}
        self._read: Counter[str] = Counter()  # how often, as names are in their graphs
        self._products: dict[str, int] = {}
        self._count = self._folded = self._names = 0
        self._common = 0
        self._versions = model.versions

    # --- graphs ----------------------------------------------------------------------------------

    def run(self, names: Names) -> None:
        """Follow the graph of the file; `names` holds its inputs."""
        graph = self._model.graph
        self._count_nodes(graph.node)
        self._read.update(str(x.name) for x in graph.output)
        plain = [x for x in graph.node if not str(x.name).startswith("/")]
        self._common = without_common([_scope(x) for x in plain])
        self._body(graph, names, {}, 0)
        for x in graph.output:
            name = names.get(str(x.name))
            if name in self.shapes:
                self._mark(name)
            else:
                word = shown(str(x.name), 60)
                self.remarks.append(Remark("dropped", "", f"the output '{word}' is not imported"))

    def _count_nodes(self, nodes: Sequence[Any]) -> None:
        """Refuse a graph that is too large before it is followed, which takes longest for those."""
        functions = self._model.functions
        called = (functions.get((str(x.domain), str(x.op_type))) for x in nodes)
        sizes = (1 if x is None else max(len(x.node), 1) for x in called)
        if sum(sizes) > MAX_NODES:
            raise OnnxError(_TOO_MANY)

    def add_constant(self, name: str, constant: Constant) -> None:
        """Add a value that does not depend on the image."""
        self.constants[name] = constant

    def _body(self, graph: Any, names: Names, outer: Mapping[str, Any], depth: int) -> None:
        """Follow all nodes of a graph."""
        if depth > _MAX_DEPTH:
            raise OnnxError(f"its functions and branches are nested more than {_MAX_DEPTH} deep")
        for proto in graph.initializer:
            try:
                constant = declared(proto)
            except TensorError as error:
                raise OnnxError(f"'{shown(str(proto.name))}' {error}") from None
            name = self._new(names, str(proto.name))
            self.constants[name] = constant
            count = prod(constant.shape)
            if constant.kind in FLOATS and count > 1:
                self._learned[name] = ((str(proto.name),), count)
        for node in graph.node:
            self._read.update(map(str, node.input))
        for node in in_order(graph.node, names):
            self._node(node, names, outer, depth)

    def _new(self, names: Names, local: str) -> str:
        """Return a name in the whole file for a name of a graph."""
        name = local
        if name in self.constants or name in self.shapes or name in self._unknown or not name:
            self._names += 1
            name = f"{local}~{self._names}"
        names[local] = name
        return name

    def _node(self, node: Any, names: Names, outer: Mapping[str, Any], depth: int) -> None:
        self._count += 1
        if self._count > MAX_NODES:
            raise OnnxError(_TOO_MANY)
        inputs = []
        for x in map(str, node.input):
            if x and x not in names:
                raise OnnxError(
                    f"'{shown(str(node.name) or str(node.op_type))}' reads "
                    f"'{shown(x)}', which nothing makes"
                )
            inputs.append(names[x] if x else "")
        attributes = attributes_of(node, outer, self._model.folder)
        function = self._model.functions.get((str(node.domain), str(node.op_type)))
        if function is not None:
            self._function(node, function, inputs, attributes, names, depth)
        elif node.op_type == "If" and node.domain in _STANDARD:
            self._branch(node, inputs, attributes, names, depth)
        else:
            self._operation(node, inputs, attributes, names)

    def _function(
        self,
        node: Any,
        function: Any,
        inputs: Sequence[str],
        attributes: Mapping[str, Any],
        names: Names,
        depth: int,
    ) -> None:
        """Follow the nodes of a function of the file in place of its call."""
        if depth >= _MAX_DEPTH:
            raise OnnxError(f"its functions call each other more than {_MAX_DEPTH} deep")
        given = dict(attributes)
        for x in function.attribute_proto:
            given.setdefault(
                str(x.name), attributes_of(_OneAttribute(x), {}, self._model.folder)[x.name]
            )
        inner: Names = dict(zip(map(str, function.input), inputs, strict=False))
        for node_inside in function.node:
            self._read.update(map(str, node_inside.input))
        for node_inside in in_order(function.node, inner):
            self._node(node_inside, inner, given, depth + 1)
        self._hand_over(function.output, inner, node.output, names)

    def _branch(
        self,
        node: Any,
        inputs: Sequence[str],
        attributes: Mapping[str, Any],
        names: Names,
        depth: int,
    ) -> None:
        """Follow the branch of a condition that is constant."""
        constant = self.constants.get(inputs[0]) if inputs else None
        value = None if constant is None else value_of(constant, self._model.folder)
        if constant is None:
            self._drop(node, [], names, "which branch is taken depends on the image")
            return
        if value is None or value.size != 1:
            # It depends on another input, such as the sampling rate of sound.
            text = "which branch is taken is not known; the first one is shown"
            self.remarks.append(Remark("guessed", ".".join(_scope(node)), text))
            value = np.array([True])
        graph = attributes["then_branch" if bool(value.reshape(-1)[0]) else "else_branch"]
        inner: Names = ChainMap({}, names)
        self._body(graph, inner, {}, depth + 1)
        self._hand_over([x.name for x in graph.output], inner, node.output, names)

    def _hand_over(
        self, inside: Sequence[Any], inner: Names, outside: Sequence[Any], names: Names
    ) -> None:
        """Give results of a graph the names that they have around it."""
        for x, y in zip(map(str, inside), map(str, outside), strict=False):
            if x not in inner:
                raise OnnxError(f"nothing makes the result '{shown(x)}'")
            names[y] = inner[x]

    # --- nodes -----------------------------------------------------------------------------------

    def _operation(
        self, node: Any, inputs: list[str], attributes: dict[str, Any], names: Names
    ) -> None:
        op = str(node.op_type)
        present = [x for x in inputs if x]
        if any(x in self._unknown for x in present):
            self._drop(node, present, names, "")
            return
        if all(x in self.constants for x in present):
            self._constant(node, inputs, attributes, names)
            return
        if op in ("Shape", "Size") and present[0] in self.shapes:
            shape = self.shapes[present[0]][0]
            end = attributes.get("end")
            value: Array = np.array(shape[attributes.get("start", 0) : end], np.int64)
            if op == "Size":
                value = np.array(prod(shape), np.int64)
            self.constants[self._new(names, str(node.output[0]))] = _known(value)
            return
        outs = self._infer.of(node, inputs, self.constants, self.shapes, attributes)
        if outs is None or not outs or outs[0] is None:
            self._drop(node, present, names, "the size of its result depends on values")
            return
        self._data(node, inputs, attributes, names, outs)

    def _constant(
        self, node: Any, inputs: list[str], attributes: dict[str, Any], names: Names
    ) -> None:
        """Work out an operation on constants, or note only which shape it has."""
        op = str(node.op_type)
        if op == "Constant":
            value = _of_constant(attributes)
            if value is None:
                self._drop(node, [], names, "")
                return
            found = value if isinstance(value, Constant) else _known(np.asarray(value))
            self.constants[self._new(names, str(node.output[0]))] = found
            return
        folder = self._model.folder
        values = [value_of(self.constants[x], folder) if x else None for x in inputs]
        known = all(v is not None or not x for v, x in zip(values, inputs, strict=True))
        results = None
        options = {**attributes, "outputs": len(node.output)}
        if known and self._folded < _MAX_FOLDED:
            results = folded(op, values, options)
        if results is not None:
            self._folded += sum(x.size for x in results)
        learned = [self._learned[x] for x in dict.fromkeys(inputs) if x in self._learned]
        outs: Sequence[tuple[Shape, int] | None] = ()
        if results is None:
            outs = self._infer.of(node, inputs, self.constants, self.shapes, attributes) or ()
        for i, output in enumerate(map(str, node.output)):
            name = self._new(names, output)
            if results is not None and i < len(results):
                self.constants[name] = _known(results[i])
                self._worked_out[name] = op, inputs, options, i
            elif i < len(outs) and (shape := outs[i]) is not None:
                self.constants[name] = Constant(*shape)
            else:
                self._unknown.add(name)
                continue
            if learned:
                self._learned[name] = (
                    tuple(y for x, _ in learned for y in x),
                    sum(n for _, n in learned),
                )

    def _data(
        self,
        node: Any,
        inputs: list[str],
        attributes: Mapping[str, Any],
        names: Names,
        outs: Sequence[tuple[Shape, int] | None],
    ) -> None:
        op = str(node.op_type)
        wanted = [x for x in outs if x is not None]
        call = self._call(node, inputs, attributes, [x for x, _ in wanted])
        found: Steps | list[Steps] = [Step("unknown", call.out)]
        rule = RULES.get(op) if node.domain in _STANDARD else None
        if rule is not None:
            # A file may give any operation anything.
            try:
                found = rule(call)
            except Exception:  # noqa: BLE001 - then it is assumed to read all
                found = [Step("unknown", call.out)]
        each: list[Steps] = (
            found if found and isinstance(found[0], list) else [found]  # type: ignore[list-item]
        )
        if op == "Concat" and (roll := self._as_roll(inputs, call)) is not None:
            inputs, each = [roll[0]], [[roll[1]]]
        scope = _scope(node)[self._common if not str(node.name).startswith("/") else 0 :]
        for i, output in enumerate(map(str, node.output)):
            if not output:
                continue
            name = self._new(names, output)
            shape = outs[i] if i < len(outs) else None
            if shape is None:
                self._unknown.add(name)
                continue
            if i >= len(each) and output not in self._read:
                self._unknown.add(name)
                continue
            steps = each[i] if i < len(each) else [Step("unknown", shape[0])]
            if op == "Add" and self._is_bias(node, inputs, name, scope):
                self.shapes[name] = shape
                continue
            made = len(self.records)
            self._emit(steps, name, inputs, scope, op)
            self._name_learned(made, op, name, inputs, attributes)
            if op == "MatMul" and [x.kind for x in self.records[made:]] == ["linear"]:
                self._products[name] = made
            if op in ("Add", "Concat"):
                self._name_added(made, inputs)
            self.shapes[name] = shape

    def _name_learned(
        self,
        made: int,
        op: str,
        output: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Any],
    ) -> None:
        """Call the learned tensors of the records from a number on as layers call them."""
        found = []
        if op == "Mul" and not any(x.weights for x in self.records[made:]):
            return  # by a number that is not learned
        turned = op == "MatMul" or (op == "Gemm" and not attributes.get("transB", 0))
        for place, word in _LEARNED.get(op, {}).items():
            constant = self.constants.get(inputs[place]) if place < len(inputs) else None
            if constant is None or constant.kind not in FLOATS:
                continue
            name = f"{output}.{word}"
            self.tensors[name] = inputs[place], turned and word == "weight"
            found.append(name)
        for i in range(made, len(self.records)):
            if self.records[i].weights and found:
                self.records[i] = replace(self.records[i], weights=tuple(found))

    def _call(
        self, node: Any, inputs: list[str], attributes: Mapping[str, Any], outs: list[Shape]
    ) -> Call:
        folder = self._model.folder
        return Call(
            str(node.op_type),
            self._versions.get(str(node.domain), self._versions[""]),
            tuple(self.shape_of(x) if x else None for x in inputs),
            tuple(outs),
            attributes,
            tuple(
                value_of(self.constants[x], folder) if x in self.constants else None for x in inputs
            ),
            tuple(x in self.constants for x in inputs),
        )

    def shape_of(self, name: str) -> Shape:
        """Return the shape of a value."""
        if name in self.shapes:
            return self.shapes[name][0]
        return self.constants[name].shape

    def _emit(self, steps: Steps, name: str, inputs: Sequence[str], scope: Scope, op: str) -> None:
        """Add the records of steps after one another; the last one makes the value."""
        before = ""
        for k, step in enumerate(steps):
            reads = range(len(inputs)) if step.reads is None else step.reads
            sources = [inputs[i] for i in reads if i < len(inputs) and inputs[i]]
            if before:
                sources = [before, *(x for x in sources[1:] if x in self.constants)]
            output = name if k == len(steps) - 1 else f"{name}>{k}"
            learned = [self._learned[x] for x in dict.fromkeys(sources) if x in self._learned]
            self.records.append(
                Record(
                    step.kind,
                    output,
                    tuple(step.shape),
                    tuple(sources),
                    step.options,
                    scope,
                    op,
                    tuple(y for x, _ in learned for y in x),
                    sum(n for _, n in learned),
                )
            )
            before = output
        first = steps[0]
        if len(steps) == 1 and first.kind == "slice" and first.options["step"] == 1:
            start, dim = first.options["start"], first.options["dim"]
            if not first.options.get("select"):
                self._slices[name] = inputs[0], dim, start, first.shape[dim]

    def _as_roll(self, inputs: Sequence[str], call: Call) -> tuple[str, Step] | None:
        """Return a concatenation as a roll of one value, if it is of that value's two parts."""
        parts = [self._slices[x] for x in inputs if x in self._slices]
        if len(parts) != 2 or len(inputs) != 2:
            return None
        (source, dim, start, count), (other, also, first, rest) = parts
        whole = first == 0 and rest == start and start + count == self.shape_of(source)[dim]
        if (
            source != other
            or dim != also
            or not whole
            or dim != call.get("axis", 0) % len(call.out)
        ):
            return None
        return source, Step("roll", call.out, {"dims": [dim], "shifts": [-start]})

    def _drop(self, node: Any, inputs: Sequence[str], names: Names, why: str) -> None:
        """Leave a node out, and whatever reads it; what it reads is still shown."""
        for x in inputs:
            if x in self.shapes:
                self._mark(x)
        if why:
            place = ".".join(_scope(node))
            op = shown(str(node.op_type), 60)
            self.remarks.append(Remark("dropped", place, f"'{op}' is not imported: {why}"))
        for output in map(str, node.output):
            self._unknown.add(self._new(names, output))

    def _mark(self, name: str) -> None:
        """Have a value be a layer that stays, although nothing that is imported reads it."""
        if name not in self._marked:
            self._marked.add(name)
            shape = self.shapes[name][0]
            self.records.append(Record("mark", f"{name}>shown", shape, (name,), {}, (), "output"))

    def _is_bias(self, node: Any, inputs: Sequence[str], name: str, scope: Scope) -> bool:
        """Make a learned shift the bias of the matrix before it, which nothing else reads."""
        pairs = [
            (x, y) for x, y in zip(inputs, reversed(inputs), strict=True) if x in self._learned
        ]
        if len(inputs) != 2 or len(pairs) != 1:
            return False
        ((constant, product),) = pairs
        made = self._products.get(product)
        local = str(node.input[inputs.index(product)])
        if made is None or self._read[local] != 1:
            return False
        record, (_, count) = self.records[made], self._learned[constant]
        if record.scope != scope or not prod(self.shape_of(constant)) == count == record.shape[-1]:
            return False
        bias = f"{name}.bias"
        self.tensors[bias] = constant, False
        self.records[made] = replace(
            record,
            output=name,
            sources=(*record.sources, constant),
            options={**record.options, "bias": True},
            weights=(*record.weights, bias),
            parameters=record.parameters + count,
        )
        return True

    def _name_added(self, made: int, inputs: Sequence[str]) -> None:
        """Let learned tensors that are added or put before a value be found as the file has them.

        They are class tokens and embeddings of positions; a layer has them by the file's own name.
        """
        names = {y for x in self.records[made:] for y in x.weights}
        for constant in self._sources_of(inputs):
            for name in names & {*self._learned[constant][0]}:
                self.tensors.setdefault(name, (constant, False))

    def _sources_of(self, inputs: Sequence[str]) -> Iterator[str]:
        """Yield the learned tensors of the file from which some constants were worked out."""
        left, seen = [x for x in inputs if x in self._learned], 0
        while left and seen < _MAX_CHAIN:
            name, seen = left.pop(), seen + 1
            if name in self._worked_out:
                left += [x for x in self._worked_out[name][1] if x in self._learned]
            else:
                yield name

    # --- for the tracker -------------------------------------------------------------------------

    def value(self, name: str) -> Array | None:
        """Return the numbers of a constant, if they are known."""
        constant = self.constants.get(name)
        return None if constant is None else value_of(constant, self._model.folder)

    def value_with(self, name: str, given: Mapping[str, NDArray[np.float64]]) -> Array | None:
        """Return a constant as if learned tensors had other values; None if it cannot be known."""
        try:
            return self._value_with(name, given, {})
        except Exception:  # noqa: BLE001 - a file may give any operation anything
            return None

    def _value_with(
        self, name: str, given: Mapping[str, NDArray[np.float64]], known: dict[str, Array | None]
    ) -> Array | None:
        if name in known:
            return known[name]
        names, _ = self._learned.get(name, ((), 0))
        if not given.keys() & set(names):
            return self.value(name)
        if len(known) >= _MAX_CHAIN:
            return None
        known[name] = None
        if name not in self._worked_out:
            known[name] = given[names[0]].reshape(self.constants[name].shape)
            return known[name]
        op, inputs, options, place = self._worked_out[name]
        values = [self._value_with(x, given, known) if x else None for x in inputs]
        if all(v is not None or not x for v, x in zip(values, inputs, strict=True)):
            results = folded(op, values, options)
            known[name] = None if results is None else results[place]
        return known[name]


class _OneAttribute:
    """A node with one attribute, as the default of a function's."""

    def __init__(self, attribute: Any) -> None:
        self.attribute = [attribute]


def _known(value: Array) -> Constant:
    kinds = {
        "float32": 1,
        "uint8": 2,
        "int8": 3,
        "uint16": 4,
        "int16": 5,
        "int32": 6,
        "int64": 7,
        "bool": 9,
        "float16": 10,
        "float64": 11,
        "uint32": 12,
        "uint64": 13,
    }
    return Constant(value.shape, kinds.get(value.dtype.name, 0), None, value)


def _of_constant(attributes: Mapping[str, Any]) -> Any:
    """Return the value of a node that is a constant."""
    for name, dtype in (
        ("value", None),
        ("value_int", np.int64),
        ("value_ints", np.int64),
        ("value_float", np.float32),
        ("value_floats", np.float32),
    ):
        if name in attributes:
            value = attributes[name]
            return value if dtype is None else np.array(value, dtype)
    return None


def _scope(node: Any) -> Scope:
    metadata = {str(x.key): str(x.value) for x in getattr(node, "metadata_props", ())}
    return scope_of(str(node.name), metadata)


def in_order(nodes: Sequence[Any], known: Mapping[str, str]) -> Iterator[Any]:
    """Yield nodes so that each comes after those that it reads, as they should be in a file.

    Raises
    ------
    OnnxError
        If they read each other in a circle.
    """
    made = {str(y) for x in nodes for y in x.output if y}
    done: set[str] = set()
    waiting: dict[str, list[int]] = {}
    missing: list[int] = []
    count = 0
    for i, node in enumerate(nodes):
        lacks = {x for x in map(str, node.input) if x in made and x not in done and x not in known}
        missing.append(len(lacks))
        for x in lacks:
            waiting.setdefault(x, []).append(i)
        ready = [] if lacks else [i]
        while ready:
            at = ready.pop()
            count += 1
            yield nodes[at]
            for output in map(str, nodes[at].output):
                if output in done:
                    continue
                done.add(output)
                for other in waiting.pop(output, ()):
                    missing[other] -= 1
                    if not missing[other]:
                        ready.append(other)
    if count < len(nodes):
        raise OnnxError("its operations read each other in a circle")
