"""Activations in the form in which moments need them."""

from __future__ import annotations

from dataclasses import dataclass

from rfstudio.core.effective import activations
from rfstudio.core.energy.moments import Curve
from rfstudio.core.memo import remembered
from rfstudio.core.ops import Homogeneous, Op
from rfstudio.core.ops.activation import Values


@dataclass(frozen=True, eq=False)
class _OpCurve:
    """The function of an operation; there is one object for equal operations."""

    op: Op
    slope_below: float | None
    is_rising: bool

    def value(self, x: Values) -> Values:
        return activations.value(self.op, x)

    def slope(self, x: Values) -> Values:
        return activations.slope(self.op, x)

    def squared_slope(self, square: float) -> float:
        return activations.squared_slope(self.op, square)


@remembered(256)
def curve_of(op: Op) -> Curve:
    """Return the function of an activation."""
    below = activations.slope_below(op) if isinstance(op, Homogeneous) else None
    return _OpCurve(op, below, activations.is_rising(op))
