"""What was measured of one attention layer: how far its heads look, and where one query looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LayerAttention:
    """The attention of one layer, averaged over images.

    Attributes
    ----------
    layer
        Its path.
    heads
        Number of heads.
    distances
        For each image (row) and head the attention distance, in pixels of the input: Σ_k a_qk
        |x_q − x_k| over the keys with a position, whose weights a are scaled to add up to 1,
        averaged over all queries q; x are centres.  None: queries or keys have no position.
    to_tokens
        For each head the share of attention that goes to tokens without a position (class token,
        registers), averaged over queries.
    size
        Size of the map of the keys.
    unit
        The query whose maps these are.
    maps
        For each head how much the query attends to each position, (heads, *size).
    token_weights
        For each head the same to each token without a position, (heads, tokens).
    options
        What it was measured with, as plain values.
    notes
        What a reader of the numbers should know.
    """

    layer: str
    heads: int
    distances: NDArray[np.float64] | None
    to_tokens: NDArray[np.float64]
    size: tuple[int, ...]
    unit: tuple[int, ...]
    maps: NDArray[np.float64] = field(repr=False)
    token_weights: NDArray[np.float64] = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def distance(self) -> NDArray[np.float64] | None:
        """The attention distance of each head, averaged over images."""
        return None if self.distances is None else self.distances.mean(0)

    @property
    def mean_distance(self) -> float | None:
        """The attention distance averaged over heads and images."""
        return None if self.distances is None else float(self.distances.mean())

    @property
    def map(self) -> NDArray[np.float64]:
        """How much the query attends to each position, averaged over heads."""
        result: NDArray[np.float64] = self.maps.mean(0)
        return result
