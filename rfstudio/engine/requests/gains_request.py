"""Requests and results of measured gains: plain values that travel between processes.

No torch here, as in `rfstudio.engine.requests.request`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.effective.energy_flow import Gains
from rfstudio.core.initialisations import DEFAULT, initialisation
from rfstudio.core.layer_models.layer import BatchNormMode
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.requests.request import check_numbers, check_texts

DEFAULT_SAMPLES = 8
"""Number of gradients by default; each averages over all positions of the map."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GainsRequest:
    """A request to measure how much energy of a gradient each layer passes on.

    Attributes
    ----------
    architecture, layer
        Where gradients start: a layer or container path; None: the last layer.  Gains are those of
        everything that it reads.
    input_size
        Size of the images along each axis; None: the document's own.
    images
        Photos (H, W, 3), 8 bit, used in turn, as those of a measurement; empty: noise of mean 0
        and variance 1.
    weights
        "random", drawn anew for each sample; "uniform"; "model", those that an imported network
        came with; or the path of a file of weights.
    init
        As in a measurement.
    seed
        Of weights, noise and signs, from 0 to 2**63 - 1.
    samples
        How many gradients.
    batch_norm
        "warmed", "fresh" or "train", as in a measurement.
    device
        "auto", "cpu", "cuda", "cuda:1" or "mps".
    """

    architecture: Architecture
    layer: str | None = None
    input_size: tuple[int, ...] | None = None
    images: Sequence[NDArray[np.uint8]] = ()
    weights: str = "random"
    init: str = DEFAULT
    seed: int = 0
    samples: int = DEFAULT_SAMPLES
    batch_norm: BatchNormMode = "warmed"
    device: str = "auto"

    def __post_init__(self) -> None:
        check_numbers(self, at_least_1=("samples",), any_whole=("seed",))
        check_texts(self, ("weights", "init", "device"))
        object.__setattr__(self, "init", initialisation(self.init).text)
        if self.batch_norm not in get_args(BatchNormMode):
            words = ", ".join(get_args(BatchNormMode))
            raise MeasurementError(f"batch_norm must be one of {words}, not {self.batch_norm!r}")

    def options(self) -> dict[str, Any]:
        """Return all options as plain values, for a record of the run."""
        values = {x.name: getattr(self, x.name) for x in fields(self)}
        values["architecture"] = self.architecture.name
        values["images"] = len(self.images)
        return values


@dataclass(frozen=True, kw_only=True, eq=False)
class GainsResult:
    """Measured gains.

    Attributes
    ----------
    gains
        By node and edge, as `rfstudio.core.effective.expected.expected_erf` takes them.
    layer
        Where gradients started.
    samples
        How many gradients there were.
    options
        All options of the run, as plain values.
    notes
        What a reader of the numbers should know: missing weights …
    """

    gains: Gains
    layer: str
    samples: int
    options: Mapping[str, Any]
    notes: tuple[str, ...] = ()
