"""A task that needs context: the label of a pixel is decided by the ring around it.

Images are white noise.  The label of a pixel is the sign of the sum of the image over the ring of
a given radius around it, so that the perfect field of a unit is that ring.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rfstudio.core.metrics.rings import HALF_WIDTH, ring_mask
from rfstudio.engine.module.initial import Stream, generator, normal
from rfstudio.engine.training.tasks import TEST_IMAGES


@dataclass(frozen=True)
class ContextTask:
    """The task for one radius and one size of image.

    Attributes
    ----------
    distance
        Radius of the ring, in pixels.
    size
        Height and width of the images.
    channels
        Channels of the images; the ring is in the first.
    """

    classes: ClassVar[int] = 2
    per_pixel: ClassVar[bool] = True

    distance: float
    size: tuple[int, ...]
    channels: int = 1

    @property
    def bytes(self) -> int:
        """Memory of the images of the test."""
        return 4 * TEST_IMAGES * self.channels * prod(self.size)

    def batch(self, seed: int, stream: Stream, index: int, count: int) -> tuple[Tensor, Tensor]:
        """Return images (N, C, H, W) and labels (N, H, W), 0 or 1; the same for the same numbers.

        Outside the image there are zeros.
        """
        images = normal(generator(seed, stream, index), (count, self.channels, *self.size))
        reach = ceil(self.distance + HALF_WIDTH)
        side = 2 * reach + 1
        ring = ring_mask((side, side), (reach, reach), self.distance).astype(np.float32)
        sums = functional.conv2d(images[:, :1], torch.from_numpy(ring)[None, None], padding=reach)
        return images, (sums[:, 0] > 0).long()

    def test(self, seed: int) -> tuple[Tensor, Tensor]:
        """Return the images of the test and their labels."""
        return self.batch(seed, Stream.TESTING, 0, TEST_IMAGES)

    def typical(self, seed: int) -> Tensor:
        """Return the images of the test."""
        return self.test(seed)[0]


def with_shortcut(images: Tensor, labels: Tensor, amount: float) -> Tensor:
    """Return images that show the label of each pixel in the pixel itself, as ±`amount`."""
    return images if amount == 0 else images + amount * (2 * labels[:, None] - 1)
