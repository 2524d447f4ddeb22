"""Networks in the making: empty maps on the way, references after the layer, demands too large."""

from __future__ import annotations

import time
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfstudio.core import ops
from rfstudio.core.effective.expected import expected_erf, path_counts
from rfstudio.core.errors import RFStudioError, TooLargeError, UnitError
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Architecture, Layer, Repeat, Residual
from rfstudio.formats.networks.presets import read_preset
from tests.strategies import drafts

# A 3×3 kernel on 1 sample leaves nothing; padding makes samples again.
EMPTY_ON_THE_WAY = (
    Layer(ops.Conv(kernel_size=3), "lost"),
    Layer(ops.Relu(), "still"),
    Layer(ops.Pad(padding=2, mode="replicate"), "again"),
    Layer(ops.Conv(kernel_size=3, padding=1), "after"),
)


def _analysis(*layers: Layer, size: tuple[int, ...] = (1, 1), channels: int = 3) -> Analysis:
    return analyze(Architecture("draft", "", "", size, channels, layers))


def test_that_nothing_comes_through_an_empty_map() -> None:
    analysis = _analysis(*EMPTY_ON_THE_WAY)
    assert analysis["again"].output_size == (4, 4)
    for name in ("again", "after"):
        unit = analysis.unit(name)
        assert (unit.theoretical_region, unit.visible_region) == (None, None)
        assert unit.support_count == 0
        for field in (expected_erf, path_counts):
            with pytest.raises(UnitError, match="map of 'lost', before '.*', is empty"):
                field(analysis.graph, analysis[name].index, (1, 1))
    codes = {x.layer: x.code for x in analysis.diagnostics}
    assert codes == {"lost": "empty_output", "again": "no_field"}


def test_that_a_branch_around_an_empty_map_is_seen() -> None:
    skip = Layer(ops.Concat(), "join", ("input", "again"))
    analysis = _analysis(*EMPTY_ON_THE_WAY[:2], Layer(ops.Pad(padding=1), "again"), skip)
    assert analysis["join"].rf_size == (1, 1)
    assert analysis.unit("join", (0, 0)).support_count == 1
    erf = expected_erf(analysis.graph, analysis["join"].index, (0, 0))
    assert erf.map.shape == (1, 1)
    assert erf.map[0, 0] > 0


@settings(max_examples=3)
@given(drafts(), st.booleans())
def test_that_a_draft_provokes_nothing_but_errors_in_words(architecture, training) -> None:
    _check_draft(architecture, training=training)


@pytest.mark.slow
@settings(max_examples=300)
@given(drafts(), st.booleans())
def test_that_many_drafts_provoke_nothing_but_errors_in_words(architecture, training) -> None:
    _check_draft(architecture, training=training)


def _check_draft(architecture: Architecture, *, training: bool) -> None:
    analysis = analyze(architecture, batch_norm_training=training)
    assert analysis.diagnostics is not None
    for layer in analysis.layers[:: max(len(analysis.layers) // 4, 1)]:
        unit = tuple(n // 2 for n in layer.output_size)
        for field in (expected_erf, path_counts):
            try:
                erf = field(analysis.graph, layer.index, unit)
            except RFStudioError:
                continue
            assert np.isfinite(erf.map).all()
            assert erf.metrics.as_dict()


def test_that_a_reference_after_the_layer_is_said() -> None:
    analysis = analyze(read_preset("vgg16"), reference="conv4_1")
    graph = analysis.graph
    with pytest.raises(UnitError, match="no field: 'conv4_1' is after 'conv1_1'"):
        expected_erf(graph, graph.index("conv1_1"), (0, 0), reference=analysis.reference)
    assert analysis.unit("conv1_1").visible_region is None


def test_that_a_centre_far_outside_the_image_takes_no_memory() -> None:
    pool = ops.MaxPool(kernel_size=1, stride=2**31 - 1)
    layers = [Layer(pool), Layer(ops.AdaptiveAvgPool(output_size=3))] * 30
    analysis = _analysis(*layers, size=(4,))
    tracemalloc.start()
    try:
        for layer in analysis.layers[:2]:
            erf = expected_erf(analysis.graph, layer.index, (0,))
            assert erf.metrics.as_dict()["r50"] is not None
        assert tracemalloc.get_traced_memory()[1] < 1e7
    finally:
        tracemalloc.stop()
    # 2^31 to the 30th is beyond all counting, and said to be.
    assert "field_too_large" in {x.code for x in analysis.diagnostics}
    assert analysis.layers[-1].rf_size == (0,)


UP = (
    [ops.PixelShuffle(upscale_factor=7), ops.Pad(padding=((3, 4), (-1, 4)), mode="replicate")] * 10,
    [ops.Conv(kernel_size=3, padding=1), ops.PixelShuffle(upscale_factor=4)] * 9,
    [ops.Conv(kernel_size=3, padding=1), ops.Upsample(scale_factor=2)] * 18,
    [ops.Upsample(scale_factor=2, mode="bilinear")] * 30,
)


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param(UP[0], id="shuffle 7"),
        pytest.param(UP[1], id="shuffle 4", marks=pytest.mark.slow),
        pytest.param(UP[2], id="nearest", marks=pytest.mark.slow),
        pytest.param(UP[3], id="bilinear", marks=pytest.mark.slow),
    ],
)
def test_that_maps_of_millions_a_side_stay_within_time_and_memory(operations) -> None:
    """Minutes and gigabytes, before long patterns were worked out where they are asked for."""
    layers = [Layer(op) for op in operations]
    started = time.process_time()
    tracemalloc.start()
    try:
        analysis = _analysis(*layers, size=(6, 3), channels=1)
        assert analysis.diagnostics
        for layer in analysis.layers:
            assert layer.rf_size is not None
        last = analysis.layers[-1]
        assert analysis.unit(last.name).support_count > 0
        with suppress(TooLargeError):
            expected_erf(analysis.graph, last.index, tuple(n // 2 for n in last.output_size))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5e8
    assert time.process_time() - started < 10  # under the tracer; about 1 second without


@pytest.mark.parametrize("side", [20_000, 2**31 - 1])
def test_that_a_field_that_would_fill_the_memory_is_refused_before_it_begins(side: int) -> None:
    analysis = _analysis(Layer(ops.Conv(kernel_size=3, padding=1), "conv"), size=(side, side))
    with pytest.raises(TooLargeError, match=r"would take about [\d,.]+ GB of memory"):
        expected_erf(analysis.graph, 1, (9, 9))
    with pytest.raises(TooLargeError, match="use a smaller input"):
        path_counts(analysis.graph, 1, (9, 9))


def test_that_only_so_many_layers_are_shown_live() -> None:
    conv = Layer(ops.Conv(kernel_size=3, padding=1))
    many = Architecture("many", "", "", (8, 8), 3, (Repeat(100_000, (conv,)),))
    analysis = analyze(many, max_layers=100)
    assert len(analysis.layers) == 100
    (error,) = [x.message for x in analysis.diagnostics if x.severity == "error"]
    assert "more than 100 layers" in error
    assert "too large to show live" in error


def test_that_branches_of_more_and_more_strides_are_given_up_in_words() -> None:
    """Each copy of a repeat adds a stride of its own: hundreds of them took ten seconds."""
    halved = (Layer(ops.MaxPool(kernel_size=1, stride=2)), Layer(ops.Pad(padding=16)))
    network = Architecture("strides", "", "", (64, 64), 3, (Repeat(400, (Residual(halved),)),))
    started = time.process_time()
    analysis = analyze(network)
    assert "field_too_large" in {x.code for x in analysis.diagnostics}
    assert time.process_time() - started < 2


def test_that_long_borders_of_a_pattern_take_no_memory() -> None:
    conv = ops.ConvTranspose(kernel_size=1, stride=2, padding=-(2**30))
    assert _analysis(Layer(conv), size=(4,)).diagnostics is not None
