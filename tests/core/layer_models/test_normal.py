"""The normal distribution against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rfstudio.core.normal_distribution import cdf, density, nodes

X = np.linspace(-8, 8, 33)


def test_that_probability_and_density_are_those_of_scipy() -> None:
    np.testing.assert_allclose(cdf(X), stats.norm.cdf(X), rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(density(X), stats.norm.pdf(X), rtol=1e-12)


@pytest.mark.parametrize("degree", range(16))
def test_that_means_of_polynomials_are_moments_of_the_normal_distribution(degree: int) -> None:
    points, weights = nodes(8)
    wanted = stats.norm.moment(degree) if degree else 1.0
    assert float(weights @ points**degree) == pytest.approx(wanted, rel=1e-9, abs=1e-6)
