"""The normal distribution without scipy: its cumulative probability and nodes for means over it."""

from __future__ import annotations

from math import erf, sqrt, tau
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.memo import remembered

Values = NDArray[np.float64]

_erf = np.frompyfunc(erf, 1, 1)


def cdf(x: Values) -> Values:
    """Return the probability that a standard normal value is below each `x`."""
    values: Any = _erf(x / sqrt(2.0))
    result: Values = 0.5 * (1.0 + np.asarray(values, np.float64))
    return result


def density(x: Values) -> Values:
    """Return the density of the standard normal distribution at each `x`."""
    result: Values = np.exp(-0.5 * x**2) / sqrt(tau)
    return result


@remembered(16)
def nodes(count: int) -> tuple[Values, Values]:
    """Return points and weights: Σ w f(x) is the mean of f over the standard normal one.

    Gauss and Hermite's rule: exact for polynomials up to degree 2·count − 1.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(count)
    return points, weights / weights.sum()


def quantiles(count: int) -> Values:
    """Return points that cut the normal distribution into equal parts, one in each."""
    unit = NormalDist()
    return np.array([unit.inv_cdf((i + 0.5) / count) for i in range(count)])
