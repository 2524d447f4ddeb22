"""The difference of two effective fields, against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rfstudio.core.metrics.difference import DifferenceError, difference_of

FIELDS = arrays(np.float64, (4, 5), elements=st.floats(0, 1e6)).filter(lambda x: x.sum() > 1e-9)


def test_that_fields_are_subtracted_as_shares_of_their_sums() -> None:
    # (4, 4)/8 - (0, 2)/2 = (½, -½); the larger peak of the two is 1; half of Σ|…| is ½.
    found = difference_of(np.array([4.0, 4.0]), np.array([0.0, 2.0]))
    assert found.map.tolist() == [0.5, -0.5]
    assert found.moved == 0.5
    assert found.largest == 0.5


def test_that_a_field_of_another_height_is_the_same_field() -> None:
    field = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = difference_of(field, 1000 * field)
    assert found.largest == pytest.approx(0, abs=1e-15)
    assert found.moved == pytest.approx(0, abs=1e-15)


def test_that_fields_without_a_common_pixel_are_wholly_elsewhere() -> None:
    assert difference_of(np.array([1.0, 0.0]), np.array([0.0, 7.0])).moved == 1


@given(FIELDS, FIELDS)
def test_that_the_difference_is_antisymmetric_and_bounded(
    first: np.ndarray, other: np.ndarray
) -> None:
    there, back = difference_of(first, other), difference_of(other, first)
    np.testing.assert_allclose(there.map, -back.map, atol=1e-12)
    assert there.moved == pytest.approx(back.moved)
    assert there.largest <= 1 + 1e-12
    assert -1e-12 <= there.moved <= 1 + 1e-12
    assert there.map.sum() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("first", "other", "words"),
    [
        (np.ones((2, 3)), np.ones((3, 2)), "2×3 pixels, the other 3×2"),
        (np.zeros(3), np.ones(3), "zero everywhere"),
    ],
    ids=["shapes", "zero"],
)
def test_that_what_cannot_be_subtracted_is_refused(
    first: np.ndarray, other: np.ndarray, words: str
) -> None:
    with pytest.raises(DifferenceError, match=words):
        difference_of(first, other)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_that_rounding_is_no_difference(kind: type[np.floating]) -> None:
    field = np.random.default_rng(0).random((50, 50)).astype(kind)
    found = difference_of(field, field * kind(1 / 3))
    assert (found.moved, found.largest) == (0.0, 0.0)
