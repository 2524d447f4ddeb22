"""Every kind of figure, looked at as a journal's art editor would: letters, borders, formats."""

import re
from dataclasses import replace
from functools import cache
from math import prod, sqrt
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.lines import Line2D
from matplotlib.text import Text

import rfstudio
from rfstudio.api.answer_figures import answer_of, with_readers, with_tiles
from rfstudio.api.expected import expected_erf
from rfstudio.api.figures import lesson_content, panel_of
from rfstudio.core import ops
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.core.network.architecture import Architecture, Layer, Residual
from rfstudio.figures import (
    KINDS,
    THEMES,
    AttentionView,
    Content,
    Convergence,
    FigureError,
    FigureStyle,
    Frame,
    growth_of,
    render_kind,
)
from rfstudio.figures.attention import short_names
from rfstudio.figures.cells import Cell, draw_cells, round_length
from rfstudio.figures.diagram import boxes_of
from rfstudio.figures.page import new_page
from rfstudio.figures.panel import Panel
from rfstudio.figures.style import TEXT_POINTS, ThemeName, print_settings

NARROW = FigureStyle(width_mm=85, dpi=100)


def _conv(name: str, kernel: int = 3, stride: int = 1) -> Layer:
    op = ops.Conv(kernel_size=kernel, stride=stride, padding=kernel // 2, out_channels=4)
    return Layer(op, name=name)


@cache
def _network() -> Analysis:
    block = Residual((_conv("first"), Layer(ops.Relu()), _conv("second")), name="block")
    pool = Layer(ops.MaxPool(kernel_size=2, stride=2), name="pool")
    layers = (_conv("stem", 5), pool, block, _conv("a_last_layer_with_a_very_long_name_indeed"))
    return analyze(Architecture(name="A network", input_size=(32, 48), layers=layers))


def _panel(layer: str, unit: tuple[int, int] | None = None) -> Panel:
    analysis = _network()
    position = analysis.unit(layer, unit).position
    photo = np.full((32, 48, 3), 120, np.uint8)
    field = expected_erf(analysis, layer, position)
    return panel_of(analysis, layer, position, field, image=photo)


def _attention(layer: str, size: tuple[int, ...] = (3, 4), images: int = 2) -> LayerAttention:
    heads = np.arange(3)
    return LayerAttention(
        layer=layer,
        heads=3,
        distances=np.add.outer(0.5 * np.arange(images), 10.0 + heads),
        to_tokens=np.full(3, 0.1),
        size=size,
        unit=tuple(n // 2 for n in size),
        maps=np.full((3, *size), 0.9 / prod(size)),
        token_weights=np.full((3, 1), 0.1),
        options={"weights": "random", "samples": images, "images": images},
    )


@cache
def _content() -> Content:
    first, second = _panel("stem"), _panel("block.second", (0, 0))
    lesson = lesson_content(4)
    bell = np.exp(-(np.linspace(-2, 2, 20) ** 2))
    frames = tuple(
        Frame(film="near", step=x, map=np.outer(bell, bell), words="σ 3.2 px") for x in (0, 100)
    )
    curve = Convergence(name="a", samples=(1, 4, 16), distances=(1.5, 0.75, 0.375))
    return Content(
        panels=(first, second),
        growths=(growth_of("one", _network(), lambda _: 3.0), growth_of("two", _network())),
        curves=(curve, replace(curve, name="b", is_exact=False)),
        frames=frames,
        lesson=lesson.lesson,
        attention=AttentionView(
            name="A network",
            layers=tuple(_attention(f"blocks.{i}.attention") for i in range(3)),
            image=np.full((32, 48, 3), 120, np.uint8),
            form=2 / 3,
        ),
        answer=with_readers(with_tiles(answer_of(_network(), "block.second")), (3, 4)),
    )


@pytest.mark.parametrize("word", KINDS)
def test_that_at_the_width_of_a_column_every_letter_is_large_enough_and_on_the_paper(
    word: str,
) -> None:
    with print_settings(NARROW):
        figure = KINDS[word].draw(_content(), NARROW)
        figure.draw_without_rendering()
        texts = [x for x in figure.findobj(Text) if isinstance(x, Text) and x.get_text()]
        seen = [x for x in texts if x.get_visible() and x.get_figure() is not None]
        assert len(seen) >= 3
        assert min(float(x.get_fontsize()) for x in seen) >= TEXT_POINTS >= 7
        width, height = figure.get_size_inches()
        drawn = figure.get_tightbbox()
        assert width == pytest.approx(85 / 25.4)
        assert min(drawn.x0, drawn.y0) > -0.01
        assert drawn.x1 < width + 0.01
        assert drawn.y1 < height + 0.01


@pytest.mark.slow
@pytest.mark.parametrize("word", KINDS)
def test_that_a_kind_keeps_its_text_as_text_and_its_width(word: str) -> None:
    data = render_kind(word, _content(), ".svg", NARROW)
    root = ElementTree.fromstring(data)
    assert root.attrib["width"].endswith("pt")
    # 85 mm are 240.94 points.
    assert float(root.attrib["width"][:-2]) == pytest.approx(85 / 25.4 * 72, abs=0.5)
    assert list(root.iter("{http://www.w3.org/2000/svg}text"))


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("word", KINDS)
def test_that_a_kind_is_drawn_in_every_format_and_theme(word: str, theme: ThemeName) -> None:
    for scale in ("linear", "log"):
        style = FigureStyle(width_mm=174, dpi=100, theme=theme, scale=scale)
        assert render_kind(word, _content(), ".png", style).startswith(b"\x89PNG")
        data = render_kind(word, _content(), ".pdf", style)
        assert b"/FontFile2" in data
        assert data == render_kind(word, _content(), ".pdf", style)


def test_that_what_a_kind_cannot_show_is_said() -> None:
    style = FigureStyle()
    for word, kind in KINDS.items():
        if word != "growth":  # an empty chart is a chart
            with pytest.raises(FigureError):
                render_kind(word, Content(), ".svg", style)
        assert kind.what.endswith(".")
    with pytest.raises(FigureError, match="Help › Lessons"):
        render_kind("lesson", Content(), ".svg", style)
    with pytest.raises(FigureError, match="two fields"):
        render_kind("difference", Content(panels=(_panel("stem"),)), ".svg", style)
    with pytest.raises(FigureError, match="fields, growth, field, comparison"):
        render_kind("movie", _content(), ".svg", style)


def test_that_the_slope_of_equal_convolutions_is_one_and_of_their_effective_fields_a_half() -> None:
    # n layers of 3×3 see 2n + 1 pixels, so the slope tends to 1; Luo et al. 2016: √n.
    layers = tuple(_conv(f"c{i}") for i in range(1, 30))
    growth = growth_of("n", analyze(Architecture(input_size=(99, 99), layers=layers)), None)
    law = growth.law(growth.sizes)
    assert law is not None
    assert law.exponent == pytest.approx(0.92, abs=0.05)
    root = replace(growth, erf_sizes=tuple(5 * sqrt(x) for x in growth.depths))
    half = root.law(root.erf_sizes)
    assert half is not None
    assert half.exponent == pytest.approx(0.5, abs=1e-9)


def test_that_few_points_and_fields_beyond_the_input_have_no_slope() -> None:
    two = growth_of("two", analyze(Architecture(layers=(_conv("a"), _conv("b")))))
    assert two.law(two.sizes) is None


def test_that_a_diagram_folds_containers_and_lets_activations_follow() -> None:
    boxes, reads = boxes_of(_network())
    names = [x.name for x in boxes]
    assert names[:3] == ["input", "stem", "pool"]
    assert not [x for x in names if "relu" in x]
    folded, _ = boxes_of(_network(), most=5)
    assert "block" in [x.name for x in folded]
    assert reads[names.index("pool")] == [names.index("stem")]


@pytest.mark.parametrize(("about", "length"), [(74.7, 50), (3.9, 2), (0.3, 1), (100, 100)])
def test_that_a_scale_bar_has_a_round_length(about: float, length: float) -> None:
    assert round_length(about) == length


@pytest.mark.parametrize("size", [(7,), (3, 4), (2, 3, 4)])
def test_that_one_attention_layer_has_all_its_heads_with_their_distances(
    size: tuple[int, ...],
) -> None:
    view = AttentionView(name="one", layers=(_attention("a.b", size),))
    text = render_kind("attention", Content(attention=view), ".svg", NARROW).decode()
    # Distances over the two images are 10, 11, 12 and 10.5, 11.5, 12.5.
    for words in ("head 0, 10.2 px", "head 1, 11.2 px", "head 2, 12.2 px", "mean, 11.2 px"):
        assert f">{words}<" in text
    assert ">one, a.b<" in text
    assert "10 % to tokens without a position" in text
    assert "whiskers are" in text
    assert "over images<" in text


def test_that_distances_of_attention_are_given_in_the_samples_of_the_input() -> None:
    for count in (1, 2):
        layers = tuple(_attention(f"blocks.{i}.attention", (7,)) for i in range(count))
        view = AttentionView(name="sound", layers=layers, samples="frames")
        text = render_kind("attention", Content(attention=view), ".svg", NARROW).decode()
        assert "attention distance (frames)" in text
        assert ">head 0, 10.2<" in text
        assert ">query (3)<" in text
        assert "px" not in "".join(re.findall(">([^<]*)<", text))


def test_that_the_farthest_head_is_whole_in_the_chart_of_distances() -> None:
    layers = tuple(_attention(f"blocks.{i}.attention") for i in range(2))
    view = AttentionView(name="near each other", layers=layers)
    with print_settings(NARROW):
        figure = KINDS["attention"].draw(Content(attention=view), NARROW)
    (chart,) = (x for x in figure.axes if x.get_ylabel().startswith("attention distance"))
    # The farthest head is 12.25 px far; with less than a 20th above it half of its point is cut.
    assert chart.get_ylim()[0] == 0
    assert chart.get_ylim()[1] >= 1.05 * 12.25


@pytest.mark.slow
def test_that_many_heads_of_many_layers_have_a_mean_map_each_and_are_told_apart() -> None:
    layers = tuple(_attention(f"blocks.{i}.attention") for i in range(150))
    view = AttentionView(name="deep", layers=layers)
    with print_settings(NARROW):
        figure = KINDS["attention"].draw(Content(attention=view), NARROW)
    words = [x.get_text() for x in figure.texts]
    assert {"blocks.0", "149"} <= set(words)
    assert not [x for x in words if x.startswith("head")]
    assert sum(x.startswith("mean") for x in words) == 100
    assert any("100 of 150 layers are drawn" in x for x in words)


def test_that_names_lose_only_what_all_of_them_share() -> None:
    assert short_names(["a.b.attn", "a.c.attn"]) == ["a.b", "a.c"]
    assert short_names(["attn", "b.attn"]) == ["attn", "b.attn"]
    assert short_names(["only.attn"]) == ["only.attn"]


@pytest.mark.parametrize("width", [60, 85, 120, 174])
def test_that_a_legend_of_any_number_of_entries_is_on_the_paper(width: float) -> None:
    style = FigureStyle(width_mm=width)
    words = ("convolution", "merge", "whole map", "other", "pooling", "a", "nearest neighbour")
    with print_settings(style):
        for count in range(2, len(words) + 1):
            handles = [Line2D([], [], label=x) for x in words[:count]]
            figure = new_page(style, 0.5, handles=handles).figure
            figure.draw_without_rendering()
            ends = [x.get_window_extent().x1 for x in figure.legends[0].get_texts()]
            assert max(ends) <= figure.bbox.x1, count


def test_that_a_title_names_a_network_once_and_ends_of_scales_stay_on_the_paper() -> None:
    panels = (_panel("stem"), _panel("block.second"))
    words = render_kind("comparison", Content(panels=panels), ".svg", FigureStyle()).decode()
    assert ">A network, stem, block.second<" in words
    other = replace(panels[1], erf=panels[0].field, layer="stem")
    slightly = panels[0].field.map * (1 + 0.001 * np.linspace(0, 1, 48))
    other = replace(other, erf=replace(panels[0].field, map=slightly))
    with print_settings(NARROW):
        figure = KINDS["difference"].draw(Content(panels=(panels[0], other)), NARROW)
        figure.draw_without_rendering()
        assert figure.get_tightbbox().x1 < figure.get_size_inches()[0] + 0.01


def test_that_equal_fields_are_called_equal() -> None:
    panel = _panel("stem")
    twice = replace(panel.field, map=2 * panel.field.map / 3)
    content = Content(panels=(panel, replace(panel, erf=twice)))
    words = render_kind("difference", content, ".svg", FigureStyle()).decode()
    assert ">equal<" in words
    assert "elsewhere" not in words
    assert "e-1" not in words


@pytest.mark.parametrize(
    ("size", "unit", "share"), [((64,), "samples", ""), ((16, 16, 16), "voxels", "(volume ")]
)
def test_that_numbers_of_signals_and_volumes_are_in_their_own_words(
    size: tuple[int, ...], unit: str, share: str
) -> None:
    analysis = analyze(Architecture(input_size=size, layers=(_conv("a"), _conv("b"))))
    position = analysis.unit("b").position
    panel = panel_of(analysis, "b", position, expected_erf(analysis, "b", position))
    words = " ".join(panel.erf_numbers)
    assert f" {unit} " in words
    assert "px" not in words
    assert "area" not in words
    assert share in words


def test_that_at_the_width_of_a_column_the_fields_of_a_difference_are_named() -> None:
    panel = _panel("block.second")
    other = replace(panel, erf=replace(panel.field, map=panel.field.map**2))
    words = render_kind("difference", Content(panels=(panel, other)), ".svg", NARROW).decode()
    assert ">expected (" in words
    assert " % is elsewhere<" in words


@pytest.mark.parametrize("words", ["px", "samples"])
def test_that_the_length_of_a_scale_bar_is_inside_its_picture(words: str) -> None:
    cell = Cell(lines=("a",), draw=lambda _axes, _width: None, pixels=8000, samples=words)
    with print_settings(NARROW):
        figure = draw_cells([cell, cell, cell], NARROW, title="", numbers=[], handles=[], bars=[])
        figure.draw_without_rendering()
        for axes in figure.axes:
            (text,) = (x for x in axes.texts if x.get_text() == f"2000 {words}")
            inside, outside = text.get_window_extent(), axes.get_window_extent()
            assert outside.x0 <= inside.x0 <= inside.x1 <= outside.x1


@pytest.mark.parametrize(
    ("size", "words"),
    [((8, 8), "whole image is seen), in pixels"), ((64,), "whole signal is seen), in samples")],
)
def test_that_a_diagram_gives_fields_in_the_samples_of_the_input(
    size: tuple[int, ...], words: str
) -> None:
    network = Architecture(name="small", input_size=size, channels=1, layers=(_conv("only"),))
    content = Content(panels=(panel_of(analyze(network), "only", tuple(n // 2 for n in size)),))
    with print_settings(NARROW):
        figure = KINDS["network"].draw(content, NARROW)
    text = " ".join(x.get_text() for x in figure.texts)
    assert words in text
    assert "1 channel " in text
    assert "1 layer," in text


def test_that_a_caption_says_how_a_field_was_measured_and_without_a_legend_what_is_drawn() -> None:
    network = Architecture(name="small", input_size=(16, 16), layers=(_conv("a"), _conv("b")))
    how: dict[str, Any] = {"estimator": "abs", "samples": 3, "seed": 7, "device": "cpu"}
    words = "measured: abs, 3 samples of noise, weights random, seed 7"
    for kind in ("fields", "field"):
        made = rfstudio.figure(kind, network, layer="b", width_mm=174, **how)
        assert words in made.render(".svg").decode()
    both = {**how, "estimator": ["expected", "abs"]}
    for kind in ("comparison", "difference"):
        made = rfstudio.figure(kind, network, layer="b", width_mm=174, **both)
        assert f"b {words}" in made.render(".svg").decode()
    plain = rfstudio.figure("fields", network, layer="b", estimator="expected", legend=False)
    assert "effective field, expected (exact)" in plain.render(".svg").decode()
    one = rfstudio.figure("fields", network, layer="b", **{**how, "samples": 1, "channel": 2})
    assert "1 sample of noise, weights random, channel 2" in one.content.panel.origin
