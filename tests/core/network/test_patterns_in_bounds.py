"""Drafts whose patterns are long, many or nested; each was found by the fuzzing program.

They took seconds to minutes, gigabytes, or all frames of Python.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from rfstudio.core import ops
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network import expansion
from rfstudio.core.network.architecture import Architecture, Item, Layer, Repeat
from rfstudio.core.ops import Op

SECONDS = 5
"""Seconds of CPU; a quarter of it where nothing else runs."""


def _analysed(items: Sequence[Item], size: tuple[int, ...], channels: int = 4) -> Analysis:
    started = time.process_time()
    network = Architecture("x", input_size=size, channels=channels, layers=tuple(items))
    analysis = analyze(network, max_layers=5000)
    assert analysis.diagnostics is not None
    assert analysis.layers[-1].rf_size_range is not None or analysis.layers[-1].rf_size is None
    assert time.process_time() - started < SECONDS
    return analysis


def _codes(analysis: Analysis) -> set[str]:
    return {x.code for x in analysis.diagnostics}


def test_that_channels_beyond_counting_are_a_fault() -> None:
    """OverflowError: 7³ times as many at each turn."""
    items: list[Item] = [
        Repeat(50, (Layer(ops.PixelUnshuffle(downscale_factor=7)),)),
        Layer(ops.ChannelSlice(start=1)),
    ]
    analysis = _analysed(items, (7**9, 7**9, 7**9), 2)
    assert "at most 2,147,483,648 are counted" in "\n".join(
        x.message for x in analysis.diagnostics if x.code == "too_large"
    )
    assert analysis.layers[-1].channels <= 1 << 31


@pytest.mark.timed
@pytest.mark.parametrize(
    ("op", "times", "said"),
    [
        (ops.Tile(repeats=(5, 5)), 50, "at most 1,048,576 are worked out"),
        (ops.Inset(before=(3, 3), after=(1, 1)), 5000, "all layers together may be 2,097,152"),
    ],
    ids=["tiles", "insets"],
)
@pytest.mark.slow
def test_that_patterns_are_bounded_together(op: Op, times: int, said: str) -> None:
    """45 s and 2 GB; 20 s, 3 GB and RecursionError."""
    analysis = _analysed([Repeat(times, (Layer(op),)), Layer(ops.Conv(kernel_size=3))], (224, 17))
    assert said in "\n".join(x.message for x in analysis.diagnostics)


@pytest.mark.timed
@pytest.mark.slow
def test_that_a_long_interpolation_is_worked_out_at_once() -> None:
    """16 s, most of them for fractions of whole numbers."""
    op = ops.Upsample(size=(999_983, 1_000_003), mode="bilinear", align_corners=True)
    assert _analysed([Layer(op)], (224, 17))["upsample1"].output_size == (999_983, 1_000_003)


@pytest.mark.timed
@pytest.mark.slow
def test_that_long_patterns_in_a_row_end_in_a_remark() -> None:
    """Each looks a little beyond the one before it, down through hundreds of them."""
    body = (
        Layer(ops.Upsample(size=(4999, 4993), mode="bilinear", align_corners=True)),
        Layer(ops.Upsample(size=(4987, 4973), mode="bilinear", align_corners=True)),
    )
    analysis = _analysed([Repeat(800, body)], (224, 17))
    assert "field_too_large" in _codes(analysis)


@pytest.mark.timed
@pytest.mark.slow
def test_that_what_no_unit_sees_is_not_counted_at_endless_borders() -> None:
    """Quadratic: 90,000 turns, each of which adds two samples, took minutes."""
    body = (Layer(ops.ConvTranspose(kernel_size=3, out_channels=4)),)
    analysis = _analysed([Repeat(4990, body)], (224, 224))
    assert analysis.layers[-1].output_size == (224 + 2 * 4990,) * 2


@pytest.mark.parametrize(
    "op",
    [ops.Pad(padding=1), ops.Conv(kernel_size=3, padding=2, out_channels=4)],
    ids=lambda x: x.keyword,
)
def test_that_maps_of_more_sizes_than_are_counted_end_in_a_fault(
    op: Op, monkeypatch: pytest.MonkeyPatch
) -> None:
    """65,537 turns, each of which makes the map larger: 4 s."""
    monkeypatch.setattr(expansion, "MAX_SIZES", 50)
    analysis = _analysed([Repeat(90, (Layer(op),)), Layer(ops.Relu())], (9, 9))
    (error,) = [x for x in analysis.diagnostics if x.code == "too_many_layers"]
    assert "more than 50 maps of different sizes" in error.message
    assert analysis.layers[-1].output_size == (9 + 2 * 51,) * 2


def test_that_an_edit_that_makes_too_many_sizes_is_found_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expansion, "MAX_SIZES", 50)
    same, larger = (ops.Conv(kernel_size=3, padding=x, out_channels=4) for x in (1, 2))
    before, after = (
        Architecture("x", input_size=(9, 9), channels=4, layers=(Repeat(90, (Layer(x),)),))
        for x in (same, larger)
    )
    found = analyze(after, previous=analyze(before))
    assert "too_many_layers" in _codes(found)
    assert found.graph == analyze(after).graph


def test_that_the_turns_of_a_repeat_have_one_fault_a_few_hundred_times() -> None:
    """105,000 faults of one item: 6 s."""
    items = [Repeat(3000, (Layer(ops.Conv(kernel_size=3, padding=1, groups=3)),))]
    analysis = _analysed(items, (9, 9))
    assert len(analysis.graph.faults) == expansion.MAX_OF_ONE_FAULT
    assert len(analysis) == 3000
    assert analysis.graph == analyze(analysis.architecture, previous=analysis).graph
