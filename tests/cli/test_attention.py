"""`rfstudio attention`: distances by head and by layer, and files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rfstudio
from rfstudio.api.attending import attention_figure
from rfstudio.cli import main
from rfstudio.paths import sample_images

SMALL = """\
format: 1
name: small
input: {size: [24, 32], channels: 3}
layers:
  - conv: {name: patch, kernel_size: 8, stride: 8, out_channels: 8}
  - tokens: {name: tok, extra: 1}
  - attention: {name: a, heads: 2}
  - window_attention: {name: b, heads: 4, window_size: 2}
"""


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def test_that_layers_and_heads_are_tables_and_json(
    network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attention", str(network), "--samples", "2", "--format", "csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    numbers = "layer,heads,distance,nearest head,farthest head,to_tokens"
    assert rows[0] == f"{numbers},estimator,weights,init,samples,seed,command"
    command = f"rfstudio attention {network} --samples 2 --format csv"
    assert all(x.endswith(f",attention,random,he_normal,2,0,{command}") for x in rows[1:])
    assert [x.split(",")[0] for x in rows[1:]] == ["a", "b"]
    assert main(["attention", str(network), "--layer", "b", "--samples", "2"]) == 0
    printed = capsys.readouterr().out
    assert len([x for x in printed.splitlines() if x.lstrip()[:1].isdigit()]) == 4
    *_, how, command = printed.splitlines()
    assert how == "attention, random weights, 2 samples, seed 0"
    assert command == f"rfstudio attention {network} --layer b --samples 2"
    assert main(["attention", str(network), "--layer", "b", "--format", "json"]) == 0
    (layer,) = json.loads(capsys.readouterr().out)["layers"]
    found = rfstudio.attention(str(network), "b")
    assert found.distance is not None
    assert layer["distance"] == pytest.approx(found.distance.tolist())
    assert np.array(layer["maps"]) == pytest.approx(found.maps)


def test_that_maps_and_figures_are_written_also_on_photos(network: Path, tmp_path: Path) -> None:
    words = ["attention", str(network), "--images", str(sample_images())]
    layer = [*words, "--layer", "a", "a.extra", "--unit", "0", "0"]
    assert main([*layer, "-o", str(tmp_path / "maps.npz")]) == 0
    with np.load(tmp_path / "maps.npz", allow_pickle=False) as file:
        assert file["a"].shape == file["a.extra"].shape == (2, 3, 4)
        record = json.loads(str(file["json"]))
    assert [x["unit"] for x in record["layers"]] == [[0, 0], [0, 0]]
    assert record["options"]["images"] == record["options"]["samples"] > 1
    assert main([*words, "-o", str(tmp_path / "figure.svg")]) == 0
    assert "attention distance" in (tmp_path / "figure.svg").read_text()


def test_that_the_kind_of_a_figure_is_measured_on_the_photo_that_it_shows(
    network: Path, tmp_path: Path
) -> None:
    photo = sample_images() / "cat.jpg"
    path = tmp_path / "heads.svg"
    words = ["figure", str(network), "--kind", "attention", "-o", str(path)]
    assert main([*words, "--layer", "b", "--unit", "1", "2", "--image", str(photo)]) == 0
    text = path.read_text()
    with Image.open(photo) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    # Of a photo the middle is measured; it is scaled as `rfstudio attention` does it.
    view = attention_figure(str(network), ["b"], (1, 2), photos=(pixels,))
    found = rfstudio.figure("attention", str(network), layer="b", unit=(1, 2), image=photo)
    drawn = found.content.attention
    assert drawn is not None
    (layer,), (same,) = drawn.layers, view.layers
    assert layer.distance == pytest.approx(same.distance)
    assert layer.options["images"] == 1
    assert drawn.image is not None
    assert drawn.image.shape[0] / drawn.image.shape[1] == pytest.approx(24 / 32, rel=0.01)
    for i in range(4):
        assert f">head {i}, " in text
    assert "query (1, 2)" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--patch", "4"), "'patch' has no effect on attention"),
        (("--layer", "patch"), "'patch' is no attention layer; there are a, b"),
    ],
)
def test_that_a_figure_of_attention_says_what_it_cannot_show(
    words: tuple[str, ...], said: str, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["figure", str(network), "--kind", "attention", "-o", "x.svg", *words]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("vgg16",), 1, "the network has no attention layer"),
        (("vit_b16", "--unit", "1", "1"), 2, "--unit needs --layer"),
        (("vit_b16", "--layer", "conv_proj"), 1, "there is no layer"),
    ],
)
def test_that_what_cannot_be_measured_is_said(
    words: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attention", *words]) == code
    assert said in capsys.readouterr().err
