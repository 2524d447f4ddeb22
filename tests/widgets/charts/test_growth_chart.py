"""The growth chart against published fields, with a user's mouse."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.physical import Axis
from rfstudio.figures.growth import growth_of as figure_growth_of
from rfstudio.widgets.charts.growth_chart import GrowthChart
from rfstudio.widgets.charts.growth_data import growth_of
from tests.narrowing import present

LEFT = Qt.MouseButton.LeftButton


def conv(name: str, kernel_size: int, stride: int = 1) -> Layer:
    op = ops.Conv(kernel_size=kernel_size, stride=stride, padding=kernel_size // 2, out_channels=2)
    return Layer(op, name)


CHAIN = Architecture(
    name="chain", input_size=(40, 40), layers=(conv("a", 3), conv("b", 3, 2), conv("c", 5))
)


def test_that_the_curves_are_the_numbers_of_the_analysis(state) -> None:
    growth = growth_of("chain", analyze(CHAIN))
    assert growth.size.tolist() == [3, 5, 13]
    assert growth.jump.tolist() == [1, 2, 2]
    assert growth.reach == 40


def test_that_the_curve_of_vgg16_goes_through_its_published_sizes(state) -> None:
    # google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md, as in tests/golden.
    session = state("vgg16").session
    growth = growth_of("vgg16", session.analysis)
    by_name = dict(zip((x.name for x in session.analysis.layers), growth.size, strict=True))
    assert [by_name[x] for x in ("conv1_1", "conv4_2", "conv5_2")] == [3, 76, 164]


def test_that_global_layers_leave_a_gap_in_the_curve(state) -> None:
    growth = growth_of("resnet18", state("resnet18").session.analysis)
    assert np.isnan(growth.size[-1])
    assert growth.is_global[-1]


def test_that_a_click_chooses_the_layer_at_that_depth(state, shown, settings, qtbot: QtBot) -> None:
    made = state(CHAIN)
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    at = chart.plot.viewport_point(QPointF(2, 5)).toPoint()
    qtbot.mouseClick(chart.plot.viewport(), LEFT, pos=at)
    assert made.selection.layer == "b"
    assert chart.readout.text() == "depth 2 · b: size 5×5, jump 2"


def test_that_dragging_the_plot_chooses_nothing(state, shown, settings, qtbot: QtBot) -> None:
    made = state(CHAIN)
    made.selection.select_layer("c")
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    start = chart.plot.viewport_point(QPointF(1, 5)).toPoint()
    qtbot.mousePress(chart.plot.viewport(), LEFT, pos=start)
    qtbot.mouseMove(chart.plot.viewport(), chart.plot.viewport_point(QPointF(2, 8)).toPoint())
    end = chart.plot.viewport().rect().center()
    qtbot.mouseRelease(chart.plot.viewport(), LEFT, pos=end)
    assert made.selection.layer == "c"


def test_that_hovering_tells_the_layer_and_leaving_tells_the_chosen_one(
    state, shown, settings, qtbot: QtBot
) -> None:
    made = state(CHAIN)
    made.selection.select_layer("c")
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    qtbot.mouseMove(chart.plot.viewport(), chart.plot.viewport_point(QPointF(1, 5)).toPoint())
    assert chart.readout.text().startswith("depth 1 · a")
    chart.plot.hovered_at.emit(None)
    assert chart.readout.text().startswith("depth 3 · c")


def test_that_an_edit_and_another_layer_are_followed_at_once(state, shown, settings) -> None:
    made = state(CHAIN)
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    made.selection.select_layer("a")
    assert chart.readout.text() == "depth 1 · a: size 3×3, jump 1"
    edited = Architecture(name="chain", input_size=(40, 40), layers=(conv("a", 7),))
    made.document.edit("wider", edited)
    assert chart.readout.text() == "depth 1 · a: size 7×7, jump 1"


def test_that_several_networks_are_compared_and_one_can_go_again(state, shown, settings) -> None:
    made = state(CHAIN)
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    other = analyze(Architecture(name="other", input_size=(40, 40), layers=(conv("x", 9),)))
    chart.add_network("other", other)
    assert chart.networks == ("other",)
    labels = [label.text for _, label in chart._legend.items]
    assert "other" in labels
    chart.remove_network("other")
    assert chart.networks == ()
    assert "other" not in [label.text for _, label in chart._legend.items]


def test_that_the_erf_sizes_come_one_after_the_other_and_grow_with_depth(
    state, shown, settings, qtbot: QtBot
) -> None:
    made = state(CHAIN)
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    with qtbot.waitSignal(chart._erf_sizes.grown, check_params_cb=lambda x: len(x) == 3) as grown:
        chart.erf.setChecked(True)
    sizes = grown.args[0]
    assert sizes[1] < sizes[2] < sizes[3] < 13
    assert sizes[1] == pytest.approx(3)  # nine pixels, all alike
    made.selection.select_layer("a")
    assert chart.readout.text().endswith("ERF 3.0")


def test_that_the_logarithmic_axis_is_remembered(state, shown, settings) -> None:
    made = state(CHAIN)
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    chart.log.setChecked(True)
    again = shown(GrowthChart(made.session, made.selection, settings=settings))
    assert again.log.isChecked()
    assert again.plot.getPlotItem().getAxis("left").logMode


def test_that_a_network_without_layers_is_no_problem(state, shown, settings) -> None:
    made = state(Architecture(input_size=(8, 8)))
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    assert chart.readout.text() == "No layers yet."
    chart.plot.clicked_at.emit(QPointF(3, 3))


def test_that_only_whole_depths_are_marked(state, shown, settings) -> None:
    made = state(CHAIN)
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    axis = chart.plot.getPlotItem().getAxis("bottom")
    marks = [x for _, values in axis.tickValues(1.0, 3.0, 1200) for x in values]
    assert marks == [1, 2, 3]
    assert axis.tickSpacing(0.0, 0.5, 1200) == [(1.0, 0.0)]


def test_that_an_empty_network_has_neither_marks_nor_a_legend(state, shown, settings) -> None:
    made = state(Architecture())
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    parts = (chart._legend, chart.plot.getPlotItem().getAxis("left"))
    assert chart.readout.text() == "No layers yet."
    assert not any(x.isVisible() for x in parts)
    made.document.edit("Fill", CHAIN)
    assert all(x.isVisible() for x in parts)


def test_that_depth_counts_layers_with_weights_so_that_branches_are_no_saw_teeth(state) -> None:
    analysis = state("inception_v3").session.analysis
    growth = growth_of("inception_v3", analysis)
    depth, size = growth.over_depth(growth.size)
    deepest = max(x.depth for x in analysis.layers if x.depth is not None)
    assert depth.tolist() == list(range(1, deepest + 1))

    def falls(values: np.ndarray) -> int:
        return int((np.diff(values[~np.isnan(values)]) < 0).sum())

    # In the order of the file each branch begins anew; by depth, one narrow branch is deeper than
    # the wide one beside it.
    assert falls(growth.size) > 10
    assert falls(size) == 1


def test_that_the_erf_sizes_of_other_networks_are_drawn_too(
    state, shown, settings, qtbot: QtBot
) -> None:
    made = state(CHAIN)
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    chart.erf.setChecked(True)
    other = analyze(Architecture(name="other", input_size=(40, 40), layers=(conv("x", 3),)))
    chart.add_network("other", other)
    qtbot.waitUntil(lambda: bool(chart._sizes_of.get("other")))
    assert chart._sizes_of["other"][1] == pytest.approx(3)
    assert ("other", "erf") in chart._curves
    chart.none.trigger()
    assert chart.networks == ()


def test_that_a_network_of_global_layers_alone_is_no_problem(state, shown, settings) -> None:
    made = state(CHAIN)
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    whole = (Layer(ops.GlobalAvgPool(), "g"), conv("a", 1))
    made.document.edit("All global", Architecture(input_size=(40, 40), layers=whole))
    assert chart._drawn.dataBounds(0) == (None, None)
    assert chart._drawn.dataBounds(1) == (None, None)


def test_that_the_local_field_is_a_curve_where_a_gate_sees_the_whole_image() -> None:
    gate = Layer(ops.SqueezeExcite(reduction=1), "gate")
    conv3 = Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4))
    network = Architecture(name="n", input_size=(32, 32), layers=(conv3, gate, conv3))
    curves = growth_of("n", analyze(network))
    # By hand: 3 pixels before the gate; 5 after it, locally.
    assert curves.size[0] == 3
    assert np.isnan(curves.size[1:]).all()
    assert np.isnan(curves.local[0])
    assert curves.local[1:].tolist() == [3, 5]


@pytest.mark.parametrize(
    ("size", "axes", "text"),
    [
        ((40, 40), (), "pixels"),
        ((40, 40), (Axis(unit="mm", spacing=0.05),) * 2, "pixels, 0.05 mm apart"),
        ((40,), (Axis(unit="samples", spacing=320, window=1024),), "frames, 320 samples apart"),
        ((40, 40), (Axis(name="time", unit="ms"), Axis(name="mel")), "samples"),
    ],
)
def test_that_the_axis_of_sizes_says_what_a_sample_is(state, shown, settings, size, axes, text):
    made = state(Architecture(input_size=size, layers=(conv("a", 3),), input_axes=axes))
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    assert chart.plot.getPlotItem().getAxis("left").labelText == text


def test_that_the_chart_and_the_figure_mean_the_same_by_depth(state) -> None:
    for name in ("alexnet", "resnet18", "efficientnet_b0"):
        analysis = state(name).session.analysis
        chart, figure = growth_of(name, analysis), figure_growth_of(name, analysis)
        depths, sizes = chart.over_depth(chart.seen)
        found = {int(d): int(n) for d, n in zip(depths, sizes, strict=True) if not np.isnan(n)}
        drawn = dict(zip(figure.depths, figure.sizes, strict=True))
        assert {d: found[d] for d in drawn} == drawn
        law, figure_law = present(chart.law(chart.seen)), present(figure.law(figure.sizes))
        assert law.exponent == pytest.approx(figure_law.exponent)


def test_that_both_axes_are_logarithmic_with_slopes_beside_the_papers(
    state, shown, settings
) -> None:
    # Convolutions of 3×3 alone: sizes 1 + 2n, whose slope tends to 1.
    stack = tuple(
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=2), f"c{i}") for i in range(30)
    )
    made = state(Architecture(input_size=(64, 64), layers=stack, name="stack"))
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    assert "slope" not in chart._legend.items[0][1].text
    chart.log.click()
    curve = chart._curves["", "size"]
    assert curve.x[[0, 9]].tolist() == [0.0, 1.0]  # depths 1 and 10
    assert curve.y[[0, 9]] == pytest.approx(np.log10([3, 21]))
    slope = np.polyfit(np.log10(range(1, 31)), np.log10([1 + 2 * n for n in range(1, 31)]), 1)[0]
    assert chart._legend.items[0][1].text == f"stack: slope {slope:.2f}"
    assert "Luo et al. 2016, plain stacks: slope 1" in chart.readout.text()
    chart._choose(QPointF(1.0, np.log10(21)))
    assert made.selection.layer == "c9"


@pytest.mark.parametrize("network", ["vgg16", "vit_b16"])
def test_that_the_legend_covers_no_curve(state, shown, settings, network: str) -> None:
    made = state(network)
    chart = shown(GrowthChart(made.session, made.selection, settings=settings), (1200, 160))
    legend, box = chart._legend, chart.plot.getPlotItem().getViewBox()
    place = legend.mapRectToItem(box, legend.boundingRect())
    for curve in chart._curves.values():
        points = [
            box.mapFromView(QPointF(x, y))
            for x, y in zip(curve.x, curve.y, strict=True)
            if np.isfinite(y)
        ]
        assert not any(place.contains(x) for x in points)


def test_that_what_sees_the_whole_image_is_said_in_words_with_its_local_field(
    state, shown, settings
) -> None:
    made = state("efficientnet_b0")
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    made.selection.select_layer("head")
    words = "depth 49 · head: sees the whole image, locally 851×851, jump 32"
    assert chart.readout.text() == words
    made.selection.select_layer("classifier")
    assert "sees the whole image, jump" in chart.readout.text()


def test_that_a_layer_that_sees_nothing_has_no_place_on_a_curve(state, shown, settings) -> None:
    made = state("vit_b16")  # its class token is a parameter, at depth 0
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    for curve in chart._curves.values():
        assert not np.any(curve.y <= 0)


def test_that_the_line_of_a_reference_is_not_called_the_input(state, shown, settings) -> None:
    made = state(CHAIN)
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    assert [x.text for x in chart._drawn.drawing.lines if x.is_level] == ["input 40"]
    made.session.set_reference("a")
    assert [x.text for x in chart._drawn.drawing.lines if x.is_level] == ["map 40"]


def test_that_a_pinned_network_is_drawn_once_another_one_is_open(state, shown, settings) -> None:
    made = state(CHAIN)
    chart = shown(GrowthChart(made.session, made.selection, settings=settings))
    pinned = made.session.analysis
    chart.show_pinned({"A: a (1, 1), chain": pinned, "B: b (1, 1), chain": pinned})
    assert chart.networks == ()  # it is the open one
    made.document.edit(
        "Open", Architecture(name="next", input_size=(20, 20), layers=(conv("x", 3),))
    )
    assert chart.networks == ("A: a (1, 1), chain",)
    made.document.undo_stack.undo()
    chart.show_pinned({})
    assert chart.networks == ()
