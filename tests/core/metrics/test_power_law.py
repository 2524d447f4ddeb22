"""Power laws fitted to points, against exact laws and the published growth of effective fields."""

import pytest
from scipy import stats

from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.power_law import fit_power_law

DEPTHS = [5, 10, 20, 40]


def test_that_points_on_a_law_give_it_back() -> None:
    law = fit_power_law([1.0, 3.0, 7.0], [2.0 * x**-0.5 for x in (1.0, 3.0, 7.0)])
    assert law.exponent == pytest.approx(-0.5)
    assert law.factor == pytest.approx(2.0)
    assert law.r_squared == pytest.approx(1.0)
    assert law.at(4.0) == pytest.approx(1.0)


def test_that_a_fit_is_the_line_of_least_squares_through_logarithms() -> None:
    line = stats.linregress([0.0, 1.0, 2.0, 3.0], [0.1, 1.4, 1.2, 2.5])
    law = fit_power_law(
        [2.718281828459045**x for x in (0.0, 1.0, 2.0, 3.0)],
        [2.718281828459045**y for y in (0.1, 1.4, 1.2, 2.5)],
    )
    assert law.exponent == pytest.approx(line.slope)
    assert law.r_squared == pytest.approx(line.rvalue**2)


def test_that_published_counts_of_pixels_give_the_published_slopes() -> None:
    # Pixels of uniform stacks of 3×3: the sizes grow by .482, the shares of the field by −.478.
    sizes = [n**0.5 for n in (69, 137, 261, 517)]
    assert fit_power_law(DEPTHS, sizes).exponent == pytest.approx(0.482, abs=0.001)
    ratios = [size / (2 * n + 1) for size, n in zip(sizes, DEPTHS, strict=True)]
    assert fit_power_law(DEPTHS, ratios).exponent == pytest.approx(-0.478, abs=0.001)


def test_that_equal_values_are_explained_completely() -> None:
    law = fit_power_law([1, 2, 3], [4, 4, 4])
    assert (law.exponent, law.r_squared) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("xs", "ys", "reason"),
    [
        ([1, 2], [1, 0], "positive"),
        ([1, float("inf")], [1, 2], "finite"),
        ([3, 3], [1, 2], "two different x"),
        ([], [], "two different x"),
        ([1, 2], [1], "one of both"),
    ],
)
def test_that_what_has_no_law_is_refused(xs: list[float], ys: list[float], reason: str) -> None:
    with pytest.raises(RFStudioError, match=reason):
        fit_power_law(xs, ys)
