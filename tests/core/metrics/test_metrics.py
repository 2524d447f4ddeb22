"""The numbers of an effective field, on maps for which they are known."""

from __future__ import annotations

import json
from math import log, pi, sqrt

import numpy as np
import pytest

from rfstudio.core.metrics.metrics import Metrics, measured_peak
from rfstudio.core.metrics.registry import NAMES
from tests.fixed_frame import FixedFrame
from tests.narrowing import present


def _gaussian(
    size: tuple[int, ...], center: tuple[float, ...], sigma: tuple[float, ...]
) -> np.ndarray:
    result = np.ones(())
    for n, c, s in zip(size, center, sigma, strict=True):
        result = np.multiply.outer(result, np.exp(-((np.arange(n) - c) ** 2) / (2 * s * s)))
    return result


SIDE, SIGMA = 601, 60.0


@pytest.fixture(scope="module")
def round_map() -> Metrics:
    middle = (SIDE - 1) / 2
    values = _gaussian((SIDE, SIDE), (middle, middle), (SIGMA, SIGMA))
    frame = FixedFrame((middle, middle), (401, 401), ((0, SIDE - 1), (0, SIDE - 1)))
    return Metrics(values, frame)


# Of a Gaussian of standard deviation σ; see the derivations in docs/expected-erf.md.
@pytest.mark.parametrize(
    ("name", "over_sigma"),
    [
        ("luo_size", sqrt(-2 * pi * log(1 - 0.9545))),
        ("luo_size_of_maximum", sqrt(-2 * pi * log(1 - 0.9545))),
        ("fwhm", 2 * sqrt(2 * log(2))),
        ("r50", sqrt(2 * log(2))),
        ("participation_side", 2 * sqrt(pi)),
    ],
)
def test_that_sizes_of_a_gaussian_are_as_derived(
    round_map: Metrics, name: str, over_sigma: float
) -> None:
    assert round_map[name] == pytest.approx(over_sigma * SIGMA, rel=1e-3)


def test_that_the_published_factors_hold() -> None:
    # 4.406, 2.355, 1.177 and 2√π σ: the values that the design states.
    assert sqrt(-2 * pi * log(1 - 0.9545)) == pytest.approx(4.406, abs=1e-3)
    assert 2 * sqrt(2 * log(2)) == pytest.approx(2.355, abs=1e-3)
    assert sqrt(2 * log(2)) == pytest.approx(1.177, abs=1e-3)


def test_that_moments_and_fit_find_the_gaussian(round_map: Metrics) -> None:
    assert round_map.sigma == pytest.approx((SIGMA, SIGMA), rel=1e-4)
    fit = round_map.gaussian
    assert fit is not None
    assert fit.sigma == pytest.approx((SIGMA, SIGMA), rel=1e-9)
    assert fit.center == pytest.approx((300, 300), abs=1e-6)
    assert fit.amplitude == pytest.approx(1)
    assert fit.r_squared == pytest.approx(1, abs=1e-9)
    assert round_map.anisotropy == pytest.approx(1)
    assert round_map.angle is None
    assert round_map.offset == pytest.approx((0, 0), abs=1e-9)
    assert round_map.outside == 0


def test_that_squares_hold_their_share(round_map: Metrics) -> None:
    values, middle = round_map.map, SIDE // 2
    for name, ratio in round_map.area_ratio.items():
        half = (round(sqrt(present(ratio)) * SIDE) - 1) // 2
        held = [
            values[middle - h : middle + h + 1, middle - h : middle + h + 1].sum() / values.sum()
            for h in (half, half - 1)
        ]
        assert held[0] >= float(name) > held[1]


def test_that_the_way_of_replknet_depends_on_the_scale_and_lies_around_the_middle() -> None:
    values = _gaussian((224, 224), (100, 100), (10, 10))
    small, large = (Metrics(x * values, FixedFrame((100.0, 100.0))) for x in (1e-3, 1e6))
    assert small.area_ratio == large.area_ratio
    in_small, in_large = (present(x.area_ratio_replknet["0.2"]) for x in (small, large))
    assert in_small < in_large
    # A square around pixel 112 has to reach farther than one around the unit.
    around_unit, around_middle = (x["0.5"] for x in (small.area_ratio, small.area_ratio_replknet))
    assert present(around_unit) < present(around_middle)


def test_that_ratios_compare_with_the_theoretical_field(round_map: Metrics) -> None:
    count = present(round_map.luo_count)
    assert round_map.erf_trf_ratio == {
        "side": pytest.approx(sqrt(count) / 401),
        "area": pytest.approx(count / 401**2),
    }


@pytest.mark.parametrize("angle", [-60, -30, 0, 30, 60, 90])
def test_that_direction_and_elongation_are_found(angle: int) -> None:
    y, x = np.mgrid[-100:101, -100:101]
    a = np.deg2rad(angle)
    along, across = x * np.cos(a) + y * np.sin(a), -x * np.sin(a) + y * np.cos(a)
    metrics = Metrics(np.exp(-(along**2) / (2 * 15**2) - across**2 / (2 * 5**2)))
    assert metrics.anisotropy == pytest.approx(3, rel=1e-3)
    assert metrics.angle == pytest.approx(angle, abs=0.05)


def test_that_a_fit_of_noise_says_how_badly_it_fits() -> None:
    rng = np.random.default_rng(0)
    values = _gaussian((80, 90), (35, 50), (8, 4)) + 0.05 * rng.random((80, 90))
    fit = Metrics(values).gaussian
    assert fit is not None
    assert fit.center == pytest.approx((35, 50), abs=0.5)
    assert fit.sigma == pytest.approx((8, 4), rel=0.35)
    residual = values - fit.amplitude * _gaussian((80, 90), fit.center, fit.sigma)
    r_squared = 1 - (residual**2).sum() / ((values - values.mean()) ** 2).sum()
    assert fit.r_squared == pytest.approx(r_squared, rel=1e-9)
    assert 0.5 < fit.r_squared < 0.99


@pytest.mark.parametrize("size", [(300,), (70, 70, 70)])
def test_that_one_and_three_axes_are_measured_alike(size: tuple[int, ...]) -> None:
    sigma = 30.0 if len(size) == 1 else 6.0
    center = tuple((n - 1) / 2 for n in size)
    metrics = Metrics(_gaussian(size, center, (sigma,) * len(size)), FixedFrame(center))
    assert metrics.fwhm == pytest.approx(2.355 * sigma, rel=0.02)
    assert metrics.sigma == pytest.approx((sigma,) * len(size), rel=1e-3)
    assert metrics.gaussian is not None
    assert metrics.gaussian.sigma == pytest.approx((sigma,) * len(size), rel=1e-6)
    assert metrics.participation_side == pytest.approx(2 * sqrt(pi) * sigma, rel=1e-3)


def test_that_a_centre_between_pixels_counts_the_pixels_around_it() -> None:
    values = np.zeros((6, 6))
    values[2:4, 2:4] = 1
    metrics = Metrics(values, FixedFrame((2.5, 2.5), (2, 2)))
    assert metrics.center_value == 1
    assert metrics.luo_count == 4
    assert metrics.area_ratio["0.99"] == pytest.approx(4 / 36)
    assert metrics.erf_trf_ratio["side"] == pytest.approx(1)


def test_that_a_hole_at_the_centre_falls_back_to_the_maximum() -> None:
    values = np.zeros((9, 9))
    values[2::4, 2::4] = 1
    metrics = Metrics(values, FixedFrame((4.0, 4.0)))
    assert metrics.center_value == 0
    assert metrics.luo_count == 4


def test_that_what_lies_outside_the_visible_region_is_noticed() -> None:
    values = np.ones((4, 4))
    assert Metrics(values, FixedFrame(visible_region=((0, 1), (0, 3)))).outside == 0.5
    assert Metrics(values, FixedFrame(visible_region=None)).outside == 1


@pytest.mark.parametrize("frame", [None, FixedFrame(), FixedFrame((2.0, 2.0), (3, 3))])
def test_that_a_map_of_zeros_has_no_numbers(frame: FixedFrame | None) -> None:
    result = Metrics(np.zeros((5, 5)), frame).as_dict()
    assert set(result) == set(NAMES)
    flat = [y for x in result.values() for y in (x.values() if isinstance(x, dict) else [x])]
    assert all(x is None for x in flat)


def test_that_all_numbers_go_into_json(round_map: Metrics) -> None:
    text = json.dumps(round_map.as_dict(), allow_nan=False)
    assert set(json.loads(text)) == set(NAMES)
    with pytest.raises(KeyError):
        round_map["as_dict"]


def test_that_single_pixels_do_not_make_a_measured_field_pale() -> None:
    field = np.zeros((200, 200))
    field[50:150, 50:150] = 1.0
    field[100, 100:120] = 50.0
    assert measured_peak(field) == 1.0
    assert measured_peak(np.zeros((4, 4))) == 0.0
    assert measured_peak(np.array([[0.0, 3.0]])) == 3.0
