"""A Gaussian fitted to a map by least squares, and how well it fits.

The model A · Π exp(−(p − μ)²/2σ²) is a product over axes, so all sums that a step of Gauss, Newton
and Levenberg needs are products of sums along one axis and one contraction of the map: a step
costs one pass over the map, and nothing but numpy.

References
----------
.. [1] Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", SIAM 1963.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_STEPS = 60
_ENOUGH = 1e-10
"""Relative change of the error below which the fit is done."""


@dataclass(frozen=True, slots=True)
class GaussianFit:
    """A Gaussian with axes along the map's.

    Attributes
    ----------
    amplitude
        Its largest value, in the map's unit.
    center
        Where that is, in pixels along each axis.
    sigma
        Standard deviation along each axis, in pixels.
    r_squared
        Share of the map's variance that it explains; 1 is a perfect fit.
    """

    amplitude: float
    center: tuple[float, ...]
    sigma: tuple[float, ...]
    r_squared: float


def fit_gaussian(
    values: Values, center: tuple[float, ...], sigma: tuple[float, ...]
) -> GaussianFit | None:
    """Fit a Gaussian by least squares.

    Parameters
    ----------
    values
        The map.
    center, sigma
        Where to start, such as the map's moments.

    Returns
    -------
    GaussianFit or None
        None if the map is constant, so that there is nothing to explain.
    """
    peak = float(values.max())
    whole = float(((values - values.mean()) ** 2).sum())
    if peak <= 0 or whole <= 0 or not all(s > 0 for s in sigma):
        return None
    scaled = values / peak
    axes = [np.arange(n, dtype=np.float64) for n in values.shape]
    theta = np.array([1.0, *center, *np.log(np.maximum(sigma, 0.3))])
    energy = float((scaled**2).sum())
    error, slope, curvature = _state(scaled, axes, theta, energy)
    damping = 1e-3
    for _ in range(_STEPS):
        step = np.linalg.solve(
            curvature + damping * np.diag(np.diag(curvature)) + 1e-300 * np.eye(len(theta)), slope
        )
        trial = theta + np.clip(step, -0.5 * _bounds(theta), 0.5 * _bounds(theta))
        new_error, new_slope, new_curvature = _state(scaled, axes, trial, energy)
        if new_error > error:
            damping *= 8
            if damping > 1e12:
                break
            continue
        done = error - new_error <= _ENOUGH * max(error, 1e-12 * energy)
        theta, error, slope, curvature = trial, new_error, new_slope, new_curvature
        damping = max(damping / 6, 1e-12)
        if done:
            break
    count = values.ndim
    return GaussianFit(
        float(theta[0]) * peak,
        tuple(float(x) for x in theta[1 : 1 + count]),
        tuple(float(x) for x in np.exp(theta[1 + count :])),
        1.0 - max(error, 0.0) * peak**2 / whole,
    )


def _bounds(theta: Values) -> Values:
    """Return how far one step may go: the centre by a sigma, the sigma by a factor of e."""
    count = (len(theta) - 1) // 2
    sigma = np.exp(theta[1 + count :])
    return np.concatenate([[2.0], 2.0 * sigma, np.full(count, 2.0)])


def _state(
    values: Values, axes: list[Values], theta: Values, energy: float
) -> tuple[float, Values, Values]:
    """Return the squared error, −½ its slope and its curvature at some parameters."""
    count = len(axes)
    amplitude, centers, sigmas = theta[0], theta[1 : 1 + count], np.exp(theta[1 + count :])
    rows = []
    for x, mu, sigma in zip(axes, centers, sigmas, strict=True):
        z = (x - mu) / sigma
        bell = np.exp(-0.5 * z * z)
        # The bell, its derivative by μ and by log σ.
        rows.append(np.stack([bell, bell * z / sigma, bell * z * z]))
    data = values
    for row in rows:  # contracts the first axis, appends the result's as the last
        rest = data.shape[1:]
        data = (data.reshape(data.shape[0], -1).T @ row.T).reshape(*rest, 3)
    grams = [row @ row.T for row in rows]
    # Which of the three rows each parameter takes along each axis.
    picks = [(0,) * count]
    picks += [
        tuple(kind if i == axis else 0 for i in range(count))
        for kind in (1, 2)
        for axis in range(count)
    ]
    size = len(picks)
    scale = np.array([1.0] + [amplitude] * (size - 1))
    gram = np.ones((size, size))
    for axis, g in enumerate(grams):
        taken = [p[axis] for p in picks]
        gram *= g[np.ix_(taken, taken)]
    inner = np.array([data[p] for p in picks])
    error = energy - 2 * amplitude * inner[0] + amplitude**2 * gram[0, 0]
    slope = scale * (inner - amplitude * gram[0])
    return float(error), slope, scale[:, None] * gram * scale
