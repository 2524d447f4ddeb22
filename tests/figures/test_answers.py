"""Figures of the canvas' other answers: tiles of the image, and units that read a pixel."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PatchCollection

import rfstudio
from rfstudio.cli.program import run
from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.figures import KINDS, FigureStyle
from rfstudio.figures.style import print_settings
from tests.narrowing import present

STYLE = FigureStyle(width_mm=120)


def _network(*size: int, dilation: int = 1) -> Architecture:
    op = ops.Conv(kernel_size=3, dilation=dilation, padding=dilation, out_channels=4)
    layers = (Layer(op, name="a"), Layer(ops.MaxPool(kernel_size=2, stride=2), name="b"))
    return Architecture(name="small", input_size=size, layers=layers)


EMPTY = Architecture(input_size=(4, 4), layers=(Layer(ops.Conv(kernel_size=9), name="large"),))


def _text(kind: str, *networks: Any, **options: Any) -> str:
    words = rfstudio.figure(kind, *networks, width_mm=174, **options).render(".svg").decode()
    return " ".join(re.findall(r">([^<>]+)</text>", words))


@pytest.mark.parametrize("size", [(32,), (32, 48), (16, 16, 16)])
def test_that_tiles_are_those_of_the_command_for_tiles(size: tuple[int, ...]) -> None:
    network = _network(*size)
    made = rfstudio.figure("tiles", network, tile=(12,) * len(size), tile_number=2)
    plan = rfstudio.tiles(network, tile=(12,) * len(size))
    assert present(present(made.content.answer).plan).plan == plan.plan
    with print_settings(STYLE):
        axes = KINDS["tiles"].draw(made.content, STYLE).axes[0]
    drawn = [x for x in axes.collections if isinstance(x, PatchCollection)]
    index = sum(plan.plan[1].read[0]) // 2
    through = [x for x in plan.plan if len(size) < 3 or x.read[0][0] <= index <= x.read[0][1]]
    assert {len(x.get_paths()) for x in drawn} == {len(through)}


def test_that_tiles_say_whether_they_are_equal_to_the_whole() -> None:
    text = _text("tiles", _network(32, 48))
    assert "px before and after" in text
    assert "together equal to the whole map of b" in text
    assert "not equal to the whole" in _text("tiles", "mobilenet_v3_large", layer="block14")


def test_that_readers_of_a_pixel_are_counted() -> None:
    text = _text("pixel", _network(32, 48), layer="a", pixel=(0, 5))
    assert "read by 6 units of 32×48" in text
    assert "0 … 1 × 4 … 6 (2×3)" in text
    holes = _text("pixel", _network(32, 48, dilation=3), layer="a", pixel=(16, 16))
    assert "read by 9 units of 32×48" in holes
    assert "(7×7, with holes)" in holes
    small = Layer(ops.AvgPool(kernel_size=2, stride=4), name="pool")
    skipped = Architecture(input_size=(8, 8), layers=(small,))
    assert "read by no unit of 2×2" in _text("pixel", skipped, pixel=(3, 3))
    volume = _text("pixel", _network(16, 16, 16), layer="a", pixel=(1, 2, 3))
    assert "slice 1 of 16" in volume
    assert "in any slice" in volume


@pytest.mark.parametrize(
    ("kind", "network", "options", "words"),
    [
        ("tiles", _network(32, 32), {"tile_number": 99}, "there is no tile 99: they are 1 to"),
        ("tiles", _network(32, 32), {"tile_number": 0}, "there is no tile 0"),
        ("tiles", _network(32, 32), {"layer": "b", "reference": "a"}, "cut from the input"),
        ("tiles", _network(32, 32), {"pixel": (1, 1)}, "has no option pixel"),
        ("tiles", _network(32, 32), {"slice_at": 1}, "slices of three axes only"),
        ("tiles", _network(32, 32), {"layer": ["a", "b"]}, "of one layer"),
        ("tiles", Architecture(), {}, "has no layers"),
        ("pixel", _network(32, 32), {"pixel": (1, 99)}, "99"),
        ("pixel", EMPTY, {}, "no units that could be drawn: its map is 0×0"),
        ("tiles", EMPTY, {}, "would be empty"),
        ("pixel", 3, {}, "only a lesson has a number"),
    ],
)
def test_that_what_cannot_be_drawn_is_said(
    kind: str, network: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(RFStudioError, match=words):
        rfstudio.figure(kind, network, **options).render(".svg")


def test_that_commands_draw_what_python_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "figure.svg"
    for kind, words, options in (
        ("tiles", "--tile 96 96 --tile-number 3", {"tile": (96, 96), "tile_number": 3}),
        ("pixel", "--pixel 4 9", {"pixel": (4, 9)}),
    ):
        command = f"figure vgg16 --kind {kind} --layer conv2_2 --no-image {words} --output {place}"
        assert run(command.split()) == 0
        given: dict[str, Any] = {**options}
        made = rfstudio.figure(kind, "vgg16", layer="conv2_2", **given)
        assert place.read_bytes() == made.render(".svg")
    assert run(f"figure vgg16 --layer pool5 --pixel 1 1 --output {place}".split()) == 2
    assert "--pixel is of --kind pixel" in capsys.readouterr().err


def test_that_units_that_read_a_pixel_are_where_the_mask_has_them() -> None:
    made = rfstudio.figure("pixel", _network(32, 48), layer="a", pixel=(0, 5))
    with print_settings(STYLE):
        figure = KINDS["pixel"].draw(made.content, STYLE)
    image = np.asarray(figure.axes[1].images[0].get_array())
    is_blue = image[..., 2] > image[..., 0].astype(int) + 50
    assert np.array_equal(is_blue, present(present(made.content.answer).readers).mask())
