"""Effective fields as 16-bit PNG and as TIFF, read again by Pillow."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.images.map_images import map_png, map_tiff

FIELD = np.outer(np.arange(1.0, 6), np.arange(1.0, 4)) / 7
RECORD = {"layer": "größe", "metrics": {"luo_size": 3.0}}


def test_that_a_png_has_sixteen_bits_up_to_the_peak_and_its_record() -> None:
    image = Image.open(io.BytesIO(map_png(FIELD, RECORD)))
    assert image.mode == "I;16"
    values = np.asarray(image, np.float64)
    assert values.max() == 65535
    record = json.loads(image.info["rfstudio"])
    assert record["layer"] == "größe"
    # Half a step of 65535 is the error of rounding.
    np.testing.assert_allclose(values / 65535 * record["png_peak"], FIELD, atol=1.1e-5)


def test_that_a_tiff_has_the_numbers_and_a_page_for_each_slice() -> None:
    image = Image.open(io.BytesIO(map_tiff(FIELD, RECORD)))
    assert image.mode == "F"
    np.testing.assert_array_equal(np.asarray(image), FIELD.astype(np.float32))
    assert isinstance(image, TiffImageFile)
    assert json.loads(image.tag_v2[270]) == RECORD
    volume = np.stack([FIELD, 2 * FIELD])
    pages = Image.open(io.BytesIO(map_tiff(volume, RECORD)))
    assert isinstance(pages, TiffImageFile)
    assert pages.n_frames == 2
    pages.seek(1)
    np.testing.assert_array_equal(np.asarray(pages), volume[1].astype(np.float32))


def test_that_a_signal_is_a_row_and_a_field_of_zeros_is_black() -> None:
    assert Image.open(io.BytesIO(map_png(np.ones(5), {}))).size == (5, 1)
    assert not np.asarray(Image.open(io.BytesIO(map_png(np.zeros((2, 2)), {})))).any()


def test_that_a_volume_is_no_png() -> None:
    with pytest.raises(RFStudioError, match=r"\.tiff or \.npz"):
        map_png(np.ones((2, 2, 2)), {})
