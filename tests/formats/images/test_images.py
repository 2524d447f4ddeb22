"""Image files of every kind become (H, W, 3) arrays, and hostile ones a sentence."""

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from rfstudio import paths
from rfstudio.core.errors import RFStudioError
from rfstudio.formats.images.images import (
    KEPT_MEGAPIXELS,
    SUFFIXES,
    ImageError,
    image_info,
    read_image,
)

RED, BLUE = (255, 0, 0), (0, 0, 255)


def _flag() -> Pillow.Image:
    """Red on the left, blue on the right: 4 wide, 2 high."""
    picture = Pillow.new("RGB", (4, 2), RED)
    picture.paste(BLUE, (2, 0, 4, 2))
    return picture


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".gif", ".webp", ".jpg"])
def test_that_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"flag{suffix}"
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    big = _flag().resize((64, 32), Pillow.Resampling.NEAREST)
    big.save(path, **options)
    image = read_image(path)
    assert image.shape == (32, 64, 3)
    assert image.dtype == np.uint8
    tolerance = 3 if suffix == ".jpg" else 0
    assert np.abs(image[16, 4].astype(int) - RED).max() <= tolerance
    assert np.abs(image[16, 60].astype(int) - BLUE).max() <= tolerance
    assert suffix in SUFFIXES
    assert (image_info(path).height, image_info(path).width) == (32, 64)


@pytest.mark.parametrize(
    ("orientation", "shape", "first", "last"),
    # Exif 2.32, tag 0x0112: where row 0 and column 0 of the stored picture are shown.
    [
        (1, (2, 4), RED, BLUE),
        (2, (2, 4), BLUE, RED),
        (3, (2, 4), BLUE, RED),
        (4, (2, 4), RED, BLUE),
        (5, (4, 2), RED, BLUE),
        (6, (4, 2), RED, BLUE),
        (7, (4, 2), BLUE, RED),
        (8, (4, 2), BLUE, RED),
    ],
)
def test_that_the_orientation_of_a_camera_is_applied(
    tmp_path: Path,
    orientation: int,
    shape: tuple[int, int],
    first: tuple[int, ...],
    last: tuple[int, ...],
) -> None:
    path = tmp_path / "turned.png"
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    _flag().save(path, exif=exif)
    image = read_image(path)
    assert image.shape == (*shape, 3)
    assert tuple(image[0, 0]) == first
    assert tuple(image[-1, -1]) == last
    info = image_info(path)
    assert (info.height, info.width) == shape


def test_that_a_palette_shows_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "palette.png"
    _flag().convert("P", palette=Pillow.Palette.ADAPTIVE, colors=2).save(path)
    assert tuple(read_image(path)[0, 0]) == RED


def test_that_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    picture = _flag().convert("RGBA")
    picture.putpixel((0, 0), (0, 0, 0, 0))
    picture.putpixel((1, 0), (255, 0, 0, 128))
    picture.save(path)
    image = read_image(path)
    assert tuple(image[0, 0]) == (255, 255, 255)
    assert tuple(image[0, 1]) == (255, 127, 127)
    assert tuple(image[1, 0]) == RED


def test_that_ink_becomes_light(tmp_path: Path) -> None:
    path = tmp_path / "ink.tif"
    Pillow.new("CMYK", (2, 2), (0, 255, 255, 0)).save(path)
    assert tuple(read_image(path)[0, 0]) == RED


def test_that_16_bits_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    values = np.array([[0, 257, 32768, 65535]], np.uint16)
    Pillow.fromarray(values).save(path)
    assert read_image(path)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_that_floating_point_and_bits_are_shown_in_full_range(tmp_path: Path) -> None:
    Pillow.fromarray(np.array([[-1.0, 0.0, 1.0]], np.float32)).save(tmp_path / "f.tif")
    assert read_image(tmp_path / "f.tif")[0, :, 2].tolist() == [0, 128, 255]
    Pillow.fromarray(np.array([[-70000, 0, 70000]], np.int32)).save(tmp_path / "i.tif")
    assert read_image(tmp_path / "i.tif")[0, :, 2].tolist() == [0, 128, 255]
    Pillow.fromarray(np.array([[False, True]])).save(tmp_path / "b.png")
    assert read_image(tmp_path / "b.png")[0, :, 1].tolist() == [0, 255]


def test_that_gray_is_gray_in_all_channels(tmp_path: Path) -> None:
    Pillow.new("L", (3, 2), 77).save(tmp_path / "gray.jpg")
    assert np.unique(read_image(tmp_path / "gray.jpg")).tolist() == [77]


def test_that_the_sample_photos_are_read() -> None:
    photos = [x for x in paths.sample_images().iterdir() if x.suffix in SUFFIXES]
    assert photos
    for photo in photos:
        assert read_image(photo).std() > 10


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(20_000, 10_000), (2**31 - 1, 2**31 - 1)])
def test_that_a_picture_over_the_limit_is_refused_by_its_header(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(_png_header(*size))
    with pytest.raises(ImageError, match=f"{size[0]:,} × {size[1]:,} pixels.*at most 100 are read"):
        read_image(path)


def test_that_the_limit_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "flag.png"
    _flag().save(path)
    with pytest.raises(ImageError, match=r"4 × 2 pixels, 0\.0 megapixels; at most 7e-06 are read"):
        read_image(path, max_megapixels=7e-6)
    assert read_image(path, max_megapixels=8e-6).shape == (2, 4, 3)


def test_that_what_is_no_picture_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "note.png"
    path.write_text("hello")
    with pytest.raises(ImageError, match=r"is not a picture of the formats PNG, JPEG"):
        read_image(path)
    path.write_bytes(b"")
    with pytest.raises(ImageError, match="is empty"):
        read_image(path)
    with pytest.raises(RFStudioError, match="there is no such file"):
        read_image(tmp_path / "missing.png")


def test_that_formats_nobody_asked_for_are_not_decoded(tmp_path: Path) -> None:
    for name in ("PPM", "TGA", "PCX"):
        path = tmp_path / "picture.png"
        _flag().save(path, format=name)
        with pytest.raises(ImageError, match="is not a picture of the formats"):
            read_image(path)


def test_that_a_picture_that_breaks_off_is_called_damaged(tmp_path: Path) -> None:
    photo = next(x for x in paths.sample_images().iterdir() if x.suffix == ".jpg")
    path = tmp_path / "half.jpg"
    path.write_bytes(photo.read_bytes()[:5000])
    with pytest.raises(ImageError, match="is damaged: .*truncated"):
        read_image(path)


def _encoded(suffix: str) -> bytes:
    buffer = io.BytesIO()
    _flag().save(buffer, format=suffix)
    return buffer.getvalue()


@given(
    st.sampled_from(("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")).map(_encoded),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.floats(0, 1),
)
def test_that_a_damaged_picture_raises_nothing_but_words(
    tmp_path: Path, data: bytes, changes: list[tuple[float, int]], kept: float
) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[int(place * len(damaged))] = value
    path = tmp_path / "damaged"
    path.write_bytes(damaged[: int(kept * len(damaged)) + 1])
    try:
        image = read_image(path, max_megapixels=4)
    except RFStudioError:
        return
    assert image.ndim == 3
    assert image.dtype == np.uint8


def test_that_a_deep_picture_takes_a_few_bytes_a_pixel(tmp_path: Path) -> None:
    """Nineteen of its samples before, of which each has 2 bytes; the picture itself has 3."""
    Pillow.fromarray(np.full((2000, 1500), 257 * 7, np.uint16)).save(tmp_path / "deep.png")
    tracemalloc.start()
    try:
        picture = read_image(tmp_path / "deep.png")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (picture == 7).all()
    assert peak < 10 * 2000 * 1500


def test_that_narrow_pictures_are_scaled_row_by_row_alike(tmp_path: Path) -> None:
    values = (np.arange(700_000, dtype=np.uint32) * 257 % 65_535).astype(np.uint16)[:, np.newaxis]
    Pillow.fromarray(values).save(tmp_path / "tall.tif")
    picture = read_image(tmp_path / "tall.tif")
    assert (picture[..., 0] == np.rint(values / 257)).all()


def test_that_sides_beyond_reason_are_refused(tmp_path: Path) -> None:
    """A column of 17 million pixels took 1.4 s and 330 MB: each row is a list of its own."""
    buffer = io.BytesIO()
    Pillow.new("I;16", (1, 1)).save(buffer, "TIFF")
    data = buffer.getvalue().replace(
        b"\x01\x01\x04\0\x01\0\0\0\x01\0\0\0", b"\x01\x01\x04\0\x01\0\0\0\x01\0\0\x01"
    )
    (tmp_path / "tall.tif").write_bytes(data)
    with pytest.raises(ImageError, match="has 1 × 16,777,217 pixels; sides of at most 1,000,000"):
        read_image(tmp_path / "tall.tif")


def _used(path: Path) -> tuple[float, int, tuple[int, ...]]:
    """Return seconds of CPU, kilobytes and the shape of a picture, read in a process of its own."""
    code = (
        "import resource, sys, time; from rfstudio.formats.images.images import read_image;"
        "use = lambda: resource.getrusage(resource.RUSAGE_SELF); before, start = use().ru_maxrss,"
        " time.process_time(); shape = read_image(sys.argv[1]).shape;"
        "print(time.process_time() - start, use().ru_maxrss - before, *shape)"
    )
    words = [sys.executable, "-c", code, str(path)]
    seconds, kilobytes, *shape = subprocess.check_output(words, text=True).split()
    return float(seconds), int(kilobytes), tuple(map(int, shape))


@pytest.mark.parametrize("kind", ["gif", "png of 16 bits", "jpeg"])
@pytest.mark.slow
def test_that_large_pictures_are_made_smaller_while_they_are_read(
    tmp_path: Path, kind: str
) -> None:
    """100 megapixels in a few kilobytes took 1.9 GB, and a figure of them a minute."""
    path = tmp_path / "picture"
    size = (9000, 11000)
    if kind == "gif":
        Pillow.new("P", size).save(path, "GIF")
    elif kind == "jpeg":
        Pillow.new("RGB", size).save(path, "JPEG")
    else:
        Pillow.fromarray(np.zeros(size[::-1], np.uint16)).save(path, "PNG")
    seconds, kilobytes, shape = _used(path)
    assert seconds < 2.5  # a second where nothing else runs
    assert kilobytes < 400_000
    assert 1e6 < shape[0] * shape[1] <= KEPT_MEGAPIXELS * 1e6
    assert shape[0] / shape[1] == pytest.approx(11 / 9, rel=0.01)


def test_that_what_cannot_be_made_smaller_in_bounds_is_refused_with_the_memory(
    tmp_path: Path,
) -> None:
    path = tmp_path / "wide.bmp"
    head = Pillow.new("RGB", (1, 1))
    head.save(path)
    data = bytearray(path.read_bytes())
    data[18:26] = (9000).to_bytes(4, "little") + (9000).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ImageError, match="would take 324 MB to decode; at most 210 MB"):
        read_image(path)
