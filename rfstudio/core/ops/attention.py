"""Self-attention: over the whole map, within the windows of a grid, or across a grid."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Periodic, Side, Whole, as_mean
from rfstudio.core.errors import OpError
from rfstudio.core.initialisations import Initialisation, fans_of_matrix
from rfstudio.core.layer_models.backward import spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import Moments, concentration, random_sums
from rfstudio.core.ops.blocks import Gridded
from rfstudio.core.ops.operation import (
    Context,
    Costs,
    Demands,
    Mixing,
    Operation,
    parameters,
)
from rfstudio.core.ops.some_axes import (
    axes_of,
    axes_text,
    distinct_axes,
    misfit_of_axes,
    rules_along,
)
from rfstudio.core.ops.values import (
    Kind,
    Sizes,
    collapsed,
    fault,
    parameter,
    per_axis,
    size_parameter,
    text_per_axis,
)

_HEADS = "Number of attention heads."

EQUAL_TOKENS = (
    "attention is assumed to mix all its tokens equally; after two blocks maps were 5 to 19 % off"
)
"""Why models of attention are approximations."""


class MultiHead(Operation):
    """Attention with several heads, each of an equal share of the channels."""

    __slots__ = ()

    weighted: ClassVar[bool] = True
    keeps_weights: ClassVar[bool] = False

    heads: int

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        if channels[0] % self.heads:
            raise OpError(f"{self.heads} heads do not divide {channels[0]} channels")
        return channels[0]

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return the layer of attention over T tokens, of the whole map or of a window.

        (E26) With logits q·k/√d of variance λ = a² s (s − k), since q has a times the input's mean
        square and k a times its variance over tokens, a and o (I1) of the weights before and after,
        which are 2 of He's, and v, l of (E25):
        M_in = a o λ l/T · M + (a o v + a o λ l) ΣM/T²;
        s → a o (k + (s − k) min(v/T, 1)), k → a o k.
        """
        x = average(runs)
        tokens = min(self._tokens(place), float(place.positions_in))
        before, after = squares_of_attention(place.init, place.channels)
        both = before * after
        logits = before**2 * x.square * x.variance
        width = max(place.channels // self.heads, 1)
        peaked, moved = concentration(tokens, float(f"{logits:.3g}"), width)
        through_logits = both * logits * moved
        mixed = x.shared + x.variance * min(peaked / tokens, 1.0)
        return Layer(
            spreading(
                tuple([as_mean(rule) for rule in place.rules]),
                both * peaked + through_logits,
                power=2,
                keep=through_logits / tokens,
            ),
            ((place.channels, random_sums(Moments(mixed, x.shared), both)),),
            EQUAL_TOKENS,
            correlates=True,
        )

    @abstractmethod
    def _tokens(self, place: Place) -> float:
        """Return how many tokens attend to each other, at most."""


def squares_of_attention(
    init: Initialisation, channels: int, key_channels: int | None = None
) -> tuple[float, float]:
    """Return (I1) of the weights of queries, keys and values together, and of those after them.

    Parameters
    ----------
    init
        The law of the weights.
    channels, key_channels
        Those of what asks, and of the keys if they are others, which then have weights of
        their own; the first is that of the keys then.
    """
    after = init.squares(fans_of_matrix(channels, channels))
    if key_channels is not None and key_channels != channels:
        return init.squares(fans_of_matrix(channels, key_channels)), after
    return init.squares(fans_of_matrix(3 * channels, channels)), after


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention(MultiHead, Mixing):
    """Self-attention in which every position of the map, or of some of its axes, is a token.

    Positions that differ along an axis that is left out do not attend to each other: axial
    attention, of arXiv:1912.12180.  A causal one along several axes goes in the order of rows: a
    position reads all of the rows before its own and a part of that, which is no product of what it
    reads along each axis, so it becomes several layers when a network is expanded.
    """

    keyword: ClassVar[str] = "attention"
    title: ClassVar[str] = "Self-attention"

    heads: int = parameter(Kind.INTEGER, _HEADS, 8, minimum=1)
    causal: bool = parameter(
        Kind.BOOLEAN, "Whether a position attends to none after it, in the order of rows.", False
    )
    axes: tuple[int, ...] | None = parameter(
        Kind.INTEGERS,
        "Axes along which positions attend to each other, from 0; empty: all.",
        None,
        minimum=0,
    )

    def _check(self) -> None:
        if self.axes is not None:
            object.__setattr__(self, "axes", distinct_axes(self.axes))

    def text(self, axes: int) -> str:
        return self.keyword if self.axes is None else f"{self.keyword} {axes_text(self.axes)}"

    def along(self, axes: int) -> tuple[int, ...]:
        """Return the axes along which positions attend to each other, of so many."""
        return axes_of(self.axes, axes)

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        along = self.along(len(sizes))
        side: Side = "before" if self.causal and len(along) == 1 else "both"
        return rules_along(sizes, along, lambda n: Whole(n, n, side=side))

    def misfit(self, sizes: tuple[int, ...]) -> str:
        return misfit_of_axes(self.axes, len(sizes))

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        tokens = prod(sizes)
        pairs = tokens * prod([sizes[x] for x in self.along(len(sizes))])
        return Costs(
            4 * channels**2 + 4 * channels,
            4 * tokens * channels**2 + 2 * pairs * channels,
        )

    def _tokens(self, place: Place) -> float:
        return float(max(prod([place.size_in[x] for x in self.along(len(place.rules))]), 1))


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class WindowAttention(MultiHead):
    """Self-attention among the positions of one window of a grid of windows.

    `shift_size` is Swin's: the map is rolled by it and cut at the border by a mask, so windows
    start at it plus multiples of the window.  Older files have `shift` instead, with which windows
    start at multiples of the window minus it; it is still accepted.
    """

    keyword: ClassVar[str] = "window_attention"
    title: ClassVar[str] = "Window attention"
    context: ClassVar[Context] = Context.PATTERN
    other_words: ClassVar[frozenset[str]] = frozenset({"shift"})

    window_size: Sizes = size_parameter("Size of a window along each axis.")
    shift_size: Sizes = parameter(
        Kind.SIZES, "Windows start at shift_size plus multiples of window_size.", 0, minimum=0
    )
    heads: int = parameter(Kind.INTEGER, _HEADS, 8, minimum=1)

    def __init__(
        self,
        *,
        window_size: Sizes,
        shift_size: Sizes = 0,
        heads: int = 8,
        shift: Sizes | None = None,
    ) -> None:
        for name, value in (
            ("window_size", window_size),
            ("shift_size", shift_size),
            ("heads", heads),
        ):
            object.__setattr__(self, name, value)
        self.__post_init__()
        if shift is not None:
            # The value of a parameter that is wrong is refused with its own name.
            if message := fault(replace(parameters(WindowAttention)[1], name="shift"), shift):
                raise OpError(f"shift must be {message}, not {shift!r}")
            object.__setattr__(self, "shift_size", _complement(self.window_size, collapsed(shift)))

    @property
    def shift(self) -> Sizes:
        """How far before sample 0 the first window starts."""
        return _complement(self.window_size, self.shift_size)

    @classmethod
    def usual(cls) -> Self:
        return cls(window_size=7)

    def text(self, axes: int) -> str:
        return f"{self.keyword} {text_per_axis(self.window_size, axes)}"

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        axes = len(sizes)
        windows, shifts = per_axis(self.window_size, axes), per_axis(self.shift, axes)
        return tuple([window_rule(*x) for x in zip(sizes, windows, shifts, strict=True)])

    def demands(self, sizes: tuple[int, ...]) -> Demands:
        # Each sample of a window reads the whole window.
        return [(0, 8 * w * w) for w in per_axis(self.window_size, len(sizes))]

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        axes = len(sizes)
        windows = per_axis(self.window_size, axes)
        bias = prod(2 * w - 1 for w in windows) * self.heads
        tokens = prod(sizes)
        pairs = prod(
            pairs_in_windows(n, w, shift)
            for n, w, shift in zip(sizes, windows, per_axis(self.shift, axes), strict=True)
        )
        return Costs(
            4 * channels**2 + 4 * channels + bias,
            4 * tokens * channels**2 + 2 * pairs * channels,
        )

    def _tokens(self, place: Place) -> float:
        return float(prod(per_axis(self.window_size, len(place.rules))))


@dataclass(frozen=True, slots=True, kw_only=True)
class GridAttention(Gridded, MultiHead):
    """Self-attention among positions as far apart as the cells of a grid, as in MaxViT.

    Of a grid of g along an axis of n samples, a position attends to those that differ from it by a
    multiple of n/g; a bias is learned for each offset of two cells.
    """

    keyword: ClassVar[str] = "grid_attention"
    title: ClassVar[str] = "Grid attention"

    grid: Sizes = size_parameter("Number of positions that attend to each other along each axis.")
    heads: int = parameter(Kind.INTEGER, _HEADS, 8, minimum=1)

    @classmethod
    def usual(cls) -> Self:
        return cls(grid=2)

    def text(self, axes: int) -> str:
        return f"{self.keyword} {text_per_axis(self.grid, axes)}"

    def cells(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many positions attend to each other along each axis."""
        return tuple([n // self.distance(axis, sizes) for axis, n in enumerate(sizes)])

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        grids = per_axis(self.grid, len(sizes))
        bias = prod(2 * g - 1 for g in grids) * self.heads
        tokens = prod(sizes)
        pairs = tokens * prod(self.cells(sizes))
        return Costs(
            4 * channels**2 + 4 * channels + bias,
            4 * tokens * channels**2 + 2 * pairs * channels,
        )

    def _tokens(self, place: Place) -> float:
        return float(prod(per_axis(self.grid, len(place.rules))))


def _complement(window: Sizes, shift: Sizes) -> Sizes:
    """Return window minus shift, modulo the window: either way to state a shift from the other."""
    axes = max(len(x) if isinstance(x, tuple) else 1 for x in (window, shift))
    pairs = zip(per_axis(window, axes), per_axis(shift, axes), strict=True)
    found = tuple((w - x) % w for w, x in pairs)
    return found[0] if len(set(found)) == 1 else found


def window_rule(size: int, window: int, shift: int) -> AxisRule:
    """Return what is read along an axis whose windows start at multiples of them minus a shift."""
    starts = ((i + shift) // window * window - shift for i in range(window))
    reads = tuple(tuple(range(x, x + window)) for x in starts)
    return Periodic(size, size, window, reads)


def pairs_in_windows(size: int, window: int, shift: int) -> int:
    """Return the number of pairs of samples that share a window along one axis."""
    head = min(window - shift % window, size)
    whole, tail = divmod(size - head, window)
    return head**2 + whole * window**2 + tail**2
