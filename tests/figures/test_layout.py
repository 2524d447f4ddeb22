"""Figures of odd networks at the widths of columns and pages: no text meets another or is cut."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import rfstudio
from rfstudio.api.figures import PrintFigure
from rfstudio.core import ops
from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.core.metrics.difference import difference_of
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.figures import KINDS, AttentionView, Content, FigureError, FigureStyle, Frame
from rfstudio.figures.diagram import boxes_of
from rfstudio.figures.scene import scene_of_view
from rfstudio.figures.shades import shares
from rfstudio.figures.strips import line_of
from rfstudio.figures.style import print_settings
from tests.narrowing import present

PHOTO = np.full((40, 40, 3), 120, np.uint8)


def _conv(name: str, kernel: int = 3, stride: int = 1, dilation: int = 1) -> Layer:
    op = ops.Conv(
        kernel_size=kernel,
        stride=stride,
        dilation=dilation,
        padding=dilation * (kernel // 2),
        out_channels=4,
    )
    return Layer(op, name=name)


def _network(*size: int, name: str = "small") -> Architecture:
    return Architecture(name=name, input_size=size, layers=(_conv("a"), _conv("b", 5, 2)))


LONG = Architecture(
    name="A network with an extraordinarily long name that somebody typed",
    input_size=(64, 64),
    layers=(_conv("a_layer.whose_name.is_far.too_long_for_any_column_of_print"), _conv("b")),
)
DEEP = Architecture(
    name="deep", input_size=(64, 64), layers=tuple(_conv(f"c{i}") for i in range(1200))
)
VOLUME_OF_16 = _network(16, 20, 20)
VOLUME = _network(160, 1112, 1112, name="volume")


@contextmanager
def _drawn(made: PrintFigure) -> Iterator[tuple[Figure, list[Text]]]:
    """Return a figure, and the texts of it that are on the paper."""
    seen: list[Text] = []
    draw = Text.draw

    def noted(self: Text, *arguments: Any, **more: Any) -> None:
        if self.get_text() and self.get_visible():
            seen.append(self)
        draw(self, *arguments, **more)

    with print_settings(made.style), pytest.MonkeyPatch.context() as patch:
        figure = KINDS[made.kind].draw(made.content, made.style)
        patch.setattr(Text, "draw", noted)
        figure.draw_without_rendering()
        yield figure, [x for x in dict.fromkeys(seen) if x.get_window_extent().width > 0]


def _shares_room(first: Text, second: Text) -> bool:
    a, b = first.get_window_extent(), second.get_window_extent()
    across, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return bool(across > 1 and high > 2.5)


def _attention(heads: int) -> AttentionView:
    layer = LayerAttention(
        layer="encoder.3.attention",
        heads=heads,
        distances=np.full((2, heads), 100.0),
        to_tokens=np.full(heads, 0.1),
        size=(4, 4),
        unit=(2, 2),
        maps=np.full((heads, 4, 4), 0.05),
        token_weights=np.full((heads, 1), 0.1),
        options={"weights": "random", "samples": 2},
    )
    return AttentionView(name="small", layers=(layer,), form=1.0)


def _frames() -> tuple[Frame, ...]:
    bell = np.exp(-(np.linspace(-2, 2, 40) ** 2))
    return tuple(
        Frame(film=film, step=step, map=np.outer(bell, bell), words=f"σ {3 + step / 90:.3g} px")
        for film in ("kernel 3", "kernel 5")
        for step in (0, 250, 500, 750, 1000)
    )


FIGURES: dict[str, Callable[[float], PrintFigure]] = {
    "fields of a wide image": lambda width: rfstudio.figure(
        "fields", _network(20, 300), layer="b", image=PHOTO, width_mm=width
    ),
    "fields of a tall image": lambda width: rfstudio.figure(
        "fields", _network(300, 20), layer="b", image=PHOTO, width_mm=width
    ),
    "growth of a deep network": lambda width: rfstudio.figure("growth", DEEP, width_mm=width),
    "growth of a long name": lambda width: rfstudio.figure("growth", LONG, width_mm=width),
    "growth of a signal": lambda width: rfstudio.figure("growth", "wavenet", width_mm=width),
    "growth of nothing": lambda width: rfstudio.figure("growth", Architecture(), width_mm=width),
    "growth of five networks": lambda width: rfstudio.figure(
        "growth", "vgg16", "resnet50", "inception_v3", "unet", "alexnet", width_mm=width
    ),
    "comparison of long names": lambda width: rfstudio.figure(
        "comparison", LONG, layer=["b", LONG.layers[0].name], image=PHOTO, width_mm=width
    ),
    "difference": lambda width: rfstudio.figure(
        "difference",
        _network(32, 32),
        layer="b",
        estimator=["expected", "path-count"],
        width_mm=width,
    ),
    "comparison of signals": lambda width: rfstudio.figure(
        "comparison", _network(4000), layer=["a", "b"], estimator="expected", width_mm=width
    ),
    "sections": lambda width: rfstudio.figure(
        "field", _network(224, 224), layer="b", unit=(56, 56), width_mm=width
    ),
    "attention": lambda width: PrintFigure(
        "attention", Content(attention=_attention(13)), FigureStyle(width_mm=width)
    ),
    "film": lambda width: PrintFigure(
        "film", Content(frames=_frames()), FigureStyle(width_mm=width)
    ),
    "tiles": lambda width: rfstudio.figure(
        "tiles", "vgg16", layer="conv2_2", image=PHOTO, width_mm=width
    ),
    "readers of a long name": lambda width: rfstudio.figure(
        "pixel", LONG, layer=LONG.layers[0].name, image=PHOTO, width_mm=width
    ),
    "diagram of a long name": lambda width: rfstudio.figure("network", LONG, width_mm=width),
    "diagram of a volume": lambda width: rfstudio.figure("network", VOLUME, width_mm=width),
}


@pytest.mark.parametrize(
    "width",
    [60, pytest.param(85, marks=pytest.mark.slow), pytest.param(180, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("what", FIGURES)
def test_that_no_text_is_cut_or_meets_another(what: str, width: float) -> None:
    with _drawn(FIGURES[what](width)) as (figure, texts):
        assert min(float(x.get_fontsize()) for x in texts) >= 6
        for text in texts:
            place = text.get_window_extent()
            assert min(place.x0, place.y0) > -0.5, text
            assert place.x1 < figure.bbox.x1 + 0.5, text
            assert place.y1 < figure.bbox.y1 + 0.5, text
            assert not re.search(r"\S…|…\S", text.get_text()), text
        for first, second in combinations(texts, 2):
            assert not _shares_room(first, second), (first, second)


def _is_over_a_curve(figure: Figure) -> bool:
    """Whether the name of an input's size lies over a curve of a chart."""
    (axes,) = figure.axes
    for text in axes.texts:
        place = text.get_window_extent()
        for line in axes.get_lines():
            if line.get_linestyle() == ":" or not np.size(line.get_xdata()):
                continue
            xs, ys = axes.transData.transform(np.column_stack(line.get_data())).T
            fine = np.linspace(place.x0, place.x1, 200)
            heights = np.interp(fine, xs, ys, left=-1, right=-1)
            if ((heights > place.y0 + 1) & (heights < place.y1 - 1)).any():
                return True
    return False


@pytest.mark.parametrize("what", [x for x in FIGURES if x.startswith("growth")])
def test_that_the_size_of_the_input_is_named_where_no_curve_is(what: str) -> None:
    with _drawn(FIGURES[what](85)) as (figure, texts):
        assert not _is_over_a_curve(figure)
        assert any(x.get_text().startswith("input ") for x in texts)


def test_that_the_pixels_of_a_plane_are_named_with_their_unit() -> None:
    for size, words in (((32, 32), {"x (px)", "y (px)"}), ((400,), {"position (samples)"})):
        with _drawn(rfstudio.figure("fields", _network(*size), layer="b")) as (_, texts):
            assert words <= {x.get_text() for x in texts}


def test_that_a_tiny_field_is_drawn_again_magnified_and_a_large_one_is_not() -> None:
    network = _network(400, 400)
    for unit, corner in (((0, 0), (0.5, 0.0)), ((199, 199), (0.0, 0.5))):
        made = rfstudio.figure("fields", network, layer="b", unit=unit, width_mm=85)
        with _drawn(made) as (figure, _):
            (plane,) = figure.axes
            (inset,) = plane.child_axes
            # The view holds the field of 7 pixels, and not three times as much.
            first, last = sorted(inset.get_xlim())
            region = made.content.panel.view.theoretical_region
            assert region is not None
            assert first < region[1][0] <= region[1][1] < last
            assert last - first < 21
            at = plane.transAxes.inverted().transform(inset.bbox.p0)
            assert (at > np.array(corner) - 0.1).all()
    with _drawn(rfstudio.figure("fields", _network(16, 16), layer="b")) as (figure, _):
        assert not figure.axes[0].child_axes


def test_that_a_frame_beyond_the_picture_is_said_to_be_there() -> None:
    layers = tuple(_conv(f"d{i}", dilation=2**i) for i in range(9))
    giant = Architecture(name="giant", input_size=(32, 32), layers=layers)
    for layer, words in (
        ("d8", "theoretical field, beyond the picture"),
        ("d1", "theoretical field"),
    ):
        with _drawn(rfstudio.figure("fields", giant, layer=layer)) as (figure, _):
            assert figure.legends[0].get_texts()[0].get_text() == words


def test_that_a_signal_is_drawn_along_its_strip() -> None:
    line = np.linspace(0, 255, 400).astype(np.uint8)[np.newaxis]
    assert line_of(np.repeat(line[..., np.newaxis], 3, 2)) == pytest.approx(line[0])
    made = rfstudio.figure("fields", _network(400), layer="b", image=line)
    with _drawn(made) as (figure, _):
        (area,) = figure.axes[0].collections
        points = np.asarray(area.get_paths()[0].vertices)
        # Upwards is less, as pixels are counted: from zero at the left to 255 at the right.
        assert points[points[:, 0] < 5, 1].mean() == pytest.approx(0.46, abs=0.02)
        assert points[points[:, 0] > 394, 1].mean() == pytest.approx(-0.46, abs=0.02)


def test_that_fields_over_a_layer_are_in_its_samples() -> None:
    made = rfstudio.figure(
        "fields", _network(32, 32), layer="b", reference="a", estimator="expected"
    )
    words = made.render(".svg").decode()
    assert "theoretical field 5×5 samples" in words
    assert "of the map of a" in words
    assert " px" not in words


def test_that_a_section_far_from_the_peak_says_how_high_it_is() -> None:
    made = rfstudio.figure("field", "swin_t", layer="stage3.1.shifted.norm")
    assert "peak of the section along x" in made.render(".svg").decode()
    usual = rfstudio.figure("field", "vgg11", layer="conv3_1")
    assert "peak of the section" not in usual.render(".svg").decode()


def test_that_a_chain_of_thousands_of_layers_is_one_box_between_its_ends() -> None:
    boxes, reads = boxes_of(rfstudio.analyze(DEEP))
    assert [x.name for x in boxes] == ["input", "c0 … c1198", "c1199"]
    assert reads == [[], [0], [1]]
    assert sum(len(x.nodes) for x in boxes) == 1201


def test_that_a_grid_of_many_pictures_is_no_higher_than_a_page() -> None:
    made = FIGURES["attention"](85)
    with _drawn(made) as (figure, texts):
        assert figure.get_figheight() < 260 / 25.4
        words = {x for text in texts for x in text.get_text().split()}
        assert {"mean,", "head"} <= words  # none is broken for a narrow column


@pytest.mark.parametrize("name", ["resnet50", "hrnet_w32", "swin_t"])
def test_that_a_diagram_is_no_higher_than_a_page(name: str) -> None:
    made = rfstudio.figure("network", name, width_mm=85)
    with _drawn(made) as (figure, _):
        assert figure.get_figheight() < 240 / 25.4


def test_that_batch_norm_shares_a_box_unless_it_sees_the_whole_map() -> None:
    layers = (_conv("a"), Layer(ops.BatchNorm(), "bn"), _conv("b"))
    network = Architecture(input_size=(8, 8), layers=layers)
    names = [x.name for x in boxes_of(rfstudio.analyze(network))[0]]
    assert names == ["input", "a", "b"]
    training = rfstudio.analyze(network, batch_norm_training=True)
    assert [x.name for x in boxes_of(training)[0]] == ["input", "a", "bn", "b"]


def test_that_styles_of_every_width_are_drawn() -> None:
    made = rfstudio.figure("fields", _network(32, 32), layer="b")
    grown = rfstudio.figure("growth", _network(32, 32))
    for width in (20, 30, 1000):
        style = FigureStyle(width_mm=width, dpi=30)
        for kind, content in (("fields", made), ("growth", grown), ("network", made)):
            assert PrintFigure(kind, content.content, style).render(".png")


def _bead() -> np.ndarray:
    """A field of a volume that is strong in slice 10 and weak in slice 9."""
    field = np.zeros((16, 20, 20))
    field[10, 8:12, 8:12], field[9, 8:12, 8:12] = 1.0, 0.25
    return field


def test_that_any_slice_of_a_volume_is_drawn() -> None:
    made = rfstudio.figure("fields", VOLUME_OF_16, layer="b", slice_at=0, width_mm=85)
    assert "slice 0 of 16" in made.content.panel.scene.numbers
    assert made.content.panel.shown_slice == 0
    with _drawn(made) as (figure, _):
        assert figure.legends[0].get_texts()[0].get_text() == "theoretical field, in slices 5 … 11"
    usual = rfstudio.figure("fields", VOLUME_OF_16, layer="b").content.panel
    assert usual.shown_slice == 8
    for index in (-1, 16):
        with pytest.raises(FigureError, match="they are 0 to 15"):
            rfstudio.figure("fields", VOLUME_OF_16, layer="b", slice_at=index).render(".svg")
    with pytest.raises(FigureError, match="slices of three axes only"):
        rfstudio.figure("fields", _network(20, 20), layer="b", slice_at=1).render(".svg")


def test_that_a_slice_is_shaded_up_to_the_peak_of_the_volume() -> None:
    analysis = rfstudio.analyze(VOLUME_OF_16)
    for index, share in ((10, 1.0), (9, 0.25), (3, 0.0)):
        scene = scene_of_view(analysis.unit("b"), title="", erf=_bead(), slice_at=index)
        assert scene.erf is not None
        assert shares(scene.erf, scene.erf_peak, "linear").max() == share


def test_that_what_is_drawn_of_a_slice_is_of_that_slice() -> None:
    made = rfstudio.figure(
        "comparison",
        panels=[(VOLUME_OF_16, "b", (4, 5, 5), {"slice_at": x}) for x in (7, 8)],
        estimator="expected",
    )
    first, second = made.content.panels
    assert first.scene.erf is not None
    assert second.scene.erf is not None
    assert np.array_equal(first.scene.erf, first.field.map[7])
    assert np.array_equal(second.scene.erf, second.field.map[8])
    assert [x.centre[0] for x in (first, second)] == [7, 8]
    apart = replace(made, kind="difference")
    with _drawn(apart) as (figure, texts):
        shown = figure.axes[2].images[0].get_array()
        found = difference_of(first.field.map, second.field.map)
        assert np.allclose(present(shown), found.map[8])
        assert any("slice 7 of 16" in x.get_text() for x in texts)


def test_that_a_jump_of_three_axes_is_not_said_as_one_of_two() -> None:
    op = ops.MaxPool(kernel_size=2, stride=(1, 2, 2))
    network = Architecture(input_size=(8, 16, 16), layers=(Layer(op, name="pool"),))
    made = rfstudio.figure("fields", network, layer="pool")
    assert "jump 1×2×2 voxels" in made.content.panel.scene.numbers


def test_that_an_image_too_large_for_a_mask_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfstudio.figures.scene.DENSE_CELLS", 1000)
    made = rfstudio.figure("fields", _network(60, 60), layer="b", image=PHOTO, width_mm=60)
    assert made.content.panel.scene.support is None
    assert "visible 7×7 px" in made.render(".svg").decode()
