"""A fit finds the Gaussian that a map is, and the least squares of one that is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from rfstudio.core.metrics.gaussian_fit import fit_gaussian


def _bell(
    shape: tuple[int, ...], center: tuple[float, ...], sigma: tuple[float, ...]
) -> np.ndarray:
    result = np.ones(())
    for n, c, s in zip(shape, center, sigma, strict=True):
        result = np.multiply.outer(result, np.exp(-((np.arange(n) - c) ** 2) / (2 * s**2)))
    return result


@pytest.mark.parametrize(
    ("shape", "center", "sigma"),
    [
        ((40,), (17.3,), (4.0,)),
        ((30, 40), (12.25, 21.5), (3.0, 6.5)),
        ((30, 30), (2.0, 28.0), (8.0, 2.0)),  # cut off at the border
        ((14, 16, 18), (6.0, 8.5, 9.0), (2.0, 3.0, 4.0)),
    ],
)
def test_that_an_exact_gaussian_is_found(
    shape: tuple[int, ...], center: tuple[float, ...], sigma: tuple[float, ...]
) -> None:
    start = tuple(c + 0.6 for c in center), tuple(1.4 * s for s in sigma)
    fit = fit_gaussian(7.5 * _bell(shape, center, sigma), *start)
    assert fit is not None
    assert fit.amplitude == pytest.approx(7.5, rel=1e-4)
    assert fit.center == pytest.approx(center, abs=1e-3)
    assert fit.sigma == pytest.approx(sigma, rel=1e-4)
    assert fit.r_squared == pytest.approx(1.0, abs=1e-8)


def test_that_the_fit_of_another_map_has_the_least_squares() -> None:
    rng = np.random.default_rng(0)
    values = _bell((20, 24), (9.0, 12.0), (3.0, 4.0)) + rng.uniform(0, 0.3, (20, 24))
    fit = fit_gaussian(values, (9.0, 12.0), (3.0, 4.0))
    assert fit is not None

    def error(x: np.ndarray) -> np.ndarray:
        return (values - x[0] * _bell(values.shape, tuple(x[1:3]), tuple(x[3:]))).ravel()

    best = least_squares(error, [1.0, 9.0, 12.0, 3.0, 4.0])
    mine = error(np.array([fit.amplitude, *fit.center, *fit.sigma]))
    assert (mine**2).sum() == pytest.approx(2 * best.cost, rel=1e-6)
    whole = ((values - values.mean()) ** 2).sum()
    assert fit.r_squared == pytest.approx(1 - (mine**2).sum() / whole, abs=1e-9)


def test_that_a_map_without_form_has_no_fit() -> None:
    assert fit_gaussian(np.zeros((4, 4)), (2.0, 2.0), (1.0, 1.0)) is None
    assert fit_gaussian(np.ones((4, 4)), (2.0, 2.0), (1.0, 1.0)) is None
