"""Subjects of a measurement: one unit of a network, to evaluate or differentiate at images."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from rfstudio.core import ops
from rfstudio.core.network.graph import Graph, Node
from rfstudio.engine.measuring.changes import Changer, Reached, Whole
from rfstudio.engine.measuring.estimators import SIGNED, response
from rfstudio.engine.measuring.sampling import signs
from rfstudio.engine.module.boxes import Box, Span
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.cone import Plan, input_of, macs_of, unit_box
from rfstudio.engine.module.folding import order_for_speed
from rfstudio.engine.module.foreign_code import told_in_words
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.requests.request import Activation, ErfRequest

_WORTH_CUTTING = 0.97
"""Share of the full network's work above which evaluating only the cone does not pay."""

_WORTH_REACHING = 1e8
"""Multiply-adds of a cone above which it pays to evaluate only what a change reaches."""

_WORTH_REUSING = 0.6
"""Share of the cone's work above which that does not pay."""


def target_of(graph: Graph, index: int, activation: Activation) -> int:
    """Return the node that is measured: the layer, or the map before or after its activation.

    "after" continues over batch norm to the activation that is the layer's only reader; "before"
    goes back from an activation to what it reads.  Without such a node, the layer itself is
    measured.
    """
    nodes = graph.nodes
    if activation == "before":
        return nodes[index].inputs[0] if isinstance(nodes[index].op, ops.Activation) else index
    if activation == "after" and not isinstance(nodes[index].op, ops.Activation):
        place = index
        while True:
            readers = [x for x in nodes[place + 1 :] if place in x.inputs]
            if len(readers) != 1:
                return index
            if isinstance(readers[0].op, ops.Activation):
                return readers[0].index
            if not isinstance(readers[0].op, ops.BatchNorm):
                return index
            place = readers[0].index
    return index


class Subject:
    """One unit of a network.

    Parameters
    ----------
    request
        What is measured.
    like
        Any tensor on the device and in the precision of the network, which may have no weights.

    Attributes
    ----------
    box
        The pixels that are evaluated; no other pixel has any effect.
    macs, numbers
        Multiply-adds and values of one evaluation.
    """

    box: Box
    macs: int
    numbers: int

    def __init__(self, request: ErfRequest, like: Tensor) -> None:
        self.request = request
        self._like = like

    def evaluate(self, pixels: Tensor) -> Tensor:
        """Return the unit's channels, (N, C), for the box's pixels (N, C_in, *box)."""
        raise NotImplementedError

    def crop(self, images: Tensor) -> Tensor:
        """Return the box of images, on the device and in the precision of the network."""
        raise NotImplementedError

    def changer(self, pixels: Tensor, spans: Sequence[Sequence[Span]]) -> Changer:
        """Return an object that evaluates the unit after changes of patches of one image.

        Parameters
        ----------
        pixels
            The box of the image, (1, C_in, *box).
        spans
            The spans along each axis that patches have, in samples of the box.
        """
        del spans
        return Whole(self.evaluate, pixels, self.macs, self.numbers)

    def weighting(self, indices: Sequence[int], channels: int) -> Tensor:
        """Return the factor of each channel in the response of each sample, (N, channels)."""
        request = self.request
        if request.channel is not None:
            chosen = torch.zeros(len(indices), channels)
            chosen[:, request.channel] = 1
            return chosen
        if request.estimator in SIGNED:
            return torch.stack([signs(request.seed, i, channels) for i in indices])
        return torch.ones(len(indices), channels)

    def gradient(self, images: Tensor, indices: Sequence[int]) -> Tensor:
        """Return the gradient of each sample's response by the box's pixels, (N, C_in, *box)."""
        return self.differentiate(self.crop(images), indices)

    def differentiate(self, pixels: Tensor, indices: Sequence[int]) -> Tensor:
        """Return the gradient of each sample's response by its pixels, those of the box."""
        pixels = pixels.detach().requires_grad_()
        if pixels.numel() == 0:
            return torch.zeros_like(pixels)
        values = self.evaluate(pixels)
        factors = self.weighting(indices, values.shape[1]).to(values)
        scalar = response(values, factors, self.request.estimator)
        if not scalar.requires_grad:  # the unit reads nothing but padding
            return torch.zeros_like(pixels)
        (gradient,) = torch.autograd.grad(scalar, pixels, allow_unused=True)
        return self.unreached(pixels) if gradient is None else gradient

    def unreached(self, pixels: Tensor) -> Tensor:
        """Return the zero gradient of a unit that depends on no pixel."""
        return torch.zeros_like(pixels)

    def seed(self, values: Tensor, indices: Sequence[int]) -> Tensor:
        """Return the gradient of each sample's response by the unit's channels, (N, C)."""
        values = values.detach().requires_grad_()
        factors = self.weighting(indices, values.shape[1]).to(values)
        with torch.enable_grad():
            scalar = response(values, factors, self.request.estimator)
        (gradient,) = torch.autograd.grad(scalar, values)
        return gradient


class ConeSubject(Subject):
    """A unit of a network that was built here, evaluated in its cone if that is less work.

    Attributes
    ----------
    cone
        The box of every map that the unit needs.
    plan
        What is evaluated: the cone, or the full image.
    """

    def __init__(
        self,
        module: GraphModule,
        request: ErfRequest,
        unit: tuple[int, ...],
        size: tuple[int, ...],
        like: Tensor,
    ) -> None:
        super().__init__(request, like)
        self.module = module
        self.cone = module.plan(size, unit_box(unit))
        self.plan = self._chosen(unit, size)
        self.box = self.plan.input.box
        self.macs, self.numbers = self.plan.macs, self.plan.numbers
        self._layout = order_for_speed(module)

    def _chosen(self, unit: tuple[int, ...], size: tuple[int, ...]) -> Plan:
        cone, method = self.cone, self.request.method
        if method == "cone":
            return cone
        if method == "auto" and cone.macs <= _WORTH_CUTTING * self._least_of_whole(size):
            return cone
        full = self.module.plan(size, unit_box(unit), full=True)
        if method == "full" or cone.macs > _WORTH_CUTTING * full.macs > 0:
            return full
        return cone

    def _least_of_whole(self, size: tuple[int, ...]) -> int:
        """Return a lower bound of the full image's cost, without making a plan for each unit."""
        whole, target = self.module.plan(size), self.module.target
        if target == 0:
            return 0
        return whole.macs - macs_of(self.module.graph_at(size), target, whole.target)

    def crop(self, images: Tensor) -> Tensor:  # noqa: D102
        return self.settled(input_of(self.plan, images))

    def settled(self, pixels: Tensor) -> Tensor:
        """Return pixels on the device, in the precision and in the layout of the network."""
        return pixels.to(self._like).contiguous(memory_format=self._layout)

    def evaluate(self, pixels: Tensor) -> Tensor:  # noqa: D102
        return self.plan.run(pixels).flatten(1)

    def changer(self, pixels: Tensor, spans: Sequence[Sequence[Span]]) -> Changer:  # noqa: D102
        layers = self.module.by_index
        alike = all(layers[x.index].reads_alike for x in self.plan.steps)
        if self.macs >= _WORTH_REACHING and alike:
            graph = self.module.graph_at(self.plan.input.size)
            reached = Reached(graph, layers, self.plan, pixels, spans)
            if reached.macs < _WORTH_REUSING * self.macs:
                return reached
        return super().changer(pixels, spans)


class WholeSubject(Subject):
    """A unit of any module that maps (N, C, *size) to (N, K, *map), on full images."""

    def __init__(
        self,
        module: nn.Module,
        request: ErfRequest,
        unit: tuple[int, ...],
        layer: Node,
        size: tuple[int, ...],
        like: Tensor,
    ) -> None:
        super().__init__(request, like)
        self._module = module
        self._unit = unit
        self._layer = layer
        self.box = tuple((0, n) for n in size)
        # The module is unknown; a deep network stores a hundred values per pixel or more.
        self.macs, self.numbers = 10**9, 100 * prod(size)

    def crop(self, images: Tensor) -> Tensor:  # noqa: D102
        return images.to(self._like)

    def evaluate(self, pixels: Tensor) -> Tensor:  # noqa: D102
        with told_in_words(self._module, "its forward pass fails"):
            # A copy, since the first layer may change its input in place.
            values: object = self._module(pixels.clone())
        layer = self._layer
        if not isinstance(values, Tensor):
            raise MeasurementError(
                f"the module returns a {type(values).__name__}, not a tensor; wrap it in one that "
                f"returns the map of '{layer.name}'"
            )
        wanted = (len(pixels), layer.channels, *layer.size)
        if tuple(values.shape) != wanted:
            raise MeasurementError(
                f"the module gives {_words(values.shape)} values for {len(pixels)} images of "
                f"{_words(pixels.shape[2:])}, but the map of '{layer.name}' has {_words(wanted)}; "
                "it must give the map of the layer that is measured, image by image"
            )
        if pixels.requires_grad and torch.is_grad_enabled() and not values.requires_grad:
            raise _without_gradients()
        where: Any = (slice(None), slice(None), *self._unit)
        result: Tensor = values[where]
        return result

    def differentiate(self, pixels: Tensor, indices: Sequence[int]) -> Tensor:  # noqa: D102
        with told_in_words(self._module, "its gradient fails"):
            return super().differentiate(pixels, indices)

    def unreached(self, pixels: Tensor) -> Tensor:  # noqa: D102
        # Something on the way to the pixels is detached, although later layers have gradients.
        del pixels
        raise _without_gradients()


def _without_gradients() -> MeasurementError:
    return MeasurementError(
        "the module passes no gradients: it computes under no_grad, detaches or rounds; "
        "remove that, or measure by occlusion"
    )


def _words(size: Sequence[int]) -> str:
    return "×".join(map(str, size)) or "no axes"
