"""Rings around a place, and the share of a map in them."""

import numpy as np
import pytest

from rfstudio.core.metrics.rings import ring_mask, ring_share


def test_that_a_ring_has_the_pixels_at_its_distance() -> None:
    ring = ring_mask((9, 10), (4, 3), 3.0)
    for y, x in np.ndindex(9, 10):
        assert ring[y, x] == (abs(np.hypot(y - 4, x - 3) - 3.0) < 0.75)


def test_that_a_share_is_of_the_sum() -> None:
    values = np.ones((3, 3))
    assert ring_share(values, (1, 1), 1.0) == pytest.approx(8 / 9)
    assert ring_share(np.zeros((3, 3)), (1, 1), 1.0) is None
