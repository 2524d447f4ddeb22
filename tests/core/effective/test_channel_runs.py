"""Runs of equal channels: cut where another map's end, joined where sources of a concat meet."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from rfstudio.core.layer_models.layer import Runs, concatenated, means_over_runs, side_by_side
from rfstudio.core.layer_models.moments import Moments

SMALL, LARGE, OTHER = Moments(1.0), Moments(2.0), Moments(3.0, 1.0)


def test_that_runs_are_cut_where_those_of_another_map_end() -> None:
    cut = side_by_side([((96, SMALL), (64, LARGE)), ((32, OTHER), (128, SMALL))])
    assert cut == [(32, (SMALL, OTHER)), (64, (SMALL, SMALL)), (64, (LARGE, SMALL))]


def test_that_maps_of_other_numbers_of_channels_have_no_runs_in_common() -> None:
    assert side_by_side([((3, SMALL),), ((4, SMALL),)]) == []


def test_that_alike_channels_are_one_run_only_where_two_sources_meet() -> None:
    sources = [((8, SMALL), (8, SMALL)), ((4, SMALL), (4, LARGE)), ((2, SMALL),)]
    assert list(concatenated(sources)) == [(8, SMALL), (12, SMALL), (4, LARGE), (2, SMALL)]


@pytest.mark.parametrize("seed", range(20))
def test_that_every_channel_keeps_its_moments(seed: int) -> None:
    rng = random.Random(seed)
    known = [SMALL, LARGE, OTHER]
    channels = [[rng.choice(known) for _ in range(24)] for _ in range(3)]
    maps: list[Runs] = []
    for values in channels:
        edges = sorted({0, 24, *rng.sample(range(1, 24), 5)})
        # Runs end where channels change, and at some other places as well.
        edges = sorted({*edges, *[i for i in range(1, 24) if values[i] != values[i - 1]]})
        maps.append(tuple((b - a, values[a]) for a, b in pairwise(edges)))
    spelled = [x for n, moments in side_by_side(maps) for x in [moments] * n]
    assert spelled == list(zip(*channels, strict=True))
    joined = [x for n, moments in concatenated(maps) for x in [moments] * n]
    assert joined == [x for values in channels for x in values]


def test_that_means_over_wider_runs_weigh_channels() -> None:
    assert means_over_runs([(2, 1.0), (6, 3.0), (4, 5.0)], [8, 4]) == (2.5, 5.0)
