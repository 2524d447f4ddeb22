"""Merges: several maps of one size become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rfstudio.core.axes.axis_rule import AxisRules
from rfstudio.core.ops.operation import (
    Context,
    Free,
    KeepsChannels,
    Patternless,
    identity_rules,
)


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
    merges: ClassVar[bool] = True

    joins_channels: ClassVar[bool]

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        return identity_rules(sizes)


@dataclass(frozen=True, slots=True)
class Add(KeepsChannels, Merge):
    """The sum of maps of one shape."""

    keyword: ClassVar[str] = "add"
    title: ClassVar[str] = "Add"
    joins_channels: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Multiply(KeepsChannels, Merge):
    """The product of maps of one shape."""

    keyword: ClassVar[str] = "multiply"
    title: ClassVar[str] = "Multiply"
    joins_channels: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Concat(Merge):
    """The channels of maps of one size, one after the other."""

    keyword: ClassVar[str] = "concat"
    title: ClassVar[str] = "Concatenate"
    joins_channels: ClassVar[bool] = True
    followed_apart: ClassVar[bool] = True

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        return sum(channels)
