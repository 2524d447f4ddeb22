"""Tokens: a position embedding, and tokens without a position beside a map.

When a network is expanded, the tokens without a position (class token, registers) are a map of
their own beside that of the positions, through all layers that work position by position, with
the same weights; in attention they read and are read by everything.

References
----------
.. [1] Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021, arXiv:2010.11929.
.. [2] Darcet et al., "Vision transformers need registers", ICLR 2024, arXiv:2309.16588.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from rfstudio.core.axes.axis_rule import AxisRules, Periodic
from rfstudio.core.layer_models.backward import PASS, spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs
from rfstudio.core.layer_models.moments import Moments
from rfstudio.core.ops.operation import Context, Costs, KeepsChannels, Patternless, Pointwise
from rfstudio.core.ops.values import Kind, parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens(Pointwise):
    """Positions as tokens, with a learned embedding of each [1]_, beside tokens of no position.

    Those are read as the layer with ``extra`` after the name: ``tokens1.extra``, ``norm.extra``.
    """

    keyword: ClassVar[str] = "tokens"
    title: ClassVar[str] = "Tokens"

    extra: int = parameter(
        Kind.INTEGER, "Tokens without a position: class token, registers.", 0, minimum=0
    )
    position_embedding: bool = parameter(
        Kind.BOOLEAN,
        "Whether a learned constant is added at each position, and to each token.",
        True,
    )

    def text(self, axes: int) -> str:
        return f"{self.keyword} +{self.extra}" if self.extra else self.keyword

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(channels * prod(sizes) if self.position_embedding else 0, 0)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return Layer(PASS, runs)


@dataclass(frozen=True, slots=True)
class ExtraTokens(KeepsChannels, Patternless):
    """Learned tokens that read nothing, in a line along the first axis.

    Attributes
    ----------
    count
        How many.
    position_embedding
        Whether each has a learned constant beside itself.
    """

    keyword: ClassVar[str] = "extra"
    title: ClassVar[str] = "Tokens without a position"
    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False
    expanded_only: ClassVar[bool] = True

    count: int = parameter(Kind.INTEGER, "How many.", 1, minimum=1)
    position_embedding: bool = parameter(Kind.BOOLEAN, "Whether each has an embedding.", True)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        outs = (self.count, *(1,) * (len(sizes) - 1))
        return tuple([Periodic(n, m, 1, ((),)) for n, m in zip(sizes, outs, strict=True)])

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(out_channels * self.count * (2 if self.position_embedding else 1), 0)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return a layer of standard normal values, through which nothing goes back."""
        return Layer(spreading(place.rules), ((place.channels, Moments(1.0)),))
