"""What the chosen unit sees, on the plane that the canvas shows."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF

from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.wording.no_field import seen
from rfstudio.core.fields.analysis import UnitView
from rfstudio.core.fields.backtrace import DENSE_CELLS
from rfstudio.widgets.canvas.plane import Plane
from rfstudio.widgets.canvas.unit_grid import Centres, FieldsOnTheWay, UnitGrid, grid_of


class LayerSight:
    """What the canvas needs of a layer, the same for all its units.

    Parameters
    ----------
    session
        The analysis.
    layer
        Path of the layer.
    """

    def __init__(self, session: AnalysisSession, layer: str) -> None:
        analysis = session.analysis
        self.analysis = analysis
        self.layer = layer
        self.plane = Plane(analysis.reference_size)
        self.grid: UnitGrid = grid_of(analysis, layer)
        self._way: FieldsOnTheWay | None = None

    def is_of(self, session: AnalysisSession, layer: str) -> bool:
        """Whether this still matches the session's analysis of that layer."""
        return self.analysis is session.analysis and self.layer == layer

    @property
    def way(self) -> FieldsOnTheWay:
        """The fields of all layers on the way; computed on first use."""
        if self._way is None:
            self._way = FieldsOnTheWay(self.analysis, self.layer)
        return self._way

    @property
    def centres(self) -> tuple[Centres, Centres]:
        """The rows and the columns in which the centres of units lie on the plane."""
        if self.plane.is_strip:
            return Centres(1), self.grid.centres[0]
        return self.grid.centres[-2], self.grid.centres[-1]

    def spacing(self) -> tuple[float, float]:
        """Return the distance of neighbouring centres as (down, right), in pixels."""
        axes = len(self.plane.size)
        down = float("inf") if self.plane.is_strip else self.grid.spacing(axes - 2)
        return abs(down), abs(self.grid.spacing(axes - 1))


@dataclass(frozen=True, eq=False)
class Sight:
    """What one unit sees.

    Attributes
    ----------
    layer
        The unit's layer.
    unit
        Its position.
    view
        The analysis' answer; None where there is no such unit.
    trouble
        Why there is nothing to draw, for the user; empty if there is.
    """

    layer: LayerSight
    unit: tuple[int, ...]
    view: UnitView | None
    trouble: str = ""

    @property
    def point(self) -> tuple[float, ...] | None:
        """The middle of the theoretical region, in pixels of the input; of a causal one its end."""
        if self.view is None:
            return None
        grid = self.layer.grid
        region = self.view.theoretical_region
        if region is None:
            return grid.centre(self.unit)
        return tuple(
            centre if is_global or centres.is_causal else (a + b) / 2
            for (a, b), centre, centres, is_global in zip(
                region,
                grid.centre(self.unit),
                grid.centres,
                self.layer.analysis[self.layer.layer].is_global,
                strict=True,
            )
        )

    @property
    def marker(self) -> QPointF | None:
        """Where the unit is marked on the canvas."""
        point = self.point
        return None if point is None else self.layer.plane.point_of(point)

    @property
    def has_holes(self) -> bool:
        """Whether pixels inside the visible region are not read."""
        return self.view is not None and self.view.gridding > 0

    def support(self, index: int) -> NDArray[np.bool_] | None:
        """Return which pixels of a slice are read; None if the image is too large for a mask."""
        if self.view is None:
            return None
        size = self.view.size
        if len(size) == 3:
            return self.view.region.slab(index)
        if prod(size) > DENSE_CELLS:
            return None
        mask = self.view.support()
        return mask[np.newaxis] if mask.ndim == 1 else mask

    def reads(self, position: tuple[int, ...]) -> bool:
        """Whether a pixel of the input reaches the unit."""
        if self.view is None:
            return False
        return any(
            all(
                x.start <= p < x.stop and (x.mask is None or bool(x.mask[p - x.start]))
                for x, p in zip(product, position, strict=True)
            )
            for product in self.view.region.products
        )


def sight_of(session: AnalysisSession, layer: LayerSight, unit: tuple[int, ...]) -> Sight:
    """Return what one unit sees, or why there is nothing to see.

    Parameters
    ----------
    session
        The analysis.
    layer
        What is known of the unit's layer.
    unit
        The unit's position.
    """
    analysis = session.analysis
    view, trouble = seen(analysis, layer.layer, unit, session.unit)
    if len(analysis.graph.nodes) == 1 and not trouble:
        trouble = "This network has no layers yet.\nPress Insert, type conv and press Enter."
    return Sight(layer, unit, view, trouble)
