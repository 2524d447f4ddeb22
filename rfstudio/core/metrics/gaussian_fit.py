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
"""Most steps of a fit; a map that is like a Gaussian takes fewer than 12."""

_LEAST_STEPS = 12

_CELLS = 1 << 25
"""Pixels that all steps together go through, from `_LEAST_STEPS` on."""

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
    if peak <= 0 or not all(s > 0 for s in sigma):
        return None
    problem = _Problem(values, peak)
    if problem.whole <= 0:
        return None
    count = values.ndim
    theta = np.array([1.0, *center, *np.log(np.maximum(sigma, 0.3))])
    error, slope, curvature = problem.state(theta)
    damping = 1e-3
    for _ in range(min(max(_CELLS // problem.cells, _LEAST_STEPS), _STEPS)):
        damped = curvature.copy()
        damped.flat[:: len(theta) + 1] += damping * curvature.diagonal() + 1e-300
        # One step moves the centre by a sigma and the sigma by a factor of e, at most.
        bounds = np.concatenate([[1.0], np.exp(theta[1 + count :]), np.ones(count)])
        trial = theta + np.clip(np.linalg.solve(damped, slope), -bounds, bounds)
        new_error, new_slope, new_curvature = problem.state(trial)
        if new_error > error:
            damping *= 8
            if damping > 1e12:
                break
            continue
        done = error - new_error <= _ENOUGH * max(error, 1e-12 * problem.energy)
        theta, error, slope, curvature = trial, new_error, new_slope, new_curvature
        damping = max(damping / 6, 1e-12)
        if done:
            break
    return GaussianFit(
        float(theta[0]) * peak,
        tuple(float(x) for x in theta[1 : 1 + count]),
        tuple(float(x) for x in np.exp(theta[1 + count :])),
        1.0 - max(error, 0.0) / problem.whole,
    )


class _Problem:
    """The sums over a map that a step needs.

    Attributes
    ----------
    cells
        Pixels in the box of all that are not zero.
    energy
        Sum of the squares of the map, over its largest value.
    whole
        Sum of their squared distances from the mean.
    """

    def __init__(self, values: Values, peak: float) -> None:
        self._axes = [np.arange(n, dtype=np.float64) for n in values.shape]
        # Zeros add nothing to sums with the map.
        self._box = box_of_values(values)
        self._values = values[self._box] / peak
        flat = self._values.ravel()
        self.cells = flat.size
        self.energy = float(flat @ flat)
        mean = float(flat.sum()) / values.size
        flat = flat - mean
        self.whole = float(flat @ flat) + (values.size - flat.size) * mean**2
        # Which of the three rows of `state` each parameter takes along each axis.
        none, one = np.zeros((1, values.ndim), int), np.eye(values.ndim, dtype=int)
        self._picks = tuple(np.concatenate([none, one, 2 * one]).T)

    def state(self, theta: Values) -> tuple[float, Values, Values]:
        """Return the squared error, −½ its slope and its curvature at some parameters."""
        count = len(self._axes)
        amplitude, centers, sigmas = theta[0], theta[1 : 1 + count], np.exp(theta[1 + count :])
        data: Values = self._values
        gram = np.ones((len(theta), len(theta)))
        for x, mu, sigma, pick, box in zip(
            self._axes, centers.tolist(), sigmas.tolist(), self._picks, self._box, strict=True
        ):
            # The bell, its derivative by μ and by log σ.
            row = np.empty((3, x.size))
            z = (x - mu) / sigma
            squares = z * z
            np.exp(-0.5 * squares, out=row[0])
            np.multiply(row[0], z / sigma, out=row[1])
            np.multiply(row[0], squares, out=row[2])
            gram *= row.dot(row.T)[pick[:, None], pick]
            # Contracts the first axis, appends the row's as the last.
            rest = data.shape[1:]
            taken = row[:, box]
            data = taken.dot(data.reshape(data.shape[0], -1)).T.reshape(*rest, 3)
        scale = np.full(len(theta), amplitude)
        scale[0] = 1.0
        inner = data[self._picks]
        error = self.energy - 2 * amplitude * inner[0] + amplitude**2 * gram[0, 0]
        slope = scale * (inner - amplitude * gram[0])
        return float(error), slope, scale[:, None] * gram * scale


def box_of_values(values: Values) -> tuple[slice, ...]:
    """Return the smallest box that holds all non-zero values of a map without negative ones."""
    box = []
    for axis in range(values.ndim):
        others = tuple([i for i in range(values.ndim) if i != axis])
        found = np.flatnonzero(values.sum(axis=others))
        box.append(slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0))
    return tuple(box)
