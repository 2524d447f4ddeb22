"""The small networks of the Distill article and of its library's tests (golden/distill_figures.md).

Sources: Araujo, Norris, Sim, Distill 2019, doi:10.23915/distill.00021; the tests of its library
google-research/receptive_field.  The other rows were found by walking back tap by tap.
"""

from __future__ import annotations

import pytest

from rfstudio.core import ops
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.fields.field import closed_form
from rfstudio.core.network.architecture import Architecture, Branch, Layer, Parallel
from rfstudio.core.ops.geometry import Window
from tests.narrowing import present


def _conv(kernel, stride=1, padding=0, dilation=1, name="", source=()) -> Layer:
    op = ops.Conv(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation)
    return Layer(op, name, source)


def _analysis(*items, size=(64, 64)) -> Analysis:
    return analyze(Architecture("figure", "", "", size, 3, items))


def _add(*branches: tuple[Layer, ...]) -> Parallel:
    return Parallel(tuple(Branch(x) for x in branches), "add", "sum")


def _numbers(analysis: Analysis, layer: str):
    x = analysis[layer]
    return x.rf_size, x.jump, x.padding


def test_that_a_chain_of_conv_relu_conv_pool_has_size_7_jump_4_padding_3() -> None:
    pool = Layer(ops.MaxPool(kernel_size=3, stride=2, padding=1), "pool")
    analysis = _analysis(_conv(3, 2, 1), Layer(ops.Relu()), _conv(1), pool)
    assert _numbers(analysis, "pool") == ((7, 7), (4, 4), (3, 3))


def test_that_unit_0_behind_a_stride_of_3_sees_minus_1_to_4() -> None:
    analysis = _analysis(_conv(3, 3, 1), _conv(2))
    assert analysis.unit("conv2", (0, 0)).theoretical_region == ((-1, 4), (-1, 4))


def test_that_the_misaligned_network_has_the_hulls_of_the_article() -> None:
    left = (_conv(5, 2, ((2, 1), (2, 1)), name="left"),)
    # The right branch is cropped to the same number of units, which moves nothing.
    right = (_conv(3), _conv(3), Layer(ops.Crop(margins=((0, 28), (0, 28)))))
    analysis = _analysis(_add(left, right))
    assert analysis["sum"].alignment == ("stride_mismatch", "stride_mismatch")
    assert analysis["sum"].jump == analysis["sum"].padding == analysis["sum"].center == (None, None)
    hulls = [present(analysis.unit("sum", (0, u)).theoretical_region)[1] for u in range(6)]
    assert hulls == [(-2, 4), (0, 5), (2, 6), (3, 8), (4, 10), (5, 12)]


def test_that_the_aligned_network_has_size_3_jump_4_padding_1() -> None:
    right = (_conv(3, 2, ((1, 0), (1, 0))), _conv(1, 2))
    analysis = _analysis(_add((_conv(1, 4),), right))
    assert _numbers(analysis, "sum") == ((3, 3), (4, 4), (1, 1))
    assert analysis["sum"].alignment == ("aligned", "aligned")
    assert analysis.diagnostics == () or all(
        x.code not in ("centre_offset", "stride_mismatch") for x in analysis.diagnostics
    )


def test_that_height_and_width_may_differ() -> None:
    analysis = _analysis(_conv((3, 5), 2), _conv((3, 1), 2), Layer(ops.Relu()))
    assert _numbers(analysis, "relu1") == ((7, 5), (4, 4), (0, 0))


@pytest.mark.parametrize(("side", "alignment"), [(9, "aligned"), (8, "centre_offset")])
def test_that_same_padding_aligns_or_not_by_the_size_of_the_input(side, alignment) -> None:
    right = (_conv(3, 2, "same"), _conv(1, 2))
    analysis = _analysis(_add((_conv(1, 4),), right), size=(side, side))
    assert analysis["sum"].alignment == (alignment, alignment)
    if alignment == "aligned":
        assert _numbers(analysis, "sum") == ((3, 3), (4, 4), (1, 1))
    else:
        (remark,) = (x for x in analysis.diagnostics if x.code == "centre_offset")
        assert "1 pixel apart" in remark.message
        assert remark.layer == "sum.add"


def test_that_an_offset_of_1_makes_a_hull_of_4() -> None:
    analysis = _analysis(_add((_conv(3, 2, 1),), (_conv(3, 2, ((0, 2), (0, 2))),)))
    layer = analysis["sum"]
    assert (layer.rf_size, layer.jump) == ((4, 4), (2, 2))
    assert layer.alignment == ("centre_offset", "centre_offset")
    assert analysis.misfits[0].by_axis[0].offset == 1


def test_that_dilations_1_2_4_give_size_15() -> None:
    analysis = _analysis(_conv(3, 1, 1), _conv(3, 1, 2, 2), _conv(3, 1, 4, 4))
    assert _numbers(analysis, "conv3") == ((15, 15), (1, 1), (7, 7))


@pytest.mark.parametrize(("padding", "centre"), [(2, 0.0), (0, 2.0)])
def test_that_padding_moves_the_centre_of_unit_0(padding, centre) -> None:
    assert _analysis(_conv(3, 1, padding, 2))["conv1"].center == (centre, centre)


def _u_net(depth: int) -> tuple[Layer, ...]:
    """Two convs a level, max pooling by 2, transposed convolutions, concat with the skip."""

    def pair(name: str) -> list[Layer]:
        return [_conv(3, 1, 1, name=f"{name}a"), _conv(3, 1, 1, name=f"{name}b")]

    items: list[Layer] = []
    for level in range(depth):
        items += [*pair(f"down{level}"), Layer(ops.MaxPool(kernel_size=2), f"pool{level}")]
    items += pair("bottom")
    for level in reversed(range(depth)):
        items += [
            Layer(ops.ConvTranspose(kernel_size=2, stride=2), f"up{level}"),
            Layer(ops.Concat(), f"join{level}", (f"down{level}b", f"up{level}")),
            *pair(f"up{level}_"),
        ]
    return tuple(items)


def test_that_a_u_net_has_the_published_sizes_by_phase() -> None:
    analysis = _analysis(*_u_net(3), size=(128, 128))
    layer = analysis["up0_b"]
    assert layer.rf_size == (100, 100)
    assert layer.rf_size_range == ((92, 100), (92, 100))
    assert layer.jump == (1, 1)
    sizes = []
    for u in range(64, 72):
        first, last = present(analysis.unit("up0_b", (u, u)).theoretical_region)[0]
        sizes.append(last - first + 1)
    assert sizes == [92, 92, 100, 100, 100, 100, 92, 92]


@pytest.mark.parametrize("layers", [1, 5, 12])
def test_that_the_closed_form_is_the_recurrence(layers: int) -> None:
    windows = [
        Window(0, 0, kernel=1 + i % 4, stride=1 + i % 2, dilation=1 + i % 3, before=i % 5 - 1)
        for i in range(layers)
    ]
    convs = [
        _conv(w.kernel, w.stride, ((w.before, 40), (w.before, 40)), w.dilation) for w in windows
    ]
    analysis = _analysis(*convs, size=(400, 400))
    size, jump, padding = closed_form(windows)
    assert _numbers(analysis, f"conv{layers}") == ((size,) * 2, (jump,) * 2, (padding,) * 2)
