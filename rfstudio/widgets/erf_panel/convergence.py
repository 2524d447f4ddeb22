"""The distance of a measurement from the expected field, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rfstudio.api.convergence import incomparable
from rfstudio.app.effective.expected_fields import is_live
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.initialisations import DEFAULT
from rfstudio.core.metrics.distance import RATE, distance_of


class Measured(Protocol):
    """A measurement so far, as the worker reports it."""

    @property
    def map(self) -> NDArray[np.float64]:
        """The field."""

    @property
    def layer(self) -> str:
        """Path of the layer that was measured."""

    @property
    def unit(self) -> tuple[int, ...]:
        """Position of the unit."""

    @property
    def samples(self) -> int:
        """Number of samples in it."""

    @property
    def options(self) -> Mapping[str, Any]:
        """All options of the run."""


class Target(NamedTuple):
    """The expected field that a measurement is compared with.

    Attributes
    ----------
    map
        The expected field; None if this measurement tends to none.
    is_exact
        Whether the measurement tends to it exactly, or only approaches it.
    sentence
        What the comparison says, or why there is none.
    detail
        Why the expected field is approximate.
    """

    map: NDArray[np.float64] | None
    is_exact: bool
    sentence: str
    detail: str = ""


def target_of(analysis: Analysis, measured: Measured) -> Target:
    """Return the expected field that a measurement is to be compared with."""
    options = measured.options
    if reason := incomparable(options):
        return Target(None, False, reason)
    if not is_live(analysis):
        return Target(None, False, "The network is too large to compute the expected field here.")
    normalises = any(x.op is not None and x.op.mixes_in_training for x in analysis.graph.nodes)
    mode = options.get("batch_norm", "warmed")
    if normalises and mode == "train":
        return Target(None, False, "The expected field is not that of batch norm in training mode.")
    graph = analysis.graph
    try:
        erf = expected_erf(
            graph,
            graph.index(measured.layer),
            tuple(measured.unit),
            batch_norm="fresh" if mode == "fresh" else "warmed",
            init=options.get("init", DEFAULT),
        )
    except Cancelled:
        raise
    except RFStudioError as error:
        return Target(None, False, f"There is no expected field: {error}")
    if erf.map.shape != measured.map.shape:
        return Target(None, False, "The network has changed since it was measured.")
    if not erf.map.any():
        return Target(None, False, "No pixel moves this unit, so there is no distance to draw.")
    if not erf.exact:
        text = "The expected field is approximate, so the curve levels off; hover for why."
        return Target(erf.map, False, text, "\n".join(erf.notes))
    shared = int(options.get("images_per_weights", 1))
    text = f"Exact: the distance falls as 1/√N; the line is {RATE}/√N."
    if shared > 1:
        text += f" {shared} samples share their weights and may count for less."
    return Target(erf.map, True, text)


def distance(measured: Measured, target: NDArray[np.float64]) -> float | None:
    """Return the relative L1 distance of a measured map and an expected one.

    Both are scaled to a sum of 1, so the distance is from 0 to 2; None if one of them is 0.
    """
    is_root = measured.options.get("estimator") == "rms"
    return distance_of(measured.map, target, is_root=is_root)
