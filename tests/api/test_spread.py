"""`rfstudio.erf_spread`: the object as a box, or as masks with the names of the images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rfstudio
from rfstudio.core.metrics.spread import slices
from rfstudio.formats.networks.yaml_reader import read_yaml

NETWORK = read_yaml(
    "format: 1\ninput: {size: [12, 12], channels: 3}\n"
    "layers: [conv: {name: a, kernel_size: 3, padding: 1, out_channels: 4}, relu: {},"
    " conv: {name: b, kernel_size: 3, padding: 1, out_channels: 2}]"
)
BOX = ((4, 6), (5, 11))


@pytest.mark.slow
def test_that_an_object_is_a_box_or_a_mask(tmp_path: Path) -> None:
    inside = tuple(slice(a, b + 1) for a, b in BOX)
    mask = np.zeros((12, 12), np.uint8)
    mask[inside] = 255
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{i}.png")
    images = tmp_path / "photos"
    boxed = rfstudio.erf_spread(NETWORK, "b", images=images, box=BOX, estimator="abs")
    masked = rfstudio.erf_spread(
        NETWORK, "b", images=images, masks=tmp_path / "masks", estimator="abs"
    )
    for one, other in zip(boxed.fields, masked.fields, strict=True):
        assert one.map is not None
        whole = np.zeros((12, 12))
        whole[slices(one.box)] = one.map
        assert one.object_share == pytest.approx(whole[inside].sum() / whole.sum())
        assert other.object_share == pytest.approx(one.object_share)
        assert one.on_object is not None
        assert other.on_background is not None
    assert [x.sigma for x in boxed.ordered] == sorted(x.sigma or 0 for x in boxed.fields)
