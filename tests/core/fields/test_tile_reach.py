"""How far units read beyond their cells, for tiles: in whole numbers, checked with fractions."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil

import numpy as np
import pytest

from rfstudio.core.axes.unit_intervals import NEVER
from rfstudio.core.fields.tiles import _reach


@pytest.mark.parametrize("far", [9, 10**6, 2**59])
def test_that_the_reach_in_whole_numbers_is_that_in_fractions(far: int) -> None:
    rng = random.Random(far)
    for _ in range(50):
        step = Fraction(rng.choice((-1, 1)) * rng.randint(1, 9), rng.randint(1, 9))
        samples, size, count = rng.randint(1, 99), rng.randint(1, 99), rng.randint(1, 6)
        starts = np.array([rng.randint(-99, 99) for _ in range(count)])
        stops = starts + rng.randint(1, 5)
        bounds = np.array([[rng.randint(-far, far) for _ in range(count)] for _ in "fl"])
        reaches = [
            (
                ceil(int(start) - step * int(first)),
                ceil(step * (int(last) + 1) + samples - step * size) - int(stop),
            )
            for start, stop, first, last in zip(starts, stops, *bounds, strict=True)
            if first <= last
        ]
        expected = tuple(map(max, zip(*reaches, strict=True))) or (-NEVER, -NEVER)
        assert _reach(bounds, starts, stops, step, samples, size) == expected
