"""Rows of given weights and images, and the attention distances of layers and containers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import rfstudio
from rfstudio.api.attending import attentions_of
from rfstudio.api.measuring import measure
from rfstudio.core.errors import FormatError
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.engine.weights.saving import weights_bytes
from rfstudio.experiments.outcome import how_found
from rfstudio.experiments.running import run
from rfstudio.formats.experiments.recipe_reader import read_recipe

NETWORK = """\
format: 1
name: small
input: {size: [16, 24], channels: 3}
layers:
  - conv: {name: patch, kernel_size: 8, stride: 8, out_channels: 8}
  - sequence:
      name: stage
      layers:
        - attention: {name: a, heads: 2}
        - attention: {name: b, heads: 2}
"""

RECIPE = """\
format: 1
title: given
rows:
  - {series: trained, network: small.yaml, layers: [patch, stage.a, stage], estimator: abs,
     weights: small.safetensors, images: photos, attention: true}
  - {series: noise, network: small.yaml, layers: [stage.a], attention: true}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(NETWORK)
    torch.manual_seed(7)
    module = GraphModule(rfstudio.load(tmp_path / "small.yaml"))
    for values in module.parameters():
        torch.nn.init.normal_(values, std=0.5)
    (tmp_path / "small.safetensors").write_bytes(weights_bytes(module))
    (tmp_path / "photos").mkdir()
    source = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        pixels = source.integers(0, 255, (16, 24, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
    return tmp_path


def test_that_fields_and_attention_are_those_of_the_weights_and_images(folder: Path) -> None:
    recipe = read_recipe(RECIPE, "given", str(folder / "given.yaml"))
    patch, one, both, noise = (x.cells for x in run(recipe, seed=3).rows)
    assert (patch["weights"], patch["samples"]) == ("small.safetensors", 2)
    assert patch["attention"] is None
    said = "abs, small.safetensors weights, 2 samples of photos, seed 3"
    assert how_found([patch, one, both]) == said
    network = rfstudio.load(folder / "small.yaml")
    photos = [np.asarray(Image.open(x)) for x in sorted((folder / "photos").iterdir())]
    request = ErfRequest(
        architecture=network,
        layer="stage.a",
        estimator="abs",
        weights=str(folder / "small.safetensors"),
        images=photos,
        seed=3,
        device="cpu",
    )
    field = measure(request)
    assert one["luo_size"] == pytest.approx(field.metrics.luo_size)
    first, second = attentions_of(replace(request, layer=""))
    assert first.distance is not None
    assert second.distance is not None
    heads = np.concatenate([first.distance, second.distance])
    assert one["attention"] == pytest.approx(first.distance.mean())
    numbers = [both[x] for x in ("attention", "nearest_head", "farthest_head")]
    assert numbers == pytest.approx([heads.mean(), heads.min(), heads.max()])
    found = rfstudio.attention(network, "stage.a", samples=1, seed=3, device="cpu")
    assert found.distance is not None
    assert noise["attention"] == pytest.approx(float(found.distance.mean()))
    assert noise["nearest_head"] == pytest.approx(float(found.distance.min()))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("estimator: abs, weights: other.pt", "there is no 'other.pt'"),
        ("estimator: abs, images: nowhere", "there is no 'nowhere'"),
        ("images: photos", "'expected' is of random weights and noise"),
        ("weights: small.safetensors", "'expected' is of random weights and noise"),
    ],
)
def test_that_what_a_row_cannot_be_measured_on_is_said(row: str, said: str, folder: Path) -> None:
    text = f"format: 1\ntitle: t\nrows: [{{series: s, network: small.yaml, {row}}}]\n"
    with pytest.raises(FormatError, match=said):
        read_recipe(text, "given", str(folder / "given.yaml"))


CODE = """\
import torch
from torch.nn import functional


class Windows(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 8, 8, 8)
        self.attend = Attend()

    def forward(self, x):
        return self.attend(self.stem(x))


class Attend(torch.nn.Module):
    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        n, h, w, c = x.shape
        x = x.view(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
        y = (torch.softmax(x @ x.mT, -1) @ x).view(n, h // 2, w // 2, 2, 2, c)
        return y.permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c).permute(0, 3, 1, 2)


def make():
    torch.manual_seed(1)
    return Windows().eval()
"""

OF_CODE = """\
format: 1
title: a model
rows:
  - {series: own, network: "model.py:make", input_size: [32, 48], layers: [attend],
     estimator: abs, weights: model, samples: 2, attention: true}
"""


@pytest.mark.slow
def test_that_a_model_of_ones_own_is_a_row_with_its_own_weights(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(CODE)
    path = tmp_path / "own.yaml"
    path.write_text(OF_CODE)
    with pytest.raises(FormatError, match=r"own.yaml:4:28: .* is code: .*--trust"):
        rfstudio.experiment(path)
    outcome = rfstudio.experiment(path, trust=True)
    assert outcome.command == f"rfstudio experiment {path} --seed 0 --trust"
    (row,) = outcome.records()
    network = rfstudio.load(f"{tmp_path / 'model.py'}:make", trust=True, input_size=(32, 48))
    found = rfstudio.attention(network, "attend", samples=2)
    assert row["attention"] == pytest.approx(found.mean_distance)
    assert (row["weights"], row["samples"]) == ("model", 2)
    own = rfstudio.erf(network, "attend", estimator="abs", samples=2, weights="model")
    assert row["luo_size"] == pytest.approx(own.metrics.luo_size)


def test_that_a_recipe_with_a_model_is_refused_where_it_cannot_be_imported() -> None:
    for name in ("model.py:make", "model.onnx"):
        with pytest.raises(FormatError, match="is a model, which is imported on the command line"):
            read_recipe(OF_CODE.replace("model.py:make", name), "own")
