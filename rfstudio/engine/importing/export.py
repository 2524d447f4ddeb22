"""A module of torch as records: exported once, with marks where calls of submodules end."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.ops import Op
from rfstudio.engine.importing.aten import RULES
from rfstudio.engine.importing.aten_rules import Call, shape_of
from rfstudio.engine.importing.marks import marked
from rfstudio.engine.importing.resampling import at_grid
from rfstudio.engine.weights.parametrizations import folded, part_of, weight_of
from rfstudio.importing.records import Program, Record, Scope

_MAX_CONSTANT = 1 << 26
"""Largest constant, in values, that is worked out: masks and indices are far smaller."""

_OVERWRITE = ("copy", "fill", "zero")
"""Operations that write over what was there, without reading it."""

_MOST_KEPT = 1 << 14
"""Values of the largest constant that is kept for others: all weights are as large as the model."""

_OF_NUMPY = (torch.float16, torch.float32, torch.float64)
"""Types of real numbers that numpy has, too."""

_STEPS = 32
"""Rounding errors, relative to a whole weight, up to which it counts as the same."""

_ALIASES = {"divide": "div", "true_divide": "div", "multiply": "mul", "subtract": "sub"}
"""Operations that have two names."""

_PARTS = ("getitem", "slice", "narrow", "select")
"""Operations that take a part of a tensor, or one of its parts after a split."""


class ExportError(RFStudioError):
    """A module that torch cannot export; the text says why, in torch's or the module's words."""


@dataclass(frozen=True, slots=True)
class Source:
    """A graph of ATen operations, wherever it comes from.

    Attributes
    ----------
    nodes
        Its nodes in order, with the shapes of values as `torch.export` notes them.
    inputs
        Names of the placeholders that are given when it is called.
    parameters
        For each placeholder of a parameter its name in the state dict.
    given
        Returns the value of any other placeholder.
    compute
        Runs one operation on constants.
    parts
        Returns the tensors of the state dict that are named as parts of weights.
    """

    nodes: Sequence[fx.Node]
    inputs: frozenset[str]
    parameters: Mapping[str, str]
    given: Callable[[str], Any]
    compute: Callable[[fx.Node, tuple[Any, ...], dict[str, Any]], Any]
    parts: Callable[[], Mapping[str, Tensor]]


def records_of(source: Source, name: str, marks: Mapping[str, Op]) -> Program:
    """Return a graph as records.

    Parameters
    ----------
    source
        The graph.
    name
        What the network is to be called.
    marks
        Operations of modules, by path, that leave nothing in the graph but a mark.

    Raises
    ------
    ExportError
        If it takes no image.
    """
    return _Reader(source, name, marks).program()


def source_of(exported: torch.export.ExportedProgram) -> Source:
    """Return the graph of a program that torch exported in this process."""
    signature = exported.graph_signature

    def given(name: str) -> Tensor:
        for table in (signature.inputs_to_parameters, signature.inputs_to_buffers):
            if name in table:
                key, state = table[name], exported.state_dict
                value: Tensor = state[key] if key in state else exported.constants[key]
                return value.detach().clone() if value.numel() < 1 << 22 else value.detach()
        found: Tensor = exported.constants[signature.inputs_to_lifted_tensor_constants[name]]
        return found.clone()

    def compute(node: fx.Node, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return node.target(*arguments, **options)  # type: ignore[operator]  # it is a function

    return Source(
        _flat(exported.graph_module),
        frozenset(map(str, signature.user_inputs)),
        dict(signature.inputs_to_parameters),
        given,
        compute,
        lambda: {k: x.detach() for k, x in exported.state_dict.items() if part_of(k)},
    )


def exported(module: nn.Module, shape: Sequence[int], name: str = "") -> Program:
    """Return a module as records.

    Parameters
    ----------
    module
        Any module that takes one image (1, channels, *size).
    shape
        Shape of the image.
    name
        What the network is to be called; empty: the module's class.

    Raises
    ------
    ExportError
        If torch cannot export it.
    """
    program = _export(module, shape, name or type(module).__qualname__)
    silent = {path: _silent(part) for path, part in module.named_modules()}
    marks = {path: op for path, op in silent.items() if op is not None}
    return records_of(source_of(program), name or type(module).__name__, marks)


def _silent(part: nn.Module) -> Op | None:
    """Return the operation of a module that leaves nothing in the graph, if it has one."""
    if isinstance(part, nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d):
        return ops.Dropout(p=float(part.p))
    return None


def _export(module: nn.Module, shape: Sequence[int], name: str) -> torch.export.ExportedProgram:
    training = {x: x.training for x in module.modules()}
    like = next(iter(module.parameters()), torch.zeros(()))
    image = torch.zeros(tuple(shape), device=like.device, dtype=_real(like.dtype))
    try:
        module.eval()
        with torch.no_grad(), marked(module), _quiet(), _without_graph():
            return torch.export.export(module, (image,), strict=False)
    except RFStudioError:
        raise
    except Exception as error:
        raise ExportError(export_words(name, module, shape, error)) from error
    finally:
        for part, was in training.items():
            part.training = was


def _real(dtype: torch.dtype) -> torch.dtype:
    return dtype if dtype.is_floating_point else torch.float32


def export_words(name: str, module: nn.Module, shape: Sequence[int], error: Exception) -> str:
    """Return why a module cannot be exported for an image, in the words of what it raised."""
    size = "×".join(map(str, shape[2:]))
    first = str(error).strip().partition("\n")[0]
    hint = ""
    if "GuardOnDataDependent" in type(error).__name__ or "data-dependent" in str(error):
        hint = "; what it does depends on values: import a part of it, such as its backbone"
    elif len(shape) == 3 and any(isinstance(x, nn.Conv2d) for x in module.modules()):
        hint = "; an image has two numbers, its height and its width"
    elif any(n % 32 for n in shape[2:]):
        hint = "; try a size that is a multiple of 32"
    return f"{name} cannot be exported for an input of {size}: {first}{hint}"


@contextmanager
def _without_graph() -> Iterator[None]:
    """Leave out of standard error the graph so far, which torch prints there when it fails."""
    written = StringIO()
    graph: object = None
    try:
        with redirect_stderr(written):
            yield
    except Exception as error:
        graph = getattr(error, "partial_fx_graph", None)
        raise
    finally:
        rest = written.getvalue()
        rest = rest if graph is None else rest.replace(f"{graph}\n", "")
        if rest:
            sys.stderr.write(rest)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's warnings and logs, which are about its own internals."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


class _Reader:
    """Reads the graph of an exported program."""

    def __init__(self, source: Source, name: str, marks: Mapping[str, Op]) -> None:
        self._source = source
        self._marks = marks
        self._name = name
        self._nodes = source.nodes
        self._records: list[Record] = []
        self._constants: dict[str, tuple[int, ...]] = {}
        self._depends: set[str] = set()
        self._now: dict[str, str] = {}
        self._lists: dict[str, list[str]] = {}
        self._parts: dict[str, tuple[fx.Node, list[dict[str, Any]]]] = {}
        self._scopes = _Scopes()
        self._learned: dict[str, dict[str, int]] = {}
        self._values: dict[str, Any] = {}
        self._of_weights: dict[str, dict[str, Tensor]] | None = None
        self._writes = False

    def program(self) -> Program:
        """Return all of it as records."""
        parameters = self._source.parameters
        source = shape = None
        for node in self._nodes:
            if node.op == "placeholder":
                if str(node.target) in self._source.inputs and source is None:
                    source, shape = node.name, shape_of(node)
                    self._depends.add(node.name)
                    continue
                self._constants[node.name] = shape_of(node)
                if node.name in parameters:
                    count = int(np.prod(shape_of(node), dtype=np.int64))
                    self._learned[node.name] = {parameters[node.name]: count}
            elif node.op == "call_function":
                self._call(node)
        if source is None or not shape:
            raise ExportError("the module takes no image")
        result = next((x for x in self._nodes if x.op == "output"), None)
        outputs = result.args[0] if result is not None else ()
        first = outputs[0] if isinstance(outputs, list | tuple) and outputs else outputs
        name = self._at(first) if isinstance(first, fx.Node) else ""
        return Program(
            self._name,
            source,
            shape,
            tuple(self._records),
            self._constants,
            self._value_of,
            name,
            self._value_with,
        )

    # --- nodes -----------------------------------------------------------------------------------

    def _at(self, node: fx.Node) -> str:
        """Return the name of the value that a node has now: operations may work in place."""
        return self._now.get(node.name, node.name)

    def _call(self, node: fx.Node) -> None:
        scope = self._scopes.of(node)
        word, in_place = _word(node)
        sources = list(node.all_input_nodes)
        depending = any(self._at(x) in self._depends or x.name in self._lists for x in sources)
        if word in (
            "new_zeros",
            "new_ones",
            "new_full",
            "new_empty",
            "zeros_like",
            "ones_like",
            "full_like",
            "empty_like",
            "rand_like",
            "randn_like",
        ):
            depending = False
        if not depending:
            self._constant(node, sources)
            if word == "mark":
                names = tuple(x.name for x in sources)
                self._records.append(
                    Record("constant_output", node.name, shape_of(node), names, {}, scope, word)
                )
            return
        if in_place and word in _OVERWRITE and not self._reads_image(node):
            self._constant(node, ())
            self._written(node, node.name, scope)
            return
        if word == "getitem":
            self._item(node)
            return
        if word in ("split", "split_with_sizes", "chunk", "tensor_split", "unbind"):
            self._split(node, word, scope)
            return
        if not shape_of(node) and not isinstance(node.meta.get("val"), Tensor):
            return
        self._depends.add(node.name)
        self._records.append(self._record(node, word, scope))
        if in_place:
            self._written(node, node.name, scope)

    def _reads_image(self, node: fx.Node) -> bool:
        """Whether what an operation writes over its first argument depends on the image."""
        return any(isinstance(x, fx.Node) and self._at(x) in self._depends for x in node.args[1:])

    def _written(self, node: fx.Node, value: str, scope: Scope) -> None:
        """Note that an operation has changed its first argument, and whatever that is a view of."""
        changed = node.args[0] if node.args else None
        while isinstance(changed, fx.Node):
            self._now[changed.name] = value
            change = self._change_of(changed)
            if change is None:
                return
            base, kind, options = change
            name = f"{node.name}>{base.name}"
            sources = (self._at(base), value) if kind == "write" else (value,)
            self._records.append(
                Record(kind, name, shape_of(base), sources, options, scope, "write")
            )
            self._depends.add(name)
            changed, value = base, name

    def _change_of(self, view: fx.Node) -> tuple[fx.Node, str, dict[str, Any]] | None:
        """Return what a value is a view of, and the record that puts a changed view back there."""
        if view.op != "call_function" or not view.args or not isinstance(view.args[0], fx.Node):
            return None
        word, base = _word(view)[0], view.args[0]
        if word in ("slice", "narrow", "select"):
            _, options = RULES[word](Call(view, _arguments(view)))
            return base, "write", options
        if word in ("permute", "transpose"):
            options = RULES[word](Call(view, _arguments(view)))[1]
            dims: list[int] = options["dims"]
            return base, "permute", {"dims": [dims.index(i) for i in range(len(dims))]}
        if word in ("view", "unsqueeze", "squeeze"):
            return base, "reshape", {}
        if word == "getitem" and base.name in self._parts and isinstance(view.args[1], int):
            source, slices = self._parts[base.name]
            return source, "write", slices[view.args[1]]
        return None

    def _constant(self, node: fx.Node, sources: Sequence[fx.Node]) -> None:
        self._constants[node.name] = shape_of(node)
        self._writes = self._writes or _word(node)[1]
        learned = self._learned_in(x.name for x in sources)
        if learned and _word(node)[0] in _PARTS:
            # The rest of the tensor is read, and counted, elsewhere.
            room = int(np.prod(shape_of(node), dtype=np.int64))
            for name, count in learned.items():
                learned[name] = min(count, room)
                room -= learned[name]
        if learned:
            self._learned[node.name] = learned

    def _learned_in(self, names: Iterable[str]) -> dict[str, int]:
        """Return the learned tensors that values depend on, with how many of their numbers."""
        found: dict[str, int] = {}
        for x in names:
            for name, count in self._learned.get(x, {}).items():
                found[name] = max(found.get(name, 0), count)
        return found

    def _record(self, node: fx.Node, word: str, scope: Scope) -> Record:
        call = Call(node, _arguments(node))
        rule = RULES.get(word)
        kind, options = ("unknown", {}) if rule is None else rule(call)
        if word == "mark":
            kind, options = "mark", {"op": self._marks.get(str(node.args[1]))}
        if word == "index":
            kind, options = self._index(call)
        if word == "index_select":
            kind, options = self._index_select(call)
        if word in ("max_unpool2d", "max_unpool3d"):
            kind, options = _unpooled(call)
        if word in ("grid_sampler", "grid_sampler_2d", "grid_sampler_3d"):
            kind, options = at_grid(call, self._value_of(call["grid"].name))
        if word == "copy":
            kind, options = "expand", {}
        names = [self._at(x) for x in _tensors(node)]
        if word == "copy":
            names = names[1:]
        if word == "addmm":  # what is added comes first
            names = [*names[1:], *names[:1]]
        learned = self._learned_in(names)
        if kind in ("conv", "conv_transpose", "deform_conv") or word == "linear":
            # Offsets and mask come before the bias of a deformable convolution.
            given = names[1::3] if kind == "deform_conv" else names[1:3]
            if kind == "deform_conv":
                options = {**options, "bias": self._is_bias(names[4])}
            weights = zip(("weight", "bias"), given, strict=False)
            computed = {key: x for key, x in weights if self._is_computed(x)}
            if computed:
                options = {**options, "computed": computed}
        if word in ("matmul", "mm", "addmm") and self._is_by_matrix(names):
            computed = dict(zip(("weight", "bias"), names[1:], strict=False))
            out, has_bias = self._constants[names[1]][1], word == "addmm"
            kind = "linear"
            options = {"out": out, "bias": has_bias, "computed": computed, "turned": ("weight",)}
        return Record(
            kind,
            node.name,
            shape_of(node),
            tuple(names),
            options,
            scope,
            word,
            tuple(learned),
            sum(learned.values()),
        )

    def _is_bias(self, name: str) -> bool:
        """Whether a constant is a bias, and not the zeros that torchvision has in place of one."""
        value = None if name in self._learned else self._value_of(name)
        return value is None or bool(value.any())

    def _is_by_matrix(self, names: Sequence[str]) -> bool:
        """Whether a product is of what depends on the image with a constant matrix behind it."""
        return names[0] in self._depends and len(self._constants.get(names[1], ())) == 2

    def _is_computed(self, name: str) -> bool:
        """Whether a constant is no learned tensor as it is, nor one that its names tell all of."""
        if name not in self._constants or name in self._source.parameters:
            return False
        parts = [part_of(x) for x in self._learned.get(name, ())]
        weights = {"" if x is None else x.weight for x in parts}
        if len(weights) != 1 or "" in weights:
            return True
        (weight,) = weights
        plain, value = self._plain(weight), self._value_of(name)
        return value is not None and (plain is None or not _is_same(value, plain))

    def _plain(self, weight: str) -> Tensor | None:
        """Return a weight as its parts in the state dict tell it; None if they do not."""
        if self._of_weights is None:
            self._of_weights = {}
            for name, x in self._source.parts().items():
                self._of_weights.setdefault(weight_of(name), {})[name] = x
        return folded(self._of_weights.get(weight, {})).state.get(weight)

    def _index(self, call: Call) -> tuple[str, dict[str, Any]]:
        """Read an index by tensors: understood if it is one constant index of one dimension."""
        indices = list(call["indices"])
        given = [(i, x) for i, x in enumerate(indices) if x is not None]
        if len(given) == 1:
            place, index = given[0]
            value = self._value_of(index.name)
            if value is not None and value.dtype != bool and value.ndim == 1:
                return "gather", {"dim": place, "index": value}
        return "unknown", {}

    def _index_select(self, call: Call) -> tuple[str, dict[str, Any]]:
        value = self._value_of(call["index"].name)
        if value is None:
            return "unknown", {}
        value = value.reshape(-1)
        dim, count = call["dim"] % len(call.shape("self")), len(value)
        first = int(value[0]) if count else 0
        if first and np.array_equal(value, (np.arange(count) + first) % count):
            return "roll", {"dims": [dim], "shifts": [-first]}
        return "gather", {"dim": dim, "index": value}

    def _item(self, node: fx.Node) -> None:
        parent, which = node.args
        assert isinstance(parent, fx.Node)
        assert isinstance(which, int)
        if parent.name in self._lists:
            self._now[node.name] = self._lists[parent.name][which]
            self._depends.add(self._now[node.name])
            return
        if which == 0 and self._at(parent) in self._depends:
            self._now[node.name] = self._at(parent)
            return
        if not node.users:
            return
        if self._at(parent) in self._depends and shape_of(node) == shape_of(parent):
            # Such as the indices of a pooling, of a maximum or of a sorting.
            self._now[node.name] = self._at(parent)
            return
        # A second result of another shape: something that reads the same.
        self._depends.add(node.name)
        self._records.append(
            Record("unknown", node.name, shape_of(node), (self._at(parent),), {}, (), "getitem")
        )

    def _split(self, node: fx.Node, word: str, scope: Scope) -> None:
        """Several results, each a slice of the same value."""
        call = Call(node, _arguments(node))
        shape = shape_of(node.args[0])
        dim = call.get("dim", 0) % len(shape)
        values = node.meta["val"]
        names, start = [], 0
        given = node.args[0]
        assert isinstance(given, fx.Node)
        source = self._at(given)
        slices = []
        for i, value in enumerate(values):
            name = f"{node.name}#{i}"
            out = tuple(int(x) for x in value.shape)
            options: dict[str, Any] = {"dim": dim, "start": start, "step": 1}
            if word == "unbind":
                options["select"] = True
            start += 1 if word == "unbind" else out[dim]
            self._records.append(Record("slice", name, out, (source,), options, scope, word))
            self._depends.add(name)
            names.append(name)
            slices.append(options)
        self._lists[node.name] = names
        self._parts[node.name] = given, slices

    # --- constants -------------------------------------------------------------------------------

    def _value_of(self, name: str) -> NDArray[np.generic] | None:
        """Return a constant, worked out by torch; None if it is too large or depends on more."""
        shape = self._constants.get(name)
        if shape is None or np.prod(shape, dtype=np.int64) > _MAX_CONSTANT:
            return None
        try:
            value = self._worked_out(name)
        except Exception:  # noqa: BLE001 - a constant that cannot be known is not followed
            return None
        if not isinstance(value, Tensor):
            return None
        return _numbers(value)

    def _value_with(
        self, name: str, given: Mapping[str, NDArray[np.float64]]
    ) -> NDArray[np.generic] | None:
        """Return a constant as if learned tensors had other values; None if it cannot be known."""
        if self._value_of(name) is None:
            return None
        try:
            value = self._worked_out_with(name, given)
        except Exception:  # noqa: BLE001 - a constant that cannot be known is not followed
            return None
        return _numbers(value) if isinstance(value, Tensor) else None

    def _worked_out_with(self, name: str, given: Mapping[str, NDArray[np.float64]]) -> Any:
        values: dict[str, Any] = {}
        for node in self._nodes:
            learned = self._source.parameters.get(node.name)
            if node.op == "placeholder" and learned is not None and learned in given:
                found = torch.from_numpy(given[learned].copy())
                values[node.name] = found.reshape(shape_of(node))
            elif self._is_constant(node) and any(x.name in values for x in node.all_input_nodes):
                if _word(node)[1]:  # it would change what others read
                    return None

                def value(x: fx.Node) -> Any:
                    if x.name in values:
                        return values[x.name]
                    is_known = x.name in self._constants and x.name not in self._depends
                    return self._worked_out(x.name) if is_known else self._value(x)

                arguments = fx.node.map_arg(node.args, value)
                options = fx.node.map_arg(node.kwargs, value)
                with torch.no_grad():
                    values[node.name] = self._source.compute(node, arguments, options)
            if node.name == name:
                return values.get(name)
        return None

    def _is_constant(self, node: fx.Node) -> bool:
        called = node.op == "call_function"
        return called and node.name in self._constants and node.name not in self._depends

    def _worked_out(self, name: str) -> Any:
        """Run the operations that a constant is made by, in order, since some work in place.

        What is large is not kept, unless others may have been written into it.
        """
        if name in self._values:
            return self._values[name]
        stop = next(i for i, x in enumerate(self._nodes) if x.name == name)
        wanted = self._needed(stop)
        for i in range(stop + 1):
            node = self._nodes[i]
            if node.name not in wanted or node.name in self._values:
                continue
            if node.op == "placeholder":
                self._values[node.name] = self._source.given(node.name)
            elif node.op == "call_function":
                with torch.no_grad():
                    arguments = fx.node.map_arg(node.args, self._value)
                    options = fx.node.map_arg(node.kwargs, self._value)
                    self._values[node.name] = self._source.compute(node, arguments, options)
        result = self._values[name]
        if not self._writes:
            for x in wanted:
                value = self._values.get(x)
                if isinstance(value, Tensor) and value.numel() > _MOST_KEPT:
                    del self._values[x]
        return result

    def _needed(self, last: int) -> set[str]:
        """Return what a constant is made of; if any is written in place, all constants up to it.

        Weights that only layers read are left out: copies of all would be as large as the model.
        So is what costs much, with all that is made of it, unless the last one is.
        """
        made_of, waiting = {self._nodes[last]}, [self._nodes[last]]
        for x in waiting:
            new = [y for y in x.all_input_nodes if y not in made_of]
            made_of.update(new)
            waiting += new
        if not self._writes:
            known = {x.name for x in made_of if x.name in self._constants}
            return known - self._depends
        found: list[fx.Node] = []
        left_out: set[fx.Node] = set()
        for x in self._nodes[: last + 1]:
            if x.name not in self._constants or x.name in self._depends:
                continue
            if x not in made_of and (_is_heavy(x) or not left_out.isdisjoint(x.all_input_nodes)):
                left_out.add(x)
            else:
                found.append(x)
        read = {y.name for x in found for y in x.all_input_nodes}
        read.add(self._nodes[last].name)
        return {x.name for x in found if x.op != "placeholder" or x.name in read}

    def _value(self, node: fx.Node) -> Any:
        if node.name in self._values:
            return self._values[node.name]
        value: Any = node.meta.get("val")
        if isinstance(value, Tensor):  # of the image, whose values do not matter: new_zeros
            return torch.zeros(value.shape, dtype=value.dtype)
        return value


def _is_same(value: NDArray[np.generic], weight: Tensor) -> bool:
    """Whether a constant is a weight, to the precision of the less precise of them."""
    if value.shape != tuple(weight.shape):
        return False
    found = torch.from_numpy(value)
    step = max(torch.finfo(x.dtype).eps for x in (found, weight))
    wanted = weight.detach().cpu().double()
    return bool((found.double() - wanted).norm() <= _STEPS * step * wanted.norm())


def _numbers(value: Tensor) -> NDArray[np.generic]:
    """Return a tensor as an array; types that numpy lacks, as bfloat16, are widened."""
    value = value.detach().cpu().resolve_neg()
    if value.is_floating_point() and value.dtype not in _OF_NUMPY:
        value = value.float()
    found: NDArray[np.generic] = value.numpy()
    return found


def _flat(module: fx.GraphModule) -> list[fx.Node]:
    """Return all nodes in order, those of regions (of autocast, without gradients) among them."""
    nodes = list(module.graph.nodes)
    if not any(x.op == "call_function" and _is_region(x) for x in nodes):
        return nodes
    graph = fx.Graph()
    taken: dict[fx.Node, Any] = {}
    _copy_into(graph, module, taken, None)
    return list(graph.nodes)


def _copy_into(
    graph: fx.Graph, module: fx.GraphModule, taken: dict[fx.Node, Any], given: Sequence[Any] | None
) -> Any:
    """Copy the nodes of a module; return what it returns."""
    inputs = iter(given or ())
    for node in module.graph.nodes:
        if node.op == "placeholder" and given is not None:
            taken[node] = next(inputs)
        elif node.op == "output" and given is not None:
            return fx.node.map_arg(node.args[0], taken.__getitem__)
        elif node.op == "get_attr" and isinstance(
            part := getattr(module, str(node.target), None), fx.GraphModule
        ):
            taken[node] = part
        elif node.op == "call_function" and _is_region(node):
            arguments = [taken[x] if isinstance(x, fx.Node) else x for x in node.args]
            at = next(i for i, x in enumerate(arguments) if isinstance(x, fx.GraphModule))
            taken[node] = _copy_into(graph, arguments[at], taken, arguments[at + 1 :])
        elif node.op == "call_function" and _is_item_of_region(node, taken):
            parent, which = node.args
            taken[node] = taken[parent][which]
        else:
            taken[node] = graph.node_copy(node, lambda x: taken[x])
    return None


def _is_region(node: fx.Node) -> bool:
    return str(getattr(node.target, "__name__", "")).startswith("wrap_with_")


def _is_item_of_region(node: fx.Node, taken: Mapping[fx.Node, Any]) -> bool:
    parent = node.args[0] if node.args else None
    return (
        getattr(node.target, "__name__", "") == "getitem"
        and isinstance(parent, fx.Node)
        and isinstance(taken.get(parent), tuple | list)
    )


def _is_heavy(node: fx.Node) -> bool:
    return _word(node)[0] == "batch_norm" or (
        node.op == "call_function" and int(np.prod(shape_of(node), dtype=np.int64)) > _MAX_CONSTANT
    )


def _word(node: fx.Node) -> tuple[str, bool]:
    """Return the name of an operation without overload, and whether it works in place."""
    target = node.target
    if isinstance(target, torch._ops.OpOverload):  # noqa: SLF001 - the type has no public name
        word = str(target._schema.name).partition("::")[2]  # noqa: SLF001 - it has no public name
        in_place = word.endswith("_") and not word.endswith("__")
        word = word[:-1] if in_place and word not in ("detach_",) else word
        return _ALIASES.get(word, word), in_place
    return getattr(target, "__name__", str(target)), False


def _unpooled(call: Call) -> tuple[str, dict[str, Any]]:
    """Read an unpooling, which puts values back where a pooling has found them."""
    index = call["indices"]
    pooling = index.args[0] if index.args else None
    if not isinstance(pooling, fx.Node) or not _word(pooling)[0].startswith("max_pool"):
        return "unknown", {}
    kind, options = RULES[_word(pooling)[0]](Call(pooling, _arguments(pooling)))
    return ("unpool", options) if kind == "pool" else ("unknown", {})


def _arguments(node: fx.Node) -> Mapping[str, Any]:
    """Return arguments by name, with those that have a default."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {**{str(i): x for i, x in enumerate(node.args)}, **node.kwargs}
    found: dict[str, Any] = {}
    for i, argument in enumerate(schema.arguments):
        if i < len(node.args):
            found[argument.name] = node.args[i]
        elif argument.name in node.kwargs:
            found[argument.name] = node.kwargs[argument.name]
        elif argument.has_default_value():
            found[argument.name] = argument.default_value
    if "input" in found:
        found.setdefault("self", found["input"])
    return found


def _tensors(node: fx.Node) -> list[fx.Node]:
    """Return the values that an operation reads, in order, with repetitions."""
    found: list[fx.Node] = []

    def note(x: fx.Node) -> fx.Node:
        found.append(x)
        return x

    fx.node.map_arg(node.args, note)
    fx.node.map_arg(node.kwargs, note)
    return found


class _Scopes:
    """Names of the modules that nodes lie in; the second call of one is ``name@1``."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        self._counts: dict[tuple[Scope, str], int] = {}

    def of(self, node: fx.Node) -> Scope:
        """Return the names from the outside in."""
        stack: Mapping[str, Any] = node.meta.get("nn_module_stack") or {}
        scope: Scope = ()
        before = ""
        keys: tuple[str, ...] = ()
        for key, (path, *_) in stack.items():
            path = path if isinstance(path, str) else ""
            if not path or path == before:
                continue
            if before and not path.startswith(before + "."):
                scope, before = (), ""  # a module elsewhere in the model
            own = path.removeprefix(before + ".") if before else path
            keys = (*keys, key)
            name = self._names.get(keys)
            if name is None:
                count = self._counts.get((scope, own), 0)
                self._counts[scope, own] = count + 1
                name = f"{own}@{count}" if count else own
                self._names[keys] = name
            scope = (*scope, *name.split("."))
            before = path
        return scope
