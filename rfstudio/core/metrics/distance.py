"""The distance of a measured effective field from the expected one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 1.5
"""Approximate relative L1 distance of one sample; N independent ones are at RATE/√N."""


def distance_of(
    measured: NDArray[np.floating], expected: NDArray[np.floating], *, is_root: bool = False
) -> float | None:
    """Return the relative L1 distance of a measured map and an expected one.

    Parameters
    ----------
    measured, expected
        Maps of one size; both are scaled to a sum of 1, so the distance is from 0 to 2.
    is_root
        Whether the measured one is a root mean square: the expected field predicts the mean
        before the root.

    Returns
    -------
    float or None
        None if one of them is 0 everywhere.

    Examples
    --------
    >>> distance_of(np.array([1.0, 1.0]), np.array([0.0, 2.0]))
    1.0
    """
    values = np.asarray(measured, np.float64)
    if is_root:
        values = values**2
    total, wanted = float(values.sum()), float(expected.sum())
    if not (0 < total < np.inf and 0 < wanted < np.inf):
        return None
    return float(np.abs(values / total - expected / wanted).sum())
