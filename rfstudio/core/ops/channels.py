"""Choices of channels: a slice of them, and a split into parts that are read by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar, Self

from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.backward import PASS
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.ops.operation import Free, Pointwise
from rfstudio.core.ops.plain import Nothing
from rfstudio.core.ops.values import Kind, parameter
from rfstudio.core.plural import counted

MOST_PARTS = 4096
"""Most equal parts of a split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSlice(Free, Pointwise):
    """Reads the channels start, start + step … before stop, as a slice in Python does.

    What goes back through it arrives at these channels alone; see
    `rfstudio.core.effective.flow_back`.
    """

    keyword: ClassVar[str] = "channel_slice"
    title: ClassVar[str] = "Slice of channels"
    keeps_map: ClassVar[bool] = False
    followed_apart: ClassVar[bool] = True

    start: int = parameter(Kind.INTEGER, "First channel; negative: from the end.", 0)
    stop: int | None = parameter(
        Kind.INTEGER, "Channel before which to stop; negative: from the end; empty: the end.", None
    )
    step: int = parameter(Kind.INTEGER, "Distance between two channels that remain.", 1, minimum=1)

    @classmethod
    def usual(cls) -> Self:
        return cls(step=2)

    def text(self, axes: int) -> str:
        stop = "" if self.stop is None else self.stop
        step = "" if self.step == 1 else f":{self.step}"
        return f"{self.keyword} {self.start}:{stop}{step}"

    def indices(self, channels: int) -> range:
        """Return which of so many channels it reads."""
        return range(channels)[slice(self.start, self.stop, self.step)]

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        count = len(self.indices(channels[0]))
        if not count:
            raise OpError(f"none of {channels[0]} channels would be left")
        return count

    def counts(self, runs: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many channels of each run it reads."""
        read = self.indices(sum(runs))
        # The number of channels that it reads before each border of two runs.
        before = [len(range(read.start, min(x, read.stop), read.step)) for x in accumulate(runs)]
        return tuple([b - a for a, b in pairwise((0, *before))])

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        counts = self.counts(tuple([n for n, _ in runs]))
        found = tuple([(n, x) for n, (_, x) in zip(counts, runs, strict=True) if n])
        return Layer(PASS, found or ((max(place.channels, 1), average(runs)),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Nothing):
    """Cuts the channels into parts, one after the other, that other layers read by their numbers.

    It leaves its map as it is.  When a network is expanded, each part becomes a layer of its own, a
    slice of channels with the name of the split, a dot and its number: ``halves.0``, ``halves.1``.
    """

    keyword: ClassVar[str] = "split"
    title: ClassVar[str] = "Split of channels"
    keeps_map: ClassVar[bool] = False  # not of any number of channels
    alternatives: ClassVar[tuple[frozenset[str], ...]] = (frozenset({"channels", "parts"}),)

    channels: tuple[int, ...] | None = parameter(
        Kind.INTEGERS, "Number of channels of each part; this or parts.", None, minimum=1
    )
    parts: int | None = parameter(
        Kind.INTEGER,
        "Number of parts of equally many channels; this or channels.",
        None,
        minimum=1,
        maximum=MOST_PARTS,
    )

    def _check(self) -> None:
        if (self.channels is None) == (self.parts is None):
            raise OpError("split needs either channels or parts")

    @classmethod
    def usual(cls) -> Self:
        return cls(parts=2)

    def text(self, axes: int) -> str:
        if self.channels is None:
            return f"{self.keyword} in {self.parts}"
        return f"{self.keyword} {'+'.join(map(str, self.channels))}"

    @property
    def count(self) -> int:
        """Number of parts."""
        return self.parts or len(self.channels or ())

    def slices(self, channels: int) -> list[tuple[int, int]]:
        """Return for each part its first channel and the one before which it stops."""
        counts = self.channels or (channels // self.count,) * self.count
        # Parts that do not fit are a fault, after which they end with the channels.
        return list(pairwise((0, *[min(x, channels) for x in accumulate(counts)])))

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        if self.channels is None:
            if channels[0] % self.count:
                raise OpError(
                    f"{counted(channels[0], 'channel')} cannot be split into {self.count} equal "
                    "parts; say how many channels each has, as in channels: [10, 14]"
                )
        elif sum(self.channels) != channels[0]:
            raise OpError(
                f"its parts have {sum(self.channels)} channels, but the input has {channels[0]}"
            )
        return channels[0]
