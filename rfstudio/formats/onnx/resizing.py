"""What ONNX's Resize reads: for each output position of an axis its first and last sample.

All ways in which the operator maps positions [1]_.

References
----------
.. [1] ONNX operators, Resize, https://onnx.ai/onnx/operators/onnx__Resize.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.ops.geometry import MAX_SIDE
from rfstudio.importing.positions import is_wild

Indices = NDArray[np.int64]

_TINY = 1e-9

_MANY = 1 << 20
"""Outputs up to which all are listed, whatever comes of it."""

_PART = 1 << 14
"""Outputs whose samples are worked out at the same time."""


@dataclass(frozen=True, slots=True)
class Resizing:
    """How one axis is resized.

    Attributes
    ----------
    size, out
        Samples before and after.
    scale
        Samples after for each sample before; None: as the sizes have it.
    mode
        "nearest", "linear" or "cubic".
    position
        How positions are mapped (coordinate_transformation_mode).
    rounding
        Which sample is the nearest (nearest_mode).
    roi
        First and last position of the part that is resized, of 0 to 1.
    antialias
        Whether the window grows with the factor where the map gets smaller.
    """

    size: int
    out: int
    scale: float | None = None
    mode: str = "nearest"
    position: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    roi: tuple[float, float] = (0.0, 1.0)
    antialias: bool = False

    def taps(self) -> tuple[Indices, Indices]:
        """Return the first and the last sample that each output reads with a weight not zero."""
        low = np.empty(self.out, np.int64)
        high = low if self.mode == "nearest" else np.empty(self.out, np.int64)
        # Of millions of outputs a part at a time, whose steps on the way fit in the cache.
        for start in range(0, self.out, _PART):
            stop = min(start + _PART, self.out)
            low[start:stop], high[start:stop] = self._taps_of(start, stop)
        return low, high

    @property
    def is_listed_in_vain(self) -> bool:
        """Whether there are too many outputs to list, or many in a pattern that is not followed."""
        if self.out <= _MANY or self.out > MAX_SIDE:
            return self.out > MAX_SIDE
        low, _ = self._taps_of(0, _PART)
        factor = self.out // self.size
        is_repeated = self.out % self.size == 0 and (low == np.arange(_PART) // factor).all()
        return not is_repeated and is_wild(low)

    def _taps_of(self, start: int, stop: int) -> tuple[Indices, Indices]:
        """Return the same of the outputs from `start` to before `stop`."""
        where, scale = self._positions(start, stop)
        if self.mode == "nearest":
            nearest = self._rounded(where).clip(0, self.size - 1).astype(np.int64)
            return nearest, nearest
        reach = 1.0 if self.mode == "linear" else 2.0
        if self.antialias and scale < 1:
            reach /= scale
        # A weight is zero at the end of its window, and at whole distances without antialiasing.
        first = np.floor(where - reach + _TINY) + 1
        last = np.ceil(where + reach - _TINY) - 1
        if not self.antialias or scale >= 1:
            exact = np.abs(where - np.round(where)) < _TINY
            first = np.where(exact, np.round(where), first)
            last = np.where(exact, np.round(where), last)
        low = first.clip(0, self.size - 1).astype(np.int64)
        return low, last.clip(0, self.size - 1).astype(np.int64)

    def _positions(self, start: int, stop: int) -> tuple[NDArray[np.float64], float]:
        """Return where outputs lie between the samples before, and the scale."""
        scale = self.out / self.size if self.scale is None else self.scale
        i = np.arange(start, stop, dtype=np.float64)
        match self.position:
            case "align_corners":
                return i * ((self.size - 1) / max(self.out - 1, 1)), scale
            case "asymmetric":
                return i / scale, scale
            case "pytorch_half_pixel" if self.out == 1:
                return i * 0, scale
            case "tf_half_pixel_for_nn":
                return (i + 0.5) / scale, scale
            case "half_pixel_symmetric":
                adjustment = self.out / (scale * self.size)
                offset = self.size / 2 * (1 - adjustment)
                return offset + (i + 0.5) / scale - 0.5, scale
            case "tf_crop_and_resize":
                first, end = self.roi
                span = self.size - 1
                if self.out == 1:
                    return i * 0 + 0.5 * (first + end) * span, scale
                return first * span + i * ((end - first) * span / (self.out - 1)), scale
        return (i + 0.5) / scale - 0.5, scale

    def _rounded(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        match self.rounding:
            case "floor":
                return np.floor(x + _TINY)
            case "ceil":
                return np.ceil(x - _TINY)
            case "round_prefer_ceil":
                return np.floor(x + 0.5 + _TINY)
        return np.ceil(x - 0.5 - _TINY)
