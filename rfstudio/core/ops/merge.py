"""Merges: several maps of one size become one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import ClassVar

from rfstudio.core.axes.axis_rule import AxisRules
from rfstudio.core.layer_models.backward import PASS
from rfstudio.core.layer_models.layer import (
    Layer,
    Place,
    Runs,
    average,
    concatenated,
    side_by_side,
)
from rfstudio.core.layer_models.moments import Moments, added, profile_of_sum
from rfstudio.core.ops.border import Inset
from rfstudio.core.ops.operation import (
    Context,
    Free,
    KeepsChannels,
    Patternless,
    identity_rules,
)
from rfstudio.core.ops.values import Kind, parameter


class Merge(Free, Patternless):
    """An operation that joins several maps of one size.

    Attributes
    ----------
    joins_channels
        Whether maps need not have the same number of channels.
    """

    __slots__ = ()

    context: ClassVar[Context] = Context.MAPS
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False
    merges: ClassVar[bool] = True

    joins_channels: ClassVar[bool]

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        return identity_rules(sizes)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return self.joint_model((runs,), apart=True, joined=False)

    @abstractmethod
    def joint_model(self, sources: Sequence[Runs], *, apart: bool, joined: bool) -> Layer:
        """Return what it does to the energy of gradients and to the values of several maps.

        Parameters
        ----------
        sources
            The values that it reads.
        apart
            Whether they have no origin in common.
        joined
            Whether channels with the same moments become one run where sources meet.
        """


@dataclass(frozen=True, slots=True)
class Add(KeepsChannels, Merge):
    """The sum of maps of one shape."""

    keyword: ClassVar[str] = "add"
    title: ClassVar[str] = "Add"
    joins_channels: ClassVar[bool] = False

    def joint_model(self, sources: Sequence[Runs], *, apart: bool, joined: bool) -> Layer:
        remark = "sources of a sum with a common origin are assumed to be independent"
        return Layer(PASS, _combined(sources, _sum), "" if apart else remark)


@dataclass(frozen=True, slots=True)
class Multiply(KeepsChannels, Merge):
    """The product of maps of one shape."""

    keyword: ClassVar[str] = "multiply"
    title: ClassVar[str] = "Multiply"
    joins_channels: ClassVar[bool] = False

    def joint_model(self, sources: Sequence[Runs], *, apart: bool, joined: bool) -> Layer:
        """(E28) A product passes on to a source the mean squares of all others."""
        squares = [average(runs).square for runs in sources]
        edges = [prod(squares[:k] + squares[k + 1 :]) for k in range(len(squares))]
        remark = "factors of a product are assumed to be independent"
        return Layer(PASS, _combined(sources, _product), remark, edges=tuple(edges))


@dataclass(frozen=True, slots=True)
class Joined(Add):
    """Maps one after the other along an axis, of which each is already an inset with zeros.

    A concat with an axis becomes it when a network is expanded.
    """

    keyword: ClassVar[str] = "concat"
    title: ClassVar[str] = "Concatenate"
    expanded_only: ClassVar[bool] = True

    axis: int = parameter(Kind.INTEGER, "The axis, from 0.", 0, minimum=0)

    def text(self, axes: int) -> str:
        return f"{self.keyword} axis {self.axis}"

    def joint_model(self, sources: Sequence[Runs], *, apart: bool, joined: bool) -> Layer:
        return Layer(PASS, _combined(sources, _sum))


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat(Merge):
    """The channels of maps of one size, one after the other; or their positions along an axis."""

    keyword: ClassVar[str] = "concat"
    title: ClassVar[str] = "Concatenate"
    joins_channels: ClassVar[bool] = True
    followed_apart: ClassVar[bool] = True

    axis: int | None = parameter(
        Kind.INTEGER,
        "Axis along which the maps follow each other, from 0; empty: their channels do.",
        None,
        minimum=0,
    )

    def text(self, axes: int) -> str:
        return self.keyword if self.axis is None else f"{self.keyword} axis {self.axis}"

    def insets(self, shapes: Sequence[tuple[int, tuple[int, ...]]]) -> list[Inset] | str:
        """Return for each map what puts it into the joint one; or why they do not fit together.

        Parameters
        ----------
        shapes
            Channels of each map, and its size along each axis.
        """
        axes = len(shapes[0][1])
        axis = self.axis
        assert axis is not None
        if axis >= axes:
            return f"axis must be below {axes}, the number of axes"
        if len({(channels, *n[:axis], *n[axis + 1 :]) for channels, n in shapes}) > 1:
            return "only along its axis may maps differ; all others, and the channels, must be one"
        lengths = [n[axis] for _, n in shapes]
        ends = accumulate(lengths)
        total = sum(lengths)

        def along(samples: int) -> tuple[int, ...]:
            return tuple([samples if i == axis else 0 for i in range(axes)])

        return [
            Inset(before=along(end - n), after=along(total - end))
            for n, end in zip(lengths, ends, strict=True)
        ]

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return sum(channels)

    def joint_model(self, sources: Sequence[Runs], *, apart: bool, joined: bool) -> Layer:
        runs = concatenated(sources) if joined else tuple([x for runs in sources for x in runs])
        return Layer(PASS, runs)


def _combined(sources: Sequence[Runs], combine: Callable[[Sequence[Moments]], Moments]) -> Runs:
    """Return the runs of maps that are combined value by value."""
    columns = side_by_side(sources)
    if not columns:
        columns = [(sum(n for n, _ in sources[0]), tuple([average(runs) for runs in sources]))]
    found = {x: combine(x) for x in {x for _, x in columns}}
    return tuple([(n, found[x]) for n, x in columns])


def _product(terms: Sequence[Moments]) -> Moments:
    return Moments(
        prod(x.square for x in terms), prod(x.shared for x in terms), prod(x.mean for x in terms)
    )


def _sum(terms: Sequence[Moments]) -> Moments:
    return added(terms)._replace(profile=profile_of_sum(tuple(terms)))
