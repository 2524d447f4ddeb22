"""Operations of one position that are neither activations nor norms."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose
from typing import ClassVar, Self

from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.backward import PASS, Backward
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import Moments, concentration
from rfstudio.core.ops.operation import Free, Pointwise
from rfstudio.core.ops.values import Kind, parameter
from rfstudio.core.plural import counted


@dataclass(frozen=True, slots=True)
class Softmax(Free, Pointwise):
    """The softmax over the channels of a position."""

    keyword: ClassVar[str] = "softmax"
    title: ClassVar[str] = "Softmax"

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """(E23) M_in = mean square of the Jacobian diag(p) − p pᵀ · M, from (E25)."""
        channels = max(place.channels, 1)
        peaked, moved = concentration(channels, average(runs).variance)
        out = Moments(peaked / channels**2, 1.0 / channels**2, 1.0 / channels)
        return Layer(
            Backward(moved / channels**2),
            ((channels, out),),
            "softmax is modelled with normal inputs to all channels",
        )


class Nothing(Free, Pointwise):
    """An operation that leaves all values as they are, at inference."""

    __slots__ = ()

    does_nothing: ClassVar[bool] = True
    followed_apart: ClassVar[bool] = True

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return Layer(PASS, runs)


@dataclass(frozen=True, slots=True)
class Identity(Nothing):
    """Nothing."""

    keyword: ClassVar[str] = "identity"
    title: ClassVar[str] = "Identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout(Nothing):
    """Random zeros while training; nothing at inference."""

    keyword: ClassVar[str] = "dropout"
    title: ClassVar[str] = "Dropout"

    p: float = parameter(Kind.NUMBER, "Share of zeros while training.", 0.5, minimum=0, maximum=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelShuffle(Free, Pointwise):
    """A permutation of channels that deals those of each group out to all groups, as in ShuffleNet.

    Channel i of group g, of n groups, becomes channel i·n + g.
    """

    keyword: ClassVar[str] = "channel_shuffle"
    title: ClassVar[str] = "Channel shuffle"
    keeps_map: ClassVar[bool] = False  # not of any number of channels
    followed_apart: ClassVar[bool] = True

    groups: int = parameter(
        Kind.INTEGER, "Groups of channels whose members are dealt out in turn.", minimum=1
    )

    @classmethod
    def usual(cls) -> Self:
        return cls(groups=2)

    def text(self, axes: int) -> str:
        return f"{self.keyword} {self.groups}"

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        if channels[0] % self.groups:
            raise OpError(
                f"{counted(channels[0], 'channel')} cannot be divided into {self.groups} groups"
            )
        return channels[0]

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Pass energy on as it is; channels of unequal statistics alternate, in the mean one."""
        if len(runs) == 1 or self.groups == 1:
            return Layer(PASS, runs)
        remark = "a shuffle is assumed to mix channels of equal statistics"
        mixed = average(runs)
        alike = all(isclose(x.square, mixed.square) for _, x in runs)
        return Layer(PASS, ((place.channels, mixed),), "" if alike else remark)
