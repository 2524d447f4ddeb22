"""Means of the slopes of activations over distributions of values."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np

from rfstudio.core.energy.normal import density
from rfstudio.core.ops import Activation, Homogeneous, Op
from rfstudio.core.ops.activation import Values


def is_rising(op: Op) -> bool:
    """Return whether an activation never falls: the largest of some values stays the largest."""
    return isinstance(op, Activation) and op.is_rising


def value(op: Op, x: Values) -> Values:
    """Return what an activation makes of values."""
    assert isinstance(op, Activation)
    return op.value(x)


def slope(op: Op, x: Values) -> Values:
    """Return the derivative of an activation at values."""
    assert isinstance(op, Activation)
    return op.slope(x)


def slope_below(op: Homogeneous) -> float:
    """Return the slope of a homogeneous activation below 0."""
    return op.slope_below


_GRID = np.linspace(-7.0, 7.0, 701)
_MASS = density(_GRID) / density(_GRID).sum()


@lru_cache(maxsize=1024)
def squared_slope(op: Op, square: float) -> float:
    """Return E[φ′(z)²] over normal z around 0 with that mean square."""
    if isinstance(op, Homogeneous):
        return (1 + op.slope_below**2) / 2
    return float(_MASS @ slope(op, _GRID * sqrt(square)) ** 2)
