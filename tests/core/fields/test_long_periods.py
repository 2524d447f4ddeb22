"""Fields whose pattern repeats only after more units than any map has stay exact."""

from __future__ import annotations

from fractions import Fraction

from rfstudio.core import ops
from rfstudio.core.axes.unit_intervals import WideTrack
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Layer,
    Parallel,
    Repeat,
    Residual,
)
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
