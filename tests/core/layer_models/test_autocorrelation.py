"""Rules of correlations by lag against explicit two-point matrices Wᵀ G W.

Maps are circular, so that sums over all places are what the rules say, without borders.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from rfstudio.core.axes.axis_rule import Periodic, Window, as_mean
from rfstudio.core.axes.interpolation import interpolated_at
from rfstudio.core.layer_models import autocorrelation
from rfstudio.core.layer_models.autocorrelation import REACH, Autocorrelation, Passed, Rule
from rfstudio.core.layer_models.spread import Values
from tests.narrowing import instance, present

LAGS = np.arange(-REACH, REACH + 1)
OUTPUTS = 30
WINDOWS = [(2, 1, 1), (3, 1, 1), (3, 2, 1), (2, 2, 1), (3, 1, 2), (4, 2, 3)]


def _reading(kernel: int, stride: int, dilation: int) -> np.ndarray:
    """Return W: a row for each output, 1 for each input that it reads, on a circle."""
    matrix = np.zeros((OUTPUTS, OUTPUTS * stride))
    for i in range(OUTPUTS):
        for t in range(kernel):
            matrix[i, (i * stride + dilation * t) % matrix.shape[1]] += 1
    return matrix


def _circulant(values: np.ndarray, far: float) -> np.ndarray:
    """Return G with the given correlations near the diagonal and `far` elsewhere."""
    apart = np.subtract.outer(np.arange(OUTPUTS), np.arange(OUTPUTS))
    apart = (apart + OUTPUTS // 2) % OUTPUTS - OUTPUTS // 2
    near = np.abs(apart) <= REACH
    return np.where(near, values[np.where(near, apart, 0) + REACH], far)


def _by_lag(two_point: np.ndarray) -> np.ndarray:
    """Return the sums over places for each lag, over that of no lag."""
    n = len(two_point)
    sums = [sum(two_point[q, (q + lag) % n] for q in range(n)) for lag in LAGS]
    return np.array(sums) / sums[REACH]


def _some(seed: int) -> Autocorrelation:
    half = np.random.default_rng(seed).uniform(0, 0.5, REACH)
    return Autocorrelation(np.concatenate([half[::-1], [1.0], half]), 0.0)


def _after(rule: Rule | None, arriving: Autocorrelation | None) -> tuple[Passed, Values]:
    """Return what a layer passes on, and its correlations, which are there."""
    passed = present(rule)(arriving)
    return passed, present(passed.correlation).values


@pytest.mark.parametrize("window", WINDOWS)
def test_that_a_mean_makes_of_two_points_what_their_matrix_says(
    window: tuple[int, int, int],
) -> None:
    rule = as_mean(Window(OUTPUTS * window[1], OUTPUTS, *window))
    reading = _reading(*window)
    after = _some(0)
    passed, values = _after(autocorrelation.pooled((rule,)), after)
    two_point = _circulant(after.values, 0.0)
    np.testing.assert_allclose(values, _by_lag(reading.T @ two_point @ reading), atol=1e-12)
    if rule.overlaps:
        # What an output adds under each of its taps, with all outputs that read the same sample.
        places = (window[2] * np.arange(window[0])) % reading.shape[1]
        gain = instance(np.ndarray, passed.gain)
        np.testing.assert_allclose(gain, (two_point[0] @ reading)[places], atol=1e-12)
        np.testing.assert_array_equal(present(passed.pairs), after.values)
    else:
        assert passed.gain is None


def test_that_a_mean_in_two_dimensions_is_a_product_of_its_axes() -> None:
    rules = tuple(as_mean(Window(60, 30, *x)) for x in ((3, 2, 1), (2, 1, 1)))
    _, values = _after(autocorrelation.pooled(rules), None)
    alone = [_after(autocorrelation.pooled((x,)), None)[1] for x in rules]
    np.testing.assert_allclose(values, np.multiply.outer(*alone), atol=1e-12)


def test_that_a_convolution_moves_lags_by_its_stride_and_a_transposed_one_back() -> None:
    after = _some(1)
    passed, values = _after(autocorrelation.strided((2,)), after)
    reading = _reading(1, 2, 1)
    wanted = _by_lag(reading.T @ _circulant(after.values, 0.0) @ reading)
    np.testing.assert_allclose(values, wanted, atol=1e-12)
    _, back = _after(autocorrelation.compressed((2,)), passed.correlation)
    np.testing.assert_allclose(back[REACH - 2 : REACH + 3], after.values[2:7], atol=1e-12)


def test_that_an_interpolation_correlates_as_its_weights_do() -> None:
    taps, weights = zip(
        *[interpolated_at(Fraction(2 * i - 1, 4), "bilinear") for i in range(2)], strict=True
    )
    rule = Periodic(20, 40, 1, taps, clamped=True, weights=weights)
    matrix = np.zeros((40, 20))
    matrix[rule.pairs] = rule.amplitudes
    passed, values = _after(autocorrelation.weighted((rule,)), None)
    sums = [matrix[:, 10] @ matrix[:, 10 + lag] for lag in LAGS]
    np.testing.assert_allclose(values, np.array(sums) / sums[REACH], atol=1e-12)
    assert passed.gain is None
    # Gradients that are the same everywhere add up: (Σ w)² over Σ w².
    same = Autocorrelation(np.ones(2 * REACH + 1), 1.0)
    gain = _after(autocorrelation.weighted((rule,)), same)[0].gain
    assert gain == pytest.approx(matrix[:, 10].sum() ** 2 / sums[REACH], rel=1e-12)


def test_that_two_maxima_are_at_one_sample_as_often_as_orders_say() -> None:
    # Of windows {0, 1} and {1, 2} both take sample 1 in 2 of the 6 orders: 1/3 = 1/2 · 2/3.
    after = Autocorrelation(np.ones(2 * REACH + 1), 1.0)
    passed, _ = _after(autocorrelation.pooled((Window(9, 8, 2),), largest=True), after)
    pairs = present(passed.pairs)
    assert pairs[REACH + 1] == pytest.approx(2 / 3)
    assert pairs[REACH] == pytest.approx(1.0)
    assert pairs[REACH + 2] == pytest.approx(1 / 2)  # no sample in common: independent


def test_that_gates_and_sums_of_independent_gradients_weaken_correlations() -> None:
    a, b = _some(2), _some(3)
    values, _ = a.gated(0.5).settled()
    np.testing.assert_allclose(values[REACH + 1 :], a.values[REACH + 1 :] / 2)
    assert values[REACH] == 1.0
    both = present(autocorrelation.blended(a, 0.25, b))
    np.testing.assert_allclose(both.values, 0.25 * a.values + 0.75 * b.values)
    assert autocorrelation.blended(None, 0.25, None) is None
    alone, _ = present(autocorrelation.blended(a, 0.25, None)).settled()
    np.testing.assert_allclose(alone[:REACH], a.values[:REACH] / 4)
