"""Questions about regions the other way round, answered for a network by name, file or value."""

from __future__ import annotations

from rfstudio.api.networks import Network, analyze, architecture_of
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.tiles import TilePlan, tile_plan

Size = int | tuple[int, ...]
"""One number for all axes, or one per axis."""


def tiles(
    network: Network | Analysis,
    layer: str | None = None,
    tile: Size | None = None,
    image: Size | None = None,
    input_size: Size | None = None,
) -> TilePlan:
    """Return how an image may be cut into tiles whose results equal those of the whole.

    Parameters
    ----------
    network
        What `load` takes or returns, or an analysis.
    layer
        Layer or container path whose map is put together; None: the last layer.
    tile
        Largest size of a tile with its overlap, in samples; None: one with a middle about as
        large as its overlap.
    image
        Size of the image; with it, or with `tile`, the tiles are listed.
    input_size
        Size at which the network is looked at where there is no image; its own if None.

    Raises
    ------
    UnknownLayerError
        If there is no such layer.
    RFStudioError
        If the network does not run at that size, or a tile is too small to have a middle.

    Examples
    --------
    >>> plan = tiles("unet")
    >>> plan.overlap, plan.period, plan.exact
    (((107, 107), (107, 107)), (16, 16), True)
    """
    architecture = architecture_of(network)
    axes = architecture.axes
    size = _per_axis(image if image is not None else input_size, axes)
    if isinstance(network, Analysis) and size in (None, network.input_size):
        analysis = network
    else:
        analysis = analyze(architecture, input_size=size)
    if not analysis.layers:
        raise RFStudioError(f"'{architecture.name}' has no layers to put together")
    index = len(analysis.graph.nodes) - 1 if layer is None else analysis.graph.index(layer)
    return tile_plan(
        analysis.graph,
        analysis.local,
        index,
        tile=_per_axis(tile, axes),
        with_plan=image is not None or tile is not None,
    )


def _per_axis(size: Size | None, axes: int) -> tuple[int, ...] | None:
    if size is None:
        return None
    return (size,) * axes if isinstance(size, int) else tuple(size)
