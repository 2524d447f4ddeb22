"""The Python interface: the same engine as the window and the command line, for notebooks.

Nothing here imports Qt; torch is imported only by what measures or builds with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfstudio.core.analysis import Analysis
from rfstudio.core.analysis import analyze as _analyze
from rfstudio.core.architecture import INPUT, Architecture
from rfstudio.core.graph import Graph, expand

if TYPE_CHECKING:
    import torch

    from rfstudio.core.energy import BatchNormMode
    from rfstudio.core.expected import Erf


def load(network: str | Path | Architecture) -> Architecture:
    """Return a network by the name of a preset or the path of a YAML file.

    Raises
    ------
    FormatError
        If the file has mistakes; the error lists all of them with their places.
    RFStudioError
        If there is no such preset or file.
    """
    if isinstance(network, Architecture):
        return network
    from rfstudio.formats.presets import open_network

    return open_network(str(network))


def analyze(
    network: str | Path | Architecture,
    *,
    input_size: tuple[int, ...] | None = None,
    reference: str = INPUT,
    batch_norm_training: bool = False,
) -> Analysis:
    """Return sizes, fields, costs and diagnostics of every layer of a network.

    Parameters
    ----------
    network
        What `load` takes or returns.
    input_size
        Size of the input along each axis, in pixels; the document's own if None.
    reference
        Layer or container path with respect to whose map all fields are given.
    batch_norm_training
        Whether batch norm takes its statistics from the map and so sees all of it.

    Raises
    ------
    UnknownLayerError
        If there is no layer `reference`.
    """
    return _analyze(
        load(network),
        input_size=input_size,
        reference=reference,
        batch_norm_training=batch_norm_training,
    )


def expected_erf(
    network: str | Path | Architecture,
    layer: str,
    unit: tuple[int, ...] | None = None,
    *,
    input_size: tuple[int, ...] | None = None,
    batch_norm: BatchNormMode = "warmed",
) -> Erf:
    """Return the expected effective receptive field of a unit, in closed form.

    Parameters
    ----------
    network
        What `load` takes or returns.
    layer
        Layer or container path.
    unit
        Position in that layer's map; None: the centre unit, (h // 2, w // 2).
    input_size
        Size of the input along each axis, in pixels; the document's own if None.
    batch_norm
        "warmed", "fresh" or "train": which statistics batch norm has.

    Returns
    -------
    Erf
        `map` (H, W), `metrics`, whether it is `exact`, and `notes` that say why not.

    Raises
    ------
    UnknownLayerError, UnitError
        If there is no such layer or unit.
    """
    from rfstudio.core import expected

    graph, index, position = _unit_of(network, layer, unit, input_size)
    return expected.expected_erf(graph, index, position, batch_norm=batch_norm)


def path_counts(
    network: str | Path | Architecture,
    layer: str,
    unit: tuple[int, ...] | None = None,
    *,
    input_size: tuple[int, ...] | None = None,
    means: bool = True,
) -> Erf:
    """Return how many paths lead from each pixel to a unit; all learned weights are 1.

    Parameters
    ----------
    network, layer, unit, input_size
        As in `expected_erf`.
    means
        Whether means and interpolations keep their own weights; otherwise the counts are whole
        numbers.

    Raises
    ------
    UnknownLayerError, UnitError
        If there is no such layer or unit.
    """
    from rfstudio.core import expected

    graph, index, position = _unit_of(network, layer, unit, input_size)
    return expected.path_counts(graph, index, position, means=means)


def _unit_of(
    network: str | Path | Architecture,
    layer: str,
    unit: tuple[int, ...] | None,
    input_size: tuple[int, ...] | None,
) -> tuple[Graph, int, tuple[int, ...]]:
    """Return a network's graph, the index of a layer, and a unit of it."""
    graph = expand(load(network), input_size)
    index = graph.index(layer)
    size = graph.nodes[index].size
    return graph, index, tuple(n // 2 for n in size) if unit is None else tuple(map(int, unit))
