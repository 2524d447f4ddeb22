"""Labelled images: folders of classes, and both versions of CIFAR-10's files; hostile ones too."""

import os
import pickle
import pickletools
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.data_sets.cifar10 import CLASSES, read_cifar10
from rfstudio.formats.data_sets.plain_pickle import PlainPickleError, read_plain_pickle
from rfstudio.formats.data_sets.reading import read_data_set

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 3072), dtype=np.uint8)
LABELS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]


def put_images(folder: Path, name: str, values: range) -> None:
    place = folder / name
    place.mkdir(parents=True)
    for value in values:
        Image.new("RGB", (5, 4), (value, 0, 0)).save(place / f"{value:03}.png")


def reds(images) -> list[int]:
    return [int(x[0, 0, 0]) for x in images]


def test_that_every_fifth_image_of_a_class_is_for_the_test(tmp_path: Path) -> None:
    put_images(tmp_path, "dogs", range(10))
    put_images(tmp_path, "cats", range(20, 22))
    (tmp_path / "notes.txt").write_text("no class")
    found = read_data_set(tmp_path)
    assert found.classes == ("cats", "dogs")
    assert reds(found.test) == [21, 4, 9]
    assert found.test_labels.tolist() == [0, 1, 1]
    assert reds(found.training) == [20, 0, 1, 2, 3, 5, 6, 7, 8]
    assert found.training_labels.tolist() == [0] + [1] * 8
    assert found.training[0].shape == (4, 5, 3)


def test_that_folders_of_training_and_test_are_taken_as_they_are(tmp_path: Path) -> None:
    for part, start in (("train", 0), ("val", 100)):
        put_images(tmp_path / part, "a", range(start, start + 2))
        put_images(tmp_path / part, "b", range(start + 10, start + 11))
    found = read_data_set(tmp_path)
    assert (reds(found.training), reds(found.test)) == ([0, 1, 10], [100, 101, 110])


def test_that_a_folder_without_classes_is_refused_in_words(tmp_path: Path) -> None:
    put_images(tmp_path, "only", range(3))
    with pytest.raises(RFStudioError, match="at least two classes; it has 1"):
        read_data_set(tmp_path)
    put_images(tmp_path, "other", range(1))
    with pytest.raises(RFStudioError, match="'other' of .* has one image; 2 are needed"):
        read_data_set(tmp_path)
    with pytest.raises(RFStudioError, match="is no folder"):
        read_data_set(tmp_path / "nowhere")


def binary(labels=LABELS) -> bytes:
    return b"".join(bytes([y]) + x.tobytes() for x, y in zip(PIXELS, labels, strict=False))


# What Python 2 and numpy of its time wrote, operation by operation, as the distributed files have.
def of_python_2() -> bytes:
    numbers = PIXELS.tobytes()
    labels = b"".join(b"K" + bytes([y]) for y in LABELS)
    return (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03"
        b"cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05(K\x01K\nM\x00\x0c\x86cnumpy\ndtype\nq\x06"
        b"U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + len(numbers).to_bytes(4, "little")
        + numbers
        + b"tbU\x06labelsq\x08]q\t("
        + labels
        + b"eu."
    )


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("data_batch_1.bin", binary()),
        ("data_batch_1", of_python_2()),
        *(
            ("data_batch_1", pickle.dumps({b"data": PIXELS, b"labels": LABELS}, protocol))
            for protocol in (2, 3, 4)
        ),
    ],
    ids=["binary", "python 2", "protocol 2", "protocol 3", "protocol 4"],
)
def test_that_each_version_of_cifar10_gives_the_same_images(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    found = read_data_set(tmp_path)
    assert found.classes == CLASSES
    # Without a file of test images, a fifth of the only file.
    assert found.test_labels.tolist() == LABELS[:2]
    assert found.training_labels.tolist() == LABELS[2:]
    image = found.training[0]
    assert image.shape == (32, 32, 3)
    assert image[0, 1].tolist() == [int(PIXELS[2, 1 + 1024 * i]) for i in range(3)]


def test_that_the_file_of_test_images_is_used(tmp_path: Path) -> None:
    place = tmp_path / "cifar-10-batches-bin"
    place.mkdir()
    (place / "data_batch_2.bin").write_bytes(binary())
    (place / "test_batch.bin").write_bytes(binary()[: 3 * 3073])
    found = read_data_set(tmp_path)
    assert (len(found.training), len(found.test)) == (10, 3)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("data_batch_1.bin", binary()[:-1], "no multiple of 3,073"),
        ("data_batch_1.bin", binary([200]), "labels that are not from 0 to 9"),
        ("data_batch_1", b"not a pickle", "damaged|not allowed"),
        ("data_batch_1", pickle.dumps({"data": 1}, 2), "no images of 3,072 values"),
        ("data_batch_1", pickle.dumps([os.system], 2), "names posix.system|names nt.system"),
    ],
    ids=["cut off", "labels", "text", "other values", "code"],
)
def test_that_other_files_are_refused_in_words(
    tmp_path: Path, name: str, data: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RFStudioError, match=why):
        read_cifar10(tmp_path)


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_that_nothing_in_a_pickle_is_run(tmp_path: Path, protocol: int) -> None:
    made = tmp_path / "made"
    data = pickle.dumps({"data": Evil(f"touch {made}")}, protocol)
    with pytest.raises(PlainPickleError):
        read_plain_pickle(data)
    assert not made.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02]q\x00h\x00a.",  # a list that holds itself: too deep
        b"\x80\x02r\xff\xff\xff\xff.",  # a place in the memo of 2^32
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R(K\x01J\xff\xff\xff\x7f\x85"
        b"cnumpy\ndtype\nU\x02u1\x85R\x89U\x01xtb.",  # an array of 2 GB with a byte
        b"\x80\x02" + b"(" * 5000 + b".",
        b"",
    ],
    ids=["cycle", "memo", "claims", "marks", "empty"],
)
def test_that_a_hostile_pickle_costs_nothing(data: bytes) -> None:
    with pytest.raises(PlainPickleError):
        read_plain_pickle(data)


def test_that_damage_at_any_place_is_an_error_in_words_or_other_plain_values() -> None:
    data = bytearray(pickletools.optimize(pickle.dumps({b"data": PIXELS[:1], b"labels": [1]}, 2)))
    random = np.random.default_rng(1)
    for _ in range(300):
        broken = bytearray(data)
        broken[int(random.integers(min(200, len(data))))] = int(random.integers(256))
        with suppress(PlainPickleError):
            read_plain_pickle(bytes(broken))
