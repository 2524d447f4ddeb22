"""The growth chart: what it counts as depth, and that its points are the analysis's."""

from xml.etree import ElementTree

import pytest

from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer, Residual
from rfstudio.figures import FigureError, growth_of, render_growth


def _conv(kernel_size: int, stride: int = 1) -> Layer:
    return Layer(ops.Conv(kernel_size=kernel_size, stride=stride, padding=kernel_size // 2))


def test_that_depth_counts_the_windows_on_the_longest_path() -> None:
    block = Residual((_conv(3), Layer(ops.Relu()), _conv(3)), (_conv(1),))
    network = Architecture(input_size=(32, 32), layers=(_conv(3, 2), block, _conv(5)))
    growth = growth_of("net", analyze(network))
    # Sizes 3; + 2·2; + 2·2; + 4·2, jump 2. The block's 1×1 shortcut is at depth 2 as well.
    assert growth.depths == (1, 2, 3, 4)
    assert growth.sizes == (3, 7, 11, 19)


def test_that_global_layers_are_left_out() -> None:
    network = Architecture(layers=(_conv(3), Layer(ops.GlobalAvgPool())))
    assert growth_of("net", analyze(network)).sizes == (3,)


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
