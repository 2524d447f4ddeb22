"""The figures of the canvas' other answers: tiles of the input, and the units that read a pixel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.tiles import tile_plan
from rfstudio.core.fields.usual_tiles import usual_tiles
from rfstudio.figures.answers import Answer
from rfstudio.formats.images.shaping import Shape, shaped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def answer_of(
    analysis: Analysis,
    layer: str,
    *,
    image: NDArray[np.uint8] | None = None,
    image_shape: Shape = "stretch",
    slice_at: int | None = None,
) -> Answer:
    """Return what is known of an answer before it is asked for, as all interfaces draw it.

    Raises
    ------
    RFStudioError
        If the network has no layers, or not this one.
    """
    name = analysis.architecture.name or "network"
    if not analysis.layers:
        raise RFStudioError(f"'{name}' has no layers whose units could be drawn")
    return Answer(
        analysis=analysis,
        layer=analysis[layer].name,
        name=name,
        image=None if image is None else shaped(image, analysis.reference_size, image_shape),
        slice_at=slice_at,
    )


def with_tiles(
    answer: Answer,
    tile: tuple[int, ...] | None = None,
    tile_number: int = 1,
    periods: int = 0,
) -> Answer:
    """Return the tiles of the input.

    Parameters
    ----------
    answer
        The network and the layer.
    tile
        Largest size of a tile with its overlap; None: about four times its overlap.
    tile_number
        The tile whose frames are drawn, from 1.
    periods
        How many periods more are in a tile of no given size.

    Raises
    ------
    RFStudioError
        If fields are not of the input, or there are no such tiles.
    """
    analysis = answer.analysis
    if analysis.reference:
        raise RFStudioError("tiles are cut from the input, not from the map of a layer")
    if tile is None:
        plan = usual_tiles(analysis, answer.layer, periods)
    else:
        index = analysis.graph.index(answer.layer)
        plan = tile_plan(analysis.graph, analysis.local, index, tile=tile, with_plan=True)
    return replace(answer, plan=plan, chosen=tile_number - 1)


def with_readers(answer: Answer, pixel: tuple[int, ...] | None = None) -> Answer:
    """Return the units that read a sample of the input (of the reference); None: the middle one.

    Raises
    ------
    RFStudioError
        If there is no such sample, or too many units would be searched.
    """
    place = tuple(n // 2 for n in answer.analysis.reference_size) if pixel is None else pixel
    return replace(answer, readers=answer.analysis.projective(answer.layer, place))
