"""The cost of a measurement, which the panel shows before the start if it is high."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.backtrace import read_by
from rfstudio.engine.requests.request import BY_FILLING

MUCH_MEMORY = 10**9
"""Bytes of one sample from which on the panel mentions them."""

MUCH_WORK = 2 * 10**12
"""Multiply-adds of all samples from which on it mentions them: about a minute on a processor."""

_MANY_EVALUATIONS = 500

# A gradient costs about three evaluations, in work as in memory; `engine.erf` takes the same.
_GRADIENT = 3


@dataclass(frozen=True, slots=True)
class Costs:
    """What one measurement takes, roughly.

    Attributes
    ----------
    memory
        Bytes of one sample.
    work
        Multiply-adds of all samples.
    evaluations
        How often the network is evaluated, or differentiated.
    patches
        Patches that are filled in one sample; 0: the estimator fills none.
    samples
        Samples that are requested.
    """

    memory: int
    work: int
    evaluations: int
    patches: int
    samples: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is high about it, for the user; empty if nothing is."""
        found = []
        if self.patches and self.evaluations >= _MANY_EVALUATIONS:
            found.append(
                f"{self.patches:,} patches × {self.samples:,} samples = "
                f"{self.patches * self.samples:,} evaluations; a larger step or fewer samples "
                "take less time."
            )
        elif self.work >= MUCH_WORK:
            found.append(
                f"About {_amount(self.work)} multiply-adds; the remaining time is shown after "
                "the first samples."
            )
        if self.memory >= MUCH_MEMORY:
            found.append(f"One sample takes about {self.memory / 1e9:.1f} GB of memory.")
        return tuple(found)


def costs_of(
    analysis: Analysis, layer: str, unit: tuple[int, ...], options: ErfOptions
) -> Costs | None:
    """Return what the measurement of a unit takes; None if there is no such unit.

    Only the boxes that the unit reads count, as only they are evaluated; of an occlusion the
    engine evaluates less still, where a patch reaches only a part.
    """
    graph = analysis.graph
    try:
        regions = read_by(graph, graph.index(layer), unit)
    except RFStudioError:
        return None
    numbers, macs = 0, 0
    for index, region in regions.items():
        node, hull = graph.nodes[index], region.hull
        if index == 0 or hull is None:
            continue
        box = prod(last - first + 1 for first, last in hull)
        numbers += node.channels * box
        macs += analysis.costs[index].macs * box // max(prod(node.size), 1)
    size = 8 if options.dtype == "float64" else 4
    fills = options.estimator in BY_FILLING
    hull = regions[0].hull if 0 in regions else None
    patches = _patches(hull, graph.nodes[0].size, options) if fills and hull else 0
    evaluations = (patches + 1 if fills else 1) * options.samples
    factor = 1 if fills else _GRADIENT
    return Costs(
        memory=factor * numbers * size,
        work=factor * macs * evaluations,
        evaluations=evaluations,
        patches=patches,
        samples=options.samples,
    )


def _patches(region: tuple[Interval, ...], size: tuple[int, ...], options: ErfOptions) -> int:
    """Return how many patches of the grid over the image touch a region."""
    count = 1
    for (first, last), n in zip(region, size, strict=True):
        low = max(0, -(-(first - options.patch + 1) // options.stride))
        high = min(last, n - 1) // options.stride
        count *= max(high - low + 1, 0)
    return count


def _amount(work: int) -> str:
    for name, scale in (("quadrillion", 1e15), ("trillion", 1e12)):
        if work >= scale:
            return f"{work / scale:.3g} {name}"
    return f"{work / 1e9:.3g} billion"
