"""Fully connected layers, and the flattening that comes before them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Self

from rfstudio.core.layer_models.autocorrelation import dropped
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import random_sums
from rfstudio.core.ops.operation import Costs, Free, ToOne
from rfstudio.core.ops.values import BIAS_TEXT, Kind, parameter


@dataclass(frozen=True, slots=True)
class Flatten(Free, ToOne):
    """Positions become channels."""

    keyword: ClassVar[str] = "flatten"
    title: ClassVar[str] = "Flatten"
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return channels[0] * prod(sizes)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        out = [(n * place.positions_in, x) for n, x in runs]
        return Layer(spreading(place.rules, correlation=dropped), tuple(out))


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear(ToOne):
    """A fully connected layer over all positions and channels."""

    keyword: ClassVar[str] = "linear"
    title: ClassVar[str] = "Fully connected"
    weighted: ClassVar[bool] = True
    keeps_weights: ClassVar[bool] = False

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

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """(E16) M_in = 2 C_out/(C_in N) Σ M at all N positions; s → 2 s, k → 2 k."""
        factor = 2.0 * place.channels / max(place.channels_in * prod(place.size_in), 1)
        out = random_sums(average(runs), 2.0)
        return Layer(spreading(place.rules, factor, correlation=dropped), ((place.channels, out),))
