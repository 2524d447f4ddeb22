"""Deformable convolutions: each tap reads between samples, where its offset moves it.

Offsets are maps of further layers, or of a convolution that a file of weights has beside the
layer's own; without any, taps stay where they are, as before any training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod

import torch
from torch import Tensor

from rfstudio.core import ops
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import padding_per_axis, resolved_padding, window_of, window_rules
from rfstudio.engine.module.boxes import Box, Part, fetch
from rfstudio.engine.module.layers.base import Evaluate, LayerModule, Pull, read_box
from rfstudio.engine.module.layers.module_table import layer_for
from rfstudio.engine.module.layers.sliding_window import ConvModule, CustomModule

Moves = Callable[[list[Tensor]], tuple[Tensor, Tensor | None]]
"""Returns offsets and mask, each (N, channels, *extent), from the inputs of a layer."""

Weights = tuple[Tensor, Tensor | None]
"""Weight and bias of a convolution."""


@layer_for(ops.DeformConv)
class DeformConvModule(ConvModule):
    """A deformable convolution of one map, or of a map, its offsets and perhaps a mask.

    Attributes
    ----------
    has_sources
        Whether its offsets are maps of other layers.
    conv_offset, conv_mask
        What computes them from its map in a file of weights; None: nothing does.
    offset_count, mask_factor
        Channels of offsets that it computes by itself, after which may come those of the mask, and
        a factor of the mask's sigmoid.
    """

    def __init__(self, op: ops.DeformConv, node: Node, sources: Sequence[Node]) -> None:
        super().__init__(op, node, sources)
        self.has_sources = len(sources) > 1
        self.conv_offset: ConvModule | None = None
        self.conv_mask: ConvModule | None = None
        self.offset_count, self.mask_factor = 0, 1.0
        self.channels = sources[0].channels
        if self.has_sources:
            self.keeps, self.reads_alike = "inputs", False

    @property
    def moves(self) -> bool:
        """Whether anything computes offsets."""
        return self.has_sources or self.conv_offset is not None

    def take_offsets(
        self, node: Node, count: int, offset: Weights, mask: Weights | None, mask_factor: float
    ) -> None:
        """Compute offsets, and a mask, by convolutions of its own map from now on.

        Parameters
        ----------
        node
            Its node.
        count
            Channels of the offsets; further ones are those of the mask before its sigmoid.
        offset, mask
            Weights (channels, C, *kernel) and biases of the convolutions.
        mask_factor
            Factor of the sigmoid of the mask.
        """
        self.conv_offset = self._beside(node, *offset)
        self.conv_mask = None if mask is None else self._beside(node, *mask)
        self.offset_count, self.mask_factor = count, mask_factor
        self.keeps = "inputs"

    def _beside(self, node: Node, weight: Tensor, bias: Tensor | None) -> ConvModule:
        """Return a convolution of the layer's map, whose windows have the same centres."""
        made, _, *kernel = weight.shape
        own, stride, dilation = window_of(self.op, len(kernel))
        padding = self.op.padding
        if not isinstance(padding, str):
            pads = padding_per_axis(padding, len(kernel))
            spare = [d * (k - n) // 2 for k, n, d in zip(own, kernel, dilation, strict=True)]
            padding = tuple((a - x, b - x) for (a, b), x in zip(pads, spare, strict=True))
        op = ops.Conv(
            kernel_size=tuple(kernel),
            stride=stride,
            padding=padding,
            dilation=dilation,
            out_channels=made,
            bias=bias is not None,
        )
        source = node._replace(channels=self.channels)
        conv = ConvModule(op, node._replace(channels=made), [source]).to(self.weight)
        with torch.no_grad():
            conv.weight.copy_(weight)
            if bias is not None and conv.bias is not None:
                conv.bias.copy_(bias)
        return conv.requires_grad_(requires_grad=False)

    def reads(self, node: Node, box: Box) -> Box:  # noqa: D102
        if self.moves:
            return read_box(node.rules, box)
        # Offsets of zero read the window of a plain convolution.
        return read_box(window_rules(self.op, tuple(rule.n_in for rule in node.rules)), box)

    def reads_of_each(self, node: Node, box: Box) -> tuple[Box, ...]:  # noqa: D102
        others = (box,) * (len(node.inputs) - 1) if self.has_sources else ()
        return (self.reads(node, box), *others)

    def bind(self, node: Node, sources: tuple[Part, ...], target: Part) -> Evaluate:  # noqa: D102
        if not self.moves:
            return super().bind(node, sources, target)
        op, source, extent = self.op, sources[0], target.extent
        assert isinstance(op, ops.DeformConv)
        axes, taps, groups, reach = len(extent), prod(self.taps), self.groups, op.max_offset
        shift = (1, -1, *(1,) * axes)
        if source.is_empty:  # all taps read padding
            return lambda inputs: self._nothing(inputs[0], extent)
        moves = self._bound_moves(node, sources, target)
        places = self._places(source, target)

        def evaluate(inputs: list[Tensor]) -> Tensor:
            x = inputs[0]
            count, channels = x.shape[:2]
            offsets, mask = moves(inputs)
            made = offsets.shape[1] // (axes * taps)
            # Offsets of a tap follow each other, axis by axis.
            moved = offsets.reshape(count, made, taps, axes, -1)
            if reach is not None:
                moved = within_reach(moved, reach)
            at = moved.movedim(3, 0) + places.to(moved)[:, None, None]
            parts = x.reshape(count, made, channels // made, *x.shape[2:])
            found = between_samples(parts, at.flatten(3))
            if mask is not None:
                found = found * mask.reshape(count, made, 1, -1)
            columns = found.reshape(count, groups, channels // groups * taps, -1)
            weight = self.weight.reshape(groups, len(self.weight) // groups, -1)
            result = (weight @ columns).reshape(count, -1, *extent)
            return result if self.bias is None else result + self.bias.view(shift)

        return evaluate

    def _nothing(self, x: Tensor, extent: Sequence[int]) -> Tensor:
        result = x.new_zeros((len(x), len(self.weight), *extent))
        return result if self.bias is None else result + self.bias.view(-1, *(1,) * len(extent))

    def bind_pull(  # noqa: D102
        self, node: Node, sources: tuple[Part, ...], target: Part, channels: tuple[int, ...]
    ) -> Pull:
        if self.moves:
            return LayerModule.bind_pull(self, node, sources, target, channels)
        return super().bind_pull(node, sources, target, channels)

    def _places(self, source: Part, target: Part) -> Tensor:
        """Return where taps are at rest, (axes, taps, outputs), in samples of the source's box."""
        axes = len(target.extent)
        kernel, stride, dilation = window_of(self.op, axes)
        along = []
        for axis, (before, _) in enumerate(resolved_padding(self.op, source.size)):
            start = source.box[axis][0] + before
            outputs = torch.arange(*target.box[axis]) * stride[axis] - start
            taps = torch.arange(kernel[axis]) * dilation[axis]
            line = [1] * (2 * axes)
            line[axis], line[axes + axis] = len(taps), len(outputs)
            along.append((taps[:, None] + outputs).reshape(line))
        shape = [*kernel, *target.extent]
        return torch.stack([x.expand(shape).reshape(prod(kernel), -1) for x in along]).double()

    def _bound_moves(self, node: Node, sources: tuple[Part, ...], target: Part) -> Moves:
        if self.has_sources:
            cuts = [fetch(x, target.box) for x in sources[1:]]

            def given(inputs: list[Tensor]) -> tuple[Tensor, Tensor | None]:
                found = [cut(x) for cut, x in zip(cuts, inputs[1:], strict=True)]
                return found[0], found[1] if len(found) > 1 else None

            return given
        offset, mask = (
            None if x is None else x.bind(node, sources, target)
            for x in (self.conv_offset, self.conv_mask)
        )
        assert offset is not None
        wanted, factor = self.offset_count, self.mask_factor

        def computed(inputs: list[Tensor]) -> tuple[Tensor, Tensor | None]:
            offsets, rest = offset(inputs).tensor_split((wanted,), 1)
            if mask is not None:
                rest = mask(inputs)
            return offsets, factor * rest.sigmoid() if rest.shape[1] else None

        return computed


@layer_for(ops.Deforming)
def _deforming(op: ops.Deforming, node: Node, sources: Sequence[Node]) -> DeformConvModule:
    """Return the module of a deformable convolution that reads its offsets."""
    return DeformConvModule(op.convolution, node, sources)


@layer_for(ops.DeformTaps)
def _taps(op: ops.DeformTaps, node: Node, sources: Sequence[Node]) -> CustomModule:
    """Return the module of what taps at rest read, without weights: their mean."""
    window = {x: getattr(op, x) for x in ("kernel_size", "stride", "padding", "dilation")}
    return CustomModule(ops.Custom(**window, out_channels=node.channels), node, sources)


def within_reach(offsets: Tensor, reach: int) -> Tensor:
    """Return offsets of at most `reach` samples; those cut off, or at its end, do not move."""
    inside = offsets.detach().abs() < reach
    return torch.where(inside, offsets, offsets.detach().clamp(-reach, reach))


def between_samples(maps: Tensor, places: Tensor) -> Tensor:
    """Return the values of maps between samples: linear along each axis, 0 outside the map.

    As `torchvision.ops.deform_conv2d` does, so at a sample the slope is that after it.

    Parameters
    ----------
    maps
        (N, groups, channels, *size).
    places
        (axes, N, groups, places), in samples.

    Returns
    -------
    Tensor
        (N, groups, channels, places).
    """
    size, flat = maps.shape[3:], maps.flatten(3)
    lower = places.detach().floor()
    shares = places - lower
    result = flat.new_zeros(())
    for corner in product((0, 1), repeat=len(size)):
        share = torch.ones_like(shares[0])
        inside = torch.ones_like(share, dtype=torch.bool)
        index = torch.zeros_like(share, dtype=torch.long)
        for axis, (n, upper) in enumerate(zip(size, corner, strict=True)):
            at = lower[axis] + upper
            share = share * (shares[axis] if upper else 1 - shares[axis])
            inside = inside & (at >= 0) & (at < n)
            index = index * n + at.nan_to_num().clamp(0, n - 1).long()
        # Not a number stays one, though it is nowhere.
        share = torch.where(inside, share, share * 0)[:, :, None]
        values = flat.gather(3, index[:, :, None].expand(-1, -1, flat.shape[2], -1))
        result = result + values * share
    return result
