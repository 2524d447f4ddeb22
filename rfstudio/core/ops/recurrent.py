"""Recurrent layers: along one axis each output reads all before it, or all after it, or both.

References
----------
.. [1] PyTorch 2 documentation of `torch.nn.LSTM`, `torch.nn.GRU` and `torch.nn.RNN`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from rfstudio.core.axes.axis_rule import AxisRules, Side, Whole, Window, as_mean
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.ops.operation import Context, Costs, Patternless, by_position
from rfstudio.core.ops.values import Kind, parameter

_GATES = {"lstm": 4, "gru": 3, "rnn": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrent(Patternless):
    """An LSTM, GRU or plain recurrent layer along one axis; every other axis is a batch of such."""

    keyword: ClassVar[str] = "recurrent"
    title: ClassVar[str] = "Recurrent layer"
    context: ClassVar[Context] = Context.WHOLE
    weighted: ClassVar[bool] = True
    keeps_weights: ClassVar[bool] = False

    kind: str = parameter(
        Kind.CHOICE, "What passes from step to step.", "lstm", choices=("lstm", "gru", "rnn")
    )
    hidden: int | None = parameter(
        Kind.INTEGER,
        "Channels of the state, for each direction; empty: as many as the input has.",
        None,
        minimum=1,
    )
    bidirectional: bool = parameter(
        Kind.BOOLEAN, "Whether a second layer goes backwards; its channels come behind.", False
    )
    reverse: bool = parameter(Kind.BOOLEAN, "Whether the one layer goes backwards.", False)
    axis: int | None = parameter(
        Kind.INTEGER, "Axis along which it runs, from 0; empty: the last.", None, minimum=0
    )

    def along(self, axes: int) -> int:
        """Return the axis along which it runs, in a network of so many."""
        return axes - 1 if self.axis is None else min(self.axis, axes - 1)

    @property
    def side(self) -> Side:
        """What of its axis an output reads."""
        if self.bidirectional:
            return "both"
        return "after" if self.reverse else "before"

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        along = self.along(len(sizes))
        return tuple(
            Whole(n, n, side=self.side) if axis == along else Window(n, n)
            for axis, n in enumerate(sizes)
        )

    def local_rules(self, rules: AxisRules) -> AxisRules:
        return by_position(rules)

    def misfit(self, sizes: tuple[int, ...]) -> str:
        if self.axis is not None and self.axis >= len(sizes):
            return f"axis {self.axis} is not there; axes count from 0 to {len(sizes) - 1}"
        if self.bidirectional and self.reverse:
            return "bidirectional and reverse exclude each other; take one of them away"
        return ""

    def state(self, channels: int) -> int:
        """Return the channels of the state of one direction."""
        return channels if self.hidden is None else self.hidden

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return self.state(channels[0]) * (2 if self.bidirectional else 1)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        state, gates = self.state(channels), _GATES[self.kind]
        ways = 2 if self.bidirectional else 1
        weights = ways * gates * state * (channels + state)
        return Costs(weights + ways * gates * state * 2, weights * prod(sizes))

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return the layer as if an output were as many means over all that it reads."""
        factor = place.channels / max(place.channels_in, 1)
        rules = tuple([as_mean(x) for x in place.rules])
        return Layer(
            spreading(rules, factor, power=1),
            ((place.channels, average(runs)),),
            "a recurrent layer is taken to read its whole past alike, however its gates forget",
            correlates=True,
        )
