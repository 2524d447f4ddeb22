"""Broadcasting: what has one sample along an axis, or one channel, is read by many.

A sum or a product of maps of unequal shapes reads them through such an operation, which is put in
when a network is expanded.

References
----------
.. [1] PyTorch 2 documentation of `torch.Tensor.expand`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic, Window
from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.autocorrelation import dropped
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.ops.operation import Context, Demands, FollowsSize, Free
from rfstudio.core.ops.values import (
    SIZE_OF_TEXT,
    KeptSizes,
    Kind,
    kept_per_axis,
    parameter,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast(Free, FollowsSize):
    """Repeats the one sample of an axis, and the one channel, as `torch.Tensor.expand` [1]_."""

    keyword: ClassVar[str] = "broadcast"
    title: ClassVar[str] = "Broadcast"
    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False
    alternatives: ClassVar[tuple[frozenset[str], ...]] = (frozenset({"size", "size_of"}),)

    size: KeptSizes | None = parameter(
        Kind.KEPT_SIZES,
        "Size of the output map along each axis; null, or nothing, keeps an axis as it is.",
        None,
        minimum=1,
    )
    size_of: str | None = parameter(Kind.LAYER, SIZE_OF_TEXT, None)
    channels: int | None = parameter(
        Kind.INTEGER, "Channels that one channel becomes; empty: no more.", None, minimum=1
    )

    def _check(self) -> None:
        if self.size is not None and self.size_of is not None:
            raise OpError("broadcast has either size or size_of")

    def following(self, sizes: tuple[int, ...], other: tuple[int, ...]) -> Broadcast:
        return replace(self, size=other, size_of=None)

    def _outs(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        return sizes if self.size is None else kept_per_axis(self.size, sizes)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        rules: list[AxisRule] = []
        for n, m in zip(sizes, self._outs(sizes), strict=True):
            # Every output reads sample 0, so its position does not move with i.
            spreads = n == 1 and m != 1
            rules.append(Periodic(1, m, 0, ((0,),)) if spreads else Window(n, n))
        return tuple(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        return [(m, 1) for m in self._outs(sizes)]

    def misfit(self, sizes: tuple[int, ...]) -> str:
        for n, m in zip(sizes, self._outs(sizes), strict=True):
            if n not in (1, m):
                return (
                    f"only an axis of 1 sample can be repeated to {m}, but this one has {n}; "
                    "pool it first, or use upsample"
                )
        return ""

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        wanted = channels[0] if self.channels is None else self.channels
        if channels[0] not in (1, wanted):
            raise OpError(
                f"only 1 channel can be repeated to {wanted}, but the input has {channels[0]}"
            )
        return wanted

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """(E30) M_in = C_out/C_in · Σ M over all outputs, whose gradients are independent."""
        factor = place.channels / max(place.channels_in, 1)
        out = runs if factor == 1 else ((place.channels, average(runs)),)
        backward = spreading(place.rules, factor, correlation=dropped)
        return Layer(backward, out, correlates=True, sums=True)


def common_shape(
    shapes: Sequence[tuple[int, tuple[int, ...]]],
) -> tuple[int, tuple[int, ...]] | None:
    """Return channels and size to which torch broadcasts maps; None: they do not fit together."""
    channels = max(x for x, _ in shapes)
    size = tuple([max(axis) for axis in zip(*[x for _, x in shapes], strict=True)])
    fits = all(
        x in (1, channels) and all(n in (1, m) for n, m in zip(sizes, size, strict=True))
        for x, sizes in shapes
    )
    return (channels, size) if fits else None
