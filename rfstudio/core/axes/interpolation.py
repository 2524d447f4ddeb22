"""Interpolation between samples of an axis: which are read, and with which weights.

References
----------
.. [1] PyTorch 2, `torch.nn.functional.interpolate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.rows import Rows

Distance = TypeVar("Distance", float, NDArray[np.float64])

_SHARPNESS = -0.75
"""The free parameter of the cubic convolution kernel, as PyTorch has it [1]_."""


def interpolated_at(source: Fraction, mode: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the samples that make up the value at a position, and their weights.

    Parameters
    ----------
    source
        The position, in samples.
    mode
        "nearest" (the sample at or before it), "bicubic", or another word for linear.
    """
    return _at(*divmod(source.numerator, source.denominator), source.denominator, mode)


def _at(first: int, rest: int, unit: int, mode: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the same for a position that is `rest` parts of `unit` after sample `first`."""
    if mode == "nearest" or not rest:
        return (first,), (1.0,)
    t = rest / unit
    if mode != "bicubic":
        return (first, first + 1), (1 - t, t)
    weights = (_far(1 + t), _near(t), _near(1 - t), _far(2 - t))
    return (first - 1, first, first + 1, first + 2), weights


def interpolated_period(
    ratio: Fraction, mode: str, *, by_corner: bool
) -> tuple[Sequence[tuple[int, ...]], Sequence[tuple[float, ...]]]:
    """Return the samples that each output of a period is made of, and their weights.

    Parameters
    ----------
    ratio
        By how many samples the position moves on from output to output.
    mode
        As for `interpolated_at`.
    by_corner
        Whether the first output is at the first sample; otherwise the
        outer edges of the first output and the first sample coincide.
    """
    count, step = ratio.denominator, ratio.numerator
    # In whole numbers: positions are fractions of `unit`.
    unit, begin, step = (count, 0, step) if by_corner else (2 * count, step - count, 2 * step)
    if count < _FEW or step > _SAFE:
        found = [_at(*divmod(begin + i * step, unit), unit, mode) for i in range(count)]
        return tuple([x for x, _ in found]), tuple([x for _, x in found])
    first, rest = np.divmod(begin + np.arange(count) * step, unit)
    if mode == "nearest":
        return Rows.of_one(first), Rows.of_one(np.ones(count))
    # Both are whole numbers below 2^53, so that the quotient is the nearest float.
    share = rest / unit
    if mode == "bicubic":
        offsets: tuple[int, ...] = (-1, 0, 1, 2)
        parts = [_far(1 + share), _near(share), _near(1 - share), _far(2 - share)]
    else:
        offsets, parts = (0, 1), [1 - share, share]
    reads = np.stack([first + x for x in offsets], axis=1)
    weights = np.stack(parts, axis=1)
    is_read = np.ones(reads.shape, bool)
    exact = rest == 0  # one sample alone, of weight 1
    own = offsets.index(0)
    is_read[exact] = np.arange(len(offsets)) == own
    weights[exact, own] = 1.0
    counts = is_read.sum(axis=1)
    return Rows(counts, reads[is_read]), Rows(counts, weights[is_read])


_FEW = 16
"""Outputs up to which they are worked out one by one as quickly as at once."""

_SAFE = 1 << 40
"""Largest step whose multiples stay far from the end of whole numbers of 64 bits."""


def _near(x: Distance) -> Distance:
    """Return the cubic kernel at a distance of at most 1."""
    return ((_SHARPNESS + 2) * x - (_SHARPNESS + 3)) * x * x + 1


def _far(x: Distance) -> Distance:
    """Return the cubic kernel at a distance from 1 to 2."""
    return _SHARPNESS * (((x - 5) * x + 8) * x - 4)
