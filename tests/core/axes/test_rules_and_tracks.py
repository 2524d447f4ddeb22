"""What an output reads along one axis: all at once as one by one, and padding as numpy pads."""

import random

import numpy as np
import pytest

from rfstudio.core.axes.axis_rule import Periodic, Window, source_of_padding
from rfstudio.core.axes.unit_intervals import Track, reduced


@pytest.mark.parametrize(
    ("mode", "numpys"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")]
)
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_that_padding_reads_the_samples_that_numpy_pads_with(
    mode: str, numpys: str, size: int
) -> None:
    wide = 3 * size + 2
    padded = np.pad(np.arange(size), wide, mode=numpys)  # type: ignore[call-overload] # one of three
    found = [source_of_padding(i, size, mode) for i in range(-wide, size + wide)]
    assert found == padded.tolist()


def _random_rule(rng: random.Random) -> Window | Periodic:
    n_in, n_out = rng.randint(1, 12), rng.randint(1, 12)
    if rng.random() < 0.5:
        kernel, stride, dilation = (rng.randint(1, 4) for _ in range(3))
        return Window(n_in, n_out, kernel, stride, dilation, rng.randint(-2, 4))
    phases = tuple(
        tuple(sorted(rng.sample(range(-3, 8), rng.randint(0, 3)))) for _ in range(rng.randint(1, 4))
    )
    if not any(phases):
        phases = ((0,), *phases[1:])
    return Periodic(n_in, n_out, rng.randint(0, 6), phases, clamped=rng.random() < 0.5)


@pytest.mark.parametrize("seed", range(60))
def test_that_taps_of_all_outputs_are_those_of_each(seed: int) -> None:
    rule = _random_rule(random.Random(seed))
    indices = np.arange(-5, rule.n_out + 5)
    found: list[list[int]] = [[] for _ in indices]
    for sources, there in rule.taps_of_all(indices):
        for i in np.flatnonzero(there):
            found[i].append(int(sources[i]))
    assert found == [list(rule.taps(int(i))) for i in indices]


@pytest.mark.parametrize("seed", range(60))
def test_that_pairs_are_the_samples_that_are_there_each_once(seed: int) -> None:
    rule = _random_rule(random.Random(seed))
    if isinstance(rule, Window):
        return
    expected = set()
    for i in range(rule.n_out):
        for tap in rule.taps(i):
            if rule.clamped:
                expected.add((i, min(max(tap, 0), rule.n_in - 1)))
            elif 0 <= tap < rule.n_in:
                expected.add((i, tap))
    found = list(zip(*(x.tolist() for x in rule.pairs), strict=True))
    assert len(found) == len(set(found))
    assert set(found) == expected


@pytest.mark.parametrize("seed", range(40))
def test_that_a_pattern_repeated_is_the_pattern_once(seed: int) -> None:
    rng = random.Random(seed)
    period, turns, advance = rng.randint(1, 4), rng.randint(1, 3), rng.randint(0, 5)
    first = [rng.choice([None, *range(-3, 4)]) for _ in range(period)]
    last = [None if x is None else x + rng.randint(0, 4) for x in first]
    once = Track(advance, tuple(first), tuple(last))
    seen = [once.interval(unit) for unit in range(period * turns)]
    again = Track(
        advance * turns,
        tuple(None if x is None else x[0] for x in seen),
        tuple(None if x is None else x[1] for x in seen),
    )
    short = reduced(again)
    assert short.period <= period
    assert short.jump == once.jump
    units = range(-20, 20)
    assert [short.interval(x) for x in units] == [once.interval(x) for x in units]
