"""What the worker does for the tab Attention: the same as `rfstudio.attentions`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rfstudio
from rfstudio.app.attention.work import attention_work
from rfstudio.core.errors import Cancelled
from rfstudio.engine.process.running import CancelToken, ignore
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.formats.networks.yaml_reader import read_yaml

NETWORK = read_yaml(
    "format: 1\nname: small\ninput: {size: [16, 24], channels: 3}\n"
    "layers:\n"
    "  - conv: {name: patch, kernel_size: 8, stride: 8, out_channels: 8}\n"
    "  - attention: {name: a, heads: 2}\n"
)


def test_that_the_images_of_a_folder_are_measured_and_can_be_left(tmp_path: Path) -> None:
    source = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(source.integers(0, 255, (16, 24, 3), np.uint8)).save(tmp_path / name)
    request = ErfRequest(architecture=NETWORK, layer="", unit=(1, 1), dtype="float64")
    (found,) = attention_work(request, tmp_path, ["a"], CancelToken(), ignore)
    assert found.distances is not None
    assert found.distances.shape == (2, 2)
    (noise,) = attention_work(request, None, ["a"], CancelToken(), ignore)
    same = rfstudio.attention(NETWORK, "a", (1, 1), dtype="float64")
    assert noise.maps == pytest.approx(same.maps)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        attention_work(request, tmp_path, ["a"], token, ignore)
