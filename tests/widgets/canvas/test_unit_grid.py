"""Centres, nearest units and nested fields against the regions of the analysis."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.app.files.presets import read_preset
from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.widgets.canvas.composer import affordable
from rfstudio.widgets.canvas.plane import Plane
from rfstudio.widgets.canvas.unit_grid import FieldsOnTheWay, grid_of
from tests.narrowing import present

# A chain, branches, upsampling (jumps of half a pixel), a stride mismatch, one and three axes.
NETWORKS = [
    ("vgg16", "conv4_2"),
    ("googlenet", "inception4a"),
    ("unet", "classifier"),
    ("fcn_resnet50", None),
    ("spliceai_10k", None),
    ("unet_3d", None),
]


def upsampled() -> Architecture:
    layers = (
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=2), "a"),
        Layer(ops.Upsample(scale_factor=3, mode="nearest"), "up"),
        Layer(ops.Conv(kernel_size=3, stride=2, padding=1, out_channels=2), "b"),
    )
    return Architecture(input_size=(12, 14), layers=layers)


@pytest.mark.parametrize(("name", "layer"), NETWORKS)
def test_that_centres_are_the_middles_of_the_theoretical_regions(
    name: str, layer: str | None
) -> None:
    analysis = analyze(read_preset(name))
    path = layer if layer and layer in analysis.graph.paths else analysis.layers[-1].name
    grid = grid_of(analysis, path)
    found = analysis[path]
    rng = np.random.default_rng(1)
    for _ in range(12):
        unit = tuple(int(rng.integers(n)) for n in found.output_size)
        region = present(analysis.unit(path, unit).theoretical_region)
        for axis, is_global in enumerate(found.is_global):
            if not is_global:
                assert grid.centre(unit)[axis] == sum(region[axis]) / 2


@pytest.mark.parametrize("name", ["tcn_1d", pytest.param("wavenet", marks=pytest.mark.slow)])
def test_that_a_causal_unit_is_at_its_own_sample(name: str) -> None:
    # Causal convolutions read no later sample (WaveNet, arXiv:1609.03499, section 2.1), and with a
    # jump of 1 output t is about sample t.
    analysis = analyze(read_preset(name))
    path = analysis.layers[-1].name
    grid = grid_of(analysis, path)
    for unit in (0, 100, analysis[path].output_size[0] - 1):
        assert grid.centre((unit,)) == (unit,)
        assert grid.nearest((unit + 0.2,)) == (unit,)
        regions = FieldsOnTheWay(analysis, path).regions((unit,))
        assert {last for ((_, last),) in regions} == {unit}


@pytest.mark.parametrize(
    ("padding", "first"), [((4, 0), 0), ((2, 2), 0), ((4, 4), -2), ((0, 0), 2)]
)
def test_that_only_padding_before_the_signal_makes_a_unit_causal(
    padding: tuple[int, int], first: float
) -> None:
    op = ops.Conv(kernel_size=5, padding=(padding,), out_channels=1)
    network = Architecture(input_size=(40,), layers=(Layer(op, "a"),))
    assert grid_of(analyze(network), "a").centre((0,)) == (first,)


def test_that_centres_behind_upsampling_are_exact_though_they_are_not_evenly_spaced() -> None:
    analysis = analyze(upsampled())
    grid = grid_of(analysis, "b")
    middles = [
        sum(present(analysis.unit("b", (u, 0)).theoretical_region)[0]) / 2
        for u in range(analysis["b"].output_size[0])
    ]
    assert grid.centres[0].between(-99, 99).tolist() == middles
    assert len(set(np.diff(middles))) > 1


@pytest.mark.parametrize("layer", ["a", "up", "b"])
def test_that_no_unit_lies_nearer_than_the_nearest(layer: str) -> None:
    analysis = analyze(upsampled())
    grid = grid_of(analysis, layer)
    for y in np.linspace(-5, 17, 45):
        unit = grid.nearest((y, 3))
        best = min(abs(c - y) for c in grid.centres[0].between(-99, 99))
        assert abs(grid.centre(unit)[0] - y) == best


@pytest.mark.parametrize(
    ("name", "layer"), [("vgg16", "conv5_3"), ("resnet50", "layer3"), ("googlenet", "inception4a")]
)
def test_that_fields_on_the_way_lie_inside_that_of_the_layer(name: str, layer: str) -> None:
    analysis = analyze(read_preset(name))
    unit = tuple(n // 2 for n in analysis[layer].output_size)
    outer = present(analysis.unit(layer, unit).theoretical_region)
    point = [(a + b) / 2 for a, b in outer]
    regions = FieldsOnTheWay(analysis, layer).regions(point)
    assert regions[0] == outer
    assert len(set(regions)) == len(regions)
    widths = [b - a + 1 for _, (a, b) in regions]
    assert widths == sorted(widths, reverse=True)
    for (top, bottom), (left, right) in regions:
        assert outer[0][0] <= top <= bottom <= outer[0][1]
        assert outer[1][0] <= left <= right <= outer[1][1]


def test_that_the_sizes_on_the_way_to_vgg16_are_the_published_ones() -> None:
    # google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md, and the layers between its rows.
    analysis = analyze(read_preset("vgg16"))
    regions = FieldsOnTheWay(analysis, "conv3_2").regions((112, 112))
    assert [b - a + 1 for _, (a, b) in regions] == [32, 24, 16, 14, 10, 6, 5, 3]


def test_that_a_pixel_covers_half_a_pixel_to_either_side() -> None:
    plane = Plane((20, 30))
    rect = plane.rect_of(((2, 4), (-1, 5)))
    assert (rect.top(), rect.bottom(), rect.left(), rect.right()) == (1.5, 4.5, -1.5, 5.5)
    assert (plane.rect.top(), plane.rect.bottom()) == (-0.5, 19.5)


def test_that_strips_and_slices_keep_their_axes_apart() -> None:
    strip, block = Plane((50,)), Plane((10, 20, 30))
    assert strip.shape == (1, 50)
    assert strip.rect_of(((3, 5),)).height() == 1
    assert strip.position_of(strip.point_of((7.0,)), 0) == (7.0,)
    assert block.shape == (20, 30)
    assert block.position_of(block.point_of((4.0, 5.0, 6.0)), 4) == (4.0, 5.0, 6.0)
    assert block.is_in_slice(((2, 4), (0, 3), (0, 3)), 4)
    assert not block.is_in_slice(((2, 4), (0, 3), (0, 3)), 5)


@pytest.mark.parametrize("size", [2**31 - 1, 10**9 + 7])
def test_that_a_map_of_thousands_of_millions_costs_no_memory(size: int) -> None:
    layers = (
        Layer(ops.Conv(kernel_size=3, stride=2, padding=1, out_channels=2), "a"),
        Layer(ops.GlobalAvgPool(), "all"),
    )
    analysis = analyze(Architecture(input_size=(size, size), layers=layers))
    for layer, near in (("a", 10**8), ("all", 0), ("input", 2 * 10**8)):
        grid = grid_of(analysis, layer)
        unit = grid.nearest((2e8, 2e8))
        assert abs(unit[0] - near) <= 2
        assert grid.centres[0].between(2e8 - 50, 2e8 + 50).size <= 101


def test_that_units_behind_upsampling_of_a_large_map_are_found_quickly() -> None:
    layers = (
        Layer(ops.Conv(kernel_size=3, stride=2, padding=1, out_channels=2), "a"),
        Layer(ops.Upsample(scale_factor=2, mode="nearest"), "up"),
    )
    analysis = analyze(Architecture(input_size=(300_000,), layers=layers))
    assert abs(grid_of(analysis, "up").nearest((200_000.0,))[0] - 200_000) <= 2


def test_that_of_two_centres_as_near_the_first_is_taken() -> None:
    grid = grid_of(analyze(upsampled()), "a")
    centres = grid.centres[0].between(-99, 99)
    assert grid.nearest(((centres[2] + centres[3]) / 2, 0))[0] == 2


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((224, 224), (224, 224)),
        ((1, 784), (1, 784)),
        ((1, 2**31 - 1), (1, 2**15)),
        ((2**31 - 1, 2**31 - 1), (4096, 4096)),
        ((2**16, 2**14), (8192, 2048)),
    ],
)
def test_that_the_photo_of_a_huge_input_is_affordable(
    shape: tuple[int, int], wanted: tuple[int, int]
) -> None:
    assert affordable(shape) == wanted


def sharp_and_blurred(times: int) -> Architecture:
    """Two paths of different strides, so that no position is like the one before."""
    conv = Layer(ops.Conv(kernel_size=3, stride=3, padding=1, out_channels=2))
    up = Layer(ops.Upsample(scale_factor=2, mode="nearest"))
    return Architecture(input_size=(20_000,), layers=(conv, up) * times)


def test_that_centres_of_irregular_positions_are_looked_up_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    analysis = analyze(sharp_and_blurred(3))
    path = analysis.layers[-1].name
    field = analysis.fields[analysis.graph.index(path)][0]
    wanted = []
    for unit in range(analysis[path].output_size[0]):
        first, last = present(field.interval(unit))
        wanted.append((first + last) / 2)

    def refuse(*_: object) -> None:
        raise AssertionError("one by one, tens of thousands take seconds")

    monkeypatch.setattr(type(field), "interval", refuse)
    centres = grid_of(analysis, path).centres[0]
    assert [centres.at(unit) for unit in range(centres.size)] == wanted
