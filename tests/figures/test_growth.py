"""The growth chart: what it counts as depth, and that its points are the analysis's."""

from typing import Literal
from xml.etree import ElementTree

import pytest

from rfstudio.app.files.presets import read_preset
from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer, Residual
from rfstudio.core.network.physical import Axis
from rfstudio.figures import (
    FigureError,
    FigureStyle,
    draw_growth,
    growth_of,
    new_axes,
    render_growth,
)
from rfstudio.figures.growth import draw_growth_page
from rfstudio.figures.style import print_settings


def _conv(kernel_size: int, stride: int = 1) -> Layer:
    return Layer(ops.Conv(kernel_size=kernel_size, stride=stride, padding=kernel_size // 2))


def test_that_depth_counts_the_layers_with_weights_on_the_longest_path() -> None:
    block = Residual((_conv(3), Layer(ops.Relu()), _conv(3)), (_conv(1),))
    network = Architecture(input_size=(32, 32), layers=(_conv(3, 2), block, _conv(5)))
    growth = growth_of("net", analyze(network))
    # Sizes 3; + 2·2; + 2·2; + 4·2, jump 2. The block's 1×1 shortcut is at depth 2 as well.
    assert growth.depths == (1, 2, 3, 4)
    assert growth.sizes == (3, 7, 11, 19)


def test_that_global_layers_are_left_out() -> None:
    network = Architecture(layers=(_conv(3), Layer(ops.GlobalAvgPool())))
    assert growth_of("net", analyze(network)).sizes == (3,)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_that_any_number_of_networks_can_be_drawn(suffix: str) -> None:
    small = growth_of("a_$mall$_one", analyze(Architecture(layers=(_conv(3),))))
    large = growth_of("large", analyze(Architecture(layers=(_conv(3, 2),) * 6)))
    empty = growth_of("empty", analyze(Architecture(layers=())))
    for curves in ([], [small], [small, large, empty], [small] * 12):
        assert render_growth(curves, suffix)


def test_that_the_names_stand_in_the_legend_as_they_are() -> None:
    analysis = analyze(Architecture(layers=(_conv(3),)))
    odd = growth_of("two\nlines\t\a\x1b\ufffe <&>", analysis)
    ElementTree.fromstring(render_growth([odd], ".svg"))
    curve = growth_of("a_$mall$_one", analysis)
    assert "a_$mall$_one" in render_growth([curve], ".svg").decode()


def test_that_another_ending_is_refused() -> None:
    with pytest.raises(FigureError, match=r"\.png, \.svg or \.pdf"):
        render_growth([], ".gif")


def _measured(spacing: float, unit: str = "mm") -> Architecture:
    axes = (Axis(unit=unit, spacing=spacing), Axis(unit=unit, spacing=2 * spacing))
    return Architecture("scan", "", "", (32, 32), 1, (_conv(3), _conv(3)), input_axes=axes)


def _axis_of(*networks: Architecture) -> str:
    curves = [growth_of(str(i), analyze(x)) for i, x in enumerate(networks)]
    axes = new_axes()
    draw_growth(axes, curves)
    return axes.get_ylabel()


def test_that_networks_of_one_unit_are_compared_in_it() -> None:
    curve = growth_of("scan", analyze(_measured(0.5)))
    # 3 and 5 samples along the wider axis, whose samples are 1 mm apart; the input has 32.
    assert (curve.sizes, curve.extents, curve.input_extent) == ((1, 3, 5)[1:], (3.0, 5.0), 32.0)
    assert _axis_of(_measured(0.5), _measured(2)) == "theoretical field (mm)"
    assert _axis_of(_measured(0.5), _measured(2, "ms")) == "theoretical field (px)"
    signal = Architecture("signal", "", "", (64,), 1, (_conv(3),))
    assert _axis_of(signal) == "theoretical field (samples)"
    assert _axis_of(_measured(1), signal) == "theoretical field (px or samples)"


def test_that_other_units_are_not_drawn_into_the_same_axes() -> None:
    axes = new_axes()
    draw_growth(axes, [growth_of("a", analyze(_measured(1)))])
    draw_growth(axes, [growth_of("b", analyze(_measured(2)))])
    with pytest.raises(FigureError, match="draw into other ones"):
        draw_growth(axes, [growth_of("c", analyze(_measured(2, "ms")))])


def test_that_networks_differ_without_their_colours() -> None:
    axes = new_axes()
    networks = [Architecture(layers=(_conv(k),) * 200) for k in (3, 5, 7)]
    draw_growth(axes, [growth_of("n", analyze(x)) for x in networks])
    lines = axes.get_lines()[:3]
    assert len({x.get_marker() for x in lines}) == 3
    assert len({x.get_markevery() for x in lines}) == 3  # so that none hides another


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_that_the_size_of_the_input_is_written_where_no_curve_is(
    scale: Literal["linear", "log"],
) -> None:
    style = FigureStyle(width_mm=85, scale=scale)
    curves = [growth_of(x, analyze(read_preset(x))) for x in ("resnet50", "vgg16")]
    with print_settings(style):
        figure = draw_growth_page(curves, style)
        figure.draw_without_rendering()
        (axes,) = [x for x in figure.axes if x.texts]
        (label,) = axes.texts
        place = label.get_window_extent()
        for points in (axes.transData.transform(x.get_xydata()) for x in axes.get_lines()):
            assert not any(place.contains(*x) for x in points if len(points) > 2)
