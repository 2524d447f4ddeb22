"""Paths through a network by name, file or value, and the energy that takes them."""

from __future__ import annotations

from rfstudio.api.networks import Network, unit_of
from rfstudio.core.effective.path_shares import Paths, paths_of
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.initialisations import DEFAULT


def path_shares(
    network: Network | Analysis,
    layer: str,
    unit: tuple[int, ...] | None = None,
    *,
    input_size: tuple[int, ...] | None = None,
    ignore_gates: bool = False,
    init: str = DEFAULT,
) -> Paths:
    """Return the paths to a layer by length and by field, with their shares of a unit's energy.

    Parameters
    ----------
    network
        What `load` takes or returns, or an analysis.
    layer
        Layer or container path.
    unit
        Position in its map; None: the centre unit.
    input_size
        Size of the input; the network's own, or that of the analysis, if None.
    ignore_gates
        Whether gates and other operations that read a whole axis, but have a position for each
        position they read, count as one position; as in the analysis, if one is given that does.
    init
        The law of random weights, as `expected_erf` takes it: "xavier_uniform", "orthogonal:1.4" …

    Raises
    ------
    UnknownLayerError, UnitError
        If there is no such layer or unit, or nothing leads to it.
    TooLargeError
        If it would take too much time.
    RFStudioError
        If there is no such `init`.

    Examples
    --------
    >>> paths = path_shares("resnet18", "layer4")
    >>> paths.count, paths.branches[1].reader, round(paths.branches[1].share, 2)
    (256, 'layer1.0.add1', 0.21)
    """
    target = unit_of(network, layer, unit, input_size)
    ignore = ignore_gates or (isinstance(network, Analysis) and network.ignore_gates)
    return paths_of(
        target.graph,
        target.index,
        target.position,
        reference=target.reference,
        ignore_gates=ignore,
        init=init,
    )
