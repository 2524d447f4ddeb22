"""Size, jump and effective size of every layer as curves over depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.metrics.power_law import PowerLaw, fit_power_law

_LEAST_POINTS = 3

Curve = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Growth:
    """One network's curves; index 0 is the first layer after the input.

    Attributes
    ----------
    name
        What the network is called.
    analysis
        Where the numbers come from.
    size
        Largest size of the theoretical field over both axes, in pixels; NaN where it is global.
    jump
        Largest jump, in pixels; NaN where there is none.
    depth
        Layers with weights on the longest path to each layer, itself included: element-wise layers
        and norms count with the layer that they follow, and branches are side by side.
    reach
        Size of the input, which is what a global layer sees.
    local
        Largest size of the local field, where a gate sees the whole image; NaN elsewhere.
    """

    name: str
    analysis: Analysis
    size: Curve
    jump: Curve
    depth: Curve
    reach: int
    local: Curve

    @property
    def is_global(self) -> NDArray[np.bool_]:
        """Which layers see a whole axis."""
        return np.isnan(self.size)

    def over_depth(self, values: Curve) -> tuple[Curve, Curve]:
        """Return depths, and the largest value at each of them; NaN where there is none."""
        depths = np.unique(self.depth[~np.isnan(self.depth)])
        largest = np.full(depths.shape, np.nan)
        places = np.searchsorted(depths, self.depth)
        # Layers of 0 see nothing of the map, as a class token: they have no place on a curve.
        is_known = (values > 0) & ~np.isnan(self.depth)
        np.fmax.at(largest, places[is_known], values[is_known])
        return depths, largest

    @property
    def seen(self) -> Curve:
        """Sizes of the fields; the local ones where a gate sees the whole image."""
        return np.where(np.isnan(self.size), self.local, self.size)

    def law(self, values: Curve) -> PowerLaw | None:
        """Return the power law of values over depth where the field is inside the input.

        The same rule as in figures; None if there are fewer than three such depths.
        """
        depths, largest = self.over_depth(values)
        _, seen = self.over_depth(self.seen)
        is_used = (depths > 0) & (largest > 0) & (seen <= self.reach)
        if np.count_nonzero(is_used) < _LEAST_POINTS:
            return None
        return fit_power_law(depths[is_used].tolist(), largest[is_used].tolist())

    def nearest(self, depth: float, size: float) -> int:
        """Return the index in the graph of the layer nearest to a point of the chart."""
        away = np.abs(np.nan_to_num(self.depth, nan=np.inf) - round(depth))
        if not np.isfinite(away).any():
            return 1
        there = np.flatnonzero(away == away.min())
        heights = np.nan_to_num(self.size[there], nan=float(self.reach))
        return int(there[np.argmin(np.abs(heights - size))]) + 1

    def erf_curve(self, sizes: Mapping[int, float]) -> Curve:
        """Return effective sizes by layer; NaN where there is none yet."""
        curve = np.full(self.size.shape, np.nan)
        for index, size in sizes.items():
            if 0 < index <= curve.size:
                curve[index - 1] = size
        return curve


def growth_of(name: str, analysis: Analysis) -> Growth:
    """Return the curves of a network."""
    layers = analysis.layers
    size, jump, depth = np.empty(len(layers)), np.empty(len(layers)), np.empty(len(layers))
    near = np.full(len(layers), np.nan)
    known: dict[int, tuple[float, float]] = {}
    for i, layer in enumerate(layers):
        # Element-wise layers share the field of what they read.
        pair = known.get(id(layer.fields))
        if pair is None:
            pair = (_largest(layer.rf_size), _largest(layer.jump))
            known[id(layer.fields)] = pair
        size[i], jump[i] = pair
        depth[i] = np.nan if layer.depth is None else layer.depth
        if np.isnan(size[i]) and layer.local is not None:
            near[i] = _largest(layer.local.rf_size)
    reach = max(analysis.reference_size, default=0)
    return Growth(name, analysis, size, jump, depth, reach, near)


def _largest(values: Sequence[int | Fraction | None]) -> float:
    there = [float(x) for x in values if x is not None]
    return max(there) if there and len(there) == len(values) else float("nan")
