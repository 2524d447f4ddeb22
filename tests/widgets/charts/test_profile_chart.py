"""Sections through effective fields against fields whose form is known."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QTextDocument

from rfstudio.app.effective.erf_view import ErfView
from rfstudio.core import ops
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.metrics.section import section
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.widgets.charts.curves import alternates, around, fitting
from rfstudio.widgets.charts.profile_chart import ProfileChart, share_text
from tests.measurements import FakeMeasurements
from tests.narrowing import present


def conv(name: str, stride: int = 1) -> Layer:
    return Layer(ops.Conv(kernel_size=3, stride=stride, padding=1, out_channels=2), name)


def chart_of(made, settings, source: FakeMeasurements | None = None) -> ProfileChart:
    view = ErfView(made.session, made.selection, source)
    chart = ProfileChart(made.session, made.selection, view, settings=settings)
    view.setParent(chart)
    return chart


def chain(size: tuple[int, ...]) -> Architecture:
    return Architecture(input_size=size, layers=(conv("a"), conv("b", 2), conv("c")))


def curve(plot, name: str) -> np.ndarray:
    return plot.values.get(name, np.array([]))


def test_that_a_section_through_a_gaussian_is_fitted_by_it() -> None:
    y, x = np.mgrid[:81, :101]
    field = 5 * np.exp(-((y - 30) ** 2) / (2 * 4.0**2) - (x - 60) ** 2 / (2 * 9.0**2))
    down, right = (present(section(field, (30, 60), axis)) for axis in (0, 1))
    down_fit, right_fit = present(down.fit), present(right.fit)
    assert down.values.size == 81
    assert down.values.max() == 1
    assert down_fit.sigma[0] == pytest.approx(4, rel=1e-4)
    assert down_fit.center[0] == pytest.approx(30, abs=1e-3)
    assert right_fit.sigma[0] == pytest.approx(9, rel=1e-4)
    assert right_fit.r_squared == pytest.approx(1, abs=1e-6)


def test_that_a_field_that_is_zero_has_no_section() -> None:
    assert section(np.zeros((9, 9)), (4, 4), 0) is None


@pytest.mark.parametrize("size", [(40,), (40, 30), (16, 24, 20)])
def test_that_there_is_a_section_along_every_axis_through_the_unit(
    state, shown, settings, size: tuple[int, ...]
) -> None:
    made = state(chain(size))
    chart = shown(chart_of(made, settings))
    assert len(chart.plots) == len(size)
    graph = made.session.analysis.graph
    field = expected_erf(graph, graph.index("c"), made.selection.unit).map
    centre = tuple(2 * u for u in made.selection.unit)  # jump 2, centre of unit 0 at 0
    for axis, plot in enumerate(chart._plots):
        index: list[int | slice] = list(centre)
        index[axis] = slice(None)
        row = field[tuple(index)]
        assert curve(plot, "expected") == pytest.approx(row / row.max())


def test_that_the_borders_are_those_of_the_regions(state, shown, settings) -> None:
    made = state(chain((40, 30)))
    made.selection.select_layer("c", (0, 7))
    chart = shown(chart_of(made, settings))
    view = made.session.analysis.unit("c", (0, 7))
    for axis, plot in enumerate(chart._plots):
        places = [place for _, place in plot.borders]
        (first, last), (low, high) = view.theoretical_region[axis], view.visible_region[axis]
        assert places == [first - 0.5, last + 0.5, low - 0.5, high + 0.5]
    assert "local" not in chart.legend.text()


def test_that_a_unit_that_sees_all_has_the_borders_of_its_local_field(
    state, shown, settings
) -> None:
    gate = Layer(ops.SqueezeExcite(reduction=1), "gate")
    made = state(Architecture(input_size=(40, 30), layers=(conv("a"), gate, conv("b"))))
    made.selection.select_layer("b", (20, 15))
    chart = shown(chart_of(made, settings))
    # By hand: two layers of 3×3 see 2 pixels to each side; through the gate all.
    for plot, unit, size in zip(chart._plots, (20, 15), (40, 30), strict=True):
        borders = {kind: [y for x, y in plot.borders if x == kind] for kind, _ in plot.borders}
        assert borders["theoretical"] == [-0.5, size - 0.5]
        assert borders["local"] == [unit - 2.5, unit + 2.5]
    assert "local" in chart.legend.text()


def test_that_a_measured_field_is_drawn_beside_the_expected_one(state, shown, settings) -> None:
    made = state(chain((40, 30)))
    source = FakeMeasurements(made.session)
    chart = shown(chart_of(made, settings, source))
    assert curve(chart._plots[0], "measured").size == 0
    values = np.random.default_rng(0).random((40, 30))
    unit = made.selection.unit
    source.finish("c", unit, values)
    # Both fields have the same sum, so that the noise of a measurement does not scale it.
    expected = expected_erf(
        made.session.analysis.graph, made.session.analysis.graph.index("c"), unit
    ).map
    column = 2 * unit[1]
    wanted = values[:, column] / values.sum() * expected.sum() / expected[:, column].max()
    assert curve(chart._plots[0], "measured") == pytest.approx(wanted)
    assert "measured" in chart.legend.text()
    made.selection.select_unit((3, 3))
    assert curve(chart._plots[0], "measured").size == 0


def test_that_a_hidden_chart_costs_nothing_and_catches_up(state, shown, settings) -> None:
    made = state(chain((40, 30)))
    chart = shown(chart_of(made, settings))
    chart.hide()
    before = chart._plots[0].borders[0]
    made.selection.select_unit((1, 1))
    assert chart._plots[0].borders[0] == before
    chart.show()
    assert chart._plots[0].borders[0] != before


def test_that_the_axis_stays_while_the_unit_moves(state, shown, settings) -> None:
    made = state(chain((40, 30)))
    chart = shown(chart_of(made, settings))
    before = chart.plots[0].getPlotItem().viewRange()
    made.selection.select_unit((0, 0))
    assert chart.plots[0].getPlotItem().viewRange() == before
    assert before[0][0] < -4  # unit 0 sees from −4 on
    assert before[0][1] > 39


def test_that_a_narrow_section_has_fewer_words_which_are_whole(state, shown, settings) -> None:
    made = state(chain((40, 30)))
    chart = shown(chart_of(made, settings), (800, 170))
    drawing, metrics = chart._plots[0]._drawn.drawing, chart.fontMetrics()
    whole, few = map(metrics.horizontalAdvance, (drawing.note, drawing.brief))
    assert few < 0.6 * whole
    assert fitting(metrics, drawing, whole) == drawing.note
    assert fitting(metrics, drawing, whole - 1) == drawing.brief
    assert fitting(metrics, drawing, few) == drawing.brief
    assert fitting(metrics, drawing, few - 1).endswith("…")
    assert drawing.brief.startswith("y: σ ")
    chart._plots[0]._read_out(QPointF(20, 0.5))
    assert chart._plots[0]._drawn.drawing.brief.startswith("pixel 20: ")


def test_that_the_words_do_not_cover_the_peak(state, shown, settings) -> None:
    made = state(chain((40, 30)))
    chart = shown(chart_of(made, settings), (800, 170))
    plot = chart.plots[0]
    assert "Gaussian fitted here" in chart._plots[0]._note
    top = plot.viewport_point(QPointF(0, plot.getPlotItem().viewRange()[1][1])).y()
    assert plot.viewport_point(QPointF(0, 1)).y() - top > plot.fontMetrics().lineSpacing() + 2


def test_that_the_logarithmic_axis_spans_four_decades(state, shown, settings) -> None:
    made = state(chain((40, 30)))
    chart = shown(chart_of(made, settings))
    chart.log.setChecked(True)
    low, high = chart.plots[0].getPlotItem().viewRange()[1]
    assert (low, high) == pytest.approx((-4, 0.3), abs=0.1)


def test_that_a_unit_without_a_field_says_so(state, shown, settings) -> None:
    layer = Layer(ops.Conv(kernel_size=9, out_channels=2), "big")
    made = state(Architecture(input_size=(8, 8), layers=(layer,)))
    chart = shown(chart_of(made, settings))
    assert chart.message.isVisible()
    assert "empty" in chart.message.text()
    made.document.edit("more", chain((40, 30)))
    assert not chart.message.isVisible()
    assert all(x.isVisible() for x in chart.plots)


def test_that_a_measurement_that_rises_above_the_expected_peak_stays_in_view(
    state, shown, settings
) -> None:
    made = state(chain((40, 30)))
    source = FakeMeasurements(made.session)
    chart = shown(chart_of(made, settings, source))
    unit = made.selection.unit
    spike = np.zeros((40, 30))
    spike[2 * unit[0], 2 * unit[1]] = 1.0
    source.finish("c", unit, spike)
    highest = curve(chart._plots[0], "measured").max()
    assert highest > 2
    low, high = chart.plots[0].getPlotItem().viewRange()[1]
    assert low <= 0 < highest < high


def test_that_a_field_in_stripes_is_a_band_around_its_mean_with_a_word(
    state, shown, settings
) -> None:
    # Kernel 1 at stride 2 after kernel 3 at stride 1: every other pixel is read twice as often.
    layers = (conv("a"), Layer(ops.Conv(kernel_size=1, stride=2, out_channels=2), "b"))
    deep = (*layers, *(conv(f"c{i}") for i in range(6)))
    made = state(Architecture(input_size=(120, 120), layers=deep))
    chart = shown(chart_of(made, settings))
    assert all(x.banded == {"expected"} for x in chart._plots)
    assert "strides or dilation read neighbouring" in chart.beyond.text()
    made.document.edit("plain", Architecture(input_size=(40, 30), layers=(conv("a"), conv("b"))))
    assert not chart.beyond.text()


def test_that_a_band_goes_from_the_least_to_the_largest_of_four_values() -> None:
    values = np.array([1.0, 3.0, 1.0, 3.0, 1.0, 3.0])
    low, mean, high = around(values)
    assert low[1:5].tolist() == [1, 1, 1, 1]
    assert high[1:5].tolist() == [3, 3, 3, 3]
    assert mean[2:4].tolist() == [2, 2]
    assert alternates(np.tile([1.0, 3.0], 10))
    assert not alternates(np.sin(np.linspace(0, 3, 40)))


def test_that_each_line_of_the_legend_has_a_sample_of_its_own(state, shown, settings) -> None:
    made = state(chain((40, 30)))
    chart = shown(chart_of(made, settings, FakeMeasurements(made.session)))
    names = ["expected", "measured", "fit", *(f"pin {x}" for x in "ABCD")]
    chart._plots[0].values = dict.fromkeys(names, np.ones(40))
    chart._plots[1].borders = [(x, 1.0) for x in ("theoretical", "local", "visible")]
    chart._explain("measured")
    parts = re.split(r"\s{2,}", plain(chart.legend.text()).replace("\xa0", " "))
    samples = [part.rpartition(" ")[0].removesuffix(" fitted") for part in parts]
    assert len(set(samples)) == len(samples) == 10


def plain(html: str) -> str:
    document = QTextDocument()
    document.setHtml(html)
    return document.toPlainText()


def entries(chart: ProfileChart) -> list[str]:
    """The names in the legend, in their order."""
    found = plain(chart.legend.text()).replace("\xa0", " ")
    return re.findall(r"[^\W\d_]+(?: [^\W\d_]+)*", found)


def test_that_the_legend_names_the_lines_that_are_drawn_and_no_others(
    state, shown, settings
) -> None:
    made = state(chain((40, 30)))
    source = FakeMeasurements(made.session)
    chart = shown(chart_of(made, settings, source))
    assert entries(chart) == ["expected", "fitted Gaussian", "theoretical", "visible"]

    def pin(letter: str, field: np.ndarray | None) -> SimpleNamespace:
        erf = None if field is None else SimpleNamespace(map=field)
        selection, analysis = made.selection, made.session.analysis
        unit = selection.unit
        return SimpleNamespace(
            letter=letter, field=erf, analysis=analysis, layer=selection.layer, unit=unit
        )

    field = np.random.default_rng(0).random((40, 30))
    # Of the pins only B has a field over this map that is not zero along the sections.
    other = np.ones((41, 30))
    pins = [pin("A", None), pin("B", field), pin("C", other), pin("D", np.zeros((40, 30)))]
    chart._pins = pins
    source.finish("c", made.selection.unit, field)
    assert entries(chart)[:3] == ["expected", "measured", "B"]
    # A field of one pixel has no width that a Gaussian could be fitted to.
    one = Architecture(input_size=(9, 9), layers=(Layer(ops.Conv(kernel_size=1), "a"),))
    made.document.edit("one", one)
    assert entries(chart) == ["expected", "theoretical", "visible"]


def test_that_no_two_curves_of_the_profile_have_the_same_dashes(state, shown, settings) -> None:
    made = state(chain((40, 30)))
    chart = shown(chart_of(made, settings, FakeMeasurements(made.session)))
    plot = chart._plots[0]
    values = np.linspace(0, 1, 40)
    names = ["expected", "measured", "fit", *(f"pin {x}" for x in "ABCD")]
    plot.values = dict.fromkeys(names, values)
    plot._draw()
    pens = [x.pen for x in plot._drawn.drawing.curves]
    dashes = {tuple(round(x * pen.widthF()) for x in pen.dashPattern()) for pen in pens}
    assert len(dashes) == len(names)  # in points of the screen


def test_that_low_sections_say_of_which_axis_and_field_their_numbers_are(
    state, shown, settings
) -> None:
    made = state(chain((40, 30)))
    chart = shown(chart_of(made, settings), (800, 170))
    assert [x._note.partition(":")[0] for x in chart._plots] == ["y", "x"]
    assert "2.263 px by the Gaussian fitted here, 2 by moments" in chart._plots[0]._note


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "1.000"), (0.9999, "> 0.999"), (0.9994, "0.999"), (0.5, "0.500")]
)
def test_that_nearly_all_of_a_variance_is_not_all_of_it(share: float, text: str) -> None:
    assert share_text(share) == text


def test_that_the_region_that_leaves_the_axis_is_named(state, shown, settings) -> None:
    made = state("efficientnet_b0")  # its gates see the image, its convolutions far beyond
    made.selection.select_layer("head")
    chart = shown(chart_of(made, settings), (1000, 170))
    assert "The local region reaches beyond this axis." in chart.beyond.text()
    assert "theoretical region" not in chart.beyond.text()


def test_that_a_unit_that_sees_only_padding_says_so(state, shown, settings) -> None:
    far = Layer(ops.Conv(kernel_size=3, padding=9, out_channels=2), "far")
    made = state(Architecture(input_size=(8, 8), layers=(far,)))
    made.selection.select_layer("far", (0, 0))
    chart = shown(chart_of(made, settings))
    words = "This unit sees only padding: no pixel of the image reaches it."
    assert chart.message.text() == words


def test_that_chance_in_a_measurement_is_not_blamed_on_strides(state, shown, settings) -> None:
    made = state(chain((60, 60)))
    measured = FakeMeasurements(made.session)
    chart = shown(chart_of(made, settings, measured), (900, 170))
    layer, unit = made.selection.value[:2]
    values = np.tile([[1.0, 3.0]], (60, 30))
    measured.finish(layer, unit, values)
    assert "of a measurement differ by chance" in chart.beyond.text()
    assert "strides" not in chart.beyond.text()
    assert "x, measured: σ" in chart._plots[1]._note


def test_that_a_long_sentence_leaves_the_legend_on_its_line_and_the_plots_their_room(
    state, shown, settings
) -> None:
    made = state(chain((40, 30)))
    chart = shown(chart_of(made, settings, FakeMeasurements(made.session)))
    chart.resize(1200, 160)
    chart._note("words")
    chart.layout().activate()
    line, plot = chart.legend.height(), chart._plots[0].plot
    high = plot.height()
    assert line < 2 * chart.fontMetrics().lineSpacing()
    chart._note("many words that say what has failed and why " * 10)
    chart.layout().activate()
    assert (chart.legend.height(), plot.height()) == (line, high)
    assert chart.beyond.geometry().right() < chart.log.x()
    assert chart.legend.geometry().right() < chart.beyond.x()


def test_that_no_sentence_on_curves_stays_without_curves(state, shown, settings) -> None:
    made = state(chain((40, 30)))
    chart = shown(chart_of(made, settings, FakeMeasurements(made.session)))
    chart._note("The theoretical region reaches beyond this axis.")
    chart._say("This unit has no effective field to show.")
    assert not chart.beyond.text()
    assert not chart.beyond.toolTip()
