"""Requests and results of measurements: plain values that travel between processes.

No torch here: the window's process makes requests and receives results, and never imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from math import isfinite
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import shown
from rfstudio.core.initialisations import DEFAULT, initialisation
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.process.errors import MeasurementError

Estimator: TypeAlias = Literal[
    "energy", "rms", "abs", "signed", "positive", "occlusion", "perturbation"
]
ESTIMATORS: tuple[str, ...] = get_args(Estimator)

BY_FILLING: tuple[str, ...] = ("occlusion", "perturbation")
"""Estimators that change pixels and evaluate; the others differentiate."""

CONTINUABLE: tuple[str, ...] = ("energy", "rms", "abs", "positive", *BY_FILLING)
"""Estimators to which samples can be added later; the result of `signed` has lost the signs."""

OWN_WEIGHTS = "model"
"""The choice of weights that an imported network came with."""

FIXED_WEIGHTS = ("random", "uniform", OWN_WEIGHTS)
"""Choices of weights that name no file."""

MAX_SEED = 2**63 - 1
"""The greatest seed; the least is 0."""

Activation: TypeAlias = Literal["as_is", "before", "after"]
BatchNormMode: TypeAlias = Literal["warmed", "fresh", "train"]
Method: TypeAlias = Literal["auto", "cone", "full"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ErfRequest:
    """One measurement with all its options.

    Attributes
    ----------
    architecture, layer, unit
        Whose field: a layer or container path and a position in its map; None: the centre unit.
    input_size
        Size of the images along each axis; None: the document's own.
    estimator
        What is averaged over the samples: see `rfstudio.engine.measuring.estimators`.
    channel
        The only channel of the unit that is measured; None: all of them.
    activation
        Take the map of the layer itself, that before its activation, or that after the activation
        (and batch norm) that follow it.
    images
        Images (H, W, 3), 8 bit, used in turn; empty: noise of mean 0 and variance 1.  They may be
        read only when they are used; then their `key` identifies their content.
    weights
        "random", "uniform", "model" (those that an imported network came with), or the path of a
        file of weights.
    init
        From what random weights are drawn, and those that a model or a file lacks: a name of
        `rfstudio.core.initialisations.INITIALISATIONS`, with a gain after a colon.
    seed
        Of weights, noise and signs, from 0 to `MAX_SEED`.
    images_per_weights
        Samples that share one draw of random weights.
    batch_norm
        "warmed": running statistics from a few images before measuring; "fresh": mean 0 and
        variance 1; "train": those of the sample itself, which leaks over the whole image.
    samples
        Number of samples; None: one per image, or `DEFAULT_SAMPLES` of noise.
    dtype
        "float32", or "float64", which is exact.
    device
        "auto", "cpu", "cuda", "cuda:1", "mps" …
    method
        Evaluate only the cone of the unit, or the whole image; "auto" takes the one with less work.
    patch, stride, fill, amplitude
        For occlusion and perturbation: side of the patch and distance between two patches, in
        pixels; the value that fills it; the standard deviation of the noise that is added to it.
    """

    architecture: Architecture
    layer: str
    unit: tuple[int, ...] | None = None
    input_size: tuple[int, ...] | None = None
    estimator: Estimator = "energy"
    channel: int | None = None
    activation: Activation = "as_is"
    images: Sequence[NDArray[np.uint8]] = ()
    weights: str = "random"
    init: str = DEFAULT
    seed: int = 0
    images_per_weights: int = 8
    batch_norm: BatchNormMode = "warmed"
    samples: int | None = None
    dtype: Literal["float32", "float64"] = "float32"
    device: str = "auto"
    method: Method = "auto"
    patch: int = 1
    stride: int = 1
    fill: float = 0.0
    amplitude: float = 1.0

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise MeasurementError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        check_numbers(
            self, at_least_1=("images_per_weights", "patch", "stride", "samples"), any_whole=_WHOLE
        )
        for name in ("fill", "amplitude"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not isfinite(value):
                raise MeasurementError(f"{name} must be a finite number, not {value!r}")
            if abs(float(value)) > float(np.finfo(self.dtype).max):
                raise MeasurementError(f"{name} is too large for {self.dtype}: {value!r}")
        check_texts(self, ("layer", "weights", "init", "device"))
        object.__setattr__(self, "init", initialisation(self.init).text)

    def options(self) -> dict[str, Any]:
        """Return all options as plain values, for a record of the run."""
        values = {x.name: getattr(self, x.name) for x in fields(self)}
        values["architecture"] = self.architecture.name
        values["images"] = len(self.images)
        return values


def refuse_unknown(names: Iterable[str]) -> None:
    """Refuse options that a measurement does not have, and name the nearest one.

    Raises
    ------
    MeasurementError
        That names the first of them.
    """
    known = [x.name for x in fields(ErfRequest) if x.name not in ("architecture", "layer")]
    for name in names:
        if name not in (*known, "module", "images"):
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise MeasurementError(f"there is no option '{name}' of a measurement{hint}")


_WHOLE = ("seed", "channel")


MAX_NUMBER = 10**9
"""Largest number of samples and of the like."""


def check_numbers(request: Any, at_least_1: Sequence[str], any_whole: Sequence[str]) -> None:
    """Refuse attributes of a request that are not whole numbers, or too small; None is allowed.

    Numbers of numpy become those of Python, which records and files can hold.

    Raises
    ------
    MeasurementError
        That names the attribute.
    """
    for name in (*at_least_1, *any_whole):
        value = getattr(request, name)
        if value is None and name in ("samples", "channel"):
            continue
        if type(value) is bool or not isinstance(value, Integral):
            raise MeasurementError(f"{name} must be a whole number, not {value!r}")
        if name in at_least_1 and value < 1:
            raise MeasurementError(f"{name} must be at least 1, not {value}")
        if abs(int(value)) > MAX_NUMBER and name != "seed":
            why = "" if name in _WHOLE else "; so many would take years"
            raise MeasurementError(
                f"{name} must be at most {MAX_NUMBER:,}, not {shown(str(value), 30)}{why}"
            )
        object.__setattr__(request, name, int(value))
    check_seed(request.seed)


def check_seed(seed: Any) -> None:
    """Refuse what is not a seed of random numbers.

    Raises
    ------
    MeasurementError
        If it is not a whole number, below 0 or above `MAX_SEED`.
    """
    is_whole = not isinstance(seed, bool) and isinstance(seed, Integral)
    if not is_whole or not 0 <= int(seed) <= MAX_SEED:
        raise MeasurementError(f"seed must be a whole number from 0 to {MAX_SEED:,}, not {seed!r}")


def check_texts(request: Any, names: Sequence[str]) -> None:
    """Refuse attributes of a request that are not texts."""
    for name in names:
        value = getattr(request, name)
        if not isinstance(value, str):
            raise MeasurementError(f"{name} must be a text, not {value!r}")


_CHOICES: dict[str, tuple[str, ...]] = {
    "estimator": ESTIMATORS,
    "activation": get_args(Activation),
    "batch_norm": get_args(BatchNormMode),
    "dtype": ("float32", "float64"),
    "method": get_args(Method),
}

DEFAULT_SAMPLES = 32
"""Samples of noise, if their number is not given."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Unfinished:
    """A sample that was stopped between its patches, as happens in a measurement by filling.

    Attributes
    ----------
    moved
        How much each patch so far changed the unit, in the order of evaluation.
    samples
        Samples that were complete before it.
    map, standard_error
        Those of the complete samples, over the box of the result; None if there were none.
    open_draw
        As in the result.
    """

    moved: NDArray[np.float64]
    samples: int
    map: NDArray[np.float64] | None = None
    standard_error: NDArray[np.float64] | None = None
    open_draw: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ErfResult:
    """A measured effective receptive field, complete or so far.

    Attributes
    ----------
    map
        How strongly each pixel moves the unit, in the estimator's own unit; (H, W), not scaled.
    standard_error
        Of each value of `map`, NaN if there is only one sample.  Where samples share random weights
        it is that over draws; of a single draw, that over its samples.
    layer, unit
        Whose field it is.
    samples, wanted
        Samples so far, and samples requested.
    options
        All options of the run, as plain values.
    device
        The device in words.
    versions
        Of the program, torch and Python.
    seconds
        Wall time since the start of the measurement.
    notes
        What a reader of the numbers should know: batch size, missing weights …
    box
        Pixels that were evaluated, half-open along each axis; outside `map` is exactly 0.
    unfinished
        What is needed to continue within the last sample, which is in `map` as a preview; None
        between samples.
    open_draw
        The sum of the samples of a draw of weights that is not complete, over `box`, which is
        needed to continue; None if all draws are, or if there is only one.
    """

    map: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    layer: str
    unit: tuple[int, ...]
    samples: int
    wanted: int
    options: Mapping[str, Any]
    device: str
    versions: Mapping[str, str]
    seconds: float
    notes: tuple[str, ...] = ()
    box: tuple[tuple[int, int], ...] = field(default=())
    unfinished: Unfinished | None = None
    open_draw: NDArray[np.float64] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether it holds all requested samples."""
        return self.samples >= self.wanted and self.unfinished is None
