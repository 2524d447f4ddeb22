"""How far units read beyond their cells, for tiles: in whole numbers, checked with fractions."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest

from rfstudio.core.axes.axis_rule import Periodic
from rfstudio.core.axes.ends import NEVER
from rfstudio.core.fields.tiles import _floors, _reach, _read


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


@pytest.mark.parametrize("rises", [True, False])
def test_that_runs_of_outputs_read_what_their_taps_read(rises: bool) -> None:
    rng = random.Random(rises)
    for _ in range(60):
        starts = [rng.randint(0, 6) for _ in range(rng.randint(1, 8))]
        taps = [tuple(range(x, x + rng.choice((0, 1, 1, 3)))) for x in starts]
        taps = sorted(taps) if rises else taps
        rule = Periodic(99, 99, rng.randint(6, 9) if rises else rng.randint(-9, 9), tuple(taps))
        first = np.array([rng.randint(-30, 30) for _ in range(9)])
        last = first + np.array([rng.randint(-1, 20) for _ in range(9)])
        found = _read(rule, np.stack([first, last]))
        for a, b, low, high in zip(first, last, *found, strict=True):
            read = [x for i in range(int(a), int(b) + 1) for x in rule.taps(i)]
            assert (low, high) == ((min(read), max(read)) if read else (NEVER, -NEVER))


@pytest.mark.parametrize(
    "jump", [Fraction(1), Fraction(9, 4), Fraction(1, 3), Fraction(1 << 59, 7)]
)
def test_that_the_samples_of_units_are_whole_numbers_of_any_jump(jump: Fraction) -> None:
    units = np.arange(-40, 40)
    assert _floors(units, jump).tolist() == [floor(u * jump) for u in range(-40, 40)]
