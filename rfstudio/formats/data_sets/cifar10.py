"""CIFAR-10 from the files that its authors distribute, in the Python or the binary version [1]_.

References
----------
.. [1] Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009;
   https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError
from rfstudio.core.labelled_images import LabelledImages
from rfstudio.formats.data_sets.plain_pickle import PlainPickleError, read_plain_pickle
from rfstudio.formats.files import read_bounded

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)

_SIDE = 32
_VALUES = 3 * _SIDE * _SIDE
_MOST_BYTES = 64 << 20  # a file has 31 MB
_FOLDERS = ("", "cifar-10-batches-py", "cifar-10-batches-bin")

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


class CifarError(RFStudioError):
    """A file is none of CIFAR-10."""


def files_of(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files for training and those for the test; both empty: it is no such folder."""
    for name in _FOLDERS:
        place = folder / name
        for ending in ("", ".bin"):
            training = [place / f"data_batch_{i}{ending}" for i in range(1, 6)]
            found = [x for x in training if x.is_file()]
            if found:
                return found, [x for x in [place / f"test_batch{ending}"] if x.is_file()]
    return [], []


def read_cifar10(folder: Path) -> LabelledImages:
    """Return the images of a folder with files of CIFAR-10.

    Some of the five files of training images suffice.  Without the file of test images the last
    file of training images, or a fifth of the only one, is for the test.

    Raises
    ------
    RFStudioError
        If there are none, or one cannot be read; nothing in a file is run.
    """
    training, test = files_of(folder)
    if not training:
        raise CifarError(f"'{folder}' has no file data_batch_1 or data_batch_1.bin")
    batches = [_read(x) for x in training]
    if test:
        tests = [_read(x) for x in test]
    elif len(batches) > 1:
        batches, tests = batches[:-1], batches[-1:]
    else:
        images, labels = batches[0]
        cut = max(len(images) // 5, 1)
        batches, tests = [(images[cut:], labels[cut:])], [(images[:cut], labels[:cut])]
    images, labels = _joined(batches)
    test_images, test_labels = _joined(tests)
    return LabelledImages(
        name=f"CIFAR-10: {len(images):,} images, {len(test_images):,} for the test",
        classes=CLASSES,
        training=_Planes(images),
        training_labels=labels,
        test=_Planes(test_images),
        test_labels=test_labels,
    )


class _Planes(Sequence[NDArray[np.uint8]]):
    """Images whose colours come one after the other, as in the files."""

    def __init__(self, values: NDArray[np.uint8]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return _Planes(self._values[number])
        return self._values[number].reshape(3, _SIDE, _SIDE).transpose(1, 2, 0)


def _joined(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])


def _read(path: Path) -> Batch:
    data = read_bounded(path, _MOST_BYTES)
    images, labels = _binary(path, data) if path.suffix == ".bin" else _pickled(path, data)
    if not len(images) or not ((labels >= 0) & (labels < len(CLASSES))).all():
        raise CifarError(f"'{path}' has labels that are not from 0 to 9, or no image")
    return images, labels


def _binary(path: Path, data: bytes) -> Batch:
    """Return the images of records of a label and 3,072 values."""
    if len(data) % (_VALUES + 1):
        raise CifarError(
            f"'{path}' has {len(data):,} bytes, which is no multiple of {_VALUES + 1:,}: it is cut "
            "off, or of another data set"
        )
    # A copy, since torch warns of arrays that cannot be written.
    records = np.frombuffer(bytearray(data), np.uint8).reshape(-1, _VALUES + 1)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _pickled(path: Path, data: bytes) -> Batch:
    try:
        record = read_plain_pickle(data)
    except PlainPickleError as error:
        raise CifarError(f"'{path}' cannot be read as a file of CIFAR-10: {error}") from None
    values = labels = None
    if isinstance(record, dict):
        values = record.get(b"data", record.get("data"))
        labels = record.get(b"labels", record.get("labels"))
    if (
        not isinstance(values, np.ndarray)
        or not isinstance(labels, list)
        or values.shape != (len(labels), _VALUES)
        or not all(type(x) is int for x in labels)
    ):
        raise CifarError(f"'{path}' has no images of {_VALUES:,} values with a label each")
    return values, np.array(labels, np.int64)
