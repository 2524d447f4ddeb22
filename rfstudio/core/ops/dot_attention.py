"""Attention whose queries, keys and values are made by other layers.

Networks that are imported have it between the layers of their projections: the map that it reads
then holds queries, keys and values, a third of the channels each, in that order.

References
----------
.. [1] Vaswani et al., "Attention is all you need", NIPS 2017, arXiv:1706.03762, section 3.2.1.
.. [2] Liu et al., "Swin transformer", ICCV 2021, arXiv:2103.14030 (windows, biases of offsets).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Whole, Window, as_mean
from rfstudio.core.errors import OpError
from rfstudio.core.initialisations import Initialisation
from rfstudio.core.layer_models.backward import PASS, spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import Moments, concentration
from rfstudio.core.ops.attention import EQUAL_TOKENS, pairs_in_windows, window_rule
from rfstudio.core.ops.operation import Context, Costs, Demands, Operation, by_position
from rfstudio.core.ops.several_maps import Attending
from rfstudio.core.ops.values import (
    Kind,
    Sizes,
    parameter,
    per_axis,
    size_parameter,
    text_per_axis,
)

_HEADS = "Number of attention heads."
_STACKED = (
    "Whether queries, keys and values are a third of the channels each; otherwise the map is each."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DotProductAttention(Operation):
    """softmax(q kᵀ/√d) v [1]_ of a map that holds q, k and v, over all of it or in windows [2]_.

    If it is not stacked, the map is each of the three.
    """

    keyword: ClassVar[str] = "dot_product_attention"
    title: ClassVar[str] = "Attention without projections"
    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

    heads: int = parameter(Kind.INTEGER, _HEADS, 1, minimum=1)
    stacked: bool = parameter(Kind.BOOLEAN, _STACKED, False)
    window_size: Sizes | None = size_parameter(
        "Size of a window along each axis; empty: the whole map.", None
    )
    shift_size: Sizes = parameter(
        Kind.SIZES, "Windows start at shift_size plus multiples of window_size.", 0, minimum=0
    )
    relative_position_bias: bool = parameter(
        Kind.BOOLEAN, "Whether each head has a learned bias for each offset in a window.", False
    )

    def _check(self) -> None:
        if self.window_size is None and (self.relative_position_bias or self.shift_size != 0):
            raise OpError("shift_size and relative_position_bias need a window_size")

    def text(self, axes: int) -> str:
        if self.window_size is None:
            return self.keyword
        return f"{self.keyword} {text_per_axis(self.window_size, axes)}"

    def windows(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the size of a window along each axis of a map."""
        return sizes if self.window_size is None else per_axis(self.window_size, len(sizes))

    def starts(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Return how far before sample 0 the first window starts along each axis of a map."""
        shifts = per_axis(self.shift_size, len(sizes))
        return tuple([-x % max(w, 1) for w, x in zip(self.windows(sizes), shifts, strict=True)])

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        rules: list[AxisRule] = []
        for n, w, start in zip(sizes, self.windows(sizes), self.starts(sizes), strict=True):
            if w <= 1:
                rules.append(Window(n, n))
            elif w >= n and start == 0:
                rules.append(Whole(n, n))
            else:
                rules.append(window_rule(n, w, start))
        return tuple(rules)

    def local_rules(self, rules: AxisRules) -> AxisRules:
        return by_position(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        if self.window_size is None:
            return [(0, 0)] * len(sizes)
        return [(0, 8 * w * w) for w in per_axis(self.window_size, len(sizes))]

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return attended_channels(channels[0], self.heads, stacked=self.stacked)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        windows = self.windows(sizes)
        bias = self.heads * prod([2 * w - 1 for w in windows]) if self.relative_position_bias else 0
        sides = zip(sizes, windows, self.starts(sizes), strict=True)
        pairs = prod([pairs_in_windows(n, w, start) if n else 0 for n, w, start in sides])
        return Costs(bias, 2 * pairs * out_channels)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return the layer of attention among T tokens without weights of its own.

        As (E26) with a = o = 1, spread over the C′ channels of q, k and v: of logits of variance
        λ = s (s − k), M_in = C/C′ · (λ l/T · M + (v + λ l) ΣM/T²); s → k + (s − k) min(v/T, 1).
        """
        x = average(runs)
        tokens = max(min(prod(self.windows(place.size_in)), place.positions_in), 1)
        width = max(place.channels // self.heads, 1)
        logits = x.square * x.variance
        peaked, moved = concentration(float(tokens), float(f"{logits:.3g}"), width)
        share = place.channels / max(place.channels_in, 1)
        mixed = x.shared + x.variance * min(peaked / tokens, 1.0)
        return Layer(
            spreading(
                tuple([as_mean(rule) for rule in place.rules]),
                share * (peaked + logits * moved),
                power=2,
                keep=share * logits * moved / tokens,
            ),
            ((place.channels, Moments(mixed, x.shared)),),
            EQUAL_TOKENS,
            correlates=True,
        )


def attended_channels(channels: int, heads: int, *, stacked: bool) -> int:
    """Return the channels of attention of a map.

    Raises
    ------
    OpError
        If so many channels cannot be divided among heads, or among queries, keys and values.
    """
    sides = 3 if stacked else 1
    if channels % (sides * heads):
        of_sides = ", each for queries, keys and values," if stacked else ""
        raise OpError(f"{heads} heads{of_sides} do not divide {channels} channels")
    return channels // sides


@dataclass(frozen=True, slots=True)
class DotProductAttending(Attending):
    """The same beside a map that holds queries, keys and values of all tokens as channels.

    Attributes
    ----------
    heads, stacked
        As there.
    parts
        Numbers of tokens of the maps whose tokens follow each other.
    """

    keyword: ClassVar[str] = "dot_product_attention"
    title: ClassVar[str] = "Attention without projections"
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False
    expanded_only: ClassVar[bool] = True

    heads: int = parameter(Kind.INTEGER, _HEADS, 1, minimum=1)
    stacked: bool = parameter(Kind.BOOLEAN, _STACKED, False)
    parts: tuple[int, ...] = parameter(Kind.INTEGERS, "Numbers of tokens.", (1,), minimum=1)

    @property
    def keys(self) -> int:
        """Number of tokens that are read."""
        return sum(self.parts)

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return attended_channels(channels[0], self.heads, stacked=self.stacked)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(0, 2 * prod(sizes) * self.keys * out_channels)

    def attending_model(self, sources: Sequence[Runs], init: Initialisation) -> Layer:
        """Return its layer: as (E38) with weights of 1, over the channels of q, k and v."""
        asking, keys = (average(x) for x in sources)
        sides = 3 if self.stacked else 1
        channels = sum(n for n, _ in sources[0]) // sides
        count = float(max(self.keys, 1))
        logits = asking.square * keys.variance
        width = max(channels // self.heads, 1)
        peaked, moved = concentration(count, float(f"{logits:.3g}"), width)
        mixed = keys.shared + keys.variance * min(peaked / count, 1.0)
        to_query = keys.variance**2 * moved / count / sides
        to_key = (peaked + logits * moved) / count**2 / sides
        out = ((channels, Moments(mixed, keys.shared)),)
        return Layer(PASS, out, EQUAL_TOKENS, correlates=True, edges=(to_query, to_key))
