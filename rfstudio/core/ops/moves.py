"""Moves: operations that copy positions elsewhere and change no value."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic, Window
from rfstudio.core.axes.rows import Rows
from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.layer import Layer, Place, Runs
from rfstudio.core.layer_models.pooled_values import moved
from rfstudio.core.ops.operation import Context, Demands, Free, KeepsChannels
from rfstudio.core.ops.values import Kind, Sizes, parameter, per_axis, size_parameter


class Move(Free, KeepsChannels):
    """An operation of which each output is one input, position by position along each axis."""

    __slots__ = ()

    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

    @abstractmethod
    def indices(self, axis: int, sizes: tuple[int, ...]) -> Sequence[int]:
        """Return for each output position along an axis the input position that it copies."""

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        return [(0, 0)] * len(sizes)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return moved(place, runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(Move):
    """Reads the positions start, start + step … before stop, along each axis."""

    keyword: ClassVar[str] = "slice"
    title: ClassVar[str] = "Slice"

    start: Sizes = parameter(
        Kind.SIZES, "First position along each axis; negative: from the end.", 0
    )
    stop: Sizes | None = parameter(
        Kind.SIZES, "Position before which to stop; negative: from the end; empty: the end.", None
    )
    step: Sizes = size_parameter("Distance between two positions that remain.", 1)

    @classmethod
    def usual(cls) -> Self:
        return cls(step=2)

    @property
    def depends_on_size(self) -> bool:
        """Whether its start or its length does not move with the ends of the map."""
        stops = () if self.stop is None else self.stop
        return bool(np.min(self.start) < 0 or np.max(stops, initial=-1) >= 0)

    def indices(self, axis: int, sizes: tuple[int, ...]) -> range:
        axes, n = len(sizes), sizes[axis]
        stop = None if self.stop is None else per_axis(self.stop, axes)[axis]
        start, step = per_axis(self.start, axes)[axis], per_axis(self.step, axes)[axis]
        return range(n)[slice(start, stop, step)]

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        found = [self.indices(axis, sizes) for axis in range(len(sizes))]
        return tuple(
            Window(n, len(x), stride=x.step, before=-x.start)
            for n, x in zip(sizes, found, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll(Move):
    """Moves positions along each axis; what leaves the map at one end comes in at the other."""

    keyword: ClassVar[str] = "roll"
    title: ClassVar[str] = "Roll"

    shift: Sizes = parameter(Kind.SIZES, "Positions by which the map is moved along each axis.")

    @classmethod
    def usual(cls) -> Self:
        return cls(shift=1)

    def indices(self, axis: int, sizes: tuple[int, ...]) -> list[int]:
        n = sizes[axis]
        return [(i - per_axis(self.shift, len(sizes))[axis]) % n for i in range(n)]

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        shifts = per_axis(self.shift, len(sizes))
        return tuple(
            Window(n, n, before=_least_turn(x, n), mode="circular")
            for n, x in zip(sizes, shifts, strict=True)
        )


def _least_turn(shift: int, n: int) -> int:
    """Return the shift of the least size with the same effect on `n` samples."""
    turn = shift % max(n, 1)
    return turn - n if 2 * turn > n else turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip(Move):
    """Mirrors the map along some axes."""

    keyword: ClassVar[str] = "flip"
    title: ClassVar[str] = "Flip"

    along: Sizes = parameter(
        Kind.SIZES, "For each axis 1 if it is mirrored, 0 if it is not.", 1, minimum=0
    )

    def _check(self) -> None:
        entries = self.along if isinstance(self.along, tuple) else (self.along,)
        if any(x > 1 for x in entries):
            raise OpError(f"along is 0 or 1 for each axis, not {self.along}")

    def indices(self, axis: int, sizes: tuple[int, ...]) -> range:
        n = sizes[axis]
        return range(n)[::-1] if per_axis(self.along, len(sizes))[axis] else range(n)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        mirrored = per_axis(self.along, len(sizes))
        return tuple(
            Periodic(n, n, -1, ((n - 1,),)) if x and n else Window(n, n)
            for n, x in zip(sizes, mirrored, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather(Move):
    """Reads given positions along one axis, in any order and as often as they are given."""

    keyword: ClassVar[str] = "gather"
    title: ClassVar[str] = "Gather"

    index: tuple[int, ...] = parameter(
        Kind.INTEGERS, "The positions that are read, from 0.", minimum=0
    )
    axis: int | None = parameter(
        Kind.INTEGER, "Axis along which they are, from 0; empty: the last.", None, minimum=0
    )

    @classmethod
    def usual(cls) -> Self:
        return cls(index=(0,))

    def text(self, axes: int) -> str:
        return f"{self.keyword} {len(self.index)} along axis {self.along(axes)}"

    def along(self, axes: int) -> int:
        """Return the axis along which it reads, in a network of so many."""
        return axes - 1 if self.axis is None else min(self.axis, axes - 1)

    def indices(self, axis: int, sizes: tuple[int, ...]) -> Sequence[int]:
        return self.index if axis == self.along(len(sizes)) else range(sizes[axis])

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        count, along = len(self.index), self.along(len(sizes))
        phases = tuple([(x,) for x in self.index])
        return tuple(
            Periodic(n, count, sizes[along], phases, by_size=True) if i == along else Window(n, n)
            for i, n in enumerate(sizes)
        )

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        count, along = len(self.index), self.along(len(sizes))
        return [(count, count) if i == along else (0, 0) for i in range(len(sizes))]

    def misfit(self, sizes: tuple[int, ...]) -> str:
        n = sizes[self.along(len(sizes))]
        far = max(self.index)
        return f"position {far} is not on an axis of {n} samples" if far >= n else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile(Move):
    """Repeats the map next to itself along each axis."""

    keyword: ClassVar[str] = "tile"
    title: ClassVar[str] = "Tile"

    repeats: Sizes = size_parameter("How often the map is there along each axis.")

    @classmethod
    def usual(cls) -> Self:
        return cls(repeats=2)

    def indices(self, axis: int, sizes: tuple[int, ...]) -> list[int]:
        return list(range(sizes[axis])) * per_axis(self.repeats, len(sizes))[axis]

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        rules: list[AxisRule] = []
        for n, times in zip(sizes, per_axis(self.repeats, len(sizes)), strict=True):
            if times == 1 or n == 0:
                rules.append(Window(n, n))
                continue
            phases = Rows.of_one(np.tile(np.arange(n), times))
            rules.append(Periodic(n, n * times, n * times, phases, by_size=True))
        return tuple(rules)

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        times = per_axis(self.repeats, len(sizes))
        return [(n * x, n * x) for n, x in zip(sizes, times, strict=True)]
