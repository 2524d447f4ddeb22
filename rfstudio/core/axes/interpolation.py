"""Interpolation between samples of an axis: which are read, and with which weights.

References
----------
.. [1] PyTorch 2, `torch.nn.functional.interpolate`.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor

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


def _near(x: float) -> float:
    """Return the cubic kernel at a distance of at most 1."""
    return ((_SHARPNESS + 2) * x - (_SHARPNESS + 3)) * x * x + 1


def _far(x: float) -> float:
    """Return the cubic kernel at a distance from 1 to 2."""
    return _SHARPNESS * (((x - 5) * x + 8) * x - 4)
