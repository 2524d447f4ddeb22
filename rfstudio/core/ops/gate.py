"""Gates: channels weighted by a small network of the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rfstudio.core.errors import OpError
from rfstudio.core.ops.operation import Costs, Mixing
from rfstudio.core.ops.values import Kind, parameter


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
