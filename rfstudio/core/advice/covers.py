"""Layers that see all of an object of a given size, and layers without use at an input size.

References
----------
.. [1] Loos, Pacher, Kabadayi et al., "Demystifying the Effect of Receptive Field Size in U-Net
   Models for Medical Image Segmentation", Journal of Medical Imaging, 2024: object rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rfstudio.core.advice.effective_sizes import effective_size
from rfstudio.core.advice.proposals import Proposal, proposals_for
from rfstudio.core.advice.task_rules import Level, Rule, rules_for
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis
from rfstudio.core.fields.paths import Size, is_window_layer
from rfstudio.core.network.physical import Axis
from rfstudio.core.shown import Shown

_MOST_LEVELS = 12
"""Jumps of which the last layer is looked at."""


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
        every object, and effectively the objects themselves.
    levels
        The last layer of each jump, from the finest on.
    rules
        Those of the task, with what they find.
    axes
        What each axis of the input measures; empty: it is not known.
    no_proposals
        Why there are no proposals; empty where there are some.
    """

    covers: tuple[Cover, ...]
    first_covering: tuple[str | None, str | None, str | None]
    critical: tuple[str, ...]
    border: tuple[str, ...]
    input_range: tuple[tuple[Size, Size] | None, ...]
    proposals: tuple[Proposal, ...]
    levels: tuple[Level, ...] = ()
    rules: tuple[Rule, ...] = ()
    axes: tuple[Axis, ...] = ()
    no_proposals: str = ""


def advice_for(
    analysis: Analysis,
    objects: Sequence[Sequence[int]],
    *,
    task: str | None = None,
    layers: Sequence[str] | None = None,
) -> Advice:
    """Return which layers cover objects, and what could be changed.

    Parameters
    ----------
    analysis
        The network at the size of its input.
    objects
        Size of each object along each axis, in pixels of the input.
    task
        Detection, segmentation or classification: its rules are checked; None: no rules.
    layers
        Paths of the layers to look at; None: all convolutions and pools.

    Raises
    ------
    RFStudioError
        If there are no objects, one has no size, or there is no such task.
    UnknownLayerError
        If there is no such layer.
    """
    axes = len(analysis.input_size)
    if not objects or any(len(x) != axes or min(x) < 1 for x in objects):
        raise RFStudioError(f"objects have {axes} sizes each, of at least one pixel")
    longest = [max(x) for x in objects]
    chosen = [
        x
        for x in (analysis.layers if layers is None else map(analysis.__getitem__, layers))
        if (layers is not None or is_window_layer(x.node))
        and not any(y.whole for y in x.local_fields)
    ]
    sizes = [_shorter_side(x) for x in chosen]
    firsts = _firsts([x.name for x in chosen], sizes, max(longest))
    lasts = _last_of_each_jump(chosen)
    effective = {x.name: effective_size(analysis, x) for x in lasts}
    if firsts[0] is not None and firsts[0] not in effective:
        effective[firsts[0]] = effective_size(analysis, analysis[firsts[0]])
    covers = tuple(
        Cover(
            x.name,
            x.rf_size,
            () if x.local is None else x.local.rf_size,
            effective.get(x.name),
            sum(n <= size for n in longest) / len(longest),
        )
        for x, size in zip(chosen, sizes, strict=True)
    )
    levels = tuple(
        Level(
            x.name,
            x.jump,
            () if x.local is None else x.local.rf_size,
            effective[x.name],
            _shares(longest, _shorter_side(x)),
            None if (size := effective[x.name]) is None else _shares(longest, size),
        )
        for x in lasts
    )
    known = [x.erf_size for x in levels if x.erf_size is not None]
    is_enough = firsts[2] is not None and max(known, default=max(longest)) >= max(longest)
    found = () if is_enough else proposals_for(analysis)
    return Advice(
        covers,
        firsts,
        analysis.critical_layers,
        analysis.border_layers(),
        analysis.input_range,
        found,
        levels,
        () if task is None else rules_for(task, analysis, levels, longest),
        analysis.axes,
        "" if found else _why_none(analysis, firsts[2] if is_enough else None),
    )


def _why_none(analysis: Analysis, enough: str | None) -> str:
    """Return why nothing is proposed; `enough` is the first layer that sees enough already."""
    if enough is not None:
        return (
            f"none is needed: '{enough}' sees three times the largest object, and an effective "
            "field covers it"
        )
    if analysis.largest_local_field is None:
        return "none: no layer has positions"
    return "none: no change that was tried enlarges a field, keeps all maps and aligns all merges"


Firsts: TypeAlias = tuple[str | None, str | None, str | None]
"""The first layers that see one, two and three times a size; None where no layer does."""


def first_covering(analysis: Analysis, size: int) -> Firsts:
    """Return the first convolutions and pools whose local field is 1, 2 and 3 times a size."""
    layers = [
        x
        for x in analysis.layers
        if is_window_layer(x.node) and not any(y.whole for y in x.local_fields)
    ]
    return _firsts([x.name for x in layers], [*map(_shorter_side, layers)], size)


def _firsts(names: Sequence[str], sizes: Sequence[int], size: int) -> Firsts:
    one, two, three = (
        next((x for x, n in zip(names, sizes, strict=True) if n >= times * size), None)
        for times in (1, 2, 3)
    )
    return one, two, three


def _last_of_each_jump(layers: Sequence[LayerAnalysis]) -> list[LayerAnalysis]:
    """Return the last layer of each jump, by rising jump: the levels of a pyramid."""
    found: dict[float, LayerAnalysis] = {}
    for layer in layers:
        jumps = [float(x) for x in layer.jump if x is not None]
        if len(jumps) == len(layer.jump):
            found[max(jumps)] = layer
    return [found[x] for x in sorted(found)][:_MOST_LEVELS]


def _shares(longest: Sequence[int], size: float) -> tuple[float, float, float]:
    """Return the shares of objects of which a size is 1, 2 and 3 times the longer side."""
    one, two, three = (
        sum(times * n <= size for n in longest) / len(longest) for times in (1, 2, 3)
    )
    return one, two, three


def _shorter_side(layer: LayerAnalysis) -> int:
    assert layer.local is not None
    return min(x or 0 for x in layer.local.rf_size)
