"""Rings around a place: their pixels, and the share of a map in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HALF_WIDTH = 0.75
"""Pixels whose distance from the place differs less than this from the radius are in a ring."""


def ring_mask(
    shape: tuple[int, ...], center: tuple[float, ...], radius: float
) -> NDArray[np.bool_]:
    """Return which pixels of a map are in a ring.

    Examples
    --------
    >>> ring_mask((3, 3), (1, 1), 1).astype(int).tolist()
    [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    """
    axes = [np.arange(n) - c for n, c in zip(shape, center, strict=True)]
    squares = np.zeros(())
    for axis in axes:
        squares = np.add.outer(squares, axis**2)
    return np.asarray(np.abs(np.sqrt(squares) - radius) < HALF_WIDTH)


def ring_share(
    values: NDArray[np.floating], center: tuple[float, ...], radius: float
) -> float | None:
    """Return the share of a map's sum that is in a ring; None if the sum is not positive."""
    total = float(values.sum())
    if not total > 0:
        return None
    return float(values[ring_mask(values.shape, center, radius)].sum()) / total
