"""What is known of one layer of a random network: how energy flows back, how large values are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple, TypeAlias

from rfstudio.core.effective.backward import Backward
from rfstudio.core.effective.moments import Moments

Run: TypeAlias = tuple[int, Moments]
"""A number of channels that are alike, and the moments of their values."""


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
        Of a max pool, by how much the gate in front of it is more often open at the largest
        sample than elsewhere; included in `backward`.
    """

    backward: Backward
    runs: list[Run]
    remark: str = ""
    correlates: bool = False
    sums: bool = False
    open: float = 1.0


def average(runs: list[Run]) -> Moments:
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


def concatenated(sources: Sequence[list[Run]]) -> list[Run]:
    """Return the runs of a concat; where two sources meet, channels that are alike are one run."""
    found: list[Run] = []
    for runs in sources:
        if found and found[-1][1] == runs[0][1]:
            count, moments = found.pop()
            found += [(count + runs[0][0], moments), *runs[1:]]
        else:
            found += runs
    return found


def side_by_side(sources: Sequence[list[Run]]) -> list[tuple[int, tuple[Moments, ...]]]:
    """Return the runs of channels that are alike in each of several maps, with all their moments.

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
