"""What is learned: a task gives images with labels, the same ones for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rfstudio.core.labelled_images import LabelledImages
from rfstudio.engine.measuring.sampling import prepared
from rfstudio.engine.module.initial import Stream, generator

TEST_IMAGES = 64
"""Images on which fields are measured; the context task is tested on them as well."""

MAX_TESTED = 500
"""Images on which the accuracy for labelled images is measured."""

_CACHED_BYTES = 2**28
"""Memory for prepared images; others are read again whenever they are used."""


class Task(Protocol):
    """Images with labels."""

    @property
    def classes(self) -> int:
        """How many classes there are."""

    @property
    def per_pixel(self) -> bool:
        """Whether each pixel has a label, (N, H, W), and not each image, (N, 1, 1)."""

    def batch(self, seed: int, stream: Stream, index: int, count: int) -> tuple[Tensor, Tensor]:
        """Return images (N, C, H, W) and labels; the same for the same numbers."""

    def test(self, seed: int) -> tuple[Tensor, Tensor]:
        """Return the images of the test and their labels; fields are measured on the first."""

    def typical(self, seed: int) -> Tensor:
        """Return images for the statistics of batch norm."""

    @property
    def bytes(self) -> int:
        """Memory that images may take at most."""


class ClassTask:
    """Tells the classes of labelled images.

    Photos are scaled to cover the input, cropped to it and normalised as for measuring.  Each step
    draws images at random; nothing is turned or mirrored.

    Parameters
    ----------
    data
        The images.
    channels, size
        Of the network's input.
    """

    per_pixel = False

    def __init__(self, data: LabelledImages, channels: int, size: tuple[int, ...]) -> None:
        self.classes = len(data.classes)
        self._data = data
        self._channels = channels
        self._size = size
        self._cached: dict[tuple[bool, int], Tensor] = {}
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Memory that images may take at most."""
        count = len(self._data.training) + min(len(self._data.test), MAX_TESTED)
        return min(count * 4 * self._channels * int(np.prod(self._size)), _CACHED_BYTES)

    def batch(self, seed: int, stream: Stream, index: int, count: int) -> tuple[Tensor, Tensor]:
        """Return images drawn at random, and their labels (N, 1, 1)."""
        drawn = generator(seed, stream, index).integers(len(self._data.training), size=count)
        return self._images(drawn, is_test=False), _labels(self._data.training_labels, drawn)

    def test(self, seed: int) -> tuple[Tensor, Tensor]:
        """Return at most `MAX_TESTED` images of the test, of all classes in a drawn order."""
        count = len(self._data.test)
        drawn = generator(seed, Stream.TESTING).permutation(count)[:MAX_TESTED]
        return self._images(drawn, is_test=True), _labels(self._data.test_labels, drawn)

    def typical(self, seed: int) -> Tensor:
        """Return some images of the training."""
        return self.batch(seed, Stream.WARMING, 0, TEST_IMAGES)[0]

    def _images(self, numbers: NDArray[np.int64], *, is_test: bool) -> Tensor:
        source = self._data.test if is_test else self._data.training
        return torch.stack([self._image(source, is_test, int(i)) for i in numbers])

    def _image(self, source: Sequence[NDArray[np.uint8]], is_test: bool, number: int) -> Tensor:
        key = (is_test, number)
        if key in self._cached:
            return self._cached[key]
        # Grey photos for a network with another number of channels share their values; not here.
        image = prepared(source[number], self._channels, self._size).contiguous()
        if self._bytes + image.nbytes <= _CACHED_BYTES:
            self._cached[key] = image
            self._bytes += image.nbytes
        return image


def _labels(labels: NDArray[np.int64], numbers: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(labels[numbers])[:, None, None]
