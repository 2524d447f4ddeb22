"""Labelled images from a folder that has a folder for each class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rfstudio.core.errors import RFStudioError
from rfstudio.core.labelled_images import LabelledImages
from rfstudio.formats.files import FileAccessError
from rfstudio.formats.images.images import SUFFIXES
from rfstudio.formats.images.photos import Photos

MAX_CLASSES = 10_000
MAX_IMAGES = 2_000_000

TEST_EVERY = 5
"""Of each class every so many images are for the test, where there is no folder of test images."""

_TRAINING = ("train", "training")
_TEST = ("test", "val", "valid", "validation")


def read_class_folders(folder: Path) -> LabelledImages:
    """Return the images of a folder that has a folder for each class, in the order of the names.

    A folder ``train`` beside ``test`` or ``val`` is taken as it is meant; otherwise every fifth
    image of a class is for the test.  Pixels are read when an image is accessed.

    Raises
    ------
    RFStudioError
        If there are less than two classes, or less than two images of one.
    """
    folders = {x.name.lower(): x for x in _folders_of(folder)}
    training = next((folders[x] for x in _TRAINING if x in folders), None)
    test = next((folders[x] for x in _TEST if x in folders), None)
    if training is None or test is None:
        return _cut(folder)
    files, others = _files_of(training), _files_of(test)
    unknown = sorted(set(others) - set(files))
    if unknown:
        raise RFStudioError(f"'{test}' has the class '{unknown[0]}', which '{training}' lacks")
    _refuse_few(training, files, 1)
    return _labelled(folder, tuple(files), files, {x: others.get(x, []) for x in files})


def _cut(folder: Path) -> LabelledImages:
    files = _files_of(folder)
    _refuse_few(folder, files, 2)
    test = {x: found[TEST_EVERY - 1 :: TEST_EVERY] or found[-1:] for x, found in files.items()}
    rest = {}
    for name, found in files.items():
        apart = set(test[name])
        rest[name] = [x for x in found if x not in apart]
    return _labelled(folder, tuple(files), rest, test)


def _labelled(
    folder: Path,
    classes: tuple[str, ...],
    training: dict[str, list[Path]],
    test: dict[str, list[Path]],
) -> LabelledImages:
    def joined(files: dict[str, list[Path]]) -> tuple[Photos, list[int]]:
        labels = [i for i, name in enumerate(classes) for _ in files[name]]
        return Photos([x for name in classes for x in files[name]]), labels

    photos, labels = joined(training)
    test_photos, test_labels = joined(test)
    if not test_labels:
        raise RFStudioError(f"'{folder}' has no images for the test")
    return LabelledImages(
        name=f"{folder.name}: {len(labels):,} images of {len(classes)} classes, "
        f"{len(test_labels):,} for the test",
        classes=classes,
        training=photos,
        training_labels=np.array(labels, np.int64),
        test=test_photos,
        test_labels=np.array(test_labels, np.int64),
    )


def _refuse_few(folder: Path, files: dict[str, list[Path]], least: int) -> None:
    if len(files) < 2:
        raise RFStudioError(
            f"'{folder}' must have a folder of images for each of at least two classes; "
            f"it has {len(files)}"
        )
    for name, found in files.items():
        if len(found) < least:
            count = "one image" if len(found) == 1 else f"{len(found)} images"
            raise RFStudioError(f"the class '{name}' of '{folder}' has {count}; {least} are needed")


def _files_of(folder: Path) -> dict[str, list[Path]]:
    """Return the images of each class."""
    classes = {x.name: sorted(filter(_is_image, _entries(x))) for x in _folders_of(folder)}
    found = {name: files for name, files in classes.items() if files}
    if len(found) > MAX_CLASSES or sum(map(len, found.values())) > MAX_IMAGES:
        raise RFStudioError(
            f"'{folder}' has more than {MAX_CLASSES:,} classes or {MAX_IMAGES:,} images"
        )
    return found


def _folders_of(folder: Path) -> list[Path]:
    return sorted(x for x in _entries(folder) if x.is_dir() and not x.name.startswith("."))


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError as error:
        raise FileAccessError(f"the folder '{folder}' cannot be read: {error.strerror}") from None


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
