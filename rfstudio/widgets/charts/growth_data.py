"""Size, jump and effective size of every layer as curves over depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.fields.analysis import Analysis

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
    reach
        Size of the input, which is what a global layer sees.
    """

    name: str
    analysis: Analysis
    size: Curve
    jump: Curve
    reach: int

    @property
    def is_global(self) -> NDArray[np.bool_]:
        """Which layers see a whole axis."""
        return np.isnan(self.size)

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
    size, jump = np.empty(len(layers)), np.empty(len(layers))
    known: dict[int, tuple[float, float]] = {}
    for i, layer in enumerate(layers):
        # Element-wise layers share the field of what they read.
        pair = known.get(id(layer.fields))
        if pair is None:
            pair = (_largest(layer.rf_size), _largest(layer.jump))
            known[id(layer.fields)] = pair
        size[i], jump[i] = pair
    return Growth(name, analysis, size, jump, max(analysis.reference_size, default=0))


def _largest(values: Sequence[int | Fraction | None]) -> float:
    there = [float(x) for x in values if x is not None]
    return max(there) if there and len(there) == len(values) else float("nan")
