"""Padding and cropping as layers of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic, Window
from rfstudio.core.axes.rows import Rows
from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.layer import Layer, Place, Runs
from rfstudio.core.layer_models.pooled_values import placed
from rfstudio.core.memo import remembered
from rfstudio.core.ops.operation import (
    Context,
    Demands,
    FollowsSize,
    Free,
    KeepsChannels,
    Patternless,
)
from rfstudio.core.ops.values import (
    PADDING_TEXT,
    SIZE_OF_TEXT,
    Kind,
    Padding,
    Sizes,
    padding_per_axis,
    parameter,
    per_axis,
    size_parameter,
)

_BEYOND = 64
"""Positions at least, beside the end of an inset, that windows may read and which hold nothing."""

PAD_MODES = ("zeros", "reflect", "replicate", "circular")


class Border(Free, KeepsChannels, Patternless):
    """An operation that adds or cuts off samples around a map."""

    __slots__ = ()

    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(Border, FollowsSize):
    """Padding as a layer of its own."""

    keyword: ClassVar[str] = "pad"
    title: ClassVar[str] = "Padding"

    alternatives: ClassVar[tuple[frozenset[str], ...]] = (frozenset({"padding", "size_of"}),)

    padding: Padding | None = parameter(Kind.PADDING, PADDING_TEXT + " This or size_of.", None)
    size_of: str | None = parameter(
        Kind.LAYER, SIZE_OF_TEXT + " An odd sample is added at the end.", None
    )
    mode: str = parameter(Kind.CHOICE, "What the added samples hold.", "zeros", choices=PAD_MODES)

    def _check(self) -> None:
        if (self.padding is None) == (self.size_of is None):
            raise OpError("pad needs either padding or size_of")
        if isinstance(self.padding, str):
            raise OpError(f"padding of pad must be given in numbers, not {self.padding}")

    @classmethod
    def usual(cls) -> Self:
        return cls(padding=1)

    def pads(self, axes: int) -> tuple[tuple[int, int], ...]:
        """Return what is added as (before, after) per axis."""
        assert not isinstance(self.padding, str)
        return padding_per_axis(self.padding or 0, axes)

    def following(self, sizes: tuple[int, ...], other: tuple[int, ...]) -> Pad:
        pads = tuple(
            ((m - n) // 2, m - n - (m - n) // 2) for n, m in zip(sizes, other, strict=True)
        )
        return replace(self, padding=pads, size_of=None)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        return tuple(
            Window(n, max(n + before + after, 0), before=before, mode=self.mode)
            for n, (before, after) in zip(sizes, self.pads(len(sizes)), strict=True)
        )

    def misfit(self, sizes: tuple[int, ...]) -> str:
        pads = self.pads(len(sizes))
        if misfit := misfit_of_mode(self.mode, pads, sizes):
            return misfit
        return _excess_cut("padding", tuple((-before, -after) for before, after in pads), sizes)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return placed(place, runs, repeats=self.mode != "zeros")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop(Border, FollowsSize):
    """Cuts a part out of the map: the middle of a given size, or all but given margins."""

    keyword: ClassVar[str] = "crop"
    title: ClassVar[str] = "Crop"
    alternatives: ClassVar[tuple[frozenset[str], ...]] = (
        frozenset({"size", "size_of", "margins"}),
    )

    size: Sizes | None = size_parameter(
        "Size of the middle part to cut out; this or margins.", None
    )
    size_of: str | None = parameter(Kind.LAYER, SIZE_OF_TEXT, None)
    margins: Padding | None = parameter(
        Kind.PADDING, "Samples cut from the start and the end; this or size.", None
    )

    def _check(self) -> None:
        if [self.size, self.size_of, self.margins].count(None) != 2:
            raise OpError("crop needs either size or size_of or margins")
        if isinstance(self.margins, str):
            raise OpError(f"margins of crop must be given in numbers, not {self.margins}")

    @classmethod
    def usual(cls) -> Self:
        return cls(margins=1)

    def following(self, sizes: tuple[int, ...], other: tuple[int, ...]) -> Crop:
        return replace(self, size=other, size_of=None)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        if self.size is not None:
            wanted = per_axis(self.size, len(sizes))
            left = tuple(min(x, n) for x, n in zip(wanted, sizes, strict=True))
            return tuple(
                Window(n, x, before=-((n - x) // 2)) for n, x in zip(sizes, left, strict=True)
            )
        return tuple(
            Window(n, max(n - before - after, 0), before=-before)
            for n, (before, after) in zip(sizes, self._cuts(len(sizes)), strict=True)
        )

    def misfit(self, sizes: tuple[int, ...]) -> str:
        if self.size is None:
            return _excess_cut("margins", self._cuts(len(sizes)), sizes)
        wanted = per_axis(self.size, len(sizes))
        if any(x > n for x, n in zip(wanted, sizes, strict=True)):
            return (
                f"size {'×'.join(map(str, wanted))} is larger than its input, "
                f"{'×'.join(map(str, sizes))}; crop to at most that, or pad"
            )
        return ""

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return placed(place, runs, repeats=False)

    def _cuts(self, axes: int) -> tuple[tuple[int, int], ...]:
        """Return the margins as (before, after) per axis."""
        assert not isinstance(self.margins, str)
        return padding_per_axis(self.margins or 0, axes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inset(Border):
    """Puts the map into a larger one that holds zeros elsewhere, where nothing is read.

    The values are those of a padding with zeros, but by the formula, too, a position beside the map
    reads nothing: it belongs to another map.  A concat along an axis reads its maps through such
    operations, which are put in when a network is expanded.
    """

    keyword: ClassVar[str] = "inset"
    title: ClassVar[str] = "Inset"

    before: Sizes = parameter(Kind.SIZES, "Samples before the map along each axis.", 0, minimum=0)
    after: Sizes = parameter(Kind.SIZES, "Samples after the map along each axis.", 0, minimum=0)

    @classmethod
    def usual(cls) -> Self:
        return cls(after=1)

    def pads(self, axes: int) -> tuple[tuple[int, int], ...]:
        """Return what is added as (before, after) per axis."""
        before, after = per_axis(self.before, axes), per_axis(self.after, axes)
        return tuple(zip(before, after, strict=True))

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        pads = self.pads(len(sizes))
        return tuple([_inset_rule(n, *pair) for n, pair in zip(sizes, pads, strict=True)])

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        pads = self.pads(len(sizes))
        sides = [n + before + after for n, (before, after) in zip(sizes, pads, strict=True)]
        return [(m, 0 if m == n else _inset_period(m)) for n, m in zip(sizes, sides, strict=True)]

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return placed(place, runs, repeats=False)


def _inset_period(total: int) -> int:
    """Return after how many positions an inset map comes again by the formula.

    There is at least as much again of nothing, so that what reads beyond the end finds no second
    turn.  It is a power of two, so that the periods of several insets have a small multiple.
    """
    return 1 << (total + max(total, _BEYOND) - 1).bit_length()


@remembered(1024)
def _inset_rule(n: int, before: int, after: int) -> AxisRule:
    if n == 0 or not (before or after):
        return Window(n, n + before + after, before=before)
    total = n + before + after
    # There are as many inputs as outputs to a period, so that the jump stays what it is.
    period = _inset_period(total)
    counts = np.zeros(period, np.int64)
    counts[before : before + n] = 1
    phases = Rows(counts, np.arange(n))
    return Periodic(n, total, period, phases, by_size=True)


def misfit_of_mode(mode: str, pads: tuple[tuple[int, int], ...], sizes: tuple[int, ...]) -> str:
    """Return that a map has too few samples to be padded with its own, or an empty text."""
    if mode in ("reflect", "circular"):
        spare = 1 if mode == "reflect" else 0
        for n, pair in zip(sizes, pads, strict=True):
            if max(pair) > n - spare:
                return f"{mode} padding of {max(pair)} needs more than {n} samples"
    return ""


def _excess_cut(what: str, cuts: tuple[tuple[int, int], ...], sizes: tuple[int, ...]) -> str:
    """Return that more is cut off than there is, whatever is added at the other end."""
    for n, pair in zip(sizes, cuts, strict=True):
        cut = sum(max(x, 0) for x in pair)
        if cut > n:
            return f"{what} cut {cut} samples off an axis that has only {n}"
    return ""
