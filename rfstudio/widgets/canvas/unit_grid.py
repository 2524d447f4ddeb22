"""The units of a layer on the input: their centres, and the unit nearest to a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.field import AxisField

_MOST = 1 << 16
"""Most units along an axis for which each one is computed, if they are not evenly spaced."""


@dataclass(frozen=True, eq=False)
class Centres:
    """Centres of the units along one axis, in pixels; evenly spaced ones are not stored one by one.

    Attributes
    ----------
    size
        Number of units.
    first, step
        Centre of the first unit, and distance between two.
    values
        All centres by rising position, where they are not evenly spaced.
    is_causal
        Whether a unit sits at the last sample that it sees, as in networks over time, and not in
        the middle; `first` and `step` then say where.
    """

    size: int
    first: float = 0.0
    step: float = 1.0
    values: NDArray[np.float64] | None = None
    is_causal: bool = False

    def at(self, unit: int) -> float:
        """Return the centre of a unit."""
        return self.first + unit * self.step if self.values is None else float(self.values[unit])

    def nearest(self, point: float) -> int:
        """Return the unit whose centre is nearest to a point; of two equally near, the first."""
        if not self.size:
            return 0
        if self.values is not None:
            return int(np.argmin(np.abs(self.values - point)))
        if not self.step or not isfinite(point):
            return 0
        return min(max(ceil((point - self.first) / self.step - 0.5), 0), self.size - 1)

    def between(self, low: float, high: float) -> NDArray[np.float64]:
        """Return the centres in a part of the axis."""
        if self.values is not None:
            return self.values[(self.values >= low) & (self.values <= high)]
        if self.step <= 0:
            return np.full(min(self.size, 1), self.first)
        start = min(max(ceil((low - self.first) / self.step), 0), self.size)
        stop = min(max(floor((high - self.first) / self.step) + 1, start), self.size)
        units: NDArray[np.float64] = np.arange(start, stop, dtype=np.float64)
        return self.first + units * self.step


@dataclass(frozen=True, eq=False)
class UnitGrid:
    """Centres of the units of one layer.

    Attributes
    ----------
    centres
        For each axis the centre of every position, in pixels of the reference map.
    """

    centres: tuple[Centres, ...]

    def nearest(self, point: Sequence[float]) -> tuple[int, ...]:
        """Return the unit whose centre is nearest to a point, which may lie outside the image.

        Parameters
        ----------
        point
            One coordinate per axis, in pixels.  Between two centres the first one is taken.
        """
        return tuple(x.nearest(p) for x, p in zip(self.centres, point, strict=True))

    def centre(self, unit: Sequence[int]) -> tuple[float, ...]:
        """Return the centre of a unit, in pixels."""
        return tuple(x.at(u) for x, u in zip(self.centres, unit, strict=True))

    def spacing(self, axis: int) -> float:
        """Return the usual distance between centres along an axis, in pixels; inf for one unit."""
        centres = self.centres[axis]
        if centres.size < 2:
            return float("inf")
        return (centres.at(centres.size - 1) - centres.at(0)) / (centres.size - 1)


def grid_of(analysis: Analysis, layer: str) -> UnitGrid:
    """Return the grid of the units of a layer on the reference map.

    Units of a causal layer of a signal are at the last sample that they see: that one is theirs.
    Units that all see the whole axis, or see nothing of it, have no centre of their own: they are
    spread evenly over the axis, so that they can still be pointed at.

    Raises
    ------
    UnknownLayerError
        If there is no such layer.
    """
    index = analysis.graph.index(layer)
    node = analysis.graph.nodes[index]
    is_signal = len(node.size) == 1
    return UnitGrid(
        tuple(
            _centres(field, units, pixels, is_signal=is_signal)
            for field, units, pixels in zip(
                analysis.fields[index], node.size, analysis.reference_size, strict=True
            )
        )
    )


def _centres(field: AxisField, units: int, pixels: int, *, is_signal: bool) -> Centres:
    share = pixels / max(units, 1)
    spread = Centres(units, 0.5 * share - 0.5, share)
    if field.whole or not field.tracks:
        return spread
    jump, first = field.jump, field.center
    if is_signal and jump is not None and _is_causal(field, units, pixels):
        return Centres(units, 0.0, float(jump), is_causal=True)
    if jump is not None and first is not None and field.tracks[0].period == 1:
        return Centres(units, first, float(jump))
    looked_at = np.arange(units) if units <= _MOST else np.array([0, units - 1])
    first_seen, last_seen = field.bounds(looked_at)
    even = spread.first + spread.step * looked_at
    seen = np.where(first_seen <= last_seen, (first_seen + last_seen) / 2, even)
    if units > _MOST:
        return Centres(units, float(seen[0]), float(seen[1] - seen[0]) / (units - 1))
    return Centres(units, values=seen)


def _is_causal(field: AxisField, units: int, pixels: int) -> bool:
    """Whether the first unit ends with the first sample, and the last one not after the last.

    The second condition tells causal padding, all of it before the signal, from one that adds as
    much after it.
    """
    if field.tracks[0].period != 1 or not units:
        return False
    first, last = field.interval(0), field.interval(units - 1)
    if first is None or last is None:
        return False
    return first[0] < first[1] == 0 and last[1] < pixels


class FieldsOnTheWay:
    """Fields of all layers between the reference and a layer, for units above one another.

    Parameters
    ----------
    analysis
        The analysed network.
    layer
        Path of the last layer of the way.
    """

    def __init__(self, analysis: Analysis, layer: str) -> None:
        self._layers: list[tuple[_AxisUnits, ...]] = []
        known: dict[tuple[int, int, int], _AxisUnits] = {}
        is_signal = len(analysis.reference_size) == 1
        for index in _ancestors(analysis, analysis.graph.index(layer)):
            fields, size = analysis.fields[index], analysis.graph.nodes[index].size
            if not all(x.whole or x.tracks for x in fields) or 0 in size:
                continue
            axes = []
            for field, units, pixels in zip(fields, size, analysis.reference_size, strict=True):
                # Element-wise layers share the field of what they read.
                key = (id(field), units, pixels)
                if key not in known:
                    known[key] = _AxisUnits(field, units, pixels, is_signal=is_signal)
                axes.append(known[key])
            if tuple(axes) not in self._layers[-1:]:
                self._layers.append(tuple(axes))

    def regions(self, point: Sequence[float]) -> list[tuple[Interval, ...]]:
        """Return the region of the unit nearest to `point` in every layer, each region once.

        Largest first.  Along a global axis the region is the whole axis.
        """
        found: dict[tuple[Interval, ...], None] = {}
        for axes in self._layers:
            region = [x.interval_near(p) for x, p in zip(axes, point, strict=True)]
            seen = tuple(x for x in region if x is not None)
            if len(seen) == len(region):
                found[seen] = None
        return sorted(found, key=lambda x: -max(b - a for a, b in x))


class _AxisUnits:
    """The units of one map along one axis, to find the one nearest to a point."""

    def __init__(self, field: AxisField, units: int, pixels: int, *, is_signal: bool) -> None:
        self._field = field
        self._whole = (0, pixels - 1) if field.whole else None
        self._last = units - 1
        self._jump = 0.0
        self._first = 0.0
        self._centres: Centres | None = None
        jump, first = field.jump, field.center
        is_causal = is_signal and not field.whole and _is_causal(field, units, pixels)
        if jump and first is not None and field.tracks[0].period == 1 and not is_causal:
            self._jump, self._first = float(jump), first
        else:
            self._centres = _centres(field, units, pixels, is_signal=is_signal)

    def interval_near(self, point: float) -> Interval | None:
        """Return what the unit nearest to a point sees."""
        if self._whole is not None:
            return self._whole
        if self._centres is not None:
            return self._field.interval(self._centres.nearest(point))
        unit = round((point - self._first) / self._jump)
        return self._field.interval(min(max(unit, 0), self._last))


def _ancestors(analysis: Analysis, index: int) -> list[int]:
    """Return the nodes that a node reads, directly or not, and itself, in network order."""
    return [x for x in analysis.graph.ancestors(index) if x > analysis.reference]
