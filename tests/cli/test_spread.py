"""`rfstudio erf … --spread`: images by the size of their field."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rfstudio.cli import main

NETWORK = """\
format: 1
name: tiny
input: {size: [12, 12], channels: 3}
layers:
  - conv: {name: first, kernel_size: 3, padding: 1, out_channels: 4}
  - relu: {}
  - conv: {name: second, kernel_size: 3, padding: 1, out_channels: 2}
"""


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "tiny.yaml").write_text(NETWORK)
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    for i, name in enumerate(("a", "b", "c")):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{name}.png")
    mask = np.zeros((12, 12), np.uint8)
    mask[2:6, 2:6] = 255
    Image.fromarray(mask).save(tmp_path / "masks" / "b.png")
    return [
        *("erf", str(tmp_path / "tiny.yaml"), "--layer", "second"),
        *("--images", str(tmp_path / "photos"), "--spread", "--device", "cpu"),
    ]


def test_that_images_are_ordered_by_their_field(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "out.npz"
    assert main([*words, "--format", "json", "--output", str(file)]) == 0
    record = json.loads(capsys.readouterr().out)
    sigmas = [x["sigma"] for x in record["images"]]
    assert sigmas == sorted(sigmas)
    assert {x["name"] for x in record["images"]} == {"a.png", "b.png", "c.png"}
    assert record["summary"]["sigma"]["mean"] == pytest.approx(np.mean(sigmas))
    assert record["summary"]["sigma"]["count"] == 3
    assert record["draws"] == 8
    assert record["command"].startswith("rfstudio erf ")
    assert "--spread" in record["command"]
    with np.load(file) as arrays:
        assert arrays["mean"].shape == arrays["deviation"].shape == (12, 12)
        assert arrays["maps"].shape == (3, 5, 5)
        assert arrays["mean"].sum() == pytest.approx(1.0)


@pytest.mark.slow
def test_that_the_figure_shows_the_images_in_their_order(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "fields.svg"
    assert main([*words, "--estimator", "abs", "--format", "json", "--output", str(file)]) == 0
    names = [x["name"] for x in json.loads(capsys.readouterr().out)["images"]]
    texts = re.findall(r">([^<>]+)</text>", file.read_text())
    assert [x.partition(",")[0] for x in texts if ".png, σ" in x] == names
    assert "tiny, second (6, 6), abs, weights random, seed 0" in texts
    assert any(x.startswith("rfstudio erf ") for x in texts)


def test_that_the_table_ends_with_mean_and_spread(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main([*words, "--masks", str(tmp_path / "masks")]) == 0
    text = capsys.readouterr().out
    assert "± over images" in text
    assert "energy, random weights, seed 0\nrfstudio erf " in text
    assert "sigma_on_object" in text
    assert "units on the object have σ" in text


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--samples", "3"], "--samples has no effect on --spread"),
        (["--estimator", "occlusion"], "--spread cannot use --estimator occlusion"),
        (["--box", "1:2", "3:4", "--masks", "m"], "--masks or --box, not both"),
        (["--output", "map.tiff"], "--spread is written as .npz, .png, .svg, .pdf"),
        (["--box", "5:2", "3:4"], "takes runs as in 0:3 4:9"),
    ],
)
def test_that_options_without_meaning_are_refused(
    words: list[str], more: list[str], why: str, capsys: pytest.CaptureFixture
) -> None:
    try:
        status = main([*words, *more])
    except SystemExit as stop:
        status = int(str(stop.code))
    assert status == 2
    assert why in capsys.readouterr().err


def test_that_a_box_is_given_without_masks(words: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main([*words, "--box", "0:11", "0:5", "--format", "csv"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert "preference" in head
    assert len(rows) == 5


def test_that_masks_are_for_spread_alone(words: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main([x for x in words if x != "--spread"] + ["--masks", "m"]) == 2
    assert "--masks is for --spread" in capsys.readouterr().err


def test_that_each_row_of_a_file_says_how_its_numbers_were_found(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--weights", "uniform", "--seed", "3", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    options = "--spread --device cpu --weights uniform --seed 3 --format csv"
    assert len(rows) == 5
    for row in rows:
        assert (row["estimator"], row["weights"], row["seed"]) == ("energy", "uniform", "3")
        assert row["command"].endswith(options)
        assert "init" not in row
