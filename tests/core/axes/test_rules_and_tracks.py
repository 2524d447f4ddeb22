"""What an output reads along one axis: all at once as one by one, and padding as numpy pads."""

import random
from dataclasses import replace

import numpy as np
import pytest

from rfstudio.core.axes.axis_rule import Periodic, Window, source_of_padding, sources_of_padding
from rfstudio.core.axes.axis_set import AxisSet, read_back
from rfstudio.core.axes.unit_intervals import Track, reduced
from rfstudio.core.fields.remarks.diagnostics import _blind_units


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
    places = np.arange(-wide, size + wide)
    assert sources_of_padding(places, size, mode).tolist() == padded.tolist()


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


def _random_pattern(rng: random.Random) -> Periodic:
    n_in, n_out, advance = rng.randint(1, 20), rng.randint(1, 30), rng.choice((-3, -1, 0, 1, 2, 5))
    phases = []
    for phase in range(rng.randint(1, 5)):
        if rng.random() < 0.5:
            taps = sorted(rng.sample(range(-9, 12), rng.randint(0, 4)))
        else:
            start = phase * advance // 4 + rng.choice((-9, -1, 0, 0, 0, 1))
            taps = [*range(start, start + rng.randint(1, 4))]
        phases.append(tuple(taps))
    return Periodic(n_in, n_out, advance, tuple(phases), clamped=rng.random() < 0.4)


def _really_read(rule: Periodic, output: int) -> set[int]:
    taps = rule.taps(output)
    if rule.clamped:
        return {min(max(x, 0), rule.n_in - 1) for x in taps}
    return {x for x in taps if 0 <= x < rule.n_in}


@pytest.mark.parametrize("seed", range(8))
def test_that_sets_read_back_and_units_without_samples_are_those_of_each_output(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(100):
        rule = _random_pattern(rng)
        reads = [_really_read(rule, i) for i in range(rule.n_out)]
        if not rule.clamped:
            assert _blind_units(rule) == sum(not x for x in reads), rule
        start = rng.randrange(rule.n_out)
        mask = np.array([True, *(rng.random() < 0.5 for _ in reads[start + 1 :])])
        mask[-1] = True
        wanted = AxisSet(start, rule.n_out, None if mask.all() else mask)
        found = read_back(wanted, rule).indices().tolist()
        assert found == sorted(set().union(*[reads[int(i)] for i in wanted.indices()])), rule


def test_that_patterns_of_long_maps_are_not_listed_to_read_or_count_units() -> None:
    # Thousands of such maps took gigabytes.
    rule = Periodic(60_000, 120_000, 1, ((-1, 0), (0, 2)))
    assert read_back(AxisSet(5, 7), rule).indices().tolist() == [2, 3, 4]
    assert _blind_units(rule) == 0
    assert "pairs" not in vars(rule)
    assert rule.flat_taps is Periodic(7, 14, 1, ((-1, 0), (0, 2))).flat_taps


def test_that_equal_rules_share_their_phases_once_they_were_compared() -> None:
    """Both axes of 5,000 layers were compared phase by phase, at each of them: 30 s."""
    one, other, third = (
        Periodic(9, 18, 9, tuple([(i % 9 + x,) for i in range(18)])) for x in (0, 0, 1)
    )
    assert one.phases is not other.phases
    assert one == other
    assert one.phases is other.phases
    assert one != third
    assert one != replace(other, clamped=True)
    assert one != replace(other, is_mean=True)
    assert hash(one) == hash(other)
