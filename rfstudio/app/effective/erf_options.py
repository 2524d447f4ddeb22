"""The options of a measurement; the unit and the network come from elsewhere."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal

from rfstudio.core.errors import RFStudioError
from rfstudio.core.initialisations import DEFAULT, initialisation
from rfstudio.engine.requests.request import (
    FIXED_WEIGHTS,
    Activation,
    BatchNormMode,
    Estimator,
)
from rfstudio.formats.files import is_file, is_folder


@dataclass(frozen=True, slots=True, eq=False)
class ErfOptions:
    """How the next measurement is made.

    Attributes
    ----------
    inputs
        Noise, the image that the canvas shows, or all images of `folder`.
    folder
        Where the images are.
    others
        As in `rfstudio.engine.requests.request.ErfRequest`.
    """

    estimator: Estimator = "energy"
    channel: int | None = None
    activation: Activation = "as_is"
    inputs: Literal["noise", "image", "folder"] = "noise"
    folder: Path | None = None
    weights: str = "random"
    init: str = DEFAULT
    seed: int = 0
    images_per_weights: int = 8
    batch_norm: BatchNormMode = "warmed"
    samples: int = 32
    dtype: Literal["float32", "float64"] = "float32"
    device: str = "auto"
    patch: int = 8
    stride: int = 8
    fill: float = 0.0
    amplitude: float = 1.0

    @property
    def is_default(self) -> bool:
        """Whether every option has its default."""
        return astuple(self) == astuple(ErfOptions())

    @property
    def law(self) -> str:
        """From what all weights are drawn; the usual one where they are not."""
        return self.init if self.weights == "random" else DEFAULT

    @property
    def of_weights(self) -> dict[str, Any]:
        """Of a request: what its weights are, and where and how precisely they are used."""
        names = ("weights", "init", "seed", "batch_norm", "dtype", "device")
        return {name: getattr(self, name) for name in names}

    @property
    def lacking(self) -> str:
        """What a measurement needs but cannot find, in a sentence; empty if it has everything."""
        try:
            initialisation(self.law)
        except RFStudioError as error:
            return f"{str(error)[:1].upper()}{str(error)[1:]}."
        if self.weights not in FIXED_WEIGHTS and not is_file(self.weights):
            return f"The file of weights {self.weights} is not there; choose another one."
        if self.inputs == "folder":
            if self.folder is None:
                return "No folder of images is chosen; choose one, or measure with noise."
            if not is_folder(self.folder):
                return f"The folder of images {self.folder} is not there; choose another one."
        return ""
