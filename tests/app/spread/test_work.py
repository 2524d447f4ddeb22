"""What the worker does for the tab Images: the field of one unit on each image by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import rfstudio
from rfstudio.app.spread.work import spread_work
from rfstudio.core import ops
from rfstudio.core.metrics.spread import slices
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.engine.measuring.erf import measure
from rfstudio.engine.process.running import CancelToken, ignore
from rfstudio.engine.requests.request import ErfRequest


def test_that_each_image_has_the_field_that_it_has_alone(tmp_path: Path) -> None:
    source = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(source.integers(0, 255, (24, 24, 3), np.uint8)).save(tmp_path / name)
    conv = ops.Conv(kernel_size=3, padding=1, out_channels=4)
    network = Architecture(
        name="tiny",
        input_size=(24, 24),
        layers=(Layer(conv, "first"), Layer(ops.Relu(), "relu"), Layer(conv, "second")),
    )
    request = ErfRequest(architecture=network, layer="second", estimator="abs", dtype="float64")
    found = spread_work(request, tmp_path, None, (), CancelToken(), ignore)
    assert sorted(x.name for x in found.fields) == ["a.png", "b.png"]
    for field in found.fields:
        alone = spread_work(request, tmp_path / field.name, None, (), CancelToken(), ignore)
        (same,) = alone.fields
        assert field.map is not None
        assert same.map is not None
        np.testing.assert_allclose(field.map, same.map)
        assert tuple(b - a + 1 for a, b in field.box) == (5, 5)
    total = np.zeros((24, 24))
    for field in found.fields:
        assert field.map is not None
        # Each as a share of its sum, so that no image counts more than another.
        total[slices(field.box)] += field.map / field.map.sum()
    np.testing.assert_allclose(found.mean, total / 2)
    # On noise the field of the same unit with the same weights reaches the same pixels.
    noise = measure(ErfRequest(architecture=network, layer="second", estimator="abs", samples=1))
    assert ((noise.map > 0) >= (found.mean > 0)).all()


def test_that_weights_of_the_model_are_those_of_the_model(tmp_path: Path) -> None:
    Image.fromarray(np.full((12, 12, 3), 90, np.uint8)).save(tmp_path / "a.png")
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1)).eval()
    network = rfstudio.load(module, input_size=(12, 12))
    pixels = torch.zeros(1, 3, 12, 12, requires_grad=True)
    module(pixels)[0, :, 6, 6].sum().backward()
    assert pixels.grad is not None
    wanted = pixels.grad[0].abs().sum(0)[4:9, 4:9]
    # The module itself, and the network that is rebuilt from it once it was edited.
    for own in (network, replace(network, name="edited")):
        request = ErfRequest(architecture=own, layer="1", estimator="abs", weights="model")
        (field,) = spread_work(request, tmp_path, None, (), CancelToken(), ignore).fields
        assert field.map == pytest.approx(wanted.numpy(), rel=1e-4)
