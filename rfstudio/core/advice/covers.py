"""Layers that see all of an object of a given size, and layers without use at an input size.

References
----------
.. [1] Loos, Pacher, Kabadayi et al., "Demystifying the Effect of Receptive Field Size in U-Net
   Models for Medical Image Segmentation", Journal of Medical Imaging, 2024: object rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rfstudio.core.advice.proposals import Proposal, proposals_for
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.errors import RFStudioError, UnitError
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis
from rfstudio.core.fields.paths import Size, is_window_layer
from rfstudio.core.shown import Shown


@dataclass(frozen=True, slots=True)
class Cover:
    """The share of objects that one layer sees completely.

    Attributes
    ----------
    layer
        Its path.
    rf_size
        Size of its field along each axis, in pixels; None on a global axis.
    local
        Size of its local field along each axis.
    erf_size
        Size of the expected effective field of its centre unit, as Luo et al. measure it; computed
        for the first layer that covers all objects and for the last.
    share
        Share of objects whose longer side is at most the shorter side of the local field.
    """

    layer: str
    rf_size: tuple[int | None, ...]
    local: tuple[int | None, ...]
    erf_size: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Advice(Shown):
    """Advice for objects of some sizes.

    Attributes
    ----------
    covers
        One for each convolution and pool with a local field, in the order of the network.
    first_covering
        The first layer that sees all of every object, and those that see two and three times their
        size; None where no layer does.
    critical, border
        Layers whose field is larger than the input, and those expected to add nothing.
    input_range
        Input sizes that all layers can use, per axis.
    proposals
        Changes that were analysed, cheapest first; empty if some layer sees three times the size of
        every object.
    """

    covers: tuple[Cover, ...]
    first_covering: tuple[str | None, str | None, str | None]
    critical: tuple[str, ...]
    border: tuple[str, ...]
    input_range: tuple[tuple[Size, Size] | None, ...]
    proposals: tuple[Proposal, ...]


def advice_for(analysis: Analysis, objects: Sequence[Sequence[int]]) -> Advice:
    """Return which layers cover objects, and what could be changed.

    Parameters
    ----------
    analysis
        The network at the size of its input.
    objects
        Size of each object along each axis, in pixels of the input.

    Raises
    ------
    RFStudioError
        If there are no objects, or one has no size.
    """
    axes = len(analysis.input_size)
    if not objects or any(len(x) != axes or min(x) < 1 for x in objects):
        raise RFStudioError(f"objects have {axes} sizes each, of at least one pixel")
    longest = [max(x) for x in objects]
    layers = [
        x
        for x in analysis.layers
        if is_window_layer(x.node) and not any(y.whole for y in x.local_fields)
    ]
    sizes = [_shorter_side(x) for x in layers]
    firsts = []
    for times in (1, 2, 3):
        wanted = times * max(longest)
        found = (x.name for x, size in zip(layers, sizes, strict=True) if size >= wanted)
        firsts.append(next(found, None))
    shown = {firsts[0], layers[-1].name if layers else None}
    covers = tuple(
        Cover(
            x.name,
            x.rf_size,
            () if x.local is None else x.local.rf_size,
            _effective_size(analysis, x) if x.name in shown else None,
            sum(n <= size for n in longest) / len(longest),
        )
        for x, size in zip(layers, sizes, strict=True)
    )
    return Advice(
        covers,
        (firsts[0], firsts[1], firsts[2]),
        analysis.critical_layers,
        analysis.border_layers(),
        analysis.input_range,
        () if firsts[2] is not None else proposals_for(analysis),
    )


def _shorter_side(layer: LayerAnalysis) -> int:
    assert layer.local is not None
    return min(x or 0 for x in layer.local.rf_size)


def _effective_size(analysis: Analysis, layer: LayerAnalysis) -> float | None:
    if 0 in layer.output_size:
        return None
    unit = tuple(n // 2 for n in layer.output_size)
    try:
        size = expected_erf(analysis.graph, layer.index, unit).metrics.luo_size
    except UnitError:  # nothing comes to it, or it is too large
        return None
    return None if size is None else float(size)
