"""Further inputs of a network, beside its first one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rfstudio.core.axes.axis_rule import AxisRules, Periodic
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs
from rfstudio.core.layer_models.moments import Moments
from rfstudio.core.ops.operation import Context, Free, Patternless
from rfstudio.core.ops.values import Kind, Sizes, parameter, per_axis, size_parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherInput(Free, Patternless):
    """An image of its own, as a layer that reads nothing of the first input.

    Fields with respect to it are those with its layer as the reference.
    """

    keyword: ClassVar[str] = "input"
    title: ClassVar[str] = "Input"
    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False
    expanded_only: ClassVar[bool] = True

    size: Sizes = size_parameter("Size along each axis.")
    channels: int = parameter(Kind.INTEGER, "Number of channels.", minimum=1)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        own = per_axis(self.size, len(sizes))
        return tuple([Periodic(n, m, 1, ((),)) for n, m in zip(sizes, own, strict=True)])

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return self.channels

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return a layer of standard normal values, through which nothing goes back."""
        return Layer(spreading(place.rules), ((self.channels, Moments(1.0)),))
