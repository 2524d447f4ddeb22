"""Occlusion and perturbation: how much one unit changes when a patch of pixels is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rfstudio.engine.measuring.subject import Subject
from rfstudio.engine.module.boxes import Box, Span
from rfstudio.engine.module.initial import Stream, generator, normal
from rfstudio.engine.process import devices
from rfstudio.engine.process.running import CancelToken
from rfstudio.engine.requests.request import ErfRequest

_MAX_BATCH = 64
"""Patches at once, beyond which a CPU does not get faster."""

Moved: TypeAlias = NDArray[np.float64]
"""How much each patch of a sample changes the unit, in the order of evaluation."""

Progress: TypeAlias = Callable[[float, Tensor, Moved], None]
"""Receives the fraction done of a sample, its map so far, (1, *box), and its patches."""


def fill_samples(
    subject: Subject,
    images: Tensor,
    indices: Sequence[int],
    token: CancelToken,
    progressed: Progress,
    begun: Moved | None = None,
) -> Tensor:
    """Return for each sample how much each patch changes the unit, spread over its pixels.

    A pixel under several patches gets their mean, one under none gets 0.

    Parameters
    ----------
    subject
        The unit.
    images
        (N, C, *size).
    indices
        Numbers of the samples, for their noise.
    token
        Polled between batches.
    progressed
        Called between batches, coarse patches of the grid first.
    begun
        The patches of the first sample that an earlier run has already evaluated.

    Returns
    -------
    (N, *reach) tensor
        Over the box `reach`; in double precision, on the CPU.
    """
    maps = []
    for image, index in zip(images, indices, strict=True):
        maps.append(_filled(subject, image[None], index, token, progressed, begun))
        begun = None
    return torch.stack(maps)


@torch.no_grad()
def _filled(
    subject: Subject,
    image: Tensor,
    index: int,
    token: CancelToken,
    progressed: Progress,
    begun: Moved | None,
) -> Tensor:
    request, box = subject.request, subject.box
    pixels = subject.crop(image)
    size = tuple(image.shape[2:])
    shown = reach(box, size, request.patch, request.stride)
    spread = _Spread(shown, request.patch, request.stride)
    if pixels.numel() == 0:
        return spread.map()
    noise = request.amplitude * normal(
        generator(request.seed, Stream.SIGNS, index + 2**32), image.shape[1:]
    )
    noise = noise[(slice(None), *(slice(a, b) for a, b in box))].to(pixels)
    patches = list(_patches(box, size, request.patch, request.stride))
    cut = [tuple(_cut(x, y) for x, y in zip(patch, box, strict=True)) for patch, _ in patches]
    changer = subject.changer(pixels, [sorted({x[i] for x in cut}) for i in range(len(box))])
    before = changer.before
    factors = subject.weighting([index], before.shape[1]).to(before)
    device = pixels.device
    by_memory = devices.free_memory(device) / 4 / max(changer.numbers * pixels.itemsize, 1)
    by_work = devices.batch_macs(device) / max(changer.macs, 1)
    most = _MAX_BATCH if device.type == "cpu" else 16 * _MAX_BATCH
    batch = int(max(1, min(most, by_work, by_memory)))
    moved = np.zeros(len(patches))
    done = 0 if begun is None else min(len(begun), len(patches))
    moved[:done] = 0.0 if begun is None else begun[:done]
    spread.add(moved[:done], patches[:done])
    for start in range(done, len(patches), batch):
        token.check()
        chosen = cut[start : start + batch]
        contents = [_content(request, pixels, noise, patch) for patch in chosen]
        after = changer.after(chosen, contents)
        stop = start + len(chosen)
        moved[start:stop] = ((after - before) * factors).sum(1).abs().cpu().double().numpy()
        spread.add(moved[start:stop], patches[start:stop])
        progressed(stop / len(patches), spread.coarse[None], moved[:stop].copy())
    return spread.map()


class _Spread:
    """The map over the pixels of a box, from the patches so far."""

    def __init__(self, box: Box, side: int, stride: int) -> None:
        self._box = box
        self._stride = stride
        self._total = torch.zeros([b - a for a, b in box], dtype=torch.float64)
        self._covered = torch.ones_like(self._total)
        for axis, (start, stop) in enumerate(box):
            # Patches that miss the unit's pixels count, too: their change is 0.
            counts = [_patches_over(x, side, stride) for x in range(start, stop)]
            shape = [-1 if i == axis else 1 for i in range(len(box))]
            self._covered *= torch.tensor(counts, dtype=torch.float64).view(shape)
        self.coarse = torch.zeros_like(self._total)

    def add(self, moved: Moved, patches: Sequence[tuple[Box, int]]) -> None:
        """Add some patches, each with its level, and how much they change the unit."""
        for value, (patch, level) in zip(moved.tolist(), patches, strict=True):
            self._total[_within(patch, self._box)] += value
            # Until the finer patches come, this one is also used for those beside it.
            reached = tuple((a, b + (level - 1) * self._stride) for a, b in patch)
            self.coarse[_within(reached, self._box)] = value

    def map(self) -> Tensor:
        """Return the mean of the patches over each pixel; 0 where there is none."""
        return self._total / self._covered.clamp(min=1)


def _patches_over(pixel: int, side: int, stride: int) -> int:
    """Return how many patches of the grid cover a pixel, along one axis."""
    first = max(-((side - 1 - pixel) // stride), 0)
    return pixel // stride - first + 1


def _content(request: ErfRequest, pixels: Tensor, noise: Tensor, patch: Box) -> Tensor:
    """Return the new content of a patch, (C, *extent)."""
    where = (slice(None), *(slice(a, b) for a, b in patch))
    if request.estimator == "perturbation":
        return pixels[0][where] + noise[where]
    return torch.full_like(pixels[0][where], request.fill)


def _cut(span: Span, box: Span) -> Span:
    """Return the part of a span of pixels that is inside a box, in samples of the box."""
    return max(span[0] - box[0], 0), min(span[1], box[1]) - box[0]


def reach(box: Box, size: tuple[int, ...], side: int, stride: int) -> Box:
    """Return the hull of the patches that touch a box of the image."""
    spans = [_touching(span, n, side, stride) for span, n in zip(box, size, strict=True)]
    return tuple((min(a for a, _, _ in x), max(b for _, b, _ in x)) if x else (0, 0) for x in spans)


def _touching(span: Span, n: int, side: int, stride: int) -> list[tuple[int, int, int]]:
    """Return the patches along one axis that touch a span: start, stop and number."""
    low, high = span
    return [
        (start, min(start + side, n), number)
        for number, start in enumerate(range(0, n, stride))
        if start < high and start + side > low
    ]


def _within(patch: Box, box: Box) -> tuple[slice, ...]:
    """Return the part of a patch that is inside a box, in samples of the box."""
    return tuple(
        slice(max(a - low, 0), min(b, high) - low)
        for (a, b), (low, high) in zip(patch, box, strict=True)
    )


def _patches(box: Box, size: tuple[int, ...], side: int, stride: int) -> Iterator[tuple[Box, int]]:
    """Yield the patches of a grid over the image that touch the box, each with its level.

    Coarse to fine: every eighth patch along each axis first, then every fourth, second and all.
    """
    axes = [_touching(span, n, side, stride) for span, n in zip(box, size, strict=True)]
    for level in (8, 4, 2, 1):
        for patch in product(*axes):
            numbers = [number for _, _, number in patch]
            coarser = level < 8 and all(x % (2 * level) == 0 for x in numbers)
            if all(x % level == 0 for x in numbers) and not coarser:
                yield tuple((a, b) for a, b, _ in patch), level
