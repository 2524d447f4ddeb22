"""Pairs of gradients in a flow: what the gradients at two places of a map have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from rfstudio.core.layer_models.pair_tables import Lag, Table, through_tables
from rfstudio.core.layer_models.spread import Values


class Kind(Enum):
    """The kinds of pairs, by their products of gradients; the first three are of one channel."""

    SAME = 1
    """Of one channel, at two places."""
    GATED = 2
    """The same before an activation that they passed since the last convolution, times what that
    says of its weights: E[z φ′(z)]² / (T √(1 − ρ²) E[φ′²]) / T."""
    OTHER = 3
    """Of two channels, in the mean over all others."""
    OTHER_GATED = 4
    """As GATED, ρ being 0."""
    RADIAL = 5
    """Of two channels or one, along the values: E[g g′] = this · x x′ / E[x²]."""


@dataclass(frozen=True, eq=False, slots=True)
class Pairs:
    """Products E[g(q) g(q + s)] of gradients in a flow, in the unit of its values.

    Attributes
    ----------
    reach
        Largest lag s along each axis.
    parts
        Of each kind an array of one axis for each of the map's, along it lag after lag and within
        it the places q.  Of one channel what belongs to no lag is not looked at: the flow has it.
    """

    reach: Lag
    parts: Mapping[Kind, Values]

    def scaled(self, factor: float, *kinds: Kind) -> Pairs:
        """Return the pairs, or some kinds of them, multiplied."""
        return Pairs(
            self.reach,
            {k: x * factor if not kinds or k in kinds else x for k, x in self.parts.items()},
        )

    def plus(self, other: Pairs | None) -> Pairs:
        """Return the sum of both."""
        if other is None:
            return self
        reach = tuple(map(min, self.reach, other.reach))
        parts = dict(self.within(reach).parts)
        for kind, values in other.within(reach).parts.items():
            parts[kind] = parts[kind] + values if kind in parts else values
        return Pairs(reach, parts)

    def within(self, reach: Lag) -> Pairs:
        """Return the pairs that are no farther apart."""
        reach = tuple(map(min, self.reach, reach))
        if reach == self.reach:
            return self
        where = []
        shape = next(iter(self.parts.values())).shape
        for old, new, n in zip(self.reach, reach, shape, strict=True):
            size = n // (2 * old + 1)
            where.append(slice((old - new) * size, (old + new + 1) * size))
        cut = tuple(where)
        return Pairs(reach, {k: x[cut] for k, x in self.parts.items()})

    def through(self, reach: Lag, tables: list[Table], factor: float = 1.0) -> Pairs:
        """Return pairs of all kinds, added to pairs of inputs."""
        return Pairs(reach, {k: through_tables(x, tables) * factor for k, x in self.parts.items()})


def sum_of(a: Values | None, b: Values | None) -> Values | None:
    """Return the sum of what there is."""
    if a is None or b is None:
        return b if a is None else a
    return a + b


def by_lag(factors: Values, size: Lag) -> Values:
    """Return factors of lags in the form of pairs of a map, to be multiplied with them."""
    for axis, n in enumerate(size):
        factors = np.repeat(factors, n, axis=axis)
    return factors


def diagonal(pairs: Values, size: Lag, reach: Lag) -> Values:
    """Return the view of an array of pairs at no lag."""
    return pairs[tuple([slice(r * n, (r + 1) * n) for r, n in zip(reach, size, strict=True)])]
