"""Fields whose pattern repeats only after more units than any map has stay exact."""

from __future__ import annotations

import random
from fractions import Fraction
from unittest.mock import patch

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Window
from rfstudio.core.axes.unit_intervals import Track, WideTrack
from rfstudio.core.errors import TooLargeError
from rfstudio.core.fields import field
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.fields.field import AxisField, merge, through
from rfstudio.core.memo import forget
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Layer,
    Parallel,
    Repeat,
    Residual,
)
from rfstudio.core.work import at_most
from tests.core.oracle import jump_on, paths, seen_on
from tests.narrowing import present


def _network() -> Architecture:
    """Adaptive pools to sizes without a common factor, with strides in between."""
    items: list[Layer] = []
    for size in (211, 97, 43):
        items.append(Layer(ops.AdaptiveAvgPool(output_size=size), f"pool{size}"))
        items.append(Layer(ops.Conv(kernel_size=3, stride=2, padding=1), f"conv{size}"))
    items.append(Layer(ops.Conv(kernel_size=3, padding=1), "last"))
    return Architecture("long", "", "", (227,), 1, tuple(items))


def test_that_a_period_of_880081_units_is_never_walked_and_still_exact() -> None:
    analysis = analyze(_network())
    layer = analysis["last"]
    track = layer.fields[0].tracks[0]
    assert isinstance(track, WideTrack)
    assert track.period == 211 * 97 * 43
    (way,) = paths(analysis.graph, layer.index)
    assert (
        layer.jump[0]
        == jump_on(analysis.graph, way, 0)
        == Fraction(227 * 8, 211 * 97 * 43) * (106 * 49)
    )
    sizes = []
    for unit in range(-2, layer.output_size[0] + 2):
        seen = present(seen_on(analysis.graph, way, 0, unit))
        assert layer.fields[0].interval(unit) == (min(seen), max(seen))
        if 0 <= unit < layer.output_size[0]:
            sizes.append(max(seen) - min(seen) + 1)
    assert layer.rf_size_range[0] == (min(sizes), max(sizes))


def test_that_a_pattern_from_the_cache_counts_as_work() -> None:
    """Otherwise a network would be too large or not, by what was analysed before it."""
    track = Track(700, tuple(range(0, 700, 7)), tuple(range(5, 705, 7)))
    before, rule = AxisField((track,)), Window(500, 500, kernel=3, before=1)
    for _ in range(2):
        with pytest.raises(TooLargeError), at_most(1000, "too much"):
            through(before, rule)
        through(before, rule)  # and now it is known


@pytest.mark.parametrize("second", [Track(6, (0, 2, 5), (4, 7, 9)), Track(2, (1,), (8,))])
def test_that_merges_of_patterns_count_as_work(second: Track) -> None:
    """Thousands of merges, each with another pattern, took as long as they liked."""
    fields = [AxisField((Track(6, (0, 1, 4), (3, 6, 9)),)), AxisField((second,))]
    with pytest.raises(TooLargeError), at_most(600, "too much"):
        merge(fields)
    assert merge(fields)[0].tracks[0].jump == 2


@pytest.mark.parametrize("seed", range(12))
def test_that_merges_are_the_same_unit_by_unit_and_all_at_once(seed: int) -> None:
    rng = random.Random(seed)
    fields = []
    for _ in range(3):
        period = rng.choice((1, 2, 3, 6))
        first = [rng.choice((None, *range(9))) for _ in range(period)]
        last = tuple([None if x is None else x + rng.randint(0, 5) for x in first])
        fields.append(AxisField((Track(2 * period, tuple(first), last),)))
    found = []
    for most in (0, 1 << 20):
        with patch.object(field, "_ONE_BY_ONE", most):
            found.append(merge(fields))
    assert found[0] == found[1]


@pytest.mark.parametrize("taps", [1, 3, 7])
def test_that_patterns_are_the_same_unit_by_unit_and_all_at_once(taps) -> None:
    ends = [3 * i * i % 41 for i in range(20)]
    blind = [None if i % 5 == 0 else x for i, x in enumerate(ends)]
    other = [None if i % 5 == 0 else x + 4 for i, x in enumerate(ends)]
    track = Track(60, tuple(blind), tuple(other))
    rule = Window(90, 90, kernel=taps, stride=3, dilation=5, before=2)
    found = []
    for most in (0, 1 << 20):
        forget()
        with patch.object(field, "_ONE_BY_ONE", most):
            found.append(through(AxisField((track,)), rule))
    assert found[0] == found[1]


def test_that_merges_of_a_map_of_16_million_samples_are_not_worked_out_in_advance() -> None:
    """Found by random edits: the hull of both branches took minutes after a group norm."""

    def conv(name: str) -> Layer:
        return Layer(ops.Conv(kernel_size=3, padding=1, out_channels=3), name)

    upsampled = (conv("a"), Layer(ops.Upsample(scale_factor=1000)), conv("b"))
    both = Parallel((Branch((Layer(ops.Relu()),)), Branch(())))
    layers = (
        Layer(ops.Conv(kernel_size=3, stride=2, padding=1, out_channels=3), "stem"),
        both,
        Repeat(times=2, layers=(Residual(upsampled), Layer(ops.Relu())), name="stage"),
        both,
        conv("head"),
        Layer(ops.GroupNorm(num_groups=1)),
        both,
    )
    found = analyze(Architecture(name="x", input_size=(32, 32), layers=layers))
    assert found.layers[-1].output_size == (16_000_000, 16_000_000)
    # Both branches read the same units, so the hull is that of the layer before them.
    local = [x.size_range(1) for x in found.layers[-1].local_fields]
    assert local == [x.size_range(1) for x in found["head"].local_fields]


def test_that_each_of_many_long_patterns_in_a_row_is_gone_through_once() -> None:
    """Tap by tap, each layer would go back through all before it: three times three times …"""
    pools = (ops.MaxPool(kernel_size=3, stride=2), ops.Upsample(scale_factor=3))
    layers = tuple(Layer(x) for x in pools * 20)
    analysis = analyze(Architecture("long", input_size=(224,), layers=layers))
    with at_most(1 << 23, "too much"):
        sizes = [x.rf_size for x in analysis.layers]
    # Each pool adds 2 of its jump of 2/3 a pair: 1 + 2 · Σ (2/3)ⁱ is 7 at most, and whole pixels.
    assert sizes[0] == (3,)
    assert all(size is not None and 5 <= size <= 8 for (size,) in sizes[8:])


def test_that_a_map_is_as_long_as_its_units_where_a_draft_merges_maps_of_two_sizes() -> None:
    """Units thousands of millions beyond a map were followed back, each anew: 4 s."""
    pool, longer = ops.AdaptiveAvgPool(output_size=211), ops.Upsample(size=97)
    layers = (
        *(Layer(pool), Layer(longer), Layer(ops.AdaptiveAvgPool(output_size=43), "short")),
        Layer(ops.Add(), "sum", ("input", "short")),
    )
    network = Architecture("draft", "", "", (2**31 - 1,), 1, layers)
    long = AxisField((WideTrack(Fraction(3, 2), 99_999, 40, lambda x: np.stack([x, x + x % 7])),))
    assert long.size_range(2**31 - 1) == long.size_range(40) == (1, 7)
    assert analyze(network)["sum"].rf_size_range is not None
