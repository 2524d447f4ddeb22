"""Interpolations that have no operation of their own: which samples each position reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from rfstudio.engine.importing.aten_rules import Call, Kind

Taps = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Of each position along one axis the first and the last sample that it reads."""

_LARGEST = 4096
"""Longest axis whose samples are followed one by one through an interpolation."""


def nearest_exact(c: Call) -> Kind:
    """Return the record of an interpolation that takes the nearest sample, of half-way centres."""
    return _of_each_axis(c, _nearest)


def antialiased(mode: str) -> Callable[[Call], Kind]:
    """Return the rule of an interpolation that blends all samples in a window of the scale."""

    def taps(n: int, m: int, c: Call, scale: float | None) -> Taps:
        if max(n, m) > _LARGEST:
            raise ValueError("too long")
        # Sample, position, and two of the other axis: of one, torch takes another way.
        unit = torch.eye(n, dtype=torch.float64)[None, :, :, None].repeat(1, 1, 1, 2)
        weights = functional.interpolate(
            unit,
            size=None if scale else (m, 2),
            scale_factor=(scale, 1.0) if scale else None,
            mode=mode,
            align_corners=bool(c.get("align_corners", False)),
            antialias=True,
        )[0, :, :, 0]
        return _ends(weights.numpy())

    return lambda c: _of_each_axis(c, taps)


def _nearest(n: int, m: int, _c: Call, scale: float | None) -> Taps:
    line = torch.arange(n, dtype=torch.float64)[None, None]
    found = functional.interpolate(
        line, size=None if scale else m, scale_factor=scale, mode="nearest-exact"
    )
    index = found[0, 0].numpy().astype(np.int64)
    return index, index


def _of_each_axis(c: Call, taps: Callable[[int, int, Call, float | None], Taps]) -> Kind:
    sizes, out = c.shape("input" if "input" in c.arguments else "self")[2:], c.out[2:]
    scales: Any = c.get("scale_factors") or [None] * len(out)
    found = {}
    try:
        for i, (n, m, scale) in enumerate(zip(sizes, out, scales, strict=True), 2):
            first, last = taps(n, m, c, scale)
            if len(first) != m:
                return "unknown", {}
            if n != m or (first != np.arange(n)).any() or (last != first).any():
                found[i] = (first, last)
    except (ValueError, RuntimeError):
        return "unknown", {}
    return ("resample", {"taps": found}) if found else ("same", {})


def _ends(weights: NDArray[np.float64]) -> Taps:
    """Return the first and last sample (row) with a weight, of each position (column)."""
    read = abs(weights) > 1e-12
    return read.argmax(0), len(read) - 1 - read[::-1].argmax(0)


def at_grid(c: Call, grid: NDArray[Any] | None) -> Kind:
    """Return the record of samples at the places of a constant grid, if rows stay rows.

    Places of what is outside the map are taken for those at its border.
    """
    size = c.shape("input")[2:]
    if grid is None or grid.shape[0] != 1 or c["interpolation_mode"] == 2:
        return "unknown", {}
    axes, found = len(size), {}
    for axis, n in enumerate(size):
        places = np.asarray(grid[0, ..., axes - 1 - axis], np.float64)  # x comes first
        line = np.moveaxis(places, axis, 0).reshape(places.shape[axis], -1)
        if np.ptp(line, 1).max() > 1e-5:
            return "unknown", {}
        where = line[:, 0]
        where = (where + 1) / 2 * (n - 1) if c["align_corners"] else ((where + 1) * n - 1) / 2
        if c["padding_mode"] != 1 and not ((where > -1) & (where < n)).all():
            return "unknown", {}
        near = np.rint(where)
        where = np.where(abs(where - near) < 1e-4, near, where)
        if c["interpolation_mode"] == 1:
            first = last = near
        else:
            first, last = np.floor(where), np.ceil(where)
        taps = (first.clip(0, n - 1).astype(np.int64), last.clip(0, n - 1).astype(np.int64))
        found[2 + axis] = taps
    return "resample", {"taps": found}
