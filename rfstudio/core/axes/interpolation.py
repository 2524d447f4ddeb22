"""Interpolation between samples of an axis: which are read, and with which weights.

References
----------
.. [1] PyTorch 2, `torch.nn.functional.interpolate`.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

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
    first = floor(source)
    if mode == "nearest" or source == first:
        return (first,), (1.0,)
    t = float(source - first)
    if mode != "bicubic":
        return (first, first + 1), (1 - t, t)
    weights = (_far(1 + t), _near(t), _near(1 - t), _far(2 - t))
    return (first - 1, first, first + 1, first + 2), weights


def interpolated_period(
    ratio: Fraction, mode: str, *, by_corner: bool
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[float, ...], ...]]:
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
    if count < _FEW or step > _SAFE:
        shift = Fraction(0) if by_corner else Fraction(1, 2)
        found = [interpolated_at((i + shift) * ratio - shift, mode) for i in range(count)]
        return tuple([x for x, _ in found]), tuple([x for _, x in found])
    # The same in whole numbers: positions are fractions of `unit`.
    unit = count if by_corner else 2 * count
    position = np.arange(count) * step
    if not by_corner:
        position = 2 * position + step - count
    first, rest = np.divmod(position, unit)
    before = first.tolist()
    if mode == "nearest":
        return tuple(zip(before, strict=True)), ((1.0,),) * count
    # Both are whole numbers below 2^53, so that the quotient is the nearest float.
    share = rest / unit
    if mode == "bicubic":
        offsets: tuple[int, ...] = (-1, 0, 1, 2)
        parts = [_far(1 + share), _near(share), _near(1 - share), _far(2 - share)]
    else:
        offsets, parts = (0, 1), [1 - share, share]
    phases: tuple[tuple[int, ...], ...] = tuple(
        zip(*[(first + x).tolist() for x in offsets], strict=True)
    )
    weights: tuple[tuple[float, ...], ...] = tuple(zip(*[x.tolist() for x in parts], strict=True))
    if rest.all():
        return phases, weights
    here = (rest == 0).tolist()
    return (
        tuple([(x,) if exact else xs for x, xs, exact in zip(before, phases, here, strict=True)]),
        tuple([(1.0,) if exact else x for x, exact in zip(weights, here, strict=True)]),
    )


_FEW = 256
"""Outputs up to which whole fractions are as quick."""

_SAFE = 1 << 30
"""Largest step whose multiples stay far from the end of whole numbers of 64 bits."""


def _near(x: Distance) -> Distance:
    """Return the cubic kernel at a distance of at most 1."""
    return ((_SHARPNESS + 2) * x - (_SHARPNESS + 3)) * x * x + 1


def _far(x: Distance) -> Distance:
    """Return the cubic kernel at a distance from 1 to 2."""
    return _SHARPNESS * (((x - 5) * x + 8) * x - 4)
