"""Operations at one position: activations, norms over channels, batch norm and merges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core import ops
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import Op
from rfstudio.engine.module.boxes import Part, fetch, give_back
from rfstudio.engine.module.layers.base import Evaluate, Pointwise, Pull

_FUNCTIONS: dict[type[Op], Callable[[Any], Callable[[Tensor], Tensor]]] = {
    ops.Relu: lambda _: torch.relu,
    ops.Relu6: lambda _: functional.relu6,
    ops.LeakyRelu: lambda op: lambda x: functional.leaky_relu(x, op.negative_slope),
    ops.Elu: lambda op: lambda x: functional.elu(x, op.alpha),
    ops.Gelu: lambda op: lambda x: functional.gelu(x, approximate=op.approximate),
    ops.Silu: lambda _: functional.silu,
    ops.Hardswish: lambda _: functional.hardswish,
    ops.Hardsigmoid: lambda _: functional.hardsigmoid,
    ops.Sigmoid: lambda _: torch.sigmoid,
    ops.Tanh: lambda _: torch.tanh,
    ops.Softplus: lambda op: lambda x: functional.softplus(x, op.beta, op.threshold),
    ops.Softmax: lambda _: lambda x: torch.softmax(x, 1),
    ops.Identity: lambda _: lambda x: x,
    ops.LocalResponseNorm: lambda op: (
        lambda x: functional.local_response_norm(x, op.size, op.alpha, op.beta, op.k)
    ),
}
"""The function of every operation that has no weights."""


class FunctionModule(Pointwise):
    """An activation without weights."""

    def __init__(self, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(node, sources)
        assert node.op is not None
        self._function = _FUNCTIONS[type(node.op)](node.op)
        if isinstance(node.op, ops.Relu | ops.Relu6):
            self.keeps = "gates"
        elif isinstance(node.op, ops.Identity):
            self.keeps = "nothing"

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return self._function(inputs[0])

    def gates(self, result: Tensor) -> Tensor:  # noqa: D102
        return (result > 0) & (result < 6) if isinstance(self.op, ops.Relu6) else result > 0

    def bind_pull(  # noqa: D102
        self, node: Node, sources: tuple[Part, ...], target: Part, channels: tuple[int, ...]
    ) -> Pull:
        if self.keeps != "gates":
            return super().bind_pull(node, sources, target, channels)
        back = give_back(sources[0], target.box, sources[0])
        return lambda gradient, kept: [back(gradient * kept[0])]


class DropoutModule(Pointwise):
    """Random zeros while training; nothing in evaluation mode."""

    keeps = "nothing"

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        op: Any = self.op
        return functional.dropout(inputs[0], op.p, self.training)


class PreluModule(Pointwise):
    """A learned slope below zero."""

    def __init__(self, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(node, sources)
        op: Any = node.op
        self.weight = nn.Parameter(torch.full((op.num_parameters,), float(op.init)))

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return functional.prelu(inputs[0], self.weight)


class LayerScaleModule(Pointwise):
    """A learned factor for each channel."""

    keeps = "nothing"

    def __init__(self, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(node, sources)
        op: Any = node.op
        self.scale = nn.Parameter(torch.full((node.channels,), float(op.init)))

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        x = inputs[0]
        return x * self.scale.view(-1, *(1,) * (x.dim() - 2))


class LayerNormModule(Pointwise):
    """Normalisation of the channels of each position."""

    def __init__(self, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(node, sources)
        op: Any = node.op
        affine = op.elementwise_affine
        self.eps = op.eps
        self.weight = nn.Parameter(torch.ones(node.channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(node.channels)) if affine else None

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        x = inputs[0].movedim(1, -1)
        return functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps).movedim(
            -1, 1
        )


class BatchNormModule(Pointwise):
    """Normalisation by running statistics, or by those of the batch in training mode."""

    keeps = "nothing"
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(node, sources)
        op: Any = node.op
        channels = node.channels
        self.eps = op.eps
        self.weight = nn.Parameter(torch.ones(channels)) if op.affine and op.scale else None
        self.bias = nn.Parameter(torch.zeros(channels)) if op.affine else None
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))
        self.warming = False
        self.is_folded = False  # what it does is done by the convolution before it

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        plain = super().bind(node, sources, target)
        if not self.training:
            return plain
        # Statistics run over the map, so it is computed whole and cut afterwards.
        (source,) = sources
        pointwise = super().bind(node, sources, source)
        cut = fetch(source, target.box)
        return lambda inputs: cut(pointwise(inputs))

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        x = inputs[0]
        if self.is_folded:
            return x
        if self.warming:
            self._warm(x)
        return torch.batch_norm(
            x,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            self.training,
            0.0,
            self.eps,
            False,
        )

    def bind_pull(  # noqa: D102
        self, node: Node, sources: tuple[Part, ...], target: Part, channels: tuple[int, ...]
    ) -> Pull:
        if self.training:
            return super().bind_pull(node, sources, target, channels)
        back = give_back(sources[0], target.box, sources[0])
        return lambda gradient, _: [
            back(gradient if self.is_folded else gradient * self._factor(gradient))
        ]

    def _factor(self, x: Tensor) -> Tensor:
        """Return what each channel is multiplied by, to multiply `x` with."""
        factor = (self.running_var + self.eps).rsqrt()
        if self.weight is not None:
            factor = factor * self.weight
        result: Tensor = factor.view(-1, *[1] * (x.dim() - 2))
        return result

    def _warm(self, x: Tensor) -> None:
        """Set the running statistics to those of `x`."""
        values = x.detach().movedim(1, 0).flatten(1)
        self.running_mean.copy_(values.mean(1))
        # One value has no variance, and none would be a division by next to nothing.
        variance = values.var(1) if values.shape[1] > 1 else torch.ones_like(self.running_var)
        self.running_var.copy_(torch.where(variance > 0, variance, 1.0))
        self.num_batches_tracked.fill_(1)


class MergeModule(Pointwise):
    """Joins maps of one size."""

    def __init__(self, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(node, sources)
        if isinstance(node.op, ops.Add | ops.Concat):
            self.keeps = "nothing"

    def bind_pull(  # noqa: D102
        self, node: Node, sources: tuple[Part, ...], target: Part, channels: tuple[int, ...]
    ) -> Pull:
        if self.keeps != "nothing":
            return super().bind_pull(node, sources, target, channels)
        backs = [give_back(source, target.box, source) for source in sources]
        if isinstance(self.op, ops.Add):
            return lambda gradient, _: [back(gradient) for back in backs]
        starts = list(accumulate(channels, initial=0))
        return lambda gradient, _: [
            back(gradient[:, start : start + n])
            for back, start, n in zip(backs, starts, channels, strict=False)
        ]

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        if isinstance(self.op, ops.Concat):
            return torch.cat(inputs, 1)
        result = inputs[0]
        for other in inputs[1:]:
            result = result + other if isinstance(self.op, ops.Add) else result * other
        return result
