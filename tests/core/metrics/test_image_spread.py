"""The spread of numbers over images."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.core.metrics.spread import FieldSpread, ImageField, Values


def spread(*sigmas: float) -> FieldSpread:
    fields = tuple(ImageField(str(x), None, ((0, 2), (0, 2)), x, x, x, 1.0) for x in sigmas)
    empty: Values = np.zeros((3, 3))
    return FieldSpread("layer", (1, 1), (8, 8), fields, empty, empty, 0.0, 1)


def test_that_equal_numbers_have_no_deviation_and_others_their_own() -> None:
    # In floats the mean of three times 0.1 is not 0.1.
    assert np.std([0.1, 0.1, 0.1]) > 0
    same = spread(0.1, 0.1, 0.1).spread_of(lambda x: x.sigma)
    assert same is not None
    assert same.deviation == 0
    # By hand: 1 and 3 are 1 away from their mean.
    other = spread(1.0, 3.0).spread_of(lambda x: x.sigma)
    assert other is not None
    assert [other.mean, other.deviation] == pytest.approx([2, 1])
