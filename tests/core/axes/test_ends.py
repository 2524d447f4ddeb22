"""Long patterns are in arrays, and are what tuples are."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.axes import unit_intervals
from rfstudio.core.axes.ends import FEW_PHASES, NEVER, Ends, ends_of
from rfstudio.core.axes.unit_intervals import Track, reduced, tabulated, track_of
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer

PLAIN: tuple[int | None, ...] = (3, None, -4, *range(70))


def _ends() -> Ends:
    return Ends(np.array([NEVER if x is None else x for x in PLAIN]))


def test_that_ends_are_those_of_a_tuple() -> None:
    assert tuple(_ends()) == PLAIN
    assert len(_ends()) == len(PLAIN)
    assert [_ends()[i] for i in (0, 1, 2, -1)] == [PLAIN[i] for i in (0, 1, 2, -1)]
    assert _ends()[1:5] == PLAIN[1:5]
    assert None in _ends()


def test_that_ends_are_equal_by_value() -> None:
    assert _ends() == _ends() == ends_of(PLAIN)
    assert hash(_ends()) == hash(_ends())
    other = np.array(_ends().values)
    other[30] += 1  # which the hash does not say
    assert _ends() != Ends(other)
    assert _ends() != Ends(_ends().values[:-1])
    assert _ends() != PLAIN


def test_that_few_ends_are_a_tuple() -> None:
    assert ends_of([1, None]) == (1, None)
    assert isinstance(ends_of(range(FEW_PHASES)), tuple)
    assert isinstance(ends_of(range(FEW_PHASES + 1)), Ends)


@pytest.mark.parametrize("seed", range(40))
def test_that_a_long_pattern_is_the_same_in_arrays_and_in_tuples(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    period, turns = rng.choice((1, 5, 40, 70)), rng.choice((1, 2, 4))
    advance = rng.choice((-9, 0, 3, 12))
    first = [rng.choice((None, *range(-9, 9))) for _ in range(period)]
    seen = [
        None if (x := first[unit % period]) is None else (x + unit // period * advance,) * 2
        for unit in range(period * turns)
    ]
    bounds = np.array([x or (NEVER, -NEVER) for x in seen]).T
    found = [track_of(bounds, advance * turns), tabulated(seen, advance * turns)]
    monkeypatch.setattr(unit_intervals, "FEW_PHASES", 1 << 20)
    plain = track_of(bounds, advance * turns)
    assert found[0] == found[1]
    assert tuple(found[0].first) == plain.first
    assert tuple(found[0].last) == plain.last
    units = np.arange(-90, 190)
    for track in found:
        assert isinstance(track.first, tuple) == (track.period <= FEW_PHASES)
        assert (track.advance, track.is_blind) == (plain.advance, plain.is_blind)
        assert track.furthest == plain.furthest
        assert track.interval(90) == plain.interval(90)
        ours, theirs = track.bounds(units), plain.bounds(units)
        sees = theirs[0] <= theirs[1]
        assert ((ours[0] <= ours[1]) == sees).all()
        assert (ours[:, sees] == theirs[:, sees]).all()


def test_that_a_long_pattern_of_tuples_is_reduced_as_well() -> None:
    ends = tuple(range(0, 700, 7))
    assert reduced(Track(700, ends, ends)) == Track(7, (0,), (0,))


def test_that_the_fields_behind_a_resize_are_few_objects() -> None:
    """Each layer kept two numbers for each of 784 phases: 270,000 objects, in some edits."""
    convs = [ops.Conv(kernel_size=3, padding=1)] * 9
    layers = tuple(map(Layer, (ops.Upsample(size=784), *convs)))
    network = Architecture("resized", input_size=(225,), layers=layers)
    tracks = [x.tracks[0] for layer in analyze(network).layers for x in layer.fields]
    long = [x for x in tracks if isinstance(x, Track) and x.period > FEW_PHASES]
    assert len(long) >= 9
    assert all(isinstance(x, Ends) for track in long for x in (track.first, track.last))
