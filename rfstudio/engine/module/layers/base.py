"""The base of every operation as a torch module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from types import BuiltinFunctionType, FunctionType
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Window
from rfstudio.core.axes.axis_set import AxisSet, read_back
from rfstudio.core.initialisations import Fans
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Op
from rfstudio.core.ops.operation import Operation
from rfstudio.engine.module.boxes import Box, Part, Span, fetch

Evaluate: TypeAlias = Callable[[list[Tensor]], Tensor]
"""Computes one box of a map from the boxes of the maps that it reads."""

Pull: TypeAlias = Callable[[Tensor, list[Tensor]], "list[Tensor | None]"]
"""Turns the gradient of one box of a map, and what was stored, into those of the boxes it reads."""

Keeps: TypeAlias = Literal["nothing", "inputs", "gates"]
"""What has to be stored of an evaluation to go back through it: nothing, where the operation is
linear; the boxes that it read; or which outputs move with their input, the others being fixed."""

OpT_co = TypeVar("OpT_co", bound=Op, covariant=True)

_PLAIN = (bool, int, float, str, tuple, Operation, partial, FunctionType, BuiltinFunctionType)
"""Types of attributes that are never weights, buffers or modules."""


class LayerModule(nn.Module, Generic[OpT_co]):
    """One node of a graph: its weights, and how a box of its map is computed.

    Parameters
    ----------
    op
        Its operation.
    node
        The node.
    sources
        The nodes that it reads.

    Attributes
    ----------
    keeps
        What has to be stored of an evaluation for `bind_pull`.
    holds_values
        Whether what it has learned are values of variance 1, whatever weights are drawn from.
    rests
        Whether its weights are 0 before any training, as of what computes offsets of taps.
    reads_alike
        Whether it reads the same box of all its sources.
    """

    keeps: Keeps = "inputs"
    holds_values = False
    rests = False
    reads_alike = True

    def __init__(self, op: OpT_co, node: Node, sources: Sequence[Node]) -> None:
        super().__init__()
        del sources
        self.label = node.name
        self.op = op

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; plain values and new weights go past torch's search, which is slow."""
        own = self.__dict__
        if isinstance(value, _PLAIN) and name not in own.get("_parameters", ()):
            object.__setattr__(self, name, value)
        elif type(value) is nn.Parameter and name not in own and name not in own["_buffers"]:
            self._parameters[name] = value
        else:
            super().__setattr__(name, value)

    def reads(self, node: Node, box: Box) -> Box:
        """Return the box of the source map that `box` of this map reads, within the map."""
        return read_box(node.rules, box)

    def reads_of_each(self, node: Node, box: Box) -> tuple[Box, ...]:
        """Return the same for each of its sources."""
        return (self.reads(node, box),) * len(node.inputs)

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:
        """Return the function that computes the box `target` from the boxes `sources`.

        All that depends on sizes alone is done here, once, and not for every sample.
        """
        raise NotImplementedError

    def bind_pull(
        self,
        node: Node,
        sources: tuple[Part, ...],
        target: Part,
        channels: tuple[int, ...],
    ) -> Pull:
        """Return the function that takes gradients of the box `target` to the boxes `sources`.

        Parameters
        ----------
        node, sources, target
            As in `bind`.
        channels
            Those of the sources.

        Notes
        -----
        This one evaluates the operation once more, at any inputs if it is linear.  Operations that
        cost much or are frequent have their own, which does not.
        """
        evaluate = self.bind(node, sources, target)
        shapes = [(c, *part.extent) for c, part in zip(channels, sources, strict=True)]

        def pull(gradient: Tensor, stored: list[Tensor]) -> list[Tensor | None]:
            if not stored:
                zero = gradient.new_zeros(())
                stored = [zero.expand(len(gradient), *shape) for shape in shapes]
            inputs = [x.detach().requires_grad_() for x in stored]
            with torch.enable_grad():
                # Of a number: at its first gradient of a map, torch loads a system for algebra,
                # which takes most of a second.
                number = (evaluate(inputs) * gradient).sum()
            if not number.requires_grad:
                return [None] * len(inputs)
            return [*torch.autograd.grad(number, inputs, allow_unused=True)]

        return pull

    def gates(self, result: Tensor) -> Tensor:
        """Return which values of a result move as their inputs do; all others do not move.

        Called only for operations whose `keeps` is "gates".
        """
        raise NotImplementedError

    def fan_in(self) -> dict[str, int]:
        """Return for each weight how many inputs one output sums, for initialisation."""
        return {}

    def adopted(self, name: str, tensor: Tensor) -> Tensor:
        """Return what a file has for the weight `name`, in the order that this layer has it in."""
        del name
        return tensor

    def fans(self) -> dict[str, Fans]:
        """Return for each weight the form by which it is initialised."""
        return {name: self._fans(self.get_parameter(name), n) for name, n in self.fan_in().items()}

    def _fans(self, weight: Tensor, into: int) -> Fans:
        outputs, *others = weight.shape
        return Fans(into, outputs * prod(others[1:]), outputs, prod(others))


class Affine(nn.Module):
    """A matrix and a shift for the channels of tokens; draws nothing by itself."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.in_features = inputs
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs for inputs (…, inputs)."""
        return functional.linear(x, self.weight, self.bias)


def read_box(rules: AxisRules, box: Box) -> Box:
    """Return the hull of what a box reads of the samples that are there; (0, 0) if nothing."""
    spans: list[Span] = []
    before: tuple[AxisRule, Span] | None = None
    for rule, span in zip(rules, box, strict=True):
        if type(rule) is Window and rule.is_identity and 0 <= span[0] < span[1] <= rule.n_out:
            spans.append(span)
            continue
        # A unit on the diagonal of a square map reads the same along both axes.
        if before is None or span != before[1] or (rule is not before[0] and rule != before[0]):
            read = read_back(AxisSet(*span), rule)
            spans.append((read.start, read.stop))
            before = rule, span
        else:
            spans.append(spans[-1])
    return tuple(spans)


class Pointwise(LayerModule[OpT_co]):
    """An operation whose output at a position reads that position alone."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        del node
        if all(source.box == target.box for source in sources):
            return self.apply_to
        cuts = [fetch(source, target.box) for source in sources]
        if len(cuts) == 1:
            (cut,) = cuts
            return lambda inputs: self.apply_to([cut(inputs[0])])
        return lambda inputs: self.apply_to([f(x) for f, x in zip(cuts, inputs, strict=True)])

    def apply_to(self, inputs: list[Tensor]) -> Tensor:
        """Compute the output from inputs that hold exactly its positions."""
        raise NotImplementedError


class FromWholeMap(LayerModule[OpT_co]):
    """An operation that reads the whole map; computed whole, then cut."""

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        (source,) = sources
        assert source.is_whole
        cut = fetch(Part(node.size, tuple((0, n) for n in node.size)), target.box)
        return lambda inputs: cut(self.apply_to_map(inputs[0]))

    def apply_to_map(self, x: Tensor) -> Tensor:
        """Compute the whole output map from the whole input map."""
        raise NotImplementedError


CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
CONV_TRANSPOSE = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}
MAX_POOL = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
AVG_POOL = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
ADAPTIVE_AVG_POOL = {
    1: functional.adaptive_avg_pool1d,
    2: functional.adaptive_avg_pool2d,
    3: functional.adaptive_avg_pool3d,
}
ADAPTIVE_MAX_POOL = {
    1: functional.adaptive_max_pool1d,
    2: functional.adaptive_max_pool2d,
    3: functional.adaptive_max_pool3d,
}
