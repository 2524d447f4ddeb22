"""The samples of a measurement: weights, image and signs, all drawn from one seed.

Sample i depends only on the seed and on i, never on how many are computed at once, so that batch
sizes, devices and ranks do not change the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rfstudio.engine.measuring.drawing_ahead import MOST_BYTES, DrawingAhead
from rfstudio.engine.module.build import WARMING_IMAGES
from rfstudio.engine.module.initial import Stream, generator, normal
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken

_KEPT_BYTES = 2**26
"""Memory for images at the network's input size, a hundred at 224×224; others are made again."""

WORTH_DRAWING_AHEAD = 10_000
"""Values of an image from which on another thread draws it; handing it over takes 20 µs, to draw
that many 70."""

# Mean and standard deviation of ImageNet's photos, as torchvision's models expect them.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class Images:
    """The images of a measurement, by number.

    Parameters
    ----------
    channels, size
        Of the network's input.
    seed
        Of the noise.
    images
        Either (N, C, *size), used as they are, or photos (H, W, 3) of 8 bit, which are scaled to
        cover the input, cropped to it and normalised as ImageNet's are.  Used in turn; without any,
        noise of mean 0 and variance 1.

    Attributes
    ----------
    holds_noise
        Whether noise is cached as photos are, since other units will be measured at it.

    Raises
    ------
    MeasurementError
        If `images` have another shape, or values that are not finite.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, ...],
        seed: int,
        images: Tensor | Sequence[NDArray[np.uint8]] = (),
    ) -> None:
        if isinstance(images, Tensor):
            if tuple(images.shape[1:]) != (channels, *size) or len(images) == 0:
                expected = "×".join(["N", str(channels), *map(str, size)])
                found = "×".join(map(str, images.shape))
                raise MeasurementError(f"images must be of shape {expected}, not {found}")
            if not bool(images.isfinite().all()):
                raise MeasurementError("the images hold values that are not finite")
        self._channels = channels
        self.size = size
        self._seed = seed
        self._images = images
        self.holds_noise = False
        self._prepared: dict[int, Tensor] = {}
        self._checked: set[int] = set()
        self._ahead: DrawingAhead | None = None

    def __len__(self) -> int:
        """Return the number of different images; 0 for noise."""
        return len(self._images)

    def batch(self, indices: Sequence[int], stream: Stream = Stream.NOISE) -> Tensor:
        """Return the images of some samples, (N, C, *size), on the CPU."""
        return torch.stack([self._one(i, stream) for i in indices])

    @contextmanager
    def drawn_ahead(self) -> Iterator[None]:
        """Draw noise on a second thread while this one computes, if there is a core for it."""
        values = self._channels * prod(self.size)
        if len(self._images) or torch.get_num_threads() < 2 or values < WORTH_DRAWING_AHEAD:
            yield
            return
        self._ahead = DrawingAhead(self._drawn, MOST_BYTES // (4 * values))
        try:
            yield
        finally:
            self._ahead.close()
            self._ahead = None

    def begin(self, indices: Sequence[int]) -> None:
        """Begin to draw the images of some samples, which are needed soon."""
        if self._ahead is not None:
            self._ahead.begin([i for i in indices if i not in self._prepared])

    @property
    def bytes(self) -> int:
        """Memory of the cached images."""
        return sum(x.nbytes for x in self._prepared.values())

    def forget(self) -> None:
        """Free that memory."""
        self._prepared.clear()

    def check(self, samples: Sequence[int], token: CancelToken) -> None:
        """Read the photos of some samples once, to find a damaged one before hours of work.

        Raises
        ------
        RFStudioError
            If one cannot be read; the text names it.
        Cancelled
            If `token` was cancelled.
        """
        if isinstance(self._images, Tensor) or len(self._images) == 0:
            return
        for index in samples[: len(self._images)]:
            token.check()
            if index % len(self._images) not in self._checked:
                self._one(index, Stream.NOISE)
                self._checked.add(index % len(self._images))

    def for_warming(self) -> Tensor:
        """Return a few images for the statistics of batch norm, different from the samples."""
        return self.batch(range(WARMING_IMAGES), Stream.WARMING)

    def noise_for_warming(self, group: int, count: int, size: tuple[int, ...]) -> Tensor:
        """Return noise for the statistics of one draw of weights, (count, C, *size)."""
        draws = [generator(self._seed, Stream.WARMING, group * count + i) for i in range(count)]
        return torch.stack([normal(x, (self._channels, *size)) for x in draws])

    def _one(self, index: int, stream: Stream) -> Tensor:
        if len(self._images) == 0:
            return self._noise(index, stream)
        index %= len(self._images)
        if isinstance(self._images, Tensor):
            return self._images[index]
        if index in self._prepared:
            return self._prepared[index]
        return self._hold(index, prepared(self._images[index], self._channels, self.size))

    def _noise(self, index: int, stream: Stream) -> Tensor:
        if stream is Stream.NOISE and index in self._prepared:
            return self._prepared[index]
        if stream is not Stream.NOISE:
            return self._drawn(index, stream)
        noise = self._drawn(index) if self._ahead is None else self._ahead.take(index)
        return self._hold(index, noise) if self.holds_noise else noise

    def _drawn(self, index: int, stream: Stream = Stream.NOISE) -> Tensor:
        return normal(generator(self._seed, stream, index), (self._channels, *self.size))

    def _hold(self, index: int, image: Tensor) -> Tensor:
        # The first ones stay cached: images are used in turn, so no other choice is better.
        if self.bytes + image.nbytes <= _KEPT_BYTES:
            self._prepared[index] = image
        return image


def prepared(photo: NDArray[np.uint8], channels: int, size: tuple[int, ...]) -> Tensor:
    """Return a photo (H, W, 3) as a network's input (C, *size), normalised.

    Raises
    ------
    MeasurementError
        If the network's input is not an image.
    """
    if len(size) != 2:
        raise MeasurementError(
            f"a photo does not fit a network with {len(size)} spatial axes; measure with noise"
        )
    scale = max(n / m for n, m in zip(size, photo.shape, strict=False))
    covering = [max(round(m * scale), n) for n, m in zip(size, photo.shape, strict=False)]
    # Colour by colour, as a photo of 100 megapixels would take 2 GB at once.
    x = torch.stack([_scaled(photo[:, :, i], covering) for i in range(photo.shape[2])])
    top, left = ((m - n) // 2 for n, m in zip(size, covering, strict=True))
    x = x[:, top : top + size[0], left : left + size[1]]
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (_MEAN, _DEVIATION))
    x = (x - mean) / deviation
    if channels == 3:
        return x
    grey = x.mean(0, keepdim=True)
    return grey.expand(channels, *size)


def _scaled(plane: NDArray[np.uint8], size: Sequence[int]) -> Tensor:
    x = torch.from_numpy(np.ascontiguousarray(plane))[None, None].float().div_(255)
    x = functional.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
    return x[0, 0]


def signs(seed: int, index: int, channels: int) -> Tensor:
    """Return one random sign per channel for a sample."""
    source = generator(seed, Stream.SIGNS, index)
    return torch.from_numpy(source.integers(0, 2, channels).astype(np.float32) * 2 - 1)
