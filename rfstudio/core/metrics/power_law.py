"""A power law fitted to points: a straight line through their logarithms, by least squares.

How the size of an effective field grows with depth is reported so: the exponent is the slope in a
chart with two logarithmic axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rfstudio.core.errors import RFStudioError


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """The law y = factor · x^exponent.

    Attributes
    ----------
    exponent, factor
        Of the law.
    r_squared
        Share of the variance of log y that it explains; 1 is a perfect fit.
    """

    exponent: float
    factor: float
    r_squared: float

    def at(self, x: float) -> float:
        """Return what the law predicts at `x`."""
        return float(self.factor * x**self.exponent)


def fit_power_law(xs: Sequence[float], ys: Sequence[float]) -> PowerLaw:
    """Fit a power law to points.

    Parameters
    ----------
    xs, ys
        The points, all positive.

    Raises
    ------
    RFStudioError
        If there are fewer than two different x, or a number is not positive.

    Examples
    --------
    >>> law = fit_power_law([1, 2, 4], [3, 6, 12])
    >>> round(law.exponent, 9), round(law.factor, 9)
    (1.0, 3.0)
    """
    if len(xs) != len(ys):
        raise RFStudioError(f"there are {len(xs)} x but {len(ys)} y; each point has one of both")
    points = np.array([xs, ys], dtype=np.float64)
    if not (np.isfinite(points).all() and (points > 0).all()):
        raise RFStudioError("a power law is fitted to positive, finite numbers")
    u, v = np.log(points)
    if np.unique(u).size < 2:
        raise RFStudioError("a power law is fitted to at least two different x")
    du, dv = u - u.mean(), v - v.mean()
    exponent = float(du @ dv / (du @ du))
    rest, whole = dv - exponent * du, float(dv @ dv)
    r_squared = 1 - float(rest @ rest) / whole if whole > 0 else 1.0
    return PowerLaw(exponent, float(np.exp(v.mean() - exponent * u.mean())), r_squared)
