"""The tiles of a network's own input, as they are shown where no size of a tile is asked for."""

from __future__ import annotations

from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.tiles import TilePlan, tile_plan


def usual_tiles(analysis: Analysis, layer: str, periods: int = 0) -> TilePlan:
    """Return the plan of the network's own input.

    Parameters
    ----------
    analysis
        The network.
    layer
        Whose map is put together.
    periods
        How many periods more or less than usual are in a tile.

    Raises
    ------
    RFStudioError
        If the network has faults, or tiles of `periods` other than 0 have no middle.
    """
    index = analysis.graph.index(layer)
    plan = tile_plan(analysis.graph, analysis.local, index)
    if any(x is None for x in plan.overlap):
        return plan
    sides = []
    for n, period, overlap in zip(analysis.input_size, plan.period, plan.overlap, strict=True):
        before, after = overlap or (0, 0)
        margins = max(before, 0) + max(after, 0)
        usual = 2 * margins + 2 * period
        if usual >= n:  # at least two tiles, if there can be two
            usual = min(max(margins + 2 * period, (n + margins) // 2), n)
        sides.append(max(usual + periods * period, 1))
    try:
        return tile_plan(analysis.graph, analysis.local, index, tile=tuple(sides), with_plan=True)
    except RFStudioError:
        if periods:
            raise
        whole = analysis.input_size
        return tile_plan(analysis.graph, analysis.local, index, tile=whole, with_plan=True)
