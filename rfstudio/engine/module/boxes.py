"""Boxes of feature maps: which part of a map a tensor holds, and how windows are cut from it.

A network is evaluated box by box, so that one unit costs what it reads and not what the image
costs.  The whole map is just the largest box: there is one code path for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from torch import Tensor
from torch.nn import functional

Span: TypeAlias = tuple[int, int]
"""Half-open interval of samples along one axis."""

Box: TypeAlias = tuple[Span, ...]
"""One span per axis, in the order of the tensor."""

Fetch: TypeAlias = Callable[[Tensor], Tensor]
"""Cuts from the tensor of a part what an operation reads, and fills what is outside the map."""


class Part(NamedTuple):
    """The box of a feature map that a tensor holds.

    Attributes
    ----------
    size
        Size of the whole map along each axis, in samples.
    box
        What of it the tensor holds.
    """

    size: tuple[int, ...]
    box: Box

    @property
    def extent(self) -> tuple[int, ...]:
        """Size of the box along each axis."""
        return tuple([stop - start for start, stop in self.box])

    @property
    def is_whole(self) -> bool:
        """Whether the box is the whole map."""
        return all(span == (0, n) for span, n in zip(self.box, self.size, strict=True))

    @property
    def is_empty(self) -> bool:
        """Whether the box holds no sample."""
        return is_nothing(self.box)


def is_nothing(box: Box) -> bool:
    """Whether a box holds no sample."""
    # Asked some ten times a layer before a network is first evaluated, where `any` is slow.
    for start, stop in box:  # noqa: SIM110
        if stop <= start:
            return True
    return False


def whole(size: tuple[int, ...]) -> Part:
    """Return the part that is the whole map."""
    return Part(size, tuple((0, n) for n in size))


def padding_around(part: Part, bounds: Box) -> tuple[Span, ...]:
    """Return how many samples of `bounds` are before and after the box, along each axis."""
    return tuple(
        [
            (max(start - low, 0), max(high - stop, 0))
            for (low, high), (start, stop) in zip(bounds, part.box, strict=True)
        ]
    )


def fetch(part: Part, bounds: Box, fill: float = 0.0, *, pad: bool = True) -> Fetch:
    """Return a function that cuts `bounds` from a tensor that holds `part` of a map.

    Parameters
    ----------
    part
        What the tensor holds: all that is read of the map.
    bounds
        What is wanted, in samples of the map; may leave the map.
    fill
        Value of the samples outside the box: those outside the map, and those that a dilated
        window spans but does not read.
    pad
        Whether samples outside the box are added; otherwise they are left to the caller.
    """
    if bounds == part.box:
        return _as_it_is
    pads: list[int] = []
    for (low, high), (start, stop) in zip(bounds, part.box, strict=True):
        first, last = max(low, start), min(high, stop)
        if first >= last:
            shape = [high - low for low, high in bounds]
            return lambda x: x.new_full((*x.shape[:2], *shape), fill)
        if not pad:
            low, high = first, last
        pads = [start - low, high - stop, *pads]
    if not any(pads):
        return _as_it_is
    # Negative padding cuts.  Unlike slices, whose gradients come back axis by axis in the usual
    # order, it keeps the layout of the map both ways; a sum of two layouts takes ten times as long.
    return lambda x: functional.pad(x, pads, value=fill)


def _as_it_is(x: Tensor) -> Tensor:
    return x


def give_back(part: Part, bounds: Box, source: Part, *, pad: bool = True) -> Fetch:
    """Return what turns a gradient of a fetched tensor into one of the tensor it came from.

    Parameters
    ----------
    part, bounds, pad
        As in `fetch`.
    source
        What the tensor holds, of which `part` may leave out an end.
    """
    slices: list[slice] = []
    pads: list[int] = []
    for (low, high), (start, stop), (begin, end) in zip(bounds, part.box, source.box, strict=True):
        first, last = max(low, start), min(high, stop)
        if first >= last:
            return lambda x: x.new_zeros((*x.shape[:2], *source.extent))
        slices.append(slice(first - low, last - low) if pad else slice(None))
        pads = [first - begin, end - last, *pads]
    index = (slice(None), slice(None), *slices)
    if not any(pads):
        return lambda x: x[index]
    return lambda x: functional.pad(x[index], pads)
