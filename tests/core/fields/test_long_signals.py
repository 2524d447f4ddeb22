"""Maps of millions of samples stay quick, and what would take hours is refused in words."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Periodic, Window
from rfstudio.core.axes.axis_set import AxisSet, from_indices, read_back
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.ops.geometry import MAX_SIDE


def _analysis(size: int, *items: ops.Op, axes: int = 1) -> Analysis:
    layers = tuple(Layer(x, f"n{i}") for i, x in enumerate(items))
    return analyze(Architecture("signal", "", "", (size,) * axes, 4, layers))


def _assert_blind_units_are_counted(analysis: Analysis) -> None:
    (rule,) = analysis.graph.nodes[1].rules
    expected = sum(not any(0 <= x < rule.n_in for x in rule.taps(i)) for i in range(rule.n_out))
    remarks = [x.message for x in analysis.diagnostics if x.code == "only_padding"]
    assert [int(x.split()[0]) for x in remarks] == [expected] * bool(expected)


def _read_one_by_one(wanted: AxisSet, rule: Window | Periodic) -> set[int]:
    read = {x for i in wanted.indices().tolist() for x in rule.taps(i)}
    if isinstance(rule, Periodic) and rule.clamped:
        return {min(max(x, 0), rule.n_in - 1) for x in read}
    return {x for x in read if 0 <= x < rule.n_in}


@pytest.mark.parametrize("seed", range(40))
def test_that_many_dilated_taps_read_what_they_read_one_by_one(seed: int, monkeypatch) -> None:
    monkeypatch.setattr("rfstudio.core.axes.axis_set._MANY", 0)
    monkeypatch.setattr("rfstudio.core.axes.axis_set._BLOCK", 1 + seed % 5)
    rng = random.Random(seed)
    n = rng.randint(1, 60)
    rule = Window(
        n,
        rng.randint(1, 40),
        kernel=rng.randint(2, 9),
        stride=rng.randint(1, 4),
        dilation=rng.randint(1, 7),
        before=rng.randint(-5, 30),
    )
    for wanted in (AxisSet(0, rule.n_out), _some(rng, rule.n_out)):
        found = read_back(wanted, rule)
        assert set(found.indices().tolist()) == _read_one_by_one(wanted, rule)


@pytest.mark.parametrize("seed", range(20))
def test_that_a_long_pattern_is_read_block_by_block(seed: int, monkeypatch) -> None:
    monkeypatch.setattr("rfstudio.core.axes.axis_set._BLOCK", 1 + seed % 5)
    rng = random.Random(seed)
    phases = tuple(tuple(sorted(rng.sample(range(-3, 6), rng.randint(1, 3)))) for _ in "abc")
    rule = Periodic(rng.randint(1, 12), rng.randint(6, 20), rng.randint(1, 4), phases, seed % 2 > 0)
    for wanted in (AxisSet(0, rule.n_out), _some(rng, rule.n_out)):
        found = set(read_back(wanted, rule).indices().tolist())
        assert found == _read_one_by_one(wanted, rule)


@pytest.mark.parametrize(
    ("kernel", "dilation", "size", "kilobytes"),
    [
        (1_000_000, 2, 4_000_000, 25_000),
        (7, 50_021, 3_000_000, 25_000),
        (300, 5_003, 30_000_000, 150_000),
    ],
)
def test_that_holes_take_a_few_bytes_a_sample(
    kernel: int, dilation: int, size: int, kilobytes: int
) -> None:
    """Forty-eight before, of each sample of the map."""
    wide = ops.Conv(kernel_size=kernel, dilation=dilation, padding=kernel * dilation // 2)
    many = ops.Conv(kernel_size=3, dilation=17, padding=17)
    analysis = _analysis(size, wide, many, many)
    tracemalloc.start()
    try:
        unit = analysis.unit("n2", (size // 2,))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 3 < unit.support_count < size
    assert peak < 1000 * kilobytes


@pytest.mark.parametrize(
    "layers",
    [
        (ops.Conv(kernel_size=1_000_000_000, dilation=2, padding=999_999_999),),
        [ops.Conv(kernel_size=3, dilation=2 * 3**k, padding=2 * 3**k) for k in range(19)],
    ],
)
def test_that_holes_that_would_fill_the_memory_are_followed_as_a_box(layers) -> None:
    size = 2**31 - 1
    analysis = _analysis(size, *layers)
    tracemalloc.start()
    try:
        unit = analysis.unit(f"n{len(layers) - 1}")
        assert "too large to follow" in unit.remark
        # Both see 1 + Σ dilation · (kernel − 1) samples around the middle, cut to the map.
        reach = sum(x.dilation * (x.kernel_size - 1) for x in layers) // 2
        middle = size // 2
        assert unit.visible_region == ((max(middle - reach, 0), min(middle + reach, size - 1)),)
        assert tracemalloc.get_traced_memory()[1] < 5e8
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("clamped", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_that_pairs_of_a_pattern_are_its_taps_that_are_there(seed: int, clamped: bool) -> None:
    rng = random.Random(seed)
    phases = tuple(
        tuple(sorted(rng.sample(range(-3, 6), rng.randint(int(clamped), 3)))) for _ in "abc"
    )
    rule = Periodic(rng.randint(1, 12), rng.randint(1, 20), rng.randint(1, 4), phases, clamped)
    expected = [
        (i, x) for i in range(rule.n_out) for x in sorted(_read_one_by_one(AxisSet(i, i + 1), rule))
    ]
    assert list(zip(*(x.tolist() for x in rule.pairs), strict=True)) == expected
    start, stop = sorted(rng.sample(range(rule.n_out + 1), 2))
    part = list(zip(*(x.tolist() for x in rule.pairs_of(start, stop)), strict=True))
    assert part == [x for x in expected if start <= x[0] < stop]


def _some(rng: random.Random, n: int) -> AxisSet:
    return from_indices(np.array(rng.sample(range(n), rng.randint(1, n))))


def test_that_units_far_outside_a_long_map_follow_the_formula() -> None:
    # Linear interpolation with aligned corners from 5,000 to 12,500: source i · 4,999 / 12,499.
    up = ops.Upsample(size=12_500, mode="linear", align_corners=True)
    field = _analysis(5_000, up, ops.Conv(kernel_size=3, padding=1)).fields[2][0]
    for unit in (-70_001, -300, 0, 6_000, 12_499, 20_000, 200_000):
        first, last = ((unit - 1) * 4_999) // 12_499, -(-(unit + 1) * 4_999 // 12_499)
        assert field.interval(unit) == (first, last)


def test_that_sound_of_a_minute_is_analysed_with_all_its_remarks() -> None:
    """A waveform upsampled by 300, and one brought to another rate: seconds, when done unit by
    unit."""
    up = _analysis(16_000, ops.Upsample(scale_factor=300), *[ops.Conv(kernel_size=3)] * 4)
    assert up["n4"].output_size == (4_799_992,)
    assert up["n4"].rf_size_range == ((1, 2),)
    assert not up.diagnostics
    rate = ops.Upsample(size=48_000, mode="linear", align_corners=True)
    resampled = _analysis(16_000, rate, *[ops.Conv(kernel_size=3, padding=1)] * 10)
    assert resampled["n10"].rf_size_range == ((8, 9),)
    # 23,990 · 15,999 / 47,999 = 7,996.3 and 24,010 · 15,999 / 47,999 = 8,002.99…
    assert resampled.unit("n10", (24_000,)).visible_region == ((7_996, 8_003),)


def test_that_a_kernel_of_a_million_taps_is_counted_at_once() -> None:
    wide = ops.Conv(kernel_size=1_000_001, dilation=2, padding=1_000_000)
    analysis = _analysis(4_000_000, wide)
    assert analysis.unit("n0", (2_000_000,)).support_count == 1_000_001
    assert [x.code for x in analysis.diagnostics] == ["holes"]


@pytest.mark.parametrize(
    "op",
    [
        ops.Upsample(scale_factor=1e9),
        ops.Upsample(size=2_000_000_000),
        ops.Upsample(size=MAX_SIDE, mode="linear", align_corners=True),
        ops.AdaptiveAvgPool(output_size=2_000_000_000),
        ops.PixelShuffle(upscale_factor=2_000_000_000),
        ops.ConvTranspose(kernel_size=2_000_000_000, stride=2_000_000_000),
        ops.ConvTranspose(kernel_size=100_000, stride=1_000),
        ops.WindowAttention(window_size=2_000_000_000, heads=1),
        ops.DeformConv(kernel_size=3, max_offset=2_000_000_000),
    ],
)
def test_that_a_pattern_beyond_all_bounds_is_a_fault_and_takes_no_time(op: ops.Op) -> None:
    analysis = _analysis(33, op, ops.Relu())
    error = next(x for x in analysis.diagnostics if x.severity == "error")
    assert error.layer == "n0"
    assert "at most" in error.message
    assert analysis["n1"].output_size == (33,)


@pytest.mark.parametrize("seed", range(25))
def test_that_units_that_read_only_padding_are_counted_as_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    op = ops.Conv(
        kernel_size=rng.randint(1, 4),
        stride=rng.randint(1, 5),
        dilation=rng.randint(1, 15),
        padding=((rng.randint(-4, 40), rng.randint(0, 60)),),
    )
    analysis = _analysis(rng.randint(1, 12), op)
    _assert_blind_units_are_counted(analysis)


def test_that_thousands_of_millions_of_units_are_counted_without_listing_them() -> None:
    n = 2**31 - 1
    conv = ops.Conv(kernel_size=3, dilation=7, padding=1_000_000_000)
    (remark,) = [x for x in _analysis(n, conv).diagnostics if x.code == "only_padding"]
    assert remark.message.startswith(f"{2 * (1_000_000_000 - 14):,} rows of units")


def test_that_costs_of_windows_do_not_take_longer_on_longer_signals() -> None:
    layer = _analysis(2**31 - 1, ops.WindowAttention(window_size=8, shift=4, heads=1))["n0"]
    # 2³¹ − 1 = 4 + 268,435,455·8 + 3 samples: a window cut to 4, whole ones, one cut to 3.
    pairs = 4**2 + 268_435_455 * 8**2 + 3**2
    assert layer.macs == 4 * (2**31 - 1) * 4**2 + 2 * pairs * 4


@pytest.mark.parametrize("seed", range(25))
def test_that_blind_units_of_a_pattern_are_counted_as_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    op = ops.ConvTranspose(
        kernel_size=rng.randint(1, 3),
        stride=rng.randint(1, 5),
        dilation=rng.randint(1, 4),
        padding=((-rng.randint(0, 9), -rng.randint(0, 9)),),
    )
    analysis = _analysis(rng.randint(1, 7), op)
    _assert_blind_units_are_counted(analysis)


@pytest.mark.parametrize(
    "op",
    [
        ops.WindowAttention(window_size=7, shift=3, heads=1),
        ops.DeformConv(kernel_size=3, dilation=5, max_offset=1, padding=100),
        ops.Conv(kernel_size=3, stride=2, dilation=7, padding=7),
    ],
)
def test_that_remarks_on_thousands_of_millions_of_samples_take_no_memory(op: ops.Op) -> None:
    analysis = _analysis(2**31 - 1, op)
    assert not [x for x in analysis.diagnostics if x.severity == "error"]
    assert analysis.unit("n0").support_count >= 3


def test_that_wide_windows_that_overlap_take_no_memory() -> None:
    # Three windows two samples apart, of 2,000,000,000 taps.
    wide = ops.Conv(kernel_size=2_000_000_000)
    analysis = _analysis(2**31 - 1, wide, ops.Conv(kernel_size=3, dilation=2))
    unit = analysis.unit("n1", (5,))
    assert unit.visible_region == ((5, 5 + 4 + 2_000_000_000 - 1),)
    assert unit.coverage == pytest.approx((2_000_000_000 + 4) / (2**31 - 1))


def test_that_taps_that_step_over_the_map_take_no_memory() -> None:
    conv = ops.Conv(kernel_size=3, padding=1_000_000_007, dilation=1_000_000_007)
    analysis = _analysis(90_000, conv)
    assert not [x for x in analysis.diagnostics if x.code == "dead_pixels"]


def test_that_wide_windows_behind_a_long_pattern_end_in_a_remark_instead_of_a_freeze() -> None:
    """Each unit has 4,001 taps, each of which has 4,001 in the map before it: for ever."""
    rate = ops.Upsample(size=1_000_033, mode="linear")
    wide = ops.Conv(kernel_size=4001, padding=2000)
    analysis = _analysis(1_000_003, rate, *[wide] * 6)
    assert "field_too_large" in {x.code for x in analysis.diagnostics}
    assert analysis["n0"].rf_size is not None
