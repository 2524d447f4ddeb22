"""Norms and scales: over the map, over the channels of a position, or by running statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from rfstudio.core.axes.axis_rule import AxisRules, Whole, Window
from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.backward import Backward, one_or_each, spreading
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import Moments, scaled, shifted, standardized
from rfstudio.core.layer_models.spread import WindowSpread
from rfstudio.core.ops.operation import (
    NO_COSTS,
    Context,
    Costs,
    Free,
    Mixing,
    Pointwise,
    by_position,
    whole_rules,
)
from rfstudio.core.ops.values import GREATEST, STEEPEST, Kind, parameter

_EPS = "Added to the variance."
_AFFINE = "Whether scale and shift are learned."


class MapNorm(Mixing):
    """A norm whose statistics run over the map, at inference too."""

    __slots__ = ()

    weighted: ClassVar[bool] = False

    eps: float
    affine: bool

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(2 * channels, 0) if self.affine else NO_COSTS

    def group_count(self, channels: int) -> int:
        """Return the number of groups of channels that are normalised together."""
        return channels

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return _over_map(self.group_count(place.channels), self.eps, place, runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceNorm(MapNorm):
    """Normalisation of each channel by its mean and variance over the map."""

    keyword: ClassVar[str] = "instance_norm"
    title: ClassVar[str] = "Instance normalisation"

    eps: float = parameter(Kind.NUMBER, _EPS, 1e-5, minimum=0, maximum=GREATEST)
    affine: bool = parameter(Kind.BOOLEAN, _AFFINE, False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNorm(MapNorm):
    """Normalisation of groups of channels by their mean and variance over the map."""

    keyword: ClassVar[str] = "group_norm"
    title: ClassVar[str] = "Group normalisation"

    num_groups: int = parameter(Kind.INTEGER, "Number of channel groups.", minimum=1)
    eps: float = parameter(Kind.NUMBER, _EPS, 1e-5, minimum=0, maximum=GREATEST)
    affine: bool = parameter(Kind.BOOLEAN, _AFFINE, True)

    @classmethod
    def usual(cls) -> Self:
        return cls(num_groups=1)

    def group_count(self, channels: int) -> int:
        return self.num_groups

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        if channels[0] % self.num_groups:
            raise OpError(f"{self.num_groups} groups do not divide {channels[0]} channels")
        return channels[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNorm(Pointwise):
    """Normalisation of the channels of each position."""

    keyword: ClassVar[str] = "layer_norm"
    title: ClassVar[str] = "Layer normalisation"
    followed_apart: ClassVar[bool] = True

    eps: float = parameter(Kind.NUMBER, _EPS, 1e-5, minimum=0, maximum=GREATEST)
    elementwise_affine: bool = parameter(Kind.BOOLEAN, _AFFINE, True)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(2 * channels, 0) if self.elementwise_affine else NO_COSTS

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return the layer of a norm over the C channels of a position.

        (E21) M_in = (C − 2)/(C − 3) · M/variance: two of the C directions of the gradient are taken
        away, and over C normal values of that variance the mean of one over their own variance is
        C/(C − 3) larger.
        """
        x = average(runs)
        channels = max(place.channels, 1)
        variance = x.square - x.mean**2
        scale = 0.0
        if channels > 2 and variance > 0:
            scale = (channels - 2.0) / max(channels - 3.0, 1.0) / (variance + self.eps)
        backward = Backward(scale)
        if x.profile is not None and x.profile.size == place.size_in and scale > 0:
            # Where padding made values small the norm makes them, and their gradients, large.
            spreads = [WindowSpread(Window(p.size, p.size), 1.0, 1.0 / p) for p in x.profile.axes]
            backward = Backward(0.0, scale, tuple(spreads))
        out: Runs = ((channels, _standard(x, x.mean**2, variance)),)
        if len(runs) > 1 and variance > 0:
            out = tuple([(n, shifted(y, x.mean, variance**-0.5)) for n, y in runs])
        remark = "layer norm is modelled with the expected variance over its channels"
        return Layer(backward, out, remark)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerScale(Pointwise):
    """Each channel times a learned factor, plus a learned number, if it has these.

    The factor alone, small at the start, is the LayerScale of arXiv:2103.17239.
    """

    keyword: ClassVar[str] = "layer_scale"
    title: ClassVar[str] = "Layer scale"
    followed_apart: ClassVar[bool] = True

    init: float = parameter(Kind.NUMBER, "Factor at the start.", 1e-6, minimum=0, maximum=STEEPEST)
    scale: bool = parameter(Kind.BOOLEAN, "Whether there is a learned factor.", True)
    shift: bool = parameter(Kind.BOOLEAN, "Whether a learned number is added, at first 0.", False)
    shared: bool = parameter(Kind.BOOLEAN, "Whether all channels have the same numbers.", False)

    @property
    def factor(self) -> float:
        """By what it multiplies at the start."""
        return self.init if self.scale else 1.0

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs((self.scale + self.shift) * (1 if self.shared else channels), 0)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        out = tuple([(n, scaled(x, self.factor)) for n, x in runs])
        return Layer(Backward(self.factor**2), out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine(Free, Pointwise):
    """Each value times a constant, plus another one; neither is learned."""

    keyword: ClassVar[str] = "affine"
    title: ClassVar[str] = "Constant factor and shift"
    followed_apart: ClassVar[bool] = True

    factor: float = parameter(
        Kind.NUMBER, "Multiplies each value.", 1.0, minimum=-STEEPEST, maximum=STEEPEST
    )
    shift: float = parameter(
        Kind.NUMBER, "Added to each product.", 0.0, minimum=-GREATEST, maximum=GREATEST
    )

    @classmethod
    def usual(cls) -> Self:
        return cls(factor=0.5)

    def text(self, axes: int) -> str:
        shift = f" {'+' if self.shift > 0 else '−'}{abs(self.shift):g}" if self.shift else ""
        return f"{self.keyword} ×{self.factor:g}{shift}"

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        out = [(n, scaled(x, self.factor)) for n, x in runs]
        if self.shift:
            out = [(n, shifted(x, -self.shift, 1.0)) for n, x in out]
        return Layer(Backward(self.factor**2), tuple(out))


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalResponseNorm(Free, Pointwise):
    """Each channel divided by the energy of its neighbouring channels."""

    keyword: ClassVar[str] = "local_response_norm"
    title: ClassVar[str] = "Local response normalisation"

    size: int = parameter(Kind.INTEGER, "Number of neighbouring channels.", 5, minimum=1)
    alpha: float = parameter(
        Kind.NUMBER, "Weight of the energy.", 1e-4, minimum=0, maximum=GREATEST
    )
    beta: float = parameter(Kind.NUMBER, "Exponent.", 0.75, minimum=0, maximum=10)
    k: float = parameter(Kind.NUMBER, "Added to the energy.", 1.0, minimum=1e-6, maximum=GREATEST)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """(E22) Values × f, M_in = f² M, f = (k + α s)^−β, s the mean square of all channels."""
        factor = (self.k + self.alpha * average(runs).square) ** -self.beta
        return Layer(
            Backward(factor**2),
            tuple([(n, scaled(x, factor)) for n, x in runs]),
            "local response norm is modelled with the expected energy of its channels",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNorm(Pointwise):
    """Normalisation of each channel by running statistics (inference)."""

    keyword: ClassVar[str] = "batch_norm"
    title: ClassVar[str] = "Batch normalisation"
    context: ClassVar[Context] = Context.STATISTICS
    mixes_in_training: ClassVar[bool] = True
    followed_apart: ClassVar[bool] = True

    eps: float = parameter(Kind.NUMBER, _EPS, 1e-5, minimum=0, maximum=GREATEST)
    momentum: float = parameter(
        Kind.NUMBER, "Share of a batch in the statistics.", 0.1, minimum=0, maximum=1
    )
    affine: bool = parameter(Kind.BOOLEAN, _AFFINE, True)
    scale: bool = parameter(
        Kind.BOOLEAN, "Whether affine has a learned scale, besides the shift.", True
    )

    def training_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        return whole_rules(sizes)

    def local_rules(self, rules: AxisRules) -> AxisRules:
        return by_position(rules)

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(channels * (1 + self.scale), 0) if self.affine else NO_COSTS

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return the layer of a batch norm.

        (E27) Warmed: M_in = M/(s − k + ε), for each run of channels.  Fresh: M_in = M/(1 + ε).
        With statistics from the map it is (E20).
        """
        if place.batch_norm == "train" or any(isinstance(x, Whole) for x in place.rules):
            return _over_map(place.channels, self.eps, place, runs)
        if place.batch_norm == "fresh":
            keep = 1.0 / (1.0 + self.eps)
            return Layer(Backward(keep), tuple([(n, scaled(x, keep**0.5)) for n, x in runs]))
        gains = one_or_each([1.0 / (x.norm_variance + self.eps) for _, x in runs])
        out: Runs = tuple([(n, standardized(x)) for n, x in runs])
        if all(x == out[0][1] for _, x in out):
            out = ((place.channels, out[0][1]),)  # from here on all have the same moments
        remark = "batch norm is assumed to divide by the expected variance of its channels"
        return Layer(Backward(gains), out, remark)


def _over_map(groups: int, eps: float, place: Place, runs: Runs) -> Layer:
    """Return the layer of a norm whose statistics run over n values of the map.

    (E20) After x̂ = (x − mean)/σ, g_in = (g − mean g − x̂ mean(g x̂))/σ; with independent g this is
    M_in = ((1 − 4/n) M + (2/n) mean M)/σ².

    Channels of other runs have statistics of their own, unless a group holds some of several.
    """
    positions = place.positions_in
    channels = max(place.channels // max(groups, 1), 1)
    if any(n % channels for n, _ in runs):
        runs = ((place.channels, average(runs)),)
    values = channels * positions
    out = []
    scales: list[float] = []
    for n, x in runs:
        # The mean over the channels of a group holds only a part of what they have of their own.
        centre = x.mean**2 + max(x.shared - x.mean**2, 0.0) / channels
        centre += x.variance / values
        variance = x.square - centre
        vanishes = variance <= 1e-12 * x.square or values < 3
        scales.append(0.0 if vanishes else 1.0 / (variance + eps))
        out.append((n, _standard(x, centre, variance)))
    at_place = max(1.0 - 4.0 / values, 0.0)
    keep = one_or_each([scale * at_place for scale in scales])
    mean = sum([n * scale for (n, _), scale in zip(runs, scales, strict=True)])
    each = mean / max(place.channels, 1) * 2.0 / values / positions
    everywhere = tuple([Whole(n, n) for n in place.size_in])
    return Layer(
        spreading(everywhere, each, keep=keep),
        tuple(out),
        "norms over the map are modelled with their expected statistics",
        correlates=True,
    )


def _standard(x: Moments, centre: float, variance: float) -> Moments:
    """Return the moments after a norm: distant values have (k − centre)/variance in common."""
    if variance <= 0:
        return Moments(0.0)
    shared = min(max(x.shared - centre, 0.0) / variance, 1.0)
    return Moments(1.0, shared) if x.is_normal else standardized(x)._replace(shared=shared)
