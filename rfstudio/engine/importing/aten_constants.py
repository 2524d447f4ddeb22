"""Constants of a graph, such as masks, indices and computed weights, worked out by torch."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from rfstudio.engine.importing.aten_graph import Source, word_of
from rfstudio.engine.importing.aten_rules import shape_of

_MAX_CONSTANT = 1 << 26
"""Largest constant, in values, that is worked out: masks and indices are far smaller."""

_MOST_KEPT = 1 << 14
"""Values of the largest constant that is kept for others: all weights are as large as the model."""

_OF_NUMPY = (torch.float16, torch.float32, torch.float64)
"""Types of real numbers that numpy has, too."""


class Constants:
    """What does not depend on the image, by the names of nodes.

    Parameters
    ----------
    source
        The graph.
    depends
        Names of the values that depend on the image; it grows while the graph is read.

    Attributes
    ----------
    shapes
        Shape of each constant.
    """

    def __init__(self, source: Source, depends: Set[str]) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._source = source
        self._depends = depends
        self._values: dict[str, Any] = {}
        self._writes = False

    def note(self, node: fx.Node) -> None:
        """Take the value of a node for a constant."""
        self.shapes[node.name] = shape_of(node)
        self._writes = self._writes or word_of(node)[1]

    def value_of(self, name: str) -> NDArray[np.generic] | None:
        """Return a constant, worked out by torch; None if it is too large or depends on more."""
        shape = self.shapes.get(name)
        if shape is None or np.prod(shape, dtype=np.int64) > _MAX_CONSTANT:
            return None
        try:
            value = self._worked_out(name)
        except Exception:  # noqa: BLE001 - a constant that cannot be known is not followed
            return None
        if not isinstance(value, Tensor):
            return None
        return _numbers(value)

    def value_with(
        self, name: str, given: Mapping[str, NDArray[np.float64]]
    ) -> NDArray[np.generic] | None:
        """Return a constant as if learned tensors had other values; None if it cannot be known."""
        if self.value_of(name) is None:
            return None
        try:
            value = self._worked_out_with(name, given)
        except Exception:  # noqa: BLE001 - a constant that cannot be known is not followed
            return None
        return _numbers(value) if isinstance(value, Tensor) else None

    def _worked_out(self, name: str) -> Any:
        """Run the operations that a constant is made by, in order, since some work in place.

        What is large is not kept, unless others may have been written into it.
        """
        if name in self._values:
            return self._values[name]
        stop = next(i for i, x in enumerate(self._source.nodes) if x.name == name)
        wanted = self._needed(stop)
        for i in range(stop + 1):
            node = self._source.nodes[i]
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

    def _worked_out_with(self, name: str, given: Mapping[str, NDArray[np.float64]]) -> Any:
        values: dict[str, Any] = {}
        for node in self._source.nodes:
            learned = self._source.parameters.get(node.name)
            if node.op == "placeholder" and learned is not None and learned in given:
                found = torch.from_numpy(given[learned].copy())
                values[node.name] = found.reshape(shape_of(node))
            elif self._is_constant(node) and any(x.name in values for x in node.all_input_nodes):
                if word_of(node)[1]:  # it would change what others read
                    return None

                def value(x: fx.Node) -> Any:
                    if x.name in values:
                        return values[x.name]
                    is_known = x.name in self.shapes and x.name not in self._depends
                    return self._worked_out(x.name) if is_known else self._value(x)

                arguments = fx.node.map_arg(node.args, value)
                options = fx.node.map_arg(node.kwargs, value)
                with torch.no_grad():
                    values[node.name] = self._source.compute(node, arguments, options)
            if node.name == name:
                return values.get(name)
        return None

    def _needed(self, last: int) -> set[str]:
        """Return what a constant is made of; if any is written in place, all constants up to it.

        Weights that only layers read are left out: copies of all would be as large as the model.
        So is what costs much, with all that is made of it, unless the last one is.
        """
        made_of, waiting = {self._source.nodes[last]}, [self._source.nodes[last]]
        for x in waiting:
            new = [y for y in x.all_input_nodes if y not in made_of]
            made_of.update(new)
            waiting += new
        if not self._writes:
            known = {x.name for x in made_of if x.name in self.shapes}
            return known - self._depends
        found: list[fx.Node] = []
        left_out: set[fx.Node] = set()
        for x in self._source.nodes[: last + 1]:
            if x.name not in self.shapes or x.name in self._depends:
                continue
            if x not in made_of and (_is_heavy(x) or not left_out.isdisjoint(x.all_input_nodes)):
                left_out.add(x)
            else:
                found.append(x)
        read = {y.name for x in found for y in x.all_input_nodes}
        read.add(self._source.nodes[last].name)
        return {x.name for x in found if x.op != "placeholder" or x.name in read}

    def _is_constant(self, node: fx.Node) -> bool:
        called = node.op == "call_function"
        return called and node.name in self.shapes and node.name not in self._depends

    def _value(self, node: fx.Node) -> Any:
        if node.name in self._values:
            return self._values[node.name]
        value: Any = node.meta.get("val")
        if isinstance(value, Tensor):  # of the image, whose values do not matter: new_zeros
            return torch.zeros(value.shape, dtype=value.dtype)
        return value


def _numbers(value: Tensor) -> NDArray[np.generic]:
    """Return a tensor as an array; types that numpy lacks, as bfloat16, are widened."""
    value = value.detach().cpu().resolve_neg()
    if value.is_floating_point() and value.dtype not in _OF_NUMPY:
        value = value.float()
    found: NDArray[np.generic] = value.numpy()
    return found


def _is_heavy(node: fx.Node) -> bool:
    return word_of(node)[0] == "batch_norm" or (
        node.op == "call_function" and int(np.prod(shape_of(node), dtype=np.int64)) > _MAX_CONSTANT
    )
