"""The activations as functions with their slopes, for means over distributions of values."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.energy.normal import cdf, density
from rfstudio.core.ops import Op

Values = NDArray[np.float64]


def _sigmoid(x: Values) -> Values:
    result: Values = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result


def _softplus(op: ops.Softplus, x: Values) -> Values:
    return np.where(x * op.beta > op.threshold, x, np.logaddexp(0.0, x * op.beta) / op.beta)


_TANH_SLOPE = sqrt(2 / np.pi)


def _gelu(op: ops.Gelu, x: Values) -> Values:
    if op.approximate == "tanh":
        return 0.5 * x * (1.0 + np.tanh(_TANH_SLOPE * (x + 0.044715 * x**3)))
    return x * cdf(x)


def _gelu_slope(op: ops.Gelu, x: Values) -> Values:
    if op.approximate == "tanh":
        inner = np.tanh(_TANH_SLOPE * (x + 0.044715 * x**3))
        bend = _TANH_SLOPE * (1 + 3 * 0.044715 * x**2)
        result: Values = 0.5 * (1 + inner) + 0.5 * x * (1 - inner**2) * bend
        return result
    return cdf(x) + x * density(x)


def _silu_slope(_: Any, x: Values) -> Values:
    s = _sigmoid(x)
    return s * (1 + x * (1 - s))


def _step(x: Values) -> Values:
    return (x > 0).astype(np.float64)


_FUNCTIONS: dict[type[Op], tuple[Callable[[Any, Values], Values], Callable[[Any, Values], Values]]]
_FUNCTIONS = {
    ops.Relu: (lambda _, x: np.maximum(x, 0.0), lambda _, x: _step(x)),
    ops.Relu6: (lambda _, x: np.clip(x, 0.0, 6.0), lambda _, x: _step(x) * (x < 6.0)),
    ops.LeakyRelu: (
        lambda op, x: np.where(x > 0, x, op.negative_slope * x),
        lambda op, x: np.where(x > 0, 1.0, op.negative_slope),
    ),
    ops.Prelu: (
        lambda op, x: np.where(x > 0, x, op.init * x),
        lambda op, x: np.where(x > 0, 1.0, op.init),
    ),
    ops.Elu: (
        lambda op, x: np.where(x > 0, x, op.alpha * np.expm1(np.minimum(x, 0.0))),
        lambda op, x: np.where(x > 0, 1.0, op.alpha * np.exp(np.minimum(x, 0.0))),
    ),
    ops.Gelu: (_gelu, _gelu_slope),
    ops.Silu: (lambda _, x: x * _sigmoid(x), _silu_slope),
    ops.Hardswish: (
        lambda _, x: x * np.clip(x + 3.0, 0.0, 6.0) / 6.0,
        lambda _, x: np.where(x > 3.0, 1.0, (2.0 * x + 3.0) / 6.0) * (x > -3.0),
    ),
    ops.Hardsigmoid: (
        lambda _, x: np.clip(x + 3.0, 0.0, 6.0) / 6.0,
        lambda _, x: (np.abs(x) < 3.0) / 6.0,
    ),
    ops.Sigmoid: (lambda _, x: _sigmoid(x), lambda _, x: _sigmoid(x) * (1.0 - _sigmoid(x))),
    ops.Tanh: (lambda _, x: np.tanh(x), lambda _, x: 1.0 - np.tanh(x) ** 2),
    ops.Softplus: (
        _softplus,
        lambda op, x: np.where(x * op.beta > op.threshold, 1.0, _sigmoid(op.beta * x)),
    ),
}

ACTIVATIONS: frozenset[type[Op]] = frozenset(_FUNCTIONS)
"""Operations that are one function, applied to every value for itself."""

HOMOGENEOUS: tuple[type[Op], ...] = (ops.Relu, ops.LeakyRelu, ops.Prelu)
"""Those whose slope depends on the sign alone, so that no size of values matters."""

_RISING: tuple[type[Op], ...] = (
    ops.Relu6,
    ops.Elu,
    ops.Hardsigmoid,
    ops.Sigmoid,
    ops.Tanh,
    ops.Softplus,
)


def is_rising(op: Op) -> bool:
    """Return whether an activation never falls: the largest of some values stays the largest."""
    if isinstance(op, HOMOGENEOUS):
        return slope_below(op) >= 0
    return isinstance(op, _RISING) and (not isinstance(op, ops.Elu) or op.alpha >= 0)


def value(op: Op, x: Values) -> Values:
    """Return what an activation makes of values."""
    return _FUNCTIONS[type(op)][0](op, x)


def slope(op: Op, x: Values) -> Values:
    """Return the derivative of an activation at values."""
    return _FUNCTIONS[type(op)][1](op, x)


@lru_cache(maxsize=64)
def slope_below(op: Op) -> float:
    """Return the slope of a homogeneous activation below 0."""
    return float(slope(op, np.full(1, -1.0))[0])


_GRID = np.linspace(-7.0, 7.0, 701)
_MASS = density(_GRID) / density(_GRID).sum()


@lru_cache(maxsize=1024)
def squared_slope(op: Op, square: float) -> float:
    """Return E[φ′(z)²] over normal z around 0 with that mean square."""
    if isinstance(op, HOMOGENEOUS):
        return (1 + slope_below(op) ** 2) / 2
    return float(_MASS @ slope(op, _GRID * sqrt(square)) ** 2)
