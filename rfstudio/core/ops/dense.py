"""Fully connected layers, over the map or some of its axes, and the flattening before them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRules, Whole, Window
from rfstudio.core.initialisations import fans_of_matrix
from rfstudio.core.layer_models.autocorrelation import apart_along, dropped
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import random_sums
from rfstudio.core.ops.operation import (
    Context,
    Costs,
    Demands,
    Free,
    KeepsChannels,
    ToOne,
    by_position,
)
from rfstudio.core.ops.some_axes import (
    AXES_TEXT,
    axes_of,
    axes_text,
    distinct_axes,
    misfit_of_axes,
)
from rfstudio.core.ops.values import (
    BIAS_TEXT,
    KeptSizes,
    Kind,
    kept_per_axis,
    parameter,
    text_per_axis,
)


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
        """(E16) M_in = a C_out/(C_in N) Σ M at all N positions; s → a s, k → a k, a by (I1)."""
        read = max(place.channels_in * prod(place.size_in), 1)
        amount = place.init.squares(fans_of_matrix(place.channels, read))
        factor = amount * place.channels / read
        out = random_sums(average(runs), amount)
        return Layer(spreading(place.rules, factor, correlation=dropped), ((place.channels, out),))


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisLinear(KeepsChannels):
    """A fully connected layer over some axes, with the same weights for all that differs otherwise.

    The token mixing of MLP-Mixer (arXiv:2105.01601) and gMLP (arXiv:2105.08050), and with one axis
    that of Vision Permutator (arXiv:2106.12368): channels, and positions along the other axes, are
    a batch.
    """

    keyword: ClassVar[str] = "axis_linear"
    title: ClassVar[str] = "Fully connected along axes"
    context: ClassVar[Context] = Context.WHOLE
    weighted: ClassVar[bool] = True
    keeps_weights: ClassVar[bool] = False

    axes: tuple[int, ...] = parameter(Kind.INTEGERS, AXES_TEXT, minimum=0)
    output_size: KeptSizes | None = parameter(
        Kind.KEPT_SIZES,
        "Size of the output map along each axis; null, or nothing, leaves an axis as it is.",
        None,
        minimum=1,
    )
    bias: bool = parameter(
        Kind.BOOLEAN, "Whether a learned constant is added to each sample along the axes.", True
    )

    def _check(self) -> None:
        object.__setattr__(self, "axes", distinct_axes(self.axes))

    @classmethod
    def usual(cls) -> Self:
        return cls(axes=(0,))

    def text(self, axes: int) -> str:
        size = self.output_size
        if isinstance(size, tuple):
            shown: tuple[object, ...] = tuple(["·" if x is None else x for x in size])
            return f"{self.keyword} {axes_text(self.axes)} to {text_per_axis(shown)}"
        grown = "" if size is None else f" to {size}"
        return f"{self.keyword} {axes_text(self.axes)}{grown}"

    def along(self, axes: int) -> tuple[int, ...]:
        """Return its axes that are there, of so many."""
        return axes_of(self.axes, axes)

    def outs(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the size of its map along each axis."""
        wanted = sizes if self.output_size is None else kept_per_axis(self.output_size, sizes)
        along = self.along(len(sizes))
        return tuple(
            [
                m if axis in along else n
                for axis, (n, m) in enumerate(zip(sizes, wanted, strict=True))
            ]
        )

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        along = self.along(len(sizes))
        return tuple(
            [
                Whole(n, m if n else 0) if axis in along else Window(n, n)
                for axis, (n, m) in enumerate(zip(sizes, self.outs(sizes), strict=True))
            ]
        )

    def local_rules(self, rules: AxisRules) -> AxisRules:
        return by_position(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        return [(m, 0) for m in self.outs(sizes)]

    def misfit(self, sizes: tuple[int, ...]) -> str:
        if found := misfit_of_axes(self.axes, len(sizes)):
            return found
        if self.output_size is None or isinstance(self.output_size, int):
            return ""
        wanted = kept_per_axis(self.output_size, sizes)
        along = self.along(len(sizes))
        for axis, (n, m) in enumerate(zip(sizes, wanted, strict=True)):
            if axis not in along and n != m:
                return f"axis {axis} is not one of its axes and stays {n} samples, not {m}"
        return ""

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        along = self.along(len(sizes))
        read, made = (prod([x[axis] for axis in along]) for x in (sizes, out_sizes))
        lines = prod([n for axis, n in enumerate(sizes) if axis not in along])
        return Costs(read * made + (made if self.bias else 0), read * made * lines * channels)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """(E35) M_in = a/N Σ M over the samples along the axes, of N that are read; s → a s, k → 0.

        Distant values of a channel have weights of their own; a by (I1).
        """
        along = self.along(len(place.rules))
        read = max(prod([place.size_in[x] for x in along]), 1)
        correlation = apart_along(along, len(place.rules))
        made = max(prod([place.rules[x].n_out for x in along]), 1)
        amount = place.init.squares(fans_of_matrix(made, read))
        out = tuple([(n, random_sums(x, amount, 0.0)) for n, x in runs])
        remark = "a linear layer along axes has one set of weights for all channels"
        return Layer(
            spreading(place.rules, amount / read, correlation=correlation),
            out,
            remark if average(runs).mean else "",
        )
