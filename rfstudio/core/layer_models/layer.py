"""A layer of a random network as a model: how energy flows back, how large its values are.

A model of an operation is its method `energy_model`: of the place of the layer and the runs of
channels of the map that it reads it returns a `Layer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import prod
from typing import Literal, NamedTuple, TypeAlias

from rfstudio.core.axes.axis_rule import AxisRules
from rfstudio.core.initialisations import HE_NORMAL, Initialisation
from rfstudio.core.layer_models.backward import Backward
from rfstudio.core.layer_models.moments import Moments

BatchNormMode: TypeAlias = Literal["warmed", "fresh", "train"]
"""Which statistics batch norms have."""

Run: TypeAlias = tuple[int, Moments]
"""A number of channels with the same moments."""

Runs: TypeAlias = tuple[Run, ...]
"""All channels of a map."""


class Place(NamedTuple):
    """Where an operation is: all that its model depends on but the values that it reads.

    Attributes
    ----------
    rules
        How it reads along each axis.
    channels_in, channels
        Number of channels of the map that it reads and of its own.
    batch_norm
        Which statistics batch norms have.
    apart
        Whether the channels that it reads are all of the same places and maps.
    init
        The law of its weights, if it has any.
    """

    rules: AxisRules
    channels_in: int
    channels: int
    batch_norm: BatchNormMode = "warmed"
    apart: bool = True
    init: Initialisation = HE_NORMAL

    @property
    def size_in(self) -> tuple[int, ...]:
        """Size of the map that it reads along each axis."""
        return tuple([x.n_in for x in self.rules])

    @property
    def positions_in(self) -> int:
        """Number of positions of the map that it reads, or 1 if there are none."""
        return max(prod(self.size_in), 1)


class Layer(NamedTuple):
    """One layer of the model.

    Attributes
    ----------
    backward
        What it does to the energy of gradients.
    runs
        Channels and moments of its map.
    remark
        Why it is an approximation; empty: it is exact.
    correlates
        Whether it makes the gradients at different positions depend on each other.
    sums
        Whether gradients of different outputs add up at one input with fixed weights, which is
        right only where they are independent.
    open
        Of a max pool, by how much the gate before it is more often open at the largest sample
        than elsewhere; included in `backward`.
    edges
        Of a merge, factors of what it passes on to each source; empty: they are all 1.
    """

    backward: Backward
    runs: Runs
    remark: str = ""
    correlates: bool = False
    sums: bool = False
    open: float = 1.0
    edges: tuple[float, ...] = ()


def average(runs: Runs) -> Moments:
    """Return the moments over all channels, as of normal values."""
    if len(runs) == 1:
        return runs[0][1]
    total, square, shared, mean = 0, 0.0, 0.0, 0.0
    for n, x in runs:
        total += n
        square += n * x.square
        shared += n * x.shared
        mean += n * x.mean
    total = max(total, 1)
    return Moments(square / total, shared / total, mean / total)


def concatenated(sources: Sequence[Runs]) -> Runs:
    """Return the runs of a concat; where sources with the same moments meet, they are one run."""
    found: list[Run] = []
    for runs in sources:
        if found and found[-1][1] == runs[0][1]:
            count, moments = found.pop()
            found += [(count + runs[0][0], moments), *runs[1:]]
        else:
            found += runs
    return tuple(found)


def side_by_side(sources: Sequence[Runs]) -> list[tuple[int, tuple[Moments, ...]]]:
    """Return the runs within which each of several maps has one moments, with all of these.

    Where the runs of one map end within a run of another, that is cut.  Maps that have not equally
    many channels have no such runs.
    """
    edges = [list(accumulate([n for n, _ in runs])) for runs in sources]
    if len({x[-1] for x in edges}) != 1:
        return []
    places = [0] * len(sources)
    found: list[tuple[int, tuple[Moments, ...]]] = []
    for start, stop in pairwise(sorted({0}.union(*edges))):
        moments = [runs[i][1] for runs, i in zip(sources, places, strict=True)]
        found.append((stop - start, tuple(moments)))
        places = [i + (ends[i] == stop) for i, ends in zip(places, edges, strict=True)]
    return found


def means_over_runs(
    values: Iterable[tuple[int, float]], counts: Iterable[int]
) -> tuple[float, ...]:
    """Return the mean values of wider runs of channels.

    Parameters
    ----------
    values
        Runs as numbers of channels, with a value each.
    counts
        Numbers of channels of runs each of which holds some whole ones of `values`.
    """
    result, places = [], iter(values)
    for count in counts:
        done, total = 0, 0.0
        while done < count:
            n, x = next(places)
            done, total = done + n, total + n * x
        result.append(total / count)
    return tuple(result)
