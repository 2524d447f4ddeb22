"""The Python interface: the same engine as the window and the command line, for notebooks.

Nothing here imports Qt; torch is imported only by what measures or builds with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfstudio.core.analysis import Analysis
from rfstudio.core.analysis import analyze as _analyze
from rfstudio.core.architecture import INPUT, Architecture

if TYPE_CHECKING:
    import torch

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
