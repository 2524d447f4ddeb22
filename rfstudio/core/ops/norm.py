"""Norms and scales: over the map, over the channels of a position, or by running statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRules
from rfstudio.core.errors import OpError
from rfstudio.core.ops.operation import (
    NO_COSTS,
    Context,
    Costs,
    Free,
    Mixing,
    Pointwise,
    whole_rules,
)
from rfstudio.core.ops.values import GREATEST, STEEPEST, Kind, parameter

_EPS = "Added to the variance."
_AFFINE = "Whether scale and shift are learned."


class MapNorm(Mixing):
    """A norm whose statistics run over the map, at inference too."""

    __slots__ = ()

    weighted: ClassVar[bool] = False

    eps: float
    affine: bool

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(2 * channels, 0) if self.affine else NO_COSTS

    def group_count(self, channels: int) -> int:
        """Return the number of groups of channels that are normalised together."""
        return channels


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceNorm(MapNorm):
    """Normalisation of each channel by its mean and variance over the map."""

    keyword: ClassVar[str] = "instance_norm"
    title: ClassVar[str] = "Instance normalisation"

    eps: float = parameter(Kind.NUMBER, _EPS, 1e-5, minimum=0, maximum=GREATEST)
    affine: bool = parameter(Kind.BOOLEAN, _AFFINE, False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNorm(MapNorm):
    """Normalisation of groups of channels by their mean and variance over the map."""

    keyword: ClassVar[str] = "group_norm"
    title: ClassVar[str] = "Group normalisation"

    num_groups: int = parameter(Kind.INTEGER, "Number of channel groups.", minimum=1)
    eps: float = parameter(Kind.NUMBER, _EPS, 1e-5, minimum=0, maximum=GREATEST)
    affine: bool = parameter(Kind.BOOLEAN, _AFFINE, True)

    @classmethod
    def usual(cls) -> Self:
        return cls(num_groups=1)

    def group_count(self, channels: int) -> int:
        return self.num_groups

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        if channels[0] % self.num_groups:
            raise OpError(f"{self.num_groups} groups do not divide {channels[0]} channels")
        return channels[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNorm(Pointwise):
    """Normalisation of the channels of each position."""

    keyword: ClassVar[str] = "layer_norm"
    title: ClassVar[str] = "Layer normalisation"
    followed_apart: ClassVar[bool] = True

    eps: float = parameter(Kind.NUMBER, _EPS, 1e-5, minimum=0, maximum=GREATEST)
    elementwise_affine: bool = parameter(Kind.BOOLEAN, _AFFINE, True)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(2 * channels, 0) if self.elementwise_affine else NO_COSTS


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerScale(Pointwise):
    """Each channel times a learned factor: LayerScale of arXiv:2103.17239."""

    keyword: ClassVar[str] = "layer_scale"
    title: ClassVar[str] = "Layer scale"
    followed_apart: ClassVar[bool] = True

    init: float = parameter(Kind.NUMBER, "Factor at the start.", 1e-6, minimum=0, maximum=STEEPEST)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(channels, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalResponseNorm(Free, Pointwise):
    """Each channel divided by the energy of its neighbouring channels."""

    keyword: ClassVar[str] = "local_response_norm"
    title: ClassVar[str] = "Local response normalisation"

    size: int = parameter(Kind.INTEGER, "Number of neighbouring channels.", 5, minimum=1)
    alpha: float = parameter(
        Kind.NUMBER, "Weight of the energy.", 1e-4, minimum=0, maximum=GREATEST
    )
    beta: float = parameter(Kind.NUMBER, "Exponent.", 0.75, minimum=0, maximum=10)
    k: float = parameter(Kind.NUMBER, "Added to the energy.", 1.0, minimum=1e-6, maximum=GREATEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNorm(Pointwise):
    """Normalisation of each channel by running statistics (inference)."""

    keyword: ClassVar[str] = "batch_norm"
    title: ClassVar[str] = "Batch normalisation"
    context: ClassVar[Context] = Context.STATISTICS
    mixes_in_training: ClassVar[bool] = True
    followed_apart: ClassVar[bool] = True

    eps: float = parameter(Kind.NUMBER, _EPS, 1e-5, minimum=0, maximum=GREATEST)
    momentum: float = parameter(
        Kind.NUMBER, "Share of a batch in the statistics.", 0.1, minimum=0, maximum=1
    )
    affine: bool = parameter(Kind.BOOLEAN, _AFFINE, True)
    scale: bool = parameter(
        Kind.BOOLEAN, "Whether affine has a learned scale, besides the shift.", True
    )

    def training_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        return whole_rules(sizes)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(channels * (1 + self.scale), 0) if self.affine else NO_COSTS
