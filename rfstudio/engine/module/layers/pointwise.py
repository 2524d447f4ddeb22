"""Operations at one position: activations, norms over channels, batch norm and merges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core import ops
from rfstudio.core.network.graph import Node
from rfstudio.engine.module.boxes import Part, fetch, give_back
from rfstudio.engine.module.layers.base import Evaluate, Pointwise, Pull
from rfstudio.engine.module.layers.module_table import LAYERS, layer_for

ActivationT_co = TypeVar("ActivationT_co", bound=ops.Activation, covariant=True)


def torch_function(op: ops.Activation) -> Callable[..., Tensor]:
    """Return the function of an activation in PyTorch, with its options."""
    home, name = op.torch_function.split(".")
    function: Callable[..., Tensor] = getattr({"torch": torch, "F": functional}[home], name)
    options = {x.name: getattr(op, x.name) for x in ops.parameters(type(op))}
    return partial(function, **options) if options else function


@LAYERS.family(ops.Activation)
class ActivationModule(Pointwise[ActivationT_co]):
    """An activation without weights."""

    def __init__(self, op: ActivationT_co, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        self._function = torch_function(op)

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return self._function(inputs[0])


@layer_for(ops.Relu)
class ReluModule(ActivationModule[ops.Relu | ops.Relu6]):
    """A rectifier, of which gradients need to know only what is open."""

    keeps = "gates"

    def gates(self, result: Tensor) -> Tensor:  # noqa: D102
        return result > 0

    def bind_pull(  # noqa: D102
        self, node: Node, sources: tuple[Part, ...], target: Part, channels: tuple[int, ...]
    ) -> Pull:
        del node, channels
        back = give_back(sources[0], target.box, sources[0])
        return lambda gradient, stored: [back(gradient * stored[0])]


@layer_for(ops.Relu6)
class Relu6Module(ReluModule):
    """A rectifier that is closed from 6 on, too."""

    def gates(self, result: Tensor) -> Tensor:  # noqa: D102
        return (result > 0) & (result < 6)


@layer_for(ops.Softmax)
class SoftmaxModule(Pointwise[ops.Softmax]):
    """The softmax over the channels of a position."""

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return torch.softmax(inputs[0], 1)


@layer_for(ops.ChannelShuffle)
class ChannelShuffleModule(Pointwise[ops.ChannelShuffle]):
    """The channels of all groups in turn."""

    keeps = "nothing"

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        (x,) = inputs
        batch, channels, *size = x.shape
        groups = self.op.groups
        return x.reshape(batch, groups, channels // groups, *size).transpose(1, 2).reshape(x.shape)


@layer_for(ops.ChannelSlice)
class ChannelSliceModule(Pointwise[ops.ChannelSlice]):
    """Some of the channels."""

    keeps = "nothing"

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        (x,) = inputs
        read = self.op.indices(x.shape[1])
        return x[:, read.start : read.stop : read.step]


@layer_for(ops.Identity, ops.Split)
class IdentityModule(Pointwise[ops.Identity | ops.Split]):
    """Nothing."""

    keeps = "nothing"

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return inputs[0]


@layer_for(ops.Affine)
class AffineModule(Pointwise[ops.Affine]):
    """A constant factor and shift."""

    keeps = "nothing"

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return inputs[0] * self.op.factor + self.op.shift


@layer_for(ops.LocalResponseNorm)
class LocalResponseNormModule(Pointwise[ops.LocalResponseNorm]):
    """Each channel divided by the energy of its neighbouring channels."""

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        op = self.op
        return functional.local_response_norm(inputs[0], op.size, op.alpha, op.beta, op.k)


@layer_for(ops.Dropout)
class DropoutModule(Pointwise[ops.Dropout]):
    """Random zeros while training; nothing in evaluation mode."""

    keeps = "nothing"

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return functional.dropout(inputs[0], self.op.p, self.training)


@layer_for(ops.Prelu)
class PreluModule(Pointwise[ops.Prelu]):
    """A learned slope below zero."""

    def __init__(self, op: ops.Prelu, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        self.weight = nn.Parameter(torch.full((op.num_parameters,), float(op.init)))

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return functional.prelu(inputs[0], self.weight)


@layer_for(ops.LayerScale)
class LayerScaleModule(Pointwise[ops.LayerScale]):
    """A learned factor and shift for each channel, or for all of them."""

    keeps = "nothing"

    def __init__(self, op: ops.LayerScale, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        count = 1 if op.shared else node.channels
        self.scale = nn.Parameter(torch.full((count,), float(op.init))) if op.scale else None
        self.shift = nn.Parameter(torch.zeros(count)) if op.shift else None

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        x = inputs[0]
        for_all = (-1, *(1,) * (x.dim() - 2))
        x = x if self.scale is None else x * self.scale.view(for_all)
        return x if self.shift is None else x + self.shift.view(for_all)


@layer_for(ops.LayerNorm)
class LayerNormModule(Pointwise[ops.LayerNorm]):
    """Normalisation of the channels of each position."""

    def __init__(self, op: ops.LayerNorm, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        affine = op.elementwise_affine
        self.eps = op.eps
        self.weight = nn.Parameter(torch.ones(node.channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(node.channels)) if affine else None

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        x = inputs[0].movedim(1, -1)
        return functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps).movedim(
            -1, 1
        )


@layer_for(ops.BatchNorm)
class BatchNormModule(Pointwise[ops.BatchNorm]):
    """Normalisation by running statistics, or by those of the batch in training mode."""

    keeps = "nothing"
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, op: ops.BatchNorm, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        channels = node.channels
        self.eps = op.eps
        self.weight = nn.Parameter(torch.ones(channels)) if op.affine and op.scale else None
        self.bias = nn.Parameter(torch.zeros(channels)) if op.affine else None
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.long))
        self.warming = False
        self.shares: tuple[Tensor, ...] = ()  # of each position along each axis, while warming
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
        mean, variance = _weighted(x, self.shares) if self.shares else _statistics(x)
        self.running_mean.copy_(mean)
        # A channel that is the same everywhere is not divided by what rounding has made of it.
        least = (8 * torch.finfo(x.dtype).eps * mean).square()
        self.running_var.copy_(torch.where(variance > least, variance, 1.0))
        self.num_batches_tracked.fill_(1)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and unbiased variance of each channel."""
    x = x.detach()
    count = x.numel() // max(x.shape[1], 1)
    if count < 2:  # one value has no variance, and none would be a division by next to nothing
        mean = x.movedim(1, 0).flatten(1).mean(1)
        return mean, torch.ones_like(mean)
    if x.device.type == "cpu":  # where `var` is ten times as slow as this
        mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)
        return mean, variance * (count / (count - 1))
    axes = (0, *range(2, x.dim()))
    variance, mean = torch.var_mean(x, axes)
    return mean, variance


def _weighted(x: Tensor, shares: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Return the same where positions count differently.

    Parameters
    ----------
    x
        (N, C, *size).
    shares
        For each axis the share of each position, their sum being 1.
    """
    weights = torch.ones(len(x), dtype=torch.float64) / len(x)
    for along in shares:
        weights = torch.outer(weights, along.double()).flatten()
    values = x.detach().movedim(1, -1).flatten(0, -2)
    of_each = weights.to(values)
    mean = of_each @ values
    variance = of_each @ (values - mean).square_()
    # As many values as equal weights would give the same error.
    return mean, variance / (1 - float(weights.square().sum()))


@layer_for(ops.Add)
class AddModule(Pointwise[ops.Add]):
    """The sum of maps."""

    keeps = "nothing"

    def bind_pull(  # noqa: D102
        self, node: Node, sources: tuple[Part, ...], target: Part, channels: tuple[int, ...]
    ) -> Pull:
        del node, channels
        backs = [give_back(source, target.box, source) for source in sources]
        return lambda gradient, _: [back(gradient) for back in backs]

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        result = inputs[0]
        for other in inputs[1:]:
            result = result + other
        return result


@layer_for(ops.Multiply)
class MultiplyModule(Pointwise[ops.Multiply]):
    """The product of maps."""

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        result = inputs[0]
        for other in inputs[1:]:
            result = result * other
        return result


@layer_for(ops.Concat)
class ConcatModule(Pointwise[ops.Concat]):
    """The channels of maps, one after the other."""

    keeps = "nothing"

    def bind_pull(  # noqa: D102
        self, node: Node, sources: tuple[Part, ...], target: Part, channels: tuple[int, ...]
    ) -> Pull:
        del node
        backs = [give_back(source, target.box, source) for source in sources]
        starts = list(accumulate(channels, initial=0))
        return lambda gradient, _: [
            back(gradient[:, start : start + n])
            for back, start, n in zip(backs, starts, channels, strict=False)
        ]

    def apply_to(self, inputs: list[Tensor]) -> Tensor:  # noqa: D102
        return torch.cat(inputs, 1)
