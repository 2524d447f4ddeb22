"""Activations: one function, applied to every value by itself, with its slope."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import OpError
from rfstudio.core.layer_models.backward import Backward, one_or_each
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import (
    Moments,
    activated,
    activated_by_place,
    mean_squared_slope,
    open_together,
)
from rfstudio.core.memo import remembered
from rfstudio.core.normal_distribution import cdf, density, nodes
from rfstudio.core.ops.operation import Costs, Free, Pointwise
from rfstudio.core.ops.values import STEEPEST, Kind, parameter

Values = NDArray[np.float64]


class Activation(Pointwise):
    """One function, applied to every value by itself.

    Attributes
    ----------
    torch_function
        The same in PyTorch: ``torch.tanh`` or, of `torch.nn.functional`, ``F.elu``.  Its options
        are the parameters of the operation, by name.
    """

    __slots__ = ()

    followed_apart: ClassVar[bool] = True

    torch_function: ClassVar[str]

    @property
    def slope_below(self) -> float | None:
        """Slope below 0 if the slope depends on the sign alone, and is 1 above."""
        return None

    @property
    @abstractmethod
    def is_rising(self) -> bool:
        """Whether it never falls: the largest of some values stays the largest."""

    @abstractmethod
    def value(self, x: Values) -> Values:
        """Return what it makes of values."""

    @abstractmethod
    def slope(self, x: Values) -> Values:
        """Return its derivative at values."""

    def squared_slope(self, square: float) -> float:
        """Return E[φ′(z)²] over normal z around 0 with that mean square."""
        return _squared_slope(self, square)

    def squared_slope_around(self, points: Values, deviation: float) -> Values:
        """Return the mean squared slope over normal values around each point."""
        around, weights = nodes(24)
        result: Values = self.slope(points[:, None] + deviation * around) ** 2 @ weights
        return result

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """Return the layer of a function φ: M_in = E[φ′²] M (E8), moments by (E7)."""
        found = [_activated(self, x) for _, x in runs]
        places = None
        if self.slope_below is None and len(runs) == 1:
            slope, places, moments = self._activated_by_place(place, runs[0][1], *found[0])
            found = [(slope, moments)]
        remark = ""
        if self.slope_below is None:
            remark = (
                "slopes of activations are modelled for values of wide layers; with skips, few "
                "channels and no norms a map was 5 % off"
            )
        elif not all(x.is_normal for _, x in runs):
            remark = (
                "gates after values that are mostly positive follow a model of those values; "
                "after 14 blocks a map was 3 % off"
            )
        backward = Backward(
            one_or_each([x for x, _ in found]), gate=_opened(self, average(runs)), places=places
        )
        out = tuple([(n, x) for (n, _), (_, x) in zip(runs, found, strict=True)])
        if self.slope_below is not None:  # small values stay as much smaller
            profiles = [x.profile for _, x in runs]
            pairs = zip(out, profiles, strict=True)
            out = tuple([(n, x._replace(profile=p)) for (n, x), p in pairs])
        return Layer(backward, out, remark)

    def _activated_by_place(
        self, place: Place, x: Moments, slope: float, after: Moments
    ) -> tuple[float, tuple[Values, ...] | None, Moments]:
        """Return slope and moments where values near the border are smaller, by position."""
        profile = x.profile
        if profile is None or profile.size != place.size_in or not x.is_normal or x.square <= 0:
            return slope, None, after
        found = activated_by_place(self, float(f"{x.square:.6g}"), profile)
        shared = min(after.shared, found.square)
        after = after._replace(square=found.square, shared=shared, profile=found.profile)
        return found.slope, found.slopes, after


@remembered(1024)
def _activated(curve: Activation, x: Moments) -> tuple[float, Moments]:
    """Return the mean squared slope of an activation, and the moments after it."""
    return mean_squared_slope(curve, x), activated(curve, x)


@remembered(1024)
def _opened(curve: Activation, x: Moments) -> float:
    return open_together(curve, x)


_GRID = np.linspace(-7.0, 7.0, 701)
_MASS = density(_GRID) / density(_GRID).sum()


@remembered(1024)
def _squared_slope(curve: Activation, square: float) -> float:
    return float(_MASS @ curve.slope(_GRID * sqrt(square)) ** 2)


class Homogeneous(Activation):
    """An activation whose slope depends on the sign alone, so that no size of values matters."""

    __slots__ = ()

    @property
    @abstractmethod
    def slope_below(self) -> float:
        """The slope below 0; above it is 1."""

    @property
    def is_rising(self) -> bool:
        return self.slope_below >= 0

    def value(self, x: Values) -> Values:
        return np.where(x > 0, x, self.slope_below * x)

    def slope(self, x: Values) -> Values:
        return np.where(x > 0, 1.0, self.slope_below)

    def squared_slope(self, square: float) -> float:
        return (1 + self.slope_below**2) / 2

    def squared_slope_around(self, points: Values, deviation: float) -> Values:
        above = cdf(points / deviation)
        low = self.slope_below**2
        return above + (1 - above) * low if low else above


@dataclass(frozen=True, slots=True)
class Relu(Free, Homogeneous):
    """max(0, x)."""

    keyword: ClassVar[str] = "relu"
    title: ClassVar[str] = "ReLU"
    torch_function: ClassVar[str] = "F.relu"

    slope_below: ClassVar[float] = 0.0

    def value(self, x: Values) -> Values:
        return np.maximum(x, 0.0)


@dataclass(frozen=True, slots=True)
class Relu6(Free, Activation):
    """min(max(0, x), 6)."""

    keyword: ClassVar[str] = "relu6"
    title: ClassVar[str] = "ReLU6"
    torch_function: ClassVar[str] = "F.relu6"
    is_rising: ClassVar[bool] = True

    def value(self, x: Values) -> Values:
        return np.clip(x, 0.0, 6.0)

    def slope(self, x: Values) -> Values:
        return ((x > 0) & (x < 6.0)).astype(np.float64)

    def squared_slope_around(self, points: Values, deviation: float) -> Values:
        return cdf(points / deviation) - cdf((points - 6.0) / deviation)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyRelu(Free, Homogeneous):
    """x if positive, else a fraction of x."""

    keyword: ClassVar[str] = "leaky_relu"
    title: ClassVar[str] = "Leaky ReLU"
    torch_function: ClassVar[str] = "F.leaky_relu"

    negative_slope: float = parameter(
        Kind.NUMBER, "Slope below zero.", 0.01, minimum=-STEEPEST, maximum=STEEPEST
    )

    @property
    def slope_below(self) -> float:
        return float(self.negative_slope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elu(Free, Activation):
    """x if positive, else alpha (exp(x) − 1)."""

    keyword: ClassVar[str] = "elu"
    title: ClassVar[str] = "ELU"
    torch_function: ClassVar[str] = "F.elu"

    alpha: float = parameter(
        Kind.NUMBER, "Depth of the negative part.", 1.0, minimum=-STEEPEST, maximum=STEEPEST
    )

    @property
    def is_rising(self) -> bool:
        return self.alpha >= 0

    def value(self, x: Values) -> Values:
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0.0)))

    def slope(self, x: Values) -> Values:
        return np.where(x > 0, 1.0, self.alpha * np.exp(np.minimum(x, 0.0)))


_TANH_SLOPE = sqrt(2 / np.pi)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gelu(Free, Activation):
    """x Φ(x)."""

    keyword: ClassVar[str] = "gelu"
    title: ClassVar[str] = "GELU"
    torch_function: ClassVar[str] = "F.gelu"
    is_rising: ClassVar[bool] = False

    approximate: str = parameter(
        Kind.CHOICE, "Exact, or by the tanh formula.", "none", choices=("none", "tanh")
    )

    def value(self, x: Values) -> Values:
        if self.approximate == "tanh":
            return 0.5 * x * (1.0 + np.tanh(_TANH_SLOPE * (x + 0.044715 * x**3)))
        return x * cdf(x)

    def slope(self, x: Values) -> Values:
        if self.approximate == "tanh":
            inner = np.tanh(_TANH_SLOPE * (x + 0.044715 * x**3))
            bend = _TANH_SLOPE * (1 + 3 * 0.044715 * x**2)
            result: Values = 0.5 * (1 + inner) + 0.5 * x * (1 - inner**2) * bend
            return result
        return cdf(x) + x * density(x)


@dataclass(frozen=True, slots=True)
class Silu(Free, Activation):
    """x sigmoid(x)."""

    keyword: ClassVar[str] = "silu"
    title: ClassVar[str] = "SiLU"
    torch_function: ClassVar[str] = "F.silu"
    is_rising: ClassVar[bool] = False

    def value(self, x: Values) -> Values:
        return x * _sigmoid(x)

    def slope(self, x: Values) -> Values:
        s = _sigmoid(x)
        return s * (1 + x * (1 - s))


@dataclass(frozen=True, slots=True)
class Mish(Free, Activation):
    """x tanh(log(1 + exp(x)))."""

    keyword: ClassVar[str] = "mish"
    title: ClassVar[str] = "Mish"
    torch_function: ClassVar[str] = "F.mish"
    is_rising: ClassVar[bool] = False

    def value(self, x: Values) -> Values:
        return x * np.tanh(np.logaddexp(0.0, x))

    def slope(self, x: Values) -> Values:
        bent = np.tanh(np.logaddexp(0.0, x))
        return bent + x * (1.0 - bent**2) * _sigmoid(x)


@dataclass(frozen=True, slots=True)
class Hardswish(Free, Activation):
    """x relu6(x + 3) / 6."""

    keyword: ClassVar[str] = "hardswish"
    title: ClassVar[str] = "Hard swish"
    torch_function: ClassVar[str] = "F.hardswish"
    is_rising: ClassVar[bool] = False

    def value(self, x: Values) -> Values:
        return x * np.clip(x + 3.0, 0.0, 6.0) / 6.0

    def slope(self, x: Values) -> Values:
        return np.where(x > 3.0, 1.0, (2.0 * x + 3.0) / 6.0) * (x > -3.0)


@dataclass(frozen=True, slots=True)
class Hardsigmoid(Free, Activation):
    """relu6(x + 3) / 6."""

    keyword: ClassVar[str] = "hardsigmoid"
    title: ClassVar[str] = "Hard sigmoid"
    torch_function: ClassVar[str] = "F.hardsigmoid"
    is_rising: ClassVar[bool] = True

    def value(self, x: Values) -> Values:
        return np.clip(x + 3.0, 0.0, 6.0) / 6.0

    def slope(self, x: Values) -> Values:
        return (np.abs(x) < 3.0) / 6.0


@dataclass(frozen=True, slots=True)
class Sigmoid(Free, Activation):
    """1 / (1 + exp(−x))."""

    keyword: ClassVar[str] = "sigmoid"
    title: ClassVar[str] = "Sigmoid"
    torch_function: ClassVar[str] = "torch.sigmoid"
    is_rising: ClassVar[bool] = True

    def value(self, x: Values) -> Values:
        return _sigmoid(x)

    def slope(self, x: Values) -> Values:
        return _sigmoid(x) * (1.0 - _sigmoid(x))


@dataclass(frozen=True, slots=True)
class Tanh(Free, Activation):
    """The hyperbolic tangent."""

    keyword: ClassVar[str] = "tanh"
    title: ClassVar[str] = "Tanh"
    torch_function: ClassVar[str] = "torch.tanh"
    is_rising: ClassVar[bool] = True

    def value(self, x: Values) -> Values:
        return np.tanh(x)

    def slope(self, x: Values) -> Values:
        return 1.0 - np.tanh(x) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Softplus(Free, Activation):
    """log(1 + exp(beta x)) / beta."""

    keyword: ClassVar[str] = "softplus"
    title: ClassVar[str] = "Softplus"
    torch_function: ClassVar[str] = "F.softplus"
    is_rising: ClassVar[bool] = True

    beta: float = parameter(
        Kind.NUMBER, "Sharpness of the bend.", 1.0, minimum=1e-3, maximum=STEEPEST
    )
    threshold: float = parameter(
        Kind.NUMBER, "Above it the function is x.", 20.0, minimum=0, maximum=STEEPEST
    )

    def value(self, x: Values) -> Values:
        bent = np.logaddexp(0.0, x * self.beta) / self.beta
        return np.where(x * self.beta > self.threshold, x, bent)

    def slope(self, x: Values) -> Values:
        return np.where(x * self.beta > self.threshold, 1.0, _sigmoid(self.beta * x))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prelu(Homogeneous):
    """x if positive, else a learned fraction of x."""

    keyword: ClassVar[str] = "prelu"
    title: ClassVar[str] = "PReLU"
    torch_function: ClassVar[str] = "F.prelu"
    keeps_map: ClassVar[bool] = False  # its slopes may not fit the channels

    num_parameters: int = parameter(
        Kind.INTEGER, "One slope for all channels, or one per channel.", 1, minimum=1
    )
    init: float = parameter(
        Kind.NUMBER, "Slope at the start.", 0.25, minimum=-STEEPEST, maximum=STEEPEST
    )

    @property
    def slope_below(self) -> float:
        return float(self.init)

    def output_channels(self, channels: tuple[int, ...], sizes: tuple[int, ...]) -> int:
        if self.num_parameters not in (1, channels[0]):
            raise OpError(f"{self.num_parameters} slopes do not fit {channels[0]} channels; use 1")
        return channels[0]

    def costs(
        self, channels: int, out_channels: int, sizes: tuple[int, ...], out_sizes: tuple[int, ...]
    ) -> Costs:
        return Costs(self.num_parameters, 0)


def _sigmoid(x: Values) -> Values:
    result: Values = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result
