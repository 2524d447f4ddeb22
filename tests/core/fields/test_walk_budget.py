"""Regions that are too much to follow: a box that holds them, and a word that it is one."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings

from rfstudio.app.wording.facts import unit_facts
from rfstudio.core import ops
from rfstudio.core.axes.axis_set import AxisSet
from rfstudio.core.errors import RFStudioError, TooLargeError
from rfstudio.core.fields import backtrace
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.formats.networks.presets import read_preset
from rfstudio.formats.tables.analysis_tables import unit_record
from tests.strategies import drafts


@settings(max_examples=6)
@given(drafts())
def test_that_a_bound_holds_all_that_is_exactly_read(architecture) -> None:
    graph = analyze(architecture).graph
    node = graph.nodes[-1]
    unit = tuple(n // 2 for n in node.size)
    if 0 in node.size:
        return
    try:
        exact = backtrace.read_by(graph, node.index, unit)
    except RFStudioError:
        return
    with patch.object(backtrace, "_walk_from", side_effect=TooLargeError("")):
        bounds = backtrace.read_by(graph, node.index, unit)
    for index, region in exact.items():
        if region.hull is None:
            continue
        outer = bounds[index].hull
        assert outer is not None
        for (a, b), (c, d) in zip(outer, region.hull, strict=True):
            assert a <= c
            assert d <= b


def test_that_a_bound_follows_a_draft_that_gives_a_layer_two_inputs() -> None:
    pool = Layer(ops.AdaptiveAvgPool(output_size=1), "", ("input", "input"))
    graph = analyze(Architecture("draft", "", "", (2,), 1, (pool,))).graph
    with patch.object(backtrace, "_walk_from", side_effect=TooLargeError("")):
        assert backtrace.read_by(graph, 1, (0,))[0].hull == ((0, 1),)


def test_that_a_bound_is_said() -> None:
    analysis = analyze(read_preset("inception_v3"))
    exact = analysis.unit("Mixed_6a")
    with patch.object(backtrace, "MAX_WORK", 1000):
        bound = analysis.unit("Mixed_6a")
    assert bound.is_bound
    assert not exact.is_bound
    assert bound.visible_region == exact.visible_region
    assert bound.support_count >= exact.support_count
    assert "too large to follow" in unit_record(bound)["remark"]
    assert "remark" not in unit_record(exact)
    (pixels,) = [x for x in unit_facts(bound) if x.label == "pixels"]
    assert pixels.text.startswith("at most ")
    assert "too large to follow" in pixels.meaning


def test_that_holes_in_very_long_maps_are_not_followed_for_long() -> None:
    """Each of these maps is a million samples long, and the unit reads every third of them."""
    layers = [
        Layer(ops.Conv(kernel_size=300_000, dilation=3, padding=450_000)),
        *[Layer(ops.PixelShuffle(upscale_factor=2)), Layer(ops.MaxPool(kernel_size=2))] * 40,
    ]
    analysis = analyze(Architecture("long", "", "", (1_000_000,), 8, (*layers, layers[0])))
    unit = analysis.unit(analysis.layers[-1].name)
    assert unit.coverage > 0


@pytest.mark.parametrize("name", ["inception_v3", "hrnet_w32", "resnet50", "unet"])
def test_that_presets_are_followed_exactly(name: str) -> None:
    analysis = analyze(read_preset(name))
    with patch.object(backtrace, "MAX_WORK", backtrace.MAX_WORK // 64):
        assert not analysis.unit(analysis.layers[-1].name).is_bound


def test_that_each_pattern_on_the_way_counts_as_work() -> None:
    """Of 5,000 patterns in a row, walking back was as if it took no time."""
    pools = [Layer(ops.AdaptiveAvgPool(output_size=n)) for n in range(90, 50, -1)]
    graph = analyze(Architecture("pools", "", "", (91,), 1, tuple(pools))).graph
    assert not backtrace.region_of_unit(graph, 40, (25,)).is_bound
    with patch.object(backtrace, "MAX_WORK", 50_000):
        assert backtrace.region_of_unit(graph, 40, (25,)).is_bound


def test_that_a_branch_that_is_smaller_is_cut_off_without_listing_what_is_read() -> None:
    """Millions of samples were listed at each of a thousand faulty merges."""
    assert backtrace._cut(AxisSet(3, 1 << 40), 1 << 39) == AxisSet(3, 1 << 39)
    assert backtrace._cut(AxisSet(3, 9), 3).is_empty
    holes = AxisSet(2, 7, np.array([True, False, True, False, True]))
    start, stop, mask = backtrace._cut(holes, 6)
    assert (start, stop) == (2, 5)
    assert mask is not None
    assert mask.tolist() == [True, False, True]
    assert backtrace._cut(holes, 4) == AxisSet(2, 3)


def test_that_what_padding_reads_is_found_for_all_samples_at_once() -> None:
    """One by one, a unit that reads two million samples of reflected padding took a second."""
    pad = Layer(ops.Conv(kernel_size=2001, padding=1000, padding_mode="reflect"))
    halves = Layer(ops.MaxPool(kernel_size=1, stride=2))
    analysis = analyze(Architecture(input_size=(4000,), layers=(pad, halves, pad)))
    with patch.object(np, "unique", side_effect=AssertionError):
        assert analysis.unit(analysis.layers[-1].name, (0,)).coverage > 0
