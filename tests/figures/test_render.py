"""Figures for print: right size, real text, right colours at the right pixels."""

import io
import re
import sys
import zlib
from dataclasses import replace
from importlib import import_module
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import AxesImage
from PIL import Image

from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.figures import FigureError, FigureStyle, Scene, render, scene_of
from rfstudio.figures.pictures import draw_blocks, draw_photo, extent_of
from rfstudio.figures.render import draw_veil

SCENE = Scene(
    title="Net, conv, unit (3, 4)",
    numbers=("theoretical field 20×20 px (10 … 29 × 10 … 29)",),
    input_size=(60, 60),
    image=np.full((60, 60, 3), (200, 120, 40), np.uint8),
    theoretical=((10, 29), (10, 29)),
    visible=((10, 29), (10, 29)),
)
BARE = FigureStyle(width_mm=60, dpi=254, caption=False, legend=False, axes=False)


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def _at(pixel: float) -> float:
    """Return where a coordinate of the 60 pixels of the scene is in a bare figure, in dots.

    60 mm at 254 dpi are 600 dots, less 0.1 inch on each side; the view goes from −1.22 to 60.22.
    """
    return 25.4 + (pixel + 1.22) * (600 - 2 * 25.4) / 61.44


def _is_red(pixels: np.ndarray) -> np.ndarray:
    return (pixels[..., 0] > 180) & (pixels[..., 1:].max(axis=-1) < 100)


def _is_blue(pixels: np.ndarray) -> np.ndarray:
    return (pixels[..., 2] > pixels[..., 0] + 60) & (pixels[..., 2] > 120)


@pytest.mark.parametrize(("width", "dpi"), [(85, 300), (120, 150), (174, 100)])
def test_that_a_png_has_its_width_in_millimetres_at_its_dpi(width: float, dpi: int) -> None:
    image = Image.open(io.BytesIO(render(SCENE, ".png", FigureStyle(width_mm=width, dpi=dpi))))
    assert image.width == pytest.approx(width / 25.4 * dpi, abs=1)
    assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.5)


def test_that_the_red_frame_stands_where_the_theoretical_region_is() -> None:
    pixels = _pixels(render(replace(SCENE, visible=None), ".png", BARE))
    rows, columns = np.nonzero(_is_red(pixels))
    left, right = _at(9.5), _at(29.5)
    assert columns.min() == pytest.approx(left, abs=3)
    assert columns.max() == pytest.approx(right, abs=3)
    assert rows.max() - rows.min() == pytest.approx(right - left, abs=6)


def test_that_a_region_that_leaves_the_image_is_drawn_whole() -> None:
    scene = replace(SCENE, image=None, theoretical=((-20, 39), (-20, 39)), visible=None)
    columns = np.nonzero(_is_red(_pixels(render(scene, ".png", BARE))).any(axis=0))[0]
    # 60 of the 80 pixels that are in view, or a little less because of the rim.
    assert (columns.max() - columns.min()) / (600 - 51) == pytest.approx(60 / 81, abs=0.03)


def test_that_what_the_unit_does_not_see_fades() -> None:
    scene = replace(SCENE, theoretical=None)
    pixels = _pixels(render(scene, ".png", replace(BARE, dim=0.5, colour=True)))
    inside, outside = pixels[200, 200], pixels[450, 450]
    assert inside == pytest.approx([200, 120, 40], abs=3)
    assert outside == pytest.approx([227, 187, 147], abs=4)


def test_that_the_photo_is_gray_unless_its_colours_are_asked_for() -> None:
    scene = replace(SCENE, theoretical=None, visible=((0, 59), (0, 59)))
    gray = _pixels(render(scene, ".png", BARE))[300, 300]
    # 0.299·200 + 0.587·120 + 0.114·40
    assert gray == pytest.approx([135, 135, 135], abs=2)


def test_that_the_effective_field_is_blue_where_it_is_strong_and_nothing_where_it_is_zero() -> None:
    erf = np.zeros((60, 60))
    erf[40:50, 40:50] = 3.0
    scene = replace(SCENE, image=None, theoretical=None, visible=None, erf=erf)
    rows, columns = np.nonzero(_is_blue(_pixels(render(scene, ".png", BARE))))
    assert rows.min() == pytest.approx(_at(39.5), abs=3)
    assert columns.max() == pytest.approx(_at(49.5), abs=3)


def test_that_a_logarithmic_shading_shows_what_a_linear_one_hides() -> None:
    erf = np.full((60, 60), 0.02)
    erf[30, 30] = 1.0
    scene = replace(SCENE, image=None, theoretical=None, visible=None, erf=erf)
    linear = _is_blue(_pixels(render(scene, ".png", BARE))).mean()
    log = _is_blue(_pixels(render(scene, ".png", replace(BARE, scale="log")))).mean()
    assert linear < 0.01
    assert log > 0.5


@pytest.mark.parametrize("erf", [np.zeros((60, 60)), np.full((60, 60), np.nan)])
def test_that_a_map_without_a_peak_is_no_error(erf: np.ndarray) -> None:
    pixels = _pixels(render(replace(SCENE, erf=erf), ".png", BARE))
    assert not _is_blue(pixels).any()


def test_that_photo_veil_and_field_are_one_picture_in_a_file_of_vectors() -> None:
    seen = replace(SCENE, erf=np.eye(60))
    assert render(seen, ".svg", BARE).count(b"<image ") == 1
    assert render(seen, ".pdf", BARE).count(b"/Subtype /Image") == 2  # with its mask


@pytest.mark.parametrize(
    "seen", [None, ((0, 59), (0, 59)), ((0, 1), (7, 40)), ((12, 59), (3, 4)), ((5, 5), (59, 59))]
)
def test_that_few_cells_veil_what_a_byte_for_each_pixel_does(
    seen: tuple[tuple[int, int], tuple[int, int]] | None,
) -> None:
    from matplotlib.figure import Figure

    veil = np.full((60, 60, 4), (255, 255, 255, 128), np.uint8)
    if seen is not None:
        (top, bottom), (left, right) = seen
        veil[top : bottom + 1, left : right + 1, 3] = 0
    style = replace(BARE, dim=128 / 255)
    drawn = []
    for draw in (
        lambda axes: draw_veil(axes, replace(SCENE, visible=seen), style),
        lambda axes: draw_blocks(axes, veil, extent_of((60, 60)), 1.2),
    ):
        figure = Figure(figsize=(4, 4), dpi=93, facecolor="black")
        axes = figure.add_axes((0, 0, 1, 1), facecolor="black")
        draw(axes)
        axes.set_xlim(-3, 62)
        axes.set_ylim(61, -2)
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=93)
        drawn.append(_pixels(buffer.getvalue()))
    assert (np.ptp(drawn[1]) > 100) == bool(veil[..., 3].any())
    np.testing.assert_array_equal(drawn[0], drawn[1])


def test_that_a_photo_on_a_huge_input_takes_no_memory_of_its_pixels() -> None:
    huge = replace(SCENE, input_size=(10_000_000, 20_000_000), visible=((5, 9), (1, 7_000_000)))
    assert _pixels(render(huge, ".png", BARE)).std() > 1


def test_that_large_pixels_are_drawn_as_blocks_and_small_ones_smoothly() -> None:
    from matplotlib.figure import Figure

    photo = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    drawn = []
    for dots in (0.0, 4.0):
        figure = Figure(figsize=(4, 4), dpi=93)
        axes = figure.add_axes((0, 0, 1, 1))
        draw_photo(axes, photo, extent_of((60, 60)), 1.0, dots=dots)
        axes.set_xlim(-3, 57)
        axes.set_ylim(62, -1)
        axes.set_aspect("auto")
        assert len(axes.images) == 1
        assert (type(axes.images[0]) is AxesImage) == (dots == 0.0)
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=93)
        drawn.append(_pixels(buffer.getvalue()))
    # matplotlib draws pixels of six dots as blocks, too: both are the same but for their rims.
    assert (np.abs(drawn[0] - drawn[1]).max(axis=-1) > 2).mean() < 0.1


@pytest.mark.parametrize("size", [(1, 20_000), (2000, 2000)])
def test_that_a_field_finer_than_the_dots_of_the_paper_is_not_lost(size: tuple[int, int]) -> None:
    erf = np.zeros(size)
    erf[size[0] // 2, 1::100] = 1.0
    scene = Scene(title="fine", input_size=size, erf=erf, strip=size[0] == 1)
    pixels = _pixels(render(scene, ".png", BARE))
    columns = _is_blue(pixels).any(axis=0)
    assert columns.sum() >= min(len(range(1, size[1], 100)), 150)
    if size[0] > 1:  # 20 samples of the field, each a dot or two
        assert columns.sum() <= 45


def test_that_a_page_at_600_dpi_is_not_turned_into_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a dot of paper takes 16 bytes")

    monkeypatch.setattr("matplotlib.image._resample", refused)
    scene = replace(SCENE, erf=np.eye(60))
    assert render(scene, ".png", FigureStyle(width_mm=85, dpi=600))


def test_that_svg_keeps_its_text_as_text() -> None:
    text = render(SCENE, ".svg").decode()
    assert "Net, conv, unit (3, 4)" in text
    assert "theoretical region" in text or "theoretical field" in text
    assert "<text" in text
    assert text.count("<text") == text.count("'DejaVu Sans', Verdana, sans-serif")


def test_that_pdf_embeds_its_font_as_true_type() -> None:
    data = render(SCENE, ".PDF")
    assert b"/FontFile2" in data
    assert b"/Subtype /Type3" not in data


def test_that_fonts_in_a_pdf_have_no_tables_of_layout_and_those_of_others_do() -> None:
    streams = re.findall(rb"/Length1 .*?stream\r?\n(.*?)\nendstream", render(SCENE, ".pdf"), re.S)
    assert streams
    ttf, subset = import_module("fontTools.ttLib"), import_module("fontTools.subset")
    tables = [set(ttf.TTFont(io.BytesIO(zlib.decompress(x))).keys()) for x in streams]
    assert all("glyf" in x and not {"GSUB", "GPOS", "GDEF"} & x for x in tables)
    assert "GSUB" not in subset.Options().drop_tables


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_that_the_same_scene_gives_the_same_bytes(suffix: str) -> None:
    assert render(SCENE, suffix) == render(SCENE, suffix)


@pytest.mark.parametrize(
    "title",
    [
        "$x^2$",
        "$unclosed",
        "a\\frac{b",
        "<script>&",
        "名前",
        "%s {0}",
        "two\nlines\t\a\r\x1b\ufffe",
    ],
)
def test_that_a_name_is_never_read_as_mathematics(title: str) -> None:
    for suffix in (".svg", ".pdf", ".png"):
        image = render(replace(SCENE, title=title), suffix, FigureStyle(width_mm=40, dpi=60))
        assert image
        if suffix == ".svg":
            ElementTree.fromstring(image)


def test_that_a_long_caption_is_broken_and_not_cut() -> None:
    numbers = tuple(f"fact number {i} of many" for i in range(12))
    text = render(replace(SCENE, numbers=numbers), ".svg", FigureStyle(width_mm=60)).decode()
    assert all(f"fact number {i} of many" in text for i in range(12))


def test_that_another_ending_is_refused_with_those_that_work() -> None:
    with pytest.raises(FigureError, match=r"\.png, \.svg or \.pdf"):
        render(SCENE, ".gif")


@pytest.mark.parametrize(("width", "dpi"), [(5, 300), (5000, 300), (85, 1), (85, 99999)])
def test_that_a_size_no_printer_has_is_refused(width: float, dpi: int) -> None:
    with pytest.raises(FigureError, match="must be from"):
        FigureStyle(width_mm=width, dpi=dpi)


def test_that_maps_of_another_size_are_refused() -> None:
    with pytest.raises(FigureError, match="60×60"):
        replace(SCENE, erf=np.zeros((30, 30)))


def test_that_pyplot_stays_out() -> None:
    render(SCENE, ".png", BARE)
    assert "matplotlib.pyplot" not in sys.modules


def test_that_a_dilated_unit_shows_the_pixels_that_it_reads() -> None:
    network = Architecture(
        input_size=(20, 20), layers=(Layer(ops.Conv(kernel_size=3, dilation=3), "d"),)
    )
    scene = scene_of(analyze(network), "d", (5, 5), title="Dilated")
    assert scene.has_holes
    assert scene.theoretical == ((5, 11), (5, 11))
    assert "holes 81.6 %" in scene.numbers  # 1 − 9/49
    assert "pixels read" in render(scene, ".svg").decode()


@pytest.mark.parametrize("size", [(40,), (10, 20, 30)])
def test_that_networks_of_one_and_three_axes_can_be_drawn(size: tuple[int, ...]) -> None:
    network = Architecture(
        input_size=size, layers=(Layer(ops.Conv(kernel_size=3, padding=1), "conv"),)
    )
    scene = scene_of(analyze(network), "conv", tuple(n // 2 for n in size), title="Net")
    assert scene.input_size == (1, *size)[-2:]
    assert scene.strip == (len(size) == 1)
    assert render(scene, ".svg")


@settings(max_examples=20)
@given(
    region=st.tuples(
        st.tuples(st.integers(-3000, 3000), st.integers(0, 3000)),
        st.tuples(st.integers(-3000, 3000), st.integers(0, 3000)),
    )
)
def test_that_no_region_breaks_the_figure(region: tuple[tuple[int, int], tuple[int, int]]) -> None:
    (top, height), (left, width) = region
    scene = replace(SCENE, theoretical=((top, top + height), (left, left + width)))
    assert render(scene, ".png", FigureStyle(width_mm=30, dpi=40, caption=False, legend=False))


@pytest.mark.parametrize("size", [(0, 0), (60, 0), (0, 60)])
def test_that_a_map_without_pixels_is_refused_in_words(size: tuple[int, int]) -> None:
    with pytest.raises(FigureError, match="has no pixels"):
        render(replace(SCENE, input_size=size, image=None), ".png")
