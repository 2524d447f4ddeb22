"""Graphs of ATen operations as records, with the scopes of the modules that nodes lie in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from rfstudio.core.ops import Op
from rfstudio.engine.importing.aten import RULES
from rfstudio.engine.importing.aten_constants import Constants
from rfstudio.engine.importing.aten_graph import (
    ExportError,
    Source,
    arguments_of,
    tensors_of,
    word_of,
)
from rfstudio.engine.importing.aten_rules import Call, shape_of
from rfstudio.engine.importing.resampling import at_grid
from rfstudio.engine.weights.parametrizations import folded, part_of, weight_of
from rfstudio.importing.records import Program, Record, Scope

_OVERWRITE = ("copy", "fill", "zero")
"""Operations that write over what was there, without reading it."""

_PARTS = ("getitem", "slice", "narrow", "select")
"""Operations that take a part of a tensor, or one of its parts after a split."""

_STEPS = 32
"""Rounding errors, relative to a whole weight, up to which it counts as the same."""


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


class _Reader:
    """Reads the graph of an exported program."""

    def __init__(self, source: Source, name: str, marks: Mapping[str, Op]) -> None:
        self._source = source
        self._marks = marks
        self._name = name
        self._nodes = source.nodes
        self._records: list[Record] = []
        self._depends: set[str] = set()
        self._constants = Constants(source, self._depends)
        self._now: dict[str, str] = {}
        self._lists: dict[str, list[str]] = {}
        self._parts: dict[str, tuple[fx.Node, list[dict[str, Any]]]] = {}
        self._scopes = _Scopes()
        self._learned: dict[str, dict[str, int]] = {}
        self._of_weights: dict[str, dict[str, Tensor]] | None = None

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
                self._constants.note(node)
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
            self._constants.shapes,
            self._constants.value_of,
            name,
            self._constants.value_with,
        )

    def _at(self, node: fx.Node) -> str:
        """Return the name of the value that a node has now: operations may work in place."""
        return self._now.get(node.name, node.name)

    def _call(self, node: fx.Node) -> None:
        scope = self._scopes.of(node)
        word, in_place = word_of(node)
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
        word, base = word_of(view)[0], view.args[0]
        if word in ("slice", "narrow", "select"):
            _, options = RULES[word](Call(view, arguments_of(view)))
            return base, "write", options
        if word in ("permute", "transpose"):
            options = RULES[word](Call(view, arguments_of(view)))[1]
            dims: list[int] = options["dims"]
            return base, "permute", {"dims": [dims.index(i) for i in range(len(dims))]}
        if word in ("view", "unsqueeze", "squeeze"):
            return base, "reshape", {}
        if word == "getitem" and base.name in self._parts and isinstance(view.args[1], int):
            source, slices = self._parts[base.name]
            return source, "write", slices[view.args[1]]
        return None

    def _constant(self, node: fx.Node, sources: Sequence[fx.Node]) -> None:
        self._constants.note(node)
        learned = self._learned_in(x.name for x in sources)
        if learned and word_of(node)[0] in _PARTS:
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
        call = Call(node, arguments_of(node))
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
            kind, options = at_grid(call, self._constants.value_of(call["grid"].name))
        if word == "copy":
            kind, options = "expand", {}
        names = [self._at(x) for x in tensors_of(node)]
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
            out, has_bias = self._constants.shapes[names[1]][1], word == "addmm"
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
        value = None if name in self._learned else self._constants.value_of(name)
        return value is None or bool(value.any())

    def _is_by_matrix(self, names: Sequence[str]) -> bool:
        """Whether a product is of what depends on the image with a constant matrix behind it."""
        return names[0] in self._depends and len(self._constants.shapes.get(names[1], ())) == 2

    def _is_computed(self, name: str) -> bool:
        """Whether a constant is no learned tensor as it is, nor one that its names tell all of."""
        if name not in self._constants.shapes or name in self._source.parameters:
            return False
        parts = [part_of(x) for x in self._learned.get(name, ())]
        weights = {"" if x is None else x.weight for x in parts}
        if len(weights) != 1 or "" in weights:
            return True
        (weight,) = weights
        plain, value = self._plain(weight), self._constants.value_of(name)
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
            value = self._constants.value_of(index.name)
            if value is not None and value.dtype != bool and value.ndim == 1:
                return "gather", {"dim": place, "index": value}
        return "unknown", {}

    def _index_select(self, call: Call) -> tuple[str, dict[str, Any]]:
        value = self._constants.value_of(call["index"].name)
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
        call = Call(node, arguments_of(node))
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


def _is_same(value: NDArray[np.generic], weight: Tensor) -> bool:
    """Whether a constant is a weight, to the precision of the less precise of them."""
    if value.shape != tuple(weight.shape):
        return False
    found = torch.from_numpy(value)
    step = max(torch.finfo(x.dtype).eps for x in (found, weight))
    wanted = weight.detach().cpu().double()
    return bool((found.double() - wanted).norm() <= _STEPS * step * wanted.norm())


def _unpooled(call: Call) -> tuple[str, dict[str, Any]]:
    """Read an unpooling, which puts values back where a pooling has found them."""
    index = call["indices"]
    pooling = index.args[0] if index.args else None
    if not isinstance(pooling, fx.Node) or not word_of(pooling)[0].startswith("max_pool"):
        return "unknown", {}
    kind, options = RULES[word_of(pooling)[0]](Call(pooling, arguments_of(pooling)))
    return ("unpool", options) if kind == "pool" else ("unknown", {})


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
