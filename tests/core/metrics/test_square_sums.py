"""What squares around a place hold, against a plain double loop."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.core.metrics.square_sums import folded_around, squares_around

BOX = (slice(2, 9), slice(1, 8))


@pytest.mark.parametrize(
    "center", [(5.0, 4.0), (5.5, 4.5), (0.0, 11.0), (3.25, 4.0), (-2.0, 20.5), (8.0, 1.5)]
)
def test_that_the_smallest_square_that_holds_a_share_is_found(center: tuple[float, float]) -> None:
    values = np.zeros((11, 12))
    values[BOX] = np.random.default_rng(0).uniform(0, 1, (7, 7))
    squares = squares_around(folded_around(values[BOX], BOX, center), values.shape, center)
    for share in (0.2, 0.5, 0.99, 1.0):
        wanted = None
        for half in np.arange(0, 25, 0.25):
            held = pixels = 0.0
            for i in range(11):
                for j in range(12):
                    if abs(i - center[0]) <= half and abs(j - center[1]) <= half:
                        held += values[i, j]
                        pixels += 1
            if held >= share * values.sum() * (1 - 1e-9):
                wanted = half, pixels / values.size
                break
        assert wanted is not None
        assert squares.half_side(share) == pytest.approx(wanted[0])
        assert squares.area(share) == pytest.approx(wanted[1])


@pytest.mark.parametrize("center", [(5.0, 4.0), (5.5, 4.5), (8.0, 1.5), (2.0, 7.0)])
def test_that_folding_adds_up_what_is_equally_far(center: tuple[float, float]) -> None:
    values = np.random.default_rng(1).uniform(0, 1, (7, 7))
    folded = folded_around(values, BOX, center)
    wanted: dict[tuple[float, float], float] = {}
    for (i, j), x in np.ndenumerate(values):
        key = abs(i + 2 - center[0]), abs(j + 1 - center[1])
        wanted[key] = wanted.get(key, 0.0) + x
    found = {
        (a, b): folded.values[i, j]
        for i, a in enumerate(folded.distances[0].tolist())
        for j, b in enumerate(folded.distances[1].tolist())
        if folded.values[i, j]
    }
    assert found == pytest.approx(wanted)
