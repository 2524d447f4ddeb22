"""Mixing within blocks or grids of positions, without projections of channels."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic, Whole, Window
from rfstudio.core.layer_models.layer import Layer, Place, Runs
from rfstudio.core.layer_models.pooled_values import mean_of_groups
from rfstudio.core.memo import remembered
from rfstudio.core.ops.operation import Context, Costs, Demands, Operation, by_position
from rfstudio.core.ops.values import (
    OUT_CHANNELS_TEXT,
    Flags,
    Kind,
    Sizes,
    flags_per_axis,
    parameter,
    per_axis,
    size_parameter,
    text_per_axis,
)

_LABEL = "What the operation is called."
_PARAMETERS = "Number of learned parameters, for the counts."


class Mixer(Operation):
    """An operation of which each position reads all positions of a group, along each axis."""

    __slots__ = ()

    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

    label: str
    out_channels: int | None
    parameters: int

    @abstractmethod
    def groups(self, axis: int, sizes: tuple[int, ...]) -> NDArray[np.int64]:
        """Return for each position along an axis the number of its group."""

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return channels[0] if self.out_channels is None else self.out_channels

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(self.parameters, 0)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        remark = "mixing in blocks is modelled as the mean over them"
        return mean_of_groups(place, runs)._replace(remark=remark)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockMix(Mixer):
    """Mixes the positions of each block of a grid of blocks."""

    keyword: ClassVar[str] = "block_mix"
    title: ClassVar[str] = "Mixing in blocks"

    size: Sizes = size_parameter("Size of a block along each axis.")
    shift: Sizes = parameter(
        Kind.SIZES, "Blocks start at shift plus multiples of size; borders cut them.", 0, minimum=0
    )
    label: str = parameter(Kind.TEXT, _LABEL, "")
    out_channels: int | None = parameter(Kind.INTEGER, OUT_CHANNELS_TEXT, None, minimum=1)
    parameters: int = parameter(Kind.INTEGER, _PARAMETERS, 0, minimum=0)
    causal: Flags = parameter(
        Kind.FLAGS, "Whether a position reads none of its block after it; one per axis.", False
    )

    @classmethod
    def usual(cls) -> Self:
        return cls(size=7)

    def text(self, axes: int) -> str:
        return f"{self.label or self.keyword} {text_per_axis(self.size, axes)}"

    def groups(self, axis: int, sizes: tuple[int, ...]) -> NDArray[np.int64]:
        axes = len(sizes)
        size, shift = per_axis(self.size, axes)[axis], per_axis(self.shift, axes)[axis]
        return (np.arange(sizes[axis]) - shift) // size

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        axes = len(sizes)
        rules: list[AxisRule] = []
        for n, w, shift, causal in zip(
            sizes,
            per_axis(self.size, axes),
            per_axis(self.shift, axes),
            self.causal_axes(axes),
            strict=True,
        ):
            if w == 1:
                rules.append(Window(n, n))
                continue
            if causal and shift == 0 and w >= n:
                rules.append(Whole(n, n, side="before"))
                continue
            starts = [(i - shift) // w * w + shift for i in range(w)]
            ends = [i + 1 if causal else x + w for i, x in enumerate(starts)]
            reads = tuple(tuple(range(*x)) for x in zip(starts, ends, strict=True))
            rules.append(Periodic(n, n, w, reads))
        return tuple(rules)

    def causal_axes(self, axes: int) -> tuple[bool, ...]:
        """Return for each axis whether a position reads nothing after it."""
        return flags_per_axis(self.causal, axes)

    def local_rules(self, rules: AxisRules) -> AxisRules:
        return by_position(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        return [(0, w * w) for w in per_axis(self.size, len(sizes))]


class Gridded(Operation):
    """An operation that joins positions which lie as far apart as the cells of a grid.

    Attributes
    ----------
    grid
        Number of positions that are joined along each axis.
    """

    __slots__ = ()

    context: ClassVar[Context] = Context.PATTERN

    grid: Sizes

    def distance(self, axis: int, sizes: tuple[int, ...]) -> int:
        """Return the distance of two neighbours of a group along an axis."""
        return max(sizes[axis] // per_axis(self.grid, len(sizes))[axis], 1)

    def groups(self, axis: int, sizes: tuple[int, ...]) -> NDArray[np.int64]:
        """Return for each position along an axis the number of its group."""
        return np.arange(sizes[axis]) % self.distance(axis, sizes)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        rules: list[AxisRule] = []
        for axis, n in enumerate(sizes):
            distance = self.distance(axis, sizes)
            if n in (0, distance):
                rules.append(Window(n, n))
            elif distance == 1:
                rules.append(Whole(n, n))
            else:
                rules.append(_grid_of(n, distance))
        return tuple(rules)

    def local_rules(self, rules: AxisRules) -> AxisRules:
        return by_position(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        grids = per_axis(self.grid, len(sizes))
        return [(0, n * g) for n, g in zip(sizes, grids, strict=True)]

    def misfit(self, sizes: tuple[int, ...]) -> str:
        grids = per_axis(self.grid, len(sizes))
        if any(n % g for n, g in zip(sizes, grids, strict=True)):
            return f"a grid of {text_per_axis(self.grid)} does not divide {text_per_axis(sizes)}"
        return ""


@remembered(64)  # of many equal layers, thousands of samples take half a megabyte each
def _grid_of(n: int, distance: int) -> Periodic:
    """Return the rule by which positions join all that lie a multiple of a distance away."""
    groups = [tuple(range(i, n, distance)) for i in range(distance)]
    phases = tuple([groups[i % distance] for i in range(n)])
    return Periodic(n, n, n, phases, by_size=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridMix(Gridded, Mixer):
    """Mixes positions that lie as far apart as the cells of a grid, as grid attention does."""

    keyword: ClassVar[str] = "grid_mix"
    title: ClassVar[str] = "Mixing in grids"

    grid: Sizes = size_parameter("Number of positions that are mixed along each axis.")
    label: str = parameter(Kind.TEXT, _LABEL, "")
    out_channels: int | None = parameter(Kind.INTEGER, OUT_CHANNELS_TEXT, None, minimum=1)
    parameters: int = parameter(Kind.INTEGER, _PARAMETERS, 0, minimum=0)

    @classmethod
    def usual(cls) -> Self:
        return cls(grid=2)

    def text(self, axes: int) -> str:
        return f"{self.label or self.keyword} {text_per_axis(self.grid, axes)}"
