"""Fully connected layers, and the flattening that comes before them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Self

from rfstudio.core.ops.operation import Costs, Free, ToOne
from rfstudio.core.ops.values import BIAS_TEXT, Kind, parameter


@dataclass(frozen=True, slots=True)
class Flatten(Free, ToOne):
    """Positions become channels."""

    keyword: ClassVar[str] = "flatten"
    title: ClassVar[str] = "Flatten"
    weighted: ClassVar[bool] = False

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return channels[0] * prod(sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear(ToOne):
    """A fully connected layer over all positions and channels."""

    keyword: ClassVar[str] = "linear"
    title: ClassVar[str] = "Fully connected"
    weighted: ClassVar[bool] = True

    out_features: int = parameter(Kind.INTEGER, "Number of outputs.", minimum=1)
    bias: bool = parameter(Kind.BOOLEAN, BIAS_TEXT, True)

    @classmethod
    def usual(cls) -> Self:
        return cls(out_features=1000)

    def text(self, axes: int) -> str:
        return f"{self.keyword} {self.out_features}"

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return self.out_features

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        weights = channels * prod(sizes) * out_channels
        return Costs(weights + (out_channels if self.bias else 0), weights)
