"""Labelled images from whatever a user points at."""

from __future__ import annotations

from pathlib import Path

from rfstudio.core.errors import RFStudioError
from rfstudio.core.labelled_images import LabelledImages
from rfstudio.formats.data_sets import cifar10
from rfstudio.formats.data_sets.class_folders import read_class_folders
from rfstudio.formats.files import is_folder


def read_data_set(path: Path) -> LabelledImages:
    """Return the images of a folder: CIFAR-10's files, or a folder for each class.

    Raises
    ------
    RFStudioError
        If it is neither; the text says what is missing.
    """
    if not is_folder(path):
        raise RFStudioError(f"'{path}' is no folder; choose one with a folder for each class")
    training, _ = cifar10.files_of(path)
    return cifar10.read_cifar10(path) if training else read_class_folders(path)
