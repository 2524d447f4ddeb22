"""Gates: channels weighted by a small network of the map."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from rfstudio.core.errors import OpError
from rfstudio.core.initialisations import fans_of_matrix
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import scaled
from rfstudio.core.normal_distribution import quantiles
from rfstudio.core.ops.operation import Costs, Mixing
from rfstudio.core.ops.values import Kind, parameter

_CLOSED = 700.0
"""Where a sigmoid is 0 to all digits, and its exponential is still a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqueezeExcite(Mixing):
    """Channels reweighted by a small network of their means over the map."""

    keyword: ClassVar[str] = "squeeze_excite"
    title: ClassVar[str] = "Squeeze and excite"
    weighted: ClassVar[bool] = False

    reduction: int = parameter(Kind.INTEGER, "Channels over hidden channels.", 16, minimum=1)
    squeeze_channels: int | None = parameter(
        Kind.INTEGER, "Hidden channels, instead of by reduction; empty: by it.", None, minimum=1
    )
    activation: str = parameter(
        Kind.CHOICE, "Activation of the hidden channels.", "relu", choices=("relu", "silu")
    )
    scale_activation: str = parameter(
        Kind.CHOICE, "What makes the gates.", "sigmoid", choices=("sigmoid", "hardsigmoid")
    )

    def hidden_channels(self, channels: int) -> int:
        """Return the number of hidden channels."""
        return self.squeeze_channels or channels // self.reduction

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        if self.squeeze_channels is None and channels[0] < self.reduction:
            raise OpError(f"reduction {self.reduction} leaves no channel of {channels[0]}")
        return channels[0]

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        hidden = self.hidden_channels(channels)
        return Costs(2 * channels * hidden + hidden + channels, 2 * channels * hidden)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return the layer of a gate from the mean over N positions.

        (E24) M_in = E[gate²] M + b E[gate′²] s ΣM/N².  The gate's input has the variance b mean²,
        b = 2 of He's weights: mean → ×2 → rectifier → ×2 → sigmoid.
        """
        positions = place.positions_in
        x = average(runs)
        channels, hidden = place.channels, max(self.hidden_channels(place.channels), 1)
        shapes = fans_of_matrix(hidden, channels), fans_of_matrix(channels, hidden)
        both = prod([place.init.squares(x) for x in shapes]) / 2
        inside = both * (x.shared + x.variance / positions)
        z = quantiles(64) * inside**0.5
        if self.scale_activation == "hardsigmoid":
            gate = (z / 6 + 0.5).clip(0, 1)
            slope_square = float((abs(z) < 3).mean()) / 36
        else:
            gate = 1.0 / (1.0 + np.exp(np.minimum(-z, _CLOSED)))
            slope_square = float(((gate * (1 - gate)) ** 2).mean())
        open_square = float((gate**2).mean())
        each = both * slope_square * x.square / positions**2
        return Layer(
            spreading(place.rules, each, keep=open_square),
            tuple([(n, scaled(y, open_square**0.5)) for n, y in runs]),
            "squeeze-and-excite is modelled with gates independent of what they scale",
            correlates=True,
        )
