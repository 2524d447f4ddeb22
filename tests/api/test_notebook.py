"""Results in a notebook: short texts, tables, pictures, plots, and values that travel."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import rfstudio
from rfstudio import paths
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.shown import Pictured, Shown

_PNG = b"\x89PNG\r\n"


def _network(size: tuple[int, ...] = (20, 24)) -> Architecture:
    conv = ops.Conv(kernel_size=3, padding=1, out_channels=6)
    items = (Layer(conv, "<b>a"), Layer(ops.Relu()), Layer(ops.MaxPool(kernel_size=2), "pool"))
    return Architecture("small & <i>", "", "", size, 2, items)


RESULTS: dict[str, Callable[[], Any]] = {
    "network": _network,
    "analysis": lambda: rfstudio.analyze(_network()),
    "layer": lambda: rfstudio.analyze(_network())["pool"],
    "unit": lambda: rfstudio.analyze(_network()).unit("pool"),
    "expected": lambda: rfstudio.expected_erf(_network(), "pool"),
    "of analysis": lambda: rfstudio.expected_erf(rfstudio.analyze(_network()), "pool"),
    "paths": lambda: rfstudio.path_counts(_network(), "pool"),
    "measured": lambda: rfstudio.erf(_network(), "pool", samples=1, seed=0, device="cpu"),
    "tiles": lambda: rfstudio.tiles(_network(), image=24),
    "advice": lambda: rfstudio.advise(_network(), object_size=4),
}
PICTURED = ("unit", "expected", "of analysis", "paths", "measured")
# Drawing a picture takes most of a second.
SHOWN = [pytest.param(x, marks=[pytest.mark.slow] if x in PICTURED else []) for x in RESULTS]


def test_that_an_analysis_is_a_sequence_of_its_layers() -> None:
    analysis = rfstudio.analyze(_network())
    assert [x.name for x in analysis] == ["<b>a", "relu1", "pool"]
    assert len(analysis) == 3
    assert analysis[0] == analysis.layers[0]
    assert analysis[-1] == analysis["pool"]
    assert analysis[1:] == analysis.layers[1:]
    assert "pool" in analysis
    with pytest.raises(IndexError):
        analysis[3]
    with pytest.raises(rfstudio.RFStudioError, match="a path or a number, not 1.5"):
        analysis[1.5]  # type: ignore[call-overload]  # that is what is refused
    assert rfstudio.analyze(Architecture())  # no layers, but an analysis


@pytest.mark.parametrize("name", [x for x in RESULTS if x not in ("network", "tiles", "advice")])
def test_that_the_text_of_a_result_is_short(name: str) -> None:
    text = repr(RESULTS[name])
    assert len(text) < 400
    assert "\n" not in text


def test_that_texts_name_what_they_are() -> None:
    assert repr(RESULTS["analysis"]()) == (
        # 6 filters of 3 · 3 · 2 weights, and 6 biases
        "<Analysis of 'small & <i>': input 20×24, 3 layers, 114 parameters>"
    )
    assert repr(RESULTS["layer"]()) == "<LayerAnalysis 'pool': max_pool, output 10×12, field 4×4>"
    assert repr(RESULTS["paths"]()) == "<Erf of 'pool' (5, 6): path count, 20×24, exact>"


@pytest.mark.parametrize("name", SHOWN)
def test_that_a_result_is_shown_as_html_with_foreign_names_as_text(name: str) -> None:
    value = RESULTS[name]()
    assert isinstance(value, Shown)
    html = value._repr_html_()
    assert html is not None
    assert "<table" in html
    assert html.count("<td") == html.count("</td>")
    assert "<b>a" not in html
    assert "<i>" not in html


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURED)
def test_that_units_and_fields_have_a_picture(name: str) -> None:
    value = RESULTS[name]()
    assert isinstance(value, Pictured)
    png = value._repr_png_()
    assert png is not None
    assert png.startswith(_PNG)
    assert "data:image/png;base64," in (value._repr_html_() or "")


@pytest.mark.parametrize("name", RESULTS)
def test_that_results_pickle_and_copy(name: str) -> None:
    value = RESULTS[name]()
    for again in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert type(again) is type(value)
        assert repr(again) == repr(value)
        if name not in PICTURED:
            assert again._repr_html_() == value._repr_html_()


def _frames(axes: Axes) -> list[tuple[float, ...]]:
    patches = [x for x in axes.patches if isinstance(x, Rectangle)]
    return [(*x.get_xy(), x.get_width(), x.get_height()) for x in patches]


def test_that_a_unit_is_plotted_with_its_region_on_a_photo() -> None:
    photo = np.zeros((5, 6, 3), np.uint8)
    axes = RESULTS["unit"]().plot(image=photo)
    # Unit (5, 6) of a 2/2 pool after a 3×3 convolution reads rows 9…12 and columns 11…14.
    assert (10.5, 8.5, 4, 4) in _frames(axes)
    assert axes.get_title() == "pool, unit (5, 6)"
    assert isinstance(axes.figure, Figure)


@pytest.mark.parametrize("name", ["expected", "paths", "measured"])
def test_that_a_field_is_plotted_into_given_axes(name: str) -> None:
    axes = Figure().add_subplot()
    assert RESULTS[name]().plot(axes=axes, image=paths.sample_images() / "cat.jpg") is axes
    assert (10.5, 8.5, 4, 4) in _frames(axes)


@pytest.mark.parametrize("size", [(24,), (6, 8, 10)])
def test_that_other_numbers_of_axes_are_plotted(size: tuple[int, ...]) -> None:
    network = Architecture("n", "", "", size, 1, (Layer(ops.Conv(kernel_size=3), "a"),))
    for value in (rfstudio.analyze(network).unit("a"), rfstudio.expected_erf(network, "a")):
        assert value.plot().get_title().startswith("a, unit (")


def test_that_growth_is_plotted_beside_that_of_another_network() -> None:
    axes = rfstudio.analyze("vgg11").plot()
    assert rfstudio.analyze("vgg16").plot(axes=axes) is axes
    legend = axes.get_legend()
    assert legend is not None
    assert [x.get_text() for x in legend.get_texts()] == ["VGG-11", "VGG-16"]
    curves = [x for x in axes.get_lines() if x.get_label() in ("VGG-11", "VGG-16")]
    # The fields of the last pools: 150 by r = 1 + Σ (k − 1) · jump, and 212 as published.
    assert [max(map(int, np.ravel(x.get_ydata()))) for x in curves] == [150, 212]


def test_that_a_wrong_photo_is_refused_in_words() -> None:
    with pytest.raises(rfstudio.RFStudioError, match="from 0 to 255, not float64 of shape"):
        RESULTS["unit"]().plot(image=np.zeros((4, 4)))
    with pytest.raises(rfstudio.RFStudioError, match=r"none\.png"):
        RESULTS["unit"]().plot(image="none.png")


def test_that_nothing_is_drawn_with_pyplot_unless_it_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    RESULTS["analysis"]().plot()
    assert "matplotlib.pyplot" not in sys.modules


def test_that_a_table_of_pandas_has_the_columns_of_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    class Pandas:
        @staticmethod
        def DataFrame(rows: list[list[object]], columns: list[str]) -> str:  # noqa: N802 - pandas' name
            given.update(rows=rows, columns=columns)
            return "frame"

    monkeypatch.setitem(sys.modules, "pandas", Pandas)
    assert rfstudio.analyze("vgg16").to_dataframe() == "frame"
    last = dict(zip(given["columns"], given["rows"][-1], strict=True))
    assert (last["name"], last["rf_size_y"], last["global_y"]) == ("fc8", None, True)
    pool = next(x for x in given["rows"] if x[0] == "pool5")
    assert dict(zip(given["columns"], pool, strict=True))["rf_size_x"] == 212


def test_that_without_pandas_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(rfstudio.RFStudioError, match="pip install pandas"):
        rfstudio.analyze(_network()).to_dataframe()


def test_that_a_wrong_estimator_is_answered_with_all_right_ones() -> None:
    words: dict[str, Any] = {"estimator": "gradient"}
    calls: dict[Callable[..., Any], Any] = {rfstudio.erf: (3, 3), rfstudio.erfs: [(3, 3)]}
    for call, units in calls.items():
        with pytest.raises(rfstudio.RFStudioError) as caught:
            call(_network(), "pool", units, **words)
        for right in ("energy", "rms", "occlusion", "expected", "path-count", "'gradient'"):
            assert right in str(caught.value)


def test_that_presets_are_listed_with_what_they_are() -> None:
    found = rfstudio.presets()
    assert list(found) == sorted(x.stem for x in Path(paths.architectures()).glob("*.yaml"))
    assert len(found) == len(list(found))
    assert found["resnet50"].startswith("He et al. 2015")
    assert "no_such" not in found
    assert repr(found).startswith(f"<{len(found)} networks: alexnet, ")


@pytest.mark.slow
def test_that_presets_are_shown_as_a_table() -> None:
    html = rfstudio.presets()._repr_html_()
    assert html is not None
    assert html.count("<tr>") == len(rfstudio.presets())
